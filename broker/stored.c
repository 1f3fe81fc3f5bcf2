/* stored.c - see stored.h. */
#include "broker/stored.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"

static char *hex(const uint8_t hash[STORE_HASH], char text[2 * STORE_HASH + 1])
{
    for (size_t i = 0; i < STORE_HASH; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}

/* Its place among all receipts. */
static void fill_chain(struct stored *s, const struct store_link *link)
{
    pb__chain__init(&s->chain);
    s->chain.seq = link->seq;
    s->chain.sha256 = hex(link->hash, s->hashes[0]);
    s->chain.previous = hex(link->previous, s->hashes[1]);
    ((Pb__Receipt *)s->receipt.msg)->chain = &s->chain;
}

void stored_numbers(Pb__JobStatus *s, const Pb__Receipt *r)
{
    s->exit_code = r->exit_code;
    if (r->usage != NULL) {
        s->elapsed_us = r->usage->wall_us;
        s->cpu_us = r->usage->cpu_user_us + r->usage->cpu_sys_us;
        s->mem_bytes = r->usage->mem_peak_bytes;
    }
    s->stdout_bytes = r->stdout != NULL ? r->stdout->bytes : 0;
    s->stderr_bytes = r->stderr != NULL ? r->stderr->bytes : 0;
}

static void fill_from_receipt(Pb__JobStatus *s, const Pb__Receipt *r)
{
    stored_numbers(s, r);
    s->cause_detail = r->cause_detail; /* lives in the receipt */
}

void stored_status(struct broker *b, const struct store_job *job, Pb__JobStatus *s)
{
    const struct tenant *t = tenants_find(&b->tenants, job->tenant);

    pb__job_status__init(s);
    s->id = (char *)job->id;
    s->name = (char *)job->name;
    s->engine = (char *)job->engine;
    s->state = job->state;
    s->cause = job->cause;
    s->attempt = job->attempt;
    s->submitted_us = job->submitted_us;
    s->interp = job->lives != STORE_LIVES_NOT;
    s->tenant = (char *)(t != NULL ? t->name : "");
    s->queue = (char *)job->queue;
    s->class_ = job->class;
    s->priority = job->prio;
    s->array_id = (char *)job->array_id;
    s->array_index = job->array_index;
    s->not_before_us = job->not_before_us;
    s->infra_attempts = job->infra;
}

static int take_receipt(const struct store_blob *blob, struct stored *s)
{
    int rc = frame_decode(&s->receipt, &pb__receipt__descriptor, blob->bytes, blob->len, FRAME_MAX_CONTROL);

    if (rc == 0)
        fill_from_receipt(&s->status, (const Pb__Receipt *)s->receipt.msg);
    return rc;
}

int stored_read(struct broker *b, const char *id, struct stored *ret)
{
    struct store_blob blob = { 0 };
    struct store_link link;
    int rc = store_find(b->store, id, &ret->job);

    memset(&ret->receipt, 0, sizeof(ret->receipt));
    if (rc != 0)
        return rc;
    stored_status(b, &ret->job, &ret->status);
    rc = store_read_receipt(b->store, id, &blob);
    if (rc == 0)
        rc = take_receipt(&blob, ret);
    free(blob.bytes);
    if (rc == 0 && store_read_link(b->store, id, &link) == 0) /* a receipt that somebody put beside the chain shows none */
        fill_chain(ret, &link);
    return rc == -ENOENT ? 0 : rc;
}

int stored_finished(struct broker *b, const struct store_finish *f, struct stored *ret)
{
    int rc;

    memset(&ret->receipt, 0, sizeof(ret->receipt));
    ret->job = f->row;
    stored_status(b, &ret->job, &ret->status);
    rc = take_receipt(&f->receipt, ret);
    if (rc == 0)
        fill_chain(ret, &f->link);
    return rc;
}

int stored_spec(struct broker *b, const char *id, struct frame *ret)
{
    struct store_blob blob = { 0 };
    int rc = store_read_spec(b->store, id, &blob);

    memset(ret, 0, sizeof(*ret));
    if (rc == 0)
        rc = store_decode_spec(ret, blob.bytes, blob.len);
    free(blob.bytes);
    return rc;
}
