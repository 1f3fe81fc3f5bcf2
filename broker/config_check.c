/* config_check.c - what a value names is looked up, as a start would; see config_own.h. Nothing is changed, and nobody is let in. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/config_own.h"
#include "broker/places.h"
#include "broker/privilege.h"
#include "broker/store_care.h"
#include "broker/tls_front.h"
#include "broker_user.h"

struct finding {
    const struct config *config;
    unsigned faults;
};

__attribute__((format(printf, 2, 3))) static void fault(struct finding *f, const char *fmt, ...)
{
    va_list ap;

    f->faults++;
    fputs("coopd: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* The address, the two files, and that they belong together. The port may be in use: by the broker that runs. */
static void look_at_listener(struct finding *f)
{
    char why[TLS_FRONT_WHY];

    if (tls_front_check(f->config, why) != 0)
        fault(f, "%s", why);
}

static void look_at_user(struct finding *f)
{
    char why[PRIVILEGE_WHY];
    struct broker_user user;
    struct privilege p;

    if (f->config->user[0] == '\0')
        return;
    if (geteuid() == 0 && privilege_choose(&p, f->config->user, why) != 0)
        fault(f, "%s", why);
    else if (geteuid() != 0 && broker_user_find(f->config->user, NULL, &user) == -ENOENT) /* who checks it need not be who starts it */
        fault(f, "--user %.60s: there is no such user", f->config->user);
}

static void look_at_views(struct finding *f)
{
    char why[PLACES_WHY];

    if (places_check_views(f->config, why) != 0)
        fault(f, "%s", why);
}

/* No fault: it may be made later. Where the jobs are cannot be read, or are not there yet, nothing is said. */
static void look_at_tenants(const struct config *c)
{
    for (unsigned i = 0; i < c->uid_tenants.n; i++)
        if (store_has_tenant(c->state_dir, c->uid_tenants.row[i].name) == 0)
            fprintf(stderr, "coopd: warning: uid-tenant %u: there is no tenant '%s': that user is refused until coop tenant create %s\n",
                    c->uid_tenants.row[i].uid, c->uid_tenants.row[i].name, c->uid_tenants.row[i].name);
}

int config_look(const struct config *c)
{
    struct finding f = { .config = c };

    look_at_listener(&f);
    look_at_user(&f);
    look_at_views(&f);
    look_at_tenants(c);
    return f.faults == 0 ? 0 : -EBADF;
}
