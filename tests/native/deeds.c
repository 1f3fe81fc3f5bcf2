/*
 * deeds.c - an interpreter for tests, and a job that makes interpreters of it: its functions do what their names say, well and badly.
 * What has to become of each stands in tests/system/test_interp_native.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <coop/interp.h>
#include <coop/native.h>

static int64_t count;

/* ---- state, arguments, results -------------------------------------------------------------------------------------------------- */

static int add(coop_request *r)
{
    int64_t n;

    if (coop_arg_int(r, 0, &n) != 0)
        return -EINVAL;
    count += n;
    return coop_return_int(r, count);
}

static int get(coop_request *r)
{
    return coop_return_int(r, count);
}

static int echo(coop_request *r)
{
    return coop_return(r, coop_val_copy(coop_args(r)));
}

static int prepared(coop_request *r)
{
    const char *name;
    const coop_val *v;

    if (coop_arg_text(r, 0, &name, NULL) != 0)
        return -EINVAL;
    v = coop_prepared(name);
    return coop_return(r, v != NULL ? coop_val_copy(v) : coop_val_text("no such name", SIZE_MAX));
}

static int says(coop_request *r)
{
    (void)r;
    printf("without a newline");
    fprintf(stderr, "an error\n");
    return 0;
}

static int no_value(coop_request *r)
{
    coop_val *list = coop_val_list();

    coop_val_add(list, coop_val_null());
    coop_val_add(list, coop_val_text("\xff", SIZE_MAX));
    return coop_return(r, list);
}

/* A text of so many bytes. */
static int large(coop_request *r)
{
    int64_t n;
    char *text;

    if (coop_arg_int(r, 0, &n) != 0)
        return -EINVAL;
    text = malloc((size_t)n);
    if (text == NULL)
        return -ENOMEM;
    memset(text, 'x', (size_t)n);
    coop_return(r, coop_val_text(text, (size_t)n));
    free(text);
    return 0;
}

static int length(coop_request *r)
{
    const char *text;
    size_t len;

    if (coop_arg_text(r, 0, &text, &len) != 0)
        return -EINVAL;
    return coop_return_int(r, (int64_t)len);
}

/* ---- errors and ends ------------------------------------------------------------------------------------------------------------ */

static int fails(coop_request *r)
{
    return coop_fail(r, "ValueError", "%d is too many", 7);
}

static int returns(coop_request *r)
{
    int64_t n = 0;

    (void)coop_arg_int(r, 0, &n);
    return (int)n;
}

static int deadlocks(coop_request *r)
{
    coop_chan *c;
    intptr_t word;
    int rc = coop_chan_new(0, &c);

    (void)r;
    if (rc == 0)
        rc = coop_chan_recv(c, &word, COOP_NEVER);
    return rc;
}

static int segv(coop_request *r)
{
    *(volatile int *)8 = r != NULL;
    return 0;
}

static int aborts(coop_request *r)
{
    (void)r;
    abort();
}

static int exits(coop_request *r)
{
    (void)r;
    exit(5);
}

static int leaves(coop_request *r)
{
    (void)r;
    _exit(0);
}

static int opens_socket(coop_request *r)
{
    return coop_return_int(r, socket(AF_INET, SOCK_STREAM, 0));
}

static int recurses(coop_request *r)
{
    volatile char room[4096];

    room[0] = 1;
    return recurses(r) + room[0];
}

/* Until malloc() says no; what it took is given back. */
static int eats(coop_request *r)
{
    void *first = NULL;
    int64_t n = 0;

    for (void **p; (p = malloc(1 << 20)) != NULL; n++) {
        *p = first;
        first = p;
    }
    while (first != NULL) {
        void *next = *(void **)first;

        free(first);
        first = next;
    }
    return coop_return_bool(r, n > 4);
}

static int floods(coop_request *r)
{
    (void)r;
    while (puts("and so on, and so on") >= 0)
        ;
    return 0;
}

/* ---- interrupts ----------------------------------------------------------------------------------------------------------------- */

static int loops(coop_request *r)
{
    while (r != NULL)
        __asm__ volatile("" ::: "memory");
    return 0;
}

static int looks(coop_request *r)
{
    (void)r;
    while (coop_cancelled() == 0)
        count++;
    return -ECANCELED;
}

static int sleeps(coop_request *r)
{
    (void)r;
    return coop_sleep_until(COOP_NEVER - 1);
}

static int does_not_care(coop_request *r)
{
    (void)coop_sleep_until(COOP_NEVER - 1);
    return coop_return_text(r, "all the same");
}

static int behind(void *arg)
{
    int64_t us = (intptr_t)arg;

    if (us == 0)
        return coop_sleep_until(COOP_NEVER - 1);
    count = coop_sleep_until(coop_after(us)) == 0 ? 1000 : -1;
    return 0;
}

/* leaves_tasklet(microseconds): sets count to 1000 after that, while others are called or nobody is. 0: it sleeps for ever. */
static int leaves_tasklet(coop_request *r)
{
    int64_t us;

    if (coop_arg_int(r, 0, &us) != 0)
        return -EINVAL;
    return coop_spawn(NULL, behind, (void *)(intptr_t)us, NULL);
}

static int spoil(void *unused)
{
    (void)unused;
    return coop_cancel(coop_main());
}

/* What it leaves behind would keep the next call from anything that blocks. */
static int spoils(coop_request *r)
{
    (void)r;
    coop_spawn(NULL, spoil, NULL, NULL);
    coop_block_trap(true);
    coop_shield(true);
    return 0;
}

static int yields(coop_request *r)
{
    int rc = coop_sleep_until(coop_after(1000));

    return rc != 0 ? rc : coop_return_text(r, "slept");
}

/* ---- handles and others --------------------------------------------------------------------------------------------------------- */

/* puts(queue, from, to) */
static int puts_into(coop_request *r)
{
    const struct coop_handle *q;
    int64_t from, to;
    int rc = 0;

    if (coop_arg_handle(r, 0, COOP_KIND_QUEUE, &q) != 0 || coop_arg_int(r, 1, &from) != 0 || coop_arg_int(r, 2, &to) != 0)
        return -EINVAL;
    for (int64_t i = from; i < to && rc == 0; i++) {
        coop_val *v = coop_val_int(i);

        rc = coop_queue_put_one(q, v, COOP_NEVER);
        coop_val_free(v);
    }
    return rc;
}

/* sums(buffer): of its bytes */
static int sums(coop_request *r)
{
    const struct coop_handle *h;
    struct coop_buffer b;
    int64_t sum = 0;
    int rc;

    if (coop_arg_handle(r, 0, COOP_KIND_BUFFER, &h) != 0)
        return -EINVAL;
    rc = coop_buffer_map(h, &b);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < b.len; i++)
        sum += ((const unsigned char *)b.at)[i];
    coop_buffer_unmap(&b);
    coop_handle_drop(h);
    return coop_return_int(r, sum);
}

/* asks_parent(name, ...): an alias, with what comes behind the name */
static int asks_parent(coop_request *r)
{
    coop_val *args = coop_val_list(), *value;
    const char *name;
    int rc;

    if (coop_arg_text(r, 0, &name, NULL) != 0)
        return -EINVAL;
    for (size_t i = 1; i < coop_n_args(r); i++)
        coop_val_add(args, coop_val_copy(coop_arg(r, i)));
    rc = coop_alias_call(name, args, COOP_NEVER, &value);
    coop_val_free(args);
    return rc != 0 ? rc : coop_return(r, value);
}

/* writes(buffer): has it mapped for reading only */
static int writes(coop_request *r)
{
    const struct coop_handle *h;
    struct coop_buffer b;

    if (coop_arg_handle(r, 0, COOP_KIND_BUFFER, &h) != 0)
        return -EINVAL;
    if (coop_buffer_map(h, &b) == 0)
        *(volatile char *)b.at = 1;
    return 0;
}

/* granted(name): puts one item into the queue it was granted */
static int uses_grant(coop_request *r)
{
    struct coop_handle h;
    const char *name;
    coop_val *item;
    int rc;

    if (coop_arg_text(r, 0, &name, NULL) != 0)
        return -EINVAL;
    rc = coop_handle_granted(name, &h);
    if (rc != 0)
        return rc;
    item = coop_val_text("by grant", SIZE_MAX);
    rc = coop_queue_put_one(&h, item, 0);
    coop_val_free(item);
    return rc;
}

/* calls(interp, function): calls back */
static int calls(coop_request *r)
{
    const struct coop_handle *h;
    const char *function;
    coop_val *value;
    int rc;

    if (coop_arg_handle(r, 0, COOP_KIND_INTERP, &h) != 0 || coop_arg_text(r, 1, &function, NULL) != 0)
        return -EINVAL;
    rc = coop_interp_call(h, function, NULL, COOP_NEVER, &value);
    return rc != 0 ? rc : coop_return(r, value);
}

/* clang-format off */
const struct coop_function coop_functions[] = {
    { "add", add }, { "get", get }, { "echo", echo }, { "prepared", prepared }, { "says", says }, { "no_value", no_value }, { "large", large },
    { "length", length }, { "fails", fails }, { "returns", returns }, { "deadlocks", deadlocks }, { "segv", segv }, { "aborts", aborts },
    { "exits", exits }, { "leaves", leaves }, { "opens_socket", opens_socket }, { "recurses", recurses }, { "eats", eats },
    { "floods", floods }, { "loops", loops }, { "looks", looks }, { "sleeps", sleeps }, { "does_not_care", does_not_care },
    { "leaves_tasklet", leaves_tasklet }, { "spoils", spoils }, { "yields", yields }, { "puts_into", puts_into }, { "sums", sums },
    { "asks_parent", asks_parent }, { "writes", writes }, { "uses_grant", uses_grant }, { "calls", calls }, { NULL, NULL },
};
/* clang-format on */

static int cleanup_fails;

int coop_start(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "refuse") == 0)
        return -ENOTSUP;
    cleanup_fails = argc > 1 && strcmp(argv[1], "stop_crashes") == 0;
    count = argc > 1 ? atoi(argv[1]) : 0;
    return 0;
}

void coop_stop(void)
{
    printf("stopped at %" PRId64 "\n", count);
    if (cleanup_fails)
        abort();
}

/* ---- the job: a parent ---------------------------------------------------------------------------------------------------------- */

static struct coop_handle child;

#define CHECK(x)                                                                                                                           \
    do {                                                                                                                                   \
        int rc_ = (x);                                                                                                                     \
        if (rc_ != 0) {                                                                                                                    \
            printf("line %d: %d %s: %s\n", __LINE__, rc_, coop_last_error()->name, coop_last_error()->message);                            \
            return 1;                                                                                                                      \
        }                                                                                                                                  \
    } while (0)

static int make(const struct coop_interp_spec *spec)
{
    return coop_interp_create(spec, COOP_NEVER, &child);
}

static int make_one(void)
{
    return make(&(struct coop_interp_spec){ .engine = "native" });
}

/* Of a call that should fail: how. */
static void tell(const char *what, int rc)
{
    const struct coop_why *w = coop_last_error();

    printf("%s: %d %s [%s] [%s] [%s]\n", what, rc, w->name, w->remote_type, w->cause, w->receipt[0] != '\0' ? "receipt" : "");
}

static int call_n(const char *function, int64_t n, int64_t *ret)
{
    coop_val *args = coop_val_list(), *value;
    int rc;

    coop_val_add(args, coop_val_int(n));
    rc = coop_interp_call(&child, function, args, COOP_NEVER, &value);
    coop_val_free(args);
    if (rc != 0)
        return rc;
    rc = coop_val_as_int(value, ret);
    coop_val_free(value);
    return rc;
}

static int of_itself(void)
{
    struct coop_interp_info info;
    struct coop_interp_list list;
    int64_t n;

    CHECK(make_one());
    CHECK(call_n("add", 20, &n));
    CHECK(call_n("add", 22, &n));
    printf("%" PRId64 "\n", n);
    CHECK(coop_interp_info(&child, &info));
    printf("%s %s %u calls, state %d\n", info.engine, info.whence, (unsigned)info.calls, info.state);
    CHECK(coop_interp_info(NULL, &info));
    printf("itself: %s %s, state %d\n", info.engine, info.whence, info.state);
    CHECK(coop_interp_list(&list));
    printf("%zu below, %s\n", list.n, strcmp(list.items[0].handle.id, child.id) == 0 ? "the same" : "another");
    free(list.items);
    CHECK(coop_interp_close(&child));
    CHECK(coop_interp_wait(&child, COOP_NEVER, &info));
    printf("%s\n", info.cause);
    tell("get", coop_interp_call(&child, "get", NULL, COOP_NEVER, NULL));
    return 0;
}

static int of_lua(void)
{
    coop_val *names = coop_val_map(), *value;
    int64_t n;

    CHECK(make(&(struct coop_interp_spec){ .engine = "lua", .limits = "memory=32M" }));
    CHECK(coop_interp_exec(&child, "lib.lua", "function twice(x) return 2 * (x or base) end", SIZE_MAX, COOP_NEVER));
    CHECK(call_n("twice", 21, &n));
    printf("%" PRId64 "\n", n);
    coop_val_set(names, "base", coop_val_int(5));
    CHECK(coop_interp_prepare(&child, names, COOP_NEVER));
    coop_val_free(names);
    CHECK(coop_interp_call(&child, "twice", NULL, COOP_NEVER, &value));
    CHECK(coop_val_as_int(value, &n));
    coop_val_free(value);
    printf("%" PRId64 "\n", n);
    tell("exec", coop_interp_exec(&child, "bad.lua", "error('no')", SIZE_MAX, COOP_NEVER));
    printf("%s\n", strstr(coop_last_error()->message, "bad.lua:1") != NULL ? "names the line" : coop_last_error()->message);
    tell("exec", coop_interp_exec(&child, NULL, "while true do end", SIZE_MAX, coop_after(50000)));
    CHECK(call_n("twice", 1, &n));
    return 0;
}

static int crashes(void)
{
    static const char *const how[] = { "segv", "aborts", "exits", "leaves", "opens_socket", "recurses" };

    for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
        CHECK(make_one());
        tell(how[i], coop_interp_call(&child, how[i], NULL, COOP_NEVER, NULL));
        tell("then", coop_interp_call(&child, "get", NULL, COOP_NEVER, NULL));
    }
    return 0;
}

enum { TASKLETS = 1000 };

static struct coop_handle crowd[4];

static int call_once(void *arg)
{
    int64_t i = (intptr_t)arg, n = 0;
    coop_val *args = coop_val_list(), *value;
    int rc;

    coop_val_add(args, coop_val_int(i));
    rc = coop_interp_call(&crowd[i % 4], "add", args, COOP_NEVER, &value);
    coop_val_free(args);
    if (rc != 0)
        return rc;
    rc = coop_val_as_int(value, &n);
    coop_val_free(value);
    return rc;
}

static int many_wait(void)
{
    static coop_task *tasks[TASKLETS];
    static int results[TASKLETS];
    int64_t sum = 0, failed = 0;

    for (int i = 0; i < 4; i++)
        CHECK(coop_interp_create(&(struct coop_interp_spec){ .engine = "native" }, COOP_NEVER, &crowd[i]));
    for (intptr_t i = 0; i < TASKLETS; i++)
        CHECK(coop_spawn(&tasks[i], call_once, (void *)i, &(struct coop_attr){ .stack_size = 16 << 10 }));
    CHECK(coop_gather(tasks, TASKLETS, results, COOP_NEVER));
    for (int i = 0; i < TASKLETS; i++)
        failed += results[i] != 0;
    for (int i = 0; i < 4; i++) {
        int64_t n;

        child = crowd[i];
        CHECK(call_n("add", 0, &n));
        sum += n;
    }
    printf("%" PRId64 " failed, sum %" PRId64 "\n", failed, sum);
    return 0;
}

static int queues(void)
{
    struct coop_handle q, both;
    coop_val *args = coop_val_list();
    struct coop_items items;
    struct coop_queue_info info;
    coop_call *call;
    int64_t sum = 0, n;
    size_t got = 0;

    CHECK(make_one());
    CHECK(coop_queue_create(&(struct coop_queue_options){ .max_items = 8 }, &both));
    CHECK(coop_handle_attenuate(&both, COOP_RIGHT_SEND, NULL, &q));
    coop_val_add(args, coop_val_handle(&both));
    coop_val_add(args, coop_val_int(0));
    coop_val_add(args, coop_val_int(100));
    CHECK(coop_call_begin(&child, "puts_into", args, COOP_NEVER, &call)); /* it waits for room in between */
    while (got < 100) {
        CHECK(coop_queue_get(&both, 10, COOP_NEVER, &items));
        for (size_t i = 0; i < items.n; i++) {
            CHECK(coop_val_as_int(items.items[i].value, &n));
            sum += n == (int64_t)(got + i) ? n : 1000000; /* in order */
        }
        got += items.n;
        coop_items_free(&items);
    }
    CHECK(coop_call_wait(call, COOP_NEVER, NULL));
    coop_call_free(call);
    coop_val_free(args);
    printf("%zu items, sum %" PRId64 "\n", got, sum);
    tell("get by send", coop_queue_get(&q, 1, 0, &items));
    tell("get of none", coop_queue_get(&both, 1, 0, &items));
    CHECK(coop_queue_info(&both, &info));
    printf("put %u got %u\n", (unsigned)info.put_total, (unsigned)info.got_total);
    CHECK(coop_handle_revoke(&both));
    tell("put revoked", coop_queue_put_one(&q, NULL, 0));
    CHECK(coop_queue_close(&both, false));
    tell("put closed", coop_queue_put_one(&both, NULL, 0));
    return 0;
}

static int buffers(void)
{
    coop_val *args = coop_val_list(), *value;
    struct coop_buffer b;
    int64_t n;

    CHECK(make_one());
    CHECK(coop_buffer_new(1 << 20, &b));
    memset(b.at, 1, b.len);
    CHECK(coop_buffer_seal(&b));
    coop_val_add(args, coop_val_handle(&b.handle));
    CHECK(coop_interp_call(&child, "sums", args, COOP_NEVER, &value));
    CHECK(coop_val_as_int(value, &n));
    coop_val_free(value);
    printf("%" PRId64 "\n", n);
    tell("writes", coop_interp_call(&child, "writes", args, COOP_NEVER, NULL));
    coop_val_free(args);
    tell("not a buffer", coop_buffer_map(&child, &b));
    return 0;
}

/* Texts of 2 MiB there and back: by buffers that nobody sees. */
static int large_values(void)
{
    coop_val *args = coop_val_list(), *value;
    size_t len;
    int64_t n;

    CHECK(make(&(struct coop_interp_spec){
        .engine = "native", .caps = (const char *const[]){"buffers", NULL}
    }));
    coop_val_add(args, coop_val_int(2 << 20));
    CHECK(coop_interp_call(&child, "large", args, COOP_NEVER, &value));
    coop_val_free(args);
    if (coop_val_as_text(value, &len) == NULL)
        return 1;
    args = coop_val_list();
    coop_val_add(args, value);
    CHECK(coop_interp_call(&child, "length", args, COOP_NEVER, &value));
    coop_val_free(args);
    CHECK(coop_val_as_int(value, &n));
    coop_val_free(value);
    printf("%zu %" PRId64 "\n", len, n);
    return 0;
}

static int upper(coop_request *r)
{
    const char *text;
    char copy[32] = "";

    if (coop_arg_text(r, 0, &text, NULL) != 0)
        return -EINVAL;
    for (size_t i = 0; text[i] != '\0' && i + 1 < sizeof(copy); i++)
        copy[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
    return coop_return_text(r, copy);
}

static const struct coop_function offered[] = {
    {"upper", upper},
    { NULL,   NULL },
};

static int serve(void *unused)
{
    (void)unused;
    return coop_alias_serve(&child, offered);
}

static int ask(const char *name, const char *arg)
{
    coop_val *args = coop_val_list(), *value;
    int rc;

    coop_val_add(args, coop_val_text(name, SIZE_MAX));
    if (arg != NULL)
        coop_val_add(args, coop_val_text(arg, SIZE_MAX));
    rc = coop_interp_call(&child, "asks_parent", args, COOP_NEVER, &value);
    coop_val_free(args);
    if (rc == 0) {
        printf("%s\n", coop_val_as_text(value, NULL));
        coop_val_free(value);
    }
    return rc;
}

static int aliases(void)
{
    coop_task *t;
    int rc;

    CHECK(make(&(struct coop_interp_spec){
        .engine = "native", .aliases = (const char *const[]){"upper", NULL}
    }));
    CHECK(coop_spawn(&t, serve, NULL, NULL));
    CHECK(ask("upper", "loud"));
    rc = ask("upper", NULL);
    tell("upper of nothing", rc);
    rc = ask("lower", "x");
    tell("lower", rc);
    CHECK(coop_interp_close(&child));
    CHECK(coop_join(t, &rc, COOP_NEVER));
    printf("served: %d\n", rc);
    return 0;
}

static int grants(void)
{
    coop_val *args = coop_val_list(), *value;
    struct coop_grant grant = { .name = "out" };
    struct coop_handle_list held;

    CHECK(coop_queue_create(NULL, &grant.handle));
    grant.handle.rights = COOP_RIGHT_SEND;
    CHECK(make(&(struct coop_interp_spec){ .engine = "native", .grants = &grant, .n_grants = 1 }));
    coop_val_add(args, coop_val_text("out", SIZE_MAX));
    CHECK(coop_interp_call(&child, "uses_grant", args, COOP_NEVER, NULL));
    coop_val_free(args);
    CHECK(coop_queue_get_one(&grant.handle, 0, &value));
    printf("%s\n", coop_val_as_text(value, NULL));
    coop_val_free(value);
    args = coop_val_list();
    coop_val_add(args, coop_val_text("in", SIZE_MAX));
    tell("another", coop_interp_call(&child, "uses_grant", args, COOP_NEVER, NULL));
    coop_val_free(args);
    CHECK(coop_handle_list(&held));
    printf("%zu held\n", held.n);
    coop_handle_list_free(&held);
    tell("forged", coop_interp_close(&(struct coop_handle){ .kind = COOP_KIND_INTERP, .number = 4000, .rights = 127 }));
    tell("of another kind", coop_interp_close(&grant.handle));
    return 0;
}

/* A calls B, which calls A back. */
static int cycles(void)
{
    coop_val *args = coop_val_list();
    struct coop_handle a;

    CHECK(make_one());
    a = child;
    CHECK(make_one());
    coop_val_add(args, coop_val_handle(&a));
    coop_val_add(args, coop_val_text("get", SIZE_MAX));
    CHECK(coop_interp_call(&child, "calls", args, COOP_NEVER, NULL)); /* no cycle yet */
    coop_val_free(args);
    args = coop_val_list();
    coop_val_add(args, coop_val_handle(&child));
    coop_val_add(args, coop_val_text("get", SIZE_MAX));
    tell("calls itself", coop_interp_call(&child, "calls", args, COOP_NEVER, NULL));
    printf("%s\n", coop_last_error()->message);
    coop_val_free(args);
    return 0;
}

/* The child is killed by another tasklet while main waits in a call of it. */
static int kill_it(void *unused)
{
    (void)unused;
    return coop_interp_kill(&child);
}

static int is_killed(void)
{
    CHECK(make_one());
    CHECK(coop_spawn(NULL, kill_it, NULL, NULL));
    tell("sleeps", coop_interp_call(&child, "sleeps", NULL, COOP_NEVER, NULL));
    return 0;
}

static int times_out(void)
{
    int64_t n;

    CHECK(make_one());
    tell("sleeps", coop_interp_call(&child, "sleeps", NULL, coop_after(20000), NULL));
    CHECK(call_n("add", 3, &n));
    printf("%" PRId64 "\n", n);
    return 0;
}

static int not_allowed(void)
{
    struct coop_handle h;
    struct coop_buffer b;

    tell("create", make_one());
    tell("queue", coop_queue_create(NULL, &h));
    tell("buffer", coop_buffer_new(100, &b));
    tell("kv", coop_kv_open("x/", 0, &h));
    tell("granted", coop_handle_granted("x", &h));
    tell("alias", coop_alias_call("x", NULL, COOP_NEVER, NULL));
    return 0;
}

static int keys(void)
{
    struct coop_bytes bytes;
    struct coop_handle kv;
    struct coop_keys list;

    CHECK(coop_kv_open("deeds/", 0, &kv));
    CHECK(coop_kv_put(&kv, "one", "1", 1, true));
    tell("again", coop_kv_put(&kv, "one", "2", 1, true));
    CHECK(coop_kv_put(&kv, "two", "22", 2, false));
    CHECK(coop_kv_get(&kv, "two", &bytes));
    printf("%s\n", (const char *)bytes.at);
    free(bytes.at);
    CHECK(coop_kv_list(&kv, NULL, NULL, 0, &list));
    for (size_t i = 0; i < list.n; i++)
        printf("%s\n", list.keys[i]);
    coop_keys_free(&list);
    CHECK(coop_kv_remove(&kv, "one"));
    tell("gone", coop_kv_get(&kv, "one", &bytes));
    return 0;
}

/* Futures: one waits, one is let go, and the interpreter takes the next call. */
static int futures(void)
{
    coop_call *first, *second;
    coop_val *value;
    int64_t n;

    CHECK(make_one());
    CHECK(coop_call_begin(&child, "sleeps", NULL, COOP_NEVER, &first));
    CHECK(coop_call_begin(&child, "get", NULL, COOP_NEVER, &second));
    tell("not yet", coop_call_wait(second, coop_after(20000), &value));
    printf("%d\n", coop_call_is_done(second));
    coop_call_free(first); /* the call ends by that */
    CHECK(coop_call_wait(second, COOP_NEVER, &value));
    CHECK(coop_val_as_int(value, &n));
    printf("%d %" PRId64 "\n", coop_call_is_done(second), n);
    coop_val_free(value);
    coop_call_free(second);
    return 0;
}

/* A link: the child's bad end is the job's. */
static int linked(void)
{
    CHECK(make_one());
    CHECK(coop_interp_link(&child, true));
    (void)coop_interp_call(&child, "segv", NULL, COOP_NEVER, NULL);
    (void)coop_sleep_until(COOP_NEVER - 1);
    return 0;
}

static const struct {
    const char *name;
    int (*fn)(void);
} jobs[] = {
    {"of_itself",     of_itself   },
    { "of_lua",       of_lua      },
    { "crashes",      crashes     },
    { "many_wait",    many_wait   },
    { "queues",       queues      },
    { "buffers",      buffers     },
    { "large_values", large_values},
    { "aliases",      aliases     },
    { "grants",       grants      },
    { "cycles",       cycles      },
    { "is_killed",    is_killed   },
    { "times_out",    times_out   },
    { "not_allowed",  not_allowed },
    { "keys",         keys        },
    { "futures",      futures     },
    { "linked",       linked      },
};

int coop_job(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(jobs) / sizeof(jobs[0]); i++)
        if (strcmp(argv[1], jobs[i].name) == 0)
            return jobs[i].fn();
    return 99;
}
