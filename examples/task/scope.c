/*
 * scope.c - a scope: tasklets that end together. One of three fails, the others are cancelled, and nobody is left behind.
 *
 * Without a scope a tasklet may outlive the function that made it, with pointers into its stack. A scope is closed before the function
 * returns, and closing waits for all of its children: what was lent to them is the function's own again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <coop/task.h>

enum { MS = 1000 };

struct download {
    const char *name;
    int parts;    /* to fetch, one each 10 ms */
    int fails_at; /* 0: never */
    int fetched;  /* written by the child, read by the parent once it has ended */
};

static int fetch(void *arg)
{
    struct download *d = arg;

    while (d->fetched < d->parts) {
        int rc = coop_sleep_until(coop_after(10 * MS));

        if (rc == -ECANCELED)
            printf("%s: cancelled, tidying up\n", d->name); /* blocking calls keep failing from here on, until we return */
        if (rc != 0)
            return rc;
        d->fetched++;
        if (d->fetched == d->fails_at)
            return -ECONNRESET; /* below 0: a failure. The scope notes it, and cancels the siblings. */
    }
    printf("%s: done\n", d->name);
    return 0;
}

static void report(coop_scope *s)
{
    const struct coop_failure *list;
    size_t n = coop_scope_failures(s, &list);

    for (size_t i = 0; i < n; i++)
        printf("failed: %s (tasklet %llu): %s\n", list[i].name, (unsigned long long)list[i].task, strerror(-list[i].result));
}

/* 0, or the first failure. When it returns, all downloads have ended, one way or the other. */
static int fetch_all(struct download *d, size_t n)
{
    coop_scope *s;
    int rc = coop_scope_new(&s, coop_after(2000 * MS)); /* the deadline is for all of them together */

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct coop_attr attr = { .name = d[i].name, .scope = s };

        rc = coop_spawn(NULL, fetch, &d[i], &attr);
    }
    if (rc == 0)
        rc = coop_scope_join(s, COOP_NEVER); /* all have ended; gives the first failure */
    report(s);
    (void)coop_scope_close(s); /* also on the way of an error: it cancels who is left, waits for their end, and frees the scope */
    return rc;
}

int main(void)
{
    struct download d[] = {
        {"small",   2,  0, 0},
        { "broken", 9,  4, 0},
        { "large",  50, 0, 0},
    };
    int rc = coop_init(NULL);

    if (rc != 0)
        return 1;
    rc = fetch_all(d, sizeof(d) / sizeof(d[0]));
    printf("together: %s\n", rc == 0 ? "ok" : strerror(-rc));
    for (size_t i = 0; i < sizeof(d) / sizeof(d[0]); i++)
        printf("%-6s %2d of %2d parts\n", d[i].name, d[i].fetched, d[i].parts);
    return coop_finish() == 0 && rc == -ECONNRESET ? 0 : 1; /* this example is right when it has failed in the right way */
}
