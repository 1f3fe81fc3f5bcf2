/* peers.c - runs the peers' programs and keeps their figures. */
#include "bench/peers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIGURES = 64, WORD = 32, TEXT = 96, LINE = 256 };

static const struct peer {
    const char *program; /* in bench/peers/ */
    const char *name;
    const char *packages; /* that it is built from; rules.mk looks for the same */
} peers[] = {
    {"ucontext", "swapcontext(3)", "libc6-dev"               },
    { "lua",     "Lua",            "liblua5.4-dev"           },
    { "boost",   "Boost.Context",  "g++ libboost-context-dev"},
    { "st",      "libst",          "libst-dev"               },
    { "go",      "Go",             "golang-go"               },
};

static struct figure {
    char operation[WORD], what[TEXT];
    double value;
} figures[FIGURES];
static size_t n_figures;

static void keep(const struct peer *p, const char *line)
{
    struct figure *f = &figures[n_figures];

    if (n_figures == FIGURES || sscanf(line, "%31[^\t]\t%lf\t%95[^\n]", f->operation, &f->value, f->what) != 3) {
        fprintf(stderr, "bench_task: %s: no place for, or no sense in: %s", p->program, line);
        exit(1);
    }
    n_figures++;
}

/* The folder that this program is in. */
static void own_folder(char *ret, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", ret, size - 1);

    if (n <= 0) {
        perror("bench_task: /proc/self/exe");
        exit(1);
    }
    ret[n] = '\0';
    *strrchr(ret, '/') = '\0';
}

static void run(const struct peer *p, const char *path)
{
    char line[LINE], command[4400];
    FILE *f;

    snprintf(command, sizeof(command), "exec '%s'", path);
    f = popen(command, "re");
    if (f == NULL) {
        fprintf(stderr, "bench_task: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    while (fgets(line, sizeof(line), f) != NULL)
        keep(p, line);
    if (pclose(f) != 0) {
        fprintf(stderr, "bench_task: %s failed\n", path);
        exit(1);
    }
}

void peers_run(void)
{
    char folder[4096], path[4200];

    own_folder(folder, sizeof(folder));
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        snprintf(path, sizeof(path), "%s/peers/%s", folder, peers[i].program);
        if (access(path, X_OK) == 0)
            run(&peers[i], path);
        else
            printf("  %s: not installed: apt-get install %s\n", peers[i].name, peers[i].packages);
    }
}

void peers_show(const char *operation, double ours, const char *unit)
{
    for (size_t i = 0; i < n_figures; i++)
        if (strcmp(figures[i].operation, operation) == 0)
            printf("      %-52s %9.1f %-5s %7.1f times ours\n", figures[i].what, figures[i].value, unit, figures[i].value / ours);
}
