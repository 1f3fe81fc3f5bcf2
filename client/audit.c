/* audit.c - the chain of all receipts, checked part by part: see include/coop/client.h. */
#include <errno.h>
#include <stdio.h>

#include <coop/exit_codes.h>

#include "client/start.h"

enum { HASH = 32 };

static void put_hash(char into[2 * HASH + 1], const ProtobufCBinaryData *hash)
{
    into[0] = '\0';
    for (size_t i = 0; i < hash->len && i < HASH; i++)
        sprintf(into + 2 * i, "%02x", hash->data[i]);
}

/* Of 64 hexadecimal digits; "" is none. */
static int get_hash(const char *text, uint8_t bytes[HASH], ProtobufCBinaryData *into)
{
    *into = (ProtobufCBinaryData){ 0, bytes };
    if (text == NULL || text[0] == '\0')
        return 0;
    if (strlen(text) != 2 * HASH || strspn(text, "0123456789abcdefABCDEF") != 2 * HASH)
        return -EINVAL;
    for (int i = 0; i < HASH; i++)
        sscanf(text + 2 * i, "%2hhx", &bytes[i]);
    into->len = HASH;
    return 0;
}

static int read_audit(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__AuditReply *r = body;
    struct coop_audit *a = &ret->audit;

    (void)op;
    (void)why;
    a->head_seq = r->head_seq;
    put_hash(a->head_sha256, &r->head_sha256);
    a->head_recorded_us = r->head_recorded_us;
    a->seq = r->seq;
    put_hash(a->sha256, &r->sha256);
    PUT(a->job, r->job);
    a->found_seq = r->found_seq;
    a->ended = r->ended;
    if (r->fault != NULL) {
        text_put_enum(a->fault, sizeof(a->fault), &pb__audit_fault_kind__descriptor, "AUDIT_FAULT_KIND_", (int)r->fault->kind);
        a->fault_seq = r->fault->seq;
        PUT(a->fault_job, r->fault->job);
        PUT(a->fault_text, r->fault->text);
    }
    return 0;
}

static const struct op_kind kind_audit = { false, PB__REPLY__BODY_AUDIT, COOP_RESULT_AUDIT, read_audit, NULL, NULL };

static int start_audit(struct start *s, const struct coop_audit *from, const char *find, bool head_only)
{
    Pb__Audit m = PB__AUDIT__INIT;
    uint8_t sha256[HASH], wanted[HASH];

    if (get_hash(from != NULL ? from->sha256 : NULL, sha256, &m.sha256) != 0 || get_hash(find, wanted, &m.find) != 0)
        return coop_error_set(s->why, EINVAL, COOP_EXIT_USAGE, "a hash has 64 hexadecimal digits");
    if (from != NULL) {
        m.seq = from->seq;
        m.job = (char *)from->job;
    }
    m.head_only = head_only;
    return start_request(s, PB__REQUEST__BODY_AUDIT, &m, &kind_audit);
}

int coop_audit(struct coop_client *c, const struct coop_audit *from, const char *find, bool head_only, int64_t timeout_us,
               struct coop_audit *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_audit(&s, from, find, head_only), &r);

    if (rc == 0)
        *ret = r.audit;
    return rc;
}

int coop_audit_begin(struct coop_client *c, const struct coop_audit *from, const char *find, bool head_only, int64_t timeout_us,
                     struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_audit(&s, from, find, head_only), ret);
}
