/* receipt.c - a Receipt as struct coop_receipt: one block, the struct first, then its outputs, the packed message and all texts. */
#include <errno.h>
#include <stdlib.h>

#include "client/info.h"
#include "client/start.h"
#include "json_message.h"

/* The block's size is found by laying it out once without memory. */
struct block {
    char *at; /* NULL: only counting */
    size_t used;
};

static void *room(struct block *b, size_t len)
{
    void *at = b->at != NULL ? b->at + b->used : NULL;

    b->used += (len + 7) & ~(size_t)7;
    return at;
}

static const char *text(struct block *b, const char *s)
{
    size_t n = strlen(s) + 1;
    char *at = room(b, n);

    if (at != NULL)
        memcpy(at, s, n);
    return at;
}

static const char *cause_word(struct block *b, Pb__Cause cause)
{
    char word[32];

    text_put_enum(word, sizeof(word), &pb__cause__descriptor, "CAUSE_", (int)cause);
    return text(b, word);
}

static void put_outputs(struct block *b, const Pb__Receipt *r, struct coop_receipt *into)
{
    struct coop_output_file *files = room(b, r->n_outputs * sizeof(*files));

    for (size_t i = 0; i < r->n_outputs; i++) {
        const Pb__OutputFile *o = r->outputs[i];
        struct coop_output_file f = { text(b, o->name), o->bytes, o->mode, text(b, o->sha256) };

        if (files != NULL)
            files[i] = f;
    }
    into->outputs = files;
    into->n_outputs = r->n_outputs;
}

static void put_texts(struct block *b, const Pb__Receipt *r, struct coop_receipt *into)
{
    const Pb__JobError none = PB__JOB_ERROR__INIT, *e = r->error != NULL ? r->error : &none;
    const Pb__Enforcement nothing = PB__ENFORCEMENT__INIT, *held = r->enforcement != NULL ? r->enforcement : &nothing;

    into->job = text(b, r->job);
    into->name = text(b, r->name);
    into->engine = text(b, r->engine);
    into->cause = cause_word(b, r->cause);
    into->cause_detail = text(b, r->cause_detail);
    into->error_type = text(b, e->type);
    into->error_message = text(b, e->message);
    into->traceback = text(b, e->traceback);
    into->violation = text(b, r->violation != NULL ? r->violation->text : "");
    into->tier = text(b, held->tier);
    into->held_cpu = text(b, held->cpu);
    into->held_memory = text(b, held->memory);
    into->chain_sha256 = text(b, r->chain != NULL ? r->chain->sha256 : "");
}

static void put_numbers(const Pb__Receipt *r, struct coop_receipt *into)
{
    const Pb__Usage no_usage = PB__USAGE__INIT, *u = r->usage != NULL ? r->usage : &no_usage;
    const Pb__Times no_times = PB__TIMES__INIT, *t = r->times != NULL ? r->times : &no_times;
    const Pb__StreamTotal no_total = PB__STREAM_TOTAL__INIT;
    const Pb__StreamTotal *out = r->stdout != NULL ? r->stdout : &no_total, *err = r->stderr != NULL ? r->stderr : &no_total;

    into->attempt = r->attempt;
    into->outcome = (enum coop_job_state)r->outcome;
    into->exit_code = r->exit_code;
    into->signal = r->signal;
    into->stdout_bytes = out->bytes;
    into->stdout_dropped = out->dropped;
    into->stderr_bytes = err->bytes;
    into->stderr_dropped = err->dropped;
    into->queue_us = u->queue_us;
    into->start_us = u->start_us;
    into->wall_us = u->wall_us;
    into->cpu_user_us = u->cpu_user_us;
    into->cpu_sys_us = u->cpu_sys_us;
    into->mem_peak_bytes = u->mem_peak_bytes;
    into->submitted_us = t->submitted_us;
    into->started_us = t->started_us;
    into->ended_us = t->ended_us;
    into->recorded_us = t->recorded_us;
    into->chain_seq = r->chain != NULL ? r->chain->seq : 0;
    limits_of_pb(&into->limits, r->limits_effective);
}

static void put_packed(struct block *b, const Pb__Receipt *r, struct coop_receipt *into)
{
    into->packed_len = pb__receipt__get_packed_size(r);
    into->packed = room(b, into->packed_len);
    if (into->packed != NULL)
        pb__receipt__pack(r, (uint8_t *)into->packed);
}

static void lay_out(struct block *b, const Pb__Receipt *r, struct coop_receipt *into)
{
    put_outputs(b, r, into);
    put_packed(b, r, into);
    put_texts(b, r, into);
    put_numbers(r, into);
}

int receipt_of_pb(const Pb__Receipt *r, struct coop_receipt **ret)
{
    struct coop_receipt counted = { .job = NULL }, *into;
    struct block b = { NULL, 0 };

    lay_out(&b, r, &counted);
    into = calloc(1, sizeof(*into) + b.used);
    if (into == NULL)
        return -ENOMEM;
    b = (struct block){ (char *)(into + 1), 0 };
    lay_out(&b, r, into);
    *ret = into;
    return 0;
}

void coop_receipt_free(struct coop_receipt *receipt)
{
    free(receipt);
}

char *coop_receipt_json(const struct coop_receipt *receipt)
{
    Pb__Receipt *r = pb__receipt__unpack(NULL, receipt->packed_len, receipt->packed);
    json_t *doc = r != NULL ? json_document(&r->base) : NULL;
    char *line = doc != NULL ? json_dumps(doc, JSON_ENSURE_ASCII) : NULL;

    json_decref(doc);
    if (r != NULL)
        pb__receipt__free_unpacked(r, NULL);
    return line;
}
