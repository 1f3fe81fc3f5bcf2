/*
 * halting_worker.c - coop-worker with halt.so in it, for coopd --worker: a zygote is given no environment, so this puts it there.
 *
 * Side: tests. Beside the program, in the file "halting", stand one a line: the path of halt.so, of the area, of coop-worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/halt/halt.h"

enum { LINE = 4096 };

static void read_line(FILE *f, char into[LINE])
{
    if (f == NULL || fgets(into, LINE, f) == NULL)
        _exit(121);
    into[strcspn(into, "\n")] = '\0';
}

int main(int argc, char **argv)
{
    char self[LINE], library[LINE], area[LINE], worker[LINE], preload[LINE + 16], variable[LINE + 32];
    char *env[] = { preload, variable, (char[]){ HALT_ENV_ROLE "=zygote" }, NULL };
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 16);
    FILE *f;

    (void)argc;
    if (n < 0)
        return 121;
    self[n] = '\0';
    strcpy(strrchr(self, '/'), "/halting");
    f = fopen(self, "re");
    read_line(f, library);
    read_line(f, area);
    read_line(f, worker);
    (void)fclose(f);
    (void)snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
    (void)snprintf(variable, sizeof(variable), HALT_ENV_AREA "=%s", area);
    (void)execve(worker, argv, env);
    return 121;
}
