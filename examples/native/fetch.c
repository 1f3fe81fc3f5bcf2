/* fetch.c - a scope: three tasklets work, one fails, the others are cancelled, and the scope says whose fault it was. */
#include <errno.h>
#include <stdio.h>

#include <coop/native.h>

struct work {
    const char *what;
    int ms, result;
};

static int fetch(void *arg)
{
    const struct work *w = arg;
    int rc = coop_sleep_until(coop_after(w->ms * 1000));

    printf("%s: %s\n", w->what, rc == -ECANCELED ? "cancelled" : w->result < 0 ? "failed" : "done");
    return rc != 0 ? rc : w->result;
}

int coop_job(int argc, char **argv)
{
    static struct work all[] = {
        {"fast",    1,       0   },
        { "broken", 20,      -EIO},
        { "slow",   1000000, 0   }
    };
    const struct coop_failure *list;
    coop_scope *scope;
    size_t n;

    (void)argc;
    (void)argv;
    if (coop_scope_new(&scope, COOP_NEVER) != 0)
        return 1;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (coop_spawn(NULL, fetch, &all[i], &(struct coop_attr){ .name = all[i].what, .scope = scope }) != 0)
            return 1;
    (void)coop_scope_join(scope, COOP_NEVER);
    n = coop_scope_failures(scope, &list);
    for (size_t i = 0; i < n; i++)
        printf("failure of %s: %d\n", list[i].name, list[i].result);
    coop_scope_close(scope);
    return n == 1 ? 0 : 1;
}
