/*
 * fake_broker.h - the broker's end of a worker's link, for unit tests of the worker: forks, speaks SP, gathers what it hears.
 *
 * Side:    tests.
 * Owned: strings in struct told belong to it: told_finish().
 */
#ifndef TESTS_FAKE_BROKER_H
#define TESTS_FAKE_BROKER_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"
#include "link.pb-c.h"
#include "sp.h"

enum { TOLD_MAX = 2 << 20, TOLD_WAIT_MS = 120000, TOLD_ORDER = 64, TOLD_FILES = 16, TOLD_ROWS = 16 };

/* A file that was handed over. */
struct told_file {
    char name[256];
    uint32_t mode;
    uint64_t size;
    char *data; /* NUL-terminated */
    size_t len;
    int pieces, last;
};

struct told_row {
    char row[256], why_not[256];
    uint64_t times;
    int granted;
};

/* Everything a worker told us in its life. */
struct told {
    int owed, terminated;                                              /* a want that waits for feed_after; term_after has come */
    int hello, started, seal_failed, results, violations, wants, lost; /* how often; lost: the link closed without a result */
    char step[64];
    int step_error;
    uint32_t violation_nr;
    char *out, *err; /* NUL-terminated */
    size_t out_len, err_len;
    Pb__ResultKind kind;
    int exit_code;
    uint64_t out_dropped, err_dropped;
    char type[128], message[8 << 10], traceback[32 << 10];
    char order[TOLD_ORDER]; /* 'o' and 'e' as frames came */
    int status;             /* of the process */
    int signal, disk_full;
    char note[4 << 10];
    struct told_file files[TOLD_FILES];
    int n_files, all_files; /* kept here; how many there were */
    struct told_row rows[TOLD_ROWS];
    int n_rows, all_rows;
    uint64_t violation_args[6];
    char module[1024], who[64];
    uint32_t violation_tid;
    uint64_t violation_offset;
    int unnamed, filter_len; /* of Started */
};

/* How to feed a worker that asks for stdin, and when to bother it. */
struct told_how {
    const char *stdin_pieces[8]; /* one per want; NULL = end of input */
    int never_feed;
    const char *feed_after;            /* only when this has been printed; NULL: at once */
    const char *term_after;            /* SIGTERM when this has been printed */
    const Pb__TtySize *resize_on;      /* sent with the first piece of output */
    int term_after_ms;                 /* 0 = never */
    int (*stop)(const struct told *t); /* end early, as after a wall limit; NULL = on the result only */
};

static inline void told_append(char **at, size_t *len, const ProtobufCBinaryData *d)
{
    if (*at == NULL)
        *at = calloc(1, TOLD_MAX);
    if (*at == NULL || *len + d->len >= TOLD_MAX)
        abort();
    if (d->len > 0)
        memcpy(*at + *len, d->data, d->len);
    *len += d->len;
}

static inline void told_copy(char *into, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size)
        abort();
    memcpy(into, text, n + 1);
}

static inline void told_output(struct told *t, const Pb__Output *o)
{
    size_t n = strlen(t->order);

    if (n + 1 < TOLD_ORDER)
        t->order[n] = o->stream == PB__STREAM__STREAM_STDOUT ? 'o' : 'e';
    if (o->stream == PB__STREAM__STREAM_STDOUT)
        told_append(&t->out, &t->out_len, &o->data);
    else
        told_append(&t->err, &t->err_len, &o->data);
}

static inline void told_result(struct told *t, const Pb__Result *r)
{
    t->results++;
    t->kind = r->kind;
    t->exit_code = r->exit_code;
    t->signal = r->signal;
    t->disk_full = r->disk_full;
    told_copy(t->note, sizeof(t->note), r->outputs_note);
    t->out_dropped = r->stdout_dropped;
    t->err_dropped = r->stderr_dropped;
    if (r->error != NULL) {
        told_copy(t->type, sizeof(t->type), r->error->type);
        told_copy(t->message, sizeof(t->message), r->error->message);
        told_copy(t->traceback, sizeof(t->traceback), r->error->traceback);
    }
}

static inline void told_send(int fd, const Pb__ToWorker *m)
{
    uint8_t *bytes;
    size_t len;

    if (frame_pack(&m->base, &bytes, &len) != 0)
        abort();
    (void)sp_send(fd, bytes, len);
    free(bytes);
}

static inline void told_feed(int fd, struct told *t, const struct told_how *how)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__StdinData d = PB__STDIN_DATA__INIT;
    const char *piece = t->wants < 8 ? how->stdin_pieces[t->wants] : NULL;

    if (how->feed_after != NULL && (t->out == NULL || strstr(t->out, how->feed_after) == NULL)) {
        t->owed = 1;
        return;
    }
    t->owed = 0;
    t->wants++;
    if (how->never_feed)
        return;
    d.eof = piece == NULL;
    d.data.data = (uint8_t *)piece;
    d.data.len = piece != NULL ? strlen(piece) : 0;
    m.body_case = PB__TO_WORKER__BODY_STDIN_DATA;
    m.stdin_data = &d;
    told_send(fd, &m);
}

static inline void told_collected(struct told *t, const Pb__Collected *c)
{
    struct told_file *f = t->n_files > 0 ? &t->files[t->n_files - 1] : NULL;

    if (f == NULL || f->last) {
        if (c->name[0] == '\0')
            abort();
        t->all_files++;
        if (t->n_files < TOLD_FILES)
            t->n_files++;
        f = &t->files[t->n_files - 1];
        free(f->data);
        memset(f, 0, sizeof(*f));
        told_copy(f->name, sizeof(f->name), c->name);
        f->mode = c->mode;
        f->size = c->size;
    }
    told_append(&f->data, &f->len, &c->data);
    f->pieces++;
    f->last = c->last;
}

static inline void told_learned(struct told *t, const Pb__Learned *l)
{
    t->all_rows++;
    if (t->n_rows == TOLD_ROWS)
        return;
    told_copy(t->rows[t->n_rows].row, sizeof(t->rows[0].row), l->row);
    told_copy(t->rows[t->n_rows].why_not, sizeof(t->rows[0].why_not), l->why_not);
    t->rows[t->n_rows].times = l->times;
    t->rows[t->n_rows++].granted = l->granted;
}

static inline void told_violation(struct told *t, const Pb__Violation *v)
{
    t->violations++;
    t->violation_nr = v->nr;
    t->violation_tid = v->tid;
    t->violation_offset = v->offset;
    for (size_t i = 0; i < v->n_args && i < 6; i++)
        t->violation_args[i] = v->args[i];
    told_copy(t->module, sizeof(t->module), v->module);
    told_copy(t->who, sizeof(t->who), v->who);
}

static inline void told_resize(int fd, const Pb__TtySize *size)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;

    m.body_case = PB__TO_WORKER__BODY_TTY_SIZE;
    m.tty_size = (Pb__TtySize *)size;
    told_send(fd, &m);
}

static inline void told_message(int fd, struct told *t, const struct told_how *how, const Pb__FromWorker *m)
{
    switch (m->body_case) {
    case PB__FROM_WORKER__BODY_HELLO: t->hello++; break;
    case PB__FROM_WORKER__BODY_SEAL_FAILED:
        t->seal_failed++;
        told_copy(t->step, sizeof(t->step), m->seal_failed->step);
        t->step_error = (int)m->seal_failed->error;
        break;
    case PB__FROM_WORKER__BODY_STARTED:
        t->started++;
        t->unnamed = m->started->unnamed_violations;
        t->filter_len = (int)m->started->filter_len;
        break;
    case PB__FROM_WORKER__BODY_OUTPUT:
        if (how->resize_on != NULL && t->out_len == 0)
            told_resize(fd, how->resize_on);
        told_output(t, m->output);
        if (t->owed)
            told_feed(fd, t, how);
        break;
    case PB__FROM_WORKER__BODY_STDIN_WANT: told_feed(fd, t, how); break;
    case PB__FROM_WORKER__BODY_RESULT: told_result(t, m->result); break;
    case PB__FROM_WORKER__BODY_VIOLATION: told_violation(t, m->violation); break;
    case PB__FROM_WORKER__BODY_COLLECTED: told_collected(t, m->collected); break;
    case PB__FROM_WORKER__BODY_LEARNED: told_learned(t, m->learned); break;
    default: abort();
    }
}

/* Listens until the worker has said all. */
static inline void told_hear(int fd, pid_t pid, const struct told_how *how, struct told *t)
{
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    int asked_to_end = 0;

    while (t->results == 0 && t->violations == 0 && !(how->stop != NULL && how->stop(t))) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        struct frame f;
        int wait_ms = how->term_after_ms > 0 && !asked_to_end ? how->term_after_ms : TOLD_WAIT_MS;

        if (poll(&p, 1, wait_ms) == 0) {
            if (asked_to_end || how->term_after_ms == 0)
                break;
            asked_to_end = 1;
            kill(pid, SIGTERM);
            continue;
        }
        if (sp_recv(fd, &bytes, &cap, FRAME_MAX_LINK, &len) != 0) {
            t->lost = 1;
            break;
        }
        if (frame_decode(&f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK) != 0)
            abort();
        told_message(fd, t, how, (const Pb__FromWorker *)f.msg);
        frame_release(&f);
        if (how->term_after != NULL && !t->terminated && t->out != NULL && strstr(t->out, how->term_after) != NULL)
            t->terminated = kill(pid, SIGTERM) == 0;
    }
    free(bytes);
    if (t->out == NULL)
        t->out = calloc(1, 1);
    if (t->err == NULL)
        t->err = calloc(1, 1);
}

/* The same, then kills and reaps it. */
static inline void told_listen(int fd, pid_t pid, const struct told_how *how, struct told *t)
{
    told_hear(fd, pid, how, t);
    kill(pid, SIGKILL);
    waitpid(pid, &t->status, 0);
}

static inline void told_assign(int fd, Pb__JobSpec *spec)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Assign a = PB__ASSIGN__INIT;

    a.job = (char *)"JOB";
    a.spec = spec;
    m.body_case = PB__TO_WORKER__BODY_ASSIGN;
    m.assign = &a;
    told_send(fd, &m);
}

static inline void told_finish(struct told *t)
{
    free(t->out);
    free(t->err);
    for (int i = 0; i < t->n_files; i++)
        free(t->files[i].data);
}

#endif
