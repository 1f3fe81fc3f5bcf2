/*
 * main.c - coopd: puts the parts together, runs the loop, leaves in order.
 *
 * Side:    broker. Only this file ends the process.
 * Exit:    0 asked to leave; 2 usage; 78 the configuration; 75 another broker is here or the store cannot be had; 77 a directory is not ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "broker/blobs.h"
#include "broker/broker.h"
#include "broker/config_file.h"
#include "broker/control_verbs.h"
#include "broker/descriptors.h"
#include "broker/doctor.h"
#include "broker/gate.h"
#include "broker/late_close.h"
#include "broker/logins.h"
#include "broker/notify.h"
#include "broker/kv.h"
#include "broker/orphans.h"
#include "broker/recovery.h"
#include "broker/store_care.h"
#include "broker/zygotes.h"
#include "coop/exit_codes.h"
#include "log.h"

enum { LINGER_US = 1000000 };

static struct broker broker; /* the one thing main owns; everybody else is handed a pointer */

/* ---- store ---- */

/* What its tenant has stored: as the transaction wrote it down. */
static void count_stored(struct broker *b, const struct store_op *op)
{
    struct tenant *t = op->status == 0 && op->counted.bytes != 0 ? tenants_find(&b->tenants, op->counted.tenant) : NULL;

    if (t != NULL)
        tenant_stored(t, op->counted.bytes);
}

static void handle_op(struct broker *b, struct store_op *op)
{
    count_stored(b, op);
    if (op->done != NULL)
        op->done(op);
    templates_stored(b, op);
    jobs_on_op(&b->jobs, op);
}

static void on_store(void *ctx)
{
    struct broker *b = ctx;
    struct store_op *op = store_collect(b->store), *next;

    for (; op != NULL; op = next) {
        next = op->next;
        handle_op(b, op);
        store_op_free(op);
    }
    broker_check_rest(b);
}

/* ---- its configuration ---- */

static void on_changed(void *ctx, const char *key, bool taken)
{
    (void)ctx;
    log_event(taken ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "config_changed", "key=%s taken=%s", key, taken ? "now" : "at_the_next_start");
}

/* What can be taken is; jobs go on, and those that wait may begin when there are more places now. */
static void reload(struct broker *b)
{
    char why[CONFIG_WHY];

    notify_say("RELOADING=1");
    if (config_reload(&b->config, on_changed, NULL, why) != 0) {
        log_event(LOG_LEVEL_ERROR, "config_refused", "why=\"%s\"", why);
        notify_say("READY=1\nSTATUS=the configuration was refused, the one before holds: %s", why);
        return;
    }
    notify_say("READY=1\nSTATUS=takes jobs on %s/control.sock", b->config.run_dir);
    log_event(LOG_LEVEL_INFO, "config_read", "file=%s", b->config.file);
    log_init("coopd", b->config.log_level);
    tls_front_reload(&b->tls);
    zygotes_check_config(b);
    tenants_check_config(&b->tenants);
    jobs_dispatch(&b->jobs);
    broker_check_rest(b);
}

/* ---- leaving ---- */

static void drain(struct broker *b)
{
    if (b->phase == BROKER_DRAINING) {
        log_event(LOG_LEVEL_WARN, "leaving", "why=\"asked twice\" running=%u", b->pool.busy);
        loop_stop(&b->loop);
        return;
    }
    log_event(LOG_LEVEL_INFO, "draining", "running=%u waiting=%u", b->pool.busy, b->jobs.waiting);
    b->phase = BROKER_DRAINING;
    notify_say("STOPPING=1\nSTATUS=draining: %u jobs run", b->pool.busy);
    templates_let_go(b, true);
    timers_arm(&b->loop.timers, &b->drain_timer, b->loop.now_us + b->config.drain_us);
    interps_drain(b);
    broker_check_rest(b);
}

static void on_drain_over(void *ctx)
{
    struct broker *b = ctx;

    log_event(LOG_LEVEL_WARN, "leaving", "why=\"drain time is over\" running=%u", b->pool.busy);
    loop_stop(&b->loop);
}

static void on_signal(void *ctx)
{
    struct broker *b = ctx;
    struct signalfd_siginfo s;

    if (read(b->signals.fd, &s, sizeof(s)) != sizeof(s))
        return;
    if (s.ssi_signo == SIGCHLD) {
        janitor_on_child(&b->janitor, &b->cgroups);
        tls_front_on_child(&b->tls);
        orphans_end(b);
    } else if (s.ssi_signo == SIGHUP) {
        reload(b);
    } else {
        drain(b);
    }
}

/* What is held begins with somebody's word only; everything else that has no receipt will begin by itself. */
static bool only_held(const struct jobs *j)
{
    return j->table.count == j->table.in_state[PB__STATE__STATE_HELD];
}

static int at_rest(const struct broker *b)
{
    return b->pool.busy == 0 && b->jobs.waiting == 0 && only_held(&b->jobs) &&
           HASH_COUNT(b->jobs.by_id) == b->interps.unstarted + templates_resting(b) && b->control.peer_count == 0 &&
           b->plans.crons.by_id == NULL && b->queues.count == b->queues.durable; /* what is in the others would be lost */
}

static void on_idle_over(void *ctx)
{
    struct broker *b = ctx;

    if (!at_rest(b))
        return;
    if (rep_starved(&b->control.socket)) { /* nobody says when it is over: a client that gave up was never seen */
        log_event(LOG_LEVEL_INFO, "staying", "why=\"clients wait that cannot be accepted\"");
        timers_arm(&b->loop.timers, &b->idle_timer, b->loop.now_us + b->config.idle_exit_us);
        return;
    }
    if (HASH_COUNT(b->jobs.by_id) > 0) { /* their ends bring us here again */
        templates_let_go(b, false);
        timers_arm(&b->loop.timers, &b->idle_timer, b->loop.now_us + LINGER_US);
        return;
    }
    log_event(LOG_LEVEL_INFO, "leaving", "why=idle");
    loop_stop(&b->loop);
}

/* Draining waits for what runs and for receipts on their way; waiting jobs and named interpreters stay in the store for the next broker. */
static int drained(const struct broker *b)
{
    unsigned resting, others;

    if (b->phase != BROKER_DRAINING || b->pool.busy > 0)
        return 0;
    resting = interps_resting(b, &others);
    return others == 0 && b->jobs.table.in_state[PB__STATE__STATE_FINISHING] == 0 &&
           HASH_COUNT(b->jobs.by_id) <= b->jobs.waiting + b->jobs.n_looked + resting;
}

static void on_linger_over(void *ctx)
{
    struct broker *b = ctx;

    loop_stop(&b->loop);
}

/* Whoever followed the last job is still to hear its end, and hangs up then; who stays on does not hold us for long. */
static void leave_when_heard(struct broker *b)
{
    if (b->control.peer_count == 0)
        loop_stop(&b->loop);
    else if (b->linger_timer.place == 0)
        timers_arm(&b->loop.timers, &b->linger_timer, b->loop.now_us + LINGER_US);
}

void broker_check_rest(struct broker *b)
{
    if (drained(b))
        leave_when_heard(b);
    if (b->config.idle_exit_us == 0)
        return;
    if (!at_rest(b))
        timers_cancel(&b->loop.timers, &b->idle_timer);
    else if (b->idle_timer.place == 0)
        timers_arm(&b->loop.timers, &b->idle_timer, b->loop.now_us + b->config.idle_exit_us);
}

/* ---- coming up ---- */

static void say_ready(struct broker *b, const char *word)
{
    if (strcmp(word, "ready\n") == 0)
        notify_say("READY=1\nSTATUS=takes jobs on %s/control.sock", b->config.run_dir);
    if (b->config.ready_fd < 0)
        return;
    if (write(b->config.ready_fd, word, strlen(word)) < 0)
        log_event(LOG_LEVEL_WARN, "ready_not_said", "error=\"%s\"", strerror(errno));
    close(b->config.ready_fd);
    b->config.ready_fd = -1;
}

static int lock_janitor(struct broker *b)
{
    int rc = janitor_lock(&b->janitor, b->places.run_dir);

    if (rc == -EBUSY)
        fprintf(stderr, "coopd: what an earlier broker of the run directory %s left is still being removed\n", b->config.run_dir);
    else if (rc != 0)
        fprintf(stderr, "coopd: run directory %s cannot be locked: %s\n", b->config.run_dir, strerror(-rc));
    return rc;
}

static void start_janitor(struct broker *b)
{
    int rc = janitor_start(&b->janitor, &b->cgroups);

    if (rc != 0)
        log_event(LOG_LEVEL_WARN, "no_janitor", "lost=\"what removes control groups when the broker is killed\" error=\"%s\"",
                  strerror(-rc));
}

static void start_tls_front(struct broker *b)
{
    int rc = tls_front_start(&b->tls);

    if (rc != 0)
        log_event(LOG_LEVEL_ERROR, "no_tls_front", "lost=\"requests over TLS\" error=\"%s\"", strerror(-rc));
}

/* One broker a run directory; the lock goes with the process, however it ends. */
static int lock_run_dir(struct broker *b)
{
    int fd = openat(b->places.run_dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        int rc = -errno;

        fprintf(stderr, "coopd: run directory %s: %s\n", b->config.run_dir, strerror(-rc));
        return rc;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return lock_janitor(b);
    fprintf(stderr, "coopd: another broker uses the run directory %s\n", b->config.run_dir);
    say_ready(b, "busy\n");
    return -EBUSY;
}

enum { UIDS_FEWEST = 2048 }; /* half of them may be spares': crew_spares() */

/* One for each that may live at once. What a reload makes of them later has to do with these. */
static uint32_t uids_wanted(const struct config *c)
{
    uint64_t n = (uint64_t)c->workers + c->interpreters + (uint64_t)c->pool * ENGINE_COUNT + TEMPLATES_ALIVE;

    return n < UIDS_FEWEST ? UIDS_FEWEST : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/*
 * What only root can do, then root no more. Nothing has been read that another user wrote, and there is one thread.
 */
static int take_places(struct broker *b)
{
    struct privilege *p = &b->privilege;
    char why[PLACES_WHY];
    const char *step;
    int rc = privilege_choose(p, b->config.user, why);

    b->places = (struct places){ .run_dir = -1, .state_dir = -1, .worker = -1 };
    if (rc == 0)
        rc = places_open(&b->places, &b->config, p, why);
    if (rc == 0)
        rc = tls_front_listen(&b->tls, &b->config, why); /* a port below 1024, and a key that is root's */
    if (rc != 0) {
        fprintf(stderr, "coopd: %s\n", why);
        return rc;
    }
    if (!p->was_root && (rc = lock_run_dir(b)) != 0) /* first: an earlier broker's janitor may be removing the groups we are to find */
        return rc;
    privilege_make_range(p, uids_wanted(&b->config));
    cgroup_open(&b->cgroups, b->config.run_dir, p->user.uid, b->config.cgroup);
    rc = privilege_give_up(p, &step);
    if (rc != 0) {
        fprintf(stderr, "coopd: root could not be given up, step %s: %s\n", step, strerror(-rc));
        return rc;
    }
    log_event(LOG_LEVEL_INFO, "cgroups", "kind=%s why=\"%s\"", cgroup_kind_names[b->cgroups.kind], b->cgroups.why);
    if (p->was_root)
        log_event(LOG_LEVEL_INFO, "root_given_up", "user=%s uid=%u worker_uids=%u", p->user.name, (unsigned)p->user.uid, p->ids);
    if (p->was_root && p->ids == 0)
        log_event(LOG_LEVEL_WARN, "no_worker_uids", "lost=\"a uid of its own for each worker\" why=\"%s\"", p->why_no_range);
    return p->was_root ? lock_run_dir(b)
                       : 0; /* root makes no file in another's directory, and its groups are not the janitor's to remove */
}

static int open_signals(struct broker *b)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) /* before the store starts its thread, which inherits it */
        return -errno;
    signal(SIGPIPE, SIG_IGN);
    b->signals = (struct loop_watch){ signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), on_signal, b };
    return b->signals.fd < 0 ? -errno : loop_add(&b->loop, &b->signals);
}

static int open_output_dir(struct broker *b)
{
    if (mkdirat(b->places.state_dir, "output", 0700) != 0 && errno != EEXIST)
        return -errno;
    b->output_dir = openat(b->places.state_dir, "output", O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return b->output_dir < 0 ? -errno : 0;
}

/* Those of the engines that every broker uses; the others come with their first job. */
static int start_zygotes(struct broker *b)
{
    for (int i = 0; i < ENGINE_COUNT; i++) {
        int rc = engine_table[i].on_demand ? 0 : zygote_start(b->crews[i].zygote);

        if (rc != 0) {
            log_event(LOG_LEVEL_ERROR, "zygote_failed", "worker=%s error=\"%s\"", b->config.worker, strerror(-rc));
            return rc;
        }
    }
    return 0;
}

static int refuse_store(struct broker *b, int rc, const char *why)
{
    if (rc == -EUCLEAN && why[0] != '\0') {
        log_event(LOG_LEVEL_ERROR, "store_refused", "dir=%s why=\"%s\"", b->config.state_dir, why);
        fprintf(stderr, "coopd: %s\n", why);
    }
    return rc;
}

static int open_parts(struct broker *b)
{
    char why[STORE_WHY] = "";
    int rc;

    tenants_init(&b->tenants, b);
    tokens_init(&b->tokens, b);
    logins_init(&b->logins, b);
    events_init(&b->events, b);
    plans_init(b);
    jobs_init(&b->jobs, b); /* before anything may fail: close_parts() takes them down */
    plans_init(b);
    pool_init(&b->pool, b);
    if ((rc = loop_init(&b->loop)) != 0 || (rc = open_signals(b)) != 0 || (rc = cgroup_start(&b->cgroups, &b->loop)) != 0)
        return rc;
    b->store_watch = (struct loop_watch){ store_event_fd(b->store), on_store, b };
    if ((rc = loop_add(&b->loop, &b->store_watch)) != 0)
        return rc;
    if ((rc = open_output_dir(b)) != 0 || (rc = work_dirs_open(&b->work_dirs, b->places.run_dir, &b->loop)) != 0 ||
        (rc = orphans_adopt()) != 0)
        return rc;
    b->idle_timer = (struct timer){ .fn = on_idle_over, .ctx = b };
    b->linger_timer = (struct timer){ .fn = on_linger_over, .ctx = b };
    b->drain_timer = (struct timer){ .fn = on_drain_over, .ctx = b };
    if ((rc = tenants_watch_clock(&b->tenants)) != 0 || (rc = recovery_tenants(b, why)) != 0 || (rc = blobs_open(b, why)) != 0 ||
        (rc = start_zygotes(b)) != 0 || (rc = recovery_rest(b, why)) != 0)
        return refuse_store(b, rc, why);
    tenants_check_config(&b->tenants);
    rc = control_open(&b->control, b);
    return rc == 0 ? tls_front_open(&b->tls, &b->loop, &b->control.socket) : rc;
}

static void close_parts(struct broker *b)
{
    tls_front_finish(&b->tls);
    plans_finish(b);
    store_requests_finish(b);
    control_close(&b->control);
    webhooks_finish(&b->webhooks);
    pool_finish(&b->pool);
    zygotes_finish(b);
    janitor_finish(&b->janitor, &b->cgroups);
    orphans_finish(b);
    work_dirs_close(&b->work_dirs);
    cgroup_close(&b->cgroups); /* after its processes' end */
    if (b->store != NULL && b->loop.epoll_fd >= 0)
        on_store(b); /* answers nobody any more, but jobs whose receipt is in are let go */
    plans_finish(b);
    jobs_finish(&b->jobs);
    plans_free(b);
    interps_finish(b);
    templates_finish(b);
    queues_finish(b);
    events_finish(&b->events);
    late_close_finish();
    logins_finish(&b->logins);
    tokens_finish(&b->tokens);
    tenants_finish(&b->tenants);
    store_close(b->store);
    blobs_finish(&b->blobs);
    kv_finish(b);
    unlinkat(b->places.run_dir, "control.sock", 0);
    if (b->output_dir >= 0)
        close(b->output_dir);
    privilege_finish(&b->privilege);
    places_close(&b->places);
    notify_close();
    config_finish(&b->config);
}

static int open_store(struct broker *b)
{
    char why[STORE_WHY];
    int rc = store_open_at(b->places.state_dir, b->config.state_dir, &b->store, why);

    if (rc == 0)
        return 0;
    log_event(LOG_LEVEL_ERROR, "store_refused", "dir=%s why=\"%s\"", b->config.state_dir, why);
    fprintf(stderr, "coopd: %s\n", why);
    if (rc == -EBUSY)
        say_ready(b, "busy\n");
    return rc;
}

int main(int argc, char **argv)
{
    struct broker *b = &broker;
    struct utsname uts;
    int rc;

    if (argc == 4 && strcmp(argv[1], TLS_FRONT_WORD) == 0)
        tls_front_be(argv[2], argv[3]);
    rc = config_parse(&b->config, argc, argv);
    if (rc != 0)
        return rc > 0 ? COOP_EXIT_OK : rc == -EBADF ? COOP_EXIT_CONFIG : COOP_EXIT_USAGE;
    if (b->config.doctor)
        return doctor_run(&b->config);
    if (b->config.store[0] != '\0')
        return store_care_run(&b->config);
    b->output_dir = -1;
    b->began_at = loop_clock_us();
    umask(077);
    prctl(PR_SET_DUMPABLE, 0); /* jobs' sources and secrets are in this memory */
    log_init("coopd", b->config.log_level);
    descriptors_raise(&b->config);
    notify_open();
    uname(&uts);
    snprintf(b->kernel, sizeof(b->kernel), "%.64s", uts.release);
    webhooks_init(&b->webhooks, b);
    rc = take_places(b);
    if (rc != 0)
        return rc == -EBUSY ? COOP_EXIT_TEMPORARY : rc == -EPERM || rc == -ENOTDIR ? COOP_EXIT_PERMISSION : COOP_EXIT_CONFIG;
    if (b->config.file[0] != '\0' && access(b->config.file, R_OK) != 0) /* root that was may have read it */
        log_event(LOG_LEVEL_WARN, "config_not_to_be_read_again", "file=%s lost=\"reload at SIGHUP\" error=\"%s\"", b->config.file,
                  strerror(errno));
    start_janitor(b); /* before there are threads, and anything of a job in our memory */
    start_tls_front(b);
    rc = open_store(b);
    if (rc != 0) {
        janitor_finish(&b->janitor, &b->cgroups);
        tls_front_finish(&b->tls);
    }
    if (rc != 0)
        return rc == -EPERM ? COOP_EXIT_PERMISSION : COOP_EXIT_TEMPORARY;
    rc = open_parts(b);
    if (rc == 0) {
        log_event(LOG_LEVEL_INFO, "ready", "control=%s/control.sock", b->config.run_dir);
        say_ready(b, "ready\n");
        broker_check_rest(b);
        rc = loop_run(&b->loop);
    }
    if (rc != 0)
        log_event(LOG_LEVEL_ERROR, "failed", "error=\"%s\"", strerror(-rc));
    close_parts(b);
    return rc == 0 ? COOP_EXIT_OK : rc == -EUCLEAN ? COOP_EXIT_TEMPORARY : COOP_EXIT_PLATFORM;
}
