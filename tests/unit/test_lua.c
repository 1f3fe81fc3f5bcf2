/* test_lua.c - the Lua engine, each script in a forked, unsealed worker whose link ends in this test. */
#include "lua_fixture.h"
#include "worker/engines/lua/job.h"

/* ---- libraries ------------------------------------------------------------------------------------------------------------------ */

static void print_separates_by_tabs_and_uses_tostring(void **state)
{
    expect_output(*state, "print(1, 'a', nil, true, 1.5, setmetatable({}, {__tostring = function() return 'T' end}))",
                  "1\ta\tnil\ttrue\t1.5\tT\n");
}

static void the_libraries_that_compute_are_there(void **state)
{
    expect_output(
        *state,
        "print(string.format('%5.2f', 1.234), table.concat({1,2,3}, '-'), math.max(1, 2), utf8.char(228), #utf8.charpattern > 0)\n"
        "print(coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end)(1), ('x'):rep(3), _VERSION)",
        " 1.23\t1-2-3\t2\t\xc3\xa4\ttrue\n2\txxx\tLua 5.4\n");
}

static void what_reaches_outside_is_absent(void **state)
{
    expect_output(*state,
                  "print(os.execute, os.remove, os.rename, os.tmpname, os.setlocale, io.open, io.popen, io.tmpfile, dofile, loadfile)\n"
                  "print(package.loadlib, package.searchpath, package.path, package.cpath, string.dump)\n"
                  "local n = 0 for k in pairs(debug) do n = n + 1 end print(n, type(debug.traceback))\n"
                  "print(package.loaded.debug == debug, package.loaded.os == os, package.loaded.io == io)",
                  "nil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\nnil\tnil\tnil\tnil\tnil\n1\tfunction\ntrue\ttrue\ttrue\n");
}

static void the_use_of_something_absent_says_why_it_is(void **state)
{
    struct told *t = run(*state, "\nos.execute('ls')");

    expect_exception(t, "error", "script.lua:2: attempt to call a nil value (field 'execute')");
    expect_contains(t->err, "hint: os.execute is not available in a coop interpreter: it would start a program");
}

static void time_passes_and_has_a_calendar(void **state)
{
    expect_output(*state,
                  "print(os.time{year=2020, month=1, day=1, hour=12} > 1577000000, os.time() > 1577000000, os.clock() >= 0)\n"
                  "print(os.date('!%Y-%m-%d', 86400), os.difftime(5, 3))",
                  "true\ttrue\ttrue\n1970-01-02\t2.0\n");
}

static void getenv_knows_the_variables_of_the_job_only(void **state)
{
    struct job *j = *state;

    pb__env_var__init(&j->var);
    j->var.name = (char *)"GREETING";
    j->var.value = (ProtobufCBinaryData){ 5, (uint8_t *)"hello" };
    j->var_list[0] = &j->var;
    j->spec.env = j->var_list;
    j->spec.n_env = 1;
    expect_output(j, "print(os.getenv('GREETING'), os.getenv('PATH'), os.getenv('HOME'))", "hello\tnil\tnil\n");
}

static void arguments_arrive_in_arg_and_as_varargs(void **state)
{
    add_arg(*state, "one");
    add_arg(*state, "two words");
    expect_output(*state, "print(arg[0], arg[1], arg[2], arg[3], #arg) print(select('#', ...), ...)",
                  "script.lua\tone\ttwo words\tnil\t2\n2\tone\ttwo words\n");
}

static void random_numbers_differ_from_worker_to_worker(void **state)
{
    struct job *j = *state;
    char first[64];

    run(j, "print(math.random(0))");
    assert_true(strlen(j->t.out) < sizeof(first));
    strcpy(first, j->t.out);
    told_finish(&j->t);
    memset(&j->t, 0, sizeof(j->t));
    run(j, "print(math.random(0))");
    assert_string_not_equal(first, j->t.out);
}

static void load_takes_text_and_refuses_bytecode(void **state)
{
    expect_output(*state,
                  "print(load('return 1 + 1')())\n"
                  "print(load('x = = 1', '=chunk'))\n"
                  "print(load('\\27Lua', 'b'))\n"
                  "print(load('return 1', 'n', 'b'))\n"
                  "local parts = {'return ', '4', '2', nil} local i = 0\n"
                  "print(load(function() i = i + 1 return parts[i] end)())\n"
                  "print(load('return x', 'n', 't', {x = 'env'})())",
                  "2\nnil\tchunk:1: unexpected symbol near '='\nnil\tattempt to load a binary chunk (mode is 't')\n"
                  "nil\tonly text chunks can be loaded in a coop interpreter (mode \"t\")\n42\nenv\n");
}

/* ---- modules -------------------------------------------------------------------------------------------------------------------- */

static void require_finds_modules_sent_with_the_job(void **state)
{
    add_module(*state, "util.lua", "local n, f = ... print('loading', n, f) return { x = 42 }");
    add_module(*state, "lib/deep.lua", "return 'deep'");
    add_module(*state, "pkg/init.lua", "return 'init'");
    expect_output(*state, "print(require('util').x, require('util') == require('util'), (require('lib.deep')), (require('pkg')))",
                  "loading\tutil\tutil.lua\n42\ttrue\tdeep\tinit\n");
}

static void a_missing_module_is_named_with_those_that_were_sent(void **state)
{
    add_module(*state, "util.lua", "return 1");
    expect_exception(run(*state, "require('nope')"), "error", "module 'nope' not found:");
    expect_contains(((struct job *)*state)->t.err, "not among the modules sent with this job: util.lua");
}

static void package_preload_and_own_searchers_work(void **state)
{
    expect_output(*state,
                  "package.preload.p = function(n) return 'pre ' .. n end\n"
                  "table.insert(package.searchers, function(n) return function() return 'own ' .. n end end)\n"
                  "print((require 'p'), (require 'q'))",
                  "pre p\town q\n");
}

static void an_error_in_a_module_has_the_name_of_the_module(void **state)
{
    add_module(*state, "bad.lua", "\n\nerror('broken')");
    expect_exception(run(*state, "require 'bad'"), "error", "bad.lua:3: broken");
}

static void a_syntax_error_in_a_module_has_its_line(void **state)
{
    add_module(*state, "bad.lua", "x = 1\ny = = 2");
    expect_exception(run(*state, "require 'bad'"), "error", "bad.lua:2: unexpected symbol near '='");
}

/* ---- standard input ------------------------------------------------------------------------------------------------------------- */

static void inline_input(struct job *j, const char *text)
{
    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    j->spec.stdin_data = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
}

static void every_read_format_works_on_input_sent_with_the_job(void **state)
{
    inline_input(*state, "first\nsecond\n 42 0x1F -1.5e2 abcdef\nrest\nend");
    expect_output(*state,
                  "print(io.read()) io.write(io.read('L')) print(io.read('n', 'n', 'n')) print(io.read(0), io.read(4))\n"
                  "print(io.read('a')) print(io.read('a')) print(io.read('l')) print(io.read(0))",
                  "first\nsecond\n42\t31\t-150.0\n\t abc\ndef\nrest\nend\n\nnil\nnil\n");
}

static void a_number_that_is_none_reads_as_nil(void **state)
{
    inline_input(*state, "abc 1");
    expect_output(*state, "print(io.read('n')) print(io.read('a'))", "nil\nabc 1\n");
}

static void lines_iterates_with_and_without_formats(void **state)
{
    inline_input(*state, "a\nb\n\nc");
    expect_output(*state, "for l in io.lines() do io.write('[', l, ']') end print(io.read())", "[a][b][][c]nil\n");
}

static void lines_of_stdin_takes_formats(void **state)
{
    inline_input(*state, "1 2 3");
    expect_output(*state, "for n in io.stdin:lines('n') do io.write(n, ';') end", "1;2;3;");
}

static void streamed_input_is_asked_for_piece_by_piece(void **state)
{
    struct job *j = *state;

    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    j->how.stdin_pieces[0] = "ab\nc";
    j->how.stdin_pieces[1] = "d\nlast";
    expect_output(j, "for l in io.lines() do print(l) end", "ab\ncd\nlast\n");
    assert_int_equal(j->t.wants, 3);
}

static void without_input_the_end_comes_at_once(void **state)
{
    expect_output(*state, "print(io.read()) print(io.read('a'))", "nil\n\n");
}

static void what_was_printed_leaves_before_a_wait_for_input(void **state)
{
    struct job *j = *state;

    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    j->how.never_feed = 1;
    j->how.term_after_ms = 100;
    run(j, "io.write('prompt> ') io.read()");
    assert_string_equal(j->t.out, "prompt> ");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_CANCELLED);
}

/* ---- files ---------------------------------------------------------------------------------------------------------------------- */

static void the_three_files_have_the_usual_methods(void **state)
{
    expect_output(*state,
                  "print(io.stdin, io.stdout, io.stderr, io.type(io.stdout), io.type(1))\n"
                  "print(io.stdout:write('x') == io.stdout, io.stdout:setvbuf('full'), io.stdout:flush() == io.stdout)\n"
                  "print(io.stdin:seek()) print(io.stdin:write('x')) print(io.stdout:read())\n"
                  "print(io.output() == io.stdout, io.input() == io.stdin, pcall(io.lines, 'file'))",
                  "file (stdin)\tfile (stdout)\tfile (stderr)\tfile\tnil\nxtrue\ttrue\ttrue\n"
                  "nil\tstdin: Illegal seek\t29\nnil\tstdin: not open for writing\t9\nnil\tstdout: not open for reading\t9\n"
                  "true\ttrue\tfalse\tfile: there are no files in a coop interpreter; io.lines() reads standard input\n");
}

static void a_closed_file_is_closed(void **state)
{
    expect_output(*state, "io.stderr:close() print(io.stderr, io.type(io.stderr)) print(pcall(io.stderr.write, io.stderr, 'x'))",
                  "file (closed)\tclosed file\nfalse\tattempt to use a closed file\n");
}

static void stdout_and_stderr_keep_the_order_they_were_written_in(void **state)
{
    struct told *t = run(*state, "io.write('1') io.stderr:write('2') io.write('3') io.stderr:write('4')");

    assert_string_equal(t->out, "13");
    assert_string_equal(t->err, "24");
    assert_string_equal(t->order, "oeoe");
}

static void bytes_pass_unchanged(void **state)
{
    struct job *j = *state;

    run(j, "for i = 0, 255 do io.write(string.char(i)) end");
    assert_int_equal(j->t.out_len, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal((unsigned char)j->t.out[i], i);
}

/* ---- liveness and caps ----------------------------------------------------------------------------------------------------------- */

static int has_output(const struct told *t)
{
    return t->out_len > 0;
}

static void output_arrives_while_the_job_computes_on(void **state)
{
    struct job *j = *state;

    j->how.stop = has_output;
    run(j, "print('x') while true do end");
    assert_string_equal(j->t.out, "x\n");
    assert_int_equal(j->t.results, 0);
}

static void output_at_the_cap_is_byte_exact_and_past_it_ends_the_job(void **state)
{
    struct job *j = *state;

    j->limits.stdout_bytes = 100001;
    run(j, "for i = 1, 1e9 do io.write('0123456789') end");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_OUTPUT_LIMIT);
    assert_int_equal(j->t.out_len, 100001);
    assert_memory_equal(j->t.out + 99990, "01234567890", 11);
    assert_true(j->t.out_dropped > 0);
}

static void output_of_just_the_cap_is_no_offence(void **state)
{
    struct job *j = *state;

    j->limits.stdout_bytes = 10;
    expect_output(j, "io.write('0123456789') io.write('')", "0123456789");
    assert_int_equal(j->t.out_dropped, 0);
}

static void truncated_output_is_counted_and_the_job_goes_on(void **state)
{
    struct job *j = *state;

    j->limits.stdout_bytes = 15;
    j->limits.stderr_bytes = 3;
    j->spec.on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE;
    run(j, "for i = 1, 10 do io.write('0123456789') io.stderr:write('ab') end os.exit(4)");
    assert_string_equal(j->t.out, "012345678901234");
    assert_string_equal(j->t.err, "aba");
    assert_int_equal(j->t.out_dropped, 85);
    assert_int_equal(j->t.err_dropped, 17);
    assert_int_equal(j->t.exit_code, 4);
}

static void a_large_write_arrives_whole(void **state)
{
    struct job *j = *state;

    run(j, "io.write(('x'):rep(300000), 'end')");
    assert_int_equal(j->t.out_len, 300003);
    assert_string_equal(j->t.out + 300000, "end");
}

static void memory_past_the_cap_is_oom(void **state)
{
    struct told *t = run(*state, "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end");

    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_OOM);
    expect_contains(t->err, "not enough memory");
}

static void one_huge_string_is_oom_too(void **state)
{
    assert_int_equal(run(*state, "local s = ('x'):rep(1e9)")->kind, PB__RESULT_KIND__RESULT_KIND_OOM);
}

static void a_script_may_survive_a_refused_allocation(void **state)
{
    expect_output(*state, "print(pcall(string.rep, 'x', 1e9))", "false\tnot enough memory\n");
}

static void memory_that_is_given_back_can_be_used_again(void **state)
{
    expect_output(*state, "for i = 1, 100 do local s = ('x'):rep(5 * 1024 * 1024) end print('ok')", "ok\n");
}

/* ---- ends ----------------------------------------------------------------------------------------------------------------------- */

static void exit_codes_are_those_of_os_exit(void **state)
{
    static const struct {
        const char *call;
        int code;
    } rows[] = {
        {"os.exit()",                   0  },
        { "os.exit(true)",              0  },
        { "os.exit(false)",             1  },
        { "os.exit(7)",                 7  },
        { "os.exit(256)",               0  },
        { "os.exit(-1)",                255},
        { "os.exit(3, true)",           3  },
        { "pcall(os.exit, 9)",          9  },
        { "coroutine.wrap(os.exit)(5)", 5  },
    };
    struct job *j = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char source[128];

        snprintf(source, sizeof(source), "io.write('bye') %s print('not reached')", rows[i].call);
        run(j, source);
        assert_string_equal(j->t.out, "bye");
        assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_EXIT);
        assert_int_equal(j->t.exit_code, rows[i].code);
        told_finish(&j->t);
        memset(&j->t, 0, sizeof(j->t));
    }
}

static void finalizers_run_at_the_end_also_after_an_error(void **state)
{
    struct told *t = run(*state, "F = setmetatable({}, {__gc = function() print('finalized') end}) error('x')");

    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_EXCEPTION);
    assert_string_equal(t->out, "finalized\n");
}

static void an_uncaught_error_has_the_scripts_name_line_and_traceback(void **state)
{
    struct told *t = run(*state, "local function inner()\n  error('boom')\nend\nlocal function outer()\n  inner()\nend\nouter()");

    expect_exception(t, "error", "script.lua:2: boom");
    assert_string_equal(t->message, "script.lua:2: boom");
    expect_contains(t->err, "script.lua:2: boom\nstack traceback:\n");
    expect_contains(t->traceback, "script.lua:2: in upvalue 'inner'");
    expect_contains(t->traceback, "script.lua:7: in main chunk");
    assert_int_equal(t->err[t->err_len - 1], '\n');
}

static void a_syntax_error_has_file_and_line(void **state)
{
    expect_exception(run(*state, "x = 1\n\nif then"), "syntax", "script.lua:3: unexpected symbol near 'then'");
}

static void bytecode_as_a_script_is_refused_in_words(void **state)
{
    struct job *j = *state;

    run_bytes(j, "\x1bLua\x54\0\x19\x93", 8);
    expect_exception(&j->t, "syntax", "script.lua: this is compiled Lua (bytecode); coop runs Lua source text only");
}

static void error_objects_are_shown_by_their_tostring_and_name(void **state)
{
    expect_exception(run(*state, "error(setmetatable({}, {__name = 'MyError', __tostring = function() return 'my words' end}))"), "MyError",
                     "my words");
}

static void an_error_object_without_words_is_described(void **state)
{
    expect_exception(run(*state, "error({})"), "table", "(error object is a table value)");
}

static void nil_as_an_error_is_described(void **state)
{
    expect_exception(run(*state, "error()"), "nil", "(error object is a nil value)");
}

static void a_message_that_is_no_text_is_made_text_in_the_receipt(void **state)
{
    struct told *t = run(*state, "error('a\\xff\\0b\\u{e4}', 0)");

    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_EXCEPTION);
    assert_string_equal(t->message, "a\\xff\\x00b\xc3\xa4");
    assert_memory_equal(t->err, "a\xff\0b\xc3\xa4\nstack traceback:", 23);
}

static void a_very_long_message_is_cut_in_the_receipt(void **state)
{
    struct told *t = run(*state, "error(('m'):rep(1000000), 0)");

    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_EXCEPTION);
    assert_true(strlen(t->message) <= OUTCOME_MESSAGE);
    assert_true(strlen(t->message) > OUTCOME_MESSAGE - 8);
    assert_true(t->err_len >= 1000000);
}

static void endless_recursion_is_an_ordinary_error(void **state)
{
    ((struct job *)*state)->limits.memory_bytes = 256 * MIB; /* Lua's own limit, a million slots, must come first */
    expect_exception(run(*state, "local function f() return 1 + f() end f()"), "error", "stack overflow");
}

static void recursion_through_c_is_an_ordinary_error(void **state)
{
    expect_exception(run(*state, "local function f() return (string.gsub('x', 'x', f)) end f()"), "error", "C stack overflow");
}

static void an_error_in_the_tostring_of_an_error_is_contained(void **state)
{
    struct told *t = run(*state, "error(setmetatable({}, {__tostring = function() error('again') end}))");

    assert_int_equal(t->kind, PB__RESULT_KIND__RESULT_KIND_EXCEPTION);
    assert_true(t->err_len > 0);
}

static void an_empty_script_is_a_success(void **state)
{
    expect_output(*state, "", "");
}

static void a_first_line_for_the_shell_is_skipped_but_counted(void **state)
{
    expect_exception(run(*state, "#!/usr/bin/env lua\nerror('x')"), "error", "script.lua:2: x");
}

static void a_byte_order_mark_is_skipped(void **state)
{
    expect_output(*state, "\xef\xbb\xbfprint('bom')", "bom\n");
}

/* ---- cancel --------------------------------------------------------------------------------------------------------------------- */

static void cancel_ends_a_loop(void **state)
{
    cancel_within(*state, "while true do end");
}

static void cancel_ends_a_loop_that_catches_errors(void **state)
{
    cancel_within(*state, "while true do pcall(function() while true do end end) end");
}

static void cancel_ends_a_coroutine_that_catches_errors(void **state)
{
    cancel_within(*state, "local co = coroutine.create(function() while true do pcall(function() while true do end end) end end)\n"
                          "while true do coroutine.resume(co) end");
}

static void cancel_ends_coroutines_in_coroutines(void **state)
{
    cancel_within(*state, "local function deep(n) if n == 0 then while true do end end return coroutine.wrap(deep)(n - 1) end deep(20)");
}

static void cancel_ends_a_wait_for_input(void **state)
{
    struct job *j = *state;

    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    j->how.never_feed = 1;
    cancel_within(j, "while true do pcall(io.read) end");
    assert_int_equal(j->t.wants, 1);
}

/* Each block of a template's child that were freed would be copied first. */
static void a_state_that_is_taken_down_gives_nothing_back(void **state)
{
    struct lua_memory m = { .cap = SIZE_MAX };
    char *block = lua_job_alloc(&m, NULL, 0, 100);

    (void)state;
    m.leaving = true;
    assert_null(lua_job_alloc(&m, block, 100, 0));
    block[99] = 1;
    assert_int_equal(m.used, 100);
    m.leaving = false;
    assert_null(lua_job_alloc(&m, block, 100, 0));
    assert_int_equal(m.used, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_that_is_taken_down_gives_nothing_back),
        TEST(print_separates_by_tabs_and_uses_tostring),
        TEST(the_libraries_that_compute_are_there),
        TEST(what_reaches_outside_is_absent),
        TEST(the_use_of_something_absent_says_why_it_is),
        TEST(time_passes_and_has_a_calendar),
        TEST(getenv_knows_the_variables_of_the_job_only),
        TEST(arguments_arrive_in_arg_and_as_varargs),
        TEST(random_numbers_differ_from_worker_to_worker),
        TEST(load_takes_text_and_refuses_bytecode),
        TEST(require_finds_modules_sent_with_the_job),
        TEST(a_missing_module_is_named_with_those_that_were_sent),
        TEST(package_preload_and_own_searchers_work),
        TEST(an_error_in_a_module_has_the_name_of_the_module),
        TEST(a_syntax_error_in_a_module_has_its_line),
        TEST(every_read_format_works_on_input_sent_with_the_job),
        TEST(a_number_that_is_none_reads_as_nil),
        TEST(lines_iterates_with_and_without_formats),
        TEST(lines_of_stdin_takes_formats),
        TEST(streamed_input_is_asked_for_piece_by_piece),
        TEST(without_input_the_end_comes_at_once),
        TEST(what_was_printed_leaves_before_a_wait_for_input),
        TEST(the_three_files_have_the_usual_methods),
        TEST(a_closed_file_is_closed),
        TEST(stdout_and_stderr_keep_the_order_they_were_written_in),
        TEST(bytes_pass_unchanged),
        TEST(output_arrives_while_the_job_computes_on),
        TEST(output_at_the_cap_is_byte_exact_and_past_it_ends_the_job),
        TEST(output_of_just_the_cap_is_no_offence),
        TEST(truncated_output_is_counted_and_the_job_goes_on),
        TEST(a_large_write_arrives_whole),
        TEST(memory_past_the_cap_is_oom),
        TEST(one_huge_string_is_oom_too),
        TEST(a_script_may_survive_a_refused_allocation),
        TEST(memory_that_is_given_back_can_be_used_again),
        TEST(exit_codes_are_those_of_os_exit),
        TEST(finalizers_run_at_the_end_also_after_an_error),
        TEST(an_uncaught_error_has_the_scripts_name_line_and_traceback),
        TEST(a_syntax_error_has_file_and_line),
        TEST(bytecode_as_a_script_is_refused_in_words),
        TEST(error_objects_are_shown_by_their_tostring_and_name),
        TEST(an_error_object_without_words_is_described),
        TEST(nil_as_an_error_is_described),
        TEST(a_message_that_is_no_text_is_made_text_in_the_receipt),
        TEST(a_very_long_message_is_cut_in_the_receipt),
        TEST(endless_recursion_is_an_ordinary_error),
        TEST(recursion_through_c_is_an_ordinary_error),
        TEST(an_error_in_the_tostring_of_an_error_is_contained),
        TEST(an_empty_script_is_a_success),
        TEST(a_first_line_for_the_shell_is_skipped_but_counted),
        TEST(a_byte_order_mark_is_skipped),
        TEST(cancel_ends_a_loop),
        TEST(cancel_ends_a_loop_that_catches_errors),
        TEST(cancel_ends_a_coroutine_that_catches_errors),
        TEST(cancel_ends_coroutines_in_coroutines),
        TEST(cancel_ends_a_wait_for_input),
    };

    if (walls_measure() != 0) /* the zygote's part: without it RLIMIT_DATA would not know of the program itself */
        return 1;
    return cmocka_run_group_tests_name("lua", tests, NULL, NULL);
}
