/* test_job_caps.c - capabilities of a spec: how they are written, what is refused in which words, what a child may have of its parent's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"
#include "job_caps.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define GRANT        PB__RIGHT__RIGHT_GRANT

static void said(int got, const char *why, int rc, const char *words)
{
    if (got != rc || strstr(why, words) == NULL)
        fail_msg("got %d and '%s', wanted %d and '%s'", got, why, rc, words);
    assert_true(frame_is_utf8(why, strlen(why)));
    for (const char *p = why; *p != '\0'; p++)
        assert_true((unsigned char)*p >= 0x20);
    assert_true(strlen(why) < JOB_CAPS_WHY - 1); /* not cut off */
}

/* Caps one after another, ended by NULL. */
static int read_caps(const char *engine, const char *const *list, struct job_caps *ret, char why[JOB_CAPS_WHY])
{
    Pb__JobSpec s = PB__JOB_SPEC__INIT;

    why[0] = '\0';
    s.engine = (char *)engine;
    s.caps = (char **)list;
    while (list[s.n_caps] != NULL)
        s.n_caps++;
    return job_caps_read(&s, ret, why);
}

static void must_read(const char *const *list, struct job_caps *ret)
{
    char why[JOB_CAPS_WHY];

    if (read_caps("lua", list, ret, why) != 0)
        fail_msg("%s", why);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void one_is_refused_in_words_that_say_what_is_wrong(void **state)
{
    static const struct {
        const char *cap, *words;
    } bad[] = {
        {"",                                   "unknown capability ''; known: net=loopback, proc, packages, interpreters[=N]"},
        { "nett",                              "did you mean 'net'?"                                                         },
        { "porc",                              "did you mean 'proc'?"                                                        },
        { "interpreter",                       "did you mean 'interpreters'?"                                                },
        { "everything",                        "unknown capability 'everything'; known"                                      },
        { "net",                               "wants a value: net=loopback"                                                 },
        { "net=",                              "not to be had as ''"                                                         },
        { "net=all",                           "not to be had as 'all', only as 'net=loopback'"                              },
        { "net=loopback ",                     "not to be had as"                                                            },
        { "proc=ro",                           "takes no value, so 'ro' is too much"                                         },
        { "proc=",                             "takes no value"                                                              },
        { "=x",                                "unknown capability ''"                                                       },
        { "PROC",                              "unknown capability 'PROC'"                                                   },
        { "net\x1b=x",                         "unknown capability '?'"                                                      },
        { "net=loopback,proc",                 "is more than one capability"                                                 },
        { "file=conf",                         "grants that by a name"                                                       },
        { "interpreters=",                     "'' is not a number"                                                          },
        { "interpreters=0",                    "from 1 to 10000"                                                             },
        { "interpreters=10001",                "from 1 to 10000"                                                             },
        { "interpreters=-1",                   "'-1' is not a number"                                                        },
        { "interpreters=1x",                   "'1x' is not a number"                                                        },
        { "interpreters=99999999999999999999", "is not a number"                                                             },
        { "queues=4097",                       "from 1 to 4096"                                                              },
        { "buffers=",                          "'' is not a size"                                                            },
        { "buffers=lots",                      "'lots' is not a size"                                                        },
        { "buffers=1",                         "from 4K to 16G"                                                              },
        { "buffers=17G",                       "from 4K to 16G"                                                              },
        { "queue",                             "wants a value: queue=NAME:send|recv|both"                                    },
        { "queue=jobs",                        "does not say which right; write queue=NAME:send|recv|both"                   },
        { "queue=:send",                       "the name is empty"                                                           },
        { "queue=jobs:",                       "there is no right ''"                                                        },
        { "queue=jobs:rw",                     "there is no right 'rw'; write queue=NAME:send|recv|both"                     },
        { "queue=a\nb:send",                   "no control characters"                                                       },
        { "interp=calc:manage",                "there is no right 'manage'; write interp=NAME:call"                          },
        { "kv=app/:both",                      "there is no right 'both'; write kv=PREFIX:ro|rw"                             },
        { "kv=:rw",                            "the name is empty"                                                           },
        { "template",                          "wants a value: template=NAME[@VERSION]"                                      },
        { "template=",                         "has 1 to 128 bytes"                                                          },
        { "template=@1",                       "has 1 to 128 bytes"                                                          },
        { "template=a\nb",                     "no control characters"                                                       },
        { "template=a@",                       "'' is not a version"                                                         },
        { "template=a@0",                      "'0' is not a version"                                                        },
        { "template=a@01",                     "'01' is not a version"                                                       },
        { "template=a@1x",                     "'1x' is not a version"                                                       },
        { "template=a@1@2",                    "'1@2' is not a version"                                                      },
        { "template=a@99999999999",            "is not a version"                                                            },
    };
    char why[JOB_CAPS_WHY];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        said(job_cap_check(bad[i].cap, why), why, -EINVAL, bad[i].words);
}

/* Names cut for a message are cut between letters, and messages keep their bounds. */
static void a_long_one_is_told_by_its_beginning(void **state)
{
    char why[JOB_CAPS_WHY], text[1024];

    (void)state;
    for (unsigned n = 1; n < 300; n++) {
        text[0] = '\0';
        for (unsigned i = 0; i < n; i++)
            strcat(text, "\xe2\x82\xac");
        said(job_cap_check(text, why), why, -EINVAL, "unknown capability '\xe2\x82\xac");
        memmove(text + 6, text, strlen(text) + 1);
        memcpy(text, "queue=", 6);
        said(job_cap_check(text, why), why, -EINVAL, "which right");
        strcat(text, ":send");
        if (3 * n <= JOB_CAP_NAME)
            assert_int_equal(job_cap_check(text, why), 0);
        else
            said(job_cap_check(text, why), why, -EINVAL, "at most 256 bytes");
    }
}

static void every_row_has_help_and_a_reason_and_is_listed(void **state)
{
    char why[JOB_CAPS_WHY], all[JOB_CAPS_WHY], buf[JOB_CAP_SPELLING];

    (void)state;
    said(job_cap_check("no-such-capability", all), all, -EINVAL, "known: ");
    for (size_t i = 0; i < job_cap_count; i++) {
        const struct job_cap *c = &job_cap_table[i];

        assert_true(c->help[0] != '\0' && c->not_theirs[0] != '\0');
        said(-EINVAL, all, -EINVAL, job_cap_spelling(c, buf));
        if (c->optional)
            assert_int_equal(job_cap_check(c->name, why), 0);
    }
}

/* A job of a template may leave it to that; what the caps mean is judged when it is known. */
static void an_engine_that_is_not_said_yet_is_no_reason_to_refuse_one(void **state)
{
    static const char *const all[] = { "packages", "queues", "net=loopback", NULL };
    char why[JOB_CAPS_WHY];
    struct job_caps c;

    (void)state;
    assert_int_equal(read_caps("", all, &c, why), 0);
    assert_true(c.packages);
    job_caps_finish(&c);
}

static void the_meaning_is_kept(void **state)
{
    struct job_caps c;

    (void)state;
    must_read(LIST("interpreters"), &c);
    assert_int_equal(c.interpreters, JOB_CAP_INTERPRETERS);
    assert_int_equal(c.queues, 0);
    assert_int_equal(c.buffer_bytes, 0);
    job_caps_finish(&c);
    must_read(LIST("interpreters=100", "queues", "buffers=1M", "queue=a:b:send", "queue=in:both", "interp=calc:call", "kv=app/:ro"), &c);
    assert_int_equal(c.interpreters, 100);
    assert_int_equal(c.queues, JOB_CAP_QUEUES);
    assert_int_equal(c.buffer_bytes, 1 << 20);
    assert_int_equal(c.n_grants, 4);
    assert_string_equal(c.grants[0].name, "a:b"); /* the last colon is ours */
    assert_int_equal(c.grants[0].rights, PB__RIGHT__RIGHT_SEND | GRANT);
    assert_int_equal(c.grants[1].rights, PB__RIGHT__RIGHT_SEND | PB__RIGHT__RIGHT_RECV | GRANT);
    assert_int_equal(c.grants[2].kind, PB__KIND__KIND_INTERP);
    assert_int_equal(c.grants[3].rights, PB__RIGHT__RIGHT_READ | GRANT);
    job_caps_finish(&c);
    job_caps_finish(&c); /* harmless */
}

static void none_is_asked_for_twice_and_each_is_for_its_engine(void **state)
{
    struct {
        const char *engine;
        const char *caps[3];
        const char *words;
    } bad[] = {
        {"lua",     { "queues", "queues=3" },           "'queues=3' is asked for twice"                                             },
        { "lua",    { "queue=a:send", "queue=a:recv" }, "'queue=a:recv' is asked for twice"                                         },
        { "exec",   { "proc", "proc" },                 "'proc' is asked for twice"                                                 },
        { "lua",    { "net=loopback" },                 "'lua' cannot have the capability 'net': its policy has no network calls"   },
        { "native", { "net=loopback" },                 "'native' cannot have the capability 'net'"                                 },
        { "native", { "proc" },                         "'native' cannot have the capability 'proc'"                                },
        { "exec",   { "interpreters" },                 "'exec' cannot have the capability 'interpreters': a program makes no calls"},
        { "exec",   { "kv=a:rw" },                      "'exec' cannot have the capability 'kv'"                                    },
        { "lua",    { "queues", "kv=a" },               "which right"                                                               },
        { "lua",    { "template=a", "template=a" },     "'template=a' is asked for twice"                                           },
        { "exec",   { "template=a" },                   "'exec' cannot have the capability 'template'"                              },
    };
    char why[JOB_CAPS_WHY];
    struct job_caps c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        said(read_caps(bad[i].engine, bad[i].caps, &c, why), why, -EINVAL, bad[i].words);
        assert_null(c.grants);
        assert_int_equal(c.queues, 0); /* nothing of it counts */
    }
    assert_int_equal(read_caps("exec", LIST("proc", "net=loopback"), &c, why), 0);
    assert_true(c.proc && c.net_loopback);
    job_caps_finish(&c);
    must_read(LIST("queue=a:send", "queue=b:send", "interp=a:call", "kv=a:ro"), &c); /* the same name, another kind */
    job_caps_finish(&c);
}

/* Of what is made from a template the command does not know the engine: the broker does, and asks again. */
static void of_no_engine_nothing_is_asked_and_an_unknown_one_is_refused(void **state)
{
    struct job_caps c = { 0 };
    char why[JOB_CAPS_WHY];

    (void)state;
    assert_int_equal(read_caps("", LIST("packages", "interpreters"), &c, why), 0);
    assert_true(c.packages);
    job_caps_finish(&c);
    said(read_caps("pyhton", LIST("packages"), &c, why), why, -EINVAL, "unknown engine 'pyhton'");
    said(read_caps("x\x1b", LIST("queues"), &c, why), why, -EINVAL, "unknown engine '?'");
}

static void there_is_a_bound_on_how_many(void **state)
{
    char text[JOB_CAPS_MAX + 1][32], why[JOB_CAPS_WHY];
    const char *list[JOB_CAPS_MAX + 2] = { NULL };
    struct job_caps c;

    (void)state;
    for (int i = 0; i <= JOB_CAPS_MAX; i++) {
        snprintf(text[i], sizeof(text[i]), "queue=q%d:send", i);
        list[i] = text[i];
    }
    said(read_caps("lua", list, &c, why), why, -EINVAL, "65 capabilities are too many: at most 64");
    list[JOB_CAPS_MAX] = NULL;
    must_read(list, &c);
    assert_int_equal(c.n_grants, JOB_CAPS_MAX);
    job_caps_finish(&c);
}

static void a_grant_is_found_by_the_name_it_covers(void **state)
{
    struct job_caps c;

    (void)state;
    must_read(LIST("queue=in:recv", "kv=app/:ro", "kv=app/own/:rw", "interp=in:call"), &c);
    assert_ptr_equal(job_caps_grant(&c, PB__KIND__KIND_QUEUE, "in", 0), &c.grants[0]);
    assert_ptr_equal(job_caps_grant(&c, PB__KIND__KIND_INTERP, "in", 0), &c.grants[3]);
    assert_null(job_caps_grant(&c, PB__KIND__KIND_QUEUE, "i", 0));
    assert_null(job_caps_grant(&c, PB__KIND__KIND_QUEUE, "inn", 0));
    assert_null(job_caps_grant(&c, PB__KIND__KIND_BUFFER, "in", 0));
    assert_ptr_equal(job_caps_grant(&c, PB__KIND__KIND_KV, "app/x", 0), &c.grants[1]);
    assert_ptr_equal(job_caps_grant(&c, PB__KIND__KIND_KV, "app/own/x", 0), &c.grants[2]); /* the longest */
    assert_ptr_equal(job_caps_grant(&c, PB__KIND__KIND_KV, "app/own/x", PB__RIGHT__RIGHT_WRITE), &c.grants[2]);
    assert_null(job_caps_grant(&c, PB__KIND__KIND_KV, "app/x", PB__RIGHT__RIGHT_WRITE));
    assert_null(job_caps_grant(&c, PB__KIND__KIND_KV, "app", 0));
    assert_null(job_caps_grant(&c, PB__KIND__KIND_KV, "", 0));
    job_caps_finish(&c);
}

static void a_child_has_nothing_that_its_parent_has_not(void **state)
{
    static const struct {
        const char *child, *words; /* words NULL: allowed */
    } rows[] = {
        {"interpreters=3",     NULL                                                           },
        { "interpreters=4",    "more of the capability 'interpreters' (4) than its parent (3)"},
        { "queues=2",          NULL                                                           },
        { "queues=3",          "more of the capability 'queues'"                              },
        { "buffers=4K",        "more of the capability 'buffers'"                             },
        { "queue=in:recv",     NULL                                                           },
        { "queue=in:both",     "queue=in with rights that its parent has not"                 },
        { "queue=out:recv",    "queue=out with rights"                                        },
        { "kv=app/:ro",        NULL                                                           },
        { "kv=app/x/:ro",      NULL                                                           },
        { "kv=app/own/:rw",    NULL                                                           },
        { "kv=app/own/x:ro",   NULL                                                           },
        { "kv=app/:rw",        "kv=app/ with rights"                                          },
        { "kv=ap:ro",          "kv=ap with rights"                                            },
        { "interp=calc:call",  NULL                                                           },
        { "interp=other:call", "interp=other with rights"                                     },
    };
    struct job_caps parent, child, none = { 0 };
    char why[JOB_CAPS_WHY];

    (void)state;
    must_read(LIST("interpreters=3", "queues=2", "queue=in:recv", "kv=app/:ro", "kv=app/own/:rw", "interp=calc:call"), &parent);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        must_read(LIST(rows[i].child), &child);
        why[0] = '\0';
        said(job_caps_within(&child, &parent, why), why, rows[i].words == NULL ? 0 : -EINVAL, rows[i].words == NULL ? "" : rows[i].words);
        assert_int_equal(job_caps_within(&child, &none, why), -EINVAL);
        job_caps_finish(&child);
    }
    assert_int_equal(job_caps_within(&none, &none, why), 0);
    assert_int_equal(job_caps_within(&none, &parent, why), 0);
    assert_int_equal(job_caps_within(&parent, &parent, why), 0);
    parent.grants[0].revoked = true; /* a child would have it anew */
    must_read(LIST("queue=in:recv"), &child);
    said(job_caps_within(&child, &parent, why), why, -EINVAL, "queue=in with rights");
    job_caps_finish(&child);
    job_caps_finish(&parent);
}

static void a_template_is_had_by_its_name_in_every_version_or_by_one(void **state)
{
    static const struct {
        const char *name;
        bool has;
    } rows[] = {
        {"warm",     true },
        { "warm@1",  true },
        { "warm@77", true },
        { "cold@3",  true },
        { "own@2",   true }, /* of the spec itself */
        { "cold",    false}, /* the newest may be another */
        { "cold@30", false},
        { "cold@03", false},
        { "own",     false},
        { "own@3",   false},
        { "war",     false},
        { "warmer",  false},
        { "",        false},
        { "@1",      false},
    };
    const char *list[] = { "template=warm", "template=cold@3" };
    Pb__JobSpec s = PB__JOB_SPEC__INIT, child_spec = PB__JOB_SPEC__INIT;
    struct job_caps c, child, none = { 0 };
    char why[JOB_CAPS_WHY];

    (void)state;
    s.engine = child_spec.engine = (char *)"lua";
    s.template_ = (char *)"own@2";
    s.caps = (char **)list;
    s.n_caps = 2;
    assert_int_equal(job_caps_read(&s, &c, why), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(job_caps_template(&c, rows[i].name), rows[i].has);
        assert_false(job_caps_template(&none, rows[i].name));
        if (rows[i].name[0] == '\0')
            continue;
        child_spec.template_ = (char *)rows[i].name;
        assert_int_equal(job_caps_read(&child_spec, &child, why), 0);
        assert_int_equal(job_caps_within(&child, &c, why), rows[i].has ? 0 : -EINVAL);
        said(job_caps_within(&child, &none, why), why, -EINVAL, "which its parent has not");
        job_caps_finish(&child);
    }
    job_caps_finish(&c);
}

static void a_spec_is_asked_by_name(void **state)
{
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    char *caps[] = { "proc", "net=loopback" };

    (void)state;
    s.caps = caps;
    s.n_caps = 2;
    assert_true(job_has_cap(&s, "proc"));
    assert_true(job_has_cap(&s, "net"));
    assert_false(job_has_cap(&s, "pro"));
    assert_false(job_has_cap(&s, "network"));
    s.n_caps = 1;
    assert_false(job_has_cap(&s, "net"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_refused_in_words_that_say_what_is_wrong),
        cmocka_unit_test(a_long_one_is_told_by_its_beginning),
        cmocka_unit_test(every_row_has_help_and_a_reason_and_is_listed),
        cmocka_unit_test(an_engine_that_is_not_said_yet_is_no_reason_to_refuse_one),
        cmocka_unit_test(the_meaning_is_kept),
        cmocka_unit_test(none_is_asked_for_twice_and_each_is_for_its_engine),
        cmocka_unit_test(of_no_engine_nothing_is_asked_and_an_unknown_one_is_refused),
        cmocka_unit_test(there_is_a_bound_on_how_many),
        cmocka_unit_test(a_grant_is_found_by_the_name_it_covers),
        cmocka_unit_test(a_child_has_nothing_that_its_parent_has_not),
        cmocka_unit_test(a_template_is_had_by_its_name_in_every_version_or_by_one),
        cmocka_unit_test(a_spec_is_asked_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
