/* job_evidence.c - see job_evidence.h. */
#include "broker/job_evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syscall_names.h"
#include "syscall_words.h"

enum { ROWS_FIRST = 16 };

_Static_assert((int)EVIDENCE_ARGS == (int)CALL_ARGS && (int)EVIDENCE_TEXT >= (int)CALL_TEXT, "a call is described whole");

int evidence_check_violation(const Pb__Violation *v)
{
    if (v->n_args != EVIDENCE_ARGS || strlen(v->module) > EVIDENCE_MODULE || strlen(v->who) > EVIDENCE_WHO)
        return -EPROTO;
    return 0;
}

/* A row is pasted into files that are read line by line: what has a line's end in it would be two. */
static int is_one_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return 0;
    return 1;
}

int evidence_check_learned(const Pb__Learned *l)
{
    if (l->row[0] == '\0' || strlen(l->row) > EVIDENCE_ROW || strlen(l->why_not) > EVIDENCE_ROW || l->times == 0)
        return -EPROTO;
    return is_one_line(l->row) && is_one_line(l->why_not) ? 0 : -EPROTO;
}

static void free_violation(Pb__PolicyReport *r)
{
    if (r == NULL)
        return;
    free(r->name);
    free(r->args);
    free(r->module);
    free(r->who);
    free(r->text);
    free(r);
}

static int fill_texts(Pb__PolicyReport *r, const Pb__Violation *v, const char *profile, unsigned given)
{
    const char *name = syscall_name(v->nr);
    char text[EVIDENCE_TEXT];

    r->abi = (char *)policy_abi_name(v->arch, v->nr);
    r->name = strdup(name != NULL && strcmp(r->abi, "x86_64") == 0 ? name : "unknown");
    r->module = strdup(v->module);
    r->who = strdup(v->who);
    r->args = malloc(EVIDENCE_ARGS * sizeof(*r->args));
    policy_describe_call(v->arch, v->nr, v->args, profile, given, text, sizeof(text));
    r->text = strdup(text);
    return r->name != NULL && r->module != NULL && r->who != NULL && r->args != NULL && r->text != NULL ? 0 : -ENOMEM;
}

int evidence_take_violation(struct job_evidence *e, const Pb__Violation *v, const char *profile, unsigned given)
{
    Pb__PolicyReport *r = malloc(sizeof(*r));

    if (r == NULL)
        return -ENOMEM;
    pb__policy_report__init(r);
    r->name = r->module = r->who = r->text = NULL; /* its own empty text is not ours to free */
    if (fill_texts(r, v, profile, given) != 0) {
        free_violation(r);
        return -ENOMEM;
    }
    r->nr = v->nr;
    memcpy(r->args, v->args, EVIDENCE_ARGS * sizeof(*r->args));
    r->n_args = EVIDENCE_ARGS;
    r->ip = v->ip;
    r->offset = v->offset;
    r->pid = v->pid;
    r->tid = v->tid;
    free_violation(e->violation);
    e->violation = r;
    return 0;
}

static int make_room(struct job_evidence *e)
{
    size_t room = e->learned_count == 0 ? ROWS_FIRST : e->learned_count * 2;
    Pb__LearnedRow *more;

    if (e->learned_count != 0 && (e->learned_count < ROWS_FIRST || (e->learned_count & (e->learned_count - 1)) != 0))
        return 0; /* full with 16, 32, 64, ... */
    more = realloc(e->learned, room * sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    e->learned = more;
    return 0;
}

int evidence_take_learned(struct job_evidence *e, const Pb__Learned *l)
{
    Pb__LearnedRow *r;

    if (make_room(e) != 0)
        return -ENOMEM;
    r = &e->learned[e->learned_count];
    pb__learned_row__init(r);
    r->row = strdup(l->row);
    r->why_not = strdup(l->why_not);
    if (r->row == NULL || r->why_not == NULL) {
        free(r->row);
        free(r->why_not);
        return -ENOMEM;
    }
    r->times = l->times;
    r->granted = l->granted;
    e->learned_count++;
    return 0;
}

void evidence_finish(struct job_evidence *e)
{
    free_violation(e->violation);
    for (size_t i = 0; i < e->learned_count; i++) {
        free(e->learned[i].row);
        free(e->learned[i].why_not);
    }
    free(e->learned);
    *e = (struct job_evidence){ 0 };
}
