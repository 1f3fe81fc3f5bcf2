/* streams.c - the bytes of the three standard streams: raw streams for io's own text and buffer classes to stand on. */
#include "worker/engines/python/job.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "worker/engines/python/threads.h"
#include "worker/input.h"
#include "worker/output.h"

/* The first three are those of its base, io.RawIOBase. */
struct stream {
    PyObject_HEAD PyObject *dict;
    PyObject *weak;
    int fd;
};

static PyObject *fileno_of(PyObject *self, PyObject *none)
{
    (void)none;
    return PyLong_FromLong(((struct stream *)self)->fd);
}

static PyObject *yes(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    Py_RETURN_TRUE;
}

static PyObject *no(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    Py_RETURN_FALSE;
}

static PyObject *mode_of(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(((struct stream *)self)->fd == 0 ? "rb" : "wb");
}

static PyObject *name_of(PyObject *self, void *closure)
{
    static const char *const names[] = { "<stdin>", "<stdout>", "<stderr>" };

    (void)closure;
    return PyUnicode_FromString(names[((struct stream *)self)->fd]);
}

/* ---- out ----------------------------------------------------------------------------------------------------------------------- */

static PyObject *output_write_method(PyObject *self, PyObject *bytes)
{
    static const Pb__Stream streams[] = { [1] = PB__STREAM__STREAM_STDOUT, [2] = PB__STREAM__STREAM_STDERR };
    Py_buffer view;
    Py_ssize_t n;

    if (PyObject_GetBuffer(bytes, &view, PyBUF_CONTIG_RO) != 0)
        return NULL;
    n = view.len;
    output_write(streams[((struct stream *)self)->fd], view.buf, (size_t)n);
    PyBuffer_Release(&view);
    return PyLong_FromSsize_t(n);
}

/* Asked for by the tenant: nothing of it waits in our own buffer either. TextIOWrapper and BufferedWriter call it on each flush(). */
static PyObject *output_flush_method(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    output_flush();
    Py_RETURN_NONE;
}

/* ---- in ------------------------------------------------------------------------------------------------------------------------ */

/* Of a job with threads the others go on meanwhile; two never wait at once, as sys.stdin's own buffer has a lock, and this is for those without it. */
static int wait_for_input(const uint8_t **ret_bytes, size_t *ret_len)
{
    static pthread_mutex_t one_reader = PTHREAD_MUTEX_INITIALIZER;
    int rc;

    if (python_threads_max() == 1 || !input_is_empty())
        return input_peek(ret_bytes, ret_len);
    Py_BEGIN_ALLOW_THREADS;
    pthread_mutex_lock(&one_reader);
    rc = input_peek(ret_bytes, ret_len);
    pthread_mutex_unlock(&one_reader);
    Py_END_ALLOW_THREADS;
    return rc;
}

/* What is there, and at most size: a read that waits for more than it needs would stall a dialogue. */
static PyObject *input_readinto(PyObject *self, PyObject *into)
{
    const uint8_t *bytes;
    Py_buffer view;
    size_t len = 0;
    int rc;

    (void)self;
    if (PyObject_GetBuffer(into, &view, PyBUF_CONTIG) != 0)
        return NULL;
    for (;;) {
        rc = view.len > 0 ? wait_for_input(&bytes, &len) : 0;
        if (rc >= 0)
            break;
        if (PyErr_CheckSignals() != 0) {
            PyBuffer_Release(&view);
            return NULL;
        }
    }
    if (len > (size_t)view.len)
        len = (size_t)view.len;
    if (rc > 0) {
        memcpy(view.buf, bytes, len);
        input_take(len);
    } else {
        len = 0;
    }
    PyBuffer_Release(&view);
    return PyLong_FromSize_t(len);
}

/* ---- the types ----------------------------------------------------------------------------------------------------------------- */

static PyObject *stream_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    struct stream *s;
    int fd;

    (void)kwargs;
    if (!PyArg_ParseTuple(args, "i", &fd))
        return NULL;
    if (fd < 0 || fd > 2)
        return PyErr_Format(PyExc_ValueError, "there is no stream %d", fd);
    s = (struct stream *)type->tp_alloc(type, 0);
    if (s != NULL)
        s->fd = fd;
    return (PyObject *)s;
}

static int stream_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    (void)self;
    (void)args;
    (void)kwargs;
    return 0;
}

static PyGetSetDef stream_fields[] = {
    {"name",  name_of, NULL, NULL, NULL},
    { "mode", mode_of, NULL, NULL, NULL},
    { NULL,   NULL,    NULL, NULL, NULL}
};

static PyMethodDef output_methods[] = {
    {"write",     output_write_method, METH_O,      NULL},
    { "flush",    output_flush_method, METH_NOARGS, NULL},
    { "writable", yes,                 METH_NOARGS, NULL},
    { "fileno",   fileno_of,           METH_NOARGS, NULL},
    { "isatty",   no,                  METH_NOARGS, NULL},
    { NULL,       NULL,                0,           NULL}
};

static PyMethodDef input_methods[] = {
    {"readinto",  input_readinto, METH_O,      NULL},
    { "readable", yes,            METH_NOARGS, NULL},
    { "fileno",   fileno_of,      METH_NOARGS, NULL},
    { "isatty",   no,             METH_NOARGS, NULL},
    { NULL,       NULL,           0,           NULL}
};

static PyType_Slot output_slots[] = {
    {Py_tp_new,      stream_new    },
    { Py_tp_init,    stream_init   },
    { Py_tp_methods, output_methods},
    { Py_tp_getset,  stream_fields },
    { 0,             NULL          }
};
static PyType_Slot input_slots[] = {
    {Py_tp_new,      stream_new   },
    { Py_tp_init,    stream_init  },
    { Py_tp_methods, input_methods},
    { Py_tp_getset,  stream_fields},
    { 0,             NULL         }
};

static int add_type(PyObject *module, PyObject *base, const char *name, PyType_Slot *slots)
{
    PyType_Spec spec = { .name = name, .basicsize = sizeof(struct stream), .flags = Py_TPFLAGS_DEFAULT, .slots = slots };
    PyObject *type = PyType_FromSpecWithBases(&spec, base);
    int rc = type != NULL ? PyModule_AddObjectRef(module, strrchr(name, '.') + 1, type) : -1;

    Py_XDECREF(type);
    return rc;
}

int python_streams_add(PyObject *module)
{
    PyObject *io = PyImport_ImportModule("io"), *base = io != NULL ? PyObject_GetAttrString(io, "RawIOBase") : NULL;
    int rc = base == NULL ? -1 : add_type(module, base, "_coop.Output", output_slots);

    if (rc == 0)
        rc = add_type(module, base, "_coop.Input", input_slots);
    Py_XDECREF(base);
    Py_XDECREF(io);
    return rc;
}
