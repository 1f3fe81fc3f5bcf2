/*
 * seeds.c - writes the seed corpus of the fuzzers: one small file for each thing worth starting from.
 *
 * By hand, when a schema or an input format has changed (the files are in the repository):
 *   make && cc -std=gnu11 -D_GNU_SOURCE -Ibuild/debug/gen -Iproto -Iinclude -I. tests/fuzz/seeds.c build/debug/libproto.a -lprotobuf-c -o build/seeds
 *   build/seeds tests/fuzz/corpus
 */
#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control.pb-c.h"
#include "coop/version.h"
#include "frame.h"
#include "courier.pb-c.h"
#include "link.pb-c.h"
#include "zygote.pb-c.h"

/* ---- files ---------------------------------------------------------------------------------------------------------------------------- */

static const char *corpus;
static uint8_t bytes[64 << 10];
static size_t len;

static void add(const void *p, size_t n)
{
    memcpy(bytes + len, p, n);
    len += n;
}

static void add_byte(unsigned b)
{
    uint8_t byte = (uint8_t)b;

    add(&byte, 1);
}

static void add_length(size_t n)
{
    add_byte(n & 0xff);
    add_byte(n >> 8);
}

static void save(const char *fuzzer, const char *name)
{
    char path[4096];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", corpus, fuzzer);
    (void)mkdir(path, 0777);
    (void)snprintf(path, sizeof(path), "%s/%s/%s", corpus, fuzzer, name);
    f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    len = 0;
}

static size_t pack(const ProtobufCMessage *m, uint8_t **ret)
{
    size_t n;

    if (frame_pack(m, ret, &n) != 0)
        abort();
    return n;
}

static void add_message(const ProtobufCMessage *m)
{
    uint8_t *p;
    size_t n = pack(m, &p);

    add(p, n);
    free(p);
}

static void add_frame(const ProtobufCMessage *m)
{
    add_length(protobuf_c_message_get_packed_size(m));
    add_message(m);
}

/* ---- messages --------------------------------------------------------------------------------------------------------------------------- */

static Pb__JobSpec *spec(void)
{
    static Pb__JobSpec s;
    static Pb__Limits l;
    static ProtobufCBinaryData args[2] = {
        {1,  (uint8_t *)"a" },
        { 2, (uint8_t *)"bc"}
    };
    static Pb__EnvVar env, *env_at = &env;
    static Pb__Module module, *module_at = &module;

    pb__job_spec__init(&s);
    pb__limits__init(&l);
    pb__env_var__init(&env);
    pb__module__init(&module);
    l.wall_us = 1000000;
    env.name = "LANG";
    env.value = (ProtobufCBinaryData){ 1, (uint8_t *)"C" };
    module.name = "m";
    module.source = (ProtobufCBinaryData){ 9, (uint8_t *)"return {}" };
    s.name = "seed";
    s.engine = "lua";
    s.source_name = "seed.lua";
    s.source = (ProtobufCBinaryData){ 8, (uint8_t *)"print(1)" };
    s.args = args;
    s.n_args = 2;
    s.env = &env_at;
    s.n_env = 1;
    s.modules = &module_at;
    s.n_modules = 1;
    s.limits = &l;
    return &s;
}

static char job_id[] = "01HZZZZZZZ0000000000000000"; /* the first that fuzz_control.c makes */

static Pb__Request *request(unsigned body)
{
    static Pb__Request q;
    static Pb__Submit submit;
    static Pb__Wait wait;
    static Pb__Logs logs;
    static Pb__GetResult result;
    static Pb__Show show;
    static Pb__Ls ls;
    static Pb__Cancel cancel;
    static Pb__Kill kill;
    static Pb__StdinWrite stdin_write;
    static Pb__GetVersion version;
    static Pb__GetOutput output;
    static Pb__ResizeTty resize_tty;
    static Pb__TtySize size;
    static Pb__Audit audit;
    static uint8_t hash[32];
    ProtobufCMessage *const bodies[] = {
        [PB__REQUEST__BODY_SUBMIT] = &submit.base,
        [PB__REQUEST__BODY_WAIT] = &wait.base,
        [PB__REQUEST__BODY_LOGS] = &logs.base,
        [PB__REQUEST__BODY_RESULT] = &result.base,
        [PB__REQUEST__BODY_SHOW] = &show.base,
        [PB__REQUEST__BODY_LS] = &ls.base,
        [PB__REQUEST__BODY_CANCEL] = &cancel.base,
        [PB__REQUEST__BODY_KILL] = &kill.base,
        [PB__REQUEST__BODY_STDIN_WRITE] = &stdin_write.base,
        [PB__REQUEST__BODY_VERSION] = &version.base,
        [PB__REQUEST__BODY_OUTPUT] = &output.base,
        [PB__REQUEST__BODY_RESIZE_TTY] = &resize_tty.base,
        [PB__REQUEST__BODY_AUDIT] = &audit.base,
    };

    pb__request__init(&q);
    pb__submit__init(&submit);
    pb__wait__init(&wait);
    pb__logs__init(&logs);
    pb__get_result__init(&result);
    pb__show__init(&show);
    pb__ls__init(&ls);
    pb__cancel__init(&cancel);
    pb__kill__init(&kill);
    pb__stdin_write__init(&stdin_write);
    pb__get_version__init(&version);
    pb__get_output__init(&output);
    pb__resize_tty__init(&resize_tty);
    pb__tty_size__init(&size);
    pb__audit__init(&audit);
    output.id = resize_tty.id = job_id;
    output.name = "dir/file";
    size.rows = 24;
    size.columns = 80;
    resize_tty.size = &size;
    audit.seq = 1;
    audit.sha256 = audit.find = (ProtobufCBinaryData){ sizeof(hash), hash };
    submit.spec = spec();
    wait.id = logs.id = result.id = show.id = cancel.id = kill.id = stdin_write.id = job_id;
    wait.timeout_ms = logs.timeout_ms = 1000;
    logs.want_receipt = 1;
    stdin_write.data = (ProtobufCBinaryData){ 5, (uint8_t *)"hello" };
    q.protocol = COOP_PROTOCOL;
    q.body_case = (Pb__Request__BodyCase)body;
    q.submit = (Pb__Submit *)bodies[body];
    return &q;
}

static uint8_t token[16];

static Pb__FromWorker *says(unsigned body)
{
    static Pb__FromWorker m;
    static Pb__Hello hello;
    static Pb__SealFailed seal_failed;
    static Pb__Started started;
    static Pb__Output output;
    static Pb__StdinWant stdin_want;
    static Pb__Result result;
    static Pb__JobError error;
    static Pb__Violation violation;
    static Pb__WorkerLog log;
    static Pb__Collected collected;
    static Pb__Learned learned;
    static Pb__Listener listener;
    static Pb__Warm warm;
    static Pb__ForkFailed fork_failed;
    static char *seal[] = { "no_new_privs", "seccomp" };
    static uint64_t args[6];
    ProtobufCMessage *const bodies[] = {
        [PB__FROM_WORKER__BODY_HELLO] = &hello.base,
        [PB__FROM_WORKER__BODY_SEAL_FAILED] = &seal_failed.base,
        [PB__FROM_WORKER__BODY_STARTED] = &started.base,
        [PB__FROM_WORKER__BODY_OUTPUT] = &output.base,
        [PB__FROM_WORKER__BODY_STDIN_WANT] = &stdin_want.base,
        [PB__FROM_WORKER__BODY_RESULT] = &result.base,
        [PB__FROM_WORKER__BODY_VIOLATION] = &violation.base,
        [PB__FROM_WORKER__BODY_LOG] = &log.base,
        [PB__FROM_WORKER__BODY_COLLECTED] = &collected.base,
        [PB__FROM_WORKER__BODY_LEARNED] = &learned.base,
        [PB__FROM_WORKER__BODY_LISTENER] = &listener.base,
        [PB__FROM_WORKER__BODY_WARM] = &warm.base,
        [PB__FROM_WORKER__BODY_FORK_FAILED] = &fork_failed.base,
    };

    for (unsigned i = 0; i < sizeof(token); i++)
        token[i] = (uint8_t)(i * 17 + 1); /* of the first worker in bare_broker.h */
    pb__from_worker__init(&m);
    pb__hello__init(&hello);
    pb__seal_failed__init(&seal_failed);
    pb__started__init(&started);
    pb__output__init(&output);
    pb__stdin_want__init(&stdin_want);
    pb__result__init(&result);
    pb__job_error__init(&error);
    pb__violation__init(&violation);
    pb__worker_log__init(&log);
    pb__collected__init(&collected);
    pb__learned__init(&learned);
    pb__listener__init(&listener);
    pb__warm__init(&warm);
    pb__fork_failed__init(&fork_failed);
    listener.token = (ProtobufCBinaryData){ sizeof(token), token };
    fork_failed.worker = 2; /* the child of bare_broker.h's template */
    fork_failed.error = 11;
    collected.name = "dir/file";
    collected.mode = 0644;
    collected.size = 5;
    collected.data = (ProtobufCBinaryData){ 5, (uint8_t *)"hello" };
    collected.last = 1;
    learned.row = "allow uname";
    learned.times = 3;
    learned.why_not = "never";
    hello.token = seal_failed.token = (ProtobufCBinaryData){ sizeof(token), token };
    hello.seal = seal;
    hello.n_seal = 2;
    hello.uid = 1000;
    seal_failed.step = "landlock";
    seal_failed.error = 1;
    output.stream = PB__STREAM__STREAM_STDOUT;
    output.data = (ProtobufCBinaryData){ 6, (uint8_t *)"hello\n" };
    stdin_want.max = 4096;
    error.type = "RuntimeError";
    error.message = "boom";
    error.traceback = "seed.lua:1: boom";
    result.kind = PB__RESULT_KIND__RESULT_KIND_EXCEPTION;
    result.error = &error;
    violation.nr = 41;
    violation.arch = 0xc000003e;
    violation.args = args;
    violation.n_args = 6;
    violation.module = "/lib/x86_64-linux-gnu/libc.so.6";
    violation.offset = 0x1234;
    violation.pid = violation.tid = 2;
    violation.who = "tasklet 2 (name)";
    log.text = "words";
    m.body_case = (Pb__FromWorker__BodyCase)body;
    m.hello = (Pb__Hello *)bodies[body];
    return &m;
}

/* ---- frame: type byte, message --------------------------------------------------------------------------------------------------------- */

static void frame_seeds(void)
{
    static const uint8_t header[] = { 1, 0, 0, 0, 0, 0, 0, 0 };
    Pb__Receipt receipt = PB__RECEIPT__INIT;
    Pb__Exited exited = PB__EXITED__INIT;
    Pb__FromZygote from = PB__FROM_ZYGOTE__INIT;

    add_byte(0);
    add_message(&request(PB__REQUEST__BODY_SUBMIT)->base);
    save("frame", "submit");
    add_byte(0);
    add_message(&request(PB__REQUEST__BODY_LOGS)->base);
    save("frame", "logs");
    add_byte(2);
    add_message(&says(PB__FROM_WORKER__BODY_RESULT)->base);
    save("frame", "result");
    add_byte(2);
    for (unsigned i = 0; i < 1000; i++)
        add("\x0a\x00", 2);
    save("frame", "empty-hellos");
    exited.worker = 3;
    exited.status = -1;
    from.body_case = PB__FROM_ZYGOTE__BODY_EXITED;
    from.exited = &exited;
    add_byte(4);
    add_message(&from.base);
    save("frame", "exited");
    add_byte(6);
    add_message(&spec()->base);
    save("frame", "spec");
    receipt.job = job_id;
    add_byte(7);
    add_message(&receipt.base);
    save("frame", "receipt");
    add_byte(8);
    for (unsigned i = 0; i < 2; i++) {
        add(header, sizeof(header));
        add_byte(protobuf_c_message_get_packed_size(&says(PB__FROM_WORKER__BODY_LOG)->base));
        add_message(&says(PB__FROM_WORKER__BODY_LOG)->base);
    }
    save("frame", "stream");
}

/* ---- link: phase byte, frames and actions ---------------------------------------------------------------------------------------------- */

static void say(unsigned body)
{
    add_frame(&says(body)->base);
}

static void link_seeds(void)
{
    enum { BOOT, IDLE, ASSIGNED, BUSY, WARM, PHASES, PROGRAM = 2 * PHASES }; /* a byte names the phase, and an engine */
    Pb__FromWorker *m;

    add_byte(BOOT);
    say(PB__FROM_WORKER__BODY_HELLO);
    add_length(0xfff4); /* the pid becomes known */
    save("link", "boot");
    add_byte(BOOT);
    say(PB__FROM_WORKER__BODY_SEAL_FAILED);
    save("link", "seal-failed");
    add_byte(IDLE);
    say(PB__FROM_WORKER__BODY_LOG);
    save("link", "idle");
    add_byte(ASSIGNED);
    say(PB__FROM_WORKER__BODY_STARTED);
    say(PB__FROM_WORKER__BODY_OUTPUT);
    say(PB__FROM_WORKER__BODY_STDIN_WANT);
    add_length(0xfff0);
    say(PB__FROM_WORKER__BODY_STDIN_WANT);
    add_length(0xfff1);
    say(PB__FROM_WORKER__BODY_LOG);
    say(PB__FROM_WORKER__BODY_RESULT);
    save("link", "whole-job");
    add_byte(ASSIGNED);
    say(PB__FROM_WORKER__BODY_SEAL_FAILED);
    save("link", "seal-failed-late");
    add_byte(BUSY);
    say(PB__FROM_WORKER__BODY_OUTPUT);
    say(PB__FROM_WORKER__BODY_VIOLATION);
    save("link", "violation");
    add_byte(BUSY);
    add_length(0xfff2);
    add_length(4);
    add("\x32\x02\x08\x05", 4); /* result of kind CANCELLED */
    save("link", "cancelled");
    add_byte(PROGRAM + ASSIGNED);
    add_length(0xfff5); /* the terminal's size */
    say(PB__FROM_WORKER__BODY_STARTED);
    m = says(PB__FROM_WORKER__BODY_COLLECTED); /* in two pieces */
    m->collected->size = 10;
    m->collected->last = 0;
    add_frame(&m->base);
    m = says(PB__FROM_WORKER__BODY_COLLECTED);
    m->collected->name = "";
    m->collected->mode = 0;
    m->collected->size = 0;
    add_frame(&m->base);
    say(PB__FROM_WORKER__BODY_LEARNED);
    add_length(0xfff5);
    m = says(PB__FROM_WORKER__BODY_RESULT);
    m->result->kind = PB__RESULT_KIND__RESULT_KIND_SIGNAL;
    m->result->signal = 11;
    m->result->outputs_note = "b: is a symbolic link";
    add_frame(&m->base);
    save("link", "program");
    add_byte(PROGRAM + BUSY);
    m = says(PB__FROM_WORKER__BODY_COLLECTED);
    m->collected->name = "../file";
    add_frame(&m->base);
    save("link", "file-outside");
    add_byte(PROGRAM + BUSY);
    m = says(PB__FROM_WORKER__BODY_RESULT);
    m->result->kind = PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN;
    m->result->exit_code = 127;
    add_frame(&m->base);
    save("link", "cannot-run");
    add_byte(WARM);
    say(PB__FROM_WORKER__BODY_FORK_FAILED);
    say(PB__FROM_WORKER__BODY_VIOLATION);
    save("link", "fork-failed");
    add_byte(BUSY);
    say(PB__FROM_WORKER__BODY_WARM);
    save("link", "warm");
    add_byte(BOOT);
    say(PB__FROM_WORKER__BODY_LISTENER);
    save("link", "listener");
}

/* ---- control: what and who, length, bytes ----------------------------------------------------------------------------------------------- */

static void event(unsigned what, unsigned who, const void *p, size_t n)
{
    add_byte(what | who << 3);
    add_length(n);
    add(p, n);
}

static void ask(unsigned who, unsigned body)
{
    add_byte(0 | who << 3);
    add_frame(&request(body)->base);
}

static void worker_says(unsigned body)
{
    add_byte(2);
    add_frame(&says(body)->base);
}

static void collect(void)
{
    event(7, 0, "", 0);
}

static void control_seeds(void)
{
    Pb__Request *bad_id;
    static const struct {
        unsigned body;
        const char *name;
    } rows[] = {
        {PB__REQUEST__BODY_WAIT,         "wait"   },
        { PB__REQUEST__BODY_LOGS,        "logs"   },
        { PB__REQUEST__BODY_RESULT,      "result" },
        { PB__REQUEST__BODY_SHOW,        "show"   },
        { PB__REQUEST__BODY_LS,          "ls"     },
        { PB__REQUEST__BODY_CANCEL,      "cancel" },
        { PB__REQUEST__BODY_KILL,        "kill"   },
        { PB__REQUEST__BODY_STDIN_WRITE, "stdin"  },
        { PB__REQUEST__BODY_VERSION,     "version"},
        { PB__REQUEST__BODY_OUTPUT,      "output" },
        { PB__REQUEST__BODY_RESIZE_TTY,  "resize" },
        { PB__REQUEST__BODY_AUDIT,       "audit"  },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) { /* each verb on a waiting job, and after its end */
        ask(0, PB__REQUEST__BODY_SUBMIT);
        collect();
        ask(1, rows[i].body);
        event(3, 0, "", 0);
        ask(1, rows[i].body);
        worker_says(PB__FROM_WORKER__BODY_STARTED);
        worker_says(PB__FROM_WORKER__BODY_OUTPUT);
        ask(1, rows[i].body);
        worker_says(PB__FROM_WORKER__BODY_RESULT);
        event(4, 0, "\x02\x09", 2);
        ask(2, rows[i].body);
        collect();
        ask(1, rows[i].body);
        save("control", rows[i].name);
    }
    bad_id = request(PB__REQUEST__BODY_WAIT);
    bad_id->wait->id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9"; /* the answer must not cut the letter in two */
    add_byte(0);
    add_frame(&bad_id->base);
    save("control", "bad-id");
    ask(0, PB__REQUEST__BODY_SUBMIT);
    collect();
    for (unsigned i = 0; i < 3; i++) { /* lost three times, with somebody waiting */
        ask(1, PB__REQUEST__BODY_WAIT);
        event(3, 0, "", 0);
        worker_says(PB__FROM_WORKER__BODY_STARTED);
        event(4, 0, "\x02\x09", 2);
        event(5, 0, "\x00\x10\x00", 3);
    }
    collect();
    save("control", "lost");
    event(7, 1, "", 0); /* the disk is full */
    ask(0, PB__REQUEST__BODY_SUBMIT);
    event(3, 0, "", 0);
    worker_says(PB__FROM_WORKER__BODY_STARTED);
    collect();
    event(4, 0, "\x02\x09", 2);
    event(7, 2, "", 0);
    collect();
    ask(0, PB__REQUEST__BODY_SUBMIT);
    collect();
    save("control", "disk-full");
    ask(0, PB__REQUEST__BODY_SUBMIT);
    event(6, 0, "", 0);
    event(7, 3, "", 0);
    ask(0, PB__REQUEST__BODY_SUBMIT);
    collect();
    save("control", "leaving");
}

/* ---- limits: text ------------------------------------------------------------------------------------------------------------------------ */

static void limits_seeds(void)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"all",         "cpu=2s,wall=1.5m,memory=64M,stdout=1000,stderr=512KiB"},
        { "unknown",    "memroy=64M"                                           },
        { "too-large",  "memory=18446744073709551615T"                         },
        { "fraction",   "cpu=0.000001s"                                        },
        { "empty-item", "cpu=1s,,wall="                                        },
        { "size",       "1.5G"                                                 },
        { "time",       "300ms"                                                },
        { "id",         "01arz3ndektsv4rrffq69g5fav"                           },
        { "word",       "sumbit"                                               },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        add(rows[i].text, strlen(rows[i].text));
        save("limits", rows[i].name);
    }
}

/* ---- value: how many handles, the encoding ------------------------------------------------------------------------------------------- */

static void value_seeds(void)
{
    static const struct {
        const char *name;
        unsigned char handles;
        const char *bytes;
        size_t len;
    } rows[] = {
#define ROW(name, handles, bytes) { name, handles, bytes, sizeof(bytes) - 1 }
        ROW("scalars", 0,
            "\x8a\xf6\xf4\xf5\x00\x18\x18\x38\xff\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\xfb\x3f\xf0\0\0\0\0\0\0\x61"
            "a\x41\xff"),
        ROW("nan", 0, "\xfb\x7f\xf8\0\0\0\0\0\0"),
        ROW("utf8", 0, "\x67\xc3\xa4\xf0\x9f\x99\x82\0"),
        ROW("keys", 0,
            "\xa6\x01\x01\x20\x02\x41\0\x03\x61"
            "a\x04\xf5\x05\xfb\x3f\xf8\0\0\0\0\0\0\x06"),
        ROW("key-twice", 0,
            "\xa2\x61"
            "a\0\x61"
            "a\0"),
        ROW("nested", 0,
            "\x82\xa1\x61"
            "k\x81\x81\x80\xa1\x61m\xa0"),
        ROW("deep", 0, "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x80"),
        ROW("handles", 2,
            "\x83\xda"
            "cooq\0\xda"
            "cooq\x01\xda"
            "cooq\0"),
        ROW("no-handle", 1,
            "\xda"
            "cooq\x01"),
        ROW("big", 0,
            "\x82\xda"
            "coop\x74"
            "12345678901234567890\xda"
            "coop\x75"
            "-12345678901234567890"),
        ROW("indefinite", 0, "\x9f\x01\xff"),
        ROW("long", 0,
            "\x81\x7b\0\0\0\0\0\0\0\x01"
            "a"),
        ROW("promise", 0, "\x9a\0\x0f\0\0\0"),
        ROW("tag", 0, "\xc2\x41\x01"),
#undef ROW
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        add_byte(rows[i].handles);
        add(rows[i].bytes, rows[i].len);
        save("value", rows[i].name);
    }
}

/* ---- json: text ---------------------------------------------------------------------------------------------------------------------- */

static void json_seeds(void)
{
    static const char *const rows[][2] = {
        {"plain",   "[null, true, false, 0, -1, 1.5e3, \"a\\u00e4\\n\", {\"k\": [], \"m\": {}}]"                },
        { "big",    "[12345678901234567890, -12345678901234567890, {\"$big\": \"123\"}, 9223372036854775807]"   },
        { "bytes",  "{\"$bytes\": \"AAECAw==\"}"                                                                },
        { "double", "[{\"$double\": \"nan\"}, {\"$double\": \"-inf\"}, 1e-7, 100000000000000000000.0]"          },
        { "map",    "{\"$map\": [[1, \"one\"], [true, 2], [1.5, {\"$map\": []}]]}"                              },
        { "handle", "{\"$handle\": \"01HZZZZZZZ0000000000000000\", \"kind\": \"queue\", \"rights\": [\"send\"]}"},
        { "twice",  "{\"a\": 1, \"a\": 12345678901234567890}"                                                   },
        { "open",   "[\"12345678901234567890"                                                                   },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        add(rows[i][1], strlen(rows[i][1]));
        save("json", rows[i][0]);
    }
}

/* ---- yaml: job files -------------------------------------------------------------------------------------------------------------------- */

static void yaml_seeds(void)
{
    static const char *const rows[][2] = {
        {"least",    "engine: lua\ncode: {source: x}\n"                                                                                  },
        { "json",    "{\"engine\":\"lua\",\"code\":{\"source\":\"\\ud83d\\ude00\\/\"},\"limits\":{\"cpu_us\":5,\"memory_bytes\":1}}"     },
        { "words",   "name: 'a'\nenv: {A: 1, B: {base64: '/wAA'}}\nlabels: {a/b: c}\nargs: [a, \"b\\0c\", 'd']\nstdin: |\n  one\n  two\n"},
        { "plan",    "schedule:\n  not_before: 2027-01-02T03:04:05.5Z\n  deadline: +2h\n  after: [\"01ARZ3NDEKTSV4RRFFQ69G5FAV:any\"]\n"
                  "  array: 1-9:2%3\n  limiter: [a=2, {key: b}]\n"                                                      },
        { "retry",
         "retry: {max_attempts: 3, backoff: {base: 1s, factor: 1.5, max: 5m, jitter: 1e-1}, on: [exit], success_exit_codes: [-3]}\n"     },
        { "notify",
         "notify: {webhook: {url: 'http://h/', events: [failed]}}\nretention: {result_ttl: 7d}\nclass: batch\npriority: 5\nhold: true\n" },
        { "files",
         "engine: {exec: {argv: [sh, -c, x]}}\nfiles: [a, {file: b, name: c, mode: 755}, {name: d, data: e}]\npolicy: {file: f}\n"       },
        { "laughs",  "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"                                                                       },
        { "deep",    "x: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n"                                                                            },
        { "two",     "a: 1\n---\nb: 2\n"                                                                                                 },
        { "refused", "mounts: [a]\nsecrets: []\ntenant: ''\nlimits: {swap: 0, grace: 1}\n"                                               },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        add(rows[i][1], strlen(rows[i][1]));
        save("yaml", rows[i][0]);
    }
}

/* ---- policy: what is given, some calls, and rows in each of their forms ------------------------------------------------------------------- */

static void policy_seeds(void)
{
    static const struct {
        const char *name, *text;
        unsigned char given;
    } rows[] = {
        {"one",     "allow io_setup # a database\n",                                                               0},
        { "all",    "# mine\n\nallow ioctl if request == FS_IOC_GETFLAGS # lsattr\nrefuse EPERM syslog # dmesg\n", 0},
        { "bits",   "allow vserver if arg0 & 0x8000000100000001 == 0x8000000000000001 and arg1:32 in 0xf0 # x",    0},
        { "words",  "allow mmap if prot in PROT_READ|PROT_WRITE and flags has MAP_PRIVATE|MAP_ANONYMOUS # x",      1},
        { "lacks",  "allow vserver if arg2 lacks ~(0xff|CLONE_VM) with net=loopback, shared-signals # x",          7},
        { "softer", "refuse EAFNOSUPPORT socket if family == AF_INET # goes on without",                           0},
        { "never",  "allow ptrace # x",                                                                            2},
        { "wide",   "allow clone # x",                                                                             4},
        { "slip",   "alow sokcet if famly == AF_UNX # x",                                                          0},
        { "nested", "end getpid if arg0 == ~(~(1|(2))) # x",                                                       0},
    };
    static const unsigned char calls[4 * (4 + 6 * 8)] = { 41, 0, 0, 0, 2 };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        add(&rows[i].given, 1);
        add(calls, sizeof(calls));
        add(rows[i].text, strlen(rows[i].text));
        save("policy", rows[i].name);
    }
}

/* ---- elf: the least shared object that passes -------------------------------------------------------------------------------------------- */

struct least_elf {
    Elf64_Ehdr head;
    Elf64_Phdr load, dynamic;
    Elf64_Dyn entries[5];
    char strings[16];
};

static void elf_seeds(void)
{
    static const struct least_elf least = {
        .head = {.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                 .e_type = ET_DYN,
                 .e_machine = EM_X86_64,
                 .e_version = EV_CURRENT,
                 .e_phoff = offsetof(struct least_elf, load),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = 2 },
        .load = { .p_type = PT_LOAD,                                                                                 .p_flags = PF_R,                                                                                                      .p_filesz = sizeof(struct least_elf),.p_memsz = sizeof(struct least_elf)},
        .dynamic = { .p_type = PT_DYNAMIC,.p_offset = offsetof(struct least_elf,entries),.p_filesz = sizeof(least.entries)},
        .entries = { { DT_STRTAB, { offsetof(struct least_elf, strings) } },
                 { DT_STRSZ, { 16 } },
                 { DT_NEEDED, { 1 } },
                 { DT_FLAGS_1, { 1 } }                                                                                                                                                                                                                            },
        .strings = "\0libc.so.6",
    };

    add(&least, sizeof(least));
    save("elf", "least");
    add(&least, sizeof(least.head));
    save("elf", "head");
}

/* ---- courier: a byte that chooses the end, one packet ------------------------------------------------------------------------------------- */

static void courier_seeds(void)
{
    Pb__Errand errand = PB__ERRAND__INIT;
    Pb__ToCourier to = PB__TO_COURIER__INIT;
    Pb__ErrandDone done = PB__ERRAND_DONE__INIT;
    Pb__FromCourier from = PB__FROM_COURIER__INIT;
    uint8_t packet[256];

    errand.id = 1782000000000000;
    errand.url = (char *)"https://h/x";
    errand.body = (ProtobufCBinaryData){ 2, (uint8_t *)"{}" };
    to.body_case = PB__TO_COURIER__BODY_ERRAND;
    to.errand = &errand;
    add_byte(0);
    add(packet, protobuf_c_message_pack(&to.base, packet));
    save("courier", "errand");
    done.id = 3;
    done.error = (char *)"no \x01 answer";
    from.body_case = PB__FROM_COURIER__BODY_DONE;
    from.done = &done;
    add_byte(1);
    add(packet, protobuf_c_message_pack(&from.base, packet));
    save("courier", "done");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds DIRECTORY\n");
        return 2;
    }
    corpus = argv[1];
    (void)mkdir(corpus, 0777);
    frame_seeds();
    link_seeds();
    control_seeds();
    limits_seeds();
    policy_seeds();
    value_seeds();
    json_seeds();
    yaml_seeds();
    elf_seeds();
    courier_seeds();
    return 0;
}
