# Takes webhooks of coop on 127.0.0.1, and believes only what was signed with the key:  python3 webhook_receiver.py PORT KEY
import hashlib, hmac, http.server, json, sys, time

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sign = dict(part.split("=", 1) for part in self.headers.get("Coop-Signature", "t=0,v1=").split(","))
        mac = hmac.new(sys.argv[2].encode(), sign["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        good = hmac.compare_digest(mac, sign["v1"]) and abs(time.time() - int(sign["t"])) < 300  # not an old one again
        print(json.loads(body)["state"] if good else "refused", self.headers["Coop-Delivery"], flush=True)
        self.send_response(204 if good else 403)
        self.end_headers()

server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook)
print("port", server.server_port, flush=True)
server.serve_forever()
