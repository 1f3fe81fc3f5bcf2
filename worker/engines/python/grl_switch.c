/* grl_switch.c - see grl.h: who has the turn, and who gets what a greenlet ends with. */
#include "worker/engines/python/grl.h"

#include <errno.h>

PyObject *grl_error, *grl_exit, *grl_tracer;

/* ---- who runs ------------------------------------------------------------------------------------------------------------------ */

static greenlet *new_root(py_tasklet *t)
{
    greenlet *g = (greenlet *)grl_type.tp_alloc(&grl_type, 0);

    if (g == NULL)
        return NULL;
    g->t = (py_tasklet *)Py_NewRef((PyObject *)t);
    g->thread = py_thread_get(py_thread);
    g->started = true;
    t->greenlet = (PyObject *)g; /* the tasklet's, to its end */
    t->has_root = true;
    return g;
}

greenlet *grl_current(void)
{
    py_tasklet *t;

    if (py_here() != 0)
        return NULL;
    t = py_current();
    if (t == py_thread->nobody) { /* a callback after an end */
        PyErr_SetString(grl_error, "there is no current greenlet: nobody runs");
        return NULL;
    }
    return t->greenlet != NULL ? (greenlet *)t->greenlet : new_root(t);
}

/* The tasklet ends whose root it is. */
void py_root_ends(PyObject *root)
{
    greenlet *g = (greenlet *)root;

    g->dead = true;
    py_root_stays(root);
}

/* Its thread has ended: whoever asks for more than that is told so. */
void py_root_stays(PyObject *root)
{
    Py_CLEAR(((greenlet *)root)->t);
    Py_DECREF(root);
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------------- */

static greenlet *nearest_alive(greenlet *g)
{
    while (g != NULL && g->dead)
        g = g->parent;
    return g;
}

static PyObject *body(PyObject *self, PyObject *args, PyObject *kwargs);
static PyMethodDef body_method = { "greenlet", (PyCFunction)(void (*)(void))body, METH_VARARGS | METH_KEYWORDS, NULL };

/* What it will call. The lookup is the tenant's code, which may start it. */
static int find_run(greenlet *g)
{
    PyObject *run = PyObject_GetAttrString((PyObject *)g, "run");

    if (run == NULL)
        return -1;
    if (g->started)
        Py_DECREF(run);
    else
        Py_XSETREF(g->run, run);
    return 0;
}

static bool is_first_value(PyObject *what)
{
    return PyTuple_Check(what) && PyTuple_GET_SIZE(what) == 3 && PyTuple_GET_ITEM(what, 2) == (PyObject *)&grl_type;
}

/* What was to be the arguments of one that has begun meanwhile. */
static PyObject *as_later_value(PyObject *what)
{
    PyObject *args = Py_NewRef(PyTuple_GET_ITEM(what, 0)), *value = args;

    if (PyTuple_GET_ITEM(what, 1) != Py_None)
        value = PyTuple_Pack(2, args, PyTuple_GET_ITEM(what, 1));
    else if (PyTuple_GET_SIZE(args) == 1)
        value = Py_NewRef(PyTuple_GET_ITEM(args, 0));
    if (value != args)
        Py_DECREF(args);
    Py_DECREF(what);
    return value;
}

/* What it will be called with: what is a pair of arguments, a value, or a bomb, which leaves none. 0, or -1 with an error. */
static int give_arguments(py_tasklet *t, PyObject *what)
{
    if (is_first_value(what)) {
        t->args = Py_NewRef(PyTuple_GET_ITEM(what, 0));
        t->kwargs = PyTuple_GET_ITEM(what, 1) != Py_None ? Py_NewRef(PyTuple_GET_ITEM(what, 1)) : NULL;
    } else if (Py_IS_TYPE(what, &slp_bomb_type)) {
        t->args = PyTuple_New(0);
        t->tempval = Py_NewRef(what);
    } else {
        t->args = PyTuple_Check(what) && PyTuple_GET_SIZE(what) == 0 ? Py_NewRef(what) : PyTuple_Pack(1, what);
    }
    return t->args != NULL ? 0 : -1;
}

/* A carrier for one that is to begin. What makes an object may collect, and so run the tenant's code, which may begin it. */
static py_tasklet *make_carrier(PyObject *what)
{
    py_tasklet *t = (py_tasklet *)slp_tasklet_type.tp_alloc(&slp_tasklet_type, 0);

    if (t == NULL)
        return NULL;
    t->func = PyCFunction_New(&body_method, NULL); /* not of the greenlet: that would keep it */
    if (t->func != NULL && give_arguments(t, what) == 0)
        return t;
    Py_DECREF(t);
    return NULL;
}

/* t, taken over, is its carrier from now on. */
static int start(greenlet *g, py_tasklet *t)
{
    t->greenlet = (PyObject *)g;
    t->context = g->context;
    g->context = NULL;
    g->t = t;
    g->started = true;
    if (py_begin(t) == 0)
        return 0;
    g->started = false;
    t->greenlet = NULL;
    g->context = t->context;
    t->context = NULL;
    Py_CLEAR(g->t);
    return -1;
}

/* g, which has begun, has this value next. It is not taken over. */
static int hand_over(greenlet *g, PyObject *value)
{
    if (g->t == NULL || g->t == py_current()) {
        PyErr_SetString(grl_error, "the greenlet has ended while it was being started");
        return -1;
    }
    Py_INCREF(value);
    py_set_tempval(g->t, is_first_value(value) ? as_later_value(value) : value);
    if (g->t == NULL) { /* what was there before has died, and ran it to its end */
        PyErr_SetString(grl_error, "the greenlet has ended while it was being switched to");
        return -1;
    }
    py_wake(g->t, 0);
    return 0;
}

/* The same of one that may not have begun. */
static int begin_or_hand_over(greenlet *g, PyObject *value)
{
    py_tasklet *t;

    if (!g->started && find_run(g) != 0)
        return -1;
    if (g->started)
        return hand_over(g, value);
    t = make_carrier(value);
    if (t == NULL)
        return -1;
    if (!g->started)
        return start(g, t);
    Py_DECREF(t);
    return hand_over(g, value);
}

/* g has the turn next, with this value, which is taken over. */
static int make_next(greenlet *g, PyObject *value)
{
    int rc = begin_or_hand_over(g, value);

    Py_DECREF(value);
    if (rc != 0)
        return -1;
    if (g->t == NULL || g->t->task == NULL) { /* its value has died, and ran it to its end */
        PyErr_SetString(grl_error, "the greenlet has ended while it was being switched to");
        return -1;
    }
    if (!g->running && g->parent != NULL) {
        g->running = true;
        Py_INCREF(g);
    }
    ring_turn_to(g->t->task);
    return 0;
}

/* GreenletExit is a value like another. */
static PyObject *result_of(PyObject *result)
{
    PyObject *type, *value, *traceback;

    if (result != NULL)
        return result;
    if (!PyErr_ExceptionMatches(grl_exit))
        return py_bomb_of_error();
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

static void trace(greenlet *from, greenlet *to, bool throws)
{
    PyObject *done, *type, *value, *traceback, *tracer = grl_tracer;

    if (tracer == NULL)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    Py_INCREF(tracer);
    done = PyObject_CallFunction(tracer, "s(OO)", throws ? "throw" : "switch", from, to);
    Py_DECREF(tracer);
    if (done == NULL) { /* its error is the switch's, and there is no tracer any more */
        Py_CLEAR(grl_tracer);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return;
    }
    Py_DECREF(done);
    PyErr_Restore(type, value, traceback);
}

static __thread greenlet *came_from; /* who had the turn before, for the tracer, until whoever comes has told it: a reference */

static void leaves(greenlet *g)
{
    Py_XSETREF(came_from, (greenlet *)Py_NewRef((PyObject *)g));
}

/* Whoever has the turn now. The one that had it may go here. */
static void arrives(greenlet *g, bool throws)
{
    greenlet *from = came_from != NULL ? came_from : (greenlet *)Py_NewRef((PyObject *)g);
    PyObject *type, *value, *traceback;

    came_from = NULL;
    trace(from, g, throws);
    PyErr_Fetch(&type, &value, &traceback);
    Py_DECREF(from);
    PyErr_Restore(type, value, traceback);
}

/* What it returns, or NULL with an error: one that was thrown at before its first turn does not begin. */
static PyObject *call_run(greenlet *g, PyObject *args, PyObject *kwargs)
{
    PyObject *run = g->run, *sent = g->t->tempval, *result = NULL;
    bool bomb = sent != NULL && Py_IS_TYPE(sent, &slp_bomb_type);

    g->run = g->t->tempval = NULL;
    arrives(g, bomb);
    if (PyErr_Occurred() == NULL)
        result = bomb ? py_explode(Py_NewRef(sent)) : PyObject_Call(run, args, kwargs);
    Py_XDECREF(sent);
    Py_DECREF(run);
    return result;
}

/* The whole life of a greenlet, in its carrier. */
static PyObject *body(PyObject *self, PyObject *args, PyObject *kwargs)
{
    greenlet *g = (greenlet *)py_current()->greenlet, *next;
    PyObject *result = result_of(call_run(g, args, kwargs));

    (void)self;
    g->dead = true;
    g->context = Py_XNewRef(py_state_context(g->t->ts));
    if (g->t->forced) /* everything ends: nobody gets anything */
        Py_CLEAR(result);
    PyErr_Clear();
    for (next = nearest_alive(g->parent); next != NULL && result != NULL; next = nearest_alive(next->parent)) {
        if (make_next(next, result) == 0) {
            leaves(g);
            py_state_share_tracing(g->t->ts, next->t->ts);
            break;
        }
        result = py_bomb_of_error(); /* of an unstarted parent that cannot begin: its own parent hears of it */
        next->dead = true;
    }
    g->t->greenlet = NULL;
    Py_CLEAR(g->t); /* the carrier is held to its end */
    if (g->running) {
        g->running = false;
        Py_DECREF(g);
    }
    Py_RETURN_NONE;
}

/* ---- switching ----------------------------------------------------------------------------------------------------------------- */

static int may_switch_to(const greenlet *g)
{
    if (py_may_switch() != 0)
        return -1;
    if (g->thread == py_thread)
        return 0;
    PyErr_SetString(grl_error, g->thread == NULL || g->thread->ended ? "cannot switch to a different thread (which happens to have exited)"
                                                                     : "cannot switch to a different thread");
    return -1;
}

/* Of one that never began, thrown at: it is over, and its parent gets what it would have ended with. */
static bool dies_unstarted(const greenlet *g, PyObject *value)
{
    return !g->started && Py_IS_TYPE(value, &slp_bomb_type);
}

PyObject *grl_switch(greenlet *g, PyObject *value, bool throws)
{
    greenlet *me = grl_current(), *to = nearest_alive(g);
    PyObject *result;

    while (me != NULL && to != NULL && value != NULL && dies_unstarted(to, value)) {
        PyObject *run = PyObject_GetAttrString((PyObject *)to, "run");

        if (run == NULL)
            break;
        Py_DECREF(run);
        if (to->started) /* that was the tenant's code */
            break;
        to->started = to->dead = true;
        Py_CLEAR(to->run);
        (void)py_explode(value);
        value = result_of(NULL);
        to = nearest_alive(to->parent);
    }
    if (to == NULL && !PyErr_Occurred()) /* its root's tasklet has ended */
        PyErr_SetString(grl_error, "the greenlet has ended, and so have all its parents");
    if (PyErr_Occurred() || me == NULL || to == NULL || value == NULL || may_switch_to(to) != 0) {
        Py_XDECREF(value);
        return NULL;
    }
    if (to == me) {
        trace(me, to, throws);
        if (PyErr_Occurred()) {
            Py_DECREF(value);
            return NULL;
        }
        return Py_IS_TYPE(value, &slp_bomb_type) ? py_explode(value) : value;
    }
    if (sched->switch_trap > 0) {
        Py_DECREF(value);
        return py_failed(-EPERM);
    }
    if (make_next(to, value) != 0)
        return NULL;
    leaves(me);
    py_state_share_tracing(me->t->ts, to->t->ts);
    if (me->running) { /* it may be the last one */
        me->running = false;
        Py_XSETREF(py_thread->post_greenlet, (PyObject *)me);
    }
    result = py_switch_to(to->t, false);
    if (me->parent != NULL && !me->running) {
        me->running = true;
        Py_INCREF(me);
    }
    arrives(me, result == NULL);
    if (PyErr_Occurred())
        Py_CLEAR(result);
    return result;
}

PyObject *grl_throw(greenlet *g, PyObject *type, PyObject *value, PyObject *traceback)
{
    PyObject *bomb;

    if (traceback != NULL && traceback != Py_None && !PyTraceBack_Check(traceback)) {
        PyErr_SetString(PyExc_TypeError, "throw() third argument must be a traceback object");
        return NULL;
    }
    if (PyExceptionInstance_Check(type) && value != NULL && value != Py_None) {
        PyErr_SetString(PyExc_TypeError, "instance exception may not have a separate value");
        return NULL;
    }
    bomb = py_bomb_of(type, value, traceback);
    if (bomb == NULL)
        return NULL;
    if (g->started && g->dead) { /* GreenletExit is what it ends with once more */
        (void)py_explode(bomb);
        bomb = result_of(NULL);
    }
    return bomb != NULL ? grl_switch(g, bomb, true) : NULL;
}

PyObject *grl_value_of(greenlet *g, PyObject *args, PyObject *kwargs)
{
    const greenlet *to = nearest_alive(g);

    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) == 0)
        kwargs = NULL;
    if (to != NULL && !to->started)
        return PyTuple_Pack(3, args, kwargs != NULL ? kwargs : Py_None, (PyObject *)&grl_type);
    if (kwargs != NULL)
        return PyTuple_GET_SIZE(args) == 0 ? Py_NewRef(kwargs) : PyTuple_Pack(2, args, kwargs);
    return Py_NewRef(PyTuple_GET_SIZE(args) == 1 ? PyTuple_GET_ITEM(args, 0) : args);
}
