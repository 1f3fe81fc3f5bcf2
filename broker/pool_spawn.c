/* pool_spawn.c - see pool.h: the orders to make a worker's process: for any job, to be a template, and by one. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/pool_own.h"
#include "broker/templates.h"
#include "log.h"

enum { BOOT_US = 20000000 }; /* fork to hello; an overloaded machine is slow, a hung seal is for ever */

/* A control group for those that may be several processes. Without one the broker samples (watch.h), which their receipts say. */
static struct cgroup_leaf *leaf_for(const struct crew *c)
{
    struct cgroups *g = &c->broker->cgroups;
    struct cgroup_leaf *leaf;

    if (!c->engine->runs_programs || g->kind == CGROUP_NONE)
        return NULL;
    leaf = cgroup_take(g);
    if (leaf == NULL)
        log_event(LOG_LEVEL_ERROR, "cgroup_failed", "error=\"%s\"", strerror(errno));
    return leaf;
}

/* -1: it needs none. */
static int work_dir_for(struct worker *w)
{
    int fd;

    if (!pool_gives_dir(w->crew))
        return -1;
    fd = work_dirs_make(&w->broker->work_dirs, w->id);
    w->has_work_dir = fd >= 0;
    if (fd < 0)
        log_event(LOG_LEVEL_ERROR, "work_dir_failed", "error=\"%s\"", strerror(-fd)); /* its worker will say so, too */
    return fd >= 0 ? fd : -1;
}

/* Nobody knows it yet. Returns rc. */
static int give_up(struct worker *w, int rc)
{
    pool_set_phase(w, WORKER_ENDING);
    pool_worker_free(w);
    return rc;
}

/* A record with a link, whose other end is *ret_fd. */
static int make(struct crew *c, unsigned threads, enum worker_role role, const struct worker *of, struct worker **ret_w, int *ret_fd)
{
    int rc = pool_worker_new(&c->broker->pool, c, threads, role, of, ret_w);

    if (rc != 0)
        return rc;
    rc = pool_worker_link(*ret_w, ret_fd);
    return rc == 0 ? 0 : give_up(*ret_w, rc);
}

/* Its process is asked for. The order's descriptors are closed. */
static int boot(struct worker *w, struct zygote_order order)
{
    struct loop *loop = &w->broker->loop;
    int rc = timers_arm(&loop->timers, &w->deadline, loop->now_us + BOOT_US);

    order.worker = w->id;
    order.token = w->token;
    order.uid = w->uid_inside;
    order.threads = w->threads;
    if (rc == 0)
        rc = zygote_spawn(w->zygote, &order);
    close(order.link_fd);
    if (order.work_dir >= 0)
        close(order.work_dir);
    return rc == 0 ? 0 : give_up(w, rc);
}

int pool_spawn_plain(struct crew *c, unsigned threads)
{
    struct worker *w;
    int fd, rc = make(c, threads, WORKER_PLAIN, NULL, &w, &fd);

    if (rc != 0)
        return rc;
    w->leaf = leaf_for(c);
    return boot(w, (struct zygote_order){ .link_fd = fd, .leaf = w->leaf, .work_dir = work_dir_for(w) });
}

int pool_spawn_template(struct template *t)
{
    struct worker *w;
    int fd, rc = make(&t->crew, 1, WORKER_TEMPLATE, NULL, &w, &fd);

    if (rc != 0)
        return rc;
    rc = link_know_writer(&w->link);
    if (rc == 0)
        rc = den_new(&t->broker->cgroups, &w->den);
    if (rc != 0) {
        close(fd);
        return give_up(w, rc);
    }
    rc = boot(w, (struct zygote_order){ .link_fd = fd, .leaf = den_leaf(w->den), .work_dir = -1, .children = TEMPLATE_CHILDREN });
    if (rc == 0)
        t->worker = w;
    return rc;
}

int pool_new_child(struct template *t, struct worker **ret_w, int *ret_fd)
{
    struct worker *w;
    int rc = make(&t->crew, 1, WORKER_FORKED, t->worker, &w, ret_fd);

    if (rc != 0)
        return rc;
    rc = link_know_writer(&w->link);
    if (rc != 0) {
        close(*ret_fd);
        return give_up(w, rc);
    }
    w->den = den_enter(t->worker->den);
    *ret_w = w;
    return 0;
}
