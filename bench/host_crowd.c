/* host_crowd.c - see host_crowd.h. */
#include "bench/host_crowd.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const Pb__Reply *crowd_ask(struct coop_client *c, Pb__Request *q, struct frame *reply)
{
    struct coop_error why;
    const Pb__Reply *r;
    int rc = ask_broker(c, q, ASK_TIMEOUT_US, reply, &why);

    if (rc != 0)
        host_die(why.message, rc);
    r = (const Pb__Reply *)reply->msg;
    if (r->body_case == PB__REPLY__BODY_ERROR) {
        fprintf(stderr, "bench: %s\n", r->error->message);
        host_broker_stop();
        exit(1);
    }
    return r;
}

bool crowd_is_possible(void)
{
    return geteuid() == 0;
}

/* This thread alone, and only while it connects. */
static void become(uid_t uid)
{
    if (syscall(SYS_setresuid, -1, uid, -1) != 0)
        host_die("setresuid", -errno);
}

struct coop_client *crowd_client(unsigned uid)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__GetVersion version = PB__GET_VERSION__INIT;
    struct coop_client *c;
    struct frame reply;

    if (uid == 0)
        return host_client_new();
    become(uid);
    c = host_client_new();
    q.body_case = PB__REQUEST__BODY_VERSION;
    q.version = &version;
    (void)crowd_ask(c, &q, &reply); /* it connects with its first request */
    frame_release(&reply);
    become(0);
    return c;
}

/* ---- tenants ---- */

static void set_tenant(struct coop_client *operator, unsigned uid, Pb__Tenant *tenant, char **mask, size_t n_mask)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__TenantSet set = PB__TENANT_SET__INIT;
    struct frame reply;
    char name[32];

    snprintf(name, sizeof(name), "uid-%u", uid);
    tenant->name = name;
    set.tenant = tenant;
    set.mask = mask;
    set.n_mask = n_mask;
    q.body_case = PB__REQUEST__BODY_TENANT_SET;
    q.tenant_set = &set;
    (void)crowd_ask(operator, & q, &reply);
    frame_release(&reply);
}

void crowd_set_tenant(struct coop_client *operator, unsigned uid, double weight, bool quotas)
{
    char *mask[] = { "weight",
                     "quota.max_running",
                     "quota.max_queued",
                     "quota.submit_per_s",
                     "quota.cpu_s_per_day",
                     "quota.mib_s_per_day",
                     "quota.stored_bytes" };
    Pb__Tenant tenant = PB__TENANT__INIT;
    Pb__Quota quota = PB__QUOTA__INIT;

    quota.max_running = 1000;
    quota.max_queued = 10000000;
    quota.submit_per_s = 100000;
    quota.cpu_s_per_day = quota.mib_s_per_day = 1000000000;
    quota.stored_bytes = UINT64_C(1) << 40;
    tenant.weight = weight;
    tenant.quota = &quota;
    set_tenant(operator, uid, &tenant, mask, quotas ? sizeof(mask) / sizeof(mask[0]) : 1);
}

void crowd_shut(struct coop_client *operator, unsigned uid, bool shut)
{
    char *mask[] = { "quota.max_running" }, *nothing[] = { "max_running" };
    Pb__Tenant tenant = PB__TENANT__INIT;
    Pb__Quota quota = PB__QUOTA__INIT;

    quota.nothing = nothing;
    quota.n_nothing = shut;
    tenant.quota = &quota;
    set_tenant(operator, uid, &tenant, mask, 1);
}

const Pb__Tenant *crowd_tenant(struct coop_client *operator, unsigned uid, struct frame *reply)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__TenantGet get = PB__TENANT_GET__INIT;
    const Pb__Reply *r;
    char name[32];

    snprintf(name, sizeof(name), "uid-%u", uid);
    get.name = name;
    q.body_case = PB__REQUEST__BODY_TENANT_GET;
    q.tenant_get = &get;
    r = crowd_ask(operator, & q, reply);
    if (r->body_case != PB__REPLY__BODY_TENANTS || r->tenants->n_tenants != 1)
        host_die(name, -ENOENT);
    return r->tenants->tenants[0];
}

/* ---- submits ---- */

void crowd_noop(Pb__JobSpec *ret_spec)
{
    pb__job_spec__init(ret_spec);
    ret_spec->engine = "lua";
    ret_spec->source_name = "noop.lua";
    ret_spec->source = (ProtobufCBinaryData){ 8, (uint8_t *)"return 0" };
}

static void end_submit(struct coop_op **op)
{
    struct coop_error why;
    struct frame reply;
    int rc;

    (void)coop_op_wait(*op, ASK_TIMEOUT_US);
    rc = ask_end(op, &reply, &why);
    if (rc == 0)
        rc = ask_check(&reply, PB__REPLY__BODY_SUBMIT, &why);
    if (rc != 0) {
        fprintf(stderr, "bench: submit: %s\n", why.message);
        host_broker_stop();
        exit(1);
    }
    frame_release(&reply);
}

void crowd_submit(struct coop_client *c, Pb__JobSpec *spec, unsigned n)
{
    enum { UNDER_WAY = 256 };
    struct coop_op *ops[UNDER_WAY] = { NULL };
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Submit submit = PB__SUBMIT__INIT;
    struct coop_error why;

    submit.spec = spec;
    q.body_case = PB__REQUEST__BODY_SUBMIT;
    q.submit = &submit;
    for (unsigned i = 0; i < n + UNDER_WAY; i++) {
        struct coop_op **op = &ops[i % UNDER_WAY];
        int rc;

        if (*op != NULL)
            end_submit(op);
        if (i >= n)
            continue;
        rc = ask_begin(c, &q, ASK_TIMEOUT_US, op, &why);
        if (rc != 0)
            host_die(why.message, rc);
    }
}

/* ---- jobs a second ---- */

struct runner {
    pthread_t thread;
    struct coop_client *client;
    unsigned jobs;
};

static void *run_jobs(void *arg)
{
    struct runner *r = arg;
    Pb__JobSpec spec;

    crowd_noop(&spec);
    for (unsigned i = 0; i < r->jobs; i++)
        (void)host_job(r->client, &spec);
    return NULL;
}

double crowd_rate(struct coop_client *const *clients, unsigned n, unsigned jobs_each)
{
    struct runner *r = calloc(n, sizeof(*r));
    double start = host_now_us();

    if (r == NULL)
        host_die("memory", -ENOMEM);
    for (unsigned i = 0; i < n; i++) {
        r[i].client = clients[i];
        r[i].jobs = jobs_each;
        if (pthread_create(&r[i].thread, NULL, run_jobs, &r[i]) != 0)
            host_die("thread", -EAGAIN);
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(r[i].thread, NULL);
    free(r);
    return n * jobs_each * 1e6 / (host_now_us() - start);
}

double crowd_broker_memory(void)
{
    char path[64];
    long pages = 0, ignored;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)host_broker_pid);
    f = fopen(path, "re");
    if (f == NULL || fscanf(f, "%ld %ld", &ignored, &pages) != 2)
        host_die(path, -EIO);
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}
