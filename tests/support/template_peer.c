/* template_peer.c - see template_peer.h. */
#include "tests/support/template_peer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct broker *b;
static uint32_t last_id;
static int control = -1;

void template_peer(struct broker *broker)
{
    b = broker;
    template_peer_close();
}

void template_peer_close(void)
{
    control = -1; /* closed by support_release(), as all of its kind */
}

static int control_socket(void)
{
    if (control < 0)
        control = sp_peer_open(b->socket);
    return control;
}

/* Sends an ask; the number under which template_answered() finds its answer. */
static uint32_t ask(Pb__Ask *a)
{
    Pb__Request q = PB__REQUEST__INIT;

    a->number = ++last_id;
    q.body_case = PB__REQUEST__BODY_ASK;
    q.ask = a;
    sp_peer_ask(control_socket(), last_id, &q);
    return last_id;
}

const Pb__Answer *template_answered(uint32_t number)
{
    const Pb__Reply *r = sp_peer_answer(control_socket(), number);

    assert_int_equal(r->body_case, PB__REPLY__BODY_ASK);
    return r->ask;
}

static void fill_spec(Pb__JobSpec *s, Pb__Limits *l, const char *source, const struct template_how *how)
{
    s->engine = (char *)"lua";
    s->source_name = (char *)"init.lua";
    s->source = (ProtobufCBinaryData){ strlen(source), (uint8_t *)source };
    s->limits = l;
    if (how != NULL) {
        l->wall_us = how->wall_us;
        l->cpu_us = how->cpu_us;
        l->memory_bytes = how->memory_bytes;
        l->stdout_bytes = how->stdout_bytes;
    }
}

uint32_t template_ask_build(const char *name, const char *init, const struct template_how *how)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__TemplateBuild m = PB__TEMPLATE_BUILD__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    Pb__Limits l = PB__LIMITS__INIT;

    fill_spec(&s, &l, init, how);
    m.name = (char *)name;
    m.spec = &s;
    a.body_case = PB__ASK__BODY_TEMPLATE_BUILD;
    a.template_build = &m;
    return ask(&a);
}

const Pb__TemplateStatus *template_build(const char *name, const char *init)
{
    const Pb__Answer *m = template_answered(template_ask_build(name, init, NULL));

    if (m->body_case != PB__ANSWER__BODY_TEMPLATE)
        support_fail("%s was not built: %s", name, m->failure != NULL ? m->failure->message : "?");
    assert_string_equal(m->template_->name, name);
    assert_string_equal(m->template_->state, "warm");
    return m->template_;
}

const Pb__CallFailure *template_build_fails(const char *name, const char *init, const struct template_how *how, Pb__CallError error)
{
    const Pb__Answer *m = template_answered(template_ask_build(name, init, how));

    assert_int_equal(m->body_case, PB__ANSWER__BODY_FAILURE);
    if (m->failure->error != error)
        support_fail("error %d: %s", (int)m->failure->error, m->failure->message);
    return m->failure;
}

/* NAME, the newest in the table; fails when it is not there. */
const Pb__TemplateStatus *template_status(const char *name)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__TemplateList l = PB__TEMPLATE_LIST__INIT;
    const Pb__Answer *m;

    a.body_case = PB__ASK__BODY_TEMPLATE_LIST;
    a.template_list = &l;
    m = template_answered(ask(&a));
    assert_int_equal(m->body_case, PB__ANSWER__BODY_TEMPLATES);
    for (size_t i = 0; i < m->templates->n_templates; i++)
        if (strcmp(m->templates->templates[i]->name, name) == 0)
            return m->templates->templates[i];
    return NULL;
}

Pb__CallError template_remove(const char *name)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__TemplateRemove r = PB__TEMPLATE_REMOVE__INIT;
    const Pb__Answer *m;

    r.name = (char *)name;
    a.body_case = PB__ASK__BODY_TEMPLATE_REMOVE;
    a.template_remove = &r;
    m = template_answered(ask(&a));
    return m->body_case == PB__ANSWER__BODY_DONE ? PB__CALL_ERROR__CALL_ERROR_NONE : m->failure->error;
}

const Pb__Reply *template_ask_submit(const char *template, const char *source, const struct template_how *how)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Submit sub = PB__SUBMIT__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    Pb__Limits l = PB__LIMITS__INIT;

    fill_spec(&s, &l, source, how);
    s.engine = (char *)"";
    s.template_ = (char *)template;
    sub.spec = &s;
    q.body_case = PB__REQUEST__BODY_SUBMIT;
    q.submit = &sub;
    sp_peer_ask(control_socket(), ++last_id, &q);
    return sp_peer_answer(control_socket(), last_id);
}

const char *template_submit(const char *template, const char *source)
{
    const Pb__Reply *r = template_ask_submit(template, source, NULL);

    if (r->body_case != PB__REPLY__BODY_SUBMIT)
        support_fail("not submitted: %s", r->error->message);
    return support_text("%s", r->submit->id);
}

const char *template_refused(const char *template, const char *source, const struct template_how *how)
{
    const Pb__Reply *r = template_ask_submit(template, source, how);

    assert_int_equal(r->body_case, PB__REPLY__BODY_ERROR);
    return r->error->message;
}

const char *template_output(const char *id)
{
    struct proc *p = coop(b, "logs", id);

    assert_int_equal(p->code, 0);
    return p->out.bytes;
}

const char *template_run(const char *template, const char *source)
{
    const char *id = template_submit(template, source);

    expect_end(b, id, "ok");
    return template_output(id);
}

void template_expect_no_children(struct broker *broker, const struct tree *had)
{
    uint64_t start = support_now_ms();

    (void)broker;
    for (unsigned i = 0; i < had->n; i++) {
        if (had->pids[i] == b->proc->pid || had->pids[i] == broker_janitor(b))
            continue;
        proc_wait_gone(had->pidfds[i]);
    }
    (void)start;
}

void template_kill_job(struct broker *broker, const char *id)
{
    (void)proc_expect(coop(broker, "kill", id), 0);
}
