/* python_proc.c - see bench_python.h: processes that are timed, processes that answer, and what is made of samples. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_python.h"

extern char **environ;
char py_coop[PY_PATH];

const char *py_script(char path[PY_PATH], const char *name)
{
    snprintf(path, PY_PATH, "%s/bench/python/%s", host_build_dir, name);
    return path;
}

void py_begin(const char *pool)
{
    const char *args[] = { "--pool", pool, NULL };

    if (!host_broker_start(args))
        host_die("coopd did not become ready", -EIO);
}

static pid_t launch(const char *const *argv, int in, int out)
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    int rc;

    posix_spawn_file_actions_init(&files);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&files, in, 0);
    else
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&files, out, 1);
    else
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    rc = posix_spawn(&pid, argv[0], &files, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc != 0)
        host_die(argv[0], -rc);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            host_die("waitpid", -errno);
    return status;
}

double py_time(const char *const *argv)
{
    double start = host_now_us();

    if (wait_for(launch(argv, -1, -1)) == 0)
        return host_now_us() - start;
    fprintf(stderr, "bench: %s %s did not end with 0\n", argv[0], argv[1]);
    host_broker_stop();
    exit(1);
}

/* ---- processes that answer -------------------------------------------------------------------------------------------------------- */

bool py_answerer_start(struct py_answerer *p, const char *const *argv)
{
    int to[2], from[2];

    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        host_die("pipe", -errno);
    p->pid = launch(argv, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    p->to = fdopen(to[1], "we");
    p->from = fdopen(from[0], "re");
    return p->to != NULL && p->from != NULL;
}

bool py_answerer_plain(struct py_answerer *p, const char *script, const char *arg)
{
    char path[PY_PATH];
    const char *const argv[] = { PYTHON, "-I", py_script(path, script), arg, NULL };

    return py_answerer_start(p, argv);
}

bool py_answerer_sealed(struct py_answerer *p, const char *script, const char *const *modules)
{
    return py_answerer_limited(p, "cpu=10m,wall=20m,memory=512M", script, modules);
}

bool py_answerer_limited(struct py_answerer *p, const char *limits, const char *script, const char *const *modules)
{
    char path[PY_PATH], files[4][PY_PATH];
    const char *argv[PY_WORDS] = { py_coop, "--endpoint", host_url, "run", "--limit", limits };
    int n = 6;

    for (int i = 0; modules[i] != NULL && i < 4; i++) {
        argv[n++] = "--file";
        argv[n++] = py_script(files[i], modules[i]);
    }
    argv[n++] = py_script(path, script);
    argv[n] = NULL;
    return py_answerer_start(p, argv);
}

void py_say(struct py_answerer *p, const char *line)
{
    if (fprintf(p->to, "%s\n", line) < 0 || fflush(p->to) != 0)
        host_die(line, -errno);
}

double py_hear(struct py_answerer *p)
{
    char line[128];

    if (fgets(line, sizeof(line), p->from) != NULL)
        return strtod(line, NULL);
    fprintf(stderr, "bench: a script ended without an answer\n");
    host_broker_stop();
    exit(1);
}

double py_ask(struct py_answerer *p, const char *line)
{
    py_say(p, line);
    return py_hear(p);
}

void py_answerer_end(struct py_answerer *p)
{
    fclose(p->to);
    (void)wait_for(p->pid);
    fclose(p->from);
}

bool py_has_greenlet(void)
{
    static const char probe[] = "import importlib.util; print(int(importlib.util.find_spec('greenlet') is not None))";
    const char *const find[] = { PYTHON, "-I", "-c", probe, NULL };
    struct py_answerer python;
    bool there;

    if (!py_answerer_start(&python, find))
        host_die(PYTHON, -EIO);
    there = py_hear(&python) != 0;
    py_answerer_end(&python);
    return there;
}

/* ---- samples ------------------------------------------------------------------------------------------------------------------------ */

void py_add(struct py_samples *s, double value)
{
    if (s->n < PY_ROUNDS_MAX)
        s->v[s->n++] = value;
}

double py_at(const struct py_samples *s, double percentile)
{
    struct py_samples sorted = *s;

    return host_percentile(sorted.v, sorted.n, percentile);
}

double py_median(const struct py_samples *s)
{
    return py_at(s, 0.5);
}

double py_ratio(const struct py_samples *a, const struct py_samples *b)
{
    struct py_samples ratio = { .n = 0 };

    for (size_t i = 0; i < a->n && i < b->n; i++)
        py_add(&ratio, a->v[i] / b->v[i]);
    return py_median(&ratio);
}
