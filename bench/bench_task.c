/*
 * bench_task.c - what a tasklet costs, a row an operation: the figure, what was asked of it, and below it the same by others in this run.
 *
 * The rows are in bench/rows_*.c, the peers in bench/peers/, the method in bench/measure.h.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <coop/task.h>

#include "bench/peers.h"
#include "bench/rows.h"
#include "worker/task/switch.h"

static const struct bench_group *const groups[] = { &bench_switch, &bench_chan, &bench_life, &bench_hibernate };

void bench_must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_task: %s\n", strerror(-rc));
    exit(1);
}

/* Bytes that may still be used without swapping. */
static size_t available(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/meminfo", "re");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "MemAvailable: %lu", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return (size_t)kib << 10;
}

/* The child: its tasklets end with it. */
static void child(const struct bench_row *row, int out)
{
    const struct coop_options all_stay = { .hibernate_above = SIZE_MAX };
    double figure;

    bench_must(coop_init(&all_stay));
    figure = row->op != NULL ? measure(row->op) : row->value();
    _exit(write(out, &figure, sizeof(figure)) == sizeof(figure) ? 0 : 1);
}

static double figure_of(const struct bench_row *row)
{
    double figure;
    int out[2];
    pid_t pid;

    fflush(stdout);
    if (pipe(out) != 0 || (pid = fork()) < 0) {
        perror("bench_task");
        exit(1);
    }
    if (pid == 0)
        child(row, out[1]);
    close(out[1]);
    if (read(out[0], &figure, sizeof(figure)) != sizeof(figure)) {
        fprintf(stderr, "bench_task: %s: failed\n", row->name);
        exit(1);
    }
    close(out[0]);
    waitpid(pid, NULL, 0);
    return figure;
}

static void show(const struct bench_row *row)
{
    double figure;

    if (row->needs > available()) {
        printf("  %-56s skipped: it needs %zu MiB of memory\n", row->name, row->needs >> 20);
        return;
    }
    figure = figure_of(row);
    printf("  %-56s %9.1f %-5s", row->name, figure, row->unit);
    if (row->ask > 0)
        printf("  ask: %-6g %s", row->ask, figure <= row->ask ? "met" : "MISSED");
    printf("\n");
    if (row->peers != NULL)
        peers_show(row->peers, figure, row->unit);
}

int main(void)
{
    printf("tasklets: medians of %d rounds, switch by %s\n", MEASURE_ROUNDS, switch_name);
    peers_run();
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        printf("\n%s\n", groups[i]->title);
        for (const struct bench_row *row = groups[i]->rows; row->name != NULL; row++)
            show(row);
    }
    return 0;
}
