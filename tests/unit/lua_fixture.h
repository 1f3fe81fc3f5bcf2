/*
 * lua_fixture.h - a Lua script as a job, in a forked, unsealed worker whose link ends in the test; and what came of it.
 *
 * Side:    tests.
 * Owned: what run() returns belongs to the fixture; teardown() frees it.
 */
#ifndef TESTS_LUA_FIXTURE_H
#define TESTS_LUA_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "worker/engines/lua/engine.h"
#include "worker/link.h"
#include "worker/serve.h"
#include "worker/signals.h"
#include "worker/walls.h"

enum { MIB = 1 << 20 };

/* A job and what came of it. Fields of spec may be changed before run(). */
struct job {
    Pb__JobSpec spec;
    Pb__Limits limits;
    Pb__Module modules[4], *module_list[4];
    Pb__EnvVar var, *var_list[1];
    ProtobufCBinaryData args[4];
    struct told_how how;
    struct told t;
};

static inline int setup(void **state)
{
    static struct job j;

    memset(&j, 0, sizeof(j));
    pb__job_spec__init(&j.spec);
    pb__limits__init(&j.limits);
    j.limits.stdout_bytes = j.limits.stderr_bytes = MIB;
    j.limits.memory_bytes = 32 * MIB;
    j.limits.cpu_us = 60 * 1000000; /* serve() sets RLIMIT_CPU from it */
    j.spec.limits = &j.limits;
    j.spec.source_name = (char *)"script.lua";
    *state = &j;
    return 0;
}

static inline int teardown(void **state)
{
    told_finish(&((struct job *)*state)->t);
    return 0;
}

static inline void add_module(struct job *j, const char *name, const char *source)
{
    Pb__Module *m = &j->modules[j->spec.n_modules];

    pb__module__init(m);
    m->name = (char *)name;
    m->source.data = (uint8_t *)source;
    m->source.len = strlen(source);
    j->module_list[j->spec.n_modules++] = m;
    j->spec.modules = j->module_list;
}

static inline void add_arg(struct job *j, const char *text)
{
    j->args[j->spec.n_args++] = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
    j->spec.args = j->args;
}

static inline void run_bytes(struct job *j, const char *source, size_t len)
{
    int pair[2];
    pid_t pid;

    j->spec.source.data = (uint8_t *)source;
    j->spec.source.len = len;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(pair[0]);
        link_use(pair[1]);
        if (signals_install() != 0 || lua_engine.prepare() != 0 || lua_engine.open(1) != 0)
            _exit(99);
        serve(&lua_engine);
    }
    close(pair[1]);
    told_assign(pair[0], &j->spec);
    told_listen(pair[0], pid, &j->how, &j->t);
    close(pair[0]);
}

static inline struct told *run(void *state, const char *source)
{
    struct job *j = state;

    run_bytes(j, source, strlen(source));
    return &j->t;
}

static inline void expect_output(void *state, const char *source, const char *out)
{
    struct told *t = run(state, source);

    assert_string_equal(t->err, "");
    assert_string_equal(t->out, out);
    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_EXIT);
    assert_int_equal(t->exit_code, 0);
}

static inline void expect_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

static inline void expect_exception(struct told *t, const char *type, const char *part)
{
    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_EXCEPTION);
    assert_string_equal(t->type, type);
    expect_contains(t->message, part);
    expect_contains(t->err, part);
}

static inline void cancel_within(struct job *j, const char *source)
{
    struct timespec a, b;

    j->how.term_after_ms = 50;
    clock_gettime(CLOCK_MONOTONIC, &a);
    run(j, source);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_CANCELLED);
    assert_true(b.tv_sec - a.tv_sec < 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
