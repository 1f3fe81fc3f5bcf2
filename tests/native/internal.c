/* internal.c - a job that calls what the interpreter has inside, and does not offer. */
#include <stddef.h>

#include <coop/native.h>

void link_send_packed(const void *bytes, size_t len);

int coop_job(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    link_send_packed("", 0);
    return 0;
}
