/* test_webhooks.c - what a job's addresses are told, by a real broker and a real courier: what arrives, what is signed, and what comes again. */
#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <coop/exit_codes.h>
#include <mbedtls/md.h>

#include "tests/support/broker_fixture.h"
#include "tests/support/support.h"

enum { REQUEST = 256 << 10 };

struct request {
    int fd;
    char *text, *body; /* body: in text */
    json_t *json;
};

static int ear = -1;
static unsigned port;

static int with_net(void **state)
{
    struct broker *b = broker_new();
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);

    ear = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(ear, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(ear, 64) != 0 || getsockname(ear, (struct sockaddr *)&at, &len) != 0)
        return -1;
    port = ntohs(at.sin_port);
    b->args[0] = "--webhook-pause";
    b->args[1] = "10ms";
    b->args[2] = "--log-level";
    b->args[3] = "debug";
    b->args[4] = "--webhook-net";
    b->args[5] = "127.0.0.0/8";
    *state = b;
    return 0;
}

static int started(void **state)
{
    if (with_net(state) != 0)
        return -1;
    broker_up(*state);
    return 0;
}

static int without_net(void **state)
{
    struct broker *b;

    if (with_net(state) != 0)
        return -1;
    b = *state;
    b->args[4] = NULL;
    broker_up(b);
    return 0;
}

static int teardown(void **state)
{
    close(ear);
    return broker_teardown(state);
}

static const char *address(void)
{
    return support_text("http://127.0.0.1:%u/hook", port);
}

/* ---- a receiver ---------------------------------------------------------------------------------------------------------------------- */

static void wait_for(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (poll(&p, 1, SUPPORT_WAIT_MS) != 1)
        support_fail("no request came");
}

static bool is_whole(struct request *r, size_t len)
{
    const char *length;

    r->text[len] = '\0';
    r->body = strstr(r->text, "\r\n\r\n");
    if (r->body == NULL)
        return false;
    r->body += 4;
    length = strcasestr(r->text, "\r\nContent-Length: ");
    assert_non_null(length);
    return strlen(r->body) >= strtoul(length + 18, NULL, 10);
}

/* The next request, read to its end; not answered yet. */
static struct request take(void)
{
    struct request r = { .text = support_keep(malloc(REQUEST + 1)) };
    size_t len = 0;

    wait_for(ear);
    r.fd = accept4(ear, NULL, NULL, SOCK_CLOEXEC);
    assert_true(r.fd >= 0);
    do {
        ssize_t n;

        wait_for(r.fd);
        n = recv(r.fd, r.text + len, REQUEST - len, 0);
        assert_true(n > 0);
        len += (size_t)n;
    } while (!is_whole(&r, len));
    r.json = json_loads(r.body, 0, NULL);
    assert_non_null(r.json);
    return r;
}

static void answer(struct request *r, unsigned status)
{
    char text[96];

    snprintf(text, sizeof(text), "HTTP/1.1 %u x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
    assert_int_equal(send(r->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    close(r->fd);
}

static const char *header(const struct request *r, const char *name)
{
    const char *at = strcasestr(r->text, support_text("\r\n%s: ", name));

    if (at == NULL || at > r->body)
        return NULL;
    at += strlen(name) + 4;
    return support_text("%.*s", (int)strcspn(at, "\r"), at);
}

/* As docs/hosting.md tells a receiver to do it. */
static void expect_signed(const struct request *r, const char *key)
{
    const char *signature = header(r, "Coop-Signature"), *mac = strstr(signature, ",v1=");
    const char *text = support_text("%.*s.%s", (int)strcspn(signature + 2, ","), signature + 2, r->body);
    unsigned char bytes[32];
    char hex[65];

    assert_memory_equal(signature, "t=", 2);
    assert_int_equal(mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)key, strlen(key),
                                     (const unsigned char *)text, strlen(text), bytes),
                     0);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(mac + 4, hex);
}

static const char *text_of(const struct request *r, const char *name)
{
    const char *text = json_string_value(json_object_get(r->json, name));

    return text != NULL ? text : "";
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

static void an_end_is_told_with_its_receipt_and_signed_by_the_key_that_kv_has(void **state)
{
    static const char *const keys[] = { "s3cret", "`backtick", "abc", "fs3cret" }; /* some would be CBOR */
    struct broker *b = *state;
    const char *path = script(b, "noop.lua", "return 0\n");

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct request r;
        const char *id;

        assert_int_equal(coop(b, "kv", "put", "hooks/web", keys[i])->code, 0);
        id = submit(b, "--name", "told", "--webhook", support_text("%s,key=hooks/web", address()), path);
        r = take();
        expect_signed(&r, keys[i]);
        assert_string_equal(header(&r, "Content-Type"), "application/json");
        assert_string_equal(header(&r, "Coop-Delivery"),
                            support_text("%lld", (long long)json_integer_value(json_object_get(r.json, "delivery"))));
        assert_string_equal(text_of(&r, "job"), id);
        assert_string_equal(text_of(&r, "name"), "told");
        assert_string_equal(text_of(&r, "state"), "succeeded");
        assert_string_equal(json_string_value(json_object_get(json_object_get(r.json, "receipt"), "job")), id);
        answer(&r, 204);
        json_decref(r.json);
    }
}

static void what_fails_is_tried_again_with_the_same_number(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--webhook", address(), script(b, "noop.lua", "return 0\n"));
    struct request first = take(), second;
    const char *delivery = header(&first, "Coop-Delivery");

    assert_null(header(&first, "Coop-Signature"));
    answer(&first, 500);
    second = take();
    assert_string_equal(header(&second, "Coop-Delivery"), delivery);
    assert_string_equal(text_of(&second, "job"), id);
    assert_int_equal(json_integer_value(json_object_get(second.json, "try")), 2);
    answer(&second, 200);
    broker_says(b, "event=webhook ", "status=200");
    json_decref(first.json);
    json_decref(second.json);
}

/* What show says of the first address. */
static json_t *shown(struct broker *b, const char *id)
{
    return json_at(json_of(&proc_expect(coop(b, "show", "--json", id), 0)->out), "webhooks.0");
}

static void an_address_in_no_allowed_net_is_refused_and_the_log_and_show_say_so(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--webhook", support_text("http://localhost:%u/hook", port), script(b, "noop.lua", "return 0\n"));
    json_t *hook;

    broker_says(b, "webhook_given_up", "--webhook-net"); /* a name is looked at when it was resolved */
    hook = shown(b, id);
    assert_int_equal(json_num(hook, "told"), 0);
    assert_int_equal(json_num(hook, "open"), 0);
    assert_int_equal(json_num(hook, "given_up"), 1);
    assert_int_equal(json_num(hook, "tries"), 6);
    assert_non_null(strstr(json_str(hook, "error"), "--webhook-net"));
    expect_has(proc_expect(coop(b, "show", id), 0)->out, "0 told in 6 tries, 1 given up; the last error: its address is of this machine");
}

static void a_host_that_is_an_address_in_no_allowed_net_is_said_at_submit(void **state)
{
    static const char *const hosts[] = { "127.0.0.1",       "127.1", "0x7f000001",         "10.1.2.3:80",
                                         "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]:1" };
    struct broker *b = *state;
    const char *path = script(b, "noop.lua", "return 0\n");

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct proc *p = coop(b, "submit", "--webhook", support_text("http://%s/hook", hosts[i]), path);

        expect_has(proc_expect(p, COOP_EXIT_PERMISSION)->err, "--webhook-net");
    }
    (void)submit(b, "--hold", "--webhook", "http://1.1.1.1/", path);
    (void)submit(b, "--hold", "--webhook", "http://[2606:4700::1111]:80/", path);
}

static void a_key_that_is_not_there_is_refused_at_submit(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "noop.lua", "return 0\n"), *hook = support_text("%s,key=hooks/none", address());

    expect_has(proc_expect(coop(b, "submit", "--webhook", hook, path), COOP_EXIT_NOT_FOUND)->err, "hooks/none");
    (void)proc_expect(coop(b, "submit", "--dry-run", "--webhook", hook, path), COOP_EXIT_NOT_FOUND);
    (void)proc_expect(coop(b, "submit", "--array", "1-3", "--webhook", hook, path), COOP_EXIT_NOT_FOUND);
    (void)proc_expect(coop(b, "kv", "put", "hooks/none", ""), 0);
    (void)proc_expect(coop(b, "submit", "--webhook", hook, path), COOP_EXIT_NOT_FOUND);
    (void)proc_expect(coop(b, "kv", "put", "hooks/none", "k"), 0);
    (void)submit(b, "--hold", "--webhook", hook, path);
}

static void show_tells_what_became_of_each_address(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--array", "1-2%1", "--webhook", address(), script(b, "noop.lua", "return 0\n"));
    struct request r;
    json_t *hook;

    for (int i = 0; i < 3; i++) {
        r = take();
        answer(&r, i == 0 ? 503 : 200);
        json_decref(r.json);
    }
    broker_says_times(b, "event=webhook ", "status=200", 2);
    (void)coop(b, "wait", id);
    hook = shown(b, id);
    assert_string_equal(json_str(hook, "url"), address());
    assert_string_equal(json_str(hook, "error"), "it answered with status 503");
    assert_int_equal(json_num(hook, "given_up"), 0);
    assert_int_equal(json_num(hook, "told"), 2);
    assert_int_equal(json_num(hook, "tries"), 3);
    assert_int_equal(json_num(hook, "open"), 0);
}

static pid_t courier_of(struct broker *b)
{
    const char *at = NULL;

    broker_says(b, "courier_ready", "");
    for (const char *p = broker_log(b); (p = strstr(p, "courier_ready")) != NULL; p++)
        at = p;
    return (pid_t)atoi(strstr(at, "pid=") + 4);
}

static void a_courier_that_is_killed_costs_no_notice(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--webhook", address(), script(b, "noop.lua", "return 0\n"));
    struct request r = take();

    support_kill(courier_of(b), SIGKILL);
    close(r.fd);
    json_decref(r.json);
    r = take();
    assert_string_equal(text_of(&r, "job"), id);
    answer(&r, 200);
    json_decref(r.json);
}

static void the_next_broker_tells_what_this_one_did_not(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--webhook", address(), script(b, "noop.lua", "return 0\n"));
    struct request r = take(); /* its receipt is stored */

    broker_kill(b);
    close(r.fd);
    json_decref(r.json);
    broker_up(b);
    r = take();
    assert_string_equal(text_of(&r, "job"), id);
    assert_string_equal(text_of(&r, "state"), "succeeded");
    answer(&r, 200);
    json_decref(r.json);
}

static void tasks_of_an_array_are_told_also_after_a_restart(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--hold", "--array", "1-3", "--webhook", address(), script(b, "noop.lua", "return 0\n"));
    unsigned seen = 0;

    broker_kill(b);
    broker_up(b);
    assert_int_equal(coop(b, "release", id)->code, 0);
    for (int i = 0; i < 3; i++) {
        struct request r = take();

        assert_string_equal(text_of(&r, "array_id"), id);
        seen |= 1u << json_integer_value(json_object_get(r.json, "array_index"));
        answer(&r, 200);
        json_decref(r.json);
    }
    assert_int_equal(seen, 1u << 1 | 1u << 2 | 1u << 3);
}

static void the_end_of_a_task_is_told_by_the_next_broker_when_its_array_is_over(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--array", "7-7", "--webhook", address(), script(b, "noop.lua", "return 0\n"));

    for (int i = 0; i < 2; i++) {
        struct request r = take();

        assert_string_equal(text_of(&r, "array_id"), id);
        assert_int_equal(json_integer_value(json_object_get(r.json, "array_index")), 7);
        json_decref(r.json);
        if (i == 0) {
            broker_kill(b);
            close(r.fd);
            broker_up(b);
        } else {
            answer(&r, 200);
        }
    }
}

/* 1,024 names of 200 bytes: the receipt is far over what a packet takes. */
static void a_receipt_that_is_too_long_is_cut_and_the_courier_lives(void **state)
{
    struct broker *b = *state;
    const char *make = "i=0; while [ $i -lt 1000 ]; do : > $(printf '%0200d' $i); i=$((i+1)); done";
    struct request r;

    (void)submit(b, "--webhook", address(), "--output", "0*", "--", "/bin/sh", "-c", make);
    r = take();
    assert_true(strlen(r.body) <= 64 << 10);
    assert_non_null(strstr(text_of(&r, "left_out"), "outputs"));
    assert_non_null(json_object_get(r.json, "receipt"));
    answer(&r, 200);
    json_decref(r.json);
    broker_says(b, "event=webhook ", "status=200");
    assert_int_equal(broker_said(b, "courier_gone", ""), 0);
}

/* As another program checks it. */
static void the_receiver_of_the_examples_believes_the_right_key_only(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "noop.lua", "return 0\n"), *hook;
    struct proc *receiver;

    if (access("/usr/bin/python3", X_OK) != 0)
        skip();
    receiver = proc_start(&(struct proc_how){ .in = PROC_IN_NULL },
                          (const char *const[]){ "/usr/bin/python3", "examples/jobs/webhook_receiver.py", "0", "s3cret", NULL });
    proc_until(receiver, &receiver->out, "\n");
    assert_int_equal(sscanf(receiver->out.bytes, "port %u", &port), 1);
    hook = support_text("%s,key=hooks/web", address());
    assert_int_equal(coop(b, "kv", "put", "hooks/web", "s3cret")->code, 0);
    (void)submit(b, "--webhook", hook, path);
    proc_until(receiver, &receiver->out, "succeeded");
    assert_int_equal(coop(b, "kv", "put", "hooks/web", "another")->code, 0);
    (void)submit(b, "--webhook", hook, path);
    proc_until(receiver, &receiver->out, "refused");
    broker_says(b, "event=webhook ", "status=403");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_end_is_told_with_its_receipt_and_signed_by_the_key_that_kv_has, started, teardown),
        cmocka_unit_test_setup_teardown(what_fails_is_tried_again_with_the_same_number, started, teardown),
        cmocka_unit_test_setup_teardown(an_address_in_no_allowed_net_is_refused_and_the_log_and_show_say_so, without_net, teardown),
        cmocka_unit_test_setup_teardown(a_host_that_is_an_address_in_no_allowed_net_is_said_at_submit, without_net, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_not_there_is_refused_at_submit, started, teardown),
        cmocka_unit_test_setup_teardown(show_tells_what_became_of_each_address, started, teardown),
        cmocka_unit_test_setup_teardown(a_courier_that_is_killed_costs_no_notice, started, teardown),
        cmocka_unit_test_setup_teardown(the_next_broker_tells_what_this_one_did_not, started, teardown),
        cmocka_unit_test_setup_teardown(tasks_of_an_array_are_told_also_after_a_restart, started, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_a_task_is_told_by_the_next_broker_when_its_array_is_over, started, teardown),
        cmocka_unit_test_setup_teardown(a_receipt_that_is_too_long_is_cut_and_the_courier_lives, started, teardown),
        cmocka_unit_test_setup_teardown(the_receiver_of_the_examples_believes_the_right_key_only, started, teardown),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
