/* test_interp_lua.c - interpreters, queues, buffers and capabilities as a Lua script has them, with a real broker and real processes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define HEAD                                                                                                                               \
    "local coop, interpreters, queues = require 'coop', require 'coop.interpreters', require 'coop.queues'\n"                              \
    "local buffers, caps = require 'coop.buffers', require 'coop.caps'\n"                                                                  \
    "local function fails(f, ...) local ok, e = pcall(f, ...) return not ok and (type(e) == 'table' and e.type or e), e end\n"

/* Runs it with the capabilities for all of this, and expects that it prints out and ends well. */
static void expect_script(void *state, const char *source, const char *out)
{
    struct broker *b = state;
    const char *path = script(b, "a.lua", support_text(HEAD "%s", source));

    expect_text(proc_expect(coop(b, "run", "--cap", "interpreters=64", "--cap", "queues", "--cap", "buffers", path), 0)->out, out);
}

/* ---- interpreters ---------------------------------------------------------------------------------------------------------------------- */

static void what_an_interpreter_knows_it_keeps(void **state)
{
    expect_script(*state,
                  "local i = interpreters.create()\n"
                  "i:exec('x = 40') i:exec('x = x + 2') print(i:exec('return x'))\n"
                  "i:prepare_main{a = {1, {b = 'c'}}, n = 2.5} print(i:exec('return a[2].b, n')[1])\n"
                  "print(x, a)",
                  "42\n"
                  "c\n"
                  "nil\tnil\n");
}

static void its_source_is_run_before_its_first_call(void **state)
{
    expect_script(
        *state,
        "local i = interpreters.create{source = 'print(\"unseen\") function twice(x) return x * 2 end'} print(i:call('twice', 21))\n"
        "local kind, e = fails(interpreters.create, {source = 'error(\"at once\")', source_name = 'b.lua'})\n"
        "print(kind, e.cause, e.remote_type, e.message:match('b.lua:1: at once'))\n"
        "print((fails(interpreters.create, {source = 'function ('})))",
        "42\n"
        "ExecutionFailed\texception\terror\tb.lua:1: at once\n"
        "ExecutionFailed\n");
}

/* Whoever is linked is told nothing, it ends; yet what it printed is out. */
static void what_was_printed_before_an_end_by_link_is_seen(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              HEAD "local i = interpreters.create{source = 'function die() os.exit(3) end'}\n"
                                   "print 'before' i:link() print 'linked' i:call_async('die'):wait()");

    expect_text(proc_expect(coop(b, "run", "--cap", "interpreters=2", path), COOP_EXIT_CANCELLED)->out, "before\nlinked\n");
}

static void values_of_every_type_come_back_as_they_went(void **state)
{
    expect_script(
        *state,
        "local i = interpreters.create{caps = {'buffers'}} i:exec('function echo(...) return ... end')\n"
        "for _, v in ipairs{true, false, 1, -7, math.mininteger, 1.5, 1e300, 'text', 'h\\u{e9}', '\\xff\\0', ''} do\n"
        "    local w = i:call('echo', v) assert(w == v and math.type(w) == math.type(v), tostring(v))\n"
        "end\n"
        "print(i:call('echo')) print(i:call('echo', nil)) print(#i:call('echo', {}), i:call('echo', {x = {1, 2}}).x[2])\n"
        "print(tostring(i:call('echo', coop.big('123456789012345678901234567890'))), i:call('echo', {coop.null})[1] == coop.null)\n"
        "print(table.unpack(i:call('echo', 1, 2, 3)))\n"
        "print(#i:call('echo', ('x'):rep(1000000)))",
        "nil\n"
        "nil\n"
        "0\t2\n"
        "123456789012345678901234567890\ttrue\n"
        "1\t2\t3\n"
        "1000000\n");
}

static void what_cannot_be_sent_is_named_by_its_path(void **state)
{
    expect_script(*state,
                  "local i = interpreters.create()\n"
                  "local _, e = fails(i.call, i, 'f', 1, {list = {print}}) print(e.type, e.path)\n"
                  "_, e = fails(i.exec, i, 'return {x = {coroutine.create(print)}}') print(e.type, e.path)\n"
                  "_, e = fails(i.exec, i, 'local t = {} t.me = t return t') print(e.type, e.path)\n"
                  "local t = {} for _ = 1, 70 do t = {t} end _, e = fails(i.call, i, 'f', t) print(e.type, e.path:sub(1, 13))\n"
                  "print(i:exec('return \"alive\"'))",
                  "NotShareable\targs[2].list[1]\n"
                  "NotShareable\tresult.x[1]\n"
                  "NotShareable\tresult.me\n"
                  "TooDeep\targs[1][1][1]\n"
                  "alive\n");
}

static void an_error_in_there_is_one_out_here_with_its_traceback(void **state)
{
    expect_script(
        *state,
        "local i = interpreters.create() i:exec('function f() local function deep() error(\"boom\") end deep() end', nil, 'there.lua')\n"
        "local _, e = fails(i.call, i, 'f') print(e.type, e.message, e.remote_type, e.cause)\n"
        "print(e.traceback:match('there.lua:1: in [^\\n]*'))\n"
        "print(tostring(select(2, fails(i.call, i, 'nothing.here'))), (fails(i.exec, i, '= =')))\n"
        "_, e = fails(i.exec, i, 'error({code = 5})') print(e.remote_type, e.code)\n"
        "print(i:exec('return 1'))",
        "ExecutionFailed\tthere.lua:1: boom\terror\tnil\n"
        "there.lua:1: in local 'deep'\n"
        "NoFunction: there is no function 'nothing.here' in this interpreter\tExecutionFailed\n"
        "table\tnil\n"
        "1\n");
}

static void an_uncaught_one_ends_the_job_with_both_tracebacks(void **state)
{
    struct broker *b = *state;
    struct proc *p =
        coop(b, "run", "--cap", "interpreters", script(b, "a.lua", "require('coop.interpreters').create():exec('error(\"boom\")')"));

    (void)proc_expect(p, COOP_EXIT_EXCEPTION);
    expect_has(p->err, "ExecutionFailed: exec:1: boom\nremote stack traceback:\n\t[C]: in function 'error'\n\texec:1: in main chunk");
    expect_has(p->err, "a.lua:1: in main chunk");
}

/* Each of these is the end of a process, and an error here. */
static void an_interpreter_that_dies_takes_nobody_along(void **state)
{
    expect_script(*state,
                  "local function dies(limits, source)\n"
                  "    local i = interpreters.create{limits = limits} local _, e = fails(i.exec, i, source)\n"
                  "    print(e.type, e.cause, e.receipt == i:id(), (fails(i.exec, i, 'return 1')))\n"
                  "end\n"
                  "dies({}, 'os.exit(3)')\n"
                  "dies({cpu = 0.2}, 'while true do pcall(string.rep, \"x\", 10) end')\n"
                  "dies({wall = 0.2}, 'require(\"coop\").sleep(1000)')\n"
                  "dies({wall = 0.2}, '(\"a\"):rep(40):find((\"a*\"):rep(40) .. \"b\")')\n"
                  "print('alive')",
                  "ExecutionFailed\texit\ttrue\tDead\n"
                  "ExecutionFailed\tcpu_limit\ttrue\tDead\n"
                  "ExecutionFailed\twall_limit\ttrue\tDead\n"
                  "ExecutionFailed\twall_limit\ttrue\tDead\n"
                  "alive\n");
}

static void too_little_memory_is_an_error_in_there(void **state)
{
    expect_script(
        *state,
        "local i = interpreters.create{limits = {memory = '8M'}}\n"
        "local _, e = fails(i.exec, i, 'local t = {} for i = 1, math.huge do t[i] = {} end') print(e.type, e.remote_type, e.cause)\n"
        "print(i:exec('return \"alive\"'))",
        "ExecutionFailed\tmemory\tnil\n"
        "alive\n");
}

static void limits_of_time_hold_for_each_call(void **state)
{
    expect_script(*state,
                  "local i = interpreters.create{limits = {cpu = 0.5, wall = 20}}\n"
                  "for k = 1, 5 do i:exec('local t = os.clock() while os.clock() - t < 0.2 do end') end print('more than one call may')",
                  "more than one call may\n");
}

static void an_interrupt_or_a_time_out_ends_the_call_alone(void **state)
{
    expect_script(
        *state,
        "local i = interpreters.create() i:exec('n = 0')\n"
        "local q = queues.create() i:exec('function spin(q) n = 1 q:put(0) while true do pcall(function() while true do end end) end end')\n"
        "local f = i:call_async('spin', q) q:get()\n"
        "i:interrupt() print((fails(f.wait, f)), i:exec('return n'), i:is_running())\n"
        "print((fails(i.exec, i, 'while true do end', 0.05)), (fails(i.call_for, i, 60, 'os.exit.x')), i:exec('return n'))\n"
        "i:exec('function spin() while true do end end') print((fails(i.call_for, i, 0.05, 'spin')), i:exec('return n'))\n"
        "i:interrupt() print(i:exec('return \"alive\"'))",
        "Interrupted\t1\tfalse\n"
        "TimedOut\tNoFunction\t1\n"
        "TimedOut\t1\n"
        "alive\n");
}

static void one_that_runs_or_oneself_is_not_closed(void **state)
{
    expect_script(*state,
                  "local i, q = interpreters.create(), queues.create() i:exec('function stays(q) q:get() end')\n"
                  "local f = i:call_async('stays', q) print((fails(i.close, i))) q:put(1) f:wait()\n"
                  "i:exec('function close(me) me:close() end') local _, e = fails(i.call, i, 'close', i) print(e.remote_type)\n"
                  "i:close() print(i:wait().cause, (fails(i.exec, i, '')), (fails(i.close, i)))",
                  "Busy\n"
                  "Busy\n"
                  "ok\tClosed\tClosed\n");
}

static void close_runs_the_finalizers(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop(
        b, "run", "--cap", "interpreters",
        script(
            b, "a.lua",
            "local i = require('coop.interpreters').create() i:exec('keep = setmetatable({}, {__gc = function() print(\"gone\") end})')\n"
            "i:close() print(i:id())"));
    char *id = strndup(proc_expect(p, 0)->out.bytes, 26);

    expect_text(proc_expect(coop(b, "logs", id), 0)->out, "gone\n");
    free(id);
}

static void a_monitor_is_told_the_end_with_its_cause(void **state)
{
    expect_script(*state,
                  "local i = interpreters.create{name = 'watched'} print((fails(i.wait, i, 0.01)))\n"
                  "local m = coop.async(function() local s = i:wait() return s.state, s.cause, s.name end)\n"
                  "local f = i:exec_async('os.exit(3)') print(m:join()) print((fails(f.wait, f)))\n"
                  "i = interpreters.create() m = coop.async(function() return i:wait().cause end) i:kill() print(m:join())",
                  "TimedOut\n"
                  "ended\texit\twatched\n"
                  "ExecutionFailed\n"
                  "cancelled\n");
}

static void a_link_takes_the_other_along(void **state)
{
    expect_script(*state,
                  "local i = interpreters.create{max_children = 2}\n"
                  "i:exec('child = require(\"coop.interpreters\").create() child:link()')\n"
                  "local f = i:exec_async('child:exec(\"os.exit(9)\")') local _, e = fails(f.wait, f) print(e.type, i:wait().state)\n"
                  "print('alive')",
                  "ExecutionFailed\tended\n"
                  "alive\n");
}

/* Of three below each other the last is tied to the first, and the one between them ends: the broker lives. */
static void a_link_up_the_tree_takes_its_top_along(void **state)
{
    expect_script(
        *state,
        "local p = interpreters.create{limits = {memory = '24M'}, max_children = 4}\n"
        "p:exec[[I = require 'coop.interpreters'\n"
        "function go(me)\n"
        "  local c = I.create{limits = {memory = '12M'}, max_children = 2}\n"
        "  c:exec[=[I = require 'coop.interpreters'\n"
        "    function go(p) g = I.create{limits = {memory = '4M'}} g:exec 'function tie(p) p:link() end' g:call('tie', p) end]=]\n"
        "  c:call('go', me) c:kill() coop.sleep(60)\n"
        "end coop = require 'coop']]\n"
        "local f = p:call_async('go', p) local _, e = fails(f.wait, f) print(e.type, e.cause, p:wait().state)\n"
        "print(interpreters.create():exec('return 7'))",
        "ExecutionFailed\tcancelled\tended\n"
        "7\n");
}

static void there_are_no_more_and_no_deeper_than_allowed(void **state)
{
    struct broker *b = *state;
    const char *path = script(
        b, "a.lua",
        HEAD
        "local a, b = interpreters.create{max_children = 1}, nil\n"
        "print((fails(interpreters.create, {limits = {memory = '9G'}})))\n"
        "print(select(2, fails(a.exec, a, 'local c = require(\"coop.interpreters\").create() c:exec(\"require([[coop.interpreters]]).create()\")"
        "')).message:match('NotAllowed'))\n"
        "while true do local t, e = fails(interpreters.create) if t then print(t) break end end");

    expect_has(proc_expect(coop(b, "run", "--cap", "interpreters=3", path), 0)->out, "NotAllowed\nLimit\n");
    expect_text(
        proc_expect(
            coop(b, "run", script(b, "b.lua", HEAD "print((fails(interpreters.create)), (fails(queues.create)), (fails(buffers.new, 5)))")),
            0)
            ->out,
        "NotAllowed\tNotAllowed\tNotAllowed\n");
}

static void those_that_wait_for_each_other_are_told_the_cycle(void **state)
{
    expect_script(
        *state,
        "local a, b = interpreters.create(), interpreters.create()\n"
        "for _, i in ipairs{a, b} do i:exec('function f(other, me) local ok, e = pcall(other.call, other, \"f\", me, other) return e.type or e[1], "
        "e.type and #e.cycle or e[2] end') end\n"
        "print(table.unpack(a:call('f', b, a), 1, 2))",
        "Deadlock\t2\n");
}

static void a_hundred_calls_wait_at_once(void **state)
{
    expect_script(*state,
                  "local all, s = {}, 0\n"
                  "for k = 1, 10 do all[k] = interpreters.create() all[k]:exec('n = 0 function add(x) n = n + x return n end') end\n"
                  "for k = 1, 100 do coop.spawn(function() for x = 1, 10 do all[k % 10 + 1]:call('add', x) end end) end coop.run()\n"
                  "for k = 1, 10 do s = s + all[k]:exec('return n') end print(s)",
                  "5500\n");
}

static void tasklets_in_there_go_on_between_calls(void **state)
{
    expect_script(
        *state,
        "local i, q = interpreters.create(), queues.create()\n"
        "i:exec('function start(q) require(\"coop\").spawn(function() for k = 1, 3 do require(\"coop\").sleep(0.001) q:put(k) end end) end')\n"
        "i:call('start', q) print(q:get(), (q:get()), (q:get()))",
        "1\t2\t3\n");
}

static void the_end_of_a_job_ends_its_interpreters(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", "--cap", "interpreters=4",
                                script(b, "a.lua",
                                       HEAD "local i = interpreters.create{max_children = 2}\n"
                                            "local id = i:exec('c = require(\"coop.interpreters\").create() return c:id()')\n"
                                            "print(i:id(), id) io.flush() coop.sleep(1000)"));
    char *ids, *second;

    proc_until(p, &p->out, "\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    ids = strndup(p->out.bytes, 26);
    second = strndup(p->out.bytes + 27, 26);
    (void)expect_end(b, ids, "cancelled");
    (void)expect_end(b, second, "cancelled");
    free(ids);
    free(second);
}

/* ---- aliases --------------------------------------------------------------------------------------------------------------------------- */

/* Memory for twenty stacks as a whole, which is how a sanitizer has them paid for. */
static void a_child_calls_what_its_parent_offers(void **state)
{
    expect_script(
        *state,
        "local seen = {}\n"
        "local i = interpreters.create{limits = {memory = '16M'}, aliases = {add = function(a, b) return a + b end, two = function() return 1, {2} end,\n"
        "    bad = function() error('no') end, slow = function(x) coop.sleep(0.005) seen[#seen + 1] = x return x end}}\n"
        "i:exec('coop = require(\"coop\")')\n"
        "print(i:exec('return coop.alias(\"add\", 40, 2)'), i:exec('return coop.alias(\"two\")[2][1]'))\n"
        "print(i:exec('local ok, e = pcall(coop.alias, \"bad\") return e.type, e.message, e.remote_type')[2])\n"
        "print(i:exec('local ok, e = pcall(coop.alias, \"none\") return e.type'))\n"
        "print(i:exec('local t = {} for k = 1, 20 do t[k] = coop.async(coop.alias, \"slow\", k) end local s = 0 for k = 1, 20 do s = s + t[k]:join() end return s'), #seen)\n"
        "coop.run() print('nobody waits for the server')",
        "42\t2\n"
        "a.lua:6: no\n"
        "NoFunction\n"
        "210\t20\n"
        "nobody waits for the server\n");
}

static void an_alias_is_its_own_childs(void **state)
{
    expect_script(*state,
                  "local a = interpreters.create{aliases = {f = function() return 'a' end}} local b = interpreters.create()\n"
                  "local source = 'local ok, e = pcall(require(\"coop\").alias, \"f\") return ok and e or e.type'\n"
                  "print(a:exec(source), b:exec(source))",
                  "a\tNoFunction\n");
}

/* ---- queues ---------------------------------------------------------------------------------------------------------------------------- */

static void a_queue_is_bounded_and_in_order(void **state)
{
    expect_script(*state,
                  "local q = queues.create{max_items = 3}\n"
                  "print(q:put_many({1, 2, 3, 4, 5}, 0), (fails(q.put, q, 9, 0)), (fails(q.put, q, 9, 0.01)))\n"
                  "local p = coop.async(function() q:put(4) return 'was let in' end) coop.yield() print((q:get()), p:join())\n"
                  "for _, v in ipairs(q:get_many(10)) do io.write(v, ' ') end print((fails(q.get, q, 0)), (fails(q.get, q, 0.01)))\n"
                  "q:put('last') q:close() print((fails(q.put, q, 1)), (q:get()), (fails(q.get, q)))",
                  "3\tQueueFull\tQueueFull\n"
                  "1\twas let in\n"
                  "2 3 4 QueueEmpty\tQueueEmpty\n"
                  "Closed\tlast\tClosed\n");
}

static void items_without_their_sender_are_as_the_queue_says(void **state)
{
    expect_script(
        *state,
        "local function left(unbound, by_item)\n"
        "    local q, i = queues.create{unbound = not by_item and unbound or nil}, interpreters.create()\n"
        "    i:exec('function put(q, how) q:put(\"kept\", nil, how and require(\"coop.queues\")[how]) end')\n"
        "    i:call('put', q, by_item and tostring(unbound) or nil) i:close() i:wait()\n"
        "    local ok, v = pcall(q.get, q, 0.2) if ok then return tostring(v) else return v.type end\n"
        "end\n"
        "for _, u in ipairs{'UNBOUND', 'UNBOUND_ERROR', 'UNBOUND_REMOVE', 'PERSIST'} do print(left(queues[u]), left(queues[u], true)) end",
        "UNBOUND\tUNBOUND\n"
        "ItemInterpreterDestroyed\tItemInterpreterDestroyed\n"
        "QueueEmpty\tQueueEmpty\n"
        "kept\tkept\n");
}

static void producers_and_consumers_share_a_queue(void **state)
{
    expect_script(
        *state,
        "local q, back = queues.create{max_items = 16}, queues.create()\n"
        "local all = {}\n"
        "for k = 1, 4 do all[k] = interpreters.create() all[k]:exec[==[\n"
        "    function produce(q, me) for n = 1, 100 do q:put{me, n} end end\n"
        "    function consume(q, back) local last, sum = {}, 0\n"
        "        for v in q:each() do assert((last[v[1]] or 0) < v[2], 'order') last[v[1]] = v[2] sum = sum + v[2] end back:put(sum) end]==] end\n"
        "local done = {} for k = 1, 4 do done[k] = all[k]:call_async(k <= 2 and 'produce' or 'consume', q, k <= 2 and k or back) end\n"
        "done[1]:wait() done[2]:wait() q:close() done[3]:wait() done[4]:wait() print((back:get()) + (back:get()))",
        "10100\n");
}

/* ---- buffers --------------------------------------------------------------------------------------------------------------------------- */

static void a_buffer_is_handed_over_and_nobody_can_change_it(void **state)
{
    expect_script(
        *state,
        "local b, i = buffers.new(1 << 20), interpreters.create() b:write(1, 'begin') b:write((1 << 20) - 2, 'end')\n"
        "print((fails(i.call, i, 'print', b))) b:seal() print((fails(b.write, b, 1, 'x')))\n"
        "i:exec('function ends(b) return b:len(), b:read(1, 5), b:slice((1 << 20) - 2):read(), select(2, pcall(b.write, b, 1, \"x\")).type end')\n"
        "print(table.unpack(i:call('ends', b))) print(b:read(1, 5))",
        "NotShareable\n"
        "NotAllowed\n"
        "1048576\tbegin\tend\tNotAllowed\n"
        "begin\n");
}

/* ---- capabilities ---------------------------------------------------------------------------------------------------------------------- */

static void what_was_granted_is_found_by_its_name_and_may_shrink(void **state)
{
    expect_script(
        *state,
        "local q = queues.create() local only = caps.attenuate(q, {'send', 'grant'})\n"
        "local i = interpreters.create{grants = {out = only}}\n"
        "i:exec('caps = require(\"coop.caps\") out = caps.granted(\"out\") out:put(1)')\n"
        "print((q:get()), select(2, fails(i.exec, i, 'out:get(0)')).message:match('NotAllowed'))\n"
        "print(select(2, fails(i.exec, i, 'caps.granted(\"other\")')).message:match('NotFound'))\n"
        "caps.revoke(q) print(select(2, fails(i.exec, i, 'out:put(2)')).message:match('Revoked'), (fails(only.put, only, 1)), q:info().items)",
        "1\tNotAllowed\n"
        "NotFound\n"
        "Revoked\tRevoked\t0\n");
}

static void an_interpreter_is_handed_on_with_fewer_rights(void **state)
{
    expect_script(*state,
                  "local a, b = interpreters.create(), interpreters.create() a:exec('function f(x) return x * 2 end')\n"
                  "b:exec('function use(i) return i:call(\"f\", 21), select(2, pcall(i.kill, i)).type end')\n"
                  "print(table.unpack(b:call('use', caps.attenuate(a, {'call', 'grant'}))))",
                  "42\tNotAllowed\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_an_interpreter_knows_it_keeps),
        TEST(its_source_is_run_before_its_first_call),
        TEST(what_was_printed_before_an_end_by_link_is_seen),
        TEST(values_of_every_type_come_back_as_they_went),
        TEST(what_cannot_be_sent_is_named_by_its_path),
        TEST(an_error_in_there_is_one_out_here_with_its_traceback),
        TEST(an_uncaught_one_ends_the_job_with_both_tracebacks),
        TEST(an_interpreter_that_dies_takes_nobody_along),
        TEST(too_little_memory_is_an_error_in_there),
        TEST(limits_of_time_hold_for_each_call),
        TEST(an_interrupt_or_a_time_out_ends_the_call_alone),
        TEST(one_that_runs_or_oneself_is_not_closed),
        TEST(close_runs_the_finalizers),
        TEST(a_monitor_is_told_the_end_with_its_cause),
        TEST(a_link_takes_the_other_along),
        TEST(a_link_up_the_tree_takes_its_top_along),
        TEST(there_are_no_more_and_no_deeper_than_allowed),
        TEST(those_that_wait_for_each_other_are_told_the_cycle),
        TEST(a_hundred_calls_wait_at_once),
        TEST(tasklets_in_there_go_on_between_calls),
        TEST(the_end_of_a_job_ends_its_interpreters),
        TEST(a_child_calls_what_its_parent_offers),
        TEST(an_alias_is_its_own_childs),
        TEST(a_queue_is_bounded_and_in_order),
        TEST(items_without_their_sender_are_as_the_queue_says),
        TEST(producers_and_consumers_share_a_queue),
        TEST(a_buffer_is_handed_over_and_nobody_can_change_it),
        TEST(what_was_granted_is_found_by_its_name_and_may_shrink),
        TEST(an_interpreter_is_handed_on_with_fewer_rights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
