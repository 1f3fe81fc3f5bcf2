/* test_bad_input.c - what cannot be right is refused: the message says what is wrong and what would be right, and nothing else is hurt. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "coop/version.h"
#include "sp.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/sp_peer.h"
#include "tests/unit/scratch.h"

#define FOR_EVER   "while true do end\n"
#define NOBODYS_ID "01HZZZZZZZ0000000000000000"

/* ---- the command line ------------------------------------------------------------------------------------------------------------ */

enum { WORDS = 8 };

struct bad_line {
    const char *words[WORDS]; /* "@name": a file of that name in the fixture's directory */
    int code;
    const char *says[3]; /* on standard error: what is wrong, what would be right */
};

static void expect_refusal(const struct broker *b, const struct bad_line *l)
{
    const char *argv[WORDS + 1] = { NULL };
    struct proc *p;
    json_t *e;

    for (size_t i = 0; i < WORDS && l->words[i] != NULL; i++)
        argv[i] = l->words[i][0] == '@' ? support_text("%s/%s", b->dir, l->words[i] + 1) : l->words[i];
    p = proc_expect(coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL }, argv), l->code);
    expect_text(p->out, "");
    for (size_t i = 0; i < 3 && l->says[i] != NULL; i++)
        expect_has(p->err, l->says[i]);
    if (argv[0] == NULL)
        return;
    memmove(argv + 2, argv + 1, (WORDS - 2) * sizeof(*argv));
    argv[1] = "--json";
    p = proc_expect(coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL }, argv), l->code);
    expect_text(p->err, "");
    e = json_of(&p->out);
    json_expect_shape(e, "coop.Error/1", "code message hint exit_code");
    assert_int_equal(json_num(e, "exit_code"), l->code);
    assert_string_not_equal(json_str(e, "message"), "");
}

static void expect_refusals(const struct broker *b, const struct bad_line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_refusal(b, &lines[i]);
    expect_receipts(b, 0); /* none of it became a job */
}
#define EXPECT_REFUSALS(b, lines) expect_refusals(b, lines, sizeof(lines) / sizeof((lines)[0]))

static void a_command_line_that_makes_no_sense_is_refused(void **state)
{
    static const struct bad_line lines[] = {
        {{ NULL },                                            2, { "no verb", "coop help" }                                },
        { { "rnu" },                                          2, { "unknown verb 'rnu'", "did you mean 'coop run'" }       },
        { { "frobnicate" },                                   2, { "unknown verb", "coop help" }                           },
        { { "run" },                                          2, { "wants FILE", "usage: coop run" }                       },
        { { "wait" },                                         2, { "wants ids", "coop wait ID" }                           },
        { { "ls", "x" },                                      2, { "takes no arguments", "usage: coop ls" }                },
        { { "result", NOBODYS_ID, "x" },                      2, { "'x' is too much" }                                     },
        { { "run", "--tiemout", "3s", "@ok.lua" },            2, { "unknown flag --tiemout", "--timeout" }                 },
        { { "ls", "--follow" },                               2, { "--follow is not a flag of 'ls'" }                      },
        { { "run", "-z", "@ok.lua" },                         2, { "unknown flag -z", "coop help run" }                    },
        { { "run", "--timeout" },                             2, { "--timeout wants a value" }                             },
        { { "run", "--timeout", "soon", "@ok.lua" },          2, { "'soon' is not a time", "500ms" }                       },
        { { "run", "--timeout", "0", "@ok.lua" },             2, { "time above 0" }                                        },
        { { "run", "--quiet=yes", "@ok.lua" },                2, { "--quiet takes no value" }                              },
        { { "run", "--name", "a\nb", "@ok.lua" },             2, { "printable" }                                           },
        { { "run", "--name", "", "@ok.lua" },                 2, { "--name takes 1 to" }                                   },
        { { "run", "-e", "NOVALUE", "@ok.lua" },              2, { "is not NAME=VALUE" }                                   },
        { { "run", "-e", "=x", "@ok.lua" },                   2, { "is not NAME=VALUE" }                                   },
        { { "run", "--on-output-limit", "kil", "@ok.lua" },   2, { "kill or truncate", "did you mean 'kill'" }             },
        { { "ls", "--limit", "0" },                           2, { "1 to 1000" }                                           },
        { { "ls", "--limit", "many" },                        2, { "1 to 1000" }                                           },
        { { "ls", "--state", "runing" },                      2, { "unknown state 'runing'", "did you mean 'running'" }    },
        { { "help", "subnit" },                               2, { "unknown verb", "did you mean 'coop help submit'" }     },
        { { "completion", "tcsh" },                           2, { "no completion for 'tcsh'", "bash" }                    },
        { { "interp", "create", "x" },                        2, { "coop interp create takes no arguments\n" }             },
        { { "tenant", "create", "acme", "max_running=1" },    2, { "that is a quota: coop quota set TENANT max_running=1" }},
        { { "quota", "set", "acme", "max_foo=1" },            2, { "there is no quota 'max_foo'\n" }                       },
        { { "quota", "set", "acme", "max_runing=1" },         2, { "did you mean 'max_running'" }                          },
        { { "call", "f" },                                    2, { "--template NAME, or --run FILE; or --engine python" }  },
        { { "run", "--endpoint", "tcp://here:1", "@ok.lua" }, 2, { "tcp", "ipc:///path" }                                  },
        { { "run", "--endpoint", "/tmp/x.sock", "@ok.lua" },  2, { "is not an address", "ipc:///path" }                    },
    };
    struct broker *b = *state;

    (void)script(b, "ok.lua", "print(1)");
    EXPECT_REFUSALS(b, lines);
}

static void limits_that_make_no_sense_are_refused(void **state)
{
    static const struct bad_line lines[] = {
        {{ "run", "--limit", "memroy=1M", "@ok.lua" },                     2,               { "unknown limit 'memroy'", "did you mean 'memory'" }},
        { { "run", "--limit", "sockets=3", "@ok.lua" },                    2,               { "unknown limit 'sockets'", "cpu, wall, idle" }     },
        { { "run", "--limit", "pids=3", "@ok.lua" },                       2,               { "limit pids", "engine lua have no such limit" }    },
        { { "run", "--limit", "memory=64Q", "@ok.lua" },                   2,               { "'64Q' is not a size", "64M" }                     },
        { { "run", "--limit", "cpu=2x", "@ok.lua" },                       2,               { "'2x' is not a time", "500ms" }                    },
        { { "run", "--limit", "cpu=-1s", "@ok.lua" },                      2,               { "cpu" }                                            },
        { { "run", "--limit", "cpu", "@ok.lua" },                          2,               { "NAME=VALUE" }                                     },
        { { "run", "--limit", "", "@ok.lua" },                             2,               { "NAME=VALUE" }                                     },
        { { "run", "--limit", "cpu=0", "@ok.lua" },                        2,               { "above 0" }                                        },
        { { "run", "--limit", "memory=99999999999999999999T", "@ok.lua" }, 2,               { "too large a number" }                             },
        { { "run", "--limit", "wall=1us", "@ok.lua" },                     2,               { "below the minimum of 1ms" }                       },
        { { "run", "--limit", "memory=8G", "@ok.lua" },                    COOP_EXIT_QUOTA, { "limit memory: 8G", "maximum of 4G" }              },
        { { "run", "--limit", "cpu=2h", "@ok.lua" },                       COOP_EXIT_QUOTA, { "limit cpu: 2h", "maximum of 1h" }                 },
        { { "submit", "--limit", "stdout=2G", "@ok.lua" },                 COOP_EXIT_QUOTA, { "limit stdout", "maximum of 1G" }                  },
    };
    struct broker *b = *state;

    (void)script(b, "ok.lua", "print(1)");
    EXPECT_REFUSALS(b, lines);
}

static void files_that_cannot_be_a_job_are_refused(void **state)
{
    static const struct bad_line lines[] = {
        {{ "run", "@nothing.lua" },                                       127,             { "nothing.lua does not exist" }                            },
        { { "run", "@dir.lua" },                                          126,             { "dir.lua is a directory", "name a file" }                 },
        { { "run", "@empty.lua" },                                        2,               { "empty.lua is empty" }                                    },
        { { "run", "@nul.lua" },                                          2,               { "nul.lua is not text", "NUL" }                            },
        { { "run", "@compiled.lua" },                                     2,               { "compiled lua", "source" }                                },
        { { "run", "@huge.lua" },                                         COOP_EXIT_QUOTA, { "huge.lua is too large", "it may have 8M" }               },
        { { "run", "@what.xyz" },                                         126,             { "cannot tell what runs", "--engine python, --engine lua" }},
        { { "run", "--engine", "lau", "@ok.lua" },                        2,               { "unknown engine 'lau'", "did you mean '--engine lua'" }   },
        { { "run", "--engine", "perl", "@ok.lua" },                       2,               { "unknown engine 'perl'", "known: lua" }                   },
        { { "run", "--file", "@nothing.lua", "@ok.lua" },                 2,               { "module", "nothing.lua does not exist" }                  },
        { { "run", "--file", "@dir.lua", "@ok.lua" },                     2,               { "is a directory" }                                        },
        { { "run", "--file", "@ok.lua", "--file", "@ok.lua", "@ok.lua" }, 2,               { "two modules are called 'ok.lua'", "--file PATH:NAME" }   },
        { { "run", "--file", "@huge.lua", "@ok.lua" },                    COOP_EXIT_QUOTA, { "the modules of a job may have 8M together" }             },
        { { "run", "--stdin", "@nothing", "@ok.lua" },                    2,               { "nothing" }                                               },
        { { "run", "--stdin", "@dir.lua", "@ok.lua" },                    2,               { "is a directory" }                                        },
        { { "run", "--stdin", "-", "-" },                                 2,               { "cannot be both" }                                        },
        { { "submit", "--stdin", "@huge.lua", "@ok.lua" },                COOP_EXIT_QUOTA, { "it may have 4M" }                                        },
    };
    struct broker *b = *state;

    (void)script(b, "ok.lua", "print(1)");
    (void)script(b, "empty.lua", "");
    (void)script(b, "what.xyz", "print(1)");
    (void)support_put(b->dir, "nul.lua", "print(1)\0x", 10);
    (void)script(b, "compiled.lua", "\033Lua5.4 and so on");
    assert_int_equal(mkdir(support_text("%s/dir.lua", b->dir), 0755), 0);
    assert_int_equal(truncate(script(b, "huge.lua", "-- 100 MB of it"), 100 << 20), 0);
    EXPECT_REFUSALS(b, lines);
}

static void a_file_that_we_may_not_read_is_refused(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "secret.lua", "print(1)");
    struct proc *p;

    assert_int_equal(chmod(b->dir, 0755), 0);
    assert_int_equal(chmod(path, 0), 0);
    p = coop_start_as(b, (&(struct proc_how){ .uid = geteuid() == 0 ? SUPPORT_NOBODY : 0 }), "run", path);
    if (proc_end(p) == 121)
        skip(); /* that user cannot get at the programs */
    (void)proc_expect(p, COOP_EXIT_NOT_EXECUTABLE);
    expect_has(p->err, "you may not read it");
}

static void ids_that_are_none_are_refused(void **state)
{
    static const char *const verbs[] = { "wait", "logs", "result", "show", "cancel", "kill" };
    static const char *const malformed[] = {
        "x", "01HZZZZ", "01HZZZZZZZ00000000000000000", "01HZZZZZZZ000000000000000U", "../../etc/passwd", ""
    };
    struct broker *b = *state;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        struct proc *p;

        for (size_t k = 0; k < sizeof(malformed) / sizeof(malformed[0]); k++) {
            p = proc_expect(coop(b, verbs[i], malformed[k]), 2);
            expect_has(p->err, "is not a job id");
            expect_has(p->err, "26 letters and digits");
        }
        p = proc_expect(coop(b, verbs[i], NOBODYS_ID), COOP_EXIT_NOT_FOUND);
        expect_has(p->err, "there is no job " NOBODYS_ID);
    }
}

static void a_shortened_id_that_names_several_jobs_is_refused(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "ok.lua", "print(1)");
    char *one = submit(b, path), *two = submit(b, path);
    struct proc *p;

    while (strncmp(one, two, 8) != 0) { /* the first 8 characters of an id last a second */
        one = two;
        two = submit(b, path);
    }
    p = proc_expect(coop(b, "show", support_text("%.8s", one)), 2);
    expect_has(p->err, "several");
    expect_has(p->err, "more of it");
}

static void a_queue_that_is_full_refuses_and_loses_nothing(void **state)
{
    struct broker *b = *state;
    char *ids[4];
    struct proc *p;

    assert_int_equal(broker_down(b), 0);
    b->args[0] = "--max-queued";
    b->args[1] = "3";
    b->args[2] = "--workers";
    b->args[3] = "1";
    broker_up(b);
    for (int i = 0; i < 4; i++) {
        ids[i] = submit(b, ENDLESS, script(b, "a.lua", FOR_EVER));
        if (i == 0)
            broker_says(b, "to=running", ids[0]);
    }
    p = proc_expect(coop(b, "submit", ENDLESS, script(b, "a.lua", FOR_EVER)), COOP_EXIT_QUOTA);
    expect_text(p->out, "");
    expect_has(p->err, "3 jobs are waiting already");
    for (int i = 0; i < 4; i++)
        (void)proc_expect(coop(b, "kill", ids[i]), 0);
    for (int i = 0; i < 4; i++)
        (void)expect_end(b, ids[i], "cancelled");
    expect_receipts(b, 4);
}

/* ---- no broker, or not ours -------------------------------------------------------------------------------------------------------- */

/* coop with these variables and no others of coop's. */
#define VARS(...) ((const char *const[]){ "COOP_ENDPOINT", "COOP_RUN_DIR", "COOP_STATE_DIR", "COOP_NO_AUTOSTART", __VA_ARGS__, NULL })

static struct proc *run_bare(const char *const *vars, const char *const *args)
{
    const char *argv[16] = { support_program("coop") };
    struct proc *p;

    for (size_t i = 0; args[i] != NULL && i < 14; i++)
        argv[i + 1] = args[i];
    p = proc_start(&(struct proc_how){ .env = vars }, argv);
    (void)proc_end(p);
    return p;
}
#define bare(vars, ...) run_bare((vars), (const char *const[]){ __VA_ARGS__, NULL })

static void without_a_broker_where_none_may_be_started_one_is_told_so(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "ok.lua", "print(1)"), *run = support_text("COOP_RUN_DIR=%s/none", b->dir),
               *kept = support_text("COOP_STATE_DIR=%s/kept", b->dir);
    struct stat st;
    struct proc *p;

    assert_int_equal(broker_down(b), 0);
    p = proc_expect(coop(b, "run", path), COOP_EXIT_TEMPORARY);
    expect_has(p->err, "no broker listens at");
    p = proc_expect(bare(VARS(run, kept, "COOP_NO_AUTOSTART=1"), "run", path), COOP_EXIT_TEMPORARY);
    expect_has(p->err, "no broker runs, and starting one was refused");
    expect_has(p->err, "--no-autostart");
    p = proc_expect(bare(VARS(run, kept), "submit", "--no-autostart", path), COOP_EXIT_TEMPORARY);
    expect_has(p->err, "no broker runs, and starting one was refused");
    assert_int_equal(stat(support_text("%s/none", b->dir), &st), -1); /* nothing was made on the way */
    p = proc_expect(bare(VARS(support_text("COOP_RUN_DIR=%s", b->run_dir), kept), "submit", "--no-autostart", path), COOP_EXIT_TEMPORARY);
    expect_has(p->err, "no broker listens at");
    expect_has(p->err, "coopd --run-dir");
}

static void an_endpoint_from_the_environment_that_is_none_is_configuration(void **state)
{
    struct broker *b = *state;
    struct proc *p;

    p = proc_expect(bare(VARS("COOP_ENDPOINT=nonsense"), "ls"), COOP_EXIT_CONFIG);
    expect_has(p->err, "COOP_ENDPOINT 'nonsense' is not an address");
    p = proc_expect(bare(VARS(support_text("COOP_ENDPOINT=ipc://%s/%0100d/s", b->dir, 0)), "ls"), COOP_EXIT_CONFIG);
    expect_has(p->err, "longer than 107 bytes");
}

static void a_socket_directory_of_someone_else_is_not_trusted(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "ok.lua", "print(1)"), *link = support_text("%s/link", b->dir);
    struct proc *p;

    assert_int_equal(symlink(b->run_dir, link), 0);
    p = proc_expect(bare(VARS(support_text("COOP_RUN_DIR=%s", link)), "run", path), COOP_EXIT_PERMISSION);
    expect_has(p->err, "symbolic link");
    assert_int_equal(chmod(b->run_dir, 0777), 0);
    p = proc_expect(coop(b, "run", path), COOP_EXIT_PERMISSION);
    expect_has(p->err, "writable by others");
    expect_has(p->err, "chmod 700");
    assert_int_equal(chmod(b->run_dir, 0700), 0);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(b->run_dir, 4711, (gid_t)-1), 0);
    p = proc_expect(coop(b, "run", path), COOP_EXIT_PERMISSION);
    expect_has(p->err, "belongs to uid 4711");
    expect_has(p->err, "directory of your own");
    assert_int_equal(chown(b->run_dir, 0, (gid_t)-1), 0);
}

static void a_broker_refuses_directories_that_are_not_its_own(void **state)
{
    struct broker *b = broker_new();

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(b->run_dir, 0700), 0);
    assert_int_equal(chown(b->run_dir, 4711, (gid_t)-1), 0);
    assert_int_equal(broker_up_fails(b), COOP_EXIT_PERMISSION);
    assert_non_null(strstr(broker_log(b), b->run_dir));
    assert_int_equal(chown(b->run_dir, 0, (gid_t)-1), 0);
    assert_int_equal(mkdir(b->state_dir, 0700), 0);
    assert_int_equal(chown(b->state_dir, 4711, (gid_t)-1), 0);
    assert_int_equal(broker_up_fails(b), COOP_EXIT_PERMISSION);
    assert_non_null(strstr(broker_log(b), "4711"));
}

static void an_autostart_that_fails_says_why(void **state)
{
    struct broker *b = broker_new();
    const char *path = script(b, "ok.lua", "print(1)"), *state_dir = support_put(b->dir, "file", "x", 1);
    struct proc *p = bare(VARS(support_text("COOP_RUN_DIR=%s/r", b->dir), support_text("COOP_STATE_DIR=%s/sub", state_dir)), "run", path);

    (void)state;
    (void)proc_expect(p, COOP_EXIT_CONFIG); /* a file where a directory should be */
    expect_has(p->err, state_dir);
    expect_text(p->out, "");
}

static void two_brokers_do_not_share_a_state_directory(void **state)
{
    struct broker *b = *state, *second = broker_new();

    second->state_dir = b->state_dir;
    assert_int_equal(broker_up_fails(second), COOP_EXIT_TEMPORARY);
    assert_non_null(strstr(broker_log(second), support_text("pid %d", (int)b->proc->pid)));
    expect_text(proc_expect(coop(b, "run", script(b, "ok.lua", "print(1)")), 0)->out, "1\n");
}

static void two_brokers_do_not_share_a_run_directory(void **state)
{
    struct broker *b = *state, *second = broker_new();

    second->run_dir = b->run_dir;
    assert_int_equal(broker_up_fails(second), COOP_EXIT_TEMPORARY);
    expect_text(proc_expect(coop(b, "run", script(b, "ok.lua", "print(1)")), 0)->out, "1\n"); /* the first is still there */
    assert_int_equal(json_num(json_of(&coop(b, "version", "--json")->out), "broker.pid"), b->proc->pid);
}

static void coopds_own_options_are_checked(void **state)
{
    static const struct {
        const char *args[3], *says;
    } rows[] = {
        {{ "--pol", "3" },                "did you mean '--pool'"         },
        { { "--pool", "0" },              "--pool: wants a whole number"  },
        { { "--pool" },                   "--pool: wants a value"         },
        { { "--idle-exit", "x" },         "--idle-exit: wants a time like"},
        { { "--ready-fd", "1" },          "--ready-fd: wants"             },
        { { "--log-level", "loud" },      "error, warn, info or debug"    },
        { { "--worker", "/nonexistent" }, "/nonexistent"                  },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker *b = broker_new();
        int code;

        memcpy(b->args, rows[i].args, sizeof(rows[i].args));
        code = broker_up_fails(b);
        if (code == 0 || code > 128)
            fail_msg("coopd %s ends with %d", rows[i].args[0], code);
        assert_non_null(strstr(broker_log(b), rows[i].says));
    }
    (void)state;
}

/* ---- the disk ---------------------------------------------------------------------------------------------------------------------- */

static void unmount(void *dir)
{
    (void)umount2(dir, MNT_DETACH);
}

/* A broker whose state lies on a small file system of its own, up. NULL: no such thing can be had here. */
static struct broker *broker_on_small_disk(unsigned bytes)
{
    struct broker *b = broker_new();

    if (!scratch_can_mount || mkdir(b->state_dir, 0700) != 0 || scratch_mount(b->state_dir, bytes) != 0)
        return NULL;
    support_on_release(unmount, support_text("%s", b->state_dir));
    broker_up(b);
    return b;
}

/* A file that takes what is left of the disk. */
static const char *fill_disk(const struct broker *b)
{
    const char *path = support_text("%s/ballast", b->state_dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    static const char block[4096];

    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    (void)close(fd);
    return path;
}

static void a_full_disk_refuses_submits_and_works_again_when_there_is_room(void **state)
{
    struct broker *b = broker_on_small_disk(8 << 20);
    const char *path, *ballast, *ids[4000];
    size_t n = 0;
    struct proc *p;

    (void)state;
    if (b == NULL)
        skip();
    path = script(b, "ok.lua", "print('kept')");
    ids[n++] = submit(b, path);
    (void)expect_end(b, ids[0], "ok");
    ballast = fill_disk(b);
    for (p = coop(b, "submit", path); p->code == 0 && n < 3000; p = coop(b, "submit", path))
        ids[n++] = heard_line(&p->out); /* the log file has some room of its own */
    (void)proc_expect(p, COOP_EXIT_TEMPORARY);
    expect_text(p->out, "");
    expect_has(p->err, "was not accepted");
    expect_has(p->err, b->state_dir);
    (void)proc_expect(coop(b, "wait", "-q", ids[0]), 0); /* it still answers */
    assert_int_equal(unlink(ballast), 0);
    p = proc_expect(coop(b, "submit", path), 0);
    ids[n++] = heard_line(&p->out);
    for (size_t i = 0; i < n; i++)
        (void)expect_end(b, ids[i], "ok");
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    expect_receipts(b, n); /* and what was refused is not among them */
    assert_int_equal(broker_down(b), 0);
}

static void a_receipt_that_finds_no_room_is_written_later(void **state)
{
    struct broker *b = broker_on_small_disk(8 << 20);
    const char *ballast, *id;
    struct proc *p;

    (void)state;
    if (b == NULL)
        skip();
    p = coop_start(b, "run", script(b, "a.lua", "print('up')\nio.read()\nio.write(('x'):rep(60000))"));
    proc_until(p, &p->out, "up\n");
    id = json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id");
    ballast = fill_disk(b);
    proc_write(p, "go\n", 3);
    broker_says(b, "event=receipt_not_stored", id);
    assert_string_equal(json_str(status_of(b, id), "state"), "finishing");
    assert_int_equal(unlink(ballast), 0);
    (void)proc_expect(p, 0);
    assert_int_equal(p->out.len, 60003);
    (void)expect_end(b, id, "ok");
    assert_int_equal(broker_down(b), 0);
}

/* What could not be written down is not so: neither by the next request, nor when the job runs. */
static void an_edit_that_finds_no_room_has_changed_nothing(void **state)
{
    struct broker *b = broker_on_small_disk(8 << 20);
    const char *ballast, *id, *other;
    char name[32] = "before";
    struct proc *p;
    json_t *now;
    int n = 0;

    (void)state;
    if (b == NULL)
        skip();
    other = submit(b, "--hold", script(b, "a.lua", "print(1)"));
    id = submit(b, "--hold", "--name", name, script(b, "b.lua", "print(2)"));
    ballast = fill_disk(b);
    for (p = coop(b, "edit", "--name", "n-0", id); p->code == 0 && n < 3000; p = coop(b, "edit", "--name", support_text("n-%d", n), id))
        (void)snprintf(name, sizeof(name), "n-%d", n++);
    (void)proc_expect(p, COOP_EXIT_TEMPORARY);
    expect_has(p->err, "could not be stored");
    (void)proc_expect(coop(b, "edit", "--prio", "5", "--name", "after", "--after", other, id), COOP_EXIT_TEMPORARY);
    now = status_of(b, id);
    assert_string_equal(json_str(now, "name"), name);
    assert_int_equal(json_num(now, "priority"), 3);
    assert_int_equal(unlink(ballast), 0);
    (void)proc_expect(coop(b, "release", id), 0); /* it waits for nobody */
    assert_string_equal(json_str(expect_end(b, id, "ok"), "name"), name);
    (void)proc_expect(coop(b, "edit", "--prio", "5", "--name", "after", other), 0); /* and the next one is taken */
    assert_int_equal(json_num(status_of(b, other), "priority"), 5);
    (void)proc_expect(coop(b, "kill", other), 0);
    expect_receipts(b, 2);
    assert_int_equal(broker_down(b), 0);
}

/* The first attempt finds the disk full, which is no fault of the job's: it is made again when there is room, and none is counted. */
static void output_that_finds_no_room_is_written_by_the_next_attempt(void **state)
{
    struct broker *b = broker_on_small_disk(8 << 20);
    const char *ballast, *id;
    struct stat st;
    json_t *r;

    (void)state;
    if (b == NULL)
        skip();
    ballast = fill_disk(b);
    assert_int_equal(stat(ballast, &st), 0);
    assert_int_equal(truncate(ballast, st.st_size - (512 << 10)), 0); /* room for the submit */
    id = submit(b, "--limit", "stdout=64M", script(b, "a.lua", "for i = 1, 1000 do print(('x'):rep(1000)) end"));
    broker_says(b, "event=job_retries", id);
    assert_int_equal(unlink(ballast), 0);
    r = expect_end(b, id, "ok");
    assert_int_equal(json_num(r, "stdout.bytes"), 1001000);
    assert_int_equal(json_num(r, "attempt"), 2);
    assert_string_equal(json_str(r, "attempts.0.cause"), "internal");
    assert_true(json_is_true(json_at(r, "attempts.0.infra")));
    expect_has(proc_expect(coop(b, "logs", id), 0)->out, "xxx");
    expect_receipts(b, 1);
    assert_int_equal(broker_down(b), 0);
}

static void output_that_finds_no_room_ends_its_job_with_a_receipt(void **state)
{
    struct broker *b = broker_on_small_disk(8 << 20);
    struct proc *p;

    (void)state;
    if (b == NULL)
        skip();
    p = coop(b, "run", "--limit", "stdout=64M", script(b, "a.lua", "for i = 1, 100000 do print(('x'):rep(1000)) end"));
    (void)proc_expect(p, COOP_EXIT_PLATFORM);
    expect_has(p->err, "internal");
    assert_int_equal(broker_said(b, "event=job_retries", "cause=internal"), 2); /* three attempts, and no more */
    expect_receipts(b, 1);
    assert_int_equal(broker_down(b), 0);
}

static void a_state_directory_that_is_read_only_is_refused_with_a_sentence(void **state)
{
    struct broker *b = broker_on_small_disk(8 << 20);
    const char *id;
    struct proc *p;

    (void)state;
    if (b == NULL)
        skip();
    id = submit(b, script(b, "ok.lua", "print(1)"));
    (void)expect_end(b, id, "ok");
    assert_int_equal(broker_down(b), 0);
    assert_int_equal(mount(NULL, b->state_dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(broker_up_fails(b), COOP_EXIT_TEMPORARY);
    assert_non_null(strstr(broker_log(b), "read-only"));
    p = bare(VARS(support_text("COOP_RUN_DIR=%s", b->run_dir), support_text("COOP_STATE_DIR=%s", b->state_dir)), "submit",
             script(b, "ok.lua", "print(1)"));
    assert_int_not_equal(proc_end(p), 0);
    expect_text(p->out, "");
    expect_has(p->err, "Read-only");
    assert_int_equal(mount(NULL, b->state_dir, NULL, MS_REMOUNT, NULL), 0);
    broker_up(b);
    (void)expect_end(b, id, "ok");
    expect_receipts(b, 1);
    assert_int_equal(broker_down(b), 0);
}

/* ---- the control socket ------------------------------------------------------------------------------------------------------------- */

/* Another client's long-poll, under way while somebody misbehaves. */
struct bystander {
    char *id;
    struct proc *wait;
};

static struct bystander bystand(struct broker *b)
{
    struct bystander y = { .id = submit(b, ENDLESS, script(b, "loop.lua", FOR_EVER)) };

    broker_says(b, "to=running", y.id);
    y.wait = coop_start_as(b, (&(struct proc_how){ .err_is_terminal = true }), "wait", y.id);
    proc_until(y.wait, &y.wait->err, "running"); /* its live line: it is there, and waits */
    return y;
}

static void expect_undisturbed(struct broker *b, struct bystander *y)
{
    (void)proc_expect(coop(b, "kill", y->id), 0);
    (void)proc_expect(y->wait, COOP_EXIT_CANCELLED);
    expect_lacks(y->wait->err, "reconnecting");
    expect_receipts(b, 1);
}

struct bytes {
    const char *name;
    const void *bytes;
    size_t len;
};
#define BYTES(name, text)                                                                                                                  \
    {                                                                                                                                      \
        name, text, sizeof(text) - 1                                                                                                       \
    }

static void bodies_that_are_no_request_drop_their_sender_only(void **state)
{
    enum { DEEP = 60000, MANY = 3000000 };
    static const struct bytes fixed[] = {
        BYTES("nothing at all", ""),
        BYTES("only a protocol", "\x08\x01"),
        BYTES("an unknown request", "\x08\x01\x9a\x06\x00"),
        BYTES("a body that stops early", "\x08\x01\x12\x7f\x0a"),
        BYTES("a length past the end of the world", "\x08\x01\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        BYTES("a varint without end", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        BYTES("a group, which proto3 has not", "\x0b\x0c"),
        BYTES("an unknown field inside a known request", "\x08\x01\x1a\x04\xf8\x06\x01\x00"),
        BYTES("an id that is not UTF-8", "\x08\x01\x1a\x04\x0a\x02\xff\xfe"),
        BYTES("text", "GET / HTTP/1.1\r\n\r\n"),
    };
    struct broker *b = *state;
    struct bystander y = bystand(b);
    uint8_t *deep = support_keep(malloc(DEEP)), *many = support_keep(malloc(MANY));

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        int fd = sp_peer_open(b->socket);

        print_message("           %s\n", fixed[i].name);
        assert_int_equal(sp_peer_send(fd, 1, fixed[i].bytes, fixed[i].len), 0);
        sp_peer_expect_drop(fd);
    }
    for (size_t i = 0; i + 6 <= DEEP; i += 6) { /* in a submit what it has not, in that again, and so on */
        size_t left = DEEP - i - 6;

        memcpy(deep + i,
               (uint8_t[]){ i == 0 ? 0x12 : 0x7a, (uint8_t)(left | 0x80), (uint8_t)(left >> 7 | 0x80), (uint8_t)(left >> 14 | 0x80),
                            (uint8_t)(left >> 21 & 0x7f) | 0x80, 0 },
               6);
    }
    for (int i = 0; i < 2; i++) {
        int fd = sp_peer_open(b->socket);

        for (size_t k = 0; i == 1 && k + 2 <= MANY; k += 2) /* empty modules: 2 bytes each here, dozens in memory */
            memcpy(many + k, "\x2a", 2);
        if (i == 1)
            memcpy(many, "\x12\xbb\x8d\xb7\x01\x0a\xb6\x8d\xb7\x01", 10);
        (void)sp_peer_send(fd, 1, i == 0 ? deep : many, i == 0 ? DEEP : MANY);
        sp_peer_expect_drop(fd);
    }
    expect_undisturbed(b, &y);
    assert_true(broker_said(b, "event=peer_dropped", NULL) >= 10);
}

static void frames_that_break_the_transports_rules_drop_their_sender_only(void **state)
{
    static const struct bytes rows[] = {
        BYTES("2^63 bytes", "\x01\x80\x00\x00\x00\x00\x00\x00\x00"),
        BYTES("2^64 - 1 bytes", "\x01\xff\xff\xff\xff\xff\xff\xff\xff"),
        BYTES("one byte more than the largest", "\x01\x00\x00\x00\x00\x01\x80\x00\x05"),
        BYTES("an unknown type of frame", "\x02\x00\x00\x00\x00\x00\x00\x00\x04\x80\x00\x00\x01"),
        BYTES("a body without room for its request id", "\x01\x00\x00\x00\x00\x00\x00\x00\x02\x80\x00"),
        BYTES("no body", "\x01\x00\x00\x00\x00\x00\x00\x00\x00"),
    };
    struct broker *b = *state;
    struct bystander y = bystand(b);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = sp_peer_open(b->socket);

        print_message("           %s\n", rows[i].name);
        assert_int_equal(sp_peer_write(fd, rows[i].bytes, rows[i].len), 0);
        sp_peer_expect_drop(fd);
    }
    expect_undisturbed(b, &y);
}

static void greetings_that_are_none_drop_their_sender_only(void **state)
{
    static const struct bytes rows[] = {
        BYTES("another magic", "HTTP/1.1"),
        BYTES("another version", "\x00SP\x01\x00\x30\x00\x00"),
        BYTES("another protocol (pair)", "\x00SP\x00\x00\x10\x00\x00"),
        BYTES("reserved bits", "\x00SP\x00\x00\x30\xff\xff"),
    };
    struct broker *b = *state;
    struct bystander y = bystand(b);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = sp_peer_connect(b->socket);

        print_message("           %s\n", rows[i].name);
        assert_int_equal(sp_peer_write(fd, rows[i].bytes, rows[i].len), 0);
        sp_peer_expect_drop(fd);
        (void)proc_expect(coop(b, "ls"), 0);
    }
    expect_undisturbed(b, &y);
}

/* nng 1.5.2 ends a listener over this (nanomsg/nng issue 1518). */
static void a_peer_that_leaves_before_it_has_greeted_is_no_bodys_trouble(void **state)
{
    struct broker *b = *state;
    struct bystander y = bystand(b);

    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 50; k++)
            sp_peer_pass_by(b->socket, "\0SP", k % 4 == 3 ? 3 : 0);
        (void)proc_expect(coop(b, "ls", "--timeout", "10s"), 0);
    }
    expect_undisturbed(b, &y);
}

static void a_peer_that_is_slow_holds_up_nobody_and_is_heard_in_the_end(void **state)
{
    struct broker *b = *state;
    struct bystander y = bystand(b);
    Pb__Request q = PB__REQUEST__INIT;
    Pb__GetVersion v = PB__GET_VERSION__INIT;
    int silent = sp_peer_connect(b->socket), half = sp_peer_connect(b->socket), slow = sp_peer_open(b->socket);
    static const uint8_t request[] = { 1, 0, 0, 0, 0, 0, 0, 0, 8, 0x80, 0, 0, 7, 0x08, COOP_PROTOCOL, 0x5a, 0x00 };

    (void)silent;
    assert_int_equal(sp_peer_write(half, "\0SP\0", 4), 0);
    for (size_t i = 0; i < sizeof(request); i++) {
        assert_int_equal(sp_peer_write(slow, request + i, 1), 0);
        (void)proc_expect(coop(b, "ls"), 0); /* in between, others are served */
    }
    assert_int_equal(sp_peer_answer(slow, 7)->body_case, PB__REPLY__BODY_VERSION);
    q.body_case = PB__REQUEST__BODY_VERSION;
    q.version = &v;
    sp_peer_ask(slow, 8, &q); /* and the connection is as good as any */
    assert_int_equal(sp_peer_answer(slow, 8)->version->pid, b->proc->pid);
    expect_undisturbed(b, &y);
}

static void a_peer_that_never_reads_its_answers_costs_nothing(void **state)
{
    struct broker *b = *state;
    struct bystander y = bystand(b);
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Ls ls = PB__LS__INIT;
    int fd = sp_peer_open(b->socket);
    long before = tree_status_kb(b->proc->pid, "VmRSS");

    q.body_case = PB__REQUEST__BODY_LS;
    q.ls = &ls;
    q.protocol = COOP_PROTOCOL;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        size_t len = protobuf_c_message_pack(&q.base, bytes);

        if (sp_peer_send(fd, i, bytes, len) != 0)
            break; /* its own queue is full: that is its affair */
    }
    (void)proc_expect(coop(b, "ls"), 0);
    assert_true(tree_status_kb(b->proc->pid, "VmRSS") - before < 32 << 10);
    expect_undisturbed(b, &y);
}

static void another_protocol_version_is_answered_with_both(void **state)
{
    struct broker *b = *state;
    const Pb__Reply *r;
    int fd = sp_peer_open(b->socket);

    assert_int_equal(sp_peer_send(fd, 3, "\x08\x63\x5a\x00", 4), 0); /* 99 */
    r = sp_peer_answer(fd, 3);
    assert_int_equal(r->body_case, PB__REPLY__BODY_ERROR);
    assert_int_equal(r->error->code, PB__ERROR_CODE__ERROR_CODE_PROTOCOL);
    assert_non_null(strstr(r->error->message, support_text("speaks protocol %d, the client 99", COOP_PROTOCOL)));
}

static void one_connection_cannot_park_requests_without_end(void **state)
{
    enum { PARKED = 16 };
    struct broker *b = *state;
    struct bystander y = bystand(b);
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Wait w = PB__WAIT__INIT;
    const Pb__Reply *r;
    int fd = sp_peer_open(b->socket);

    w.id = y.id;
    w.timeout_ms = 30000;
    q.body_case = PB__REQUEST__BODY_WAIT;
    q.wait = &w;
    for (uint32_t i = 0; i <= PARKED; i++)
        sp_peer_ask(fd, i, &q);
    r = sp_peer_answer(fd, PARKED);
    assert_int_equal(r->body_case, PB__REPLY__BODY_ERROR);
    assert_int_equal(r->error->code, PB__ERROR_CODE__ERROR_CODE_QUOTA);
    expect_undisturbed(b, &y);
    r = sp_peer_answer(fd, PARKED - 1); /* the others hear of the end, last come first */
    assert_true(r->body_case == PB__REPLY__BODY_WAIT && r->wait->ended);
}

/* A spec that is as it should be; each row spoils one thing. */
static void spoil_nothing(Pb__JobSpec *s)
{
    (void)s;
}
static void spoil_engine(Pb__JobSpec *s)
{
    s->engine = "lau";
}
static void spoil_source(Pb__JobSpec *s)
{
    s->source.len = 0;
}
static void spoil_source_name(Pb__JobSpec *s)
{
    s->source_name = "a\x1b[2J.lua";
}
static void spoil_name(Pb__JobSpec *s)
{
    s->name =
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
}
static void spoil_args(Pb__JobSpec *s)
{
    static ProtobufCBinaryData arg = { 3, (uint8_t *)"a\0b" };

    s->args = &arg;
    s->n_args = 1;
}
static void spoil_stdin_mode(Pb__JobSpec *s)
{
    s->stdin_mode = (Pb__StdinMode)7;
}
static void spoil_stdin_data(Pb__JobSpec *s)
{
    s->stdin_data = (ProtobufCBinaryData){ 1, (uint8_t *)"x" };
}
static void spoil_on_output_limit(Pb__JobSpec *s)
{
    s->on_output_limit = (Pb__OnOutputLimit)9;
}
static void spoil_cpu_low(Pb__JobSpec *s)
{
    s->limits->cpu_us = 1;
}
static void spoil_memory_high(Pb__JobSpec *s)
{
    s->limits->memory_bytes = UINT64_MAX;
}
static void spoil_env(Pb__JobSpec *s)
{
    static Pb__EnvVar v, *list = &v;

    pb__env_var__init(&v);
    v.name = "A=B";
    s->env = &list;
    s->n_env = 1;
}
static void spoil_modules(Pb__JobSpec *s)
{
    static Pb__Module m, *list[] = { &m, &m };

    pb__module__init(&m);
    m.name = "m";
    s->modules = list;
    s->n_modules = 2;
}

static void the_broker_checks_a_spec_as_if_no_command_had(void **state)
{
    static const struct {
        void (*spoil)(Pb__JobSpec *s);
        Pb__ErrorCode code;
        const char *says;
    } rows[] = {
        {spoil_engine,           PB__ERROR_CODE__ERROR_CODE_USAGE, "unknown engine 'lau'"},
        { spoil_source,          PB__ERROR_CODE__ERROR_CODE_USAGE, "source is empty"     },
        { spoil_source_name,     PB__ERROR_CODE__ERROR_CODE_USAGE, "control character"   },
        { spoil_name,            PB__ERROR_CODE__ERROR_CODE_QUOTA, "'name'"              },
        { spoil_args,            PB__ERROR_CODE__ERROR_CODE_USAGE, "NUL"                 },
        { spoil_env,             PB__ERROR_CODE__ERROR_CODE_USAGE, "'='"                 },
        { spoil_modules,         PB__ERROR_CODE__ERROR_CODE_USAGE, "two modules"         },
        { spoil_stdin_mode,      PB__ERROR_CODE__ERROR_CODE_USAGE, "stdin_mode"          },
        { spoil_stdin_data,      PB__ERROR_CODE__ERROR_CODE_USAGE, "stdin_data"          },
        { spoil_on_output_limit, PB__ERROR_CODE__ERROR_CODE_USAGE, "on_output_limit"     },
        { spoil_cpu_low,         PB__ERROR_CODE__ERROR_CODE_USAGE, "minimum"             },
        { spoil_memory_high,     PB__ERROR_CODE__ERROR_CODE_QUOTA, "maximum of 4G"       },
        { spoil_nothing,         PB__ERROR_CODE__ERROR_CODE_NONE,  NULL                  },
    };
    struct broker *b = *state;
    int fd = sp_peer_open(b->socket);

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Pb__Request q = PB__REQUEST__INIT;
        Pb__Submit submit_body = PB__SUBMIT__INIT;
        Pb__JobSpec s = PB__JOB_SPEC__INIT;
        Pb__Limits l = PB__LIMITS__INIT;
        const Pb__Reply *r;

        s.engine = "lua";
        s.source_name = "a.lua";
        s.source = (ProtobufCBinaryData){ 8, (uint8_t *)"print(1)" };
        s.limits = &l;
        submit_body.spec = &s;
        q.body_case = PB__REQUEST__BODY_SUBMIT;
        q.submit = &submit_body;
        rows[i].spoil(&s);
        sp_peer_ask(fd, i, &q);
        r = sp_peer_answer(fd, i);
        if (rows[i].says == NULL) {
            assert_int_equal(r->body_case, PB__REPLY__BODY_SUBMIT);
            (void)expect_end(b, support_text("%s", r->submit->id), "ok");
            continue;
        }
        assert_int_equal(r->body_case, PB__REPLY__BODY_ERROR);
        assert_int_equal(r->error->code, rows[i].code);
        if (strstr(r->error->message, rows[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", r->error->message, rows[i].says);
    }
    expect_receipts(b, 1);
}

static const Pb__Reply *write_stdin(int fd, uint32_t turn, char *id, uint64_t offset, const char *text, bool eof)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__StdinWrite w = PB__STDIN_WRITE__INIT;

    w.id = id;
    w.offset = offset;
    w.data = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
    w.eof = eof;
    q.body_case = PB__REQUEST__BODY_STDIN_WRITE;
    q.stdin_write = &w;
    sp_peer_ask(fd, turn, &q);
    return sp_peer_answer(fd, turn);
}

static void input_sent_twice_out_of_place_or_too_late_is_harmless(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", script(b, "cat.lua", "for l in io.lines() do print(l) end"));
    char *id, *other = submit(b, ENDLESS, script(b, "loop.lua", FOR_EVER)), *much = support_keep(malloc(70000));
    int fd = sp_peer_open(b->socket);

    proc_write(p, "one\n", 4);
    proc_until(p, &p->out, "one\n");
    id = support_text("%s", json_str(json_of(&coop(b, "ls", "--json", "--limit", "2")->out), "jobs.0.id"));
    if (strcmp(id, other) == 0)
        id = support_text("%s", json_str(json_of(&coop(b, "ls", "--json", "--limit", "2")->out), "jobs.1.id"));
    assert_int_equal(write_stdin(fd, 1, id, 0, "one\n", false)->stdin_write->offset, 4);     /* had that */
    assert_int_equal(write_stdin(fd, 2, id, 2, "e\ntwo\n", false)->stdin_write->offset, 8);  /* had half of that */
    assert_int_equal(write_stdin(fd, 3, id, 1000, "hole\n", false)->stdin_write->offset, 8); /* cannot know what came before */
    assert_int_equal(write_stdin(fd, 4, other, 0, "x", false)->error->code, PB__ERROR_CODE__ERROR_CODE_CONFLICT);
    memset(much, 'x', 69999);
    much[69999] = '\0';
    assert_int_equal(write_stdin(fd, 5, id, 8, much, false)->error->code, PB__ERROR_CODE__ERROR_CODE_USAGE);
    assert_true(write_stdin(fd, 6, id, 8, "three\n", true)->stdin_write->closed);
    (void)proc_expect(coop(b, "wait", id), 0);
    assert_true(write_stdin(fd, 7, id, 14, "four\n", false)->stdin_write->closed);
    proc_close_in(p);
    (void)proc_expect(p, 0);
    expect_text(p->out, "one\ntwo\nthree\n");
    (void)proc_expect(coop(b, "kill", other), 0);
}

/* A sanitizer keeps freed memory for a while; little of it where the broker's is measured. */
static int setup_measured(void **state)
{
    static const char *const env[] = { "ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=16", NULL };
    struct broker *b = *state = broker_new();

    b->env = env;
    broker_up(b);
    return 0;
}

static int setup_nothing(void **state)
{
    *state = NULL;
    return 0;
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)
#define ALONE(name) cmocka_unit_test_setup_teardown(name, setup_nothing, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_line_that_makes_no_sense_is_refused),
        TEST(limits_that_make_no_sense_are_refused),
        TEST(files_that_cannot_be_a_job_are_refused),
        TEST(a_file_that_we_may_not_read_is_refused),
        TEST(ids_that_are_none_are_refused),
        TEST(a_shortened_id_that_names_several_jobs_is_refused),
        TEST(a_queue_that_is_full_refuses_and_loses_nothing),
        TEST(without_a_broker_where_none_may_be_started_one_is_told_so),
        TEST(an_endpoint_from_the_environment_that_is_none_is_configuration),
        TEST(a_socket_directory_of_someone_else_is_not_trusted),
        ALONE(a_broker_refuses_directories_that_are_not_its_own),
        ALONE(an_autostart_that_fails_says_why),
        TEST(two_brokers_do_not_share_a_state_directory),
        TEST(two_brokers_do_not_share_a_run_directory),
        ALONE(coopds_own_options_are_checked),
        ALONE(a_full_disk_refuses_submits_and_works_again_when_there_is_room),
        ALONE(a_receipt_that_finds_no_room_is_written_later),
        ALONE(an_edit_that_finds_no_room_has_changed_nothing),
        ALONE(output_that_finds_no_room_is_written_by_the_next_attempt),
        ALONE(output_that_finds_no_room_ends_its_job_with_a_receipt),
        ALONE(a_state_directory_that_is_read_only_is_refused_with_a_sentence),
        TEST(bodies_that_are_no_request_drop_their_sender_only),
        TEST(frames_that_break_the_transports_rules_drop_their_sender_only),
        TEST(greetings_that_are_none_drop_their_sender_only),
        TEST(a_peer_that_leaves_before_it_has_greeted_is_no_bodys_trouble),
        TEST(a_peer_that_is_slow_holds_up_nobody_and_is_heard_in_the_end),
        cmocka_unit_test_setup_teardown(a_peer_that_never_reads_its_answers_costs_nothing, setup_measured, broker_teardown),
        TEST(another_protocol_version_is_answered_with_both),
        TEST(one_connection_cannot_park_requests_without_end),
        TEST(the_broker_checks_a_spec_as_if_no_command_had),
        TEST(input_sent_twice_out_of_place_or_too_late_is_harmless),
    };

    scratch_start();
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("bad_input", tests, NULL, NULL);
}
