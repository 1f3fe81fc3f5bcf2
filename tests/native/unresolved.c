/* unresolved.c - a job that calls a function nobody has. */
#include <coop/native.h>

int nobody_has_this_function(void);

int coop_job(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return nobody_has_this_function();
}
