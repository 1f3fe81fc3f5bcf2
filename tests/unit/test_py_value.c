/* test_py_value.c - values of Python travel and come back; of what cannot, the path is told. In an interpreter of this program's own. */
#include "worker/engines/python/builtin.h"
#include "worker/engines/python/calls.h"
#include "worker/engines/python/handle.h"
#include "worker/engines/python/interp.h"
#include "worker/engines/python/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sp.h"
#include "worker/link.h"

static PyObject *names; /* what the tests' own expressions find */
static int broker_end;

static PyObject *value_of(const char *source)
{
    PyObject *o = PyRun_String(source, Py_eval_input, names, names);

    if (o == NULL)
        PyErr_Print();
    assert_non_null(o);
    return o;
}

static bool holds(const char *source)
{
    PyObject *o = value_of(source);
    int yes = PyObject_IsTrue(o);

    Py_DECREF(o);
    return yes == 1;
}

static void run_source(const char *source)
{
    PyObject *done = PyRun_String(source, Py_file_input, names, names);

    if (done == NULL)
        PyErr_Print();
    assert_non_null(done);
    Py_DECREF(done);
}

/* There, and back: its name is it. */
static void travels(const char *source)
{
    PyObject *o = value_of(source), *back;
    struct packed p = { .cbor = NULL };
    struct packed_error e;
    Pb__Value *v;

    if (python_value_pack(o, "value", &p, &e) != 0)
        fail_msg("%s: %s: %s", source, e.path, e.message);
    assert_null(PyErr_Occurred());
    v = packed_message(&p);
    back = python_value_make(v);
    if (back == NULL)
        PyErr_Print();
    assert_non_null(back);
    assert_int_equal(PyDict_SetItemString(names, "there", o), 0);
    assert_int_equal(PyDict_SetItemString(names, "it", back), 0);
    Py_DECREF(o);
    Py_DECREF(back);
    packed_finish(&p);
}

static void refused(const char *source, Pb__CallError error, const char *path, const char *words)
{
    PyObject *o = value_of(source);
    struct packed p = { .cbor = NULL };
    struct packed_error e;

    assert_int_equal(python_value_pack(o, "args", &p, &e), -1);
    assert_null(PyErr_Occurred());
    assert_int_equal(e.error, error);
    assert_string_equal(e.path, path);
    if (strstr(e.message, words) == NULL)
        fail_msg("%s: %s", source, e.message);
    packed_finish(&p);
    Py_DECREF(o);
}

#define ERROR(name) PB__CALL_ERROR__CALL_ERROR_##name

/* ---- what travels ------------------------------------------------------------------------------------------------------------------------ */

static const char *const same[] = {
    "None",
    "True",
    "False",
    "0",
    "-1",
    "2**63 - 1",
    "-2**63",
    "2**63",
    "-2**63 - 1",
    "10**4000",
    "-7**3000",
    "0.0",
    "1.0",
    "-1.5e300",
    "float('inf')",
    "''",
    "'text'",
    "'\\0 \\u00e4 \\U0001f600'",
    "b''",
    "b'\\0\\xff'",
    "[]",
    "[1, [2, [3]], None]",
    "{}",
    "{'a': 1, b'a': 2, 3: [4], 2.5: None, True: False}",
    "{'': {'': {}}}",
    "[[]] * 1000",
    "list(range(5000))",
};

static void what_python_has_comes_back_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        travels(same[i]);
        if (!holds("it == there and type(it) is type(there)"))
            fail_msg("%s", same[i]);
    }
    travels("float('nan')");
    assert_true(holds("it != it"));
    travels("-0.0");
    assert_true(holds("str(it) == '-0.0'"));
}

static void what_is_derived_or_of_another_form_comes_as_what_it_is_like(void **state)
{
    (void)state;
    run_source("import array, collections, enum\n"
               "class Text(str):\n"
               "    def __str__(self): raise Exception('asked')\n"
               "    encode = __len__ = __iter__ = __hash__ = __eq__ = __str__\n"
               "class Number(int):\n"
               "    def __str__(self): raise Exception('asked')\n"
               "    __repr__ = __index__ = __int__ = __str__\n"
               "class Table(dict):\n"
               "    def items(self): raise Exception('asked')\n"
               "    keys = __iter__ = __len__ = __getitem__ = items\n"
               "class Row(list):\n"
               "    def __iter__(self): raise Exception('asked')\n"
               "    __len__ = __getitem__ = __iter__\n"
               "class Colour(enum.IntEnum): RED = 7\n"
               "Point = collections.namedtuple('Point', 'x y')\n");
    travels("[(1, (2,)), Text('t'), Number(2**70), Number(3), Table(a=1), Row([1, 2]), Colour.RED, Point(1, 2)]");
    assert_true(holds("it == [[1, [2]], 't', 2**70, 3, {'a': 1}, [1, 2], 7, [1, 2]]"));
    assert_true(holds("[type(x) for x in it] == [list, str, int, int, dict, list, int, list]"));
    travels("[bytearray(b'ab'), memoryview(b'abcd')[1:3], array.array('H', [1, 2])]");
    assert_true(holds("it == [b'ab', b'bc', b'\\1\\0\\2\\0']"));
}

static void the_order_of_keys_is_not_kept_but_all_of_them_are(void **state)
{
    (void)state;
    travels("{str(i): i for i in reversed(range(300))}");
    assert_true(holds("it == there"));
}

/* ---- what does not --------------------------------------------------------------------------------------------------------------------------- */

static void what_cannot_be_sent_is_told_with_its_path(void **state)
{
    (void)state;
    refused("{1, 2}", ERROR(NOT_SHAREABLE), "args", "type set");
    refused("[1, {'rows': [0, 0, object()]}]", ERROR(NOT_SHAREABLE), "args[2].rows[3]", "type object");
    refused("[{'a b': (len,)}]", ERROR(NOT_SHAREABLE), "args[1][\"a b\"][1]", "builtin_function_or_method");
    refused("{(1, 2): 3}", ERROR(NOT_SHAREABLE), "args", "key of the type tuple");
    refused("{2**64: 3}", ERROR(NOT_SHAREABLE), "args", "key outside of 64 bits");
    refused("[{float('nan'): 1}]", ERROR(NOT_SHAREABLE), "args[1]", "cannot be sent");
    refused("['\\ud800']", ERROR(NOT_SHAREABLE), "args[1]", "surrogate");
    refused("[1j]", ERROR(NOT_SHAREABLE), "args[1]", "type complex");
    refused("[memoryview(b'abcd')[::2]]", ERROR(NOT_SHAREABLE), "args[1]", "one piece");
    refused("10**5000", ERROR(TOO_BIG), "args", "digits");
    refused("[bytes(65 << 20)]", ERROR(TOO_BIG), "args[1]", "too big");
}

static void what_contains_itself_or_nests_too_deeply_is_refused(void **state)
{
    (void)state;
    run_source("loop = []\nloop.append({'again': loop})\n"
               "deep = []\nfor _ in range(70): deep = [deep]\n"
               "sixty_four = 0\nfor _ in range(64): sixty_four = [sixty_four]\n");
    refused("loop", ERROR(NOT_SHAREABLE), "args[1].again", "contains itself");
    travels("sixty_four");
    assert_true(holds("it == there"));
    refused(
        "deep", ERROR(TOO_DEEP),
        "args[1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1]["
        "1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1]",
        "deeply");
    travels("[[0] * 3] * 2"); /* the same twice, but not within itself */
}

/* What has come, from these bytes: the error's name, "" when it is a value. */
static const char *made_of(const char *bytes, size_t len)
{
    static char name[64];
    Pb__Value v = PB__VALUE__INIT;
    PyObject *o, *type, *value, *traceback, *text;

    v.cbor.data = (uint8_t *)bytes;
    v.cbor.len = len;
    o = python_value_make(&v);
    if (o != NULL) {
        Py_DECREF(o);
        return "";
    }
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    text = PyObject_GetAttrString(value, "type");
    snprintf(name, sizeof(name), "%s", text != NULL ? PyUnicode_AsUTF8(text) : Py_TYPE(value)->tp_name);
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return name;
}

static void what_comes_is_taken_for_hostile(void **state)
{
    (void)state;
    assert_string_equal(made_of("\x01", 1), "");
    assert_string_equal(made_of("\x01\x01", 2), "NotShareable");                 /* more than one */
    assert_string_equal(made_of("\x82\x01", 2), "NotShareable");                 /* a list that ends */
    assert_string_equal(made_of("\x9a\xff\xff\xff\xff", 5), "NotShareable");     /* that would be large */
    assert_string_equal(made_of("\x61\xff", 2), "NotShareable");                 /* text that is none */
    assert_string_equal(made_of("\xa2\x01\x02\xf5\x03", 5), "NotShareable");     /* 1 and true as keys */
    assert_string_equal(made_of("\xd9\x63\x6f\x00", 4), "NotShareable");         /* a tag of nobody's */
    assert_string_equal(made_of("\xda\x63\x6f\x6f\x71\x00", 6), "NotShareable"); /* a handle that did not come along */
}

/* ---- handles --------------------------------------------------------------------------------------------------------------------------------- */

/* What the worker has told its broker since the last time: the number of the handle that was dropped; 0: nothing. */
static uint32_t dropped(void)
{
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    struct frame f;
    const Pb__Ask *a;
    uint32_t number;
    char one;

    if (recv(broker_end, &one, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return 0;
    assert_int_equal(sp_recv(broker_end, &bytes, &cap, FRAME_MAX_LINK, &len), 0);
    assert_int_equal(frame_decode(&f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK), 0);
    a = ((const Pb__FromWorker *)f.msg)->ask;
    assert_int_equal(a->body_case, PB__ASK__BODY_HANDLE_DROP);
    number = a->handle_drop->handle;
    frame_release(&f);
    free(bytes);
    return number;
}

static void a_handle_is_an_object_of_its_kind_and_is_given_back(void **state)
{
    Pb__Handle h = PB__HANDLE__INIT;
    PyObject *q, *two;
    struct packed p = { .cbor = NULL };
    struct packed_error e;

    (void)state;
    h.handle = 17;
    h.kind = PB__KIND__KIND_QUEUE;
    h.id = (char *)"01ABC";
    h.name = (char *)"jobs";
    h.rights = PB__RIGHT__RIGHT_SEND;
    q = python_handle_new(&h);
    assert_non_null(q);
    assert_int_equal(PyDict_SetItemString(names, "q", q), 0);
    assert_true(holds("type(q).__name__ == 'Queue' and q.id == '01ABC' and q.name == 'jobs' and q.kind == 'queue'"));
    two = value_of("[q, {'again': q}]");
    assert_int_equal(python_value_pack(two, "value", &p, &e), 0);
    assert_int_equal(p.n_handles, 1);
    assert_int_equal(p.handles[0], 17);
    Py_DECREF(two);
    Py_DECREF(q);
    assert_int_equal(dropped(), 0);
    run_source("q.drop()");
    assert_int_equal(dropped(), 17);
    refused("[q]", ERROR(NOT_SHAREABLE), "args[1]", "closed");
    run_source("del q");
    assert_int_equal(dropped(), 0); /* once */
    packed_finish(&p);
}

/* It stands twice in a value and came along once; the one beside it stands nowhere. */
static void what_came_along_is_one_object_and_what_nobody_looks_at_goes_back(void **state)
{
    static uint8_t twice[] = { 0x82, 0xda, 0x63, 0x6f, 0x6f, 0x71, 0x00, 0xda, 0x63, 0x6f, 0x6f, 0x71, 0x00 };
    Pb__Handle h[2] = { PB__HANDLE__INIT, PB__HANDLE__INIT }, *list[2] = { &h[0], &h[1] };
    Pb__Value v = PB__VALUE__INIT;
    PyObject *o;

    (void)state;
    h[0].handle = 5;
    h[0].kind = h[1].kind = PB__KIND__KIND_INTERP;
    h[1].handle = 6;
    v.cbor.data = twice;
    v.cbor.len = sizeof(twice);
    v.handles = list;
    v.n_handles = 2;
    o = python_value_make(&v);
    assert_non_null(o);
    assert_int_equal(dropped(), 6);
    assert_ptr_equal(PyList_GET_ITEM(o, 0), PyList_GET_ITEM(o, 1));
    Py_DECREF(o);
    assert_int_equal(dropped(), 5);
    assert_int_equal(dropped(), 0);
}

static void nobody_makes_a_handle_by_hand(void **state)
{
    (void)state;
    run_source("from coop.queues import Queue\n"
               "for make in (Queue, lambda: Queue.__new__(Queue), lambda: object.__new__(Queue)):\n"
               "    try: make()\n"
               "    except TypeError: pass\n"
               "    else: raise Exception('made')\n");
}

/* ---- what calls what --------------------------------------------------------------------------------------------------------------------------- */

static void functions_travel_by_value_and_closures_are_refused(void **state)
{
    (void)state;
    run_source("from coop.functions import describe, build, CALL\n"
               "import json\n"
               "def f(a, b=2, *, c=3): return a, b, c, there\n"
               "f.__module__ = '__main__'\n"
               "name, (what, args, kwargs) = describe(f, (1,), {'c': 5})\n"
               "assert name == CALL and kwargs == {'c': 5}\n"
               "assert build(what, {'there': 4})(*args, **kwargs) == (1, 2, 5, 4)\n"
               "assert describe('f', (1,), {}) == ('f', (1,))\n"
               "assert describe(json.dumps, (1,), {}) == (CALL, ['json:dumps', (1,), {}])\n"
               "assert describe(len, (), {})[1][0] == 'builtins:len'\n"
               "assert describe(dict.fromkeys, (), {})[1][0] == 'builtins:dict.fromkeys'\n"
               "def closure(n):\n"
               "    def inner(): return n\n"
               "    return inner\n"
               "def why(f):\n"
               "    from coop.errors import NotShareableError\n"
               "    try: describe(f, (), {})\n"
               "    except NotShareableError as error: return str(error)\n"
               "assert 'closure over n' in why(closure(1)), why(closure(1))\n"
               "class C:\n"
               "    def m(self): pass\n"
               "assert 'bound to an object' in why(C().m)\n"
               "assert 'type C' in why(C())\n"
               "assert why([].append) is not None\n");
}

static void limits_are_read_as_the_command_reads_them(void **state)
{
    (void)state;
    run_source("import _coop\n"
               "l = _coop.limits({'memory': '32M', 'wall': 2, 'cpu': 0.5})\n"
               "assert (l['memory_bytes'], l['wall_us'], l['cpu_us']) == (32 << 20, 2000000, 500000), l\n"
               "for bad in ({'memory': 'much'}, {'none': 1}, {'wall': -1}, {'cpu': float('nan')}):\n"
               "    try: _coop.limits(bad)\n"
               "    except ValueError: pass\n"
               "    else: raise Exception(bad)\n");
}

/* ---- the interpreter ---------------------------------------------------------------------------------------------------------------------------- */

static int open_python(void **state)
{
    static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, .m_name = "_coop", .m_size = -1 };
    PyConfig config;
    PyObject *module, *built_in, *done;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    broker_end = pair[0];
    link_use(pair[1]);
    PyConfig_InitIsolatedConfig(&config);
    assert_false(PyStatus_Exception(PyConfig_SetBytesString(&config, &config.program_name, "/usr/bin/python3.11")));
    assert_false(PyStatus_Exception(Py_InitializeFromConfig(&config)));
    PyConfig_Clear(&config);
    module = PyModule_Create(&definition);
    assert_non_null(module);
    assert_int_equal(python_calls_add(module), 0);
    assert_int_equal(python_interp_add(module), 0);
    assert_int_equal(PyDict_SetItemString(PyImport_GetModuleDict(), "_coop", module), 0);
    assert_int_equal(python_builtins_add(), 0);
    built_in = python_lib_load("_coop_built_in");
    done = built_in != NULL ? PyObject_CallMethod(built_in, "prepare", NULL) : NULL;
    if (done == NULL)
        PyErr_Print();
    assert_non_null(done);
    names = PyDict_New();
    return PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins());
}

static int close_python(void **state)
{
    (void)state;
    Py_CLEAR(names);
    (void)Py_FinalizeEx();
    return close(broker_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_python_has_comes_back_as_it_was),
        cmocka_unit_test(what_is_derived_or_of_another_form_comes_as_what_it_is_like),
        cmocka_unit_test(the_order_of_keys_is_not_kept_but_all_of_them_are),
        cmocka_unit_test(what_cannot_be_sent_is_told_with_its_path),
        cmocka_unit_test(what_contains_itself_or_nests_too_deeply_is_refused),
        cmocka_unit_test(what_comes_is_taken_for_hostile),
        cmocka_unit_test(a_handle_is_an_object_of_its_kind_and_is_given_back),
        cmocka_unit_test(what_came_along_is_one_object_and_what_nobody_looks_at_goes_back),
        cmocka_unit_test(nobody_makes_a_handle_by_hand),
        cmocka_unit_test(functions_travel_by_value_and_closures_are_refused),
        cmocka_unit_test(limits_are_read_as_the_command_reads_them),
    };

    return cmocka_run_group_tests_name("values of Python", tests, open_python, close_python);
}
