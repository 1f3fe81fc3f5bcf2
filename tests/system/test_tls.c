/*
 * test_tls.c - requests over TLS: who is known by a token and who by a certificate, and what strangers at the port may do to the others.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.pb-c.h"
#include "coop/client.h"
#include "coop/exit_codes.h"
#include "coop/version.h"
#include "tests/support/broker_fixture.h"

enum { STRANGERS = 64 }; /* as many as one address may have (tls_serve.c) */

struct remote {
    struct broker *b;
    const char *cert, *url, *token_file;
    int port;
};

static struct remote at;

/* ---- a broker that listens ------------------------------------------------------------------------------------------------------------ */

static void make_pair(const struct broker *b, const char *name, const char *host)
{
    struct proc *p = proc_start(
        &(struct proc_how){ .in = PROC_IN_NULL },
        (const char *const[]){ support_program("coop"), "cert", support_text("%s/%s", b->dir, name), "--host", host, "-q", NULL });

    (void)proc_expect(p, 0);
}

/* A token in a file of its own. */
static const char *token_file(const struct broker *b, const char *name, const char *token)
{
    const char *path = support_put(b->dir, name, token, strlen(token));

    if (chmod(path, 0600) != 0)
        support_fail("chmod: %s", strerror(errno));
    return path;
}

static char *new_token(const struct broker *b, const char *scopes)
{
    return heard_line(&proc_expect(coop(b, "token", "create", scopes, "tenant=acme", "-q"), 0)->out);
}

static int port_of(const struct broker *b)
{
    const char *line = strstr(broker_log(b), "event=tls_listens port=");

    return line != NULL ? atoi(line + strlen("event=tls_listens port=")) : 0;
}

static int setup(void **state)
{
    struct broker *b = broker_new();

    *state = at.b = b;
    make_pair(b, "tls", "127.0.0.1");
    at.cert = support_text("%s/tls/cert.pem", b->dir);
    b->args[0] = "--listen";
    b->args[1] = "tls+tcp://127.0.0.1:0";
    b->args[2] = "--tls-cert";
    b->args[3] = at.cert;
    b->args[4] = "--tls-key";
    b->args[5] = support_text("%s/tls/key.pem", b->dir);
    broker_up(b);
    at.port = port_of(b);
    assert_true(at.port > 0);
    at.url = support_text("tls+tcp://127.0.0.1:%d", at.port);
    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    at.token_file = token_file(b, "token", new_token(b, "submit,read,cancel"));
    return 0;
}

/* coop over TLS; argument lists end with NULL. */
static struct proc *remote_(const char *url, const char *ca, const char *token, const char *const *args)
{
    const char *env[] = { support_text("COOP_CA=%s", ca), support_text("COOP_TOKEN_FILE=%s", token), support_text("COOP_ENDPOINT=%s", url),
                          NULL };
    struct proc_how how = { .in = PROC_IN_NULL, .env = env };

    return coop_run_(at.b, &how, args);
}

#define remote(...) remote_(at.url, at.cert, at.token_file, (const char *const[]){ __VA_ARGS__, NULL })

static void expect_well(void)
{
    struct proc *p = proc_expect(remote("run", script(at.b, "well.lua", "print('well')")), 0);

    expect_text(p->out, "well\n");
}

/* ---- friends ---------------------------------------------------------------------------------------------------------------------------- */

static void a_job_is_handed_in_followed_and_its_receipt_read_from_afar(void **state)
{
    struct proc *p;
    char *id;

    (void)state;
    expect_well();
    p = proc_expect(remote("submit", script(at.b, "a.lua", "os.exit(3)")), 0);
    id = heard_line(&p->out);
    (void)proc_expect(remote("wait", id), COOP_EXIT_JOB_FAILED);
    p = remote("result", "--json", id);
    expect_has(p->out, "\"tenant\": \"acme\"");
    expect_has(p->out, "token:");
}

static void no_byte_is_lost_either_way(void **state)
{
    enum { BYTES = 4 << 20 };
    const char *env[] = { support_text("COOP_CA=%s", at.cert), support_text("COOP_TOKEN_FILE=%s", at.token_file),
                          support_text("COOP_ENDPOINT=%s", at.url), NULL };
    const char *file = script(at.b, "cat.lua", "while true do local s = io.read(65536) if not s then break end io.write(s) end");
    char *bytes = support_keep(malloc(BYTES));
    struct proc_how how = { .in = PROC_IN_BYTES, .bytes = bytes, .len = BYTES, .env = env };
    struct proc *p;

    (void)state;
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    p = proc_expect(coop_start_as(at.b, &how, "run", "--limit", "stdout=16M", file), 0);
    (void)proc_end(p);
    expect_bytes(p->out, bytes, BYTES);
}

static void a_broker_that_begins_anew_is_found_again(void **state)
{
    (void)state;
    expect_well();
    broker_kill(at.b);
    at.b->args[1] = support_text("tls+tcp://127.0.0.1:%d", at.port);
    broker_up(at.b);
    expect_well();
}

static void what_needs_a_descriptor_is_refused_by_name(void **state)
{
    const char *file = script(at.b, "data", "some bytes");
    struct proc *p =
        proc_expect(remote("call", "--cap", support_text("file=data=%s", file), "--run", script(at.b, "f.lua", "function f() end"), "f"),
                    COOP_EXIT_PERMISSION);

    (void)state;
    expect_has(p->err, "descriptor");
}

/* ---- who is not known --------------------------------------------------------------------------------------------------------------------- */

static void a_certificate_that_is_not_the_broker_s_is_refused(void **state)
{
    const char *const args[] = { "ls", NULL };
    struct proc *p;

    (void)state;
    make_pair(at.b, "other", "127.0.0.1");
    p = remote_(at.url, support_text("%s/other/cert.pem", at.b->dir), at.token_file, args);
    (void)proc_expect(p, COOP_EXIT_PERMISSION);
    expect_has(p->err, "certificate");
    expect_has(p->err, "--ca FILE");
    p = remote_(at.url, "/etc/ssl/certs/ca-certificates.crt", at.token_file, args);
    assert_true(p->code == COOP_EXIT_PERMISSION || p->code == COOP_EXIT_CONFIG); /* a machine may have no such file */
    p = remote_(support_text("tls+tcp://localhost:%d", at.port), at.cert, at.token_file, args);
    (void)proc_expect(p, COOP_EXIT_PERMISSION);
    expect_has(p->err, "another host (it has 127.0.0.1)");
    expect_has(p->err, "coop cert DIR --host NAME");
    expect_lacks(p->err, "--ca FILE");
    p = remote_(at.url, "/nowhere", at.token_file, args);
    (void)proc_expect(p, COOP_EXIT_CONFIG);
    p = remote_(at.url, at.token_file, at.token_file, args);
    (void)proc_expect(p, COOP_EXIT_CONFIG);
    expect_lacks(p->err, "asks"); /* and nothing of the token */
}

static void a_token_that_is_wrong_expired_revoked_or_missing_is_refused(void **state)
{
    const char *const args[] = { "ls", NULL };
    char *token = new_token(at.b, "read"), id[17];
    const char *file;
    struct proc *p;

    (void)state;
    memcpy(id, token, 16);
    id[16] = '\0';
    file = token_file(at.b, "t1", token);
    (void)proc_expect(remote_(at.url, at.cert, file, args), 0);
    (void)proc_expect(coop(at.b, "token", "revoke", id), 0);
    (void)proc_expect(remote_(at.url, at.cert, file, args), COOP_EXIT_PERMISSION);
    token = new_token(at.b, "read");
    memcpy(id, token, 16);
    file = token_file(at.b, "t2", token);
    (void)proc_expect(coop(at.b, "token", "rotate", id, "0s"), 0); /* expired now */
    (void)proc_expect(remote_(at.url, at.cert, file, args), COOP_EXIT_PERMISSION);
    token[20] = token[20] == '0' ? '1' : '0';
    (void)proc_expect(remote_(at.url, at.cert, token_file(at.b, "t3", token), args), COOP_EXIT_PERMISSION);
    p = remote_(at.url, at.cert, token_file(at.b, "t4", "\n"), args);
    (void)proc_expect(p, COOP_EXIT_CONFIG);
    file = token_file(at.b, "t5", token);
    assert_int_equal(chmod(file, 0644), 0);
    p = remote_(at.url, at.cert, file, args);
    (void)proc_expect(p, COOP_EXIT_PERMISSION);
    expect_has(p->err, "chmod 600");
    expect_lacks(p->err, token + 17);
    p = coop(at.b, "ls", "--endpoint", at.url, "--ca", at.cert);
    (void)proc_expect(p, COOP_EXIT_PERMISSION);
    expect_has(p->err, "token");
    expect_well();
}

/* ---- strangers ------------------------------------------------------------------------------------------------------------------------------ */

/* From an address of its own, so that what it may not have is not what a good client has. */
static int stranger(void)
{
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002) };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)at.port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        support_fail("a stranger cannot connect: %s", strerror(errno));
    return fd;
}

static void expect_hung_up(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char sink[4096];

    for (;;) {
        if (poll(&p, 1, SUPPORT_WAIT_MS) <= 0)
            support_fail("a stranger is kept");
        if (recv(fd, sink, sizeof(sink), 0) <= 0)
            break;
    }
    close(fd);
}

static void garbage_is_hung_up_on_and_nobody_else_notices(void **state)
{
    static const uint8_t plain[] = { 0, 'S', 'P', 0, 0, 48, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0x80, 0, 0, 0 };
    static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static const uint8_t huge[] = { 22, 3, 3, 0xff, 0xff, 1, 0xff, 0xff, 0xff };
    unsigned char noise[4096];
    unsigned seed = 1;

    (void)state;
    for (int i = 0; i < 100; i++) {
        int fd = stranger();

        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (unsigned char)(rand_r(&seed) >> 7);
        noise[0] = i % 2 == 0 ? 22 : noise[0]; /* a handshake's record */
        noise[1] = 3;
        if (i % 4 == 0)
            (void)send(fd, plain, sizeof(plain), MSG_NOSIGNAL);
        else if (i % 4 == 1)
            (void)send(fd, http, sizeof(http) - 1, MSG_NOSIGNAL);
        else if (i % 4 == 2)
            (void)send(fd, huge, sizeof(huge), MSG_NOSIGNAL);
        else
            (void)send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
        if (i % 4 == 2)
            close(fd); /* in the middle of a record */
        else
            expect_hung_up(fd);
    }
    expect_well();
    assert_int_equal(broker_said(at.b, "event=tls_front_died", ""), 0);
}

static void those_who_say_nothing_take_the_places_of_their_address_alone(void **state)
{
    int fds[STRANGERS], late;

    (void)state;
    for (int i = 0; i < STRANGERS; i++) {
        fds[i] = stranger();
        (void)send(fds[i], "\x16", 1, MSG_NOSIGNAL); /* a byte of a handshake, and no more */
    }
    late = stranger();
    expect_hung_up(late);
    expect_well();
    for (int i = 0; i < STRANGERS; i++)
        expect_hung_up(fds[i]); /* when its time is over */
    expect_well();
}

/* Over connections that are open at once, each with a bad token, and none that waits for its answer. */
static void failed_logins_by_the_hundred_leave_a_good_client_its_place(void **state)
{
    char bad[] = "0123456789abcdef.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
    struct coop_client_options o = { .size = sizeof(o), .endpoint = at.url, .no_autostart = true, .ca_file = at.cert };
    Pb__GetVersion m = PB__GET_VERSION__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    uint8_t bytes[64];
    size_t len;

    (void)state;
    o.token_file = token_file(at.b, "bad", bad);
    q.protocol = COOP_PROTOCOL;
    q.body_case = PB__REQUEST__BODY_VERSION;
    q.version = &m;
    len = pb__request__pack(&q, bytes);
    for (int i = 0; i < 300; i++) {
        struct coop_client *c = NULL;
        struct coop_op *op = NULL;
        struct coop_error why;

        if (coop_client_open(&o, &c, &why) != 0)
            support_fail("%s", why.message);
        if (coop_exchange_begin(c, bytes, len, -1, &op, &why) != 0)
            support_fail("%s", why.message);
        (void)coop_client_step(c);
        coop_op_free(op);
        coop_client_close(c);
        if (i % 100 == 50)
            expect_well(); /* from the same address, too */
    }
    expect_well();
}

/* ---- the front itself ------------------------------------------------------------------------------------------------------------------------ */

static bool is_called(pid_t pid, const char *name)
{
    char text[32] = "";
    FILE *f = fopen(support_text("/proc/%d/comm", (int)pid), "re");

    if (f == NULL || fgets(text, sizeof(text), f) == NULL)
        text[0] = '\0';
    if (f != NULL)
        (void)fclose(f);
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0;
}

/* Of /proc/PID/status; hexadecimal where the kernel writes it so. */
static unsigned long long kernel_says(pid_t pid, const char *name, int base)
{
    char line[256];
    FILE *f = fopen(support_text("/proc/%d/status", (int)pid), "re");
    unsigned long long value = ~0ULL;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtoull(line + strlen(name) + 1, NULL, base);
    if (f != NULL)
        (void)fclose(f);
    return value;
}

/* How many descriptors it has; 0: we may not look. */
static unsigned fds_of(pid_t pid)
{
    DIR *d = opendir(support_text("/proc/%d/fd", (int)pid));
    unsigned n = 0;

    for (const struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d != NULL)
        (void)closedir(d);
    return n;
}

/* Its processes: the one that starts the other, and the other. */
static pid_t front_of(const struct broker *b, pid_t *ret_server)
{
    pid_t children[TREE_MAX], below[TREE_MAX];
    unsigned n = tree_children(b->proc->pid, children);

    for (unsigned i = 0; i < n; i++) {
        if (!is_called(children[i], "coop-tls"))
            continue;
        if (tree_children(children[i], below) != 1)
            support_fail("the front has another number of servers than one");
        *ret_server = below[0];
        return children[i];
    }
    support_fail("there is no front");
}

/* Root that gave itself up reads the pair as the user it is now. */
static uid_t user_of(const struct broker *b)
{
    struct stat st;

    if (stat(b->socket, &st) != 0)
        support_fail("stat %s: %s", b->socket, strerror(errno));
    return st.st_uid;
}

static void give_pair(const struct broker *b, const char *name)
{
    static const char *const files[] = { "", "/cert.pem", "/key.pem" };

    if (chmod(b->dir, 0711) != 0)
        support_fail("chmod: %s", strerror(errno));
    for (int i = 0; i < 3; i++)
        if (chown(support_text("%s/%s%s", b->dir, name, files[i]), user_of(b), (gid_t)-1) != 0)
            support_fail("chown: %s", strerror(errno));
}

/* The same files, with others in them: no job notices. */
static void a_renewed_pair_is_taken_at_sighup(void **state)
{
    struct broker *b = *state;
    const char *old = support_text("%s/old.pem", b->dir), *key = support_text("%s/tls/key.pem", b->dir);
    char *id = heard_line(&proc_expect(remote("submit", "-q", script(b, "slow.lua", "print('here') require('coop').sleep(2)")), 0)->out);

    assert_int_equal(link(at.cert, old), 0);
    make_pair(b, "fresh", "127.0.0.1");
    give_pair(b, "tls");
    give_pair(b, "fresh");
    assert_int_equal(rename(support_text("%s/fresh/cert.pem", b->dir), at.cert), 0);
    support_kill(b->proc->pid, SIGHUP); /* not the key of that certificate */
    broker_says(b, "tls_pair_refused", "");
    (void)proc_expect(remote_(at.url, old, at.token_file, (const char *const[]){ "ls", NULL }), 0);
    assert_int_equal(rename(support_text("%s/fresh/key.pem", b->dir), key), 0);
    support_kill(b->proc->pid, SIGHUP);
    broker_says(b, "tls_pair_read", "");
    expect_well();
    assert_int_not_equal(proc_end(remote_(at.url, old, at.token_file, (const char *const[]){ "ls", NULL })), 0);
    (void)proc_expect(remote("wait", id), 0);
}

static void a_front_that_dies_is_made_again(void **state)
{
    pid_t server;

    (void)state;
    expect_well();
    (void)front_of(at.b, &server);
    support_kill(server, SIGKILL);
    broker_says(at.b, "tls_front_died", "");
    expect_well();
}

/* The kernel resumes what they waited for. */
static void a_front_that_was_stopped_goes_on(void **state)
{
    pid_t server, again, front;

    (void)state;
    expect_well();
    front = front_of(at.b, &server);
    for (int i = 0; i < 3; i++) {
        support_kill(server, SIGSTOP);
        support_kill(front, SIGSTOP);
        support_kill(front, SIGCONT);
        support_kill(server, SIGCONT);
        expect_well();
    }
    assert_int_equal(front_of(at.b, &again), front);
    assert_int_equal(again, server);
}

/* It holds the key, which the broker has not: the next one reads it from the file, as soon as it can. */
static void a_supervisor_that_dies_is_made_again(void **state)
{
    struct broker *b = *state;
    pid_t server, front;

    expect_well(); /* or it may still be about to make the other */
    front = front_of(b, &server);
    support_kill(front, SIGKILL);
    broker_says(b, "tls_front_gone", "");
    if (geteuid() == 0) {
        broker_says(b, "tls_pair_refused", "stays=none");
        give_pair(b, "tls");
    }
    broker_says(b, "tls_front_again", "");
    expect_well();
    assert_int_not_equal(front_of(b, &server), front);
    assert_true(fds_of(server) <= 8);
    support_kill(server, SIGKILL);
    expect_well();
}

static void the_front_holds_nothing_of_the_broker_s(void **state)
{
    pid_t server, front;

    (void)state;
    expect_well(); /* who serves has sealed itself before */
    front = front_of(at.b, &server);
    assert_true(fds_of(server) <= 8);
    assert_true(fds_of(front) <= 8);
    assert_int_equal(kernel_says(server, "NoNewPrivs", 10), 1);
#if !defined(COOP_ASAN) && !defined(COOP_TSAN) && !defined(COOP_UBSAN)
    assert_int_equal(kernel_says(server, "Seccomp", 10), 2);
#endif
    assert_int_equal(kernel_says(server, "CapEff", 16), 0);
}

static void what_cannot_be_listened_with_is_said_at_once(void **state)
{
    struct broker *b = *state;

    make_pair(b, "other", "127.0.0.1");
    assert_int_equal(broker_down(b), 0);
    b->args[5] = support_text("%s/other/key.pem", b->dir);
    assert_int_equal(broker_up_fails(b), COOP_EXIT_CONFIG);
    b->args[5] = "/nowhere/key.pem";
    assert_int_equal(broker_up_fails(b), COOP_EXIT_CONFIG);
    b->args[5] = support_text("%s/tls/key.pem", b->dir);
    b->args[1] = "tcp://127.0.0.1:0";
    assert_int_equal(broker_up_fails(b), COOP_EXIT_CONFIG);
    b->args[1] = "tls+tcp://127.0.0.1";
    assert_int_equal(broker_up_fails(b), COOP_EXIT_CONFIG);
    b->args[1] = "tls+tcp://192.0.2.1:0"; /* nobody's address */
    assert_int_equal(broker_up_fails(b), COOP_EXIT_CONFIG);
    assert_int_equal(chmod(b->args[5], 0644), 0);
    b->args[1] = "tls+tcp://127.0.0.1:0";
    assert_int_equal(broker_up_fails(b), COOP_EXIT_CONFIG);
    assert_int_equal(chmod(b->args[5], 0600), 0);
    broker_up(b);
}

static void a_pair_is_never_written_over(void **state)
{
    struct broker *b = *state;

    (void)proc_expect(coop(b, "cert", support_text("%s/tls", b->dir), "--host", "x"), COOP_EXIT_CONFLICT);
    (void)proc_expect(coop(b, "cert", support_text("%s/new", b->dir)), COOP_EXIT_USAGE);
    (void)proc_expect(coop(b, "cert", support_text("%s/new", b->dir), "--host", "a b"), COOP_EXIT_USAGE);
    (void)proc_expect(coop(b, "cert", support_text("%s/new", b->dir), "--host", "x", "--days", "0"), COOP_EXIT_USAGE);
    expect_well();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_handed_in_followed_and_its_receipt_read_from_afar),
        TEST(no_byte_is_lost_either_way),
        TEST(a_broker_that_begins_anew_is_found_again),
        TEST(what_needs_a_descriptor_is_refused_by_name),
        TEST(a_certificate_that_is_not_the_broker_s_is_refused),
        TEST(a_token_that_is_wrong_expired_revoked_or_missing_is_refused),
        TEST(garbage_is_hung_up_on_and_nobody_else_notices),
        TEST(those_who_say_nothing_take_the_places_of_their_address_alone),
        TEST(failed_logins_by_the_hundred_leave_a_good_client_its_place),
        TEST(a_renewed_pair_is_taken_at_sighup),
        TEST(a_front_that_dies_is_made_again),
        TEST(a_front_that_was_stopped_goes_on),
        TEST(a_supervisor_that_dies_is_made_again),
        TEST(the_front_holds_nothing_of_the_broker_s),
        TEST(what_cannot_be_listened_with_is_said_at_once),
        TEST(a_pair_is_never_written_over),
    };

    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
