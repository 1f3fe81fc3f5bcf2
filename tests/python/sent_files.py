# Sent with it: words.txt ("one\ntwo\n"), data/table.csv ("a,b\r\n1,2\r\n"), data/empty. Each is there to be read, by whatever reads files; nothing else is.
import configparser, csv, errno, glob, gzip, io, os, pathlib, pickle, socket, sys


def refused(error, f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except OSError as e:
        assert e.errno == error, e
    else:
        raise AssertionError(f"{f}{args} was not refused")


# text, bytes, lines, and the ways of a name
assert open("words.txt").read() == "one\ntwo\n"
assert open("/words.txt", "rb").read() == b"one\ntwo\n"
assert open("./data/../words.txt").readlines() == ["one\n", "two\n"]
assert pathlib.Path("words.txt").read_text() == "one\ntwo\n"
assert list(csv.reader(open("data/table.csv", newline=""))) == [["a", "b"], ["1", "2"]]
assert open("data/empty").read() == ""
assert open(__file__).readline().startswith("# Sent with it")

# one file, several descriptors, each with its own place in it
with open("words.txt", "rb") as a, open("words.txt", "rb", buffering=0) as b:
    assert a.fileno() != b.fileno() and a.seekable() and not a.writable()
    assert a.read(2) == b"on" and b.read() == b"one\ntwo\n" and a.tell() == 2
    assert a.seek(-4, io.SEEK_END) == 4 and a.read() == b"two\n"
    refused(errno.EINVAL, b.seek, -1)
    into = bytearray(3)
    assert b.seek(0) == 0 and b.readinto(into) == 3 and into == b"one"
fd = os.open("words.txt", os.O_RDONLY)
assert os.read(fd, 3) == b"one" and os.pread(fd, 3, 4) == b"two" and os.lseek(fd, 0, os.SEEK_CUR) == 3 and os.fstat(fd).st_size == 8
assert os.lseek(fd, 100, os.SEEK_SET) == 100 and os.read(fd, 1) == b""
os.close(fd)
refused(errno.EBADF, os.read, fd, 1)
refused(errno.EBADF, os.close, fd)
refused(errno.EBADF, os.fstat, fd)
for other in 70, 5000, 2**31 - 1, -1:
    refused(errno.EBADF, os.read, other, 1)

# what is asked of a name
assert os.path.isfile("words.txt") and os.path.getsize("words.txt") == 8 and os.path.realpath("data/../words.txt") == "/words.txt"
assert os.path.isdir("data") and not os.path.isfile("data") and not os.path.exists("dat") and not os.path.exists("words.tx")
assert os.access("words.txt", os.R_OK) and not os.access("words.txt", os.W_OK) and not os.access("other", os.F_OK)
assert os.path.samefile("words.txt", "./words.txt") and not os.path.samefile("words.txt", "data/table.csv")

# directories of what was sent are listed; what there is besides is not
assert sorted(os.listdir("data")) == ["empty", "many", "table.csv"] and os.listdir(b"/data/./") == [os.fsencode(name) for name in os.listdir("data")]
assert sorted(glob.glob("data/*.csv")) == ["data/table.csv"] and glob.glob("e*", root_dir="data") == ["empty"]
assert sorted(pathlib.Path("data").iterdir())[0] == pathlib.Path("data/empty") and len(list(pathlib.Path("data").glob("*"))) == 3
assert [(top, dirs, sorted(files)) for top, dirs, files in os.walk("data")] == [("data", [], ["empty", "many", "table.csv"])]
with os.scandir("data") as entries:
    entry = min(entries, key=lambda entry: entry.name)
assert entry.name == "empty" and entry.path == os.fspath(entry) == "data/empty" and entry.is_file() and not entry.is_dir() and not entry.is_symlink()
assert entry.stat().st_size == 0 and entry.inode() == os.stat("data/empty").st_ino
for f in os.listdir, os.scandir, socket.gethostbyname, socket.getaddrinfo:
    assert pickle.loads(pickle.dumps(f)) is f
for name in "dat", "words.txt", "/", ".", "/etc":
    refused(errno.EACCES, os.listdir, name)
    refused(errno.EACCES, os.scandir, name)

# nothing is written, and nothing else is there
for mode in "w", "a", "x", "r+":
    refused(errno.EACCES, open, "words.txt", mode)
for name in "other", "data", "words.txt/x", "data/", "", ".", "..", "/", "/etc/passwd", "../etc/passwd", "words.txt" * 300:
    refused(errno.EACCES, open, name)
refused(errno.EACCES, os.unlink, "words.txt")

# so many are open at once, and those that were closed are free again
for i in range(3000):
    open("words.txt").close()
held = []
try:
    for i in range(3000):
        held.append(open("words.txt"))
except OSError as e:
    assert e.errno == errno.EMFILE
assert len(held) == 1024, len(held)
held.clear()
assert open("words.txt").read(3) == "one"

# several threads read one descriptor: each byte comes to one of them
import threading

with open("data/many", "rb", buffering=0) as many:
    parts = [[] for _ in range(3)]

    def take(into):
        while (part := many.read(7)):
            into.append(part)

    threads = [threading.Thread(target=take, args=(p,)) for p in parts]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sum(len(x) for p in parts for x in p) == os.path.getsize("data/many")

print("all")
