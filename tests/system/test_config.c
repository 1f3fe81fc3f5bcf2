/*
 * test_config.c - coopd's configuration file: what it may say, how a mistake is named, what a running broker takes of it, and what it tells the
 * service manager.
 */
#include <setjmp.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/config_file.h"
#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

/* One that a broker can read that has given root up. */
static const char *config_file(const struct broker *b, const char *text)
{
    const char *path = support_put(b->dir, "coopd.yaml", text, strlen(text));

    assert_int_equal(chmod(b->dir, 0711), 0);
    assert_int_equal(chmod(path, 0644), 0);
    return path;
}

static struct proc *check(const struct broker *b, const char *text)
{
    return proc_start(&(struct proc_how){ .in = PROC_IN_NULL },
                      (const char *const[]){ support_program("coopd"), "--check", "--config", config_file(b, text), NULL });
}

static void expect_part(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        support_fail("'%s' is not in: %s", part, text);
}

static int setup(void **state)
{
    *state = broker_new();
    return 0;
}

static void what_the_file_says_is_what_check_prints(void **state)
{
    struct broker *b = *state;
    const char *odd = support_text("%s/\"x", support_text("/tmp/coop-view-%ld", (long)getpid())),
               *parent = dirname(support_text("%s", odd));
    struct proc *p;

    assert_int_equal(mkdir(parent, 0700) + mkdir(odd, 0700), 0);
    p = check(b, support_text("# a comment\nworkers: 7\ndrain: 1500ms\nidle-exit: 1h\nview: [/usr/share, '%s']\n"
                              "uid-tenant: {1000: web, 1001: batch}\n",
                              odd));
    proc_expect(p, 0);
    expect_has(p->out, "\nworkers: 7\n");
    expect_has(p->out, "\ndrain: 1.5s\n");
    expect_has(p->out, "\nidle-exit: 1h\n");
    expect_has(p->out, support_text("\n  - \"/usr/share\"\n  - \"%s/\\\"x\"\n", parent));
    expect_has(p->out, "\n  1000: web\n  1001: batch\n");
    expect_has(p->out, "\npool: 4\n");
    /* and that is a file again */
    proc_expect(check(b, p->out.bytes), 0);
    assert_int_equal(rmdir(odd) + rmdir(parent), 0);
}

static void what_is_on_the_command_line_wins(void **state)
{
    struct broker *b = *state;
    const char *file = config_file(b, "workers: 7\npool: 2\nview: [/usr/share]\n");
    struct proc *p =
        proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, (const char *const[]){ support_program("coopd"), "--workers", "9", "--view",
                                                                                    "/usr/lib", "--check", "--config", file, NULL });

    proc_expect(p, 0);
    expect_has(p->out, "\nworkers: 9\n");
    expect_has(p->out, "\npool: 2\n");
    expect_has(p->out, "\n  - \"/usr/lib\"\n");
    expect_lacks(p->out, "/usr/share");
}

static void each_mistake_is_named_with_its_place(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"wokers: 3\n",                 ":1:1: unknown key 'wokers', did you mean 'workers'?"   },
        { "pool: 2\nworkers: many\n",   ":2:10: workers: wants a whole number"                  },
        { "workers: 0\n",               ":1:10: workers: wants a whole number"                  },
        { "workers: -1\n",              ":1:10: workers: wants a whole number"                  },
        { "workers: 3\nworkers: 4\n",   ":2:1: the key 'workers' is there twice"                },
        { "drain: soon\n",              ":1:8: drain: wants a time"                             },
        { "tier: T9\n",                 ":1:7: tier: is one of auto|T0|T1|T2|T3, not 'T9'"      },
        { "log-level: loud\n",          ":1:12: log-level: wants error, warn, info or debug"    },
        { "view: [relative]\n",         ":1:8: view: wants an absolute path"                    },
        { "view: [[/a]]\n",             ":1:8: a value here is a text"                          },
        { "uid-tenant: {x: web}\n",     ":1:17: uid-tenant: 'x' is not a uid"                   },
        { "uid-tenant: {1: 'a b'}\n",   ":1:17: uid-tenant: a tenant's name has 1 to 64 letters"},
        { "uid-tenant: {1: a, 1: b}\n", ":1:23: uid-tenant: uid 1 is there twice"               },
        { "ready-fd: 3\n",              ":1:1: 'ready-fd' is of the command line only"          },
        { "config: /etc/x\n",           ":1:1: 'config' is of the command line only"            },
        { "workers: &a 3\n",            ":1:10: anchors and tags are not used here"             },
        { "workers: !!int 3\n",         ":1:10: anchors and tags are not used here"             },
        { "workers: *a\n",              ":1:10: aliases are not used here"                      },
        { "workers: 3\n---\npool: 2\n", ":2:1: a second document"                               },
        { "- workers\n",                ":1:1: the file is one mapping"                         },
        { "workers\n",                  ":1:1: the file is one mapping"                         },
        { "workers: [1\n",              ":2:1: "                                                },
        { "workers: \"3\\0\"\n",        ":1:10: a value is one line of text"                    },
        { "workers: \"3\\n\"\n",        ":1:10: a value is one line of text"                    },
        { "\"\": 3\n",                  ":1:1: an empty key"                                    },
        { "workers: \xff\n",            "coopd.yaml:"                                           },
    };
    struct broker *b = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proc *p = check(b, rows[i].text);

        proc_expect(p, COOP_EXIT_CONFIG);
        expect_has(p->err, rows[i].says);
    }
}

/* What a start would be refused for is found by the check, with the same words. */
static void what_a_start_would_be_refused_for_is_found_by_the_check(void **state)
{
    static const struct {
        const char *text, *says; /* DIR: with a pair of files in tls/, and another in other/ */
    } rows[] = {
        {"listen: tcp://127.0.0.1:5",                                                              "wants tls+tcp://HOST:PORT" },
        { "listen: tls+tcp://127.0.0.1",                                                           "wants tls+tcp://HOST:PORT" },
        { "listen: tls+tcp://127.0.0.1:99999",                                                     "wants tls+tcp://HOST:PORT" },
        { "listen: tls+tcp://127.0.0.1:0",                                                         "wants --tls-cert FILE"     },
        { "listen: tls+tcp://127.0.0.1:0\ntls-cert: DIR/no.pem\ntls-key: DIR/tls/key.pem",         "no.pem: No such file"      },
        { "listen: tls+tcp://127.0.0.1:0\ntls-cert: DIR/tls/cert.pem\ntls-key: DIR/no.pem",        "no.pem: No such file"      },
        { "listen: tls+tcp://127.0.0.1:0\ntls-cert: DIR/tls/cert.pem\ntls-key: DIR/other/key.pem", "is not the key of"         },
        { "listen: tls+tcp://127.0.0.1:0\ntls-cert: DIR/tls/key.pem\ntls-key: DIR/tls/key.pem",    "tls/key.pem: "             },
        { "listen: tls+tcp://127.0.0.1:0\ntls-cert: DIR\ntls-key: DIR/tls/key.pem",                "is no file of PEM"         },
        { "listen: tls+tcp://999.0.0.1:0\ntls-cert: DIR/tls/cert.pem\ntls-key: DIR/tls/key.pem",   "--listen 999.0.0.1: "      },
        { "user: nosuchuser",                                                                      "--user nosuchuser"         },
        { "view: [/nosuchdir]",                                                                    "--view /nosuchdir: No such"},
        { "view: [/etc/passwd]",                                                                   "that is no directory"      },
    };
    struct broker *b = *state;

    for (int i = 0; i < 2; i++)
        (void)proc_expect(
            proc_start(&(struct proc_how){ .in = PROC_IN_NULL },
                       (const char *const[]){ support_program("coop"), "cert", support_text("%s/%s", b->dir, i == 0 ? "tls" : "other"),
                                              "--host", "127.0.0.1", "-q", NULL }),
            0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *text = rows[i].text;
        char file[1024];
        size_t n = 0;

        for (; *text != '\0'; text++)
            if (strncmp(text, "DIR", 3) == 0) {
                n += (size_t)snprintf(file + n, sizeof(file) - n, "%s", b->dir);
                text += 2;
            } else {
                file[n++] = *text;
            }
        (void)snprintf(file + n, sizeof(file) - n, "\n");
        struct proc *p = check(b, file);

        proc_expect(p, COOP_EXIT_CONFIG);
        expect_has(p->err, rows[i].says);
    }
    proc_expect(
        check(b, support_text("listen: tls+tcp://127.0.0.1:0\ntls-cert: %s/tls/cert.pem\ntls-key: %s/tls/key.pem\n", b->dir, b->dir)), 0);
}

/* One that can be made later is no fault, and no secret either. */
static void a_user_whose_tenant_is_not_there_is_told_at_check_start_and_sighup(void **state)
{
    struct broker *b = *state;
    const char *file = config_file(b, "uid-tenant: {65534: nobodies}\n");
    struct proc *p;

    b->args[0] = "--config";
    b->args[1] = file;
    broker_up(b);
    broker_says(b, "uid_tenant_missing", "tenant=nobodies");
    p = proc_start(&(struct proc_how){ .in = PROC_IN_NULL },
                   (const char *const[]){ support_program("coopd"), "--check", "--config", file, "--state-dir", b->state_dir, NULL });
    proc_expect(p, 0);
    expect_has(p->err, "warning: uid-tenant 65534: there is no tenant 'nobodies'");
    proc_expect(coop(b, "tenant", "create", "nobodies"), 0);
    p = proc_start(&(struct proc_how){ .in = PROC_IN_NULL },
                   (const char *const[]){ support_program("coopd"), "--check", "--config", file, "--state-dir", b->state_dir, NULL });
    proc_expect(p, 0);
    expect_lacks(p->err, "nobodies");
    (void)config_file(b, "uid-tenant: {65534: others}\n");
    support_kill(b->proc->pid, SIGHUP);
    broker_says(b, "uid_tenant_missing", "tenant=others");
}

static void a_file_that_is_none_is_refused(void **state)
{
    struct broker *b = *state;
    char *much = malloc(CONFIG_FILE_MAX + 2);
    const char *paths[4];

    memset(much, '#', CONFIG_FILE_MAX + 1);
    paths[0] = support_put(b->dir, "much.yaml", much, CONFIG_FILE_MAX + 1);
    paths[1] = "/dev/zero";
    paths[2] = b->dir;
    paths[3] = support_text("%s/none.yaml", b->dir);
    free(much);
    for (int i = 0; i < 4; i++)
        proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL },
                               (const char *const[]){ support_program("coopd"), "--check", "--config", paths[i], NULL }),
                    COOP_EXIT_CONFIG);
    b->args[0] = "--config";
    b->args[1] = paths[3];
    assert_int_equal(broker_up_fails(b), COOP_EXIT_CONFIG);
}

/* One job runs, one waits: the one goes on, the other begins when there is a place. */
static void a_running_broker_takes_what_it_can_and_loses_no_job(void **state)
{
    struct broker *b = *state;
    const char *wait = script(b, "wait.lua", "io.write('up\\n') io.stdout:flush() io.read()");
    struct proc *first, *second;

    b->args[0] = "--config";
    b->args[1] = config_file(b, "workers: 1\nview: [/usr/share]\n");
    broker_up(b);
    first = coop_start(b, "run", wait);
    proc_until(first, &first->out, "up");
    second = coop_start(b, "run", wait);
    (void)config_file(b, "workers: 2\nview: [/usr/lib]\nlog-level: debug\n");
    kill(b->proc->pid, SIGHUP);
    broker_says(b, "config_changed", "key=workers taken=now");
    broker_says(b, "config_changed", "key=view taken=at_the_next_start");
    broker_says(b, "config_read", "coopd.yaml");
    proc_until(second, &second->out, "up");
    (void)config_file(b, "workers: 3\nwrong: 1\n");
    kill(b->proc->pid, SIGHUP);
    broker_says(b, "config_refused", "unknown key 'wrong'");
    proc_write(first, "\n", 1);
    proc_write(second, "\n", 1);
    proc_expect(first, 0);
    proc_expect(second, 0);
    assert_int_equal(broker_said(b, "key=workers", ""), 1);
}

static void root_is_told_that_its_file_cannot_be_read_again(void **state)
{
    struct broker *b = *state;

    if (getuid() != 0)
        skip();
    b->args[0] = "--config";
    b->args[1] = config_file(b, "workers: 1\n");
    assert_int_equal(chmod(b->args[1], 0600), 0);
    broker_up(b);
    broker_says(b, "config_not_to_be_read_again", "coopd.yaml");
}

/* ---- the service manager ------------------------------------------------------------------------------------------------------- */

static int manager(struct broker *b, const char **ret_path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    *ret_path = support_text("%s/notify", b->dir);
    assert_true(strlen(*ret_path) < sizeof(at.sun_path));
    strcpy(at.sun_path, *ret_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static const char *told(int fd)
{
    static char text[1024];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    assert_true(n > 0);
    text[n] = '\0';
    return text;
}

static void the_service_manager_is_told(void **state)
{
    struct broker *b = *state;
    const char *path;
    int fd = manager(b, &path);

    b->env = (const char *const[]){ support_text("NOTIFY_SOCKET=%s", path), NULL };
    b->args[0] = "--config";
    b->args[1] = config_file(b, "workers: 1\n");
    broker_up(b);
    expect_part(told(fd), "READY=1\nSTATUS=takes jobs on ");
    kill(b->proc->pid, SIGHUP);
    expect_part(told(fd), "RELOADING=1");
    expect_part(told(fd), "READY=1");
    (void)config_file(b, "workers: none\n");
    kill(b->proc->pid, SIGHUP);
    expect_part(told(fd), "RELOADING=1");
    expect_part(told(fd), "was refused");
    assert_int_equal(broker_down(b), 0);
    expect_part(told(fd), "STOPPING=1");
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_the_file_says_is_what_check_prints),
        TEST(what_is_on_the_command_line_wins),
        TEST(each_mistake_is_named_with_its_place),
        TEST(what_a_start_would_be_refused_for_is_found_by_the_check),
        TEST(a_user_whose_tenant_is_not_there_is_told_at_check_start_and_sighup),
        TEST(a_file_that_is_none_is_refused),
        TEST(a_running_broker_takes_what_it_can_and_loses_no_job),
        TEST(root_is_told_that_its_file_cannot_be_read_again),
        TEST(the_service_manager_is_told),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
