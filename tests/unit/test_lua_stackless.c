/* test_lua_stackless.c - require "stackless": the names, the order and the texts of Stackless Python, row by row. */
#include "lua_fixture.h"

#define SL "local stackless = require 'stackless'\n"
/* show(f, ...) prints what f raises, or its results. */
#define SHOW                                                                                                                               \
    SL "local function show(f, ...) local r = table.pack(pcall(f, ...)) for i = 1, r.n do r[i] = tostring(r[i]):match('^[^\\n]*') end "    \
       "print(table.concat(r, ' ')) end\n"                                                                                                 \
       "local function nop() end local function forever() while true do end end\n"

/* ---- tasklets: binding ------------------------------------------------------------------------------------------------------------------ */

static void a_call_is_a_setup_and_returns_the_tasklet(void **state)
{
    expect_output(*state,
                  SL "local t = stackless.tasklet(function(a, b) print(a, b) end) print(t(1, 2) == t, t.scheduled) stackless.run() "
                     "print(t.alive, t.scheduled) local u = stackless.tasklet(print) print(u:setup('x') == u) stackless.run()",
                  "true\ttrue\n1\t2\nfalse\tfalse\ntrue\nx\n");
}

static void bind_with_arguments_leaves_it_alive_but_paused(void **state)
{
    expect_output(*state,
                  SL
                  "local t = stackless.tasklet() print(t.alive, t.paused) t:bind(print) print(t.alive, t.tempval == print) t:bind(nil, "
                  "{1, nil, 3, n = 3}) print(t.alive, t.paused, t.scheduled, stackless.runcount) t:insert() print(t.paused, t.scheduled) "
                  "stackless.run() local u = stackless.tasklet(print, {'two'}) u:run()",
                  "false\tfalse\nfalse\ttrue\ntrue\ttrue\tfalse\t1\nfalse\ttrue\n1\tnil\t3\ntwo\n");
}

static void what_cannot_be_bound_is_refused_with_the_texts_of_stackless(void **state)
{
    expect_output(*state,
                  SHOW "local t = stackless.tasklet(nop) show(t.bind, t, 5) show(t.bind, t, nop, 5) show(t.bind, t, nop, {}, {}) "
                       "show(stackless.current.bind, stackless.current, nop) t() show(t.bind, t, nop) show(t.setup, t) stackless.run() "
                       "show(t.setup, t) local p = stackless.tasklet(function() stackless.schedule_remove() end)() stackless.run() "
                       "show(p.bind, p, nil) stackless.tasklet(function() local m = stackless.main show(m.bind, m) end)() stackless.run()",
                  "false TypeError: tasklet function must be a callable or None\n"
                  "false TypeError: tasklet args must be a tuple or None\n"
                  "false TypeError: tasklet kwargs: Lua has no keyword arguments\n"
                  "false RuntimeError: can't (re)bind the current tasklet\n"
                  "false RuntimeError: tasklet is scheduled\n"
                  "false RuntimeError: tasklet is alive\n"
                  "false RuntimeError: the tasklet was not bound to a function\n"
                  "false RuntimeError: tasklet has C state on its stack\n"
                  "false RuntimeError: can't unbind the main tasklet\n");
}

static void a_dead_tasklet_can_be_bound_again(void **state)
{
    expect_output(*state,
                  SL
                  "local t = stackless.tasklet(print)('a') stackless.run() t:bind(print)('b') stackless.run() print(t.alive) t:bind(print, "
                  "{'never'}) t:bind(nil) print(t.alive, t.tempval)",
                  "a\nb\nfalse\nfalse\tnil\n");
}

static void what_can_be_called_can_be_bound(void **state)
{
    expect_output(*state, SL "stackless.tasklet(setmetatable({}, {__call = function(_, x) print('called', x) end}))(1) stackless.run()",
                  "called\t1\n");
}

/* ---- tasklets: the ring --------------------------------------------------------------------------------------------------------------- */

#define RING                                                                                                                               \
    SL "local log = {} local function w(n) return function() log[#log + 1] = n end end local function out() print(table.concat(log, ' ')) log = {} end\n"

static void insert_is_the_tail_and_happens_once(void **state)
{
    expect_output(*state,
                  RING "local a, b = stackless.tasklet(w'a'):bind(nil, {}), stackless.tasklet(w'b'):bind(nil, {}) b:insert() a:insert() "
                       "print(b:insert() == b, stackless.getruncount()) stackless.schedule() out()",
                  "true\t3\nb a\n");
}

static void the_blocked_and_the_dead_are_not_run(void **state)
{
    expect_output(
        *state,
        SHOW "local c = stackless.channel() local t = stackless.tasklet(c.receive)(c) stackless.run() show(t.insert, t) show(t.run, t) "
             "show(t.switch, t) show(t.remove, t) local d = stackless.tasklet(nop) show(d.insert, d) show(d.run, d) "
             "show(stackless.current.remove, stackless.current)",
        "false RuntimeError: You cannot run a blocked tasklet\n"
        "false RuntimeError: You cannot run a blocked tasklet\n"
        "false RuntimeError: You cannot run a blocked tasklet\n"
        "false RuntimeError: You cannot remove a blocked tasklet.\n"
        "false RuntimeError: You cannot run an unbound(dead) tasklet\n"
        "false RuntimeError: You cannot run an unbound(dead) tasklet\n"
        "false RuntimeError: The current tasklet cannot be removed.\n");
}

static void remove_pauses_and_insert_brings_back(void **state)
{
    expect_output(*state,
                  RING
                  "local a, b = stackless.tasklet(w'a')(), stackless.tasklet(w'b')() print(a:remove() == a, a.paused, a.scheduled) "
                  "stackless.run() out() a:insert() stackless.run() out() local p = stackless.tasklet(function() w'1'() "
                  "stackless.schedule() w'2'() end)() stackless.schedule() p:remove() stackless.run() out() p:run() out() print(p.alive)",
                  "true\ttrue\tfalse\nb\na\n1\n2\nfalse\n");
}

static void run_turns_the_ring_to_the_tasklet(void **state)
{
    expect_output(*state,
                  RING
                  "local t = {} for _, n in ipairs{'a', 'b', 'c', 'd'} do t[n] = stackless.tasklet(w(n))() end t.c:run() log[#log + 1] = "
                  "'main' stackless.run() out()\n"
                  "for _, n in ipairs{'a', 'b'} do stackless.tasklet(w(n))() end stackless.tasklet(w'new'):bind(nil, {}):run() log[#log + "
                  "1] = 'main' stackless.run() out()",
                  "c d main a b\nnew main a b\n");
}

static void switch_takes_the_caller_out_of_the_ring(void **state)
{
    expect_output(*state,
                  RING "local main = stackless.main local t = stackless.tasklet(function() print(main.paused, main.scheduled, "
                       "stackless.runcount) main:insert() end)() local b = stackless.tasklet(w'b')() t:switch() out()",
                  "true\tfalse\t2\nb\n");
}

static void schedule_goes_around_once_and_gives_its_value_back(void **state)
{
    expect_output(*state,
                  RING
                  "for _, n in ipairs{'a', 'b'} do stackless.tasklet(w(n))() end print(stackless.schedule('v'), stackless.schedule() == "
                  "stackless.current) out() print(stackless.schedule(nil))",
                  "v\ttrue\na b\nnil\n");
}

static void schedule_remove_leaves_the_ring_until_somebody_inserts(void **state)
{
    expect_output(
        *state,
        RING "local t = stackless.tasklet(function() w'in'() local v = stackless.schedule_remove('mine') w(v)() end)() stackless.run() "
             "out() print(t.paused, t.tempval) t:insert() stackless.run() out() t = stackless.tasklet(function() "
             "w(stackless.schedule_remove())() end)() stackless.run() t.tempval = 'given' t:run() out() "
             "print(stackless.schedule_remove('alone'))",
        "in\ntrue\tmine\nmine\ngiven\nalone\n");
}

static void next_and_prev_walk_the_ring(void **state)
{
    expect_output(*state,
                  SL "local m = stackless.current print(m.next == m, m.prev == m) local a, b = stackless.tasklet(print)('a'), "
                     "stackless.tasklet(print)('b') print(m.next == a, a.next == b, b.next == m, m.prev == b, b.prev == a, a.prev == m) "
                     "a:remove() print(a.next, a.prev, m.next == b)",
                  "true\ttrue\ntrue\ttrue\ttrue\ttrue\ttrue\ttrue\nnil\tnil\ttrue\n");
}

/* ---- tasklets: attributes --------------------------------------------------------------------------------------------------------------- */

static void the_attributes_say_what_a_tasklet_is_in(void **state)
{
    expect_output(*state,
                  SL
                  "local c = stackless.channel() local m = stackless.main print(m.is_main, m.is_current, m.alive, m.scheduled, m.paused, "
                  "m.blocked, m.restorable, m.thread_id) local r, s = stackless.tasklet(c.receive)(c), stackless.tasklet(function() "
                  "c:send(1) end) print(r.blocked, r.is_main, r.is_current) stackless.run() print(r.blocked, r.scheduled, r.paused, "
                  "r._channel == c, r.next) r:kill() s() stackless.run() print(r.blocked, s.blocked, s.tempval, r.alive)",
                  "true\ttrue\ttrue\ttrue\tfalse\t0\tfalse\t1\n0\tfalse\tfalse\n-1\ttrue\tfalse\ttrue\tnil\n0\t1\t1\tfalse\n");
}

static void read_only_attributes_are_and_absent_ones_say_why(void **state)
{
    expect_output(
        *state,
        SHOW "local t = stackless.tasklet(nop) show(function() t.alive = true end) show(function() t.nothing = 1 end) print(t.nothing) "
             "show(function() return t.trace_function end) show(function() return t.__reduce__ end) show(function() return "
             "t.cstate end) show(function() return stackless.pickle_flags end) show(function() return "
             "stackless.enable_softswitch end) print(stackless.nothing)",
        "false script.lua:4: attribute 'alive' is read-only\n"
        "false script.lua:4: no attribute 'nothing'\n"
        "nil\n"
        "false RuntimeError: trace_function is not available in Lua: the hook belongs to cancellation and to run(timeout)\n"
        "false RuntimeError: __reduce__ is not available in Lua: tasklets of Lua cannot be serialized\n"
        "false RuntimeError: cstate is not available in Lua: a C stack is not an object here\n"
        "false RuntimeError: pickle_flags is not available in Lua: tasklets of Lua cannot be serialized\n"
        "false RuntimeError: enable_softswitch is not available in Lua: every tasklet has a C stack, every switch is a hard one\n"
        "nil\n");
}

static void depth_nesting_and_frame_show_where_it_stands(void **state)
{
    expect_output(*state,
                  SL
                  "local function deep(n) if n > 0 then deep(n - 1) return end stackless.schedule_remove() end local t = "
                  "stackless.tasklet(deep)(3) print(t.frame ~= nil, t.nesting_level) stackless.run() print(t.recursion_depth > 4, "
                  "t.nesting_level, t.frame:find(\"in upvalue 'deep'\", 1, true) ~= nil) t:kill() print(t.frame, t.recursion_depth)\n"
                  "t = stackless.tasklet(function() table.sort({2, 1}, function() stackless.schedule_remove() end) end)() stackless.run() "
                  "print(t.nesting_level) t:kill() t = stackless.tasklet(pcall)(stackless.schedule_remove) stackless.run() "
                  "print(t.nesting_level)",
                  "true\t0\ntrue\t0\ttrue\nnil\t0\n1\n0\n");
}

static void a_tasklet_can_be_held_weakly(void **state)
{
    expect_output(
        *state,
        SL "local weak = setmetatable({}, {__mode = 'v'}) weak[1] = stackless.tasklet(print)('run') weak[2] = stackless.tasklet(print) "
           "collectgarbage() print(weak[1] ~= nil, weak[2]) stackless.run() collectgarbage() collectgarbage() print(weak[1])",
        "true\tnil\nrun\nnil\n");
}

static void a_thread_cannot_be_chosen(void **state)
{
    expect_output(
        *state,
        SHOW "local t = stackless.tasklet(nop) show(t.bind_thread, t) show(t.bind_thread, t, 1) show(t.bind_thread, t, 7) t() "
             "show(t.bind_thread, t, 1) stackless.run() t = stackless.tasklet(function() stackless.schedule_remove() end)() "
             "stackless.run() show(t.bind_thread, t, 1)",
        "true\ntrue\nfalse ValueError: bad thread\nfalse RuntimeError: can't (re)bind a runnable tasklet\nfalse RuntimeError: tasklet "
        "has C state on its stack\n");
}

/* ---- tasklets: throwing ----------------------------------------------------------------------------------------------------------------- */

static void throw_raises_in_the_target_at_once_and_comes_back(void **state)
{
    expect_output(
        *state,
        RING "local t = stackless.tasklet(function() local ok, e = pcall(stackless.schedule_remove) w(tostring(e))() end)() local b = "
             "stackless.tasklet(w'b')() stackless.run() out() stackless.tasklet(w'c')() t:throw(stackless.ValueError, 'bad') w'main'() "
             "stackless.run() out()",
        "b\nValueError: bad main c\n");
}

static void a_pending_throw_waits_for_its_turn(void **state)
{
    expect_output(*state,
                  RING
                  "local c = stackless.channel() local t = stackless.tasklet(function() local ok, e = pcall(c.receive, c) w(tostring(e))() "
                  "end)() stackless.run() t:throw(stackless.ValueError('x'), nil, nil, true) print(t.scheduled, t.blocked, c.balance) "
                  "w'main'() stackless.run() out()",
                  "true\t0\t0\nmain ValueError: x\n");
}

static void any_value_can_be_thrown_and_classes_are_instantiated(void **state)
{
    expect_output(
        *state,
        SHOW "local function catch(...) local e local t = stackless.tasklet(function() local _ _, e = pcall(stackless.schedule_remove) "
             "end)() stackless.run() t:throw(...) return e end show(catch, 'text') show(catch, 42) show(catch, "
             "stackless.RuntimeError) show(catch, stackless.RuntimeError, 'r') local v = stackless.ValueError('v') "
             "print(catch(stackless.ValueError, v) == v, catch(v) == v) show(catch, v, 1) show(catch, nil) print(catch('text', nil, "
             "'trace')) print(catch(stackless.ValueError, 'x', 'trace').traceback)",
        "true text\ntrue 42\ntrue RuntimeError\ntrue RuntimeError: r\ntrue\ttrue\n"
        "false TypeError: instance exception may not have a separate value\n"
        "false TypeError: exceptions must be classes, or instances, not nil\n"
        "text\ntrace\ntrace\n");
}

static void raise_exception_makes_the_error_from_its_arguments(void **state)
{
    expect_output(*state,
                  SHOW
                  "local e local t = stackless.tasklet(function() local _ _, e = pcall(stackless.schedule_remove) end)() stackless.run() "
                  "t:raise_exception(stackless.RuntimeError, 'one', 'two') print(tostring(e), e[1], e[2], e.type, e.message) "
                  "show(t.raise_exception, t) show(t.raise_exception, t, stackless.ValueError)",
                  "RuntimeError: one\tone\ttwo\tRuntimeError\tone\n"
                  "false TypeError: raise_exception() takes at least 1 argument\n"
                  "false RuntimeError: You cannot throw to a dead tasklet\n");
}

static void only_taskletexit_may_be_thrown_at_the_dead(void **state)
{
    expect_output(
        *state,
        SHOW "local t = stackless.tasklet(nop)() stackless.run() show(t.throw, t, stackless.TaskletExit) show(t.kill, t) show(t.throw, "
             "t, 'x') local mine = stackless.exception('Mine', stackless.TaskletExit) show(t.throw, t, mine)",
        "true\ntrue\nfalse RuntimeError: You cannot throw to a dead tasklet\ntrue\n");
}

static void kill_ends_silently_and_lets_it_clean_up(void **state)
{
    expect_output(
        *state,
        RING "local function f() local x <close> = setmetatable({}, {__close = w'closed'}) stackless.channel():receive() end local t = "
             "stackless.tasklet(f)() stackless.run() t:kill() print(t.alive) out() t = stackless.tasklet(f)() stackless.run() "
             "t:kill(true) print(t.alive, t.scheduled) stackless.run() print(t.alive) out() t = stackless.tasklet(w'never')() t:kill() "
             "stackless.run() out() t = stackless.tasklet(w'never', {}) t:kill() print(t.alive)",
        "false\nclosed\ntrue\ttrue\nfalse\nclosed\n\nfalse\n");
}

static void taskletexit_can_be_caught(void **state)
{
    expect_output(*state,
                  SL "local t = stackless.tasklet(function() local ok, e = pcall(stackless.schedule_remove) print(e, "
                     "stackless.isinstance(e, stackless.TaskletExit)) stackless.schedule_remove() end)() stackless.run() t:kill() "
                     "print(t.alive) t:kill() print(t.alive)",
                  "TaskletExit\ttrue\ntrue\nfalse\n");
}

static void thrown_at_oneself_is_raised(void **state)
{
    expect_output(*state,
                  SHOW "local m = stackless.current show(m.throw, m, 'me') show(m.kill, m) stackless.tasklet(function() "
                       "stackless.current:kill() print('never') end)() stackless.run() print('on')",
                  "false me\nfalse TaskletExit\non\n");
}

/* ---- tasklets: death -------------------------------------------------------------------------------------------------------------------- */

static void an_uncaught_error_is_raised_out_of_mains_run_and_the_rest_stays(void **state)
{
    expect_output(*state,
                  RING "stackless.tasklet(w'a')() stackless.tasklet(function() error(stackless.ValueError('boom')) end)() "
                       "stackless.tasklet(w'b')() local ok, e = pcall(stackless.run) print(ok, e, e.traceback ~= nil) out() "
                       "print(stackless.runcount) stackless.run() out()",
                  "false\tValueError: boom\ttrue\na\n2\nb\n");
}

static void an_uncaught_error_reaches_a_main_that_receives(void **state)
{
    expect_output(*state,
                  SHOW
                  "local c = stackless.channel() stackless.tasklet(function() error('boom', 0) end)() show(c.receive, c) print(c.balance) "
                  "stackless.tasklet(function() error('again', 0) end)() show(stackless.schedule)",
                  "false boom\n0\nfalse again\n");
}

static void an_uncaught_error_ends_the_job_with_its_class(void **state)
{
    expect_exception(run(*state, SHOW "stackless.tasklet(function() error(stackless.ValueError('boom')) end)() stackless.run()"),
                     "ValueError", "ValueError: boom");
}

static void an_error_goes_to_the_innermost_watchdog(void **state)
{
    expect_output(*state,
                  SL
                  "stackless.tasklet(function() stackless.tasklet(function() error('inner', 0) end)() local ok, e = pcall(stackless.run) "
                  "print('watchdog', ok, e:match('^[^\\n]*')) end)() print(pcall(stackless.run))",
                  "watchdog\tfalse\tinner\ntrue\tnil\n");
}

static void the_error_handler_takes_errors_instead_of_main(void **state)
{
    expect_output(*state,
                  SHOW "print(stackless.set_error_handler(function(t, v, tb) print(t, v, tb ~= nil) end)) stackless.tasklet(function() "
                       "error(stackless.ValueError('x')) end)() stackless.tasklet(function() error('y', 0) end)() "
                       "show(stackless.run) print(type(stackless.set_error_handler(function() error('handler', 0) end))) "
                       "stackless.tasklet(error)('z') show(stackless.run) stackless.set_error_handler(nil) stackless.tasklet(function() "
                       "error('main', 0) end)() show(stackless.run)",
                  "nil\nValueError\tValueError: x\ttrue\nerror\ty\ttrue\ntrue nil\nfunction\nfalse handler\nfalse main\n");
}

static void an_error_its_watchdog_has_no_more_turn_for_goes_on_to_main(void **state)
{
    expect_output(*state,
                  SL "local coop = require 'coop' stackless.tasklet(function() for i = 1, 2 do coop.spawn(error, 'e' .. i, 0) end "
                     "print(pcall(stackless.run)) end)() print(pcall(stackless.run)) print(pcall(stackless.run))",
                  "false\te1\nfalse\te2\ntrue\tnil\n");
}

static void bombs_are_raised_where_they_arrive(void **state)
{
    expect_output(*state,
                  SHOW
                  "local b = stackless.bomb(stackless.ValueError, 'b') print(b.type, b.value, b.traceback) local c = stackless.channel() "
                  "stackless.tasklet(c.send)(c, b) show(c.receive, c) show(stackless.schedule, b) local t = "
                  "stackless.tasklet(function() show(stackless.schedule_remove) end)() stackless.run() t.tempval = b t:run() "
                  "show(stackless.bomb)",
                  "ValueError\tb\tnil\nfalse ValueError: b\nfalse ValueError: b\nfalse ValueError: b\nfalse TypeError: a bomb needs an "
                  "exception\n");
}

/* ---- channels --------------------------------------------------------------------------------------------------------------------------- */

static void balance_and_queue_show_who_waits(void **state)
{
    expect_output(
        *state,
        SL "local c = stackless.channel() print(c.balance, c.queue) local t = {} for i = 1, 3 do t[i] = stackless.tasklet(c.send)(c, "
           "i) end stackless.run() print(c.balance, c.queue == t[1], c.queue.next == t[2], t[3].next, t[2].prev == t[1]) "
           "print(c:receive(), c:receive(), c:receive(), c.balance) for i = 1, 2 do stackless.tasklet(c.receive)(c) end "
           "stackless.run() print(c.balance)",
        "0\tnil\n3\ttrue\ttrue\tnil\ttrue\n1\t2\t3\t0\n-2\n");
}

/* Who runs after a send to a waiting receiver, and after a receive from a waiting sender; "other" is in the ring before. */
#define MEET                                                                                                                               \
    RING "local function meet(set)\n"                                                                                                      \
         "  local c = stackless.channel() set(c)\n"                                                                                        \
         "  stackless.tasklet(function() c:receive() w'r'() end)() stackless.run()\n"                                                      \
         "  stackless.tasklet(w'o')() c:send(1) w's'() stackless.run() out()\n"                                                            \
         "  stackless.tasklet(function() c:send(1) w's'() end)() stackless.run()\n"                                                        \
         "  stackless.tasklet(w'o')() c:receive() w'r'() stackless.run() out()\n"                                                          \
         "end\n"

static void preference_minus_one_runs_the_receiver(void **state)
{
    expect_output(*state, MEET "meet(function(c) print(c.preference) end)", "-1\nr o s\nr o s\n");
}

static void preference_one_runs_the_sender(void **state)
{
    expect_output(*state, MEET "meet(function(c) c.preference = 7 print(c.preference) end)", "1\ns o r\ns o r\n");
}

static void preference_zero_lets_the_caller_go_on(void **state)
{
    expect_output(*state, MEET "meet(function(c) c.preference = 0 end)", "s o r\nr o s\n");
}

static void schedule_all_lets_the_caller_yield_whatever_the_preference(void **state)
{
    expect_output(*state, MEET "for p = -1, 1 do meet(function(c) c.preference = p c.schedule_all = 1 end) end",
                  "o r s\no s r\no r s\no s r\no r s\no s r\n");
}

static void flags_of_the_wrong_kind_are_refused(void **state)
{
    expect_output(*state,
                  SHOW "local c = stackless.channel() show(function() c.preference = 'x' end) show(function() c.schedule_all = 'x' end) "
                       "show(function() c.balance = 1 end)",
                  "false TypeError: preference must be set to an integer\nfalse TypeError: preference must be set to a bool or integer\n"
                  "false script.lua:4: attribute 'balance' is read-only\n");
}

static void a_closing_channel_serves_those_that_wait_and_refuses_the_rest(void **state)
{
    expect_output(
        *state,
        SHOW "local c = stackless.channel() stackless.tasklet(c.send)(c, 'last') stackless.run() c:close() print(c.closing, c.closed) "
             "show(c.receive, c) print(c.closed) show(c.receive, c) show(c.send, c, 1) c:open() print(c.closing, c.closed) "
             "stackless.tasklet(c.send)(c, 'again') show(c.receive, c)",
        "true\tfalse\ntrue last\ntrue\nfalse ValueError: Send/receive operation on a closed channel\nfalse ValueError: Send/receive "
        "operation on a closed channel\nfalse\tfalse\ntrue again\n");
}

static void a_close_does_not_wake_one_that_receives_already(void **state)
{
    expect_output(*state,
                  SL
                  "local c = stackless.channel() stackless.tasklet(function() print('got', c:receive()) end)() stackless.run() c:close() "
                  "stackless.run() print(c.balance, c.closing, c.closed) c:open() c:send('it')",
                  "-1\ttrue\tfalse\ngot\tit\n");
}

static void the_block_trap_comes_before_the_close(void **state)
{
    expect_output(
        *state,
        SHOW "local c = stackless.channel() stackless.current.block_trap = true print(stackless.current.block_trap) show(c.receive, c) "
             "c:close() show(c.send, c, 1) c:open() local t = stackless.tasklet(c.send)(c, 1) t.block_trap = true show(stackless.run) "
             "stackless.tasklet(c.send)(c, 2) stackless.run() show(c.receive, c) stackless.current.block_trap = false "
             "print(c.balance)",
        "true\nfalse RuntimeError: this tasklet does not like to be blocked.\nfalse RuntimeError: this tasklet does not like to be "
        "blocked.\nfalse RuntimeError: this tasklet does not like to be blocked.\ntrue 2\n0\n");
}

static void send_exception_and_send_throw_raise_in_the_receiver(void **state)
{
    expect_output(
        *state,
        SHOW "local c = stackless.channel() local function get(f, ...) stackless.tasklet(f)(c, ...) local ok, e = pcall(c.receive, c) "
             "print(ok, e, type(e) == 'table' and e.traceback) end get(c.send_exception, stackless.ValueError, 'v') get(c.send_throw, "
             "stackless.ValueError, 't', 'its traceback') get(c.send_throw, 'plain') show(c.send_exception, c)",
        "false\tValueError: v\tnil\nfalse\tValueError: t\tits traceback\nfalse\tplain\tfalse\nfalse TypeError: send_exception() takes "
        "at least 1 argument\n");
}

static void send_sequence_counts_what_it_sent(void **state)
{
    expect_output(
        *state,
        SL
        "local c = stackless.channel() stackless.tasklet(function() print(c:send_sequence{10, 20, 30}) "
        "print(c:send_sequence(('a b'):gmatch('%a'))) print(c:send_sequence(ipairs{5})) c:send_exception(stackless.StopIteration) end)() for v in c:iter() do "
        "io.write(tostring(v), ' ') end print()",
        "10 20 30 3\na b 2\n1 1\n\n");
}

static void iteration_ends_with_the_close_or_a_sent_stopiteration(void **state)
{
    expect_output(
        *state,
        SL
        "local c = stackless.channel() for i = 1, 2 do stackless.tasklet(c.send)(c, i) end stackless.run() c:close() for v in c do io.write(v, "
        "' ') end c:open() stackless.tasklet(function() c:send(3) c:send_exception(stackless.StopIteration) end)() for v in c do "
        "io.write(v, ' ') end stackless.tasklet(function() c:send_exception(stackless.ValueError) end)() print(pcall(function() for "
        "v in c do end end))",
        "1 2 3 false\tValueError\n");
}

static void values_of_every_kind_travel(void **state)
{
    expect_output(*state,
                  SL
                  "local c, f = stackless.channel(), function() end stackless.tasklet(function() for _, v in ipairs{1, 'x', f, c, true} do "
                  "c:send(v) end c:send(nil) c:send(false) end)() print(c:receive(), c:receive(), c:receive() == f, c:receive() == c, "
                  "c:receive(), c:receive(), c:receive())",
                  "1\tx\ttrue\ttrue\ttrue\tnil\tfalse\n");
}

static void the_channel_callback_sees_each_operation(void **state)
{
    expect_output(
        *state,
        SL "local c = stackless.channel() local names = {[stackless.main] = 'main'} print(stackless.set_channel_callback(function(ch, t, "
           "sending, willblock) print(ch == c, names[t], sending, willblock) end)) names[stackless.tasklet(c.send)(c, 1)] = 't' "
           "c:receive() print(type(stackless.get_channel_callback()), type(stackless.set_channel_callback(nil))) "
           "stackless.tasklet(c.send)(c, 1) c:receive()",
        "nil\ntrue\tmain\tfalse\ttrue\ntrue\tt\ttrue\tfalse\nfunction\tfunction\n");
}

static void a_channel_cannot_be_used_from_its_callback(void **state)
{
    expect_output(*state,
                  SHOW "local c = stackless.channel() stackless.set_channel_callback(function() c:send(1) end) show(c.receive, c) "
                       "print(c.balance) stackless.set_channel_callback(function() stackless.schedule() end) stackless.tasklet(nop)() "
                       "show(c.receive, c)",
                  "false RuntimeError: Recursive channel call due to callbacks!\n0\nfalse RuntimeError: switch_trap\n");
}

static void a_failed_switch_undoes_the_operation(void **state)
{
    expect_output(*state,
                  SHOW "local c = stackless.channel() stackless.tasklet(function() print('got', c:receive()) end)() stackless.run() "
                       "print(stackless.switch_trap(1)) show(c.send, c, 1) print(c.balance, stackless.switch_trap(-1), "
                       "stackless.switch_trap()) c:send(2)",
                  "0\nfalse RuntimeError: switch_trap\n-1\t1\t0\ngot\t2\n");
}

/* ---- the scheduler ---------------------------------------------------------------------------------------------------------------------- */

static void run_returns_when_nobody_can_run(void **state)
{
    expect_output(*state,
                  RING "local c = stackless.channel() stackless.tasklet(c.receive)(c) stackless.tasklet(w'a')() print(stackless.run(), "
                       "stackless.runcount, c.balance) out()",
                  "nil\t1\t-1\na\n");
}

static void a_hard_timeout_returns_the_victim_which_is_out_of_the_ring(void **state)
{
    expect_output(
        *state,
        SHOW "local n = 0 local t = stackless.tasklet(function() while true do n = n + 1 end end)() local v = stackless.run(1000) print(v "
             "== t, v.paused, v.scheduled, stackless.runcount) local was = n print(was > 100 and was < 1000) v:insert() "
             "print(stackless.run(1000) == t, n > was, n < 2 * was + 100)",
        "true\ttrue\tfalse\t1\ntrue\ntrue\ttrue\ttrue\n");
}

static void a_timeout_counts_each_slice_anew_unless_it_is_total(void **state)
{
    expect_output(*state,
                  SL
                  "local function polite(n) for i = 1, n do for k = 1, 20 do end stackless.schedule() end end "
                  "stackless.tasklet(polite)(50) stackless.tasklet(polite)(50) print(stackless.run(500)) local a = "
                  "stackless.tasklet(polite)(50) local b = stackless.tasklet(polite)(50) local v = stackless.run(500, false, false, false, "
                  "true) print(v == a or v == b) v:insert() print((stackless.run{timeout = 500, totaltimeout = true}) ~= nil)",
                  "nil\ntrue\ntrue\n");
}

static void a_soft_timeout_comes_at_the_next_switch(void **state)
{
    expect_output(*state,
                  RING
                  "stackless.tasklet(function() for i = 1, 1000 do end w'long'() stackless.schedule() w'after'() end)() "
                  "stackless.tasklet(w'b')() print(stackless.run(100, false, true)) out() print(stackless.runcount) stackless.run() out()",
                  "nil\nlong\n3\nb after\n");
}

static void a_meeting_on_a_channel_passes_a_soft_interrupt_on(void **state)
{
    expect_output(
        *state,
        RING "local c = stackless.channel() stackless.tasklet(function() c:receive() w'r'() stackless.schedule() w'r2'() end)() "
             "stackless.run() stackless.tasklet(function() for i = 1, 1000 do end c:send(1) w's'() end)() stackless.run(100, false, true) "
             "out() stackless.run() out()",
        "r\ns r2\n");
}

static void an_atomic_tasklet_is_not_interrupted_until_it_allows_it(void **state)
{
    expect_output(
        *state,
        RING "local t = stackless.tasklet(function() local me = stackless.current local old = me:set_atomic(true) print(old, me.atomic) "
             "for i = 1, 1000 do end w'atomic'() me:set_atomic(old) for i = 1, 1000 do end w'after'() end)() "
             "print(stackless.run(200) == t) out() stackless.tasklet(function() do local _ <close> = stackless.atomic() for i = 1, 1000 "
             "do end w'in'() end for i = 1, 100 do end w'out'() end)() stackless.run(200) out()",
        "false\ttrue\ntrue\natomic\nin\n");
}

static void an_interrupt_waits_while_c_is_on_the_stack_unless_nesting_is_ignored(void **state)
{
    expect_output(
        *state,
        RING "local function sorts(ignore) return function() if ignore then stackless.current:set_ignore_nesting(true) end table.sort({2, "
             "1}, function() for i = 1, 1000 do end w'sorted'() end) for i = 1, 1000 do end w'end'() end end "
             "stackless.tasklet(sorts())() stackless.run(200) out() stackless.tasklet(sorts(true))() stackless.run(200) out() "
             "stackless.tasklet(sorts())() stackless.run(200, false, false, true) out() local t = stackless.tasklet(pcall)(function() for "
             "i = 1, 1000 do end w'tried'() end) print(stackless.run(200) == t, t.nesting_level) out()",
        "sorted\n\n\ntrue\t0\n\n");
}

static void a_switch_trap_keeps_interrupts_away(void **state)
{
    expect_output(
        *state,
        RING "stackless.tasklet(function() stackless.switch_trap(1) for i = 1, 1000 do end w'trapped'() stackless.switch_trap(-1) for i = "
             "1, 1000 do end w'after'() end)() stackless.run(200) out()",
        "trapped\n");
}

static void coroutines_are_counted_too(void **state)
{
    expect_output(*state,
                  SL "local t = stackless.tasklet(function() local co = coroutine.wrap(function() while true do for i = 1, 5 do end "
                     "coroutine.yield() end end) while true do co() end end)() print(stackless.run(2000) == t) t:kill() t = "
                     "stackless.tasklet(function() while true do coroutine.wrap(function() for i = 1, 10 do end end)() end end)() "
                     "print(stackless.run(2000) == t)",
                  "true\ntrue\n");
}

static void watchdogs_nest_and_the_innermost_is_revived_first(void **state)
{
    expect_output(*state,
                  RING
                  "stackless.tasklet(function() stackless.tasklet(w'child')() stackless.run() w'inner'() end)() stackless.run() w'outer'() "
                  "out()",
                  "child inner outer\n");
}

static void only_the_outermost_timeout_interrupts(void **state)
{
    expect_output(
        *state,
        SL "local inner, long stackless.tasklet(function() long = stackless.tasklet(function() for i = 1, 3000 do end end)() inner = "
           "{stackless.run(100)} end)() local v = stackless.run(1000) print(v == long, inner) stackless.schedule() print(#inner)",
        "true\tnil\n0\n");
}

static void a_watchdog_that_wakes_frees_the_inner_ones(void **state)
{
    expect_output(*state,
                  RING
                  "local t = stackless.tasklet(function() stackless.tasklet(function() stackless.main:insert() stackless.schedule_remove() "
                  "end)() stackless.run() w'inner'() end)() stackless.run() w'outer'() stackless.run() out()",
                  "outer inner\n");
}

static void threadblock_waits_for_those_that_sleep(void **state)
{
    expect_output(
        *state,
        RING "local coop = require 'coop' local function nap() coop.sleep(0.01) w'woke'() end stackless.tasklet(nap)() stackless.run() "
             "w'early'() stackless.run(0, true) out() stackless.tasklet(nap)() stackless.run{threadblock = true} out()",
        "early woke\nwoke\n");
}

static void the_module_knows_who_runs(void **state)
{
    expect_output(
        *state,
        SHOW "print(stackless.current == stackless.getcurrent(), stackless.main == stackless.getmain(), stackless.getcurrentid(), "
             "stackless.getruncount() == stackless.runcount, #stackless.threads, stackless.debug, next(stackless.uncollectables)) local m, "
             "c, n = stackless.get_thread_info() print(m == stackless.main, c == stackless.current, n) "
             "show(stackless.get_thread_info, 99) stackless.tasklet(function() print(stackless.current.is_main, "
             "stackless.getcurrentid() > 1, stackless.main == stackless.current) end)() stackless.run()",
        "true\ttrue\t1\ttrue\t1\tfalse\tnil\ntrue\ttrue\t1\nfalse RuntimeError: Thread id not found\nfalse\ttrue\tfalse\n");
}

static void the_switch_trap_stops_every_switch(void **state)
{
    expect_output(
        *state,
        SHOW "local t = stackless.tasklet(nop)() stackless.switch_trap(1) show(stackless.schedule) show(stackless.schedule_remove) "
             "show(stackless.run) show(t.run, t) show(t.switch, t) show(t.kill, t) show(stackless.channel().receive, "
             "stackless.channel()) stackless.switch_trap(-1) show(stackless.run) stackless.switch_trap(1) show(stackless.run) "
             "print(stackless.schedule('alone')) stackless.switch_trap(-1)",
        "false RuntimeError: switch_trap\nfalse RuntimeError: switch_trap\nfalse RuntimeError: switch_trap\nfalse RuntimeError: "
        "switch_trap\nfalse RuntimeError: switch_trap\nfalse RuntimeError: switch_trap\nfalse RuntimeError: switch_trap\ntrue nil\ntrue\n"
        "alone\n");
}

static void the_schedule_callback_sees_each_switch(void **state)
{
    expect_output(
        *state,
        SL "local names = {[stackless.main] = 'main'} local t = stackless.tasklet(function() stackless.schedule() end)() names[t] = 't' "
           "print(stackless.set_schedule_callback(function(prev, next) print(prev and names[prev], next and names[next]) end)) "
           "stackless.run() print(type(stackless.get_schedule_callback()), type(stackless.set_schedule_callback(nil)))",
        "nil\nmain\tt\nt\tnil\nnil\tmain\nfunction\tfunction\n");
}

static void a_schedule_callback_cannot_switch_and_its_error_is_printed(void **state)
{
    struct told *t = run(
        *state, SL
        "stackless.set_schedule_callback(function() stackless.schedule() end) stackless.tasklet(print)('ran') stackless.tasklet(print)('too') "
        "stackless.run() stackless.set_schedule_callback(nil) print('on')");

    assert_string_equal(t->out, "ran\ntoo\non\n");
    expect_contains(t->err, "error in a callback: ");
}

static void a_callback_after_an_end_finds_nobody_running(void **state)
{
    expect_output(
        *state,
        SL
        "local coop, n = require 'coop', 0 local t = coop.async(function() end) stackless.set_schedule_callback(function(prev, next) if prev "
        "then return end n = n + 1 local calls = {stackless.schedule, stackless.schedule_remove, stackless.run, stackless.getcurrent, "
        "coop.yield, coop.locals, coop.park, coop.cancelled, function() coop.give(1) end, function() local _ <close> = stackless.atomic() end, "
        "function() stackless.channel():receive() end, function() coop.context_set('a', 1) end, function() coop.context_get('a') end, "
        "function() coop.self() end, function() coop.backtrace(true) end, function() coop.spawn(print, 'spawned') end, function() "
        "stackless.tasklet(print)('made') end, function() stackless.main:kill() end, function() stackless.main:run() end, "
        "function() coop.channel(1):send(1) end, function() coop.generator(coop.give, 1):next() end} "
        "stackless.set_schedule_callback(nil) for _, f in ipairs(calls) do pcall(f) end end) t:join() print(n) coop.run()",
        "1\nspawned\nmade\n");
}

/* ---- deadlock --------------------------------------------------------------------------------------------------------------------------- */

static void the_last_runnable_tasklet_cannot_be_blocked(void **state)
{
    expect_output(
        *state, SHOW "local c = stackless.channel() show(c.receive, c) show(c.send, c, 1) print(c.balance)",
        "false RuntimeError: Deadlock: the last runnable tasklet cannot be blocked.\nfalse RuntimeError: Deadlock: the last runnable "
        "tasklet cannot be blocked.\n0\n");
}

static void main_is_told_when_nobody_is_left_to_send_or_receive(void **state)
{
    expect_output(
        *state,
        SHOW "local c = stackless.channel() stackless.tasklet(nop)() show(c.receive, c) stackless.tasklet(nop)() show(c.send, c, 1) "
             "print(c.balance)",
        "false RuntimeError: the main tasklet is receiving without a sender available.\nfalse RuntimeError: the main tasklet is sending "
        "without a receiver available.\n0\n");
}

static void the_deadlock_of_another_tasklet_reaches_a_blocked_main(void **state)
{
    expect_output(
        *state,
        SHOW "local c, d = stackless.channel(), stackless.channel() stackless.tasklet(function() show(d.receive, d) d:receive() end)() "
             "show(c.receive, c) print(c.balance, d.balance)",
        "false RuntimeError: Deadlock: the last runnable tasklet cannot be blocked.\nfalse RuntimeError: Deadlock: the last runnable "
        "tasklet cannot be blocked.\n0\t0\n");
}

static void there_is_no_deadlock_while_somebody_sleeps(void **state)
{
    expect_output(*state,
                  SHOW
                  "local coop = require 'coop' local c = stackless.channel() stackless.tasklet(function() coop.sleep(0.01) c:send('late') "
                  "end)() show(c.receive, c)",
                  "true late\n");
}

/* ---- beside coop ------------------------------------------------------------------------------------------------------------------------ */

static void tasklets_of_coop_are_seen_and_share_the_ring(void **state)
{
    expect_output(
        *state,
        RING "local coop = require 'coop' local c = stackless.channel() local seen coop.spawn(function() seen = stackless.current w('c ' "
             ".. c:receive())() stackless.schedule() w'c2'() end) stackless.tasklet(function() c:send(1) w's'() coop.yield() w's2'() "
             "end)() coop.run() out() print(seen.alive, seen.is_main, seen == stackless.main) local t = "
             "coop.async(function() return pcall(coop.sleep, 100) end) coop.yield() local n = 0 for id in "
             "coop.backtrace():gmatch('tasklet') do n = n + 1 end print(n > 0)",
        "c 1 s c2 s2\nfalse\tfalse\tfalse\ntrue\n");
}

static void a_tasklet_of_coop_can_be_thrown_at_where_it_waits(void **state)
{
    expect_output(
        *state,
        SHOW "local coop = require 'coop' local me local t = coop.async(function() me = stackless.current local ok, e = pcall(coop.sleep, "
             "100) return tostring(e) end) coop.yield() print(me.blocked, me.scheduled) me:throw(stackless.ValueError, 'x') "
             "print(t:join()) local m = coop.mutex() m:lock() t = coop.async(function() me = stackless.current m:lock() end) "
             "coop.yield() me:kill() show(t.join, t) local g = coop.generator(function() me = stackless.current coop.give(1) "
             "coop.give(2) end) g:next() print(me.alive, me.blocked)",
        "-1\ttrue\nValueError: x\nfalse TaskletExit\ntrue\t-1\n");
}

static void the_jobs_cancel_ends_tasklets_of_stackless(void **state)
{
    cancel_within(*state, SHOW "for i = 1, 5 do stackless.tasklet(function() while true do pcall(stackless.schedule) end end)() end "
                               "stackless.tasklet(function() pcall(stackless.run, 1000) while true do end end)() while true do "
                               "pcall(stackless.run, 100) end");
}

static void the_script_may_end_with_live_tasklets(void **state)
{
    expect_output(
        *state,
        SL "local c = stackless.channel() for i = 1, 3 do stackless.tasklet(function() local x <close> = setmetatable({}, {__close = "
           "function() io.write('closed ') end}) c:receive() end)() end stackless.tasklet(function() stackless.schedule_remove() end)() "
           "stackless.tasklet(print, {'never'}) stackless.run() print('end')",
        "end\nclosed closed closed ");
}

static void thousands_come_and_go_and_none_is_kept(void **state)
{
    expect_output(
        *state,
        SL
        "local c, n = stackless.channel(), 0 for round = 1, 40 do for i = 1, 50 do stackless.tasklet(function() local v = c:receive() n = n + v "
        "end)() end stackless.run() for i = 1, 50 do c:send(1) end stackless.run() end print(n) collectgarbage() collectgarbage() "
        "local before = collectgarbage('count') for i = 1, 2000 do stackless.tasklet(function() error(stackless.TaskletExit()) end)() "
        "stackless.run() end collectgarbage() collectgarbage() print(collectgarbage('count') - before < 64)",
        "2000\ntrue\n");
}

static void an_error_too_large_for_the_memory_ends_the_job_as_oom(void **state)
{
    struct job *j = *state;

    j->limits.memory_bytes = 8 * MIB;
    assert_int_equal(run(j, SL "stackless.tasklet(function() local t = {} while true do t[#t + 1] = {} end end)() stackless.run()")->kind,
                     PB__RESULT_KIND__RESULT_KIND_OOM);
}

static void objects_of_other_kinds_are_refused(void **state)
{
    expect_output(
        *state,
        SHOW "local t, c = stackless.tasklet(nop), stackless.channel() for _, f in ipairs{t.run, t.insert, t.kill, t.throw, t.bind, "
             "t.set_atomic, c.send, c.receive, c.close, c.send_sequence} do assert(not pcall(f, {})) assert(not pcall(f, io.stdout)) "
             "assert(not pcall(f)) end show(t.set_atomic, t, 'x') show(t.set_ignore_nesting, t, nil) print(getmetatable(t), "
             "getmetatable(c))",
        "false TypeError: set_atomic needs exactly one bool or integer\nfalse TypeError: set_ignore_nesting needs exactly one bool or "
        "integer\nlocked\tlocked\n");
}

static void the_example_does_what_it_says(void **state)
{
    static char script[16 << 10];
    FILE *f = fopen("examples/stackless.lua", "re"); /* in the top folder, as make check is */

    assert_non_null(f);
    assert_true(fread(script, 1, sizeof(script) - 1, f) > 0);
    fclose(f);
    expect_output(*state, script,
                  "soup 1\nbread 1\nsoup 2\nbread 2\nbread 3\nfalse\tRuntimeError: the main tasklet is receiving without a sender "
                  "available.\ntrue\ttrue\nfalse\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_a_setup_and_returns_the_tasklet),
        TEST(bind_with_arguments_leaves_it_alive_but_paused),
        TEST(what_cannot_be_bound_is_refused_with_the_texts_of_stackless),
        TEST(a_dead_tasklet_can_be_bound_again),
        TEST(what_can_be_called_can_be_bound),
        TEST(insert_is_the_tail_and_happens_once),
        TEST(the_blocked_and_the_dead_are_not_run),
        TEST(remove_pauses_and_insert_brings_back),
        TEST(run_turns_the_ring_to_the_tasklet),
        TEST(switch_takes_the_caller_out_of_the_ring),
        TEST(schedule_goes_around_once_and_gives_its_value_back),
        TEST(schedule_remove_leaves_the_ring_until_somebody_inserts),
        TEST(next_and_prev_walk_the_ring),
        TEST(the_attributes_say_what_a_tasklet_is_in),
        TEST(read_only_attributes_are_and_absent_ones_say_why),
        TEST(depth_nesting_and_frame_show_where_it_stands),
        TEST(a_tasklet_can_be_held_weakly),
        TEST(a_thread_cannot_be_chosen),
        TEST(throw_raises_in_the_target_at_once_and_comes_back),
        TEST(a_pending_throw_waits_for_its_turn),
        TEST(any_value_can_be_thrown_and_classes_are_instantiated),
        TEST(raise_exception_makes_the_error_from_its_arguments),
        TEST(only_taskletexit_may_be_thrown_at_the_dead),
        TEST(kill_ends_silently_and_lets_it_clean_up),
        TEST(taskletexit_can_be_caught),
        TEST(thrown_at_oneself_is_raised),
        TEST(an_uncaught_error_is_raised_out_of_mains_run_and_the_rest_stays),
        TEST(an_uncaught_error_reaches_a_main_that_receives),
        TEST(an_uncaught_error_ends_the_job_with_its_class),
        TEST(an_error_goes_to_the_innermost_watchdog),
        TEST(the_error_handler_takes_errors_instead_of_main),
        TEST(an_error_its_watchdog_has_no_more_turn_for_goes_on_to_main),
        TEST(bombs_are_raised_where_they_arrive),
        TEST(balance_and_queue_show_who_waits),
        TEST(preference_minus_one_runs_the_receiver),
        TEST(preference_one_runs_the_sender),
        TEST(preference_zero_lets_the_caller_go_on),
        TEST(schedule_all_lets_the_caller_yield_whatever_the_preference),
        TEST(flags_of_the_wrong_kind_are_refused),
        TEST(a_closing_channel_serves_those_that_wait_and_refuses_the_rest),
        TEST(a_close_does_not_wake_one_that_receives_already),
        TEST(the_block_trap_comes_before_the_close),
        TEST(send_exception_and_send_throw_raise_in_the_receiver),
        TEST(send_sequence_counts_what_it_sent),
        TEST(iteration_ends_with_the_close_or_a_sent_stopiteration),
        TEST(values_of_every_kind_travel),
        TEST(the_channel_callback_sees_each_operation),
        TEST(a_channel_cannot_be_used_from_its_callback),
        TEST(a_failed_switch_undoes_the_operation),
        TEST(run_returns_when_nobody_can_run),
        TEST(a_hard_timeout_returns_the_victim_which_is_out_of_the_ring),
        TEST(a_timeout_counts_each_slice_anew_unless_it_is_total),
        TEST(a_soft_timeout_comes_at_the_next_switch),
        TEST(a_meeting_on_a_channel_passes_a_soft_interrupt_on),
        TEST(an_atomic_tasklet_is_not_interrupted_until_it_allows_it),
        TEST(an_interrupt_waits_while_c_is_on_the_stack_unless_nesting_is_ignored),
        TEST(a_switch_trap_keeps_interrupts_away),
        TEST(coroutines_are_counted_too),
        TEST(watchdogs_nest_and_the_innermost_is_revived_first),
        TEST(only_the_outermost_timeout_interrupts),
        TEST(a_watchdog_that_wakes_frees_the_inner_ones),
        TEST(threadblock_waits_for_those_that_sleep),
        TEST(the_module_knows_who_runs),
        TEST(the_switch_trap_stops_every_switch),
        TEST(the_schedule_callback_sees_each_switch),
        TEST(a_schedule_callback_cannot_switch_and_its_error_is_printed),
        TEST(a_callback_after_an_end_finds_nobody_running),
        TEST(the_last_runnable_tasklet_cannot_be_blocked),
        TEST(main_is_told_when_nobody_is_left_to_send_or_receive),
        TEST(the_deadlock_of_another_tasklet_reaches_a_blocked_main),
        TEST(there_is_no_deadlock_while_somebody_sleeps),
        TEST(tasklets_of_coop_are_seen_and_share_the_ring),
        TEST(a_tasklet_of_coop_can_be_thrown_at_where_it_waits),
        TEST(the_jobs_cancel_ends_tasklets_of_stackless),
        TEST(the_script_may_end_with_live_tasklets),
        TEST(thousands_come_and_go_and_none_is_kept),
        TEST(an_error_too_large_for_the_memory_ends_the_job_as_oom),
        TEST(objects_of_other_kinds_are_refused),
        TEST(the_example_does_what_it_says),
    };

    if (walls_measure() != 0)
        return 1;
    return cmocka_run_group_tests_name("lua_stackless", tests, NULL, NULL);
}
