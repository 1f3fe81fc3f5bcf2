/* control_records.c - requests about what is kept of jobs that have ended: their files, and the chain of their receipts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/job_outputs.h"
#include "frame.h"

#define ER(name)    PB__ERROR_CODE__ERROR_CODE_##name
#define FAULT(name) (int)PB__AUDIT_FAULT_KIND__AUDIT_FAULT_KIND_##name

_Static_assert(FAULT(CHANGED) == AUDIT_CHANGED && FAULT(REMOVED) == AUDIT_REMOVED && FAULT(GAP) == AUDIT_GAP &&
                   FAULT(TRUNCATED) == AUDIT_TRUNCATED && FAULT(HEAD) == AUDIT_HEAD && FAULT(ADDED) == AUDIT_ADDED &&
                   FAULT(JOB) == AUDIT_JOB,
               "the store's faults are the protocol's");

/* ---- collected files ---- */

static int read_receipt(struct broker *b, const char *id, struct frame *ret)
{
    struct store_blob blob = { 0 };
    int rc = store_read_receipt(b->store, id, &blob);

    if (rc == 0)
        rc = frame_decode(ret, &pb__receipt__descriptor, blob.bytes, blob.len, FRAME_MAX_CONTROL);
    free(blob.bytes);
    return rc;
}

/* Exactly len bytes, or -EIO: the receipt says that they are there. */
static int read_kept(struct broker *b, const char *id, uint64_t offset, uint8_t *buf, size_t len)
{
    struct store_blob blob = { 0 };
    size_t n = 0;
    int rc = spool_read_file(b->output_dir, id, OUTPUTS_STREAM, offset, buf, len, &n);

    if (rc == -ENOENT) {
        rc = store_read_output(b->store, id, OUTPUTS_STREAM, offset, len, &blob);
        n = rc == 0 && blob.len <= len ? blob.len : 0;
        if (n > 0)
            memcpy(buf, blob.bytes, n);
        free(blob.bytes);
    }
    return rc == 0 && n != len ? -EIO : rc;
}

static void send_slice(struct control_call *c, const Pb__OutputFile *file, uint64_t begin)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__OutputReply o = PB__OUTPUT_REPLY__INIT;
    uint64_t offset = c->request->output->offset, left = offset < file->bytes ? file->bytes - offset : 0;
    size_t len = left < CONTROL_CHUNK ? (size_t)left : CONTROL_CHUNK;
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    int rc = bytes != NULL ? 0 : -ENOMEM;

    if (rc == 0 && len > 0)
        rc = read_kept(c->broker, c->id, begin + offset, bytes, len);
    if (rc != 0) {
        control_refuse(c->broker, c->way, ER(INTERNAL), "the file's bytes cannot be read: %s", strerror(-rc));
    } else {
        o.data = (ProtobufCBinaryData){ len, bytes };
        o.bytes = file->bytes;
        o.mode = file->mode;
        o.end = len == left;
        r.body_case = PB__REPLY__BODY_OUTPUT;
        r.output = &o;
        control_reply(c->broker, c->way, &r);
    }
    free(bytes);
}

void verb_output(struct control_call *c)
{
    const Pb__OutputFile *file;
    const Pb__Receipt *r;
    struct frame receipt;
    uint64_t begin = 0;
    int rc;

    if (jobs_lives(&c->broker->jobs, c->id)) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s has not ended; wait for it first (coop wait)", c->id);
        return;
    }
    rc = read_receipt(c->broker, c->id, &receipt);
    if (rc != 0) {
        control_refuse(c->broker, c->way, rc == -ENOENT ? ER(NOT_FOUND) : ER(INTERNAL), "job %s cannot be read: %s", c->id, strerror(-rc));
        return;
    }
    r = (const Pb__Receipt *)receipt.msg;
    file = outputs_find(r->outputs, r->n_outputs, c->request->output->name, &begin);
    if (file != NULL)
        send_slice(c, file, begin);
    else
        control_refuse(c->broker, c->way, ER(NOT_FOUND), "job %s has no output file '%.200s'%s", c->id, c->request->output->name,
                       r->n_outputs == 0 ? ": none was collected" : "; its receipt lists those it has");
    frame_release(&receipt);
}

/* ---- the chain of receipts ---- */

static int take_cursor(struct store_audit *a, const Pb__Audit *q)
{
    if ((q->sha256.len != 0 && q->sha256.len != STORE_HASH) || (q->find.len != 0 && q->find.len != STORE_HASH) ||
        strlen(q->job) >= sizeof(a->job))
        return -EINVAL;
    a->seq = q->seq;
    if (q->sha256.len != 0)
        memcpy(a->hash, q->sha256.data, STORE_HASH);
    memcpy(a->job, q->job, strlen(q->job) + 1);
    a->find = q->find.len != 0 ? q->find.data : NULL;
    return 0;
}

static void send_audit(struct control_call *c, struct store_audit *a)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__AuditReply reply = PB__AUDIT_REPLY__INIT;
    Pb__AuditFault fault = PB__AUDIT_FAULT__INIT;

    reply.head_seq = a->head.seq;
    reply.head_sha256 = (ProtobufCBinaryData){ STORE_HASH, a->head.hash };
    reply.head_recorded_us = a->head.recorded_us;
    reply.seq = a->seq;
    reply.sha256 = (ProtobufCBinaryData){ STORE_HASH, a->hash };
    reply.job = a->job;
    reply.found_seq = a->found_seq;
    reply.ended = a->ended;
    if (a->fault != AUDIT_NONE) {
        fault.kind = (Pb__AuditFaultKind)a->fault;
        fault.seq = a->fault_seq;
        fault.job = frame_is_utf8(a->fault_job, strlen(a->fault_job)) ? a->fault_job : "?"; /* somebody may have written anything there */
        fault.text = frame_is_utf8(a->text, strlen(a->text)) ? a->text : "a record names a job that is none";
        reply.fault = &fault;
    }
    r.body_case = PB__REPLY__BODY_AUDIT;
    r.audit = &reply;
    control_reply(c->broker, c->way, &r);
}

void verb_audit(struct control_call *c)
{
    const Pb__Audit *q = c->request->audit;
    struct store_audit a = { 0 };
    int rc = take_cursor(&a, q);

    if (rc != 0) {
        control_refuse(c->broker, c->way, ER(USAGE), "a hash of the chain has %d bytes", STORE_HASH);
        return;
    }
    rc = q->head_only ? store_read_head(c->broker->store, &a.head) : store_audit(c->broker->store, &a);
    if (rc == 0 && q->head_only && !a.head.there)
        rc = -ENODATA;
    if (rc != 0)
        control_refuse(c->broker, c->way, ER(INTERNAL), "the chain of receipts cannot be read: %s", strerror(-rc));
    else
        send_audit(c, &a);
}
