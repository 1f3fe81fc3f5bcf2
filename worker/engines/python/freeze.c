/* freeze.c - see freeze.h: what a pickler asks when it meets an object. */
#include "worker/engines/python/freeze.h"

#include "worker/engines/python/lib.h"

LIB_FILE(freeze);

static PyObject *module;
/* lib/freeze.py's, {type: function}, and copyreg's, that has these until somebody sets others. */
static PyObject *usual_reducers, *copyreg_table;
static PyTypeObject dump_type;

/* ---- what reducers return ---------------------------------------------------------------------------------------------------------- */

static PyObject *function(const char *name)
{
    return PyObject_GetAttrString(module, name);
}

PyObject *py_reduced(const char *make, PyObject *arguments, const char *set, PyObject *state)
{
    PyObject *m = function(make), *s = set != NULL ? function(set) : NULL, *result = NULL;

    if (m != NULL && arguments != NULL && set == NULL)
        result = PyTuple_Pack(2, m, arguments);
    else if (m != NULL && arguments != NULL && s != NULL && state != NULL)
        result = PyTuple_Pack(6, m, arguments, state, Py_None, Py_None, s);
    Py_XDECREF(m);
    Py_XDECREF(s);
    Py_XDECREF(arguments);
    Py_XDECREF(state);
    return result;
}

PyObject *py_not_ours(void)
{
    return Py_NewRef(Py_NotImplemented);
}

/* ---- frames, generators, tracebacks -------------------------------------------------------------------------------------------------- */

/* All frames of a tasklet at once: what is pickled of them runs code, and they may go on meanwhile. */
int py_dump_goes_on(struct py_dump *d, const struct py_frozen_frame *r)
{
    PyObject *whose = r->generator != NULL ? r->generator : (PyObject *)r->frame, *taken;
    int rc;

    if (r->generator != NULL)
        taken = Py_BuildValue("(NO)", py_gen_running_state(r->generator, r->at, r->depth), py_or_none(py_gen_globals(r->generator)));
    else
        taken = py_frame_state(r->frame, r->at, r->depth);
    rc = taken != NULL ? PyDict_SetItem(d->live, whose, taken) : -1;
    d->used = true;
    Py_XDECREF(taken);
    return rc;
}

/* What was taken of it, n values, borrowed; NULL: it does not go on, or an error is set. Whoever looks for it finds the dict, and may spoil it. */
static PyObject *taken_of(const struct py_dump *d, PyObject *whose, Py_ssize_t n)
{
    PyObject *taken = PyDict_GetItemWithError(d->live, whose);

    if (taken != NULL && (!PyTuple_CheckExact(taken) || PyTuple_GET_SIZE(taken) != n))
        return py_freeze_error("PicklingError", "%R is not as it was taken", whose);
    return taken;
}

/* (py_frame_state(), globals that it uses, whether they are its locals too) */
static PyObject *frame_state(struct py_dump *d, PyFrameObject *f, PyObject *globals, PyCodeObject *code)
{
    PyObject *taken = taken_of(d, (PyObject *)f, PY_FRAME_STATE), *state, *used = NULL;

    if (taken == NULL && PyErr_Occurred())
        return NULL;
    state = taken != NULL ? Py_NewRef(taken) : py_frame_dead_state(f);
    if (state != NULL) /* one that does not go on uses none */
        used = taken != NULL ? py_dump_used_globals(d, globals, code) : Py_NewRef(Py_None);
    if (used != NULL && PyTuple_GET_ITEM(state, 4) == globals) /* code of a module: its variables are its globals */
        Py_SETREF(PyTuple_GET_ITEM(state, 4), py_dump_globals(d, globals));
    if (used == NULL || PyErr_Occurred()) {
        Py_XDECREF(state);
        Py_XDECREF(used);
        return NULL;
    }
    return Py_BuildValue("(NN)", state, used);
}

static PyObject *reduce_frame(struct py_dump *d, PyObject *o)
{
    PyFrameObject *f = (PyFrameObject *)o;
    PyObject *globals, *result, *generator = py_frame_generator(f);
    PyCodeObject *code;

    d->used = true;
    if (generator != NULL)
        return py_reduced("frame_of", PyTuple_Pack(1, generator), NULL, NULL);
    globals = PyFrame_GetGlobals(f);
    code = PyFrame_GetCode(f);
    result = frame_state(d, f, globals, code);
    if (result != NULL)
        result = py_reduced("frame", Py_BuildValue("(ON)", code, py_dump_globals(d, globals)), "set_frame", result);
    Py_DECREF(globals);
    Py_DECREF(code);
    return result;
}

/* One that runs, and is in a tasklet's frames, is as it was when that was met. Its globals are borrowed; NULL: it has ended. */
static PyObject *generator_state(struct py_dump *d, PyObject *o, PyObject **ret_globals)
{
    PyObject *taken = taken_of(d, o, 2);

    if (taken == NULL && (PyErr_Occurred() || (py_gen_waits_in_step(o) && py_dump_waits_in_step(d, o) != 0)))
        return NULL;
    if (taken == NULL) {
        *ret_globals = py_gen_globals(o);
        return py_gen_state(o);
    }
    *ret_globals = PyDict_Check(PyTuple_GET_ITEM(taken, 1)) ? PyTuple_GET_ITEM(taken, 1) : NULL;
    return Py_NewRef(PyTuple_GET_ITEM(taken, 0));
}

static PyObject *reduce_generator(struct py_dump *d, PyObject *o)
{
    PyObject *globals, *state = generator_state(d, o, &globals), *used, *arguments;
    const PyGenObject *g = (PyGenObject *)o;

    d->used = true;
    if (state == NULL)
        return NULL;
    if (state == Py_None) /* it has ended, and may have its frame still */
        globals = NULL;
    arguments = Py_BuildValue("(iONOO)", py_gen_kind(o), py_gen_code(o), globals != NULL ? py_dump_globals(d, globals) : Py_NewRef(Py_None),
                              g->gi_name, g->gi_qualname);
    if (globals == NULL) {
        Py_DECREF(state);
        return py_reduced("generator", arguments, NULL, NULL);
    }
    used = py_dump_used_globals(d, globals, py_gen_code(o));
    if (used == NULL) {
        Py_DECREF(state);
        Py_XDECREF(arguments);
        return NULL;
    }
    return py_reduced("generator", arguments, "set_generator", Py_BuildValue("(NN)", state, used));
}

static PyObject *reduce_traceback(struct py_dump *d, PyObject *o)
{
    const PyTracebackObject *t = (PyTracebackObject *)o;

    d->used = true;
    return py_reduced("traceback", Py_BuildValue("(Oii)", t->tb_frame, t->tb_lasti, t->tb_lineno), "set_traceback",
                      Py_NewRef(t->tb_next != NULL ? (PyObject *)t->tb_next : Py_None));
}

/* ---- the dump ------------------------------------------------------------------------------------------------------------------------ */

static PyObject *reduce_tasklet(struct py_dump *d, PyObject *o)
{
    d->used = true;
    return py_reduce_tasklet(d, (py_tasklet *)o);
}

static PyObject *reduce_channel(struct py_dump *d, PyObject *o)
{
    d->used = true;
    return py_reduce_channel(d, (struct slp_chan *)o);
}

/* clang-format off */
static const struct reducer {
    PyTypeObject *type;
    PyObject *(*reduce)(struct py_dump *d, PyObject *o);
} reducers[] = {
    { &PyFunction_Type,          py_reduce_function },
    { &PyFrame_Type,             reduce_frame       },
    { &PyCode_Type,              py_reduce_code     },
    { &py_globals_type,          py_reduce_globals  },
    { &PyCell_Type,              py_reduce_cell     },
    { &PyType_Type,              py_reduce_type     },
    { &PyGen_Type,               reduce_generator   },
    { &PyCoro_Type,              reduce_generator   },
    { &PyAsyncGen_Type,          reduce_generator   },
    { &_PyAsyncGenASend_Type,    py_reduce_step     },
    { &_PyAsyncGenAThrow_Type,   py_reduce_step     },
    { &_PyCoroWrapper_Type,      py_reduce_await    },
    { &PyTraceBack_Type,         reduce_traceback   },
    { &PyDictKeys_Type,          py_reduce_view     },
    { &PyDictValues_Type,        py_reduce_view     },
    { &PyDictItems_Type,         py_reduce_view     },
    { &PyODictKeys_Type,         py_reduce_view     },
    { &PyODictValues_Type,       py_reduce_view     },
    { &PyODictItems_Type,        py_reduce_view     },
};
/* clang-format on */

static bool has_its_own(PyTypeObject *type, PyTypeObject *base, const char *method)
{
    PyObject *its = type != base ? PyObject_GetAttrString((PyObject *)type, method) : NULL;
    bool yes = its != NULL && its != PyDict_GetItemString(base->tp_dict, method);

    Py_XDECREF(its);
    return yes;
}

/* A class derived from base that has a way of its own. */
static bool reduces_itself(PyTypeObject *type, PyTypeObject *base)
{
    return has_its_own(type, base, "__reduce_ex__") || has_its_own(type, base, "__reduce__");
}

/* copyreg.pickle() of somebody else for this type: he has a way of his own. Of functions and types pickle asks nobody. */
static bool is_others(PyTypeObject *type)
{
    PyObject *usual = PyDict_GetItemWithError(usual_reducers, (PyObject *)type),
             *its = usual != NULL ? PyDict_GetItemWithError(copyreg_table, (PyObject *)type) : NULL;

    return its != NULL && its != usual;
}

static PyObject *reduce(struct py_dump *d, PyObject *o)
{
    PyTypeObject *type = Py_TYPE(o);

    if (is_others(type))
        return py_not_ours();
    for (size_t i = 0; i < sizeof(reducers) / sizeof(reducers[0]); i++)
        if (reducers[i].type == type)
            return reducers[i].reduce(d, o);
    if (PyModule_Check(o))
        return py_reduce_module(d, o);
    if (slp_tasklet_type.tp_mro == NULL) /* nobody has imported stackless */
        return py_not_ours();
    if (PyType_IsSubtype(type, &slp_tasklet_type))
        return o != d->root && reduces_itself(type, &slp_tasklet_type) ? py_not_ours() : reduce_tasklet(d, o);
    if (PyType_IsSubtype(type, &slp_channel_type))
        return o != d->root && reduces_itself(type, &slp_channel_type) ? py_not_ours() : reduce_channel(d, o);
    return py_not_ours();
}

static PyObject *dump_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
    if (PyVectorcall_NARGS(nargsf) != 1 || names != NULL) {
        PyErr_SetString(PyExc_TypeError, "a Dump takes one object");
        return NULL;
    }
    return reduce((struct py_dump *)self, args[0]);
}

static PyObject *dump_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    struct py_dump *d = (struct py_dump *)type->tp_alloc(type, 0);
    PyObject *root = NULL;
    int by_value = 0;

    (void)kwargs;
    if (d == NULL || !PyArg_ParseTuple(args, "|pO:Dump", &by_value, &root)) {
        Py_XDECREF(d);
        return NULL;
    }
    d->call = dump_call;
    d->by_value = by_value;
    d->root = Py_XNewRef(root);
    d->globals = PyDict_New();
    d->live = PyDict_New();
    d->steps = PyDict_New();
    if (d->globals == NULL || d->live == NULL || d->steps == NULL)
        Py_CLEAR(d);
    return (PyObject *)d;
}

static void dump_dealloc(PyObject *o)
{
    Py_XDECREF(((struct py_dump *)o)->globals);
    Py_XDECREF(((struct py_dump *)o)->live);
    Py_XDECREF(((struct py_dump *)o)->steps);
    Py_XDECREF(((struct py_dump *)o)->root);
    PyObject_Free(o);
}

/* clang-format off */
static PyMemberDef dump_members[] = {
    { "used",    T_BOOL,   offsetof(struct py_dump, used),    READONLY, "Execution state is in it: it needs a seal." },
    { "by_name", T_BOOL,   offsetof(struct py_dump, by_name), READONLY, "A function of __main__ is in it by name." },
    { "live",    T_OBJECT, offsetof(struct py_dump, live),    READONLY, "Frames that go on with it." },
    { "steps",   T_OBJECT, offsetof(struct py_dump, steps),   READONLY, "{async generator that waits in a step: whether that is in it}" },
    { NULL,      0,        0,                                 0,        NULL },
};
/* clang-format on */

static PyTypeObject dump_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_coop_freeze.Dump",
    .tp_basicsize = sizeof(struct py_dump),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_doc = "Dump(by_value=False): the reducer_override of one dump.",
    .tp_new = dump_new,
    .tp_dealloc = dump_dealloc,
    .tp_free = PyObject_Free,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(struct py_dump, call),
    .tp_members = dump_members,
};

PyObject *py_reduce_alone(PyObject *self, PyObject *none)
{
    PyObject *alone = PyObject_GetAttrString(module, "alone"), *result = alone != NULL ? PyObject_CallOneArg(alone, self) : NULL;

    (void)none;
    Py_XDECREF(alone);
    return result;
}

PyObject *py_reduce_ex(PyObject *self, PyObject *protocol)
{
    PyTypeObject *base = PyObject_TypeCheck(self, &slp_tasklet_type) ? &slp_tasklet_type : &slp_channel_type;

    (void)protocol;
    return has_its_own(Py_TYPE(self), base, "__reduce__") ? PyObject_CallMethod(self, "__reduce__", NULL) : py_reduce_alone(self, NULL);
}

static bool is_dict_or_none(PyObject *o)
{
    return o == Py_None || PyDict_Check(o);
}

static int set_each(PyObject *self, PyObject *values)
{
    PyObject *name, *value;
    Py_ssize_t at = 0;

    while (values != Py_None && PyDict_Next(values, &at, &name, &value))
        if (PyObject_SetAttr(self, name, value) != 0)
            return -1;
    return 0;
}

PyObject *py_set_attributes(PyObject *self, PyObject *state)
{
    bool both = PyTuple_CheckExact(state) && PyTuple_GET_SIZE(state) == 2;
    PyObject *its = both ? PyTuple_GET_ITEM(state, 0) : state, *slots = both ? PyTuple_GET_ITEM(state, 1) : Py_None, *dict;
    int rc = 0;

    if (!is_dict_or_none(its) || !is_dict_or_none(slots))
        return py_freeze_error("UnpicklingError",
                               "the state of a %s comes only out of a sealed blob, as pickle.dumps() makes it here; __setstate__() takes "
                               "attributes, in a dict",
                               PyObject_TypeCheck(self, &slp_tasklet_type) ? "tasklet" : "channel");
    if (its != Py_None) {
        dict = PyObject_GetAttrString(self, "__dict__");
        rc = dict != NULL ? PyDict_Update(dict, its) : -1;
        Py_XDECREF(dict);
    }
    return rc == 0 && set_each(self, slots) == 0 ? Py_NewRef(Py_None) : NULL;
}

/* Of a pickler that is not ours: functions and types that it would not find by name. */
static PyObject *nested(PyObject *self, PyObject *o)
{
    const PyFunctionObject *f = (PyFunctionObject *)o;

    (void)self;
    if (PyType_CheckExact(o))
        return py_reduce_type(NULL, o);
    if (!PyFunction_Check(o) ||
        (f->func_module != NULL && PyUnicode_Check(f->func_module) && py_is_found(o, f->func_module, f->func_qualname)))
        return py_not_ours();
    return py_reduce_alone(o, NULL);
}

/* ---- the module ---------------------------------------------------------------------------------------------------------------------- */

static PyMethodDef own[] = {
    {"nested", nested, METH_O, NULL},
    { NULL,    NULL,   0,      NULL}
};

static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, .m_name = "_coop_freeze", .m_size = -1, .m_methods = own };

/* lib/freeze.py, whose globals are the module's. */
static int run_lib(PyObject *m)
{
    PyObject *dict = PyModule_GetDict(m), *code, *done = NULL;

    if (PyDict_SetItemString(dict, "__builtins__", PyEval_GetBuiltins()) != 0)
        return -1;
    code = Py_CompileString(lib_freeze, "<coop freeze>", Py_file_input);
    if (code != NULL)
        done = PyEval_EvalCode(code, dict, dict);
    Py_XDECREF(code);
    Py_XDECREF(done);
    Py_XSETREF(usual_reducers, Py_XNewRef(PyDict_GetItemString(dict, "_REDUCERS")));
    Py_XSETREF(copyreg_table, Py_XNewRef(PyDict_GetItemString(dict, "_TABLE")));
    return done != NULL && usual_reducers != NULL && copyreg_table != NULL ? py_load_ready(dict) : -1;
}

/* What no module has under a name. */
static int add_types(PyObject *m)
{
    return PyModule_AddObjectRef(m, "StepType", (PyObject *)&_PyAsyncGenASend_Type) == 0 &&
                   PyModule_AddObjectRef(m, "ThrowType", (PyObject *)&_PyAsyncGenAThrow_Type) == 0 &&
                   PyModule_AddObjectRef(m, "AwaitType", (PyObject *)&_PyCoroWrapper_Type) == 0
               ? 0
               : -1;
}

PyObject *py_freeze_module(void)
{
    PyObject *m = PyModule_Create(&definition);

    if (m == NULL || PyType_Ready(&dump_type) < 0 || PyType_Ready(&py_globals_type) < 0 || PyModule_AddType(m, &dump_type) < 0 ||
        PyModule_AddFunctions(m, py_freeze_functions) < 0 || PyModule_AddFunctions(m, py_freeze_task_functions) < 0 ||
        PyModule_AddFunctions(m, py_freeze_step_functions) < 0 || add_types(m) < 0 || run_lib(m) < 0) {
        Py_XDECREF(m);
        return NULL;
    }
    module = Py_NewRef(m);
    return m;
}
