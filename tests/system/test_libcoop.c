/* test_libcoop.c - libcoop and a real broker: jobs, interpreters, queues, buffers, keys, aliases, templates; threads; a broker that is
 * killed. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <coop/client.h>
#include <coop/value_json.h>

#include "tests/support/broker_fixture.h"

static struct coop_error why;

#define OK(call)                                                                                                                           \
    do {                                                                                                                                   \
        if ((call) != 0)                                                                                                                   \
            support_fail("%s: %s: %s %s", #call, why.name, why.message, why.traceback);                                                    \
    } while (0)

static void close_client(void *c)
{
    coop_client_close(c);
}

static struct coop_client *client_of(const struct broker *b)
{
    struct coop_client_options o = { .size = sizeof(o), .endpoint = b->url, .no_autostart = true };
    struct coop_client *c;

    OK(coop_client_open(&o, &c, &why));
    support_on_release(close_client, c);
    return c;
}

static struct coop_spec *lua(const char *source)
{
    struct coop_spec *s = coop_spec_new("lua");

    if (source != NULL)
        coop_spec_source(s, "test.lua", source, strlen(source));
    return s;
}

/* An interpreter that has run source. cap: NULL, or one that it has. */
static struct coop_handle interp_with(struct coop_client *c, const char *source, const char *cap)
{
    struct coop_spec *s = lua(NULL);
    struct coop_interp_options o = { .size = sizeof(o), .spec = s };
    struct coop_handle h;

    if (cap != NULL)
        coop_spec_cap(s, cap);

    OK(coop_interp_create(c, &o, COOP_NO_LIMIT, &h, &why));
    coop_spec_free(s);
    if (source != NULL)
        OK(coop_interp_exec(c, h.id, "test.lua", source, strlen(source), COOP_NO_LIMIT, NULL, &why));
    return h;
}

static struct coop_handle interp(struct coop_client *c, const char *source)
{
    return interp_with(c, source, NULL);
}

static coop_val *list_of_int(int64_t i)
{
    coop_val *l = coop_val_list();

    coop_val_add(l, coop_val_int(i));
    return l;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------------------------- */

static void a_job_from_submit_to_receipt(void **state)
{
    struct broker *b = *state;
    struct coop_client *c = client_of(b);
    struct coop_spec *s = lua("io.write(arg[1], ' ', os.getenv('WHO'), '\\n') io.stderr:write(io.read('a')) os.exit(3)");
    struct coop_job_info job;
    struct coop_receipt *r;
    struct coop_log log;
    char id[27], *json;

    coop_spec_name(s, "named");
    coop_spec_arg(s, "hello", SIZE_MAX);
    coop_spec_env(s, "WHO", "nobody");
    coop_spec_env(s, "WHO", "world");
    coop_spec_limits(s, "memory=32M");
    coop_spec_stdin(s, "from stdin", 10);
    OK(coop_job_submit(c, s, COOP_NO_LIMIT, id, &why));
    OK(coop_job_wait(c, id, COOP_NO_LIMIT, &job, &why));
    assert_int_equal(job.state, COOP_JOB_FAILED);
    assert_string_equal(job.name, "named");
    OK(coop_job_receipt(c, id, COOP_NO_LIMIT, &r, &why));
    assert_string_equal(r->cause, "exit");
    assert_int_equal(r->exit_code, 3);
    assert_int_equal(r->limits.memory_bytes, 32 << 20);
    json = support_keep(coop_receipt_json(r));
    expect_text(proc_expect(coop(b, "result", "--json", id), 1)->out, support_text("%s\n", json));
    coop_receipt_free(r);
    OK(coop_job_logs(c, id, NULL, COOP_NO_LIMIT, &log, &why));
    assert_string_equal(log.out, "hello world\n");
    assert_string_equal(log.err, "from stdin");
    coop_log_free(&log);
    coop_spec_free(s);
}

static void the_chain_of_receipts_is_checked(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_spec *s = lua("print(1)");
    struct coop_audit at, head;
    struct coop_job_info job;
    char id[27];

    for (int i = 0; i < 3; i++) {
        OK(coop_job_submit(c, s, COOP_NO_LIMIT, id, &why));
        OK(coop_job_wait(c, id, COOP_NO_LIMIT, &job, &why));
    }
    OK(coop_audit(c, NULL, NULL, true, COOP_NO_LIMIT, &head, &why));
    assert_int_equal(head.head_seq, 3);
    OK(coop_audit(c, NULL, head.head_sha256, false, COOP_NO_LIMIT, &at, &why));
    assert_int_equal(at.found_seq, 3);
    while (!at.ended && at.fault[0] == '\0')
        OK(coop_audit(c, &at, NULL, false, COOP_NO_LIMIT, &at, &why));
    assert_string_equal(at.fault, "");
    assert_int_equal(coop_audit(c, NULL, "short", false, COOP_NO_LIMIT, &at, &why), -EINVAL);
    coop_spec_free(s);
}

static void a_job_is_fed_followed_and_ended(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_spec *s = lua("for line in io.lines() do print(#line) end while true do end");
    struct coop_log_position at = { 0, 0, 0 };
    struct coop_job_info job;
    struct coop_log log;
    uint64_t taken;
    char id[27];

    coop_spec_stdin_stream(s);
    OK(coop_job_submit(c, s, COOP_NO_LIMIT, id, &why));
    OK(coop_job_stdin(c, id, 0, "four\nfiver\n", 11, true, COOP_NO_LIMIT, &taken, &why));
    assert_int_equal(taken, 11);
    do { /* until it has read all */
        OK(coop_job_logs(c, id, &at, COOP_NO_LIMIT, &log, &why));
        at = log.next;
        coop_log_free(&log);
    } while (at.out < 4);
    assert_int_equal(coop_job_receipt(c, id, COOP_NO_LIMIT, &(struct coop_receipt *){ NULL }, &why), -EBUSY);
    assert_int_equal(coop_job_wait(c, id, 1000, &job, &why), -ETIMEDOUT);
    OK(coop_job_kill(c, id, COOP_NO_LIMIT, &job, &why));
    OK(coop_job_wait(c, id, COOP_NO_LIMIT, &job, &why));
    assert_int_equal(job.state, COOP_JOB_CANCELLED);
    assert_string_equal(job.cause, "cancelled");
    coop_spec_free(s);
}

static void jobs_are_listed_and_refusals_have_names(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_spec *good = lua("print(1)"), *bad = coop_spec_new("cobol");
    struct coop_job_list list;
    struct coop_broker_info info;
    struct coop_job_info job;
    char id[27];

    OK(coop_job_submit(c, good, COOP_NO_LIMIT, id, &why));
    OK(coop_job_wait(c, id, COOP_NO_LIMIT, &job, &why));
    OK(coop_job_list(c, 1u << COOP_JOB_SUCCEEDED, 0, NULL, COOP_NO_LIMIT, &list, &why));
    assert_int_equal(list.n, 1);
    assert_string_equal(list.items[0].id, id);
    free(list.items);
    assert_int_equal(coop_job_submit(c, bad, COOP_NO_LIMIT, id, &why), -EINVAL);
    assert_string_equal(why.name, "BadRequest");
    assert_int_equal(why.exit_code, 2);
    assert_int_equal(coop_job_info(c, "01J9ZQ6W3V8XK2T5M7N4P0RBCD", COOP_NO_LIMIT, &job, &why), -ENOENT);
    assert_string_equal(why.name, "NotFound");
    OK(coop_broker_info(c, COOP_NO_LIMIT, &info, &why));
    assert_int_equal(info.pid, ((struct broker *)*state)->proc->pid);
    assert_non_null(strstr(info.engines, "lua"));
    coop_spec_free(good);
    coop_spec_free(bad);
}

/* ---- interpreters -------------------------------------------------------------------------------------------------------------------- */

static void an_interpreter_keeps_its_globals_and_returns_values(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_handle h = interp(c, "n = 0 function add(by) n = n + by return { n = n, list = { 1, 2.5, 'three', false } } end");
    coop_val *by = list_of_int(21), *names = coop_val_map();
    struct coop_call_result r;
    struct coop_interp_info i;
    char *json;

    OK(coop_interp_call(c, h.id, "add", by, COOP_NO_LIMIT, NULL, &why));
    OK(coop_interp_call(c, h.id, "add", by, COOP_NO_LIMIT, &r, &why));
    assert_int_equal(coop_val_to_json(coop_val_get(r.value, "list"), &json), 0);
    assert_string_equal(json, "[1, 2.5, \"three\", false]");
    free(json);
    coop_val_free(r.value);
    coop_val_set(names, "n", coop_val_int(100));
    OK(coop_interp_prepare(c, h.id, names, COOP_NO_LIMIT, &why));
    OK(coop_interp_call(c, h.id, "add", by, COOP_NO_LIMIT, &r, &why));
    assert_int_equal(coop_val_to_json(coop_val_get(r.value, "n"), &json), 0);
    assert_string_equal(json, "121");
    free(json);
    coop_val_free(r.value);
    OK(coop_interp_info(c, h.id, COOP_NO_LIMIT, &i, &why));
    assert_int_equal(i.state, COOP_INTERP_IDLE);
    assert_string_equal(i.whence, "runtime");
    OK(coop_interp_close(c, h.id, COOP_NO_LIMIT, &why));
    OK(coop_interp_wait(c, h.id, COOP_NO_LIMIT, &i, &why));
    assert_int_equal(i.state, COOP_INTERP_ENDED);
    assert_string_equal(i.cause, "ok");
    assert_int_equal(coop_interp_call(c, h.id, "add", by, COOP_NO_LIMIT, NULL, &why), -EPIPE);
    assert_string_equal(why.name, "Closed");
    coop_val_free(by);
    coop_val_free(names);
}

static void errors_come_with_what_happened_inside(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_handle h =
        interp(c, "function f() error('boom') end function spin() while true do end end function hog() return ('x'):rep(1 << 40) end");
    struct coop_interp_info i;

    assert_int_equal(coop_interp_call(c, h.id, "f", NULL, COOP_NO_LIMIT, NULL, &why), -ECHILD);
    assert_string_equal(why.name, "ExecutionFailed");
    assert_string_equal(why.remote_message, "test.lua:1: boom");
    assert_non_null(strstr(why.traceback, "in function 'f'"));
    assert_int_equal(coop_interp_call(c, h.id, "g", NULL, COOP_NO_LIMIT, NULL, &why), -ENOSYS);
    assert_string_equal(why.name, "NoFunction");
    OK(coop_interp_info(c, h.id, COOP_NO_LIMIT, &i, &why)); /* it lives */
    assert_int_equal(i.state, COOP_INTERP_IDLE);
    OK(coop_interp_kill(c, h.id, COOP_NO_LIMIT, &why));
}

/* An op that is cancelled takes its call along, and leaves the interpreter. */
static void a_cancelled_op_interrupts_its_call(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_handle h = interp(c, "function spin() while true do end end function quick() return 1 end");
    struct coop_result r;
    struct coop_op *op;

    OK(coop_interp_call_begin(c, h.id, "spin", NULL, COOP_NO_LIMIT, &op, &why));
    coop_op_cancel(op);
    OK(coop_op_wait(op, COOP_NO_LIMIT));
    assert_int_equal(coop_op_take(op, &r, &why), -ECANCELED);
    assert_string_equal(why.name, "Interrupted");
    coop_op_free(op);
    OK(coop_interp_call(c, h.id, "quick", NULL, COOP_NO_LIMIT, NULL, &why));
}

static void what_belongs_to_a_connection_ends_with_it(void **state)
{
    struct coop_client_options o = { .size = sizeof(o), .endpoint = ((struct broker *)*state)->url, .no_autostart = true };
    struct coop_client *c = client_of(*state), *gone;
    struct coop_interp_info i;
    struct coop_handle h;

    OK(coop_client_open(&o, &gone, &why));
    h = interp(gone, NULL);
    coop_client_close(gone);
    OK(coop_interp_wait(c, h.id, COOP_NO_LIMIT, &i, &why));
    assert_int_equal(i.state, COOP_INTERP_ENDED);
}

/* ---- queues, buffers, keys ------------------------------------------------------------------------------------------------------- */

static void items_go_through_a_queue_in_order(void **state)
{
    enum { N = 10 };
    struct coop_client *c = client_of(*state);
    struct coop_queue_options o = { .size = sizeof(o), .name = "jobs", .max_items = 8 };
    const coop_val *items[N];
    coop_val *made[N];
    struct coop_queue_info info;
    struct coop_handle q;
    struct coop_items got;
    size_t n;
    int64_t v;

    OK(coop_queue_create(c, &o, COOP_NO_LIMIT, &q, &why));
    for (int i = 0; i < N; i++)
        items[i] = made[i] = coop_val_int(i);
    OK(coop_queue_put(c, "jobs", items, N, COOP_UNBOUND_DEFAULT, 0, &n, &why));
    assert_int_equal(n, 8);
    assert_int_equal(coop_queue_put(c, q.id, items, 1, COOP_UNBOUND_DEFAULT, 0, &n, &why), -ENOBUFS);
    assert_string_equal(why.name, "QueueFull");
    OK(coop_queue_get(c, q.id, 5, COOP_NO_LIMIT, &got, &why));
    assert_int_equal(got.n, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(coop_val_as_int(got.items[i].value, &v), 0);
        assert_int_equal(v, i);
    }
    coop_items_free(&got);
    OK(coop_queue_info(c, q.id, COOP_NO_LIMIT, &info, &why));
    assert_int_equal(info.items, 3);
    OK(coop_queue_close(c, q.id, true, COOP_NO_LIMIT, &why));
    assert_int_equal(coop_queue_get(c, q.id, 1, 0, &got, &why), -EPIPE);
    assert_string_equal(why.name, "Closed");
    OK(coop_queue_remove(c, "jobs", COOP_NO_LIMIT, &why));
    for (int i = 0; i < N; i++)
        coop_val_free(made[i]);
}

static void a_get_waits_and_can_be_taken_back(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_queue_options o = { .size = sizeof(o) };
    const coop_val *item;
    coop_val *made = coop_val_text("late", SIZE_MAX);
    struct coop_handle q;
    struct coop_items got;
    struct coop_result r;
    struct coop_op *op;

    item = made;
    OK(coop_queue_create(c, &o, COOP_NO_LIMIT, &q, &why));
    assert_int_equal(coop_queue_get(c, q.id, 1, 0, &got, &why), -EAGAIN);
    assert_string_equal(why.name, "QueueEmpty");
    OK(coop_queue_get_begin(c, q.id, 1, COOP_NO_LIMIT, &op, &why));
    coop_op_free(op); /* and what comes is not lost to it */
    OK(coop_queue_get_begin(c, q.id, 1, COOP_NO_LIMIT, &op, &why));
    assert_int_equal(coop_op_take(op, &r, &why), -EINPROGRESS);
    OK(coop_queue_put(c, q.id, &item, 1, COOP_UNBOUND_DEFAULT, COOP_NO_LIMIT, NULL, &why));
    OK(coop_op_wait(op, COOP_NO_LIMIT));
    OK(coop_op_take(op, &r, &why));
    assert_int_equal(r.type, COOP_RESULT_ITEMS);
    assert_string_equal(coop_val_as_text(r.items.items[0].value, NULL), "late");
    coop_result_free(&r);
    coop_op_free(op);
    coop_val_free(made);
}

/* 4 MiB: written here, sealed, read by the interpreter, and nobody has copied it. */
static void a_buffer_is_handed_to_an_interpreter(void **state)
{
    enum { LEN = 4 << 20 };
    struct coop_client *c = client_of(*state);
    struct coop_handle h = interp(c, "function last(buffer) return { buffer:len(), buffer:read(buffer:len() - 2) } end");
    coop_val *args = coop_val_list();
    struct coop_call_result r;
    struct coop_buffer b, again;
    char *json;

    OK(coop_buffer_new(c, LEN, COOP_NO_LIMIT, &b, &why));
    memset(b.at, '.', LEN);
    memcpy((char *)b.at + LEN - 3, "end", 3);
    OK(coop_buffer_seal(c, &b, COOP_NO_LIMIT, &why));
    OK(coop_buffer_map(c, &b.handle, COOP_NO_LIMIT, &again, &why));
    assert_false(again.writable);
    assert_memory_equal((char *)again.at + LEN - 4, ".end", 4);
    coop_buffer_unmap(&again);
    coop_val_add(args, coop_val_handle(&b.handle));
    OK(coop_interp_call(c, h.id, "last", args, COOP_NO_LIMIT, &r, &why));
    assert_int_equal(coop_val_to_json(r.value, &json), 0);
    assert_string_equal(json, "[4194304, \"end\"]");
    free(json);
    coop_val_free(r.value);
    coop_val_free(args);
}

/* What is too large to travel inline takes a buffer by itself, there and back. */
static void a_large_value_travels_by_itself(void **state)
{
    enum { LEN = 1 << 20 };
    struct coop_client *c = client_of(*state);
    struct coop_handle h = interp_with(c, "function twice(text) return text .. text end", "buffers=8M");
    coop_val *args = coop_val_list();
    uint8_t *noise = support_noise(LEN, 1);
    struct coop_handle_list held;
    struct coop_call_result r;
    size_t len;

    coop_val_add(args, coop_val_bytes(noise, LEN));
    OK(coop_interp_call(c, h.id, "twice", args, COOP_NO_LIMIT, &r, &why));
    assert_memory_equal((const char *)coop_val_as_bytes(r.value, &len) + LEN, noise, LEN);
    assert_int_equal(len, 2 * LEN);
    coop_val_free(r.value);
    coop_val_free(args);
    OK(coop_buffer_list(c, COOP_NO_LIMIT, &held, &why));
    assert_int_equal(held.n, 0); /* both were given back */
    coop_handle_list_free(&held);
}

static void keys_are_kept_under_a_prefix(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_handle kv;
    struct coop_bytes v;
    struct coop_keys k;

    OK(coop_kv_open(c, "app/", 0, COOP_NO_LIMIT, &kv, &why));
    OK(coop_kv_put(c, &kv, "a", "one", 3, true, COOP_NO_LIMIT, &why));
    assert_int_equal(coop_kv_put(c, &kv, "a", "two", 3, true, COOP_NO_LIMIT, &why), -EEXIST);
    OK(coop_kv_put(c, &kv, "b", "\0\xff", 2, false, COOP_NO_LIMIT, &why));
    OK(coop_kv_get(c, &kv, "b", COOP_NO_LIMIT, &v, &why));
    assert_int_equal(v.len, 2);
    assert_memory_equal(v.at, "\0\xff", 2);
    free(v.at);
    OK(coop_kv_list(c, &kv, NULL, NULL, 0, COOP_NO_LIMIT, &k, &why));
    assert_int_equal(k.n, 2);
    assert_string_equal(k.keys[0], "a");
    coop_keys_free(&k);
    OK(coop_kv_remove(c, &kv, "a", COOP_NO_LIMIT, &why));
    assert_int_equal(coop_kv_get(c, &kv, "a", COOP_NO_LIMIT, &v, &why), -ENOENT);
}

/* ---- capabilities, aliases, templates -------------------------------------------------------------------------------------------- */

static void a_revoked_handle_is_dead_in_the_interpreter(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_handle h = interp(c, "function keep(queue) q = queue end function put(n) q:put(n) end"), q, weak;
    struct coop_queue_options o = { .size = sizeof(o) };
    coop_val *args = coop_val_list(), *one = list_of_int(1);

    OK(coop_queue_create(c, &o, COOP_NO_LIMIT, &q, &why));
    OK(coop_handle_attenuate(c, &q, COOP_RIGHT_SEND | COOP_RIGHT_GRANT, NULL, COOP_NO_LIMIT, &weak, &why));
    assert_int_equal(weak.rights, COOP_RIGHT_SEND | COOP_RIGHT_GRANT);
    coop_val_add(args, coop_val_handle(&weak));
    OK(coop_interp_call(c, h.id, "keep", args, COOP_NO_LIMIT, NULL, &why));
    OK(coop_interp_call(c, h.id, "put", one, COOP_NO_LIMIT, NULL, &why));
    OK(coop_handle_revoke(c, &weak, COOP_NO_LIMIT, &why));
    assert_int_equal(coop_interp_call(c, h.id, "put", one, COOP_NO_LIMIT, NULL, &why), -ECHILD);
    assert_string_equal(why.remote_type, "Revoked");
    coop_val_free(args);
    coop_val_free(one);
}

static int serve_double(void *user, const char *name, const coop_val *args, coop_val **ret, char *error)
{
    int64_t n;

    ++*(int *)user;
    assert_string_equal(name, "double");
    if (coop_val_as_int(coop_val_at(args, 0), &n) == 0)
        *ret = coop_val_int(2 * n);
    else
        (void)snprintf(error, 256, "no number");
    return 0;
}

struct serving {
    struct coop_client *c;
    const char *interp;
    int served, rc;
    struct coop_error why;
};

static void *serve(void *arg)
{
    struct serving *s = arg;

    s->rc = coop_alias_serve(s->c, s->interp, serve_double, &s->served, COOP_NO_LIMIT, &s->why);
    return NULL;
}

/* One thread serves what another's call needs, on one client. */
static void an_alias_is_served_until_its_interpreter_ends(void **state)
{
    static const char *const names[] = { "double" };
    struct coop_client *c = client_of(*state);
    struct coop_spec *s = lua(NULL);
    struct coop_interp_options o = { .size = sizeof(o), .spec = s, .aliases = names, .n_aliases = 1 };
    const char *source = "local coop = require 'coop' function f(n) return coop.alias('double', n) end";
    struct serving serving = { .c = c };
    struct coop_alias_list log;
    struct coop_call_result r;
    coop_val *args = list_of_int(21);
    struct coop_handle h;
    pthread_t thread;
    int64_t n;

    OK(coop_interp_create(c, &o, COOP_NO_LIMIT, &h, &why));
    OK(coop_interp_exec(c, h.id, "test.lua", source, strlen(source), COOP_NO_LIMIT, NULL, &why));
    serving.interp = h.id;
    assert_int_equal(pthread_create(&thread, NULL, serve, &serving), 0);
    OK(coop_interp_call(c, h.id, "f", args, COOP_NO_LIMIT, &r, &why));
    assert_int_equal(coop_val_as_int(r.value, &n), 0);
    assert_int_equal(n, 42);
    coop_val_free(r.value);
    OK(coop_interp_close(c, h.id, COOP_NO_LIMIT, &why));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(serving.rc, 0);
    assert_int_equal(serving.served, 1);
    OK(coop_kv_put(c, NULL, "after", "", 0, false, COOP_NO_LIMIT, &why)); /* on disk, and so is what was to be written before it */
    OK(coop_alias_log(c, 0, 0, COOP_NO_LIMIT, &log, &why));
    assert_int_equal(log.n, 1);
    assert_string_equal(log.items[0].name, "double");
    assert_string_equal(log.items[0].caller, h.id);
    assert_string_equal(log.items[0].error, "");
    free(log.items);
    coop_val_free(args);
    coop_spec_free(s);
}

struct closing {
    struct coop_client *c;
    const char *interp;
};

static int serve_end(void *user, const char *name, const coop_val *args, coop_val **ret, char *error)
{
    const struct closing *end = user;
    struct coop_interp_info i;

    (void)name;
    (void)args;
    (void)ret;
    (void)error;
    OK(coop_interp_kill(end->c, end->interp, COOP_NO_LIMIT, &why));
    return coop_interp_wait(end->c, end->interp, COOP_NO_LIMIT, &i, &why);
}

static void *call_f(void *arg)
{
    const struct closing *end = arg;
    struct coop_error w;

    (void)coop_interp_call(end->c, end->interp, "f", NULL, COOP_NO_LIMIT, NULL, &w);
    return NULL;
}

/* It ends while one of its calls is being served: who then asks for the next is told the end, not that there is no such interpreter. */
static void an_alias_is_served_also_when_the_end_comes_between(void **state)
{
    static const char *const names[] = { "end" };
    struct coop_client *c = client_of(*state);
    struct coop_spec *s = lua(NULL);
    struct coop_interp_options o = { .size = sizeof(o), .spec = s, .aliases = names, .n_aliases = 1 };
    const char *source = "local coop = require 'coop' function f() coop.alias('end') end";
    struct coop_handle h;
    struct closing end = { .c = c };
    pthread_t thread;

    OK(coop_interp_create(c, &o, COOP_NO_LIMIT, &h, &why));
    OK(coop_interp_exec(c, h.id, "test.lua", source, strlen(source), COOP_NO_LIMIT, NULL, &why));
    end.interp = h.id;
    assert_int_equal(pthread_create(&thread, NULL, call_f, &end), 0);
    assert_int_equal(coop_alias_serve(c, h.id, serve_end, &end, COOP_NO_LIMIT, &why), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    coop_spec_free(s);
}

static void a_template_is_built_used_and_removed(void **state)
{
    struct coop_client *c = client_of(*state);
    struct coop_spec *job = coop_spec_new(NULL), *init = lua("answer = 42 function ask() answer = answer + 1 return answer end");
    struct coop_interp_options o = { .size = sizeof(o), .template_name = "warm" };
    struct coop_template_list list;
    struct coop_template_info t;
    struct coop_log log;
    char id[27];
    struct coop_call_result r;
    struct coop_handle h;
    int64_t n;

    OK(coop_template_build(c, "warm", init, COOP_NO_LIMIT, &t, &why));
    assert_int_equal(t.version, 1);
    OK(coop_interp_create(c, &o, COOP_NO_LIMIT, &h, &why));
    for (int turn = 0; turn < 2; turn++) { /* each time from the template's state */
        OK(coop_interp_call(c, h.id, "ask", NULL, COOP_NO_LIMIT, &r, &why));
        assert_int_equal(coop_val_as_int(r.value, &n), 0);
        assert_int_equal(n, 43);
        coop_val_free(r.value);
        OK(coop_interp_reset(c, h.id, COOP_NO_LIMIT, &why));
    }
    coop_spec_template(job, "warm@1");
    coop_spec_source(job, "job.lua", "print(ask())", 12);
    OK(coop_job_submit(c, job, COOP_NO_LIMIT, id, &why));
    OK(coop_job_wait(c, id, COOP_NO_LIMIT, &(struct coop_job_info){ .id = "" }, &why));
    OK(coop_job_logs(c, id, NULL, COOP_NO_LIMIT, &log, &why));
    assert_string_equal(log.out, "43\n");
    coop_log_free(&log);
    OK(coop_template_list(c, COOP_NO_LIMIT, &list, &why));
    assert_int_equal(list.n, 1);
    free(list.items);
    OK(coop_template_remove(c, "warm", COOP_NO_LIMIT, &why));
    assert_int_equal(coop_interp_create(c, &o, COOP_NO_LIMIT, &h, &why), -ENOENT);
    coop_spec_free(init);
    coop_spec_free(job);
}

/* ---- threads, a killed broker ---------------------------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 100, AHEAD = 4 };

struct worker {
    struct coop_client *c;
    pthread_t thread;
    int64_t sum;
    int rc;
    void *(*fn)(void *);
    char id[27];
    struct coop_error why;
};

static int add_result(struct worker *w, const coop_val *v)
{
    int64_t n;

    if (coop_val_as_int(v, &n) != 0)
        return -EINVAL;
    w->sum += n;
    return 0;
}

/* An interpreter of one's own, and its calls: one blocking, some ahead. */
static void *calls_of_its_own(void *arg)
{
    struct worker *w = arg;
    struct coop_op *ops[AHEAD] = { NULL };
    struct coop_call_result r;
    struct coop_result taken;

    for (int k = 0; w->rc == 0 && k < ROUNDS; k++) {
        coop_val *args = list_of_int(k);

        for (int i = 0; w->rc == 0 && i < AHEAD; i++)
            w->rc = coop_interp_call_begin(w->c, w->id, "same", args, COOP_NO_LIMIT, &ops[i], &w->why);
        if (w->rc == 0)
            w->rc = coop_interp_call(w->c, w->id, "same", args, COOP_NO_LIMIT, &r, &w->why);
        if (w->rc == 0)
            w->rc = add_result(w, r.value), coop_val_free(r.value);
        for (int i = 0; i < AHEAD; i++) {
            if (w->rc == 0)
                w->rc = coop_op_wait(ops[i], COOP_NO_LIMIT);
            if (w->rc == 0)
                w->rc = coop_op_take(ops[i], &taken, &w->why);
            if (w->rc == 0)
                w->rc = add_result(w, taken.call.value), coop_result_free(&taken);
            coop_op_free(ops[i]);
            ops[i] = NULL;
        }
        coop_val_free(args);
    }
    return NULL;
}

static void eight_threads_call_on_one_client(void **state)
{
    struct coop_client *c = client_of(*state);
    struct worker w[THREADS];

    for (int i = 0; i < THREADS; i++) {
        struct coop_handle h = interp(c, "function same(n) return n end");

        w[i] = (struct worker){ .c = c };
        memcpy(w[i].id, h.id, sizeof(w[i].id));
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&w[i].thread, NULL, calls_of_its_own, &w[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
        if (w[i].rc != 0)
            support_fail("thread %d: %d %s", i, w[i].rc, w[i].why.message);
        assert_int_equal(w[i].sum, (AHEAD + 1) * ROUNDS * (ROUNDS - 1) / 2);
    }
}

static void *spins(void *arg)
{
    struct worker *w = arg;

    w->rc = coop_interp_call(w->c, w->id, "spin", NULL, COOP_NO_LIMIT, NULL, &w->why);
    return NULL;
}

static void *monitors(void *arg)
{
    struct worker *w = arg;
    struct coop_interp_info i;

    w->rc = coop_interp_wait(w->c, w->id, COOP_NO_LIMIT, &i, &w->why);
    return NULL;
}

static void *gets(void *arg)
{
    struct worker *w = arg;
    struct coop_items got;

    w->rc = coop_queue_get(w->c, "never", 1, COOP_NO_LIMIT, &got, &w->why);
    return NULL;
}

static void *waits(void *arg)
{
    struct worker *w = arg;
    struct coop_job_info job;

    w->rc = coop_job_wait(w->c, w->id, COOP_NO_LIMIT, &job, &w->why);
    return NULL;
}

/* Everything that can be waited for is waited for, in threads and by ops: a broker that is killed ends it all. */
static void a_killed_broker_leaves_nobody_waiting(void **state)
{
    static void *(*const what[])(void *) = { spins, monitors, gets, waits, spins, monitors, gets, waits };
    struct broker *b = *state;
    struct coop_client *c = client_of(b);
    struct coop_queue_options o = { .size = sizeof(o), .name = "never" };
    struct coop_handle h = interp(c, "function spin() print 'spinning' while true do end end"), q;
    struct coop_log_position at = { 0, 0, 0 };
    struct coop_spec *s = lua("while true do end");
    struct worker w[THREADS];
    struct coop_log log;
    struct coop_result r;
    struct coop_op *op;
    char job[27];

    OK(coop_queue_create(c, &o, COOP_NO_LIMIT, &q, &why));
    OK(coop_job_submit(c, s, COOP_NO_LIMIT, job, &why));
    OK(coop_queue_get_begin(c, "never", 1, COOP_NO_LIMIT, &op, &why));
    for (int i = 0; i < THREADS; i++) {
        w[i] = (struct worker){ .c = c, .rc = 1 };
        memcpy(w[i].id, what[i] == waits ? job : h.id, sizeof(w[i].id));
        assert_int_equal(pthread_create(&w[i].thread, NULL, what[i], &w[i]), 0);
    }
    OK(coop_job_logs(c, h.id, &at, COOP_NO_LIMIT, &log, &why)); /* a call runs */
    coop_log_free(&log);
    broker_kill(b);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
        assert_true(w[i].rc == -ECONNRESET || w[i].rc == -ECONNREFUSED);
        assert_string_equal(w[i].why.name, "Temporary");
    }
    OK(coop_op_wait(op, COOP_NO_LIMIT));
    assert_int_equal(coop_op_take(op, &r, &why), -ECONNRESET);
    coop_op_free(op);
    coop_spec_free(s);
    broker_up(b);
    OK(coop_broker_info(c, COOP_NO_LIMIT, &(struct coop_broker_info){ .pid = 0 }, &why)); /* the same client, dialled again */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_from_submit_to_receipt),
        TEST(the_chain_of_receipts_is_checked),
        TEST(a_job_is_fed_followed_and_ended),
        TEST(jobs_are_listed_and_refusals_have_names),
        TEST(an_interpreter_keeps_its_globals_and_returns_values),
        TEST(errors_come_with_what_happened_inside),
        TEST(a_cancelled_op_interrupts_its_call),
        TEST(what_belongs_to_a_connection_ends_with_it),
        TEST(items_go_through_a_queue_in_order),
        TEST(a_get_waits_and_can_be_taken_back),
        TEST(a_buffer_is_handed_to_an_interpreter),
        TEST(a_large_value_travels_by_itself),
        TEST(keys_are_kept_under_a_prefix),
        TEST(a_revoked_handle_is_dead_in_the_interpreter),
        TEST(an_alias_is_served_until_its_interpreter_ends),
        TEST(an_alias_is_served_also_when_the_end_comes_between),
        TEST(a_template_is_built_used_and_removed),
        TEST(eight_threads_call_on_one_client),
        TEST(a_killed_broker_leaves_nobody_waiting),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
