/*
 * bench_python.c - what Python costs in coop: starts, interpreters, tasklets, loops that compute, two cores; beside python3 and others.
 *
 * Side:    host. Starts brokers of its own, one after the other.
 * Usage:   bench_python [--tsv] [PART...]: parts by name, all without. --tsv: a line a figure: part, name, value, unit, ask, met or
 *          missed; tabs between.
 */
#include "bench/bench_python.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool tsv;

/* clang-format off */
static const struct part {
    const char *name, *title;
    void (*rows)(void);
} parts[] = {
    { "start",  "from nothing to the end of an empty script, as one types it",       py_start_rows  },
    { "interp", "interpreters that live, from a host program",                       py_interp_rows },
    { "turns",  "tasklets in a sealed job: CPU time",                                py_turns_rows  },
    { "memory", "what tasklets take of memory in a sealed job",                      py_memory_rows },
    { "pickle", "a tasklet to bytes and back in a sealed job: the clock on the wall", py_pickle_rows },
    { "loops",  "loops that compute: CPU time of a job's, beside python3's",         py_loops_rows  },
    { "cores",  "two scripts that compute, at once: work done in the time of one",   py_cores_rows  },
};
/* clang-format on */
static const struct part *part;

static const char *const ask_words[] = { [PY_NO_ASK] = "", [PY_AT_MOST] = "at most ", [PY_AT_LEAST] = "at least ", [PY_BELOW] = "below " };

static bool met(double value, enum py_ask kind, double ask)
{
    return kind == PY_AT_MOST ? value <= ask : kind == PY_AT_LEAST ? value >= ask : value < ask;
}

void py_row(const char *name, double value, const char *unit, enum py_ask kind, double ask)
{
    const char *verdict = kind == PY_NO_ASK ? "" : met(value, kind, ask) ? "met" : "MISSED";

    if (tsv)
        printf("%s\t%s\t%.3f\t%s\t%s%g\t%s\n", part->name, name, value, unit, ask_words[kind], ask, verdict);
    else if (kind == PY_NO_ASK)
        printf("  %-56s %10.2f %s\n", name, value, unit);
    else
        printf("  %-56s %10.2f %-5s  ask: %s%.5g, %s\n", name, value, unit, ask_words[kind], ask, verdict);
    fflush(stdout);
}

void py_peer(const char *peer, double value, const char *unit, double ours)
{
    if (tsv)
        printf("%s\t%s\t%.3f\t%s\t\tpeer\n", part->name, peer, value, unit);
    else
        printf("      %-52s %10.2f %-5s %8.2f times ours\n", peer, value, unit, value / ours);
    fflush(stdout);
}

void py_none(const char *peer, const char *why)
{
    if (tsv)
        printf("%s\t%s\t\t\t\t%s\n", part->name, peer, why);
    else
        printf("      %-52s %s\n", peer, why);
}

/* Of others' work too: on a machine that is busy all figures, the peers' as well, are some times what they are on a quiet one. */
static void say_load(const char *when)
{
    double load;

    if (!tsv && getloadavg(&load, 1) == 1)
        printf("load average %s: %.1f\n", when, load);
}

static bool wanted(const char *name, char **words)
{
    bool any = false;

    for (; *words != NULL; words++) {
        any = true;
        if (strcmp(*words, name) == 0)
            return true;
    }
    return !any;
}

int main(int argc, char **argv)
{
    bool any = false;

    (void)argc;
    host_init();
    tsv = argv[1] != NULL && strcmp(argv[1], "--tsv") == 0;
    argv += tsv ? 2 : 1;
    snprintf(py_coop, sizeof(py_coop), "%s/coop", host_build_dir);
    if (access(PYTHON, X_OK) != 0) {
        fprintf(stderr, "bench: " PYTHON " is not installed\n");
        return 1;
    }
    if (!tsv)
        printf("coop bench of Python: medians over rounds in which all take their turn, %ld cores\n", sysconf(_SC_NPROCESSORS_ONLN));
    say_load("before");
    for (part = parts; part < parts + sizeof(parts) / sizeof(parts[0]); part++) {
        if (!wanted(part->name, argv))
            continue;
        if (!tsv)
            printf("\n%s\n", part->title);
        part->rows();
        any = true;
    }
    if (!any)
        fprintf(stderr, "bench: no part has that name\n");
    say_load("after");
    return !any;
}
