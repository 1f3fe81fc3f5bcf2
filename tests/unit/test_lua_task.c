/* test_lua_task.c - require "coop": tasklets of Lua, what they share with the rest of Lua, and scripts that mean them ill. */
#include "lua_fixture.h"

#define COOP "local coop = require 'coop'\n"

static struct job *with_memory(void *state, uint64_t mib)
{
    struct job *j = state;

    j->limits.memory_bytes = mib * MIB;
    return j;
}

/* ---- tasklets -------------------------------------------------------------------------------------------------------------------------- */

static void what_a_tasklet_returns_is_what_join_gives(void **state)
{
    expect_output(*state,
                  COOP "print(coop.spawn(function(...) return ... end, 1, nil, 'x'):join()) print(coop.spawn(function() end):join())\n"
                       "local t = coop.async(function() return 7 end) print(t:join(), t:join(), t:status())",
                  "1\tnil\tx\n"
                  "\n"
                  "7\t7\tdone\n");
}

static void an_error_reaches_whoever_joins(void **state)
{
    expect_output(*state,
                  COOP
                  "local t = coop.async(function() error({code = 5}) end) local ok, e = pcall(t.join, t) print(ok, e.code, t:status())\n"
                  "t = coop.async(error) print(pcall(t.join, t))\n"
                  "t = coop.async(function() error('boom') end) ok, e = pcall(t.join, t) print(e:match('^[^\\n]*'))",
                  "false\t5\tfailed\n"
                  "false\tnil\n"
                  "script.lua:4: boom\n");
}

static void gather_gives_the_first_result_of_each(void **state)
{
    expect_output(*state,
                  COOP "local function f(i) coop.sleep(0.003 * (4 - i)) return i, 'more' end print(coop.gather(coop.async(f, 1), "
                       "coop.async(f, 2), coop.async(f, 3))) print(coop.gather())",
                  "1\t2\t3\n"
                  "\n");
}

static void tasklets_take_turns_in_order(void **state)
{
    expect_output(*state,
                  COOP
                  "for i = 1, 3 do coop.spawn(function() for k = 1, 2 do io.write(i, k, ' ') coop.yield() end end) end io.write('main ') "
                  "coop.run() print()",
                  "main 11 21 31 12 22 32 \n");
}

static void run_puts_a_tasklet_first(void **state)
{
    expect_output(*state,
                  COOP "local a = coop.spawn(io.write, 'a') local b = coop.spawn(io.write, 'b') b:run() print(b:status()) coop.run() "
                       "print(pcall(b.run, b))",
                  "badone\n"
                  "false\tonly a runnable tasklet can be run\n");
}

static void sleepers_wake_in_the_order_of_their_times(void **state)
{
    expect_output(*state,
                  COOP "for _, n in ipairs{3, 1, 2} do coop.spawn(function() coop.sleep(n / 100) io.write(n, ' ') end) end local t = "
                       "coop.now() coop.run() print(coop.now() - t >= 0.03)",
                  "1 2 3 true\n");
}

static void a_join_may_time_out(void **state)
{
    expect_output(*state, COOP "local t = coop.spawn(coop.sleep, 0.05) print(t:join(0.001)) print(t:status(), t:join(0), t:join())",
                  "nil\ttimeout\n"
                  "blocked\tnil\n");
}

static void who_joins_wrongly_is_told(void **state)
{
    expect_output(*state,
                  COOP "local t t = coop.async(function() return pcall(t.join, t) end) print(t:join())\n"
                       "local s = coop.async(coop.sleep, 0.01) coop.spawn(function() s:join() end) coop.yield() coop.yield() "
                       "print(pcall(s.join, s))",
                  "false\ta tasklet cannot join itself\n"
                  "false\tanother tasklet joins it already\n");
}

static void self_is_the_tasklet_and_nil_in_main(void **state)
{
    expect_output(*state,
                  COOP
                  "print(coop.self()) local t t = coop.spawn(function() print(coop.self() == t, t:status(), t:id() > 1) end) coop.run()\n"
                  "local g = coop.generator(function() coop.give(coop.self() == nil) end) print(g:next())",
                  "\n"
                  "true\trunning\ttrue\n"
                  "true\n");
}

static void only_main_runs_the_others(void **state)
{
    expect_output(*state, COOP "print(coop.async(function() return pcall(coop.run) end):join())",
                  "false\tonly the main tasklet can run the others\n");
}

static void requiring_it_twice_gives_the_same(void **state)
{
    expect_output(*state,
                  COOP "print(require 'coop' == coop) package.loaded.coop = nil local again = require 'coop' local c = again.channel(1) "
                       "c:send(1) print(c:receive(), coop.async(function() return 2 end):join())",
                  "true\n"
                  "1\t2\n");
}

static void an_uncaught_error_reaches_main_with_its_traceback(void **state)
{
    struct told *t = run(*state, COOP "local function deep() error('boom') end\n"
                                      "coop.spawn(function() deep() end):name('alice')\n"
                                      "coop.sleep(10)");

    expect_exception(t, "error", "tasklet 2 alice: script.lua:2: boom");
    assert_string_equal(t->message, "tasklet 2 alice: script.lua:2: boom");
    expect_contains(t->err, "tasklet 2 alice: script.lua:2: boom\nstack traceback:\n\t[C]: in function 'error'\n\tscript.lua:2: in ");
    expect_contains(
        t->traceback,
        "\tscript.lua:3: in function <script.lua:3>\n\t[C]: in ?\nmet in main:\nstack traceback:\n\t[C]: in function 'coop.sleep'");
}

static void one_that_ends_the_job_after_its_last_line_has_one_traceback(void **state)
{
    struct told *t = run(*state, COOP "coop.spawn(function() local x <close> = setmetatable({}, {__close = function() error('late') end}) "
                                      "coop.sleep(9) end) coop.yield()");

    expect_exception(t, "error", "tasklet 2: script.lua:2: late");
    assert_null(strstr(strstr(t->err, "stack traceback:") + 1, "stack traceback:"));
    assert_null(strstr(t->err, "met in main"));
}

static int times(const char *text, const char *part)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

static void errors_that_nobody_joins_come_to_main_one_by_one_in_order(void **state)
{
    expect_output(*state,
                  COOP "for _, w in ipairs{'one', 'two', 'three'} do coop.spawn(function() error(w, 0) end) end for i = 1, 3 do "
                       "print(pcall(coop.sleep, 0.01)) end coop.sleep(0.001) print(coop.run())",
                  "false\tone\n"
                  "false\ttwo\n"
                  "false\tthree\n"
                  "true\n");
}

static void errors_that_main_does_not_meet_are_printed_when_the_job_ends(void **state)
{
    struct told *t = run(*state, COOP "coop.spawn(error, 'one', 0) coop.spawn(error, setmetatable({}, {__tostring = function() return "
                                      "'two' end})) coop.spawn(error, nil) coop.yield()");

    expect_exception(t, "error", "tasklet 2: one");
    assert_string_equal(t->message, "tasklet 2: one");
    assert_true(strstr(t->err, "tasklet 2: one\n") < strstr(t->err, "tasklet 3: two\nstack traceback:"));
    assert_true(strstr(t->err, "tasklet 3: two\n") < strstr(t->err, "tasklet 4: (error object is a nil value)\n"));
}

static void errors_left_over_are_printed_beside_the_scripts_own(void **state)
{
    struct told *t = run(*state, COOP "coop.spawn(error, 'one', 0) coop.spawn(error, 'two', 0) pcall(coop.yield) error('own', 0)");

    expect_exception(t, "error", "own");
    assert_int_equal(times(t->err, "one"), 0);
    expect_contains(t->err, "tasklet 3: two\nstack traceback:");
}

static void errors_left_over_at_os_exit_are_printed_and_the_code_stays(void **state)
{
    struct told *t = run(*state, COOP "coop.spawn(error, 'one', 0) coop.spawn(error, 'two', 0) pcall(coop.yield) os.exit(3)");

    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_EXIT);
    assert_int_equal(t->exit_code, 3);
    expect_contains(t->err, "tasklet 3: two\nstack traceback:");
}

static void more_errors_than_there_is_room_for_are_printed_at_once(void **state)
{
    struct told *t = run(*state, COOP "for i = 1, 20 do coop.spawn(error, 'e' .. i .. '.', 0) end local n = 0 while true do local ok, e = "
                                      "pcall(coop.yield) if ok then break end n = n + 1 assert(e == 'e' .. n .. '.', e) end print(n)");

    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_EXIT);
    assert_string_equal(t->out, "16\n");
    assert_int_equal(times(t->err, "stack traceback:"), 4);
    expect_contains(t->err, "tasklet 18: e17.\n");
    expect_contains(t->err, "tasklet 21: e20.\n");
}

static void an_error_stays_what_it_was_for_whoever_handles_it(void **state)
{
    expect_output(*state,
                  COOP "local function bad() error('plain', 0) end local function show(ok, e) print(ok, e == 'plain') end\n"
                       "local t = coop.async(bad) show(pcall(t.join, t)) t = coop.async(bad) show(pcall(t.wait_for, t, 1))\n"
                       "show(pcall(coop.gather, coop.async(bad))) show(pcall(coop.scope, function(s) s:spawn(bad) end))\n"
                       "local g = coop.generator(bad) show(pcall(g.next, g)) coop.spawn(bad) show(pcall(coop.run))",
                  "false\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\n");
}

static void a_joined_error_that_ends_the_job_names_where_it_began(void **state)
{
    static const char *const ways[] = {
        "local t = coop.async(bad) t:name('bob') t:join()",
        "coop.async(function() local t = coop.async(bad) t:name('bob') t:join() end):join()",
        "coop.scope(function(s) s:spawn(bad):name('bob') end)",
        "local t = coop.async(bad) t:name('bob') local ok, e = pcall(t.join, t) error(e, 0)",
    };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char source[512];
        struct job *j = *state;
        struct told *t;

        snprintf(source, sizeof(source), COOP "local function bad() error('oops') end\n%s", ways[i]);
        t = run(j, source);
        expect_exception(t, "error", " bob: script.lua:2: oops");
        expect_contains(t->traceback, "in function 'error'\n\tscript.lua:2: in ");
        expect_contains(t->traceback, "\nmet in main:\nstack traceback:\n");
        told_finish(t);
        memset(t, 0, sizeof(*t));
    }
}

static void a_generators_error_that_ends_the_job_names_where_it_began(void **state)
{
    struct told *t = run(*state, COOP "local function bad() error('oops') end\n"
                                      "for v in coop.generator(function() coop.give(1) bad() end) do end");

    expect_exception(t, "error", "tasklet 2 generator: script.lua:2: oops");
    expect_contains(t->traceback, "script.lua:2: in upvalue 'bad'\n\tscript.lua:3: in function <script.lua:3>");
}

static void an_equal_error_of_another_tasklet_is_its_own(void **state)
{
    struct told *t = run(*state, COOP "local function bad() error('same', 0) end local a = coop.async(bad) pcall(a.join, a) local b = "
                                      "coop.async(bad) b:join()");

    expect_exception(t, "error", "tasklet 3: same");
}

static void an_uncaught_error_can_be_caught_in_main_and_is_gone_then(void **state)
{
    expect_output(*state,
                  COOP "coop.spawn(function() error({}) end) local ok, e = pcall(coop.sleep, 10) print(ok, type(e)) coop.spawn(error) "
                       "print(pcall(coop.run)) coop.yield() print('on')",
                  "false\ttable\n"
                  "false\tnil\n"
                  "on\n");
}

/* ---- channels -------------------------------------------------------------------------------------------------------------------------- */

static void preference_says_who_goes_on_when_two_meet(void **state)
{
    expect_output(*state,
                  COOP "for p = -1, 1 do\n"
                       "  local c = coop.channel(0, p)\n"
                       "  coop.spawn(function() c:receive() io.write('r1 ') c:receive() io.write('r2 ') end)\n"
                       "  coop.yield()\n"
                       "  coop.spawn(function() c:send(1) io.write('s1 ') c:send(2) io.write('s2 ') end)\n"
                       "  coop.run() print(c:preference())\n"
                       "end",
                  "r1 s1 r2 s2 -1\n"
                  "s1 r1 r2 s2 0\n"
                  "s1 r1 s2 r2 1\n");
}

static void a_buffered_channel_holds_its_capacity(void **state)
{
    expect_output(*state,
                  COOP "local c = coop.channel(2) print(c:send(1), c:send(nil), #c) print(c:send(3, 0)) print(c:receive(), c:receive()) "
                       "print(c:receive(0))",
                  "true\ttrue\t2\n"
                  "nil\ttimeout\n"
                  "1\tnil\n"
                  "nil\ttimeout\n");
}

static void a_closed_channel_gives_what_it_holds_and_then_says_so(void **state)
{
    expect_output(*state,
                  COOP "local c = coop.channel(2) c:send('x') c:close() print(c:closing(), c:closed()) print(c:send(1)) print(c:receive()) "
                       "print(c:receive()) print(c:closed(), pcall(c.close, c)) c:open() print(c:send(1))",
                  "true\tfalse\n"
                  "nil\tclosed\n"
                  "x\n"
                  "nil\tclosed\n"
                  "true\tfalse\tclose of closed channel\n"
                  "true\n");
}

static void close_wakes_those_that_wait(void **state)
{
    expect_output(*state,
                  COOP
                  "local c = coop.channel() for i = 1, 2 do coop.spawn(function() print(i, c:receive()) end) end coop.yield() c:close() "
                  "coop.run() local d = coop.channel() local t = coop.async(function() return d:send(1) end) coop.yield() d:close() "
                  "print(t:join())",
                  "1\tnil\tclosed\n"
                  "2\tnil\tclosed\n"
                  "nil\tclosed\n");
}

static void a_sent_error_is_raised_by_the_receiver(void **state)
{
    expect_output(*state,
                  COOP
                  "local c = coop.channel(1) c:send_error('bad') print(pcall(c.receive, c)) c:send_error(nil) print(pcall(c.receive, c)) "
                  "c:send_error({1}) local ok, e = pcall(c.receive, c) print(e[1])",
                  "false\tbad\n"
                  "false\tnil\n"
                  "1\n");
}

static void each_goes_on_until_the_close(void **state)
{
    expect_output(*state,
                  COOP "local c = coop.channel() coop.spawn(function() for i = 1, 3 do c:send(i) end c:close() end) for v in c:each() do "
                       "io.write(v, ' ') end print()",
                  "1 2 3 \n");
}

static void balance_counts_those_that_wait(void **state)
{
    expect_output(*state,
                  COOP "local c = coop.channel() for i = 1, 2 do coop.spawn(c.receive, c) end coop.yield() io.write(c:balance(), ' ') "
                       "c:send(1) c:send(2) for i = 1, 3 do coop.spawn(c.send, c, i) end coop.yield() print(c:balance()) for i = 1, 3 do "
                       "c:receive() end",
                  "-2 3\n");
}

static void a_capacity_without_sense_is_refused(void **state)
{
    expect_output(*state,
                  COOP "for _, n in ipairs{-1, 2^24 + 1, math.maxinteger, math.mininteger} do print(pcall(coop.channel, n)) end "
                       "print(pcall(coop.channel, 0, 2))",
                  "false\tbad argument #1 to 'coop.channel' (a channel cannot hold a negative number of values)\n"
                  "false\tbad argument #1 to 'coop.channel' (a channel cannot hold so many values)\n"
                  "false\tbad argument #1 to 'coop.channel' (a channel cannot hold so many values)\n"
                  "false\tbad argument #1 to 'coop.channel' (a channel cannot hold a negative number of values)\n"
                  "false\tbad argument #2 to 'coop.channel' (preference is -1, 0 or 1)\n");
}

static void a_capacity_past_the_memory_is_oom(void **state)
{
    assert_int_equal(run(*state, COOP "coop.channel(2^24)")->kind, PB__RESULT_KIND__RESULT_KIND_OOM);
}

static void timeouts_of_every_kind_are_understood(void **state)
{
    expect_output(*state,
                  COOP "local c = coop.channel() print(c:receive(-1)) print(c:receive(0/0)) print(c:receive(0.001)) print(c:send(1, "
                       "-math.huge)) print(pcall(c.receive, c, 'x'))",
                  "nil\ttimeout\n"
                  "nil\ttimeout\n"
                  "nil\ttimeout\n"
                  "nil\ttimeout\n"
                  "false\tbad argument #2 to '?' (number expected, got string)\n");
}

/* ---- select ---------------------------------------------------------------------------------------------------------------------------- */

static void select_takes_what_is_ready(void **state)
{
    expect_output(*state,
                  COOP "local a, b = coop.channel(1), coop.channel(1) b:send('v') print(coop.select{{a, 'receive'}, {b, 'receive'}}) "
                       "print(coop.select{{b, 'receive'}, {a, 'send', 5}}) print(a:receive()) print(coop.select{{a, 'receive'}, timeout = "
                       "0.001}) print(coop.select{{a, 'receive'}, policy = 'default'})",
                  "2\tv\n"
                  "2\n"
                  "5\n"
                  "nil\ttimeout\n"
                  "nil\ttimeout\n");
}

static void a_closed_channel_is_ready(void **state)
{
    expect_output(*state,
                  COOP "local a, b = coop.channel(), coop.channel() a:close() print(coop.select{{b, 'receive'}, {a, 'receive'}}) "
                       "print(coop.select{{a, 'send', 1}})",
                  "2\tnil\tclosed\n"
                  "1\tnil\tclosed\n");
}

static void select_waits_and_only_one_clause_happens(void **state)
{
    expect_output(*state,
                  COOP "local a, b = coop.channel(), coop.channel() local t = coop.async(function() return coop.select{{a, 'receive'}, {b, "
                       "'send', 'x'}} end) coop.yield() print(a:balance(), b:balance(), b:receive(), a:balance()) print(t:join())",
                  "-1\t1\tx\t0\n"
                  "2\n");
}

static void first_takes_the_first_and_fair_takes_all_in_time(void **state)
{
    expect_output(*state,
                  COOP "local a, b = coop.channel(1000), coop.channel(1000) for i = 1, 200 do a:send(i) b:send(i) end for i = 1, 100 do "
                       "assert(coop.select{{a, 'receive'}, {b, 'receive'}, policy = 'first'} == 1) end local n = {0, 0} for i = 1, 100 do "
                       "local k = coop.select{{a, 'receive'}, {b, 'receive'}} n[k] = n[k] + 1 end print(n[1] > 10, n[2] > 10)",
                  "true\ttrue\n");
}

static void a_clause_without_sense_is_refused(void **state)
{
    expect_output(*state,
                  COOP "print(pcall(coop.select, {1})) print((pcall(coop.select, {{}}))) print((pcall(coop.select, {{io.stdout}}))) "
                       "print((pcall(coop.select, {{coop.channel(), 'x'}}))) print((pcall(coop.select, {policy = 'x'}))) "
                       "print((pcall(coop.select, setmetatable({}, {__len = function() return 1 << 40 end})))) print(coop.select{{false}, "
                       "timeout = 0})",
                  "false\tclause 1 is not a table\n"
                  "false\n"
                  "false\n"
                  "false\n"
                  "false\n"
                  "false\n"
                  "nil\ttimeout\n");
}

static void what_select_does_not_know_is_named(void **state)
{
    expect_output(*state,
                  COOP "local c = coop.channel() local function try(t) print((select(2, pcall(coop.select, t)))) end "
                       "try{{c, 'receive'}, timout = 1} try{{c, 'recv'}} try{{c, 'receive'}, {c, 7}} try{{c}, policy = 'fare'} "
                       "try{{c}, policy = 5} try{{{}, 'send', 1}} print(coop.select{{c}, timeout = 0, policy = 'first', [0] = 'kept', "
                       "[1.5] = 1})",
                  "unknown option 'timout'; known: timeout, policy\n"
                  "clause 1: 'recv' is not 'send' or 'receive'\n"
                  "clause 2: '7' is not 'send' or 'receive'\n"
                  "policy 'fare' is not 'fair', 'first' or 'default'\n"
                  "policy '5' is not 'fair', 'first' or 'default'\n"
                  "clause 1: its first value is not a channel, nor false\n"
                  "nil\ttimeout\n");
}

static void a_select_keeps_its_channels_whatever_becomes_of_its_table(void **state)
{
    expect_output(*state,
                  COOP
                  "local t = {{coop.channel(), 'receive'}, timeout = 0.02} local s = coop.async(coop.select, t) coop.yield() t[1][1] = "
                  "nil t[1] = nil collectgarbage() collectgarbage() print(s:join())",
                  "nil\ttimeout\n");
}

/* ---- locks ----------------------------------------------------------------------------------------------------------------------------- */

static void a_lock_that_is_not_held_is_named_as_the_reason(void **state)
{
    expect_output(*state,
                  COOP
                  "local m, rw, c = coop.mutex(), coop.rwlock(), coop.condition() print(pcall(m.unlock, m)) print(pcall(rw.unlock, rw)) "
                  "print(pcall(c.wait, c, m)) m:lock() print(pcall(coop.block_trap, c.wait, c, m)) print(pcall(coop.switch_trap, "
                  "c.wait, c, m)) print(coop.async(function() return pcall(m.unlock, m) end):join()) print(m:unlock())",
                  "false\tthis tasklet does not hold the lock\n"
                  "false\tthis tasklet does not hold the lock\n"
                  "false\tthis tasklet does not hold the lock\n"
                  "false\tthis tasklet does not like to be blocked.\n"
                  "false\tswitch_trap\n"
                  "false\tthis tasklet does not hold the lock\n"
                  "true\n");
}

static void a_waitgroup_does_not_go_below_0(void **state)
{
    expect_output(*state,
                  COOP "local w = coop.waitgroup() print(pcall(w.done, w)) print(pcall(w.add, w, -1)) print(w:add(1), w:done(), w:wait(0))",
                  "false\tthe waitgroup would go below 0\n"
                  "false\tthe waitgroup would go below 0\n"
                  "true\ttrue\ttrue\n");
}

static void locks_do_what_they_are_for(void **state)
{
    expect_output(*state,
                  COOP
                  "local m = coop.mutex() local log = {}\n"
                  "for i = 1, 3 do coop.spawn(function() m:lock() log[#log + 1] = i coop.yield() log[#log + 1] = i m:unlock() end) end "
                  "coop.run() print(table.concat(log))\n"
                  "print((pcall(m.unlock, m))) m:lock() print((pcall(m.lock, m))) local t = coop.async(m.lock, m, 0.001) "
                  "print(t:join())\n"
                  "local s = coop.semaphore(1) print(s:wait(0), s:wait(0)) s:post() print(s:wait())\n"
                  "local e = coop.event() coop.spawn(function() e:set() end) print(e:wait(), e:is_set()) e:clear() print(e:wait(0))\n"
                  "local w = coop.waitgroup() w:add(2) for i = 1, 2 do coop.spawn(function() w:done() end) end print(w:wait()) "
                  "print((pcall(w.done, w)))\n"
                  "local b = coop.barrier(2) local u = coop.async(b.wait, b) print(b:wait() ~= u:join())\n"
                  "local c = coop.condition() local k = coop.async(function() m:lock() c:wait(m) m:unlock() return 'signalled' end) "
                  "m:unlock() coop.yield() c:signal() print(k:join())\n"
                  "local r = coop.rwlock() print(r:read(), r:read(), r:write(0)) r:unlock() r:unlock() print(r:write(), (pcall(r.read, "
                  "r, 0))) r:unlock()",
                  "112233\n"
                  "false\n"
                  "false\n"
                  "nil\ttimeout\n"
                  "true\tnil\ttimeout\n"
                  "true\n"
                  "true\ttrue\n"
                  "nil\ttimeout\n"
                  "true\n"
                  "false\n"
                  "true\n"
                  "signalled\n"
                  "true\ttrue\tnil\ttimeout\n"
                  "true\tfalse\n");
}

static void counts_without_sense_are_refused(void **state)
{
    expect_output(*state,
                  COOP "for _, f in ipairs{coop.semaphore, coop.barrier} do print((pcall(f, -1)), (pcall(f, math.maxinteger))) end "
                       "print((pcall(coop.barrier, 0)), (pcall(coop.waitgroup().add, coop.waitgroup(), math.mininteger)))",
                  "false\tfalse\n"
                  "false\tfalse\n"
                  "false\tfalse\n");
}

/* ---- scopes ---------------------------------------------------------------------------------------------------------------------------- */

static void a_scope_ends_after_its_children(void **state)
{
    expect_output(*state,
                  COOP "local n = 0 print(coop.scope(function(s) for i = 1, 3 do s:spawn(function() coop.sleep(0.005) n = n + 1 end) end "
                       "end), n)",
                  "true\t3\n");
}

static void the_failure_of_one_child_cancels_the_others(void **state)
{
    expect_output(*state,
                  COOP
                  "local ended = {} local ok, e = pcall(coop.scope, function(s) s:spawn(function() local x <close> = setmetatable({}, "
                  "{__close = function() ended[1] = true end}) coop.sleep(100) end) s:spawn(function() coop.yield() error({'mine'}) end) "
                  "end) print(ok, e[1], ended[1])",
                  "false\tmine\ttrue\n");
}

static void an_error_of_the_scopes_own_function_cancels_the_children(void **state)
{
    expect_output(*state,
                  COOP "local t print(pcall(coop.scope, function(s) t = s:spawn(coop.sleep, 100) coop.yield() error('own', 0) end)) "
                       "print(t:status())",
                  "false\town\n"
                  "failed\n");
}

static void a_scope_gives_what_its_function_returned(void **state)
{
    expect_output(*state,
                  COOP "print(coop.scope(function(s) local t = s:spawn(coop.sleep, 0.001) return 1, nil, t:status() end)) "
                       "print(select('#', coop.scope(function(s) s:spawn(coop.yield) return table.unpack({}, 1, 5000) end)))",
                  "true\t1\tnil\trunnable\n5001\n");
}

static void a_generators_return_value_is_dropped(void **state)
{
    expect_output(*state, COOP "local g = coop.generator(function() coop.give(1) return 2 end) print(g:next()) print(g:next())", "1\n\n");
}

static void a_scope_has_its_time(void **state)
{
    expect_output(*state,
                  COOP "local at = coop.now() print(coop.scope(function(s) s:spawn(coop.sleep, 100) end, 0.01)) print(coop.now() - at < 5)",
                  "nil\ttimeout\n"
                  "true\n");
}

static void a_scope_that_is_over_makes_no_more_children(void **state)
{
    expect_output(*state, COOP "local kept coop.scope(function(s) kept = s end) print(pcall(kept.spawn, kept, print))",
                  "false\tthe scope is closed\n");
}

static void a_scope_waits_for_its_children_though_main_is_disturbed(void **state)
{
    expect_output(*state,
                  COOP "local done coop.spawn(function() coop.sleep(0.01) error('bomb', 0) end) print(pcall(coop.scope, function(s) "
                       "s:spawn(function() coop.shield(coop.sleep, 0.05) done = true end) coop.yield() error('own', 0) end)) print(done) "
                       "print((select(2, pcall(coop.run)):match('^[^\\n]*')))",
                  "false\town\n"
                  "true\n"
                  "bomb\n");
}

/* ---- generators ------------------------------------------------------------------------------------------------------------------------ */

static void a_generator_gives_its_values_in_a_loop(void **state)
{
    expect_output(*state,
                  COOP "for v in coop.generator(function(n) for i = 1, n do coop.give(i) end end, 3) do io.write(v, ' ') end print()",
                  "1 2 3 \n");
}

static void what_is_sent_is_what_give_returns(void **state)
{
    expect_output(*state,
                  COOP "local g = coop.generator(function() local x = coop.give(1) while x do x = coop.give(x * 2) end end) "
                       "print(pcall(g.next, g, 5)) print(g:next(), g:next(4), g:next(8), g:next(), g:next())",
                  "false\tcan't send a value to a just-started generator\n"
                  "1\t8\t16\tnil\n");
}

static void nil_and_false_are_given_as_they_are(void **state)
{
    expect_output(*state,
                  COOP "local g = coop.generator(function() coop.give(nil) coop.give(false) end) print(select('#', g:next()), g:next()) "
                       "print(select('#', g:next()))",
                  "1\tfalse\n"
                  "0\n");
}

static void an_error_in_a_generator_reaches_its_caller_once(void **state)
{
    expect_output(*state,
                  COOP "local g = coop.generator(function() coop.give(1) error({2}) end) g:next() local ok, e = pcall(g.next, g) print(ok, "
                       "e[1]) print(pcall(g.next, g))",
                  "false\t2\n"
                  "true\n");
}

static void a_generator_cannot_run_inside_itself(void **state)
{
    expect_output(*state,
                  COOP
                  "local g g = coop.generator(function() coop.give(pcall(g.next, g)) coop.give((pcall(g.close, g))) end) print(g:next(), "
                  "g:next())",
                  "false\tfalse\n");
}

static void close_lets_a_generator_clean_up(void **state)
{
    expect_output(*state,
                  COOP
                  "local g = coop.generator(function() local x <close> = setmetatable({}, {__close = function() print('cleaned') end}) "
                  "coop.give(1) end) g:next() g:close() print(g:next()) g:close() coop.generator(print):close()",
                  "cleaned\n"
                  "\n");
}

static void a_generator_that_ignores_its_end_is_told_of(void **state)
{
    expect_output(*state,
                  COOP "local n = 0 local g = coop.generator(function() while n < 5 do n = n + 1 pcall(coop.give, n) end end) g:next() "
                       "print(pcall(g.close, g)) g = nil collectgarbage() collectgarbage() coop.run() print(n)",
                  "false\tgenerator ignored its end\n"
                  "5\n");
}

static void a_dropped_generator_ends_in_its_own_turn(void **state)
{
    expect_output(*state,
                  COOP
                  "local g = coop.generator(function() local x <close> = setmetatable({}, {__close = function() io.write('ended ') end}) "
                  "coop.give(1) end) g:next() g = nil collectgarbage() collectgarbage() io.write('collected ') coop.run() "
                  "print(coop.stats().alive)",
                  "collected ended 0\n");
}

static void generators_may_wait_and_be_nested(void **state)
{
    expect_output(*state,
                  COOP
                  "local c = coop.channel() coop.spawn(function() for i = 1, 3 do coop.sleep(0.001) c:send(i) end c:close() end) local "
                  "inner = coop.generator(function() for v in c:each() do coop.give(v) end end) for v in coop.generator(function() for v "
                  "in inner do coop.give(v * 10) end end) do io.write(v, ' ') end print()",
                  "10 20 30 \n");
}

static void give_outside_of_a_generator_is_refused(void **state)
{
    expect_output(*state,
                  COOP "print(pcall(coop.give, 1)) print(coop.async(pcall, coop.give, 1):join()) print(coop.async(function() local me = "
                       "coop.self() return rawequal(me.__gc, nil), pcall(coop.give, 1) end):join())",
                  "false\tgive() is for the inside of a generator\n"
                  "false\tgive() is for the inside of a generator\n"
                  "true\tfalse\tgive() is for the inside of a generator\n");
}

/* ---- cancel ---------------------------------------------------------------------------------------------------------------------------- */

static void every_blocking_call_can_be_cancelled(void **state)
{
    expect_output(*state,
                  COOP
                  "local m, r, e, b, w, c, full = coop.mutex(), coop.rwlock(), coop.event(), coop.barrier(2), coop.waitgroup(), "
                  "coop.condition(), coop.channel(1)\n"
                  "m:lock() r:write() w:add(1) full:send(1)\n"
                  "local calls = {\n"
                  "  sleep = function() coop.sleep(100) end, receive = function() coop.channel():receive() end, send = function() "
                  "coop.channel():send(1) end, full = function() full:send(2) end,\n"
                  "  each = function() for _ in coop.channel():each() do end end, select = function() coop.select{{coop.channel(), "
                  "'receive'}, {coop.channel(), 'send', 1}} end,\n"
                  "  join = function() coop.async(coop.sleep, 0.01):join() end, gather = function() coop.gather(coop.async(coop.sleep, "
                  "0.01)) end, mutex = function() m:lock() end, read = function() r:read() end,\n"
                  "  write = function() r:write() end, sem = function() coop.semaphore(0):wait() end, event = function() e:wait() end, "
                  "barrier = function() b:wait() end,\n"
                  "  waitgroup = function() w:wait() end, cond = function() local own = coop.mutex() own:lock() c:wait(own) end, scope = "
                  "function() coop.scope(function(s) s:spawn(coop.sleep, 0.01) end) end,\n"
                  "  generator = function() coop.generator(function() coop.sleep(100) end):next() end, yield = function() while true do "
                  "coop.yield() end end,\n"
                  "}\n"
                  "local n = 0\n"
                  "for name, f in pairs(calls) do\n"
                  "  local t = coop.async(f) coop.yield() coop.yield() t:cancel()\n"
                  "  local ok, err = pcall(t.join, t)\n"
                  "  if ok or not tostring(err):find('cancelled') then print(name, ok, err) end\n"
                  "  n = n + 1\n"
                  "end\n"
                  "print(n) m:unlock() r:unlock() w:done() coop.run() print(coop.stats().alive)",
                  "19\n"
                  "0\n");
}

static void a_tasklet_cancelled_before_its_first_turn_meets_it_where_it_blocks(void **state)
{
    expect_output(*state,
                  COOP "local t = coop.spawn(function() io.write('starts ') coop.sleep(100) end) t:cancel() coop.run() print(t:status(), "
                       "pcall(coop.yield))",
                  "starts failed\ttrue\n");
}

static void shield_holds_a_cancellation_back(void **state)
{
    expect_output(*state,
                  COOP "local t = coop.async(function() local r = coop.shield(function() coop.sleep(0.01) return coop.cancelled() end) "
                       "print(r, coop.cancelled()) coop.sleep(1) end) coop.yield() t:cancel() print((pcall(t.join, t))) "
                       "print(pcall(coop.shield, error, 'x'))",
                  "false\ttrue\n"
                  "false\n"
                  "false\tx\n");
}

static void handlers_of_closed_variables_may_wait_unless_cancelled(void **state)
{
    expect_output(*state,
                  COOP
                  "local function f() local x <close> = setmetatable({}, {__close = function() coop.sleep(0.001) io.write('waited ') "
                  "end}) coop.yield() end coop.spawn(f) coop.run() local t = coop.async(f) coop.yield() t:cancel() print((pcall(t.join, "
                  "t)))",
                  "waited false\n");
}

static void the_jobs_cancel_ends_sleepers(void **state)
{
    cancel_within(*state, COOP "for i = 1, 10 do coop.spawn(function() while true do pcall(coop.sleep, 100) end end) end coop.run()");
}

static void the_jobs_cancel_ends_those_that_compute_in_turn(void **state)
{
    cancel_within(*state, COOP
                  "for i = 1, 10 do coop.spawn(function() while true do pcall(coop.yield) end end) end while true do pcall(coop.run) end");
}

static void the_jobs_cancel_ends_generators_and_scopes(void **state)
{
    cancel_within(*state,
                  COOP "coop.scope(function(s) s:spawn(function() for v in coop.generator(function() while true do pcall(coop.give, 1) end "
                       "end) do end end) s:spawn(coop.sleep, 100) end)");
}

static void the_jobs_cancel_ends_a_coroutine_in_a_tasklet(void **state)
{
    cancel_within(*state, COOP
                  "coop.spawn(function() coroutine.wrap(function() while true do pcall(function() while true do end end) end end)() end) "
                  "coop.run()");
}

/* ---- deadlock -------------------------------------------------------------------------------------------------------------------------- */

static void a_deadlock_names_all_tasklets(void **state)
{
    expect_exception(run(*state,
                         COOP "local c = coop.channel() for i = 1, 3 do coop.spawn(function() c:receive() end) end coop.mutex():lock() "
                              "coop.channel():send(1)"),
                     "Deadlock", "tasklet 4 [chan recv]");
}

static void a_deadlock_lists_each_once_and_the_oldest_first(void **state)
{
    expect_output(*state,
                  COOP "local c, e = coop.channel(), coop.event() for i = 1, 3 do coop.spawn(function() if i == 1 then e:wait() end "
                       "c:receive() end) end coop.yield() e:set() coop.yield() local _, e = pcall(c.receive, c) print(e.type) for line in "
                       "e.message:gmatch('[^\\n]+') do if not line:find('^\\t') then print(line .. '|') end end",
                  "Deadlock\n"
                  "Deadlock: the last runnable tasklet cannot be blocked.|\n"
                  "tasklet 1 main [running]|\n"
                  "tasklet 2 [chan recv]|\nstack traceback:|\n"
                  "tasklet 3 [chan recv]|\nstack traceback:|\n"
                  "tasklet 4 [chan recv]|\nstack traceback:|\n");
}

static void a_deadlock_can_be_caught(void **state)
{
    expect_output(*state,
                  COOP "local c = coop.channel() local t = coop.spawn(c.receive, c) local ok, e = pcall(coop.run) print(ok, "
                       "tostring(e):match('^[^\\n]*'), e.message:find('tasklet 2', 1, true) ~= nil) c:send(1) coop.run() print(t:status())",
                  "false\tDeadlock: the last runnable tasklet cannot be blocked.\ttrue\n"
                  "done\n");
}

static void a_deadlock_of_thousands_is_told_in_bounded_time(void **state)
{
    expect_output(with_memory(*state, 1024),
                  COOP
                  "local c = coop.channel() for i = 1, 2000 do coop.spawn(c.receive, c) end local ok, e = pcall(c.receive, c) print(ok, "
                  "#tostring(e) < 1e6)",
                  "false\ttrue\n");
}

/* ---- switching anywhere ---------------------------------------------------------------------------------------------------------------- */

static void a_tasklet_may_switch_in_any_call(void **state)
{
    expect_output(*state,
                  COOP
                  "local function hop(v) coop.yield() return v end\n"
                  "local mt = {__index = function(_, k) return hop(k) end, __add = function() return hop(5) end, __eq = function() "
                  "return hop(true) end, __lt = function() return hop(true) end, __concat = function() return hop('cat') end,\n"
                  "  __call = function(_, a) return hop(a) end, __len = function() return hop(9) end, __tostring = function() return "
                  "hop('str') end, __newindex = function() hop() end, __close = function() hop() end}\n"
                  "local function all(i)\n"
                  "  local o = setmetatable({}, mt)\n"
                  "  local x <close> = o\n"
                  "  o.z = 1\n"
                  "  local words = (('a b c'):gsub('%a', function(w) return hop(w .. i) end))\n"
                  "  local t = {5, 3, 9, 1, i} table.sort(t, function(a, b) return hop(a < b) end)\n"
                  "  local it = 0 for v in function() it = it + 1 if it < 4 then return hop(it) end end do it = v end\n"
                  "  return table.concat({words, table.concat(t), o.key, o + 1, tostring(o == setmetatable({}, mt)), tostring(o < o), o "
                  ".. 'x', o(i), #o, tostring(o), select(2, pcall(hop, 'p')), select(2, pcall(error, hop('e'))), select(2, xpcall(hop, "
                  "hop, 'h')), (select(2, xpcall(error, function(m) return hop(m) end, 'H'))), load(function() return hop(nil) end) and "
                  "'l' or '', coroutine.wrap(function() coroutine.yield(hop('w')) end)()}, ' ')\n"
                  "end\n"
                  "local list = {} for i = 1, 5 do list[i] = coop.async(all, i) end\n"
                  "local first = all(1) for i = 1, 5 do local r = list[i]:join() if i == 1 then print(r == first, r) end end",
                  "true\ta1 b1 c1 11359 key 5 true true cat 1 9 str p e h H l w\n");
}

/* ---- coroutines ------------------------------------------------------------------------------------------------------------------------ */

static void coroutines_in_a_tasklet_are_as_ever(void **state)
{
    expect_output(*state,
                  COOP "local function f()\n"
                       "  local co, main = coroutine.running() print(type(co), main, coroutine.isyieldable(), coroutine.status(co))\n"
                       "  local w = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) coop.yield() error('in' .. b) end) "
                       "print(w(1)) print(pcall(w, 2))\n"
                       "  local c = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() print('closed') "
                       "end}) coroutine.yield(coroutine.isyieldable()) end)\n"
                       "  print(coroutine.resume(c)) print(coroutine.close(c), coroutine.status(c)) print((coroutine.resume(c)))\n"
                       "end\n"
                       "coop.spawn(f) coop.run()",
                  "thread\tfalse\tfalse\trunning\n"
                  "2\n"
                  "false\tscript.lua:4: in2\n"
                  "true\ttrue\n"
                  "closed\n"
                  "true\tdead\n"
                  "false\n");
}

static void a_yield_from_a_tasklets_own_function_is_an_error(void **state)
{
    expect_output(*state, COOP "local t = coop.async(coroutine.yield, 1) print((select(2, pcall(t.join, t)):match('^[^\\n]*')))",
                  "attempt to yield across a C-call boundary\n");
}

static void a_coroutine_that_waits_in_one_tasklet_cannot_be_resumed_by_another(void **state)
{
    expect_output(*state,
                  COOP
                  "local co = coroutine.create(function() coop.sleep(0.01) return 'end' end) local t = coop.async(coroutine.resume, co) "
                  "coop.yield() print(coroutine.resume(co)) print(coroutine.status(co), pcall(coroutine.close, co)) print(t:join())",
                  "false\tcannot resume non-suspended coroutine\n"
                  "normal\tfalse\tcannot close a normal coroutine\n"
                  "true\tend\n");
}

static void a_coroutine_may_be_resumed_by_several_tasklets_in_turn(void **state)
{
    expect_output(*state,
                  COOP
                  "local co = coroutine.wrap(function() for i = 1, 9 do coop.yield() coroutine.yield(i) end end) for i = 1, 3 do local t "
                  "= coop.async(function() local a = co() coop.yield() return a end) io.write(t:join(), ' ') end print()",
                  "1 2 3 \n");
}

static void the_thread_of_a_tasklet_is_nobodys_to_resume(void **state)
{
    expect_output(*state,
                  COOP "local th local t = coop.async(function() th = coroutine.running() coop.yield() return print, 2 end) coop.yield() "
                       "print(coroutine.resume(th)) print(pcall(coroutine.close, th)) t:join() print(coroutine.resume(th, 1)) "
                       "print(coroutine.status(th), coroutine.close(th)) print(select('#', t:join()))\n"
                       "t = coop.async(function() th = coroutine.running() error('kept', 0) end) pcall(t.join, t) coroutine.close(th) "
                       "print((select(2, pcall(t.join, t)):match('kept')))",
                  "false\tcannot resume non-suspended coroutine\n"
                  "false\tcannot close a normal coroutine\n"
                  "false\tcannot resume dead coroutine\n"
                  "dead\ttrue\n"
                  "2\n"
                  "kept\n");
}

/* ---- garbage --------------------------------------------------------------------------------------------------------------------------- */

static void collections_while_others_are_parked_deep_lose_nothing(void **state)
{
    expect_output(with_memory(*state, 256),
                  COOP
                  "local function deep(n, s) if n == 0 then for i = 1, 3 do collectgarbage() coop.yield() end return s end local keep = "
                  "{s .. n} local r = pcall(deep, n - 1, s) and (s:gsub('x', function() coop.yield() return keep[1] end)) return r end\n"
                  "local list = {} for i = 1, 20 do list[i] = coop.async(deep, 15, 'x' .. i) end for i = 1, 20 do assert(list[i]:join() "
                  "== 'x' .. i .. '15' .. i) end print('ok')",
                  "ok\n");
}

static void thousands_of_dropped_things_are_collected(void **state)
{
    expect_output(with_memory(*state, 128),
                  COOP
                  "local function n() collectgarbage() collectgarbage() return collectgarbage('count') end\n"
                  "local function round() for i = 1, 3000 do local c = coop.channel(2) c:send({}) c:send_error('x') coop.mutex() "
                  "coop.event() coop.barrier(3) coop.waitgroup() coop.condition() coop.rwlock() coop.semaphore(1) coop.generator(print) "
                  "end\n"
                  "  for i = 1, 300 do coop.spawn(function() end) coop.async(error) local g = coop.generator(function() coop.give(1) "
                  "end) g:next() g = nil if i % 50 == 0 then collectgarbage() collectgarbage() coop.run() end end end\n"
                  "round() n() coop.run() local before = n() round() n() coop.run() local after = n() print(after - before < 100, "
                  "coop.stats().alive)",
                  "true\t0\n");
}

static void the_script_may_end_with_live_tasklets(void **state)
{
    expect_output(*state,
                  COOP "for i = 1, 5 do coop.spawn(function() local x <close> = setmetatable({}, {__close = function() io.write('c') end}) "
                       "coop.sleep(1000) end) end coop.spawn(function() coop.channel():receive() end) local g = coop.generator(function() "
                       "coop.give(1) end) g:next() coop.yield() io.write('end ')",
                  "end ccccc");
}

static void tasklets_that_refuse_to_end_do_not_hold_the_job(void **state)
{
    expect_output(*state,
                  COOP
                  "coop.spawn(function() while true do pcall(coop.sleep, 1) end end) coop.spawn(function() while true do "
                  "pcall(coop.channel().receive, coop.channel()) end end) coop.spawn(function() coop.shield(function() "
                  "coop.channel():receive() end) end) local function again() coop.spawn(again) coop.yield() end coop.spawn(again) local "
                  "g = coop.generator(function() while true do pcall(coop.give, 1) end end) g:next() coop.yield() print('end')",
                  "end\n");
}

/* Lua would put its refusal on the stack of one that runs elsewhere, and memory may run out there. */
static void resuming_one_that_runs_in_another_tasklet_touches_nothing_of_it(void **state)
{
    struct job *j = *state;

    j->limits.memory_bytes = MIB / 2; /* some dozens of tasklets: memory runs out in every call there is */
    (void)run(*state, COOP "local R, objs, ops = math.random, {}\n"
                           "local function rnd(n) for i = 1, n do pcall(ops[R(#ops)]) end end\n"
                           "ops = { coop.yield, function() coop.async(rnd, R(12)) end, function() objs[R(20)] = coroutine.running() end,\n"
                           "function() local co = objs[R(20)] if co then coroutine.resume(co, 1, 2, 3) end end,\n"
                           "function() collectgarbage('step') end, function() local t = {} for i = 1, 300 do t[i] = { i } end end }\n"
                           "for _ = 1, 100 do pcall(rnd, 20) pcall(coop.sleep, 0) end");
    assert_int_equal(j->t.results, 1); /* whatever it says: it has not crashed */
}

/* What __close runs, runs on the dying coroutine: afterwards nothing may point to that. */
static void a_coroutine_that_resumed_another_while_it_was_closed_is_forgotten(void **state)
{
    expect_output(*state,
                  COOP
                  "coop.slice(0.001)\n"
                  "local function dying() return coroutine.wrap(function()\n"
                  "local x <close> = setmetatable({}, { __close = function() coroutine.resume(coroutine.create(function() end)) end })\n"
                  "error('e') end) end\n"
                  "coop.spawn(function() for _ = 1, 20 do\n"
                  "pcall(dying()) collectgarbage() local t = {} for i = 1, 1000 do t[i] = { i } end\n"
                  "local stop = os.clock() + 0.005 while os.clock() < stop do end coop.yield() end end)\n"
                  "coop.spawn(function() for _ = 1, 100 do coop.yield() end end)\n"
                  "coop.run() print('ok')",
                  "ok\n");
}

static void a_generator_that_a_finalizer_kept_is_dead(void **state)
{
    expect_output(*state,
                  COOP "local kept\n"
                       "do local g = coop.generator(function() coop.give(1) end) g:next()\n"
                       "setmetatable({ g = g }, { __gc = function(o) kept = o.g end }) end\n"
                       "collectgarbage() collectgarbage() coop.yield() collectgarbage()\n"
                       "print(kept ~= nil, select('#', kept:next()))",
                  "true\t0\n");
}

/* ---- attacks --------------------------------------------------------------------------------------------------------------------------- */

static void finalizers_cannot_wait(void **state)
{
    expect_output(*state,
                  COOP
                  "local function try(f) local r setmetatable({}, {__gc = function() r = select(2, pcall(f)) end}) collectgarbage() "
                  "return r end\n"
                  "local c, m, g, t = coop.channel(), coop.mutex(), coop.generator(function() coop.give(1) end), coop.async(coop.sleep, "
                  "0.001)\n"
                  "for _, f in ipairs{coop.yield, function() c:receive() end, function() c:send(1) end, function() for _ in c:each() do "
                  "end end, function() coop.select{{c}} end, function() g:next() end, function() t:join() end, coop.run, function() "
                  "m:lock() end, function() coop.scope(print) end, function() t:run() end} do io.write(tostring(try(f):find('a finalizer "
                  "cannot wait') ~= nil), ' ') end print()\n"
                  "try(function() coop.spawn(print, 'spawned') end) coop.run()",
                  "true true true true true true true true true true true \n"
                  "spawned\n");
}

static void finalizers_at_the_end_cannot_switch_either(void **state)
{
    expect_output(*state,
                  COOP "local c = coop.channel() K = setmetatable({}, {__gc = function() print(pcall(coop.run)) print(pcall(c.send, c, 1)) "
                       "print((pcall(coop.spawn, print))) end}) coop.spawn(function() coop.shield(function() c:receive() end) end) "
                       "coop.yield()",
                  "false\ta finalizer cannot wait\n"
                  "false\ta finalizer cannot wait\n"
                  "false\n");
}

static void wrong_things_are_refused_by_every_method(void **state)
{
    expect_output(*state,
                  COOP
                  "local things = {coop.channel(), coop.mutex(), coop.rwlock(), coop.semaphore(1), coop.event(), coop.condition(), "
                  "coop.barrier(1), coop.waitgroup(), coop.generator(print), coop.async(type, 1)}\n"
                  "local n = 0 for i, o in ipairs(things) do print(getmetatable(o), o.__gc, o.__index) for _, name in ipairs{'send', "
                  "'receive', 'close', 'each', 'lock', 'unlock', 'read', 'write', 'wait', 'post', 'set', 'signal', 'add', 'done', "
                  "'next', 'join', 'run', 'cancel', 'status'} do local f = o[name] if f then for k, other in ipairs{false, 5, 'x', {}, "
                  "io.stdout, things[i % #things + 1]} do if pcall(f, other) then print(i, name, k) end n = n + 1 end end end end "
                  "print(n > 100)",
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "locked\tnil\tnil\n"
                  "true\n");
}

static void recursion_through_c_in_a_tasklet_is_an_ordinary_error(void **state)
{
    expect_output(with_memory(*state, 256),
                  COOP
                  "local kinds = {\n"
                  "  function(go, n) return (string.gsub('x', 'x', function() return go(n - 1) end)) end, function(go, n) return "
                  "pcall(go, n - 1) and 'x' end, function(go, n) return setmetatable({}, {__index = function() return go(n - 1) end}).x "
                  "end,\n"
                  "  function(go, n) return string.format('%s', setmetatable({}, {__tostring = function() return go(n - 1) end})) end, "
                  "function(go, n) return coroutine.wrap(go)(n - 1) end,\n"
                  "  function(go, n) local t = {2, 1} table.sort(t, function(a, b) if n then local k = n n = nil go(k - 1) end return a "
                  "< b end) return 'x' end, function(go, n) load(function() if n then local k = n n = nil go(k - 1) end end) return 'x' "
                  "end,\n"
                  "  function(go, n) local x <close> = setmetatable({}, {__close = function() go(n - 1) end}) return 'x' end,\n"
                  "  function(go, n) return xpcall(function() go(n - 1) end, function() go(n - 1) end) and 'x' end,\n"
                  "}\n"
                  "local ends = {function() error('x') end, function() return ('a'):rep(300):match(('a?'):rep(190)) end, function() "
                  "return load(('if x then '):rep(250)) end, function() return load('return ' .. ('f{'):rep(250)) end, function() return "
                  "debug.traceback() end, function() return string.format('%99.99f', 1e300) end}\n"
                  "for i, kind in ipairs(kinds) do for _, leaf in ipairs(ends) do for _, depth in ipairs{70, 85, 95, 300} do\n"
                  "  if i < 9 or depth < 70 then local function go(n) if n == 0 then leaf() return 'x' end return kind(go, n) end\n"
                  "  local t = coop.async(function() local ok, e = pcall(go, depth) xpcall(go, function() return go(depth) end, depth) "
                  "return ok, e end) t:join() end\n"
                  "end end end\n"
                  "local function f() return (string.gsub('x', 'x', f)) end local t = coop.async(f) local ok, e = pcall(t.join, t) "
                  "print(ok, e:match('C stack overflow'))\n"
                  "print(coop.async(function() local function deep(n) if n == 0 then return 'deep' end return (string.gsub('x', 'x', "
                  "function() return deep(n - 1) end)) end return deep(75) end):join())",
                  "false\tC stack overflow\n"
                  "deep\n");
}

static void stacks_are_in_the_jobs_memory(void **state)
{
    assert_int_equal(run(*state, COOP "local t = {} for i = 1, 1e6 do t[i] = coop.spawn(coop.sleep, 100) end")->kind,
                     PB__RESULT_KIND__RESULT_KIND_OOM);
}

static void a_script_may_survive_the_refusal_of_a_stack(void **state)
{
    expect_output(
        with_memory(*state, 8),
        /* no slice may end in the loop: those that then began would grow their stacks where there is no room left */
        COOP "local reserve, n, e, more = ('x'):rep(1 << 20), 0, coop.event() coop.atomic(function() while pcall(coop.spawn, e.wait, e) do "
             "n = n + 1 end more = pcall(coop.spawn, print) reserve = nil collectgarbage() end) print(n > 10, more) e:set() coop.run() "
             "coop.spawn(print, 'again') coop.run() print(('x'):rep(1000):len())",
        "true\tfalse\n"
        "again\n"
        "1000\n");
}

static void locks_are_in_the_jobs_memory(void **state)
{
    assert_int_equal(run(*state, COOP "local t = {} for i = 1, 1e8 do t[i] = coop.mutex() end")->kind, PB__RESULT_KIND__RESULT_KIND_OOM);
}

static void memory_that_ends_inside_a_tasklet_is_an_ordinary_error(void **state)
{
    expect_output(with_memory(*state, 64),
                  COOP "local t = coop.async(function() local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end end) "
                       "print(pcall(t.join, t)) local u = coop.async(function() return table.unpack({}, 1, 900000) end) local ok, n = "
                       "pcall(function() return select('#', u:join()) end) print(not ok or n == 900000)",
                  "false\tnot enough memory\n"
                  "true\n");
}

static void memory_that_ends_inside_a_tasklet_is_oom(void **state)
{
    assert_int_equal(
        run(*state, COOP "coop.spawn(function() local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end end) coop.run()")->kind,
        PB__RESULT_KIND__RESULT_KIND_OOM);
}

static void coop_works_from_inside_coroutines(void **state)
{
    expect_output(*state,
                  COOP
                  "local c = coop.channel() local co = coroutine.wrap(function() coop.spawn(function() coop.sleep(0.001) c:send(5) end) "
                  "coroutine.yield(c:receive()) local g = coop.generator(function() coroutine.wrap(function() coop.give(7) end)() end) "
                  "coroutine.yield(g:next()) end) print(co(), co())",
                  "5\t7\n");
}

static void handlers_that_block_after_a_cancel_fail_and_the_tasklet_ends(void **state)
{
    expect_output(*state,
                  COOP
                  "local log = {} local t = coop.async(function() local a <close> = setmetatable({}, {__close = function() log[#log + 1] "
                  "= select(2, pcall(coop.sleep, 1)) coop.channel():receive() end}) coop.sleep(100) end) coop.yield() t:cancel() "
                  "print((pcall(t.join, t))) print(#log, t:status())",
                  "false\n"
                  "1\tfailed\n");
}

/* ---- what a tasklet has for itself ---------------------------------------------------------------------------------------------------- */

static void locals_are_a_tasklets_own(void **state)
{
    expect_output(
        *state,
        COOP "coop.locals().x = 'main' local function f(v) coop.locals().x = v coop.yield() return coop.locals().x end local a, b = "
             "coop.async(f, 1), coop.async(f, 2) print(a:join(), b:join(), coop.locals().x, coop.locals() == coop.locals()) local weak = "
             "setmetatable({}, {__mode = 'v'}) coop.async(function() weak[1] = coop.locals() end):join() collectgarbage() "
             "print(weak[1])",
        "1\t2\tmain\ttrue\n"
        "nil\n");
}

static void a_context_is_inherited_and_changed_for_oneself(void **state)
{
    expect_output(
        *state,
        COOP
        "local get, set = coop.context_get, coop.context_set set('user', 'ann') local t = coop.async(function() local seen = "
        "get'user' set('user', 'bob') return seen, get'user', coop.async(get, 'user'):join() end) set('user', 'eve') print(t:join()) "
        "print(get'user', get'none') set('user', nil) print(get'user', pcall(set, nil, 1)) set('g', 1) print(coop.generator(function() "
        "coop.give(get'g') end):next())",
        "ann\tbob\tbob\n"
        "eve\tnil\n"
        "nil\tfalse\tbad argument #1 to 'coop.context_set' (a name is needed)\n"
        "1\n");
}

static void an_unpark_before_the_park_is_kept_once(void **state)
{
    expect_output(
        *state,
        COOP
        "local t = coop.async(function() return coop.park(), coop.park() end) coop.unpark(t, 'lost') coop.unpark(t, 'kept') "
        "coop.yield() coop.unpark(t, {}) print(t:join() == 'kept', type((select(2, t:join())))) print(coop.park(0.001)) coop.spawn(function() coop.unpark(nil, 'main') end) "
        "print(coop.park()) print(pcall(coop.unpark, t, 1))",
        "true\ttable\n"
        "nil\ttimeout\n"
        "main\n"
        "false\tit has ended\n");
}

static void names_show_in_the_backtrace(void **state)
{
    expect_output(*state,
                  COOP "local t = coop.spawn(coop.sleep, 0.01) print(t:name(), t:name('sleepy'), t:name()) coop.yield() local b = "
                       "coop.backtrace(true) print(b:find('sleepy', 1, true) ~= nil, b:find(\"in function 'coop.sleep'\", 1, true) ~= nil, "
                       "coop.backtrace():find('stack traceback', 1, true))",
                  "\tsleepy\tsleepy\n"
                  "true\ttrue\tnil\n");
}

/* ---- callbacks ------------------------------------------------------------------------------------------------------------------------- */

static void callbacks_hear_of_switches_and_channels(void **state)
{
    expect_output(
        *state,
        COOP
        "local log = {} print(coop.set_schedule_callback(function(from, to) log[#log + 1] = tostring(from) .. '-' .. tostring(to) end)) "
        "local t = coop.async(coop.yield) t:join() coop.set_schedule_callback(nil) print(table.concat(log, ' ')) local c = "
        "coop.channel(1) coop.set_channel_callback(function(ch, id, sending, blocks) print(ch == c, id, sending, blocks) end) c:send(1) "
        "c:receive() coop.select{{coop.channel(), 'receive'}, {c, 'send', 2}} coop.set_channel_callback(nil) c:receive()",
        "nil\n"
        "1-2 2-nil nil-1\n"
        "true\t1\ttrue\tfalse\n"
        "true\t1\tfalse\tfalse\n"
        "true\t1\ttrue\tfalse\n");
}

static void callbacks_that_fail_or_block_are_printed_and_passed_over(void **state)
{
    struct told *t = run(*state, COOP "coop.set_schedule_callback(function() error('mine') end) coop.async(print, 'ran'):join() "
                                      "coop.set_schedule_callback(function() coop.sleep(1) end) coop.async(print, 'too'):join() "
                                      "coop.set_schedule_callback(function() coroutine.yield() end) coop.async(print, 'three'):join() "
                                      "coop.set_schedule_callback(nil) print(pcall(coop.set_schedule_callback, 5))");

    assert_string_equal(t->out, "ran\ntoo\nthree\nfalse\tthe callback must be a function or nil\n");
    expect_contains(t->err, "error in a callback: script.lua:2: mine\n");
    expect_contains(t->err, "error in a callback: script.lua:2: switch_trap\n");
}

/* ---- the rest of the library ----------------------------------------------------------------------------------------------------------- */

static void timers_call_once_or_again_and_again(void **state)
{
    expect_output(
        *state,
        COOP "local n, e = 0, coop.event() local t = coop.timer(function(by) n = n + by if n >= 3 then e:set() end end, 1) t:set(0.001, "
             "0.001) e:wait() print(t:stop(), t:stop()) coop.run() print(n >= 3) local once = coop.timer(print, 'once', nil, 3) "
             "once:set(0.002) once:set(0.001) coop.run() print(once:stop()) once:set(100) print(once:stop()) coop.run() local bad = "
             "coop.timer(error, 'bad', 0) bad:set(0) print((select(2, pcall(coop.run))):match('^[^\\n]*')) print(pcall(t.set, t, -1))",
        "true\tfalse\n"
        "true\n"
        "once\tnil\t3\n"
        "false\n"
        "true\n"
        "bad\n"
        "false\tbad argument #2 to '?' (seconds out of range)\n");
}

static void once_runs_once_whoever_comes(void **state)
{
    expect_output(
        *state,
        COOP
        "local o, n = coop.once(), 0 local function slow(by) coop.sleep(0.005) n = n + by end local a, b = coop.async(o.run, o, slow, "
        "1), coop.async(o.run, o, slow, 10) print(a:join(), b:join(), o:run(slow, 100), n) local bad = coop.once() print(pcall(bad.run, "
        "bad, error, 'why')) print(pcall(bad.run, bad, print))",
        "true\ttrue\ttrue\t1\n"
        "false\twhy\n"
        "false\twhy\n");
}

static void the_first_to_end_can_be_waited_for(void **state)
{
    expect_output(*state,
                  COOP
                  "local function nap(s) coop.sleep(s) return s end local a, b = coop.async(nap, 1000), coop.async(nap, 0.005) "
                  "print(coop.wait_first({a, b})) print(b:join()) print(coop.wait_first({a}, 0.001)) print(coop.wait_first{a, b}) "
                  "print(a:wait_for(0.001)) print(a:status(), coop.async(nap, 0.001):wait_for(1000)) print(pcall(coop.wait_first, {}))",
                  "2\n"
                  "0.005\n"
                  "nil\ttimeout\n"
                  "2\n"
                  "nil\ttimeout\n"
                  "failed\t0.001\n"
                  "false\tbad argument #1 to 'coop.wait_first' (a list of tasklets is needed)\n");
}

static void traps_make_blocking_and_switching_errors(void **state)
{
    expect_output(
        *state,
        COOP "print(pcall(coop.block_trap, coop.sleep, 1)) print(coop.block_trap(function() coop.yield() return 'yields' end)) "
             "coop.spawn(print, 'other') print(pcall(coop.switch_trap, coop.yield)) coop.yield() print(pcall(coop.block_trap, error, 'x')) "
             "coop.sleep(0.001) print('on')",
        "false\tthis tasklet does not like to be blocked.\n"
        "yields\n"
        "false\tswitch_trap\n"
        "other\n"
        "false\tx\n"
        "on\n");
}

static void errors_can_be_thrown_into_a_generator(void **state)
{
    expect_output(
        *state,
        COOP "local g = coop.generator(function() for i = 1, 3 do local ok, e = pcall(coop.give, i) print('caught', ok, type(e)) end end) "
             "g:next() print(g:throw('a')) print(g:throw({})) print(g:next(), g:next()) g = coop.generator(function() coop.give(1) end) "
             "g:next() print((select(2, pcall(g.throw, g, 'through')):match('^[^\\n]*'))) print(g:next()) g = coop.generator(print) "
             "print(pcall(g.throw, g, 'early')) print(g:next())",
        "caught\tfalse\tstring\n"
        "2\n"
        "caught\tfalse\ttable\n"
        "3\n"
        "caught\ttrue\tnil\n"
        "nil\n"
        "through\n"
        "\n"
        "false\tearly\n"
        "\n");
}

static void give_from_hands_sends_throws_and_closes_on(void **state)
{
    expect_output(
        *state,
        COOP
        "local inner = coop.generator(function() local x <close> = setmetatable({}, {__close = function() print('closed') end}) local s "
        "= coop.give('a') print('sent', s) local ok, e = pcall(coop.give, 'b') print('thrown', e) coop.give('c') end) local g = "
        "coop.generator(function() coop.give_from(inner) coop.give('end') end) print(g:next()) print(g:next('x')) print(g:throw('y')) "
        "g:close() print(inner:next()) local all = coop.generator(function() for i = 1, 2 do coop.give_from(coop.generator(function() "
        "coop.give(i) end)) end end) print(all:next(), all:next(), (all:next()))",
        "a\n"
        "sent\tx\n"
        "b\n"
        "thrown\ty\n"
        "c\n"
        "closed\n"
        "\n"
        "1\t2\tnil\n");
}

static void small_things_can_be_asked_for(void **state)
{
    expect_output(
        *state,
        COOP "print(coop.semaphore(3):value(), coop.channel(5):capacity(), coop.stats().stack_bytes) print(select(2, pcall(coop.scope, "
             "function(s) s:spawn(error, 'x') coop.yield() print(#s:failures()) end)):match('^[^\\n]*'))",
        "3\t5\t0\n"
        "1\n"
        "x\n");
}

static void slices_go_around_in_turn(void **state)
{
    expect_output(*state,
                  COOP
                  "coop.slice(0.001) local order, stop = {}, false for i = 1, 3 do coop.spawn(function() while not stop do end end) end "
                  "coop.set_schedule_callback(function(_, to) if to then order[#order + 1] = to stop = #order >= 61 end end) coop.run() "
                  "coop.set_schedule_callback(nil) local n = {} for i = 1, 60 do n[order[i]] = (n[order[i]] or 0) + 1 if i > 3 then "
                  "assert(order[i] == order[i - 3]) end end print(n[2], n[3], n[4])",
                  "20\t20\t20\n");
}

static void an_atomic_function_is_one_slice(void **state)
{
    expect_output(
        *state,
        COOP "coop.slice(0.001) local log, stop = {}, false coop.spawn(function() while not stop do end end) "
             "coop.set_schedule_callback(function() log[#log + 1] = 1 end) local at, n = os.clock(), #log coop.atomic(function() while "
             "os.clock() - at < 0.02 do end end) print(#log - n) stop = true coop.set_schedule_callback(nil)",
        "0\n");
}

static void ten_thousand_idle_tasklets_fit_in_the_default_memory(void **state)
{
#if defined(COOP_ASAN) || defined(COOP_TSAN)
    skip(); /* a sanitizer touches a stack anywhere: there it is paid for as a whole */
#endif
    expect_output(with_memory(*state, 64),
                  COOP
                  "local e = coop.event() for i = 1, 10000 do coop.spawn(e.wait, e) if i % 100 == 0 then coop.yield() end end coop.yield() "
                  "print(coop.stats().alive) e:set() coop.run() print(coop.stats().alive)",
                  "10000\n0\n");
}

/* A dip takes a hundred KiB of its stack, and comes back before anybody looks. */
#define DIPS                                                                                                                               \
    COOP "local function dip(n) if n == 0 then return 'x' end return (('a'):gsub('a', function() return dip(n - 1) end)) end local c = "   \
         "coop.channel() "

static void stacks_that_were_used_deep_are_in_the_jobs_memory(void **state)
{
    assert_int_equal(run(*state, DIPS "for i = 1, 1000 do coop.spawn(function() dip(50) c:receive() end) coop.yield() end")->kind,
                     PB__RESULT_KIND__RESULT_KIND_OOM);
}

static void stacks_that_were_used_deep_are_given_back_at_the_end_of_their_tasklets(void **state)
{
    expect_output(with_memory(*state, 8),
                  DIPS
                  "for i = 1, 1000 do coop.spawn(dip, 50) if i % 20 == 0 then coop.yield() end end coop.run() for v in "
                  "coop.generator(function() for i = 1, 300 do coop.generator(function() dip(50) coop.give(1) end):next() collectgarbage() "
                  "coop.yield() end end) do end print(coop.stats().alive)",
                  "0\n");
}

static void a_stack_that_must_grow_without_memory_ends_the_job(void **state)
{
    struct told *t =
        run(with_memory(*state, 4), DIPS "local t = {} for i = 1, 100 do t[i] = coop.spawn(function() dip(60) c:receive() end) end "
                                         "local keep = {} pcall(function() while true do keep[#keep + 1] = {} end end) coop.run()");

    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_OOM);
    assert_string_equal(t->message, "not enough memory");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_a_tasklet_returns_is_what_join_gives),
        TEST(an_error_reaches_whoever_joins),
        TEST(gather_gives_the_first_result_of_each),
        TEST(tasklets_take_turns_in_order),
        TEST(run_puts_a_tasklet_first),
        TEST(sleepers_wake_in_the_order_of_their_times),
        TEST(a_join_may_time_out),
        TEST(who_joins_wrongly_is_told),
        TEST(self_is_the_tasklet_and_nil_in_main),
        TEST(only_main_runs_the_others),
        TEST(requiring_it_twice_gives_the_same),
        TEST(an_uncaught_error_reaches_main_with_its_traceback),
        TEST(one_that_ends_the_job_after_its_last_line_has_one_traceback),
        TEST(errors_that_nobody_joins_come_to_main_one_by_one_in_order),
        TEST(errors_that_main_does_not_meet_are_printed_when_the_job_ends),
        TEST(errors_left_over_are_printed_beside_the_scripts_own),
        TEST(errors_left_over_at_os_exit_are_printed_and_the_code_stays),
        TEST(more_errors_than_there_is_room_for_are_printed_at_once),
        TEST(an_error_stays_what_it_was_for_whoever_handles_it),
        TEST(a_joined_error_that_ends_the_job_names_where_it_began),
        TEST(a_generators_error_that_ends_the_job_names_where_it_began),
        TEST(an_equal_error_of_another_tasklet_is_its_own),
        TEST(an_uncaught_error_can_be_caught_in_main_and_is_gone_then),
        TEST(preference_says_who_goes_on_when_two_meet),
        TEST(a_buffered_channel_holds_its_capacity),
        TEST(a_closed_channel_gives_what_it_holds_and_then_says_so),
        TEST(close_wakes_those_that_wait),
        TEST(a_sent_error_is_raised_by_the_receiver),
        TEST(each_goes_on_until_the_close),
        TEST(balance_counts_those_that_wait),
        TEST(a_capacity_without_sense_is_refused),
        TEST(a_capacity_past_the_memory_is_oom),
        TEST(timeouts_of_every_kind_are_understood),
        TEST(select_takes_what_is_ready),
        TEST(a_closed_channel_is_ready),
        TEST(select_waits_and_only_one_clause_happens),
        TEST(first_takes_the_first_and_fair_takes_all_in_time),
        TEST(a_clause_without_sense_is_refused),
        TEST(what_select_does_not_know_is_named),
        TEST(a_select_keeps_its_channels_whatever_becomes_of_its_table),
        TEST(a_lock_that_is_not_held_is_named_as_the_reason),
        TEST(a_waitgroup_does_not_go_below_0),
        TEST(locks_do_what_they_are_for),
        TEST(counts_without_sense_are_refused),
        TEST(a_scope_ends_after_its_children),
        TEST(the_failure_of_one_child_cancels_the_others),
        TEST(an_error_of_the_scopes_own_function_cancels_the_children),
        TEST(a_scope_gives_what_its_function_returned),
        TEST(a_generators_return_value_is_dropped),
        TEST(a_scope_has_its_time),
        TEST(a_scope_that_is_over_makes_no_more_children),
        TEST(a_scope_waits_for_its_children_though_main_is_disturbed),
        TEST(a_generator_gives_its_values_in_a_loop),
        TEST(what_is_sent_is_what_give_returns),
        TEST(nil_and_false_are_given_as_they_are),
        TEST(an_error_in_a_generator_reaches_its_caller_once),
        TEST(a_generator_cannot_run_inside_itself),
        TEST(close_lets_a_generator_clean_up),
        TEST(a_generator_that_ignores_its_end_is_told_of),
        TEST(a_dropped_generator_ends_in_its_own_turn),
        TEST(generators_may_wait_and_be_nested),
        TEST(give_outside_of_a_generator_is_refused),
        TEST(every_blocking_call_can_be_cancelled),
        TEST(a_tasklet_cancelled_before_its_first_turn_meets_it_where_it_blocks),
        TEST(shield_holds_a_cancellation_back),
        TEST(handlers_of_closed_variables_may_wait_unless_cancelled),
        TEST(the_jobs_cancel_ends_sleepers),
        TEST(the_jobs_cancel_ends_those_that_compute_in_turn),
        TEST(the_jobs_cancel_ends_generators_and_scopes),
        TEST(the_jobs_cancel_ends_a_coroutine_in_a_tasklet),
        TEST(a_deadlock_names_all_tasklets),
        TEST(a_deadlock_lists_each_once_and_the_oldest_first),
        TEST(a_deadlock_can_be_caught),
        TEST(a_deadlock_of_thousands_is_told_in_bounded_time),
        TEST(a_tasklet_may_switch_in_any_call),
        TEST(coroutines_in_a_tasklet_are_as_ever),
        TEST(a_yield_from_a_tasklets_own_function_is_an_error),
        TEST(a_coroutine_that_waits_in_one_tasklet_cannot_be_resumed_by_another),
        TEST(a_coroutine_may_be_resumed_by_several_tasklets_in_turn),
        TEST(the_thread_of_a_tasklet_is_nobodys_to_resume),
        TEST(collections_while_others_are_parked_deep_lose_nothing),
        TEST(thousands_of_dropped_things_are_collected),
        TEST(the_script_may_end_with_live_tasklets),
        TEST(tasklets_that_refuse_to_end_do_not_hold_the_job),
        TEST(resuming_one_that_runs_in_another_tasklet_touches_nothing_of_it),
        TEST(a_coroutine_that_resumed_another_while_it_was_closed_is_forgotten),
        TEST(a_generator_that_a_finalizer_kept_is_dead),
        TEST(finalizers_cannot_wait),
        TEST(finalizers_at_the_end_cannot_switch_either),
        TEST(wrong_things_are_refused_by_every_method),
        TEST(recursion_through_c_in_a_tasklet_is_an_ordinary_error),
        TEST(stacks_are_in_the_jobs_memory),
        TEST(a_script_may_survive_the_refusal_of_a_stack),
        TEST(locks_are_in_the_jobs_memory),
        TEST(memory_that_ends_inside_a_tasklet_is_an_ordinary_error),
        TEST(memory_that_ends_inside_a_tasklet_is_oom),
        TEST(coop_works_from_inside_coroutines),
        TEST(handlers_that_block_after_a_cancel_fail_and_the_tasklet_ends),
        TEST(locals_are_a_tasklets_own),
        TEST(a_context_is_inherited_and_changed_for_oneself),
        TEST(an_unpark_before_the_park_is_kept_once),
        TEST(names_show_in_the_backtrace),
        TEST(callbacks_hear_of_switches_and_channels),
        TEST(callbacks_that_fail_or_block_are_printed_and_passed_over),
        TEST(timers_call_once_or_again_and_again),
        TEST(once_runs_once_whoever_comes),
        TEST(the_first_to_end_can_be_waited_for),
        TEST(traps_make_blocking_and_switching_errors),
        TEST(errors_can_be_thrown_into_a_generator),
        TEST(give_from_hands_sends_throws_and_closes_on),
        TEST(small_things_can_be_asked_for),
        TEST(slices_go_around_in_turn),
        TEST(an_atomic_function_is_one_slice),
        TEST(ten_thousand_idle_tasklets_fit_in_the_default_memory),
        TEST(stacks_that_were_used_deep_are_in_the_jobs_memory),
        TEST(stacks_that_were_used_deep_are_given_back_at_the_end_of_their_tasklets),
        TEST(a_stack_that_must_grow_without_memory_ends_the_job),
    };

    if (walls_measure() != 0)
        return 1;
    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("lua_task", tests, NULL, NULL);
}
