/* ask_object.c - see asking.h: the type Ask. */
#include "worker/engines/python/ask_object.h"

#include "worker/engines/python/call_error.h"
#include "worker/engines/python/handle.h"
#include "worker/engines/python/message.h"
#include "worker/engines/python/task.h"
#include "worker/engines/python/value.h"

/* ---- the object --------------------------------------------------------------------------------------------------------------------- */

PyTypeObject *python_ask_type;

/* What is asked becomes the asker's in these answers, and in no others. */
static bool gives(Pb__Ask__BodyCase which)
{
    return which != PB__ASK__BODY_HANDLE_GRANTED;
}

static PyObject *handle_of(struct asking *s, const Pb__Handle *h)
{
    PyObject *o = python_handle_new(h);
    struct python_handle *made = (struct python_handle *)o;

    if (o == NULL)
        return NULL;
    made->kept = !gives(s->which);
    if (s->which != PB__ASK__BODY_BUFFER_NEW)
        return o;
    made->bytes = s->bytes;
    if (python_handle_map(made, s->ask, true) != 0)
        Py_CLEAR(o);
    return o;
}

/* A handle as an object; a call's value; of all else the message as a dict. */
static PyObject *result_of(struct asking *s, const Pb__Answer *a)
{
    switch (a->body_case) {
    case PB__ANSWER__BODY_DONE: Py_RETURN_NONE;
    case PB__ANSWER__BODY_RESULT: return python_value_make(a->result->value);
    case PB__ANSWER__BODY_HANDLE: return handle_of(s, a->handle);
    case PB__ANSWER__BODY_INTERP:
        if (s->which == PB__ASK__BODY_INTERP_CREATE)
            return handle_of(s, a->interp->interp);
        return python_message_read(&a->interp->base);
    case PB__ANSWER__BODY_QUEUE:
        if (s->which == PB__ASK__BODY_QUEUE_CREATE || s->which == PB__ASK__BODY_QUEUE_OPEN)
            return handle_of(s, a->queue->queue);
        return python_message_read(&a->queue->base);
    default: break;
    }
    for (unsigned i = 0; i < a->base.descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &a->base.descriptor->fields[i];

        if (f->id == (uint32_t)a->body_case && f->type == PROTOBUF_C_TYPE_MESSAGE)
            return python_message_read(*(ProtobufCMessage *const *)((const char *)a + f->offset));
    }
    return python_call_raise(PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense", NULL);
}

/* The exception that is set becomes an object's. */
static PyObject *take_exception(void)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

void python_ask_settle(struct asking *s)
{
    const Pb__Answer *answer = python_asking_answer(s->ask);

    if (answer != NULL)
        s->result = result_of(s, answer);
    if (s->result == NULL)
        s->error = take_exception();
    ask_end(s->ask);
    s->ask = NULL;
}

/* wait([seconds]) -> what it was answered with; as often as one likes. TimedOut: not yet. */
static PyObject *asking_wait(PyObject *self, PyObject *args)
{
    struct asking *s = (struct asking *)self;
    PyObject *seconds = NULL;
    int64_t deadline;
    int rc;

    if (!PyArg_ParseTuple(args, "|O", &seconds) || py_deadline_of(seconds, &deadline) != 0)
        return NULL;
    rc = python_ask_await(s, deadline);
    if (rc != 0)
        return python_call_failed(rc);
    if (s->error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(s->error), s->error);
        return NULL;
    }
    return Py_NewRef(s->result != NULL ? s->result : Py_None); /* who waited beside us has taken it */
}

/* take() -> as wait(); what it was answered with is kept no longer: it is asked once. */
static PyObject *asking_take(PyObject *self, PyObject *none)
{
    struct asking *s = (struct asking *)self;
    int rc = python_ask_await(s, COOP_NEVER);
    PyObject *error;

    (void)none;
    if (rc != 0)
        return python_call_failed(rc);
    if (s->error == NULL) {
        PyObject *result = s->result != NULL ? s->result : Py_NewRef(Py_None);

        s->result = NULL;
        return result;
    }
    error = s->error;
    s->error = NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return NULL;
}

static PyObject *asking_done(PyObject *self, PyObject *none)
{
    const struct asking *s = (struct asking *)self;

    (void)none;
    return PyBool_FromLong(s->ask == NULL || ask_is_answered(s->ask));
}

/* cancel(): the broker is told that nobody wants it any more; what it was answered with says what has happened. */
static PyObject *asking_cancel(PyObject *self, PyObject *none)
{
    const struct asking *s = (struct asking *)self;

    (void)none;
    if (s->ask != NULL)
        ask_cancel(s->ask);
    Py_RETURN_NONE;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    struct asking *s = (struct asking *)self;

    Py_VISIT(s->result);
    Py_VISIT(s->error);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int clear(PyObject *self)
{
    struct asking *s = (struct asking *)self;

    Py_CLEAR(s->result);
    Py_CLEAR(s->error);
    return 0;
}

static void dealloc(PyObject *self)
{
    struct asking *s = (struct asking *)self;
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    (void)clear(self);
    ask_end(s->ask);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------------ */

/* The message of this name in an Ask, from the fields; and it is sent. */
static int send(struct asking *s, const ProtobufCFieldDescriptor *f, PyObject *fields)
{
    struct python_arena arena = { NULL };
    Pb__Ask a = PB__ASK__INIT;
    ProtobufCMessage *m = python_message_make(&arena, f->descriptor, fields);
    int rc = -1;

    if (m != NULL) {
        a.body_case = s->which = (Pb__Ask__BodyCase)f->id;
        *(ProtobufCMessage **)((char *)&a + f->offset) = m;
        if (s->which == PB__ASK__BODY_BUFFER_NEW)
            s->bytes = a.buffer_new->bytes;
        rc = ask_begin(&a, &s->ask);
        if (rc != 0)
            (void)python_call_failed(rc);
    }
    python_arena_finish(&arena);
    return rc;
}

/* Ask(name, fields): a name of docs/calls.md, and its fields. */
static PyObject *asking_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    const ProtobufCFieldDescriptor *f;
    const char *name;
    PyObject *fields;
    struct asking *s;

    (void)kwargs;
    if (!PyArg_ParseTuple(args, "sO", &name, &fields))
        return NULL;
    f = protobuf_c_message_descriptor_get_field_by_name(&pb__ask__descriptor, name);
    if (f == NULL || f->type != PROTOBUF_C_TYPE_MESSAGE)
        return PyErr_Format(PyExc_ValueError, "there is no call '%s'", name);
    s = (struct asking *)type->tp_alloc(type, 0);
    if (s != NULL && send(s, f, fields) != 0) {
        Py_DECREF(s);
        return NULL;
    }
    return (PyObject *)s;
}

static PyMethodDef methods[] = {
    {"wait",    asking_wait,   METH_VARARGS, NULL},
    { "take",   asking_take,   METH_NOARGS,  NULL},
    { "done",   asking_done,   METH_NOARGS,  NULL},
    { "cancel", asking_cancel, METH_NOARGS,  NULL},
    { NULL,     NULL,          0,            NULL}
};

static PyType_Slot slots[] = {
    {Py_tp_new,       asking_new},
    { Py_tp_dealloc,  dealloc   },
    { Py_tp_traverse, traverse  },
    { Py_tp_clear,    clear     },
    { Py_tp_methods,  methods   },
    { 0,              NULL      }
};

int python_asking_add(PyObject *module)
{
    PyType_Spec spec = {
        .name = "_coop.Ask", .basicsize = sizeof(struct asking), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .slots = slots
    };
    static PyMethodDef functions[] = {
        {"wait_any", python_ask_wait_any, METH_VARARGS, NULL},
        { NULL,      NULL,                0,            NULL}
    };

    python_ask_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (python_ask_type == NULL || PyModule_AddFunctions(module, functions) != 0)
        return -1;
    return PyModule_AddObjectRef(module, "Ask", (PyObject *)python_ask_type);
}
