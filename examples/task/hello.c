/*
 * hello.c - two tasklets take turns: spawn, yield, join.
 *
 *   make examples && build/debug/examples/task/hello
 *
 * Everything happens on one thread. A tasklet keeps the processor until it blocks, yields or returns, so between two calls of coop_*()
 * nobody else touches your data: no locks, no atomics.
 */
#include <stdio.h>
#include <string.h>

#include <coop/task.h>

/* A tasklet's function: one pointer in, one int out. A negative result means failure, like everywhere in coop. */
static int say(void *arg)
{
    const char *word = arg;

    for (int i = 1; i <= 3; i++) {
        printf("%s %d\n", word, i);
        coop_yield(); /* the others get their turn; then we go on here, with our stack as we left it */
    }
    return (int)strlen(word);
}

int main(void)
{
    coop_task *hello, *world;
    int a = 0, b = 0;
    int rc = coop_init(NULL); /* this thread can have tasklets now, and main() is the first of them */

    if (rc != 0) {
        fprintf(stderr, "hello: %s\n", strerror(-rc)); /* errors are negative errno values, returned; nothing sets errno */
        return 1;
    }
    rc = coop_spawn(&hello, say, "hello", NULL); /* only queued: it has not run yet */
    if (rc == 0)
        rc = coop_spawn(&world, say, "world", NULL);

    /* Main blocks here, and so the two run. Whoever asked for the task pointer joins it: that frees it and brings its result. */
    if (rc == 0)
        rc = coop_join(hello, &a, COOP_NEVER);
    if (rc == 0)
        rc = coop_join(world, &b, COOP_NEVER);
    printf("both have ended: %d and %d letters\n", a, b);

    /* Whatever were still alive would be cancelled and joined by this. */
    return coop_finish() == 0 && rc == 0 ? 0 : 1;
}
