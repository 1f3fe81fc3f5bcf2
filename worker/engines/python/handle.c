/* handle.c - see handle.h. */
#include "worker/engines/python/handle.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/asks.h"
#include "worker/engines/python/asking.h"
#include "worker/engines/python/call_error.h"

static unsigned forks;
static PyTypeObject *handle_type;

/* The class of each kind, and the module that registers it as soon as it is imported. */
static struct kind_row {
    const char *name, *module;
    PyTypeObject *type; /* NULL: not yet */
} kinds[] = {
    [PB__KIND__KIND_NONE] = {"none",         "coop.caps"        },
      [PB__KIND__KIND_INTERP] = { "interpreter", "coop.interpreters"},
    [PB__KIND__KIND_QUEUE] = { "queue",       "coop.queues"      },
      [PB__KIND__KIND_BUFFER] = { "buffer",      "coop.buffers"     },
    [PB__KIND__KIND_ALIAS] = { "alias",       "coop.caps"        },
      [PB__KIND__KIND_KV] = { "kv",          "coop.kv"          },
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static struct kind_row *row_of(Pb__Kind kind)
{
    return (unsigned)kind < N_KINDS ? &kinds[kind] : &kinds[0];
}

/* Whatever it was, its number is the template's. */
static struct python_handle *of_this_process(struct python_handle *h)
{
    if (h->forks == forks)
        return h;
    h->forks = forks;
    h->number = 0;
    return h;
}

void python_handles_forked(void)
{
    forks++;
}

struct python_handle *python_handle_of(PyObject *o)
{
    return handle_type != NULL && PyObject_TypeCheck(o, handle_type) ? of_this_process((struct python_handle *)o) : NULL;
}

/* ---- its memory ------------------------------------------------------------------------------------------------------------------ */

static void unmap(struct python_handle *h)
{
    if (h->at != NULL)
        (void)munmap(h->at, h->bytes);
    h->at = NULL;
    h->writable = false;
}

int python_handle_map(struct python_handle *h, struct ask *a, bool writable)
{
    int fd = ask_descriptor(a);
    void *at = MAP_FAILED;

    if (fd >= 0) {
        at = mmap(NULL, h->bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
        (void)close(fd);
    }
    if (at == MAP_FAILED) {
        (void)python_call_raise(PB__CALL_ERROR__CALL_ERROR_TEMPORARY, fd < 0 ? "the buffer has not come along" : "no room for the buffer",
                                NULL);
        return -1;
    }
    h->at = at;
    h->writable = writable;
    return 0;
}

static int fetch(struct python_handle *h)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__BufferMap m = PB__BUFFER_MAP__INIT;
    Pb__Ref ref = PB__REF__INIT;
    struct ask *made;
    int rc = 0;

    ref.handle = h->number;
    m.buffer = &ref;
    a.body_case = PB__ASK__BODY_BUFFER_MAP;
    a.buffer_map = &m;
    made = python_asking_do(&a);
    if (made == NULL)
        return -1;
    if (h->at == NULL) /* another tasklet may have been faster */
        rc = python_handle_map(h, made, false);
    ask_end(made);
    return rc;
}

static int handle_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    struct python_handle *h = of_this_process((struct python_handle *)self);

    view->obj = NULL;
    if (h->kind != PB__KIND__KIND_BUFFER || (h->number == 0 && h->at == NULL)) {
        PyErr_SetString(PyExc_BufferError, h->kind != PB__KIND__KIND_BUFFER ? "it is no buffer" : "the buffer was dropped");
        return -1;
    }
    if (h->at == NULL && fetch(h) != 0)
        return -1;
    if (PyBuffer_FillInfo(view, self, h->at, (Py_ssize_t)h->bytes, !h->writable, flags) != 0)
        return -1;
    h->exported++;
    return 0;
}

static void handle_releasebuffer(PyObject *self, Py_buffer *view)
{
    struct python_handle *h = (struct python_handle *)self;

    (void)view;
    h->exported--;
    if (h->exported == 0 && h->number == 0) /* it was dropped meanwhile */
        unmap(h);
}

/* ---- giving it up -------------------------------------------------------------------------------------------------------------- */

void python_handle_give_back(uint32_t number)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__HandleDrop d = PB__HANDLE_DROP__INIT;

    if (number == 0)
        return;
    d.handle = number;
    a.body_case = PB__ASK__BODY_HANDLE_DROP;
    a.handle_drop = &d;
    (void)ask_post(&a);
}

static void drop(struct python_handle *h)
{
    uint32_t number = h->number;

    h->number = 0;
    if (h->exported == 0)
        unmap(h);
    python_handle_give_back(number);
}

static PyObject *handle_drop(PyObject *self, PyObject *none)
{
    (void)none;
    drop(of_this_process((struct python_handle *)self));
    Py_RETURN_NONE;
}

static void handle_dealloc(PyObject *self)
{
    struct python_handle *h = of_this_process((struct python_handle *)self);
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    if (h->kept)
        h->number = 0;
    drop(h);
    Py_XDECREF(h->name);
    type->tp_free(self);
    Py_DECREF(type);
}

static int handle_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

/* unmap(): of memory that nobody looks at, so that it can be sealed. */
static PyObject *handle_unmap(PyObject *self, PyObject *none)
{
    struct python_handle *h = (struct python_handle *)self;

    (void)none;
    if (h->exported > 0)
        return PyErr_Format(PyExc_BufferError, "somebody looks at this buffer: release the memoryview first");
    unmap(h);
    Py_RETURN_NONE;
}

/* ---- what all have --------------------------------------------------------------------------------------------------------------- */

static PyObject *get_id(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(((struct python_handle *)self)->id);
}

static PyObject *get_kind(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(row_of(((struct python_handle *)self)->kind)->name);
}

static PyObject *get_rights(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(((struct python_handle *)self)->rights);
}

static PyObject *get_number(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(of_this_process((struct python_handle *)self)->number);
}

static PyObject *get_bytes(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(((struct python_handle *)self)->bytes);
}

static PyObject *get_writable(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((struct python_handle *)self)->writable);
}

static PyObject *get_name(PyObject *self, void *closure)
{
    (void)closure;
    return Py_NewRef(((struct python_handle *)self)->name);
}

static PyObject *handle_repr(PyObject *self)
{
    const struct python_handle *h = of_this_process((struct python_handle *)self);

    return PyUnicode_FromFormat("<%s %s%s>", row_of(h->kind)->name, h->id, h->number == 0 ? " (dropped)" : "");
}

/* Of the same thing, by whichever handles. */
static PyObject *handle_compare(PyObject *a, PyObject *b, int op)
{
    const struct python_handle *x = python_handle_of(a), *y = python_handle_of(b);
    bool same;

    if (x == NULL || y == NULL || (op != Py_EQ && op != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    same = x == y || (x->kind == y->kind && x->id[0] != '\0' && strcmp(x->id, y->id) == 0);
    return PyBool_FromLong(same == (op == Py_EQ));
}

static Py_hash_t handle_hash(PyObject *self)
{
    PyObject *id = get_id(self, NULL);
    Py_hash_t hash = id != NULL ? PyObject_Hash(id) : -1;

    Py_XDECREF(id);
    return hash;
}

/* ---- objects ------------------------------------------------------------------------------------------------------------------- */

static PyTypeObject *type_of(Pb__Kind kind)
{
    struct kind_row *row = row_of(kind);

    if (row->type == NULL) {
        PyObject *module = PyImport_ImportModule(row->module);

        if (module == NULL)
            return NULL;
        Py_DECREF(module);
    }
    return row->type != NULL ? row->type : handle_type;
}

PyObject *python_handle_new(const Pb__Handle *h)
{
    PyTypeObject *type = type_of(h->kind);
    PyObject *name = type != NULL ? PyUnicode_DecodeUTF8(h->name, (Py_ssize_t)strlen(h->name), "replace") : NULL;
    struct python_handle *made = name != NULL ? (struct python_handle *)type->tp_alloc(type, 0) : NULL;

    if (made == NULL) {
        Py_XDECREF(name);
        return NULL;
    }
    made->forks = forks;
    made->number = h->handle;
    made->kind = h->kind;
    made->rights = h->rights;
    made->bytes = h->bytes;
    made->name = name;
    snprintf(made->id, sizeof(made->id), "%s", h->id);
    return (PyObject *)made;
}

/* register(kind, class): objects of this kind are of this class from now on; it is derived from Handle. Once. */
static PyObject *module_register(PyObject *self, PyObject *args)
{
    const char *kind;
    PyObject *type;

    (void)self;
    if (!PyArg_ParseTuple(args, "sO!", &kind, &PyType_Type, &type))
        return NULL;
    for (size_t i = 0; i < N_KINDS; i++)
        if (strcmp(kinds[i].name, kind) == 0 && kinds[i].type == NULL && PyType_IsSubtype((PyTypeObject *)type, handle_type)) {
            kinds[i].type = (PyTypeObject *)Py_NewRef(type);
            Py_RETURN_NONE;
        }
    return PyErr_Format(PyExc_ValueError, "%s: no such kind, registered already, or a class that is not derived from Handle", kind);
}

/* reference(handle) -> an object with the same number, which it does not own: when the first is dropped it names nothing. */
static PyObject *module_reference(PyObject *self, PyObject *o)
{
    const struct python_handle *h = python_handle_of(o);
    struct python_handle *made;

    (void)self;
    if (h == NULL)
        return PyErr_Format(PyExc_TypeError, "an interpreter, a queue, a buffer or the like is needed");
    made = (struct python_handle *)handle_type->tp_alloc(handle_type, 0);
    if (made == NULL)
        return NULL;
    made->forks = forks;
    made->number = h->number;
    made->kind = h->kind;
    made->rights = h->rights;
    made->kept = true;
    made->name = Py_NewRef(h->name);
    memcpy(made->id, h->id, sizeof(made->id));
    return (PyObject *)made;
}

static PyGetSetDef handle_fields[] = {
    {"id",         get_id,       NULL, "what the command calls it: 26 letters",         NULL},
    { "name",      get_name,     NULL, "its name; empty when it has none",              NULL},
    { "kind",      get_kind,     NULL, "interpreter, queue, buffer, kv or alias",       NULL},
    { "_rights",   get_rights,   NULL, "bits of enum Right",                            NULL},
    { "_number",   get_number,   NULL, "in this interpreter's table; 0: dropped",       NULL},
    { "_bytes",    get_bytes,    NULL, "of a buffer",                                   NULL},
    { "_writable", get_writable, NULL, "whether its memory is here and may be written", NULL},
    { NULL,        NULL,         NULL, NULL,                                            NULL}
};

static PyMethodDef handle_methods[] = {
    {"drop",    handle_drop,  METH_NOARGS, "Gives it back, as when the object goes."},
    { "_unmap", handle_unmap, METH_NOARGS, NULL                                     },
    { NULL,     NULL,         0,           NULL                                     }
};

static PyType_Slot handle_slots[] = {
    {Py_tp_dealloc,        handle_dealloc                                 },
    { Py_tp_traverse,      handle_traverse                                },
    { Py_tp_repr,          handle_repr                                    },
    { Py_tp_richcompare,   handle_compare                                 },
    { Py_tp_hash,          handle_hash                                    },
    { Py_tp_methods,       handle_methods                                 },
    { Py_tp_getset,        handle_fields                                  },
    { Py_bf_getbuffer,     handle_getbuffer                               },
    { Py_bf_releasebuffer, handle_releasebuffer                           },
    { Py_tp_doc,           "A thing of the broker's, as this job holds it"},
    { 0,                   NULL                                           }
};

int python_handle_add(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"register",   module_register,  METH_VARARGS, NULL},
        { "reference", module_reference, METH_O,       NULL},
        { NULL,        NULL,             0,            NULL}
    };
    PyType_Spec spec = { .name = "_coop.Handle",
                         .basicsize = sizeof(struct python_handle),
                         .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                         .slots = handle_slots };

    handle_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (handle_type == NULL || PyModule_AddFunctions(module, functions) != 0)
        return -1;
    return PyModule_AddObjectRef(module, "Handle", (PyObject *)handle_type);
}
