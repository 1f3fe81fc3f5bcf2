/* test_policy_text.c - rows as text: what is printed is read back as it was, what is wrong is said with its place, and rows only add. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "syscall_names.h"
#include "syscall_words.h"
#include "worker/bpf.h"
#include "worker/policy.h"

static char why[POLICY_WHY];

/* ---- there and back ------------------------------------------------------------------------------------------------------------ */

static void assert_same_row(const struct policy_row *a, const struct policy_row *b)
{
    assert_int_equal(a->nr, b->nr);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->given, b->given);
    assert_string_equal(a->why, b->why);
    for (int i = 0; i < POLICY_ARGS; i++) {
        assert_int_equal(a->args[i].mask, b->args[i].mask);
        if (a->args[i].mask == 0)
            break;
        assert_int_equal(a->args[i].index, b->args[i].index);
        assert_int_equal(a->args[i].value, b->args[i].value);
    }
}

static void there_and_back(const struct policy_row *r)
{
    struct policy_text t;
    char line[POLICY_LINE];

    policy_row_print(r, line, sizeof(line));
    assert_true(strlen(line) < sizeof(line) - 1);
    if (policy_text_read(line, &t, why) != 0)
        fail_msg("%s\n%s", line, why);
    assert_int_equal(t.n, 1);
    assert_same_row(&t.rows[0], r);
    policy_text_finish(&t);
}

static void every_row_of_every_profile_is_read_back_as_it_was(void **state)
{
    (void)state;
    for (const char *const *name = policy_names; *name != NULL; name++) {
        const struct policy *p = policy_find(*name);

        for (size_t i = 0; i < p->n_rows; i++)
            there_and_back(&p->rows[i]);
    }
}

/* As --explain-policy prints it, comments and all. */
static void a_whole_profile_as_it_is_printed_can_be_read(void **state)
{
    (void)state;
    for (const char *const *name = policy_names; *name != NULL; name++) {
        const struct policy *p = policy_find(*name);
        struct policy_text t;
        size_t len, rows = p->n_rows, read = 0;
        char *text;
        FILE *f = open_memstream(&text, &len);

        policy_explain(p, f);
        fclose(f);
        if (rows <= POLICY_TEXT_ROWS) { /* a user's file is shorter than the longest profile */
            assert_int_equal(policy_text_read(text, &t, why), 0);
            assert_int_equal(t.n, rows);
            policy_text_finish(&t);
        } else {
            assert_int_equal(policy_text_read(text, &t, why), -EINVAL);
        }
        for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
            read += *line != '#';
        assert_int_equal(read, rows);
        free(text);
    }
}

/* A generator of one's own, so that what fails once fails always. */
static uint64_t dice(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static uint64_t any_mask(uint64_t *seed)
{
    uint64_t m = dice(seed);

    switch (dice(seed) % 6) {
    case 0: return ~(uint64_t)0;
    case 1: return 0xffffffffu;
    case 2: return (uint64_t)1 << (m % 64);
    case 3: return ~((uint64_t)1 << (m % 64));
    case 4: return 0xffffffffu & ~((uint64_t)1 << (m % 32) | (uint64_t)1 << (m >> 8) % 32);
    default: return m;
    }
}

static void any_condition_is_read_back_as_it_was(void **state)
{
    static const int calls[] = { SYS_socket, SYS_mmap,   SYS_futex,       SYS_clone, SYS_ioctl,
                                 SYS_prctl,  SYS_mremap, SYS_personality, SYS_mknod, SYS_getpid };
    uint64_t seed = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct policy_row r = { .nr = (uint32_t)calls[dice(&seed) % (sizeof(calls) / sizeof(calls[0]))],
                                .verdict = POLICY_ALLOW,
                                .why = "dice" };

        r.name = syscall_name(r.nr);
        for (uint64_t k = 0; k < dice(&seed) % 4 && k < POLICY_ARGS; k++) {
            r.args[k].index = (uint8_t)(dice(&seed) % 6);
            r.args[k].mask = any_mask(&seed);
            r.args[k].value = dice(&seed) & r.args[k].mask & (dice(&seed) % 2 == 0 ? 0 : dice(&seed));
        }
        there_and_back(&r);
    }
}

static void all_ways_to_say_a_condition_mean_what_they_say(void **state)
{
    static const struct {
        const char *text;
        struct policy_arg arg;
    } rows[] = {
        {"allow socket if family == AF_UNIX # x",                     { 0, 0xffffffff, AF_UNIX }                              },
        { "allow socket if arg0 == AF_UNIX # x",                      { 0, ~0ull, AF_UNIX }                                   },
        { "allow socket if arg0:32 == 1 # x",                         { 0, 0xffffffff, 1 }                                    },
        { "allow socket if arg0:32 == 0x1 # x",                       { 0, 0xffffffff, 1 }                                    },
        { "allow\tsocket\tif family==AF_UNIX#x",                      { 0, 0xffffffff, AF_UNIX }                              },
        { "allow socket if type & ~SOCK_CLOEXEC == SOCK_STREAM # x",  { 1, 0xffffffff & ~(uint64_t)SOCK_CLOEXEC, SOCK_STREAM }},
        { "allow socket if type & 0xf == SOCK_STREAM|SOCK_DGRAM # x", { 1, 0xf, 3 }                                           },
        { "allow mmap if prot in PROT_READ|PROT_WRITE # x",           { 2, ~(uint64_t)3, 0 }                                  },
        { "allow mmap if prot in ( PROT_READ | PROT_WRITE ) # x",     { 2, ~(uint64_t)3, 0 }                                  },
        { "allow mmap if flags has MAP_PRIVATE|MAP_ANONYMOUS # x",    { 3, 0x22, 0x22 }                                       },
        { "allow clone if flags lacks CLONE_NEWUSER # x",             { 0, CLONE_NEWUSER, 0 }                                 },
        { "allow ioctl if request == TIOCGWINSZ # x",                 { 1, 0xffffffff, TIOCGWINSZ }                           },
        { "allow getpid if arg5 == ~0 # x",                           { 5, ~0ull, ~0ull }                                     },
        { "allow mmap if arg3:32 & ~(~MAP_FIXED) == 0 # x",           { 3, MAP_FIXED, 0 }                                     },
    };
    struct policy_text t;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (policy_text_read(rows[i].text, &t, why) != 0)
            fail_msg("%s\n%s", rows[i].text, why);
        assert_int_equal(t.n, 1);
        assert_int_equal(t.rows[0].args[0].index, rows[i].arg.index);
        assert_int_equal(t.rows[0].args[0].mask, rows[i].arg.mask);
        assert_int_equal(t.rows[0].args[0].value, rows[i].arg.value);
        assert_int_equal(t.rows[0].args[1].mask, 0);
        policy_text_finish(&t);
    }
}

static void a_file_of_rows_has_comments_and_empty_lines(void **state)
{
    struct policy_text t;

    (void)state;
    assert_int_equal(policy_text_read("# mine\n\n  \t\nallow quotactl # a\n   # more\nrefuse EPERM acct # b: \xc3\xa9\r\n", &t, why), 0);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.lines[0], 4);
    assert_int_equal(t.lines[1], 6);
    assert_int_equal(t.rows[1].error, EPERM);
    assert_string_equal(t.rows[1].why, "b: \xc3\xa9");
    policy_text_finish(&t);
    assert_int_equal(policy_text_read("", &t, why), 0);
    assert_int_equal(t.n, 0);
    policy_text_finish(&t);
}

/* ---- what is wrong ------------------------------------------------------------------------------------------------------------- */

static void what_is_wrong_is_said_with_its_place_and_the_nearest_word(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"alow read # x",                                                          "line 1, column 1: \"alow\" is not a verdict: allow, refuse ERRNO, answer, ask or end; did you mean allow?"},
        { "\n\n  allow raed # x",                                                  "line 3, column 9: \"raed\" is not a system call of x86-64; did you mean read?"                            },
        { "allow # x",                                                             "line 1, column 7: here belongs a system call of x86-64"                                                   },
        { "refuse read # x",                                                       "line 1, column 8: \"read\" is not the name of an errno, as EPERM"                                         },
        { "refuse EPREM read # x",                                                 "line 1, column 8: \"EPREM\" is not the name of an errno, as EPERM; did you mean EPERM?"                   },
        { "allow read",                                                            "line 1, column 11: say why: a row ends with # and a reason"                                               },
        { "allow read #  ",                                                        "line 1, column 12: say why"                                                                               },
        { "allow read fd == 0 # x",                                                "line 1, column 12: the row should end here, with # and a reason"                                          },
        { "allow socket if famly == AF_UNIX # x",
         "line 1, column 17: \"famly\" is not an argument of the call (arg0 to arg5 always are); did you mean family?"                                                                        },
        { "allow socket if arg6 == 1 # x",                                         "line 1, column 17: \"arg6\" is not an argument of the call"                                               },
        { "allow socket if arg0:64 == 1 # x",                                      "line 1, column 17: \"arg0:64\" is not an argument of the call"                                            },
        { "allow socket if family == AF_UNX # x",
         "line 1, column 27: \"AF_UNX\" is not a number or the name of a value; did you mean AF_UNIX?"                                                                                        },
        { "allow socket if family = AF_UNIX # x",                                  "line 1, column 24: here belongs a comparison: ==, & MASK ==, in, has or lacks"                            },
        { "allow socket if family is AF_UNIX # x",                                 "line 1, column 24: \"is\" is not a comparison"                                                            },
        { "allow socket if family == 0x1ffffffff # x",                             "line 1, column 27: 0x1ffffffff does not fit into 32 bits"                                                 },
        { "allow read if arg0 == 0x1ffffffffffffffff # x",                         "line 1, column 23: 0x1ffffffffffffffff does not fit into 64 bits"                                         },
        { "allow socket if family == 12x # x",                                     "line 1, column 27: \"12x\" is not a number"                                                               },
        { "allow socket if family & 1 == 2 # x",                                   "line 1, column 17: this never holds"                                                                      },
        { "allow socket if family lacks 0 # x",                                    "line 1, column 17: this always holds"                                                                     },
        { "allow socket if family == (1 # x",                                      "line 1, column 30: here belongs )"                                                                        },
        { "allow socket if family & 1 # x",                                        "here belongs =="                                                                                          },
        { "allow socket if # x",                                                   "here belongs an argument of the call"                                                                     },
        { "allow socket if family == 1 and # x",                                   "here belongs an argument of the call"                                                                     },
        { "allow read if arg0 == 1 and arg1 == 1 and arg2 == 1 and arg3 == 1 # x", "at most 3 conditions"                                                                                     },
        { "allow socket with net # x",                                             "\"net\" is not something that a row depends on"                                                           },
        { "allow socket with net=lopback # x",                                     "did you mean net=loopback?"                                                                               },
        { "allow read if arg0 == ((((((((((1)))))))))) # x",                       "too deep"                                                                                                 },
        { "allow read if arg0 == ~~~~~~~~~~1 # x",                                 "too deep"                                                                                                 },
        { "allow read\x01 # x",                                                    "line 1, column 11: the row should end here"                                                               },
        { "allow read # \x1b[31mred",                                              "a reason is text"                                                                                         },
    };
    struct policy_text t;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(why, 0, sizeof(why));
        if (policy_text_read(rows[i].text, &t, why) != -EINVAL)
            fail_msg("%s: was taken", rows[i].text);
        if (strstr(why, rows[i].says) == NULL)
            fail_msg("%s:\n  said   %s\n  wanted %s", rows[i].text, why, rows[i].says);
    }
}

static void too_much_is_refused(void **state)
{
    static const char row[] = "allow read # x\n";
    struct policy_text t;
    char *many = calloc(POLICY_TEXT_ROWS + 1, sizeof(row)), *big = malloc(POLICY_TEXT_MAX + 2), line[512];

    (void)state;
    assert_non_null(many);
    assert_non_null(big);
    for (int i = 0; i < POLICY_TEXT_ROWS; i++)
        strcat(many, row);
    assert_int_equal(policy_text_read(many, &t, why), 0);
    policy_text_finish(&t);
    strcat(many, row);
    assert_int_equal(policy_text_read(many, &t, why), -EINVAL);
    assert_string_equal(why, "line 257, column 1: more than 256 rows");
    memset(big, '\n', POLICY_TEXT_MAX + 1);
    big[POLICY_TEXT_MAX + 1] = '\0';
    assert_int_equal(policy_text_read(big, &t, why), -EINVAL);
    assert_string_equal(why, "a policy has at most 64 KiB");
    snprintf(line, sizeof(line), "allow read # %0*d", POLICY_REASON + 1, 0);
    assert_int_equal(policy_text_read(line, &t, why), -EINVAL);
    free(many);
    free(big);
}

/* ---- names --------------------------------------------------------------------------------------------------------------------- */

static void call_names_are_those_libseccomp_knows(void **state)
{
    (void)state;
    for (uint32_t nr = 0; nr < 1024; nr++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)nr);

        if (nr > SYSCALL_NEWEST) {
            assert_null(syscall_name(nr));
        } else if (name == NULL) {
            assert_null(syscall_name(nr));
        } else {
            assert_string_equal(syscall_name(nr), name);
            assert_int_equal(syscall_number(name), nr);
        }
        free(name);
    }
    assert_int_equal(syscall_number("nothing"), -1);
}

/* Else a printed name would be read as another number. */
static void a_word_has_one_value(void **state)
{
    uint64_t value;

    (void)state;
    for (const char *const *name = word_all_names(); *name != NULL; name++)
        assert_true(word_value(*name, &value));
    assert_false(word_value("AF_NOTHING", &value));
    for (uint32_t nr = 0; nr <= SYSCALL_NEWEST; nr++) {
        const struct call_words *c = call_words_find(nr);

        for (int i = 0; c != NULL && i < CALL_ARGS && c->args[i].name != NULL; i++)
            for (const struct word *w = c->args[i].words; w != NULL && w->name != NULL; w++) {
                assert_true(word_value(w->name, &value));
                assert_int_equal(value, w->value);
            }
    }
}

/* ---- what can be added --------------------------------------------------------------------------------------------------------- */

static struct policy exec_given(unsigned given)
{
    struct policy p = *policy_find("exec");

    p.given = given;
    return p;
}

static void refused(unsigned given, const char *row, const char *says)
{
    struct policy base = exec_given(given), *merged = NULL;

    if (policy_merge(&base, row, &merged, why) != -EINVAL)
        fail_msg("%s: was added", row);
    if (strstr(why, says) == NULL)
        fail_msg("%s:\n  said   %s\n  wanted %s", row, why, says);
    assert_null(merged);
}

static void added(unsigned given, const char *row)
{
    struct policy base = exec_given(given), *merged = NULL;

    if (policy_merge(&base, row, &merged, why) != 0)
        fail_msg("%s: %s", row, why);
    assert_int_equal(merged->n_rows, base.n_rows + 1);
    policy_free(merged);
}

static void rows_are_added_before_the_bases(void **state)
{
    struct policy base = exec_given(POLICY_NET_LOOPBACK), *merged = NULL;
    const struct policy_row *before = base.rows;

    (void)state;
    assert_int_equal(policy_merge(&base, "allow sched_setscheduler # a watcher\nrefuse EPERM adjtimex # b\n", &merged, why), 0);
    assert_int_equal(merged->n_rows, base.n_rows + 2);
    assert_string_equal(merged->rows[0].name, "sched_setscheduler");
    assert_string_equal(merged->rows[1].why, "b");
    for (size_t i = 0; i < base.n_rows; i++)
        assert_same_row(&merged->rows[2 + i], &base.rows[i]);
    assert_int_equal(merged->given, base.given);
    assert_int_equal(merged->unlisted, POLICY_NOTIFY);
    assert_ptr_equal(base.rows, before);
    policy_free(merged);
    assert_int_equal(policy_merge(&base, "# nothing\n", &merged, why), 0);
    assert_int_equal(merged->n_rows, base.n_rows);
    policy_free(merged);
    policy_free(NULL);
}

static void what_helps_can_be_added(void **state)
{
    (void)state;
    added(0, "allow sched_setscheduler # x");
    added(0, "allow mbind # x");
    added(0, "allow setpriority # x");
    added(0, "allow ioctl if request == FS_IOC_GETFLAGS # lsattr");
    added(0, "allow prctl if option == PR_SET_TSC # x");
    added(0, "allow personality if persona == ADDR_NO_RANDOMIZE # setarch -R");
    added(0,
          "allow clone if flags lacks CLONE_NEWNS|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWUSER|CLONE_NEWPID|CLONE_NEWNET # x");
    added(0, "refuse EAFNOSUPPORT socket if family == AF_INET # goes on without, rather than end");
    added(0, "refuse EPERM syslog # dmesg asks");
    added(0, "refuse ENOSYS sync # in another way than the base");
    added(POLICY_SHARED_SIGNALS, "allow sched_setscheduler # x");
}

static void a_row_never_takes_away_what_the_base_allows(void **state)
{
    (void)state;
    refused(0, "refuse EPERM openat # x", "line 1: rows only add; profile exec has: allow openat");
    refused(0, "# a\nrefuse EPERM socket # x", "line 2: rows only add; profile exec has: allow socket if family == AF_UNIX");
    refused(0, "refuse EPERM ioctl if request == TCGETS # x", "profile exec has: allow ioctl if request == TCGETS");
    refused(POLICY_NET_LOOPBACK, "refuse EPERM socket if family == AF_INET # x", "profile exec has: allow socket if family == AF_INET");
    refused(0, "end read # x", "an added row allows or refuses");
    refused(0, "answer read # x", "an added row allows or refuses");
}

static void what_can_never_be_allowed_is_refused_with_its_reason(void **state)
{
    (void)state;
    refused(0, "\n\nallow mount # x", "line 3: mount can not be allowed: mounts are the sandbox's own");
    refused(0, "allow ptrace # x", "a job looks into no process");
    refused(0, "allow unshare if flags == CLONE_FILES # x", "unshare can not be allowed");
    refused(0, "allow clone # x", "clone can not be allowed so widely: namespaces");
    refused(0, "allow clone if flags has CLONE_NEWUSER # x", "namespaces are the sandbox's own");
    refused(0, "allow clone if flags lacks CLONE_NEWUSER # x", "namespaces are the sandbox's own");
    refused(0, "allow ioctl # x", "types into a terminal");
    refused(0, "allow ioctl if request == TIOCSTI # x", "types into a terminal");
    refused(0, "allow ioctl if arg1 == TIOCSTI # x", "types into a terminal");
    refused(0, "allow ioctl if request & 0xff00 == 0x5400 # x", "types into a terminal");
    refused(0, "allow ioctl if fd == 0 # x", "types into a terminal");
    refused(0, "allow socket # x", "only families");
    refused(0, "allow socket if family == AF_ALG # x", "only families");
    refused(0, "allow socket if family & 0xf == AF_UNIX # x", "only families");
    refused(0, "allow socket if type == SOCK_STREAM # x", "only families");
    refused(0, "allow personality if persona == READ_IMPLIES_EXEC # x", "ADDR_NO_RANDOMIZE");
    refused(0, "allow futex # x", "priority inheritance");
    refused(0, "allow mmap # x", "huge pages");
    refused(0, "allow seccomp # x", "filter of its own");
    refused(0, "allow prctl # x", "filter of its own");
    refused(0, "allow io_uring_setup # x", "pass by every filter");
    refused(POLICY_SHARED_SIGNALS, "allow kill # x", "could reach processes");
    refused(POLICY_SHARED_SOCKETS, "allow socket if family == AF_UNIX # x", "could connect");
    added(0, "allow kill # x");
}

/* Without a pid namespace the broker has the job's uid, and a pid names it. */
static void no_row_reaches_a_process_that_is_not_the_jobs(void **state)
{
    static const char *const by_pid[] = { "setpriority",        "ioprio_set",    "sched_setaffinity", "sched_setparam",
                                          "sched_setscheduler", "sched_setattr", "migrate_pages",     "move_pages" };
    const uint64_t own[6] = { 0, 7 }, others[6] = { 1234, 7 };
    char row[128];

    (void)state;
    for (size_t i = 0; i < sizeof(by_pid) / sizeof(by_pid[0]); i++) {
        snprintf(row, sizeof(row), "allow %s # x", by_pid[i]);
        refused(POLICY_SHARED_PIDS, row, "could reach processes");
        added(0, row);
    }
    for (unsigned given = 0; given <= POLICY_SHARED_PIDS; given += POLICY_SHARED_PIDS) {
        refused(given, "allow prlimit64 # x", "only its own limits");
        refused(given, "allow prlimit64 if pid == 7 # x", "only its own limits");
        refused(given, "allow prlimit64 if resource == 7 # x", "only its own limits");
        assert_true(policy_call_may_be_granted(__NR_prlimit64, own, given, NULL));
        assert_false(policy_call_may_be_granted(__NR_prlimit64, others, given, NULL)); /* nor by --learn */
    }
    refused(POLICY_SHARED_SIGNALS, "allow ioctl if request == 0x8901 # FIOSETOWN", "could reach processes");
    refused(POLICY_SHARED_SIGNALS, "allow ioctl if request == 0x8902 # SIOCSPGRP", "could reach processes");
}

/* They are the host's where there is no ipc namespace; nowhere does a limit count them. */
static void no_row_opens_system_v_ipc_or_message_queues(void **state)
{
    static const char *const calls[] = { "shmget",  "shmat",      "shmctl",       "shmdt",           "semget",    "semop",
                                         "semctl",  "semtimedop", "msgget",       "msgsnd",          "msgrcv",    "msgctl",
                                         "mq_open", "mq_unlink",  "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr" };
    char row[128];

    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        snprintf(row, sizeof(row), "allow %s # x", calls[i]);
        refused(0, row, "outside of every limit");
    }
}

/* What the profile refuses where the tier does not hold it is not to be had by a row of one's own either. */
static void no_row_opens_what_the_tier_does_not_hold(void **state)
{
    static const struct {
        unsigned given;
        const char *call;
    } rows[] = {
        {POLICY_SHARED_FILES,    "chmod"     },
        { POLICY_SHARED_FILES,   "fchmod"    },
        { POLICY_SHARED_FILES,   "fchmodat"  },
        { POLICY_SHARED_FILES,   "chown"     },
        { POLICY_SHARED_FILES,   "fchownat"  },
        { POLICY_SHARED_FILES,   "utimensat" },
        { POLICY_SHARED_FILES,   "setxattr"  },
        { POLICY_SHARED_SIZES,   "truncate"  },
        { POLICY_SHARED_SOCKETS, "bind"      },
        { POLICY_SAMPLED_MEMORY, "mmap"      },
        { POLICY_SAMPLED_MEMORY, "setsockopt"},
        { 0,                     "io_setup"  }
    };
    char row[128];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(row, sizeof(row), "allow %s # x", rows[i].call);
        refused(rows[i].given, row, rows[i].call);
    }
}

static void no_row_is_added_where_the_filter_is_the_only_wall(void **state)
{
    static const char *const pure[] = { "compute", "lua", "python", "native", "init" };
    struct policy *merged = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(pure) / sizeof(pure[0]); i++) {
        assert_int_equal(policy_merge(policy_find(pure[i]), "allow getppid # x\n", &merged, why), -EINVAL);
        assert_non_null(strstr(why, "takes no rows"));
        assert_null(merged);
    }
}

/* The three ways to ask agree: about a call, about its number, about a row that allows just this call. */
static void what_may_be_granted_is_the_same_for_a_call_and_for_a_row(void **state)
{
    static const uint64_t args[][6] = {
        {0                            },
        { CLONE_NEWUSER               },
        { CLONE_VM | CLONE_NEWNET | 17},
        { AF_ALG,                       SOCK_STREAM },
        { AF_INET6,                            SOCK_STREAM },
        { 0,TIOCSTI },
        { 0,                            TIOCSTI | 1ull << 32 },
        { 0,                            FIONREAD },
        { 0,F_NOTIFY },
        { 0,                            4096, 3, MAP_PRIVATE | MAP_HUGETLB },
        { 0,                            4096, MADV_MERGEABLE },
        { 0,                                        6 | 128 },
        { 4                           },
        { 22                           },
    };

    (void)state;
    for (uint32_t nr = 0; nr <= SYSCALL_NEWEST; nr++)
        for (unsigned given = 0; given <= POLICY_GIVEN_ALL; given++)
            for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
                const char *of_call = "", *of_row = "";
                struct policy_row low = {
                    .nr = nr, .args = {{ 0, ~0ull, args[i][0] }, { 1, ~0ull, args[i][1] }, { 2, ~0ull, args[i][2] }}
                };
                struct policy_row high = low;
                bool call = policy_call_may_be_granted(nr, args[i], given, &of_call);

                high.args[2] = (struct policy_arg){ 3, ~0ull, args[i][3] };
                assert_int_equal(call, policy_row_may_be_granted(&low, given, &of_row) || policy_row_may_be_granted(&high, given, &of_row));
                if (!policy_may_be_granted(nr))
                    assert_false(call);
                assert_int_equal(call, strlen(of_call) == 0);
            }
}

static void the_kinds_of_calls_that_are_never_granted(void **state)
{
    static const char *const bad[] = {
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "open_tree",
        "move_mount",
        "fsopen",
        "fsconfig",
        "fsmount",
        "fspick",
        "mount_setattr",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "bpf",
        "keyctl",
        "add_key",
        "request_key",
        "userfaultfd",
        "perf_event_open",
        "setns",
        "unshare",
        "kexec_load",
        "kexec_file_load",
        "init_module",
        "finit_module",
        "delete_module",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "swapon",
        "swapoff",
        "reboot",
        "quotactl",
        "acct",
        "iopl",
        "ioperm",
        "open_by_handle_at",
        "seccomp",
        "clone3",
        "syslog",
        "modify_ldt",
        "pidfd_getfd",
        "kcmp",
        "lookup_dcookie",
        "fanotify_init",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(syscall_number(bad[i]) >= 0);
        assert_false(policy_may_be_granted((uint32_t)syscall_number(bad[i])));
    }
    assert_true(policy_may_be_granted(SYS_sched_setscheduler));
    assert_true(policy_may_be_granted(SYS_kill)); /* but where signals reach others: policy_call_may_be_granted() */
}

/* ---- in words ------------------------------------------------------------------------------------------------------------------ */

static void what_cannot_be_had_there_is_not_advised(void **state)
{
    const uint64_t inet[6] = { AF_INET, SOCK_STREAM }, high[6] = { 0, 0, 5 };
    char text[CALL_TEXT];

    (void)state;
    policy_describe_call(AUDIT_ARCH_X86_64, SYS_socket, inet, "exec", POLICY_SHARED_SOCKETS | POLICY_SHARED_PIDS, text, sizeof(text));
    assert_null(strstr(text, "see --cap"));
    assert_non_null(strstr(text, "no network can be had here"));
    policy_describe_call(AUDIT_ARCH_X86_64, SYS_setpriority, high, "exec", POLICY_SHARED_PIDS, text, sizeof(text));
    assert_null(strstr(text, "--policy"));
    assert_non_null(strstr(text, "it can not be allowed: could reach processes"));
    policy_describe_call(AUDIT_ARCH_X86_64, SYS_setpriority, high, "exec", 0, text, sizeof(text));
    assert_non_null(strstr(text, "see --learn and --policy"));
}

static void a_call_is_described_so_that_its_owner_can_act(void **state)
{
    static const struct {
        uint32_t arch, nr;
        uint64_t args[6];
        const char *profile, *text;
    } rows[] = {
        {AUDIT_ARCH_X86_64,
         SYS_socket,                        { AF_INET, SOCK_STREAM, 0 },
         "exec",                                                                                                                 "socket(AF_INET, SOCK_STREAM, 0) is not in profile exec; see --cap net=loopback; no other network can be had"                },
        { AUDIT_ARCH_X86_64,
         SYS_socket,                        { AF_INET6 | 7ull << 32, SOCK_DGRAM | SOCK_CLOEXEC, 17 },
         "exec",                                                                                                                 "socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, 17) is not in profile exec; see --cap net=loopback; no other network can be had"  },
        { AUDIT_ARCH_X86_64,
         SYS_ptrace,                        { 16, 1 },
         "exec",                                                                                                                 "ptrace(PTRACE_ATTACH, 1, 0, 0) is not in profile exec; it can not be allowed: a job looks into no process; trace it outside"},
        { AUDIT_ARCH_X86_64,
         SYS_unshare,                       { CLONE_NEWUSER | CLONE_NEWNS },
         "exec",                                                                                                                 "unshare(CLONE_NEWNS|CLONE_NEWUSER) is not in profile exec; it can not be allowed: namespaces are the sandbox's own"         },
        { AUDIT_ARCH_X86_64, SYS_uselib,    { 1 },                                                                       "exec", "uselib(...) is not in profile exec; it can not be allowed"                                                                  },
        { AUDIT_ARCH_X86_64, SYS_vserver,   { 1 },                                                                       "exec", "vserver(...) is not in profile exec; see --learn and --policy"                                                              },
        { AUDIT_ARCH_X86_64, SYS_socket,    { AF_INET, SOCK_STREAM, 0 },                                                 "lua",  "socket(AF_INET, SOCK_STREAM, 0) is not in profile lua"                                                                      },
        { AUDIT_ARCH_X86_64,
         SYS_mmap,                          { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX },
         "lua",                                                                                                                  "mmap(0, 0x1000, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) is not in profile lua"                               },
        { AUDIT_ARCH_X86_64, SYS_mprotect,  { 4096, 1, PROT_NONE },                                                      "lua",  "mprotect(0x1000, 1, PROT_NONE) is not in profile lua"                                                                       },
        { AUDIT_ARCH_X86_64, SYS_openat,    { (uint64_t)-100, 0x7fff0000 },                                              "init", "openat(-100, 0x7fff0000, 0, 0) is not in profile init"                                                                      },
        { AUDIT_ARCH_X86_64, SYS_fork,      { 1, 2 },                                                                    "lua",  "fork() is not in profile lua"                                                                                               },
        { AUDIT_ARCH_X86_64, SYS_kill,      { UINT32_MAX, 9 },                                                           "lua",  "kill(-1, SIGKILL) is not in profile lua"                                                                                    },
        { AUDIT_ARCH_X86_64,
         SYS_clone,                         { 17 },
         "python",                                                                                                               "clone(17, 0, 0, 0, 0) is not in profile python; fork(): a script is one process; coop.interpreters and InterpreterPoolExe"  },
        { AUDIT_ARCH_X86_64,
         SYS_vfork,                         { CLONE_VM },
         "python-template",                                                                                                      "vfork() is not in profile python-template; fork(): a script is one process; "                                               },
        { AUDIT_ARCH_X86_64,
         SYS_execve,                        { 1, 2, 3 },
         "python",                                                                                                               "execve(1, 2, 3) is not in profile python; no program is started from in here: coop run --engine exec runs programs"         },
        { AUDIT_ARCH_X86_64, 20 | 1u << 30, { 0 },                                                                       "exec", "system call 20 of the foreign ABI x32: none of its calls is in a profile"                                                   },
        { AUDIT_ARCH_I386,   20,            { 0 },                                                                       "exec", "system call 20 of the foreign ABI i386: none of its calls is in a profile"                                                  },
        { 7,                 20,            { 0 },                                                                       "exec", "system call 20 of the foreign ABI unknown"                                                                                  },
    };
    char text[CALL_TEXT], small[16];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        policy_describe_call(rows[i].arch, rows[i].nr, rows[i].args, rows[i].profile, 0, text, sizeof(text));
        if (strncmp(text, rows[i].text, strlen(rows[i].text)) != 0)
            fail_msg("said   %s\nwanted %s", text, rows[i].text);
        policy_describe_call(rows[i].arch, rows[i].nr, rows[i].args, rows[i].profile, 0, small, sizeof(small));
        assert_int_equal(strlen(small), sizeof(small) - 1);
        policy_describe_call(rows[i].arch, rows[i].nr, rows[i].args, rows[i].profile, 0, small, 0);
    }
}

/* Nothing a worker says of its last call makes more than a line of it. */
static void every_call_with_any_arguments_fits_into_a_line(void **state)
{
    static const uint64_t worst[][6] = {
        {~0ull,                     ~0ull, ~0ull, ~0ull, ~0ull, ~0ull},
        { ~(unsigned long)CLONE_VM, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull}
    };
    static const char *const profiles[] = { "exec", "python-template" };
    char text[CALL_TEXT];

    (void)state;
    for (uint32_t i = 0; i < 4 * 1024; i++) {
        policy_describe_call(AUDIT_ARCH_X86_64, i / 4, worst[i % 2], profiles[i / 2 % 2], 0, text, sizeof(text));
        assert_true(strlen(text) > 0 && strlen(text) < sizeof(text) - 1);
        assert_null(strpbrk(text, "\n\033"));
    }
}

static void a_row_for_a_call_allows_this_call_and_can_be_read(void **state)
{
    static const uint64_t args[6] = { AF_INET | 9ull << 32, SOCK_STREAM, 0 };
    char line[POLICY_LINE];
    struct policy_text t;

    (void)state;
    policy_row_for_call(SYS_socket, args, "learned: 3 times", line, sizeof(line));
    assert_string_equal(line, "allow socket if family == AF_INET  # learned: 3 times");
    policy_row_for_call(SYS_quotactl, args, "learned", line, sizeof(line));
    assert_string_equal(line, "allow quotactl  # learned");
    for (uint32_t nr = 0; nr <= SYSCALL_NEWEST; nr++) {
        if (syscall_name(nr) == NULL)
            continue;
        policy_row_for_call(nr, args, "learned", line, sizeof(line));
        if (policy_text_read(line, &t, why) != 0)
            fail_msg("%s: %s", line, why);
        assert_int_equal(t.rows[0].nr, nr);
        assert_true(policy_row_holds(&t.rows[0], args));
        policy_text_finish(&t);
    }
    policy_row_for_call(1000, args, "learned", line, sizeof(line));
    assert_int_equal(line[0], '#');
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_every_profile_is_read_back_as_it_was),
        cmocka_unit_test(a_whole_profile_as_it_is_printed_can_be_read),
        cmocka_unit_test(any_condition_is_read_back_as_it_was),
        cmocka_unit_test(all_ways_to_say_a_condition_mean_what_they_say),
        cmocka_unit_test(a_file_of_rows_has_comments_and_empty_lines),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place_and_the_nearest_word),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(call_names_are_those_libseccomp_knows),
        cmocka_unit_test(a_word_has_one_value),
        cmocka_unit_test(rows_are_added_before_the_bases),
        cmocka_unit_test(what_helps_can_be_added),
        cmocka_unit_test(a_row_never_takes_away_what_the_base_allows),
        cmocka_unit_test(what_can_never_be_allowed_is_refused_with_its_reason),
        cmocka_unit_test(no_row_reaches_a_process_that_is_not_the_jobs),
        cmocka_unit_test(no_row_opens_system_v_ipc_or_message_queues),
        cmocka_unit_test(no_row_opens_what_the_tier_does_not_hold),
        cmocka_unit_test(no_row_is_added_where_the_filter_is_the_only_wall),
        cmocka_unit_test(what_may_be_granted_is_the_same_for_a_call_and_for_a_row),
        cmocka_unit_test(the_kinds_of_calls_that_are_never_granted),
        cmocka_unit_test(a_call_is_described_so_that_its_owner_can_act),
        cmocka_unit_test(what_cannot_be_had_there_is_not_advised),
        cmocka_unit_test(every_call_with_any_arguments_fits_into_a_line),
        cmocka_unit_test(a_row_for_a_call_allows_this_call_and_can_be_read),
    };

    return cmocka_run_group_tests_name("policy as text", tests, NULL, NULL);
}
