/* verb_audit.c - the chain of all receipts: checked from the first to the last, a slice a call, or only its head; calls of aliases are in audit_calls.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/audit_admin.h"
#include "cli/audit_calls.h"
#include "cli/human.h"
#include "cli/json.h"
#include "cli/say.h"
#include "cli/text.h"
#include "cli/words.h"
#include "ulid.h"

#include <coop/exit_codes.h>

enum { HASH = 32, HEX = 2 * HASH + 1 };

/* What the last reply said, and where the kept hash was seen. */
struct audit {
    uint64_t records, recorded_us, found_seq;
    uint8_t hash[HASH], find[HASH];
    char job[ULID_LEN + 1], fault_job[ULID_LEN + 1], fault[256];
    Pb__AuditFaultKind kind;
    uint64_t fault_seq;
    bool ended, looks, damaged; /* looks: there is a hash to find; damaged: a reply that is none */
};

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

static int read_hash(const char *text, uint8_t ret[HASH])
{
    size_t len = strcspn(text, " "); /* the whole line of audit head will do */

    if (len != 2 * HASH)
        return -EINVAL;
    for (int i = 0; i < HASH; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static char *show_hash(const uint8_t hash[HASH], char text[HEX])
{
    for (int i = 0; i < HASH; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------------- */

static void take_fault(struct audit *a, const Pb__AuditFault *f)
{
    a->kind = f->kind;
    a->fault_seq = f->seq;
    snprintf(a->fault_job, sizeof(a->fault_job), "%s", f->job);
    snprintf(a->fault, sizeof(a->fault), "%s", f->text);
}

static void take(struct audit *a, const Pb__AuditReply *r, bool head_only)
{
    const ProtobufCBinaryData *hash = head_only ? &r->head_sha256 : &r->sha256;

    a->damaged = hash->len != HASH || strlen(r->job) > ULID_LEN;
    if (a->damaged)
        return;
    a->records = head_only ? r->head_seq : r->seq;
    memcpy(a->hash, hash->data, HASH);
    memcpy(a->job, r->job, strlen(r->job) + 1);
    a->recorded_us = r->head_recorded_us;
    if (r->found_seq != 0)
        a->found_seq = r->found_seq;
    a->ended = r->ended;
    if (r->fault != NULL)
        take_fault(a, r->fault);
}

static int ask(const struct command *c, struct coop_client *client, struct audit *a, bool head_only)
{
    Pb__Audit body = PB__AUDIT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct frame reply;
    int code;

    body.head_only = head_only;
    body.seq = a->records;
    body.sha256 = (ProtobufCBinaryData){ HASH, a->hash };
    body.job = a->job;
    if (a->looks)
        body.find = (ProtobufCBinaryData){ HASH, a->find };
    req.body_case = PB__REQUEST__BODY_AUDIT;
    req.audit = &body;
    code = say_call(c, client, &req, PB__REPLY__BODY_AUDIT, &reply);
    if (code != 0)
        return code;
    take(a, ((const Pb__Reply *)reply.msg)->audit, head_only);
    frame_release(&reply);
    if (a->damaged) {
        struct coop_error why;

        coop_error_set(&why, EPROTO, COOP_EXIT_PROTOCOL, "the broker's answer makes no sense");
        return say_error(c, &why);
    }
    return 0;
}

/* ---- saying ------------------------------------------------------------------------------------------------------------------------- */

static json_t *document(const struct audit *a, bool head_only)
{
    char text[HEX], kind[JSON_ENUM_BUF];
    json_t *doc = json_named("Audit");

    json_object_set_new(doc, "records", json_integer((json_int_t)a->records));
    json_object_set_new(doc, "sha256", json_string(show_hash(a->hash, text)));
    if (head_only) {
        json_object_set_new(doc, "recorded_us", json_integer((json_int_t)a->recorded_us));
        return doc;
    }
    json_object_set_new(doc, "whole", json_boolean(a->kind == PB__AUDIT_FAULT_KIND__AUDIT_FAULT_KIND_NONE));
    if (a->kind == PB__AUDIT_FAULT_KIND__AUDIT_FAULT_KIND_NONE)
        json_object_set_new(doc, "fault", json_null());
    else
        json_object_set_new(doc, "fault",
                            json_pack("{s:s, s:I, s:o, s:o}", "kind", json_enum_name(&pb__audit_fault_kind__descriptor, (int)a->kind, kind),
                                      "seq", (json_int_t)a->fault_seq, "job", json_text(a->fault_job, strlen(a->fault_job)), "text",
                                      json_text(a->fault, strlen(a->fault))));
    json_object_set_new(doc, "kept_sha256", a->looks ? json_string(show_hash(a->find, text)) : json_null());
    json_object_set_new(doc, "kept_seq", json_integer((json_int_t)a->found_seq));
    return doc;
}

static void say_head(const struct command *c, const struct audit *a)
{
    char text[HEX], when[HUMAN_TIME];

    if (c->opt.json) {
        json_print(document(a, true));
        return;
    }
    printf("%s", show_hash(a->hash, text));
    if (!c->opt.quiet)
        printf("  record %" PRIu64 "%s%s", a->records, a->recorded_us != 0 ? ", of " : "", human_time(a->recorded_us, "", when));
    printf("\n");
}

static void say_verdict(const struct command *c, const struct audit *a)
{
    char text[HEX], safe[1024];

    if (c->opt.json) {
        json_print(document(a, false));
        return;
    }
    if (a->kind != PB__AUDIT_FAULT_KIND__AUDIT_FAULT_KIND_NONE) {
        printf("does not fit: %s\n", text_safe_str(safe, sizeof(safe), a->fault));
        return;
    }
    if (!c->opt.quiet)
        printf("%" PRIu64 " records, each fits; the last is %s\n", a->records, show_hash(a->hash, text));
    if (a->looks && a->found_seq == 0)
        printf("does not fit: no record has the hash %s: the chain was written anew, or cut before it\n", show_hash(a->find, text));
    else if (a->looks && !c->opt.quiet)
        printf("the kept hash is that of record %" PRIu64 ": it and all before it are as they were\n", a->found_seq);
}

/* ---- words -------------------------------------------------------------------------------------------------------------------------- */

static int check_verify(const struct command *c, char **args, int n)
{
    uint8_t hash[HASH];
    struct coop_error why;

    (void)args, (void)n;
    if (c->opt.head == NULL || read_hash(c->opt.head, hash) == 0)
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "--head '%.80s' is not a hash: it has %d digits and letters a to f", c->opt.head,
                   2 * HASH);
    return say_error(c, &why);
}

static int verify(const struct command *c, struct coop_client *client, char **args, int n)
{
    struct audit a = { 0 };
    int code = 0;

    (void)args, (void)n;
    a.looks = c->opt.head != NULL && read_hash(c->opt.head, a.find) == 0;
    while (code == 0 && !a.ended && a.kind == PB__AUDIT_FAULT_KIND__AUDIT_FAULT_KIND_NONE)
        code = ask(c, client, &a, false);
    if (code != 0)
        return code;
    say_verdict(c, &a);
    return a.ended && (!a.looks || a.found_seq != 0) ? COOP_EXIT_OK : COOP_EXIT_JOB_FAILED;
}

static bool read_number(const char *text, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    return text[0] >= '1' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static int check_other(const struct command *c, char **args, int n)
{
    struct coop_error why;
    uint64_t before;

    if (c->opt.head != NULL)
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "--head is a flag of audit verify");
    else if (n > 0 && !read_number(args[0], &before))
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "'%.60s' is not a number as audit %s prints them", args[0], c->args[0]);
    else
        return 0;
    return say_error(c, &why);
}

static int head(const struct command *c, struct coop_client *client, char **args, int n)
{
    struct audit a = { 0 };
    int code = ask(c, client, &a, true);

    (void)args, (void)n;
    if (code == 0)
        say_head(c, &a);
    return code;
}

static uint64_t before(char **args, int n)
{
    uint64_t number = 0;

    if (n > 0)
        (void)read_number(args[0], &number);
    return number;
}

static int calls(const struct command *c, struct coop_client *client, char **args, int n)
{
    return audit_calls(c, client, before(args, n));
}

static int admin(const struct command *c, struct coop_client *client, char **args, int n)
{
    return audit_admin(c, client, before(args, n));
}

/* clang-format off */
const struct word audit_words[] = {
    { "verify", "",         0, 0, "compute the whole chain of receipts again, and tell the first that does not fit",                              verify, check_verify, FLAG_NOTHING, FLAG_NOTHING },
    { "head",   "",         0, 0, "print the hash of its last record",                                                                            head,   check_other, FLAG_NOTHING, FLAG_NOTHING },
    { "calls",  "[BEFORE]", 0, 1, "list calls of functions that interpreters offer each other, the last first, or before the one of that number", calls,  check_other, FLAG_NOTHING, FLAG_NOTHING },
    { "admin",  "[BEFORE]", 0, 1, "list what was done to tenants, tokens, quotas and the broker, the last first, or before that number",          admin,  check_other, FLAG_NOTHING, FLAG_NOTHING },
    { NULL,     NULL,       0, 0, NULL,                                                                                                           NULL,   NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_audit(const struct command *c)
{
    return words_run(c, audit_words);
}
