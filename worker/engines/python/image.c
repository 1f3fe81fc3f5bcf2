/* image.c - see image.h. */
#include "worker/engines/python/image.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    int fd; /* -1: none is being made */
    size_t len;
} making = { .fd = -1 };

static int write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno != EINTR)
            return -1;
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static PyObject *image_add(PyObject *self, PyObject *bytes)
{
    Py_buffer view;
    size_t at = making.len;
    int rc;

    (void)self;
    if (making.fd < 0)
        making.fd = memfd_create("coop-python", MFD_CLOEXEC);
    if (making.fd < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    if (PyObject_GetBuffer(bytes, &view, PyBUF_CONTIG_RO) != 0)
        return NULL;
    rc = write_all(making.fd, view.buf, (size_t)view.len);
    making.len += (size_t)view.len;
    PyBuffer_Release(&view);
    return rc == 0 ? PyLong_FromSize_t(at) : PyErr_SetFromErrno(PyExc_OSError);
}

/* Opened again for reading: a shared mapping of such a descriptor can never be made writable, whoever asks. */
static void *map_read_only(void)
{
    char path[64];
    void *at = MAP_FAILED;
    int fd;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", making.fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        at = mmap(NULL, making.len, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
    }
    return at;
}

static PyObject *image_seal(PyObject *self, PyObject *none)
{
    size_t len = making.len;
    void *at;

    (void)self;
    (void)none;
    if (making.fd < 0)
        return PyErr_Format(PyExc_RuntimeError, "nothing was added to the image");
    at = map_read_only();
    if (at == MAP_FAILED)
        PyErr_SetFromErrno(PyExc_OSError);
    close(making.fd);
    making.fd = -1;
    making.len = 0;
    return at != MAP_FAILED ? PyMemoryView_FromMemory(at, (Py_ssize_t)len, PyBUF_READ) : NULL;
}

/* For good: an import of it in a process without files finds it by this path, and no file is asked for. */
static PyObject *load_object(PyObject *self, PyObject *path)
{
    const char *text = PyUnicode_AsUTF8(path);

    (void)self;
    if (text == NULL)
        return NULL;
    if (dlopen(text, RTLD_NOW | RTLD_LOCAL) == NULL)
        return PyErr_Format(PyExc_OSError, "%s", dlerror());
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"image_add",    image_add,   METH_O,      NULL},
    { "image_seal",  image_seal,  METH_NOARGS, NULL},
    { "load_object", load_object, METH_O,      NULL},
    { NULL,          NULL,        0,           NULL}
};

int python_image_add(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
