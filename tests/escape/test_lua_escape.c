/*
 * test_lua_escape.c - what a script can try with the language alone, in the real worker: each is refused, or ends at its limit.
 *
 * A row: a sentence, the script, the causes that are right, and what it has to print ("": nothing; NULL: whatever). After each the
 * broker and a neighbour's job are unharmed (attempt.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/escape/attempt.h"

#define CPU "cpu=200ms"
/* Prints what f says when it fails, or that it did not. */
#define TRY "local function try(f, ...) local ok, e = pcall(f, ...) print(ok and 'worked' or tostring(e):match('[^\\n]*')) end\n"

struct row {
    const char *sentence, *script, *causes, *out, *limits;
};

/* clang-format off */
static const struct row rows[] = {
    /* bytecode */
    { "bytecode is not loaded from a string", "print(load('\\27Lua\\x54\\0\\x19\\x93\\r\\n\\x1a\\n\\4\\8\\8'))", "ok",
      "nil\tattempt to load a binary chunk (mode is 't')\n", NULL },
    { "bytecode is not loaded from pieces", "local p = { '\\27', 'Lua\\x54\\0' }\nlocal i = 0\n"
      "print(load(function() i = i + 1 return p[i] end, 'x', 'bt'))", "ok", "nil\tattempt to load a binary chunk (mode is 't')\n", NULL },
    { "binary mode is refused", "print(load('return 1', 'x', 'b'))", "ok",
      "nil\tonly text chunks can be loaded in a coop interpreter (mode \"t\")\n", NULL },
    { "bytecode behind a byte order mark does not run", "\xef\xbb\xbf\33Lua\x54", "exception", "", NULL },
    { "bytecode behind a first line does not run", "#!/usr/bin/lua\n\33Lua\x54", "exception", "", NULL },
    { "there is no way to make bytecode", "print(string.dump, (''):rep(1).dump)", "ok", "nil\tnil\n", NULL },
    { "a loader that errs, yields or loads again harms nobody",
      "print((load(function() error('x') end)))\nprint((load(function() return load('return 1') and nil end)) ~= nil)\n"
      "print(coroutine.wrap(function() return (load(function() coroutine.yield() end)) end)())\n", "ok", "nil\ntrue\nnil\n", NULL },
    { "a loader that calls itself ends", "local function f() return load(f) end\nprint((load(f)))", "ok", NULL, NULL },

    /* names that are not there */
    { "nothing that reaches outside is there",
      "for _, n in ipairs{ 'dofile', 'loadfile', 'os.execute', 'os.remove', 'os.rename', 'os.tmpname', 'os.setlocale', 'io.open', 'io.popen',\n"
      " 'io.tmpfile', 'package.loadlib', 'package.searchpath', 'package.cpath', 'string.dump', 'ffi', 'jit', 'newproxy' } do\n"
      " local v = _G\n for part in n:gmatch('%w+') do v = v[part] end\n if v ~= nil then print(n, v) end\nend", "ok", "", NULL },
    { "debug is traceback and no more", "for k in pairs(debug) do print(k) end\nfor k in pairs(package.loaded.debug) do print(k) end", "ok",
      "traceback\ntraceback\n", NULL },
    { "no library holds another way to them",
      "local seen = {}\nlocal function walk(t, path)\n if seen[t] then return end\n seen[t] = true\n for k, v in pairs(t) do\n"
      "  local p = path .. '.' .. tostring(k)\n  if type(v) == 'table' then walk(v, p) end\n"
      "  if type(v) == 'userdata' or type(v) == 'table' then local m = getmetatable(v) if type(m) == 'table' then walk(m, p .. '<mt>') end end\n"
      "  for _, bad in ipairs{ 'execute', 'popen', 'open', 'loadlib', 'dump', 'getregistry', 'sethook', 'upvaluejoin', 'dofile' } do\n"
      "   if k == bad then print(p) end\n  end\n end\nend\nwalk(_G, '_G')\nwalk(getmetatable(''), 'string')", "ok", "", NULL },
    { "a call of what is absent is an error that says why", "os.execute('id')", "exception", "", NULL },

    /* files */
    { "files are not read, whatever names them",
      TRY "try(io.lines, '/etc/passwd')\ntry(io.input, '/etc/passwd')\ntry(io.output, '/tmp/coop-escaped')\ntry(io.lines, arg[1])\n", "ok",
      "/etc/passwd: there are no files in a coop interpreter; io.lines() reads standard input\n"
      "bad argument #1 to 'io.input' (there are no other files in a coop interpreter)\n"
      "bad argument #1 to 'io.output' (there are no other files in a coop interpreter)\n", NULL },
    { "require takes no path", "for _, n in ipairs{ '../x', '/etc/passwd', '/etc/passwd.lua', 'a/../../etc/passwd', '', '.', '..', 'x\\0y', "
      "('a'):rep(100000) } do\n local ok, e = pcall(require, n)\n"
      " print(ok, (tostring(e):find('not found', 1, true) ~= nil))\nend", "ok",
      "false\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\n", NULL },
    { "package.path and cpath lead nowhere", "package.path = '/etc/?'\npackage.cpath = '/lib/x86_64-linux-gnu/?.so.6'\n"
      "print((pcall(require, 'passwd')))\nprint((pcall(require, 'libc')))", "ok", "false\nfalse\n", NULL },
    { "searchers of its own find what it brings, only",
      "package.searchers = { function(n) return function() return n .. '!' end end }\nprint((require 'x'))\npackage.searchers = nil\n"
      TRY "try(require, 'y')", "ok", "x!\n'package.searchers' must be a table\n", NULL },
    { "the environment is the job's", "for _, n in ipairs{ 'PATH', 'HOME', 'USER', 'LD_PRELOAD', 'COOP_ENDPOINT' } do print(os.getenv(n)) end", "ok",
      "nil\nnil\nnil\nnil\nnil\n", NULL },

    /* memory */
    { "string.rep of 10^9 is out of memory", "local s = ('x'):rep(1000000000)", "oom", "", NULL },
    { "string.rep of 10^9 can be survived", TRY "try(string.rep, 'x', 1000000000)\ntry(string.rep, 'x', 1 << 62)\n"
      "try(string.rep, ('x'):rep(100), 1 << 20, ('y'):rep(1000))", "ok", "not enough memory\nresulting string too large\nnot enough memory\n", NULL },
    { "string.rep of nothing, 10^18 times, ends", "string.rep('', 1 << 62)", "cpu_limit", "", CPU },
    { "many small objects are out of memory", "local t = {}\nfor i = 1, 1e9 do t[i] = { i } end", "oom", "", NULL },
    { "one string doubled is out of memory", "local s = 'x'\nwhile true do s = s .. s end", "oom", "", NULL },
    { "a table that grows is out of memory", "local t = {}\nfor i = 1, 1e9 do t[i] = i end", "oom", "", NULL },
    { "closures, coroutines and strings are out of memory",
      "local t = {}\nwhile true do t[#t + 1] = coroutine.create(function() return t end) t[#t + 1] = tostring(#t) end", "oom", "", NULL },
    { "garbage that is never collected is out of memory", "collectgarbage('stop')\nwhile true do local t = {} end", "oom ok cpu_limit", NULL,
      "cpu=1s" },
    { "gsub that grows is out of memory", "local s = ('x'):rep(1 << 20)\ns:gsub('x', ('y'):rep(1 << 10))", "oom", "", NULL },
    { "memory is free again after it ran out", "for i = 1, 20 do\n assert(not pcall(function() local t = {}\n  while true do t[#t + 1] = ('x'):rep(1 << 16) .. #t end\n end))\n"
      " collectgarbage()\nend\n"
      "print(#('x'):rep(1 << 20))", "ok", "1048576\n", NULL },
    { "out of memory in a finalizer, a handler and a coroutine",
      "setmetatable({}, { __gc = function() local s = ('x'):rep(1 << 30) end })\ncollectgarbage()\n"
      "print(xpcall(function() local s = ('x'):rep(1 << 30) end, function() return ('y'):rep(1 << 30) end))\n"
      "print(coroutine.resume(coroutine.create(function() return ('x'):rep(1 << 30) end)))", "ok",
      "false\tnot enough memory\nfalse\tnot enough memory\n", NULL },
    { "sizes that overflow are errors",
      TRY "try(table.concat, setmetatable({}, { __len = function() return math.maxinteger end }))\ntry(table.unpack, {}, 1, 1e8)\n"
      "try(table.unpack, {}, math.mininteger, math.maxinteger)\ntry(string.unpack, 's8', ('\\xff'):rep(8))\ntry(string.unpack, '!17i4', 'x')\n"
      "try(string.pack, 'c2147483648', '')\ntry(table.move, {}, 1, math.maxinteger, 2)\ntry(string.byte, ('x'):rep(1e7), 1, -1)\n"
      "try(select, math.mininteger, 1)\ntry(utf8.char, 1 << 31)\n", "ok",
      "invalid value (nil) at index 1 in table for 'concat'\ntoo many results to unpack\ntoo many results to unpack\n"
      "bad argument #2 to 'string.unpack' (data string too short)\nintegral size (17) out of limits [1,16]\n", NULL },
    { "format takes no wide width", TRY "try(string.format, '%999999999d', 1)\ntry(string.format, '%.999s', 'x')\ntry(string.format, '%99.99f', 1e308)\n"
      "try(string.format, '%s', setmetatable({}, { __tostring = function() return 1 end }))\ntry(string.format, '%n', 1)\n"
      "try(string.format, ('%s'):rep(300))\n", "ok", NULL, NULL },
    { "a constructor of many parts is an error or runs", "print((load('return { ' .. ('1,'):rep(100000) .. '}')) ~= nil)\n"
      "print((load('local ' .. ('a,'):rep(300) .. 'a')))\nprint((load(('('):rep(100000))))\nprint((load('return ' .. ('{'):rep(100000))))\n"
      "print((load('x' .. ('.x'):rep(100000) .. ' = 1')) ~= nil)\nprint((load(('do '):rep(100000))))\nprint((load('return ' .. ('- '):rep(100000) .. '1')))",
      "ok", "true\nnil\nnil\nnil\ntrue\nnil\nnil\n", NULL },

    /* time */
    { "an endless loop ends", "while true do end", "cpu_limit", "", CPU },
    { "an endless loop in a pcall ends", "while true do pcall(function() while true do end end) end", "cpu_limit", "", CPU },
    { "an endless loop in a coroutine ends", "while true do coroutine.wrap(function() while true do end end)() end", "cpu_limit", "", CPU },
    { "a pattern that backtracks for ever ends", "(('a'):rep(40)):find(('a*'):rep(20) .. 'b')", "cpu_limit", "", CPU },
    { "a pattern that backtracks for ever ends in a pcall too", "while true do pcall(string.match, ('a'):rep(200), ('.-'):rep(50) .. 'b') end", "cpu_limit",
      "", CPU },
    { "patterns too complex are errors", TRY "try(string.find, ('a'):rep(300000), ('.-'):rep(300000) .. 'b')\ntry(string.find, 'x', ('('):rep(1000))\n"
      "try(string.find, ('a'):rep(300000), ('a?'):rep(300000))\ntry(string.find, 'x', '%')\ntry(string.find, 'x', '[')\ntry(string.gsub, 'x', 'x', '%9')\n",
      "ok", NULL, NULL },
    { "a sort with a mad order ends", "local t = {}\nfor i = 1, 100 do t[i] = i end\nprint((pcall(table.sort, t, function() return true end)))\n"
      "table.sort(t, function() while true do end end)", "cpu_limit", "false\n", CPU },
    { "a finalizer that loops ends", "setmetatable({}, { __gc = function() while true do end end })\ncollectgarbage()", "cpu_limit", "", CPU },
    { "a finalizer that loops at the end ends", "x = setmetatable({}, { __gc = function() while true do end end })\nprint('last')", "cpu_limit", "last\n",
      CPU },
    { "a finalizer that makes another ends", "local function f() setmetatable({}, { __gc = f }) end\nf()\ncollectgarbage()\nprint('x')", "ok", "x\n", NULL },
    { "a finalizer that revives its object ends", "local m = {}\nm.__gc = function(o) y = o setmetatable(o, m) end\nsetmetatable({}, m)\n"
      "for i = 1, 10 do collectgarbage() end\nprint('x')", "ok", "x\n", NULL },
    { "an error in a finalizer is the finalizer's own", "setmetatable({}, { __gc = function() error('x') end })\ncollectgarbage()\n"
      "z = setmetatable({}, { __gc = function() error({}) end })\nprint('x')", "ok", "x\n", NULL },
    { "a close that loops ends", "do local x <close> = setmetatable({}, { __close = function() while true do end end }) end", "cpu_limit", "", CPU },
    { "an error whose text loops ends", "error(setmetatable({}, { __tostring = function() while true do end end }))", "cpu_limit", "", CPU },
    { "a sleep that nothing wakes ends", "io.read('a')\nwhile true do coroutine.yield() end", "exception", "", NULL },
    { "a print that loops ends", "print(setmetatable({}, { __tostring = function() while true do end end }))", "cpu_limit", "", CPU },
    { "a concat of a huge length ends", "table.concat(setmetatable({}, { __len = function() return 1 << 60 end, __index = function() return '' end }))",
      "cpu_limit", "", CPU },

    /* depth */
    { "deep recursion is an error", "local function f() return 1 + f() end\nf()", "exception", "", "memory=256M" },
    { "deep recursion with little memory is out of memory", "local function f() return 1 + f() end\nf()", "oom", "", NULL },
    { "deep recursion can be survived", TRY "local function f() return 1 + f() end\nfor i = 1, 5 do print((pcall(f))) end", "ok",
      "false\nfalse\nfalse\nfalse\nfalse\n", NULL },
    { "recursion through a metamethod is an error", "local t = setmetatable({}, {})\ngetmetatable(t).__index = function(s, k) return s[k] end\nprint((pcall(function() return t.x end)))\n"
      "getmetatable(t).__index = t\nprint((pcall(function() return t.x end)))\n"
      "local u = setmetatable({}, { __eq = function(a, b) return a == b end })\nprint((pcall(function() return u == setmetatable({}, getmetatable(u)) end)))",
      "ok", "false\nfalse\nfalse\n", NULL },
    { "recursion through gsub is an error", "local function f() return ('x'):gsub('x', f) end\nprint((pcall(f)))", "ok", "false\n", NULL },
    { "recursion through tostring and pcall ends", "local t = setmetatable({}, {})\ngetmetatable(t).__tostring = function(x) return tostring(x) end\n"
      "print((pcall(tostring, t)))\nlocal function g() return pcall(g) end\nprint(g())", "ok", NULL, NULL },
    { "coroutines nested 10^5 deep are an error",
      "local function nest(n) if n == 0 then return 'bottom' end return coroutine.wrap(nest)(n - 1) end\nlocal ok, e = pcall(nest, 100000)\n"
      "print(ok, (tostring(e):find('C stack overflow', 1, true) ~= nil))", "ok", "false\ttrue\n", NULL },
    { "10^5 coroutines side by side run or are out of memory", "local t = {}\nfor i = 1, 100000 do t[i] = coroutine.wrap(function() coroutine.yield(i) end) t[i]() end\nprint(#t)",
      "ok oom", NULL, NULL },
    { "a handler that fails in a handler is an error", "print(xpcall(error, function() error('again') end))\n"
      "local function h() return h() + 1 end\nprint((xpcall(error, h)))", "ok", NULL, NULL },
    { "coroutines that resume or close themselves are errors", "local co\nco = coroutine.wrap(function() return pcall(co) end)\nprint(co())\n"
      "print(pcall(coroutine.close, coroutine.running()))\nprint(coroutine.resume(coroutine.running()))", "ok", NULL, NULL },

    /* what is shared */
    { "the metatable of strings is the script's own", TRY "try(setmetatable, 'x', {})\n"
      "getmetatable('').__index = function() return 'mine' end\nprint(('x').y)\ngetmetatable('').__add = function() return 'sum' end\nprint('a' + 'b')", "ok",
      "bad argument #1 to 'setmetatable' (table expected, got string)\nmine\nsum\n", NULL },
    { "what one job leaves behind, part one", "_G.left = 1\nstring.left = 2\npackage.loaded.left = 3\nmath.floor = nil\nprint(left)\nio.stdout:close()", "ok",
      "1\n", NULL },
    { "what one job leaves behind, part two: another job finds nothing", "print(left, string.left, package.loaded.left, math.floor(1.5))\nio.stdout:write('open\\n')",
      "ok", "nil\tnil\tnil\t1\nopen\n", NULL },
    { "methods of files take nothing but files", TRY "local m = getmetatable(io.stdout)\ntry(m.__index.write, {}, 'x')\n"
      "try(m.__index.write, setmetatable({}, m), 'x')\ntry(m.__tostring, {})\ntry(m.__index.close, 'x')\ntry(io.stdout.read, print)\n", "ok",
      "bad argument #1 to '?' (FILE* expected, got table)\nbad argument #1 to '?' (FILE* expected, got FILE*)\n"
      "bad argument #1 to '?' (FILE* expected, got table)\nbad argument #1 to '?' (FILE* expected, got string)\n"
      "bad argument #1 to '?' (FILE* expected, got function)\n", NULL },

    /* output and end */
    { "stdout that was closed stays closed for the script, and ends nothing", "io.stdout:write('a')\nio.stdout:close()\n" TRY "try(io.stdout.write, io.stdout, 'b')\n"
      "try(io.stdout.close, io.stdout)\nio.stderr:close()\nio.stdin:close()", "ok", "aattempt to use a closed file\nattempt to use a closed file\n", NULL },
    { "os.exit in a coroutine ends the job", "coroutine.wrap(function() print('x') os.exit(3) end)()\nprint('never')", "exit", "x\n", NULL },
    { "os.exit in a coroutine takes the state down", "y = setmetatable({}, { __gc = function() print('gc') end })\n"
      "coroutine.wrap(function() local c <close> = setmetatable({}, { __close = function() print('close') end }) os.exit(3, true) end)()", "exit", NULL, NULL },
    { "os.exit in a finalizer ends the job", "setmetatable({}, { __gc = function() os.exit(4) end })\ncollectgarbage()\nprint('never')", "exit", "", NULL },
    { "os.exit in a finalizer at the end ends the job", "x = setmetatable({}, { __gc = function() os.exit(4) end })", "exit", "", NULL },
    { "os.exit that takes the state down twice ends the job", "x = setmetatable({}, { __gc = function() os.exit(4, true) end })\nos.exit(5, true)", "exit", NULL,
      NULL },
    { "os.exit in a sort, a gsub and a pcall ends the job", "pcall(function() ('x'):gsub('x', function() table.sort({ 1, 2 }, function() os.exit(6) end) end) end)",
      "exit", "", NULL },
    { "os.exit takes odd numbers", "os.exit(math.mininteger)", "ok exit", "", NULL },
    { "a flood ends at its limit", "while true do print(('x'):rep(1000)) end", "output_limit", NULL, NULL },
    { "a flood on both ends at its limit", "while true do io.write('x') io.stderr:write('y') end", "output_limit", NULL, "stdout=2K" },
    { "an error of many bytes is cut", "error(('x'):rep(1 << 20))", "exception output_limit", NULL, NULL },
    { "an error with control characters is shown as text", "error('\\27[2J\\n\\r\\0 job=1', 0)", "exception", NULL, NULL },
    { "an error that is no string is an error", "error(setmetatable({}, { __name = ('n'):rep(100000), __tostring = function() error('x') end }))", "exception",
      NULL, NULL },
    { "an error of nil is an error", "error()", "exception", NULL, NULL },
    { "dates that are not are errors", TRY "try(os.date, '*t', 1 << 60)\ntry(os.date, '%Ez')\ntry(os.date, '%')\ntry(os.time, { year = 1 << 40, month = 1, day = 1 })\n"
      "try(os.date, ('%c'):rep(100000))\n", "ok", NULL, NULL },
    { "reading counts that are not are answered", TRY "print(io.read(-1))\nprint(io.read(1 << 62))\nprint(io.read(math.mininteger))\ntry(io.read, 'x')\nprint(io.read('n'))\nprint(#io.read('a'))\n",
      "ok", "nil\nnil\nnil\nbad argument #1 to 'io.read' (invalid format)\nnil\n0\n", NULL },
    { "known flaws of the interpreter stay inside the worker", "local ok, f = pcall(load, 'local _ENV <const> = 1\\nlocal x = y\\nreturn x')\nprint((pcall(f or print)))\n"
      "local t = setmetatable({}, { __newindex = function(t, k, v) collectgarbage() rawset(t, k, v) end })\nfor i = 1, 1000 do t[i] = {} end\n"
      "print((pcall(load, ('local a <const> = 1; '):rep(190) .. 'a = 2')))", "ok exception signal", NULL, NULL },
};
/* clang-format on */

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct host *host; /* NULL: cannot run here */
static struct broker *group_broker;
static uid_t group_uid;
static struct neighbour neighbour;

static void neighbour_up(void)
{
    neighbour =
        (struct neighbour){ "print('waiting')\nio.read()\nlocal t = {}\nfor i = 1, 20 do t[i] = i * i end\nprint(table.concat(t, ' '))\n",
                            "waiting\n1 4 9 16 25 36 49 64 81 100 121 144 169 196 225 256 289 324 361 400\n", 0, NULL };
    neighbour.len = strlen(neighbour.says);
}

/* What it printed begins so: where messages of the standard library follow, their wording is not ours. */
static void printed(const struct ended *e, const char *out)
{
    size_t len = strlen(out);

    if (len == 0 ? e->out[0] != '\0' : strncmp(e->out, out, len) != 0)
        support_fail("it printed: %.2000s\nwanted: %s", e->out, out);
}

static void a_row_holds(void **state)
{
    const struct row *r = *state;
    struct ended e;

    if (host == NULL)
        skip();
    attempt_neighbour(host, &neighbour);
    e = attempt_run(host, r->script, r->limits);
    attempt_ended(&e, r->causes);
    if (r->out != NULL)
        printed(&e, r->out);
    attempt_harmed_nobody(host, &neighbour, &e);
}

/* The command does not even send it; what the worker would say stands in the rows above. */
static void bytecode_is_not_sent(void **state)
{
    struct proc *p;
    const char *bytecode;

    (void)state;
    if (host == NULL)
        skip();
    bytecode = support_put(host->b->dir, "m.lua", "\33Lua\x54\0", 6);
    p = proc_expect(coop(host->b, "run", "--file", bytecode, script(host->b, "r.lua", "print(pcall(require, 'm'))")), COOP_EXIT_USAGE);
    expect_has(p->err, "compiled lua");
    p = proc_expect(coop(host->b, "run", bytecode), COOP_EXIT_USAGE);
    expect_has(p->err, "compiled lua");
    host_unharmed(host);
}

/* Not known as bytecode by its first byte, and no text all the same. */
static void a_module_that_is_bytecode_in_disguise_is_not_required(void **state)
{
    struct proc *p;

    (void)state;
    if (host == NULL)
        skip();
    p = coop(host->b, "run", "--file", support_put(host->b->dir, "m.lua", "#!/usr/bin/lua\n\33Lua\x54", 20),
             script(host->b, "r.lua", "print((pcall(require, 'm')))"));
    expect_text(proc_expect(p, 0)->out, "false\n");
    host_unharmed(host);
}

static int leave_no_neighbour(void **state)
{
    (void)state;
    if (host != NULL)
        attempt_teardown(host, &neighbour);
    return 0;
}

static void the_broker_is_as_it_was_before(void **state)
{
    (void)state;
    if (host == NULL)
        skip();
    host_at_rest(host);
}

static int group_up(void **state)
{
    struct host *h = host_new();

    (void)state; /* stays NULL: a group's state would stand before a test's own */
    host = NULL;
    group_broker = h->b;
    neighbour_up();
    if (group_uid != 0 && !broker_belongs_to(h->b, group_uid))
        return 0;
    host_up(h, script(h->b, "noop.lua", "print('x')"));
    host = h;
    return 0;
}

static int group_down(void **state)
{
    void *b = group_broker;

    (void)state;
    host = NULL;
    return broker_teardown(&b);
}

static int run_as(const char *user)
{
    static struct CMUnitTest tests[N_ROWS + 3];
    size_t n = 0;

    for (; n < N_ROWS; n++)
        tests[n] = (struct CMUnitTest){ rows[n].sentence, a_row_holds, NULL, leave_no_neighbour, (void *)&rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(bytecode_is_not_sent);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_module_that_is_bytecode_in_disguise_is_not_required);
    tests[n++] = (struct CMUnitTest){ "the broker is as it was before", the_broker_is_as_it_was_before, NULL, NULL, NULL };
    return _cmocka_run_group_tests(user, tests, n, group_up, group_down);
}

int main(void)
{
    int failed = run_as("Lua, as started by us");

    group_uid = SUPPORT_NOBODY;
    return failed + run_as("Lua, as started by another user") == 0 ? 0 : 1;
}
