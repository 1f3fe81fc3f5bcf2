/* hello.c - the smallest native job that does something: arguments, standard input, an exit code. */
#include <stdio.h>

#include <coop/native.h>

int coop_job(int argc, char **argv)
{
    char line[256];
    int lines = 0;

    printf("Hello, %s!\n", argc > 1 ? argv[1] : "world");
    while (fgets(line, sizeof(line), stdin) != NULL)
        printf("%d: %s", ++lines, line);
    return lines > 0 ? 0 : 1;
}
