/* freeze_code.c - see freeze_code.h. CPython 3.11. */
#include "worker/engines/python/freeze_code.h"

#define Py_BUILD_CORE 1
#include <internal/pycore_code.h>
#include <opcode.h>
#include <stdlib.h>

enum { INSIDE = -2, NEVER = -1 }; /* of an instruction's caches; nothing leads there */

/* The depth before each instruction, one for each code unit. */
struct map {
    int n;
    short depth[];
};

static unsigned char caches_of(unsigned char op)
{
    switch (op) {
    case BINARY_OP: return INLINE_CACHE_ENTRIES_BINARY_OP;
    case BINARY_SUBSCR: return INLINE_CACHE_ENTRIES_BINARY_SUBSCR;
    case CALL: return INLINE_CACHE_ENTRIES_CALL;
    case COMPARE_OP: return INLINE_CACHE_ENTRIES_COMPARE_OP;
    case LOAD_ATTR: return INLINE_CACHE_ENTRIES_LOAD_ATTR;
    case LOAD_GLOBAL: return INLINE_CACHE_ENTRIES_LOAD_GLOBAL;
    case LOAD_METHOD: return INLINE_CACHE_ENTRIES_LOAD_METHOD;
    case PRECALL: return INLINE_CACHE_ENTRIES_PRECALL;
    case STORE_ATTR: return INLINE_CACHE_ENTRIES_STORE_ATTR;
    case STORE_SUBSCR: return INLINE_CACHE_ENTRIES_STORE_SUBSCR;
    case UNPACK_SEQUENCE: return INLINE_CACHE_ENTRIES_UNPACK_SEQUENCE;
    default: return 0;
    }
}

/* +1: jumps forward, -1: back, 0: does not. */
static int jumps(unsigned char op)
{
    switch (op) {
    case JUMP_FORWARD:
    case JUMP_IF_FALSE_OR_POP:
    case JUMP_IF_TRUE_OR_POP:
    case POP_JUMP_FORWARD_IF_FALSE:
    case POP_JUMP_FORWARD_IF_TRUE:
    case POP_JUMP_FORWARD_IF_NONE:
    case POP_JUMP_FORWARD_IF_NOT_NONE:
    case FOR_ITER:
    case SEND: return 1;
    case JUMP_BACKWARD:
    case JUMP_BACKWARD_NO_INTERRUPT:
    case POP_JUMP_BACKWARD_IF_FALSE:
    case POP_JUMP_BACKWARD_IF_TRUE:
    case POP_JUMP_BACKWARD_IF_NONE:
    case POP_JUMP_BACKWARD_IF_NOT_NONE: return -1;
    default: return 0;
    }
}

static bool never_goes_on(unsigned char op)
{
    return op == RETURN_VALUE || op == RAISE_VARARGS || op == RERAISE || op == JUMP_FORWARD || op == JUMP_BACKWARD ||
           op == JUMP_BACKWARD_NO_INTERRUPT;
}

static int arg_of(const unsigned char *code, int i)
{
    int arg = code[2 * i + 1];

    for (int k = 1; k <= 3 && i - k >= 0 && code[2 * (i - k)] == EXTENDED_ARG; k++)
        arg |= code[2 * (i - k) + 1] << (8 * k);
    return arg;
}

static int target_of(const unsigned char *code, int i)
{
    return i + 1 + jumps(code[2 * i]) * arg_of(code, i);
}

/* ---- the map ------------------------------------------------------------------------------------------------------------------- */

static bool reach(struct map *m, int i, int depth)
{
    if (i < 0 || i >= m->n || m->depth[i] != NEVER)
        return false;
    m->depth[i] = (short)depth;
    return true;
}

static int varint(const unsigned char **p, const unsigned char *end)
{
    int n = 0;

    for (bool more = true; more && *p < end; (*p)++) {
        n = n << 6 | (**p & 63);
        more = (**p & 64) != 0;
    }
    return n;
}

/* What an error leads to: the stack is cut to the handler's depth, and the error is on it. */
static bool reach_handlers(struct map *m, PyObject *table)
{
    const unsigned char *p = (const unsigned char *)PyBytes_AS_STRING(table), *end = p + PyBytes_GET_SIZE(table);
    bool more = false;

    while (p < end) {
        int start = varint(&p, end), length = varint(&p, end), target = varint(&p, end), how = varint(&p, end);
        bool any = false;

        for (int i = start; i < start + length && i < m->n && !any; i++)
            any = m->depth[i] >= 0;
        if (any)
            more |= reach(m, target, (how >> 1) + (how & 1) + 1);
    }
    return more;
}

static bool reach_next(struct map *m, const unsigned char *code, int i)
{
    unsigned char op = code[2 * i];
    int arg = arg_of(code, i), depth = m->depth[i];
    bool more = false;

    if (op == EXTENDED_ARG)
        return reach(m, i + 1, depth);
    if (jumps(op) != 0)
        more = reach(m, target_of(code, i), depth + PyCompile_OpcodeStackEffectWithJump(op, op >= HAVE_ARGUMENT ? arg : 0, 1));
    if (!never_goes_on(op))
        more |= reach(m, i + 1 + caches_of(op), depth + PyCompile_OpcodeStackEffectWithJump(op, op >= HAVE_ARGUMENT ? arg : 0, 0));
    return more;
}

static void fill(struct map *m, PyCodeObject *code, const unsigned char *bytes)
{
    bool generator = (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0, more = true;

    for (int i = 0; i < m->n; i++)
        m->depth[i] = NEVER;
    for (int i = 0; i < m->n; i++)
        for (int k = caches_of(bytes[2 * i]); k > 0 && i + 1 < m->n; k--)
            m->depth[++i] = INSIDE;
    m->depth[0] = generator ? 1 : 0; /* what it is sent first */
    while (more) {
        more = false;
        for (int i = 0; i < m->n; i++)
            if (m->depth[i] >= 0)
                more |= reach_next(m, bytes, i);
        more |= reach_handlers(m, code->co_exceptiontable);
    }
}

/* ---- of each code, once -------------------------------------------------------------------------------------------------------- */

static Py_ssize_t extra_index = -1;

/* Borrowed: the code's. NULL with an error. */
static const struct map *map_of(PyCodeObject *code, const unsigned char **ret_bytes)
{
    PyObject *bytes = PyCode_GetCode(code);
    struct map *m = NULL;

    if (bytes == NULL)
        return NULL;
    *ret_bytes = (const unsigned char *)PyBytes_AS_STRING(bytes);
    Py_DECREF(bytes); /* the code keeps it */
    if (extra_index < 0)
        extra_index = _PyEval_RequestCodeExtraIndex(free);
    if (extra_index >= 0 && _PyCode_GetExtra((PyObject *)code, extra_index, (void **)&m) == 0 && m != NULL)
        return m;
    m = malloc(sizeof(*m) + (size_t)Py_SIZE(code) * sizeof(m->depth[0]));
    if (m == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    m->n = (int)Py_SIZE(code);
    fill(m, code, *ret_bytes);
    if (extra_index < 0 || _PyCode_SetExtra((PyObject *)code, extra_index, m) != 0) {
        free(m);
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "no room beside code");
        return NULL;
    }
    return m;
}

/* Where the instruction begins that has the code unit at; -1: none that is reached. */
static int instruction_of(const struct map *m, int at)
{
    if (at < 0 || at >= m->n)
        return -1;
    while (at > 0 && m->depth[at] == INSIDE)
        at--;
    return m->depth[at] >= 0 ? at : -1;
}

int py_instruction_of(PyCodeObject *code, int at)
{
    const unsigned char *bytes;
    const struct map *m = map_of(code, &bytes);

    return m != NULL ? instruction_of(m, at) : -2;
}

/* ---- places -------------------------------------------------------------------------------------------------------------------- */

static int after(const unsigned char *bytes, int i)
{
    return i + 1 + caches_of(bytes[2 * i]);
}

/* Its result takes the place of what it was called with. */
static void place_of_call(const struct map *m, const unsigned char *bytes, int i, struct py_place *p)
{
    if (bytes[2 * i] == PRECALL) /* what it may have called is CALL's business else */
        i = after(bytes, i);
    p->next = after(bytes, i);
    p->goes_on = PY_PUSHES;
    p->called = -1;
    if (p->next >= m->n || m->depth[p->next] < 1) {
        p->next = -1;
        return;
    }
    p->depth = m->depth[p->next] - 1;
    if (bytes[2 * i] == CALL || bytes[2 * i] == CALL_FUNCTION_EX)
        p->called = p->depth + 1;
    p->ex = bytes[2 * i] == CALL_FUNCTION_EX;
    p->enters = bytes[2 * i] == BEFORE_WITH;
}

/* The iterator, or whom it delegates to, stays on its stack below what comes of it. */
static void place_of_step(const struct map *m, const unsigned char *bytes, int i, struct py_place *p)
{
    bool sends = bytes[2 * i] == SEND;

    p->next = i + 1;
    p->goes_on = sends ? PY_SENDS : PY_ITERATES;
    p->past_end = target_of(bytes, i);
    p->depth = p->next < m->n ? m->depth[p->next] - 1 : -1;
    p->called = p->depth - 1;
    if (p->depth < 1 || p->past_end < 0 || p->past_end >= m->n)
        p->next = -1;
}

static void left_in_call(const struct map *m, const unsigned char *bytes, int i, struct py_place *p)
{
    switch (bytes[2 * i]) {
    case PRECALL:
    case CALL:
    case CALL_FUNCTION_EX:
    case BEFORE_WITH:
    case BINARY_SUBSCR: place_of_call(m, bytes, i, p); break;
    case FOR_ITER:
    case SEND: place_of_step(m, bytes, i, p); break;
    }
}

static void left_plainly(const struct map *m, int next, struct py_place *p)
{
    if (next < 0 || next >= m->n || m->depth[next] < 0)
        return;
    p->next = next;
    p->depth = m->depth[next];
    p->goes_on = PY_PLAINLY;
}

/* Where the instruction begins, with what extends its argument. */
static int start_of(const unsigned char *bytes, int i)
{
    while (i > 0 && bytes[2 * (i - 1)] == EXTENDED_ARG)
        i--;
    return i;
}

/* A call is three instructions, between which something is in registers: it begins again. Nothing of it has happened yet. */
static int start_of_call(const struct map *m, const unsigned char *bytes, int i, int *again)
{
    int k;

    if (bytes[2 * i] == CALL) {
        for (i = start_of(bytes, i) - 1; i > 0 && m->depth[i] == INSIDE;)
            i--;
        ++*again;
    }
    k = start_of(bytes, i) - 1;
    if (k < 0 || bytes[2 * k] != KW_NAMES)
        return start_of(bytes, i);
    ++*again;
    return start_of(bytes, k);
}

static void left_before(const struct map *m, const unsigned char *bytes, int i, struct py_place *p)
{
    int op = i;

    while (op + 1 < m->n && bytes[2 * op] == EXTENDED_ARG)
        op++;
    p->again = 1;
    left_plainly(m, bytes[2 * op] == PRECALL || bytes[2 * op] == CALL ? start_of_call(m, bytes, op, &p->again) : i, p);
}

static void left_by_yield(const struct map *m, const unsigned char *bytes, int i, struct py_place *p)
{
    if ((bytes[2 * i] != YIELD_VALUE && bytes[2 * i] != RETURN_GENERATOR) || i + 1 >= m->n || m->depth[i + 1] < 1)
        return;
    p->next = i + 1;
    p->depth = m->depth[i + 1] - 1;
    p->goes_on = PY_PUSHES;
}

/* Where the interpreter looks whether anybody wants something of it. */
static void left_by_breaker(const struct map *m, const unsigned char *bytes, int i, struct py_place *p)
{
    switch (bytes[2 * i]) {
    case RESUME: left_plainly(m, i + 1, p); break;
    case POP_JUMP_BACKWARD_IF_FALSE:
    case POP_JUMP_BACKWARD_IF_TRUE: p->told = PY_TOLD_BY_BOOL; /* fall through */
    case POP_JUMP_BACKWARD_IF_NONE:
    case POP_JUMP_BACKWARD_IF_NOT_NONE:
    case JUMP_BACKWARD: left_plainly(m, target_of(bytes, i), p); break;
    case PRECALL: i = after(bytes, i); /* fall through */
    case CALL:
    case CALL_FUNCTION_EX:
        p->told = PY_TOLD_BY_RESULT;
        left_plainly(m, after(bytes, i), p);
        break;
    }
}

int py_place_of(PyCodeObject *code, int at, enum py_left left, struct py_place *ret)
{
    struct py_place p = { .next = -1, .called = -1 };
    const unsigned char *bytes;
    const struct map *m = map_of(code, &bytes);

    if (m == NULL)
        return -2;
    at = instruction_of(m, at);
    if (at < 0)
        return -1;
    switch (left) {
    case PY_LEFT_CALL: left_in_call(m, bytes, at, &p); break;
    case PY_LEFT_BEFORE: left_before(m, bytes, at, &p); break;
    case PY_LEFT_BREAKER: left_by_breaker(m, bytes, at, &p); break;
    case PY_LEFT_YIELD: left_by_yield(m, bytes, at, &p); break;
    }
    if (p.next < 0 || p.depth < 0 || p.depth + (p.goes_on != PY_PLAINLY) > code->co_stacksize)
        return -1;
    *ret = p;
    return 0;
}

/* ---- globals ------------------------------------------------------------------------------------------------------------------- */

static int add_globals(PyCodeObject *code, PyObject *set)
{
    const unsigned char *bytes;
    const struct map *m = map_of(code, &bytes);

    if (m == NULL)
        return -1;
    for (int i = 0; i < m->n; i += 1 + caches_of(bytes[2 * i])) {
        unsigned char op = bytes[2 * i];
        int arg = op == LOAD_GLOBAL ? arg_of(bytes, i) >> 1 : arg_of(bytes, i);

        if ((op == LOAD_GLOBAL || op == LOAD_NAME || op == STORE_GLOBAL || op == DELETE_GLOBAL) && arg < PyTuple_GET_SIZE(code->co_names) &&
            PySet_Add(set, PyTuple_GET_ITEM(code->co_names, arg)) != 0)
            return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_consts); i++) {
        PyObject *c = PyTuple_GET_ITEM(code->co_consts, i);

        if (PyCode_Check(c) && add_globals((PyCodeObject *)c, set) != 0)
            return -1;
    }
    return 0;
}

PyObject *py_code_globals(PyCodeObject *code)
{
    PyObject *set = PySet_New(NULL);

    if (set != NULL && add_globals(code, set) != 0)
        Py_CLEAR(set);
    return set;
}
