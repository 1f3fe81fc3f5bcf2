/* slp_bomb.c - see slp.h: an error on its way from one tasklet to another. */
#include "worker/engines/python/slp.h"

struct bomb {
    PyObject_HEAD PyObject *type, *value, *traceback; /* NULL: None */
};

static PyObject *new_bomb(PyObject *type, PyObject *value, PyObject *traceback)
{
    struct bomb *b = PyObject_GC_New(struct bomb, &slp_bomb_type);

    if (b == NULL)
        return NULL;
    b->type = Py_XNewRef(type);
    b->value = Py_XNewRef(value);
    b->traceback = Py_XNewRef(traceback);
    PyObject_GC_Track(b);
    return (PyObject *)b;
}

PyObject *py_bomb_of_error(void)
{
    PyObject *type, *value, *traceback, *bomb;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL && value != NULL)
        PyException_SetTraceback(value, traceback);
    bomb = new_bomb(type, value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return bomb;
}

static bool is_absent(const PyObject *o)
{
    return o == NULL || o == Py_None;
}

/* What raise would make of the three. */
PyObject *py_bomb_of(PyObject *type, PyObject *value, PyObject *traceback)
{
    if (is_absent(value))
        value = NULL;
    if (is_absent(traceback))
        traceback = NULL;
    if (traceback != NULL && !PyTraceBack_Check(traceback)) {
        PyErr_SetString(PyExc_TypeError, "third argument must be a traceback object");
        return NULL;
    }
    if (PyExceptionInstance_Check(type)) {
        if (value != NULL) {
            PyErr_SetString(PyExc_TypeError, "instance exceptions cannot have a separate value");
            return NULL;
        }
        return new_bomb(PyExceptionInstance_Class(type), type, traceback);
    }
    if (!PyExceptionClass_Check(type)) {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes, or instances, not %s", Py_TYPE(type)->tp_name);
        return NULL;
    }
    return new_bomb(type, value, traceback);
}

PyObject *py_explode(PyObject *bomb)
{
    struct bomb *b = (struct bomb *)bomb;
    PyObject *type = b->type, *value = b->value, *traceback = b->traceback;

    b->type = b->value = b->traceback = NULL;
    Py_DECREF(bomb);
    if (type == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a bomb that has gone off");
        return NULL;
    }
    if (traceback == NULL && value != NULL && PyExceptionInstance_Check(value))
        traceback = PyException_GetTraceback(value);
    PyErr_Restore(type, value, traceback);
    return NULL;
}

/* ---- who meets it -------------------------------------------------------------------------------------------------------------- */

/* true: it took the error, or replaced it by its own and that is set. */
static bool handle(void)
{
    PyObject *type, *value, *traceback, *done;

    if (slp_error_handler == NULL)
        return false;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    done = PyObject_CallFunctionObjArgs(slp_error_handler, type, value, traceback != NULL ? traceback : Py_None, NULL);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    Py_XDECREF(done);
    return done != NULL;
}

/* It runs next: the others stay behind it as they were. SystemExit is the whole script's, and so main's. */
static void meet(py_tasklet *t, PyObject *bomb)
{
    py_set_tempval(t, bomb);
    if (t->task->state == TASK_BLOCKED)
        py_wake(t, 0);
    if (t->task->state == TASK_READY)
        ring_turn_to(t->task);
}

void py_carry_error(py_tasklet *t)
{
    py_tasklet *who;
    PyObject *bomb;

    if (PyErr_ExceptionMatches(slp_tasklet_exit)) {
        PyErr_Clear();
        return;
    }
    if (t->greenlet != NULL || handle())
        return;
    who = PyErr_ExceptionMatches(PyExc_SystemExit) ? py_thread->main : py_watchdog();
    if (py_is_no_business_of(who, t)) {
        py_late_error();
        return;
    }
    bomb = py_bomb_of_error();
    if (bomb == NULL)
        PyErr_WriteUnraisable((PyObject *)t);
    else
        meet(who, bomb);
}

/* ---- the type ------------------------------------------------------------------------------------------------------------------ */

static PyObject *bomb_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "type", "value", "traceback", NULL };
    PyObject *t = NULL, *v = NULL, *tb = NULL;

    (void)type;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:bomb", names, &t, &v, &tb))
        return NULL;
    if (is_absent(t)) { /* of the error that is being handled */
        PyObject *o = new_bomb(NULL, NULL, NULL);

        if (o != NULL) {
            struct bomb *b = (struct bomb *)o;

            PyErr_GetExcInfo(&b->type, &b->value, &b->traceback);
        }
        return o;
    }
    return py_bomb_of(t, v, tb);
}

static int bomb_traverse(PyObject *o, visitproc visit, void *arg)
{
    struct bomb *b = (struct bomb *)o;

    Py_VISIT(b->type);
    Py_VISIT(b->value);
    Py_VISIT(b->traceback);
    return 0;
}

static int bomb_clear(PyObject *o)
{
    struct bomb *b = (struct bomb *)o;

    Py_CLEAR(b->type);
    Py_CLEAR(b->value);
    Py_CLEAR(b->traceback);
    return 0;
}

static void bomb_dealloc(PyObject *o)
{
    PyObject_GC_UnTrack(o);
    (void)bomb_clear(o);
    PyObject_GC_Del(o);
}

static PyMemberDef bomb_members[] = {
    {"type",                         T_OBJECT, offsetof(struct bomb, type),                                0,                   "The class of the error." },
    { "value",                             T_OBJECT,                              offsetof(struct bomb,              value), 0, "The error, or its argument." },
    { "traceback", T_OBJECT,        offsetof(struct bomb,                 traceback),                                             0,                                     "Its traceback." },
    { NULL,                             0,                     0,                                        0,                            NULL}
};

static PyObject *bomb_reduce(PyObject *o, PyObject *nothing)
{
    const struct bomb *b = (struct bomb *)o;

    (void)nothing;
    return Py_BuildValue("(O(OOO))", Py_TYPE(o), b->type != NULL ? b->type : Py_None, b->value != NULL ? b->value : Py_None,
                         b->traceback != NULL ? b->traceback : Py_None);
}

static PyMethodDef bomb_methods[] = {
    {"__reduce__", bomb_reduce, METH_NOARGS, NULL},
    { NULL,        NULL,        0,           NULL}
};

PyTypeObject slp_bomb_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stackless.bomb",
    .tp_basicsize = sizeof(struct bomb),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "An error on its way to a tasklet: it is raised where it arrives.",
    .tp_new = bomb_new,
    .tp_dealloc = bomb_dealloc,
    .tp_traverse = bomb_traverse,
    .tp_clear = bomb_clear,
    .tp_members = bomb_members,
    .tp_methods = bomb_methods,
};
