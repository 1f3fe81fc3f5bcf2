/* progress.c - see progress.h. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

enum { BAR = 30, LINE = 200 };

bool progress_wanted(const struct command *c)
{
    return status_wanted(c) && !c->opt.no_progress;
}

void progress_show(const struct progress *p)
{
    char line[LINE], bar[BAR + 1];
    int full = p->all > 0 ? (int)(p->ended * BAR / p->all) : BAR;

    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)full);
    bar[BAR] = '\0';
    snprintf(line, sizeof(line), "[%s] %llu of %llu ended", bar, (unsigned long long)p->ended, (unsigned long long)p->all);
    if (p->failed > 0)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), ", %llu badly", (unsigned long long)p->failed);
    if (p->running > 0)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), ", %llu run", (unsigned long long)p->running);
    status_line(line);
}

struct progress progress_of(const Pb__ArrayCounts *t)
{
    return (struct progress){
        .all = t->tasks, .ended = t->succeeded + t->failed + t->cancelled, .failed = t->failed + t->cancelled, .running = t->running
    };
}
