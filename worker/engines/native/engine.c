/* engine.c - see engine.h: one module, one coop_job(), one outcome. */
#include "worker/engines/native/engine.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "frame.h"
#include "job_limits.h"
#include "worker/engines/native/inside_spec.h"
#include "worker/engines/native/interp.h"
#include "worker/engines/native/life.h"
#include "worker/engines/native/load.h"
#include "worker/engines/native/stdio.h"
#include "worker/engines/native/turns.h"
#include "worker/output.h"
#include "worker/serve.h"
#include "worker/task/threads.h"

enum { TRACE_DEPTH = 8 };

static struct {
    bool running;    /* from the first tenant byte on */
    bool ended;      /* coop_job() has returned, or was never called: outcome says how */
    bool deadlocked; /* main was told so */
    struct outcome outcome;
    char trace[OUTCOME_TRACEBACK + 1]; /* who waited for what, at the deadlock */
    size_t trace_len;
} native;

/* ---- before the job ------------------------------------------------------------------------------------------------------------- */

/* What a job may need and a sealed worker cannot find. One that this machine does not have is missed by the job that needs it. */
static const char *const libraries[] = { "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6" };

static void pause_for_ever(void)
{
    (void)ppoll(NULL, 0, NULL, NULL);
}

/*
 * exit() calls these two last, in this order, after whatever the job has registered: they were there before it. Two, because a destructor
 * may call exit() again, which goes on with the handlers that are left, and with another code.
 */
static void run_destructors(int status, void *arg)
{
    static atomic_flag once = ATOMIC_FLAG_INIT;

    (void)status;
    (void)arg;
    if (!native.running)
        return; /* the zygote itself */
    while (!native.ended && task_group() != NULL && atomic_flag_test_and_set(&once))
        pause_for_ever(); /* another thread has called exit() too */
    fflush(stdout);       /* not all there is: somebody may be reading stdin, with its lock */
    fflush(stderr);
    if (task_group() == NULL)
        load_close(); /* else others are still in the code that this would unmap */
}

static void tell_end(int status, void *arg)
{
    struct outcome *o = &native.outcome;

    (void)arg;
    if (!native.running)
        return;
    fflush(stdout);
    if (!native.ended || o->kind == PB__RESULT_KIND__RESULT_KIND_EXIT) {
        o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
        o->exit_code = status & 0xff;
    }
    serve_finish(o);
}

static int native_prepare(void)
{
    int rc = on_exit(tell_end, NULL) == 0 && on_exit(run_destructors, NULL) == 0 ? stdio_replace() : -ENOMEM;

    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]) && rc == 0; i++)
        (void)dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    return rc;
}

_Static_assert((int)NATIVE_THREADS == (int)THREADS_MAX, "a descriptor of either kind for each thread");

/* The descriptors of the threads have numbers that the filter knows. */
static int make_thread_states(unsigned threads)
{
    const struct coop_options options = { .threads = threads };

    threads_descriptors = NATIVE_EPOLLS;
    return coop_init(&options);
}

static int native_open(unsigned threads)
{
    int rc = load_open();

    return rc == 0 ? make_thread_states(threads) : rc;
}

/* ---- its end -------------------------------------------------------------------------------------------------------------------- */

static void say(const char *text)
{
    output_write(PB__STREAM__STREAM_STDERR, text, strlen(text));
    output_write(PB__STREAM__STREAM_STDERR, "\n", 1);
}

void life_fail(const char *type, const char *message, const char *trace)
{
    struct outcome *o = &native.outcome;

    o->kind = PB__RESULT_KIND__RESULT_KIND_EXCEPTION;
    outcome_text(o->type, sizeof(o->type), type, strlen(type));
    outcome_text(o->message, sizeof(o->message), message, strlen(message));
    outcome_text(o->traceback, sizeof(o->traceback), trace, strlen(trace));
    fflush(stdout);
    say(o->message);
    if (trace[0] != '\0')
        say(o->traceback);
}

/* A frame that has no symbol is told by its file: only the job's own says something to its author. */
static bool is_foreign_frame(const char *line)
{
    return strncmp(line, "    /", 5) == 0 && strncmp(line + 5, load_name(), strlen(load_name())) != 0;
}

static void keep_line(void *ctx, const char *line)
{
    size_t left = sizeof(native.trace) - native.trace_len;
    int n;

    (void)ctx;
    if (is_foreign_frame(line))
        return;
    n = snprintf(native.trace + native.trace_len, left, "%s%s", native.trace_len > 0 ? "\n" : "", line);
    if (n > 0)
        native.trace_len += (size_t)n < left ? (size_t)n : left - 1;
}

/* Main is told -EDEADLK next, and may know what to do. If the job then ends badly, this is why. */
static void on_deadlock(void)
{
    native.deadlocked = true;
    native.trace_len = 0;
    native.trace[0] = '\0';
    sched_describe(keep_line, NULL, TRACE_DEPTH);
}

static void judge(int result, bool deadlocked)
{
    struct outcome *o = &native.outcome;
    char text[160];

    if (serve_cancelled()) {
        o->kind = PB__RESULT_KIND__RESULT_KIND_CANCELLED;
    } else if (result != 0 && deadlocked) {
        life_fail("Deadlock", "Deadlock: every tasklet is blocked, and nothing can wake one.", native.trace);
    } else if (result < 0 || result > 255) {
        snprintf(text, sizeof(text), "coop_job() returned %d%s%s%s, which is no exit code: those are 0 to 255", result,
                 result < 0 ? " (" : "", result < 0 ? strerror(-result) : "", result < 0 ? ")" : "");
        life_fail("ExitCode", text, "");
    } else {
        o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
        o->exit_code = result;
    }
}

/* The job's own handlers come first; tell_end() is the last. */
_Noreturn void life_end(void)
{
    native.ended = true;
    if (native.outcome.kind == PB__RESULT_KIND__RESULT_KIND_NONE)
        native.outcome.kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    exit(native.outcome.exit_code);
}

void life_end_tasklets(void)
{
    struct coop_stats s;
    char text[96];

    if (sched == NULL || coop_finish() != -EBUSY)
        return;
    coop_get_stats(&s);
    snprintf(text, sizeof(text), "%zu tasklets did not end when they were cancelled", s.alive);
    fflush(stdout);
    say(text);
}

/* ---- the job -------------------------------------------------------------------------------------------------------------------- */

/* The job's for as long as the process lives. NULL: no memory. */
static char **make_argv(const Pb__JobSpec *spec)
{
    char **argv = calloc(spec->n_args + 2, sizeof(*argv));

    if (argv == NULL)
        return NULL;
    argv[0] = spec->source_name;
    for (size_t i = 0; i < spec->n_args; i++) {
        argv[i + 1] = frame_text(&spec->args[i]);
        if (argv[i + 1] == NULL)
            return NULL;
    }
    return argv;
}

static int make_environment(const Pb__JobSpec *spec)
{
    for (size_t i = 0; i < spec->n_env; i++) {
        char *value = frame_text(&spec->env[i]->value);

        if (value == NULL || setenv(spec->env[i]->name, value, 1) != 0)
            return -ENOMEM;
        free(value);
    }
    return 0;
}

static void run_entry(load_entry entry, int argc, char **argv)
{
    bool deadlocked;
    int result;

    result = entry(argc, argv);
    deadlocked = native.deadlocked;
    life_end_tasklets();
    judge(result, deadlocked);
}

const char *life_deadlock(void)
{
    bool deadlocked = native.deadlocked;

    native.deadlocked = false;
    return deadlocked ? native.trace : NULL;
}

bool life_begin(const Pb__JobSpec *spec, char ***ret_argv)
{
    char **argv = make_argv(spec);

    if (argv == NULL || make_environment(spec) != 0)
        return false;
    if (sched != NULL) {
        threads_set_max(spec->limits->tasklets);
        sched->on_deadlock = on_deadlock;
        inside_begin();
    }
    inside_spec_own(spec->source.data, spec->source.len, spec->source_name);
    turns_watch();
    sched_no_descriptors = true;
    program_invocation_name = program_invocation_short_name = spec->source_name; /* who a failed assert() says it is */
    native.running = true;
    *ret_argv = argv;
    return true;
}

bool life_load(const Pb__JobSpec *spec)
{
    char why[OUTCOME_MESSAGE];

    if (load_module(spec->source_name, spec->source.data, spec->source.len, why, sizeof(why)) == 0)
        return true;
    life_fail("LoadError", why, "");
    return false;
}

static load_entry find_entry(void)
{
    char why[OUTCOME_MESSAGE];
    load_entry entry;

    *(void **)&entry = load_symbol("coop_job");
    if (entry == NULL) {
        snprintf(why, sizeof(why), "%s has no coop_job(): a job defines int coop_job(int argc, char **argv), see coop/native.h",
                 load_name());
        life_fail("LoadError", why, "");
    }
    return entry;
}

static void native_run(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    load_entry entry;
    char **argv;

    if (!life_begin(spec, &argv)) {
        ret_o->kind = PB__RESULT_KIND__RESULT_KIND_OOM;
        return;
    }
    if (life_load(spec) && (entry = find_entry()) != NULL)
        run_entry(entry, (int)spec->n_args + 1, argv);
    life_end();
}

/* ---- from signal handlers ------------------------------------------------------------------------------------------------------- */

static void native_cancel(void)
{
    if (sched != NULL)
        sched_interrupt(sched);
}

/* abort() sends itself a signal, which a filter made for all workers cannot tell from one to another process. So it is told instead. */
static _Noreturn void aborted(void)
{
    native.outcome.kind = PB__RESULT_KIND__RESULT_KIND_ABORTED;
    serve_finish(&native.outcome);
}

static bool native_answer(long nr, const uint64_t args[6], long *ret_result)
{
    if (nr == SYS_tgkill && (int)args[2] == SIGABRT)
        aborted();
    return load_answer(nr, args, ret_result) || stdio_answer(nr, args, ret_result);
}

static const char *native_place(uintptr_t address, uintptr_t *ret_offset)
{
    return load_holds(address, ret_offset) ? load_name() : NULL;
}

/* clang-format off */
const struct engine native_engine = {
    .name = "native",
    .version = "x86-64",
    .prepare = native_prepare,
    .open = native_open,
    .run = native_run,
    .cancel = native_cancel,
    .preempt = turns_slice,
    .answer = native_answer,
    .place = native_place,
    .interp = &native_interp,
    .file_bytes = LIMITS_SOURCE,
    .slack_bytes = ENGINE_SLACK,
};
/* clang-format on */
