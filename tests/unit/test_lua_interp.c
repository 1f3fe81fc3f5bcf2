/* test_lua_interp.c - Lua as an interpreter that lives: exec, call, prepare, close; what is kept, what fails, what is interrupted. */
#include "interp_fixture.h"

#define ERROR(name) PB__CALL_ERROR__CALL_ERROR_##name

/* ---- exec, call, prepare --------------------------------------------------------------------------------------------------------------- */

static void globals_are_kept_from_call_to_call(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "x = 40", "null");
    gives(p, "x = x + 2", "null");
    gives(p, "return x", "42");
    gives(p, "local y = 1", "null");
    gives(p, "return y", "null");
}

static void what_a_chunk_returns_is_its_value(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "return nil", "null");
    gives(p, "return 1, nil, 'three'", "[1,null,\"three\"]");
    gives(p, "return {1, {a = true}}", "[1,{\"a\":true}]");
}

static void output_is_there_before_its_call_is_done(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "print('one') io.stderr:write('two')", "null");
    assert_string_equal(p->told.out, "one\n");
    assert_string_equal(p->told.err, "two");
}

static void a_function_is_called_by_its_name(void **state)
{
    struct peer *p = peer_start(*state);
    struct value_writer w;

    gives(p, "function add(a, b) return a + b end lib = {deep = {er = function(...) return select('#', ...), ... end}}", "null");
    gives(p, "lib.obj = setmetatable({}, {__call = function(_, x) return x .. '!' end, __index = {m = string.upper}})", "null");
    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, 2);
    value_int(&w, 40);
    value_double(&w, 2.5);
    value_end(&w);
    assert_string_equal(peer_show(p, call_function(p, "add", &w)->value), "42.5f");
    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, 2);
    value_null(&w);
    value_null(&w);
    value_end(&w);
    assert_string_equal(peer_show(p, call_function(p, "lib.deep.er", &w)->value), "[2,null,null]");
    assert_string_equal(peer_show(p, call_function(p, "lib.deep.er", NULL)->value), "0");
    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, 1);
    value_text(&w, "x", 1);
    value_end(&w);
    assert_string_equal(peer_show(p, call_function(p, "lib.obj", &w)->value), "\"x!\"");
    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, 1);
    value_text(&w, "x", 1);
    value_end(&w);
    assert_string_equal(peer_show(p, call_function(p, "lib.obj.m", &w)->value), "\"X\"");
}

static void a_function_that_is_not_there_is_named(void **state)
{
    static const char *const none[] = { "nothing", "string.nothing", "nothing.at.all", "_VERSION", "x.y", "", ".", "string." };
    struct peer *p = peer_start(*state);

    gives(p, "x = 3", "null");
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        const Pb__CallFailure *f = expect_failure_of(call_function(p, none[i], NULL), ERROR(NO_FUNCTION));

        expect_contains(f->message, none[i]);
        assert_null(f->remote);
    }
    gives(p, "return x", "3");
}

static void names_are_prepared_all_at_once(void **state)
{
    struct peer *p = peer_start(*state);
    struct value_writer w;

    value_writer_init(&w, VALUE_BYTES);
    value_map(&w, 2);
    value_text(&w, "greeting", 8);
    value_text(&w, "hello", 5);
    value_text(&w, "list", 4);
    value_list(&w, 2);
    value_int(&w, 1);
    value_null(&w);
    value_end(&w);
    value_end(&w);
    assert_string_equal(peer_show(p, call_with(p, PB__CALL_KIND__CALL_KIND_PREPARE, "", &w)->value), "null");
    gives(p, "local coop = require 'coop' return greeting, list[2] == coop.null, tostring(coop.null)", "[\"hello\",true,\"null\"]");
    value_writer_init(&w, VALUE_BYTES);
    value_int(&w, 1);
    (void)expect_failure_of(call_with(p, PB__CALL_KIND__CALL_KIND_PREPARE, "", &w), ERROR(BAD_REQUEST));
    value_writer_init(&w, VALUE_BYTES);
    value_map(&w, 1);
    value_int(&w, 1);
    value_int(&w, 2);
    value_end(&w);
    (void)expect_failure_of(call_with(p, PB__CALL_KIND__CALL_KIND_PREPARE, "", &w), ERROR(BAD_REQUEST));
}

static void its_source_is_run_when_it_begins(void **state)
{
    struct peer *p = *state;
    static const char init[] = "#!/usr/bin/lua\nready = arg[0]";

    p->spec.source.data = (uint8_t *)init;
    p->spec.source.len = sizeof(init) - 1;
    peer_start(p);
    gives(p, "return ready", "\"init.lua\"");
    assert_int_equal(p->begun, 1);
}

static void an_interpreter_whose_source_fails_has_ended(void **state)
{
    struct peer *p = *state;

    p->spec.source.data = (uint8_t *)"error('no')";
    p->spec.source.len = 11;
    peer_start(p);
    assert_non_null(peer_listen(p));
    assert_int_equal(p->told.kind, PB__RESULT_KIND__RESULT_KIND_EXCEPTION);
    assert_string_equal(p->told.message, "init.lua:1: no");
    assert_int_equal(p->told.started, 1);
    assert_int_equal(p->begun, 0);
}

static void close_runs_finalizers_and_says_so(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "keep = setmetatable({}, {__gc = function() print('gone') error('nobody hears this') end})", "null");
    call_close(p);
    assert_string_equal(p->told.out, "gone\n");
    assert_null(p->told.err);
    assert_int_equal(p->told.kind, PB__RESULT_KIND__RESULT_KIND_EXIT);
    assert_int_equal(p->told.exit_code, 0);
}

static void an_interpreter_that_exits_has_ended(void **state)
{
    struct peer *p = peer_start(*state);

    peer_send_exec(p, "print('bye') os.exit(3)");
    assert_non_null(peer_listen(p));
    assert_int_equal(p->told.kind, PB__RESULT_KIND__RESULT_KIND_EXIT);
    assert_int_equal(p->told.exit_code, 3);
    assert_string_equal(p->told.out, "bye\n");
}

static void standard_input_is_read_within_a_call(void **state)
{
    struct peer *p = *state;

    p->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    p->spec.stdin_data.data = (uint8_t *)"one\ntwo\n";
    p->spec.stdin_data.len = 8;
    peer_start(p);
    gives(p, "return io.read()", "\"one\"");
    gives(p, "return io.read(), io.read()", "[\"two\",null]");
}

/* ---- errors ---------------------------------------------------------------------------------------------------------------------------- */

static void an_error_comes_with_type_message_and_traceback(void **state)
{
    struct peer *p = peer_start(*state);
    const Pb__CallFailure *f = expect_failure(p, "local function deep() error('boom') end\ndeep()", ERROR(EXECUTION_FAILED));

    assert_string_equal(f->message, "chunk.lua:1: boom");
    assert_string_equal(f->remote->type, "error");
    assert_string_equal(f->remote->message, "chunk.lua:1: boom");
    expect_contains(f->remote->traceback, "stack traceback:");
    expect_contains(f->remote->traceback, "chunk.lua:2: in main chunk");
    assert_null(p->told.err); /* it is the caller's */
    f = expect_failure(p, "error(setmetatable({}, {__name = 'Mine', __tostring = function() return 'made' end}))", ERROR(EXECUTION_FAILED));
    assert_string_equal(f->remote->type, "Mine");
    assert_string_equal(f->remote->message, "made");
    f = expect_failure(p, "error({})", ERROR(EXECUTION_FAILED));
    assert_string_equal(f->remote->type, "table");
    f = expect_failure(p, "error('a\\0b\\xff')", ERROR(EXECUTION_FAILED));
    assert_string_equal(f->remote->message, "chunk.lua:1: a\\x00b\\xff");
    gives(p, "return 1", "1");
}

static void a_mistake_in_the_source_is_told(void **state)
{
    struct peer *p = peer_start(*state);
    const Pb__CallFailure *f = expect_failure(p, "x = = 1", ERROR(EXECUTION_FAILED));

    assert_string_equal(f->remote->type, "syntax");
    expect_contains(f->remote->message, "chunk.lua:1: unexpected symbol near '='");
    f = expect_failure(p, "\x1bLua", ERROR(EXECUTION_FAILED));
    expect_contains(f->remote->message, "bytecode");
}

static void an_error_of_a_function_that_is_called(void **state)
{
    struct peer *p = peer_start(*state);
    const Pb__CallFailure *f;

    gives(p, "function f(x) return x.y end", "null");
    f = expect_failure_of(call_function(p, "f", NULL), ERROR(EXECUTION_FAILED));
    expect_contains(f->remote->message, "attempt to index a nil value (local 'x')");
    expect_contains(f->remote->traceback, "chunk.lua:1: in function 'f'");
}

static void endless_recursion_fails_the_call_and_nothing_else(void **state)
{
    struct peer *p = *state;

    p->limits.memory_bytes = 128 * PEER_MIB;
    peer_start(p);
    expect_contains(expect_failure(p, "local function f() return 1 + f() end f()", ERROR(EXECUTION_FAILED))->message, "stack overflow");
    expect_contains(expect_failure(p, "local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k] end return t.x",
                                   ERROR(EXECUTION_FAILED))
                        ->message,
                    "C stack overflow");
    gives(p, "return 'alive'", "\"alive\"");
}

static void too_little_memory_fails_the_call_and_the_state_lives_on(void **state)
{
    struct peer *p = *state;

    p->limits.memory_bytes = 8 * PEER_MIB;
    peer_start(p);
    for (int i = 0; i < 3; i++) {
        const Pb__CallFailure *f = expect_failure(p, "local t = {} for i = 1, math.huge do t[i] = {i} end", ERROR(EXECUTION_FAILED));

        assert_string_equal(f->remote->type, "memory");
        assert_string_equal(f->remote->message, "not enough memory");
        gives(p, "return #string.rep('x', 3 << 20)", "3145728");
    }
    expect_failure(p, "return ('x'):rep(100 << 20)", ERROR(EXECUTION_FAILED));
    gives(p, "return collectgarbage('count') < 2048", "true");
}

/* ---- values ---------------------------------------------------------------------------------------------------------------------------- */

static void values_go_out_as_what_they_are(void **state)
{
    static const char *const rows[][2] = {
        {"return true, false",                                                           "[true,false]"                              },
        { "return math.maxinteger, math.mininteger",                                     "[9223372036854775807,-9223372036854775808]"},
        { "return 1.5, 1e300, 2.0",                                                      "[1.5f,1.0000000000000001e+300f,2f]"        },
        { "return ''",                                                                   "\"\""                                      },
        { "return 'h\\u{e9}'",                                                           "\"h\u00e9\""                               },
        { "return '\\xff\\xfe'",                                                         "bytes(2)"                                  },
        { "return require('coop').bytes('text')",                                        "bytes(4)"                                  },
        { "return {}",                                                                   "[]"                                        },
        { "return {1, 2, 3}",                                                            "[1,2,3]"                                   },
        { "return {[1] = 'a', [3] = 'c'}",                                               "{1:\"a\",3:\"c\"}"                         },
        { "return {1, x = 2}",                                                           "{1:1,\"x\":2}"                             },
        { "return {[true] = 1, [2.5] = 2}",                                              "{true:1,2.5f:2}"                           },
        { "return {[0] = 0, 1}",                                                         "{0:0,1:1}"                                 },
        { "local null = require('coop').null return {null, {k = null}}",                 "[null,{\"k\":null}]"                       },
        { "return require('coop').big('123456789012345678901234567890')",                "big(123456789012345678901234567890)"       },
        { "return require('coop').big('-7')",                                            "-7"                                        },
        { "return setmetatable({1}, {__index = error, __len = error, __pairs = error})", "[1]"                                       },
        { "local t = {1} return {t, t}",                                                 "[[1],[1]]"                                 },
    };
    struct peer *p = peer_start(*state);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        gives(p, rows[i][0], rows[i][1]);
}

/* A broker that allows nothing. */
static void refuse(struct peer *p, const Pb__Ask *a)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Answer answer = PB__ANSWER__INIT;
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;

    f.error = ERROR(NOT_ALLOWED);
    answer.number = a->number;
    answer.body_case = PB__ANSWER__BODY_FAILURE;
    answer.failure = &f;
    m.body_case = PB__TO_WORKER__BODY_ANSWER;
    m.answer = &answer;
    told_send(p->fd, &m);
}

static void what_cannot_be_sent_is_refused_by_its_path(void **state)
{
    static const struct row {
        const char *source;
        Pb__CallError error;
        const char *path, *message;
    } rows[] = {
        {"return print",                                        ERROR(NOT_SHAREABLE), "result",          "a function cannot be sent"    },
        { "return {a = {b = {print}}}",                         ERROR(NOT_SHAREABLE), "result.a.b[1]",   "a function"                   },
        { "return 1, {x = coroutine.create(print)}",            ERROR(NOT_SHAREABLE), "result[2].x",     "a thread"                     },
        { "return {['a b'] = io.stdout}",                       ERROR(NOT_SHAREABLE), "result[\"a b\"]", "an object of this type"       },
        { "local t = {} t[1] = t return t",                     ERROR(NOT_SHAREABLE), "result[1]",       "a table that contains itself" },
        { "local t = {} t.x = {y = t} return {t}",              ERROR(NOT_SHAREABLE), "result[1].x.y",   "a table that contains itself" },
        { "return {[{}] = 1}",                                  ERROR(NOT_SHAREABLE), "result",          "a table with a table as a key"},
        { "local t = {} for i = 1, 64 do t = {t} end return t", ERROR(TOO_DEEP),      NULL,              "too deeply"                   },
        { "return {('x'):rep(70000)}",                          ERROR(TOO_BIG),       "result",          "capability"                   },
    };
    struct peer *p = *state;

    p->on_ask = refuse;
    peer_start(p);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const Pb__CallFailure *f = expect_failure(p, rows[i].source, rows[i].error);

        if (rows[i].path != NULL)
            assert_string_equal(f->path, rows[i].path);
        expect_contains(f->message, rows[i].message);
    }
    gives(p, "local t = {} for i = 1, 63 do t = {t} end return #t", "1");
}

static void values_come_in_as_what_they_are(void **state)
{
    struct peer *p = peer_start(*state);
    struct value_writer w;

    gives(
        p,
        "local coop = require 'coop' function look(i, f, s, b, l, m, big, n) return math.type(i), math.type(f), s, #b, #l, l[2] == coop.null, "
        "m[true], tostring(big), n == nil end",
        "null");
    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, 8);
    value_int(&w, 7);
    value_double(&w, 7);
    value_text(&w, "s", 1);
    value_data(&w, "\0\xff", 2);
    value_list(&w, 2);
    value_int(&w, 1);
    value_null(&w);
    value_end(&w);
    value_map(&w, 1);
    value_bool(&w, true);
    value_text(&w, "yes", 3);
    value_end(&w);
    value_big(&w, "99999999999999999999", 20);
    value_null(&w);
    value_end(&w);
    assert_string_equal(peer_show(p, call_function(p, "look", &w)->value),
                        "[\"integer\",\"float\",\"s\",2,2,true,\"yes\",\"99999999999999999999\",true]");
}

/* ---- tasklets -------------------------------------------------------------------------------------------------------------------------- */

static void tasklets_that_a_call_leaves_go_on_between_calls_and_during_later_ones(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "coop = require 'coop' n = 0 coop.spawn(function() for i = 1, 3 do coop.sleep(0.002) n = n + 1 end print('idle') end)",
          "null");
    peer_listen_for(p, "idle");
    gives(p, "return n", "3");
    gives(p, "c = coop.channel() coop.spawn(function() while true do c:send((c:receive()) * 2) end end)", "null");
    gives(p, "c:send(21) return c:receive()", "42");
}

static void an_error_of_a_tasklet_is_its_own_calls_or_is_printed(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "coop = require 'coop' gate = coop.channel() coop.spawn(function() gate:receive() error('late') end)", "null");
    gives(p, "gate:send(1) coop.sleep(0.002) return 'unharmed'", "\"unharmed\"");
    expect_contains(p->told.err, "tasklet 2: chunk.lua:1: late\nstack traceback:");
    expect_contains(expect_failure(p, "coop.spawn(error, 'mine') coop.sleep(9)", ERROR(EXECUTION_FAILED))->remote->message, "mine");
    gives(p, "coop.spawn(function() coop.sleep(0.002) error('alone') end)", "null");
    peer_listen_for(p, "alone");
    gives(p, "return 1", "1");
}

static void a_call_that_nobody_can_wake_is_a_deadlock(void **state)
{
    struct peer *p = peer_start(*state);

    assert_string_equal(expect_failure(p, "require('coop').channel():receive()", ERROR(EXECUTION_FAILED))->remote->type, "Deadlock");
    gives(p, "return 1", "1");
}

static void close_ends_tasklets_that_are_left(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p,
          "coop = require 'coop' coop.spawn(function() local x <close> = setmetatable({}, {__close = function() print('closed') end}) "
          "coop.sleep(1000) end) coop.yield()",
          "null");
    call_close(p);
    assert_string_equal(p->told.out, "closed\n");
    assert_int_equal(p->told.kind, PB__RESULT_KIND__RESULT_KIND_EXIT);
}

/* ---- interrupts ------------------------------------------------------------------------------------------------------------------------ */

static void interrupted(struct peer *p, const char *source)
{
    p->interrupt_at = "go\n";
    (void)expect_failure(p, source, ERROR(INTERRUPTED));
    gives(p, "return 'alive'", "\"alive\"");
}

static void an_interrupt_ends_the_call_and_the_interpreter_lives(void **state)
{
    struct peer *p = peer_start(*state);

    interrupted(p, "print('go') while true do end");
    interrupted(p, "print('go') while true do pcall(function() while true do end end) end");
    interrupted(p, "print('go') coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()");
    interrupted(p, "co = coroutine.create(function() print('go') while true do end end) coroutine.resume(co) while true do end");
    interrupted(p, "coop = require 'coop' print('go') coop.sleep(1000)");
    interrupted(p, "print('go') coop.channel():receive(1000)");
    interrupted(p, "coop.spawn(function() print('go') while true do end end) coop.run()");
    interrupted(p, "coop.spawn(function() print('go') while true do pcall(coop.sleep, 1) end end) coop.run()");
    interrupted(p, "print('go') coop.shield(function() while true do pcall(coop.sleep, 0.001) end end)");
    p->plain_signal = true;
    interrupted(p, "print('go') while true do end");
}

static void an_interrupt_spares_tasklets_of_earlier_calls(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "coop = require 'coop' n = 0 coop.spawn(function() while true do n = n + 1 coop.yield() end end)", "null");
    gives(p, "coop.spawn(function() while true do n = n + 1 end end)", "null");
    interrupted(p, "print('go') while true do end");
    interrupted(p, "print('go') while true do coop.yield() end");
    interrupted(p, "print('go') coop.sleep(1000)");
    gives(p, "local before = n while n == before do coop.yield() end return n > before, coop.stats().alive", "[true,2]");
    interrupted(p, "coop.spawn(function() while true do coop.yield() end end) print('go') coop.run()");
    gives(p, "while coop.stats().alive > 2 do coop.yield() end return coop.stats().alive", "2");
}

static void an_interrupt_is_its_own_calls_alone(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "return 1", "1");
    peer_interrupt(p, p->number); /* late */
    gives(p, "local n = 0 for i = 1, 1e6 do n = n + 1 end return n", "1000000");
    peer_interrupt(p, p->number + 1); /* early: its call is on its way */
    (void)expect_failure(p, "while true do end", ERROR(INTERRUPTED));
    peer_interrupt(p, p->number + 5); /* of none that ever comes next */
    gives(p, "return 2", "2");
    p->plain_signal = true;
    peer_interrupt(p, 0);
    gives(p, "return 3", "3");
}

static const Pb__CallDone *call_with_bytes(struct peer *p, const char *function, const void *cbor, size_t len)
{
    Pb__Call c = PB__CALL__INIT;
    Pb__Value v = PB__VALUE__INIT;

    c.kind = PB__CALL_KIND__CALL_KIND_CALL;
    c.function = (char *)function;
    v.cbor.data = (uint8_t *)cbor;
    v.cbor.len = len;
    c.args = &v;
    peer_send_call(p, &c);
    return peer_done(p);
}

static void what_follows_a_value_makes_it_none(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "function f(...) return select('#', ...) end", "null");
    assert_string_equal(peer_show(p, call_with_bytes(p, "f", "\x81\x01", 2)->value), "1");
    (void)expect_failure_of(call_with_bytes(p, "f", "\x81\x01\x02", 3), ERROR(NOT_SHAREABLE));
    (void)expect_failure_of(call_with_bytes(p, "f", "\x80\x80", 2), ERROR(NOT_SHAREABLE));
    gives(p, "return f(1, 2)", "2");
}

/* {h'61': 1, "a": 2}, and what is near it */
static void keys_that_would_be_one_are_refused(void **state)
{
    struct peer *p = peer_start(*state);

    gives(p, "function f(t) local n = 0 for k, v in pairs(t) do n = n + 1 end return n end", "null");
    (void)expect_failure_of(call_with_bytes(p, "f", "\x81\xa2\x41\x61\x01\x61\x61\x02", 8), ERROR(NOT_SHAREABLE));
    assert_string_equal(peer_show(p, call_with_bytes(p, "f", "\x81\xa2\x41\x61\x01\x61\x62\x02", 8)->value), "2");
    assert_string_equal(peer_show(p, call_with_bytes(p, "f", "\x81\xa2\x01\x01\x61\x31\x02", 7)->value), "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(globals_are_kept_from_call_to_call),
        PEER_TEST(what_a_chunk_returns_is_its_value),
        PEER_TEST(output_is_there_before_its_call_is_done),
        PEER_TEST(a_function_is_called_by_its_name),
        PEER_TEST(a_function_that_is_not_there_is_named),
        PEER_TEST(names_are_prepared_all_at_once),
        PEER_TEST(its_source_is_run_when_it_begins),
        PEER_TEST(an_interpreter_whose_source_fails_has_ended),
        PEER_TEST(close_runs_finalizers_and_says_so),
        PEER_TEST(an_interpreter_that_exits_has_ended),
        PEER_TEST(standard_input_is_read_within_a_call),
        PEER_TEST(an_error_comes_with_type_message_and_traceback),
        PEER_TEST(a_mistake_in_the_source_is_told),
        PEER_TEST(an_error_of_a_function_that_is_called),
        PEER_TEST(endless_recursion_fails_the_call_and_nothing_else),
        PEER_TEST(too_little_memory_fails_the_call_and_the_state_lives_on),
        PEER_TEST(values_go_out_as_what_they_are),
        PEER_TEST(what_cannot_be_sent_is_refused_by_its_path),
        PEER_TEST(values_come_in_as_what_they_are),
        PEER_TEST(what_follows_a_value_makes_it_none),
        PEER_TEST(keys_that_would_be_one_are_refused),
        PEER_TEST(tasklets_that_a_call_leaves_go_on_between_calls_and_during_later_ones),
        PEER_TEST(an_error_of_a_tasklet_is_its_own_calls_or_is_printed),
        PEER_TEST(a_call_that_nobody_can_wake_is_a_deadlock),
        PEER_TEST(close_ends_tasklets_that_are_left),
        PEER_TEST(an_interrupt_ends_the_call_and_the_interpreter_lives),
        PEER_TEST(an_interrupt_spares_tasklets_of_earlier_calls),
        PEER_TEST(an_interrupt_is_its_own_calls_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
