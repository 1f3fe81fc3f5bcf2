/* plain.c - the smallest job. The build makes broken ones of it: needing a library that is not there, with a stack that is executable. */
#include <coop/native.h>

int coop_job(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}
