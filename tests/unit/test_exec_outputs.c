/* test_exec_outputs.c - what a program leaves behind is handed over by name, and nothing but regular files is. */
#include "exec_fixture.h"

#include "worker/engines/exec/collect.h"
#include "worker/engines/exec/glob.h"

/* ---- patterns ------------------------------------------------------------------------------------------------------------------ */

static bool matches(const char *pattern, const char *path)
{
    char why[GLOB_WHY], part[256];
    glob_state s = GLOB_START;
    struct glob g;

    assert_int_equal(glob_read(&g, pattern, why), 0);
    while (*path != '\0') {
        size_t n = strcspn(path, "/");

        assert_true(s == 0 || glob_goes_on(&g, s) || *path != '/');
        snprintf(part, sizeof(part), "%.*s", (int)n, path);
        s = glob_step(&g, s, part);
        path += n + (path[n] == '/');
    }
    return glob_matches(&g, s);
}

static void patterns_match_as_they_say(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool yes;
    } rows[] = {
        {"a.txt",       "a.txt",     true },
        { "a.txt",      "a.txtx",    false},
        { "./a",        "a",         true },
        { "*.txt",      "a.txt",     true },
        { "*.txt",      "d/a.txt",   false},
        { "*",          ".hidden",   false},
        { ".*",         ".hidden",   true },
        { "?",          "a",         true },
        { "?",          "ab",        false},
        { "?x",         ".x",        false},
        { "[a-c]x",     "bx",        true },
        { "[a-c]x",     "dx",        false},
        { "[!a-c]x",    "dx",        true },
        { "[]a]",       "]",         true },
        { "[a",         "[a",        true },
        { "a[]b",       "a[]b",      true },
        { "\\*",        "*",         true },
        { "\\*",        "a",         false},
        { "a*b*c",      "aXbYbZc",   true },
        { "a*b*c",      "aXbYbZ",    false},
        { "d/*",        "d/a",       true },
        { "d/*",        "d/e/a",     false},
        { "**",         "a",         true },
        { "**",         "a/b/c",     true },
        { "**",         "a/.b/c",    false},
        { "d/**",       "d/a",       true },
        { "d/**",       "d/e/f/a",   true },
        { "d/**",       "d",         false},
        { "**/*.o",     "x.o",       true },
        { "**/*.o",     "a/b/x.o",   true },
        { "a/**/b",     "a/b",       true },
        { "a/**/b",     "a/x/y/b",   true },
        { "a/**/b",     "a/x/y",     false},
        { "**/a/**/b",  "x/a/y/a/b", true },
        { "**/**/**/b", "x/b",       true },
        { "a**",        "abc",       true },
        { "a**",        "a/b",       false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (matches(rows[i].pattern, rows[i].path) != rows[i].yes)
            print_message("%s and %s\n", rows[i].pattern, rows[i].path);
        assert_int_equal(matches(rows[i].pattern, rows[i].path), rows[i].yes);
    }
}

static void patterns_that_are_refused(void **state)
{
    static const char *const rows[] = { "", "/a", "../a", "a/../b", "a//b", "a/", "a/.", "./" };
    char why[GLOB_WHY], many[2 * GLOB_PARTS + 8] = "";
    struct glob g;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(glob_read(&g, rows[i], why), -EINVAL);
    for (int i = 0; i < GLOB_PARTS; i++)
        strcat(many, i == 0 ? "a" : "/a");
    assert_int_equal(glob_read(&g, many, why), 0);
    strcat(many, "/a");
    assert_int_equal(glob_read(&g, many, why), -EINVAL);
}

/* Whoever goes back at every star would need longer than the machine lasts. */
static void many_stars_take_no_longer(void **state)
{
    char pattern[200] = "", name[256];

    (void)state;
    for (int i = 0; i < 90; i++)
        strcat(pattern, "*a");
    strcat(pattern, "b");
    memset(name, 'a', 255);
    name[255] = '\0';
    assert_false(matches(pattern, name));
}

/* ---- files --------------------------------------------------------------------------------------------------------------------- */

static const struct told_file *file(const struct job *j, const char *name)
{
    for (int i = 0; i < j->t.n_files; i++)
        if (strcmp(j->t.files[i].name, name) == 0)
            return &j->t.files[i];
    fail_msg("%s was not collected; note: %s", name, j->t.note);
    return NULL;
}

static void is_noted(const struct job *j, const char *line)
{
    if (strstr(j->t.note, line) == NULL)
        print_message("note: %s\n", j->t.note);
    assert_non_null(strstr(j->t.note, line));
}

static void files_are_handed_over_whole(void **state)
{
    struct job *j = *state;
    const struct told_file *f;

    add_output(j, "*.txt");
    add_output(j, "d/**");
    run_shell(j, "echo one > a.txt; chmod 600 a.txt; : > empty.txt; mkdir -p d/e; head -c 200000 /dev/zero > d/e/big; echo no > other");
    ended_with(j, 0);
    assert_int_equal(j->t.all_files, 3);
    assert_string_equal(j->t.note, "");
    f = file(j, "a.txt");
    assert_string_equal(f->data, "one\n");
    assert_int_equal(f->mode, 0600);
    assert_int_equal(f->size, 4);
    f = file(j, "empty.txt");
    assert_int_equal(f->len, 0);
    assert_int_equal(f->pieces, 1);
    f = file(j, "d/e/big");
    assert_int_equal(f->len, 200000);
    assert_int_equal(f->pieces, 4);
}

static void what_is_no_regular_file_is_named_and_left(void **state)
{
    struct job *j = *state;

    add_output(j, "*");
    run_shell(j,
              "ln -s /etc/passwd link; ln -s /etc dirlink; ln -s nowhere dangling; mkfifo fifo; mkdir dir; echo x > suid; chmod 4755 suid; "
              "echo x > secret; chmod 000 secret; printf x > $'new\\nline'; printf x > $'\\xff'; echo x > good; ln good hard");
    ended_with(j, 0);
    is_noted(j, "link: is a symbolic link");
    is_noted(j, "dirlink: is a symbolic link");
    is_noted(j, "dangling: is a symbolic link");
    is_noted(j, "fifo: is a FIFO");
    is_noted(j, "dir: is a directory");
    is_noted(j, "suid: would run as somebody else (its mode is 4755)");
    is_noted(j, "secret: cannot be read (Permission denied)");
    is_noted(j, "its name has a control character");
    is_noted(j, "its name is not UTF-8");
    assert_int_equal(j->t.all_files, 2);
    assert_string_equal(file(j, "good")->data, "x\n");
    assert_string_equal(file(j, "hard")->data, "x\n");
}

static void a_directory_that_is_a_link_is_not_walked(void **state)
{
    struct job *j = *state;

    add_output(j, "d/*");
    add_output(j, "**/*");
    run_shell(j, "ln -s /etc d; mkdir e; ln -s .. e/up");
    ended_with(j, 0);
    assert_int_equal(j->t.all_files, 0);
    is_noted(j, "d: is a symbolic link");
    is_noted(j, "e/up: is a symbolic link");
    is_noted(j, "d/*: nothing matches it");
}

static void files_past_the_result_limit_are_left(void **state)
{
    struct job *j = *state;

    j->limits.result_bytes = 1000;
    add_output(j, "*");
    run_shell(j, "head -c 600 /dev/zero > a; head -c 500 /dev/zero > b; truncate -s 1T sparse 2>/dev/null || truncate -s 10M sparse");
    ended_with(j, 0);
    assert_int_equal(j->t.all_files, 1);
    is_noted(j, "do not fit into the ");
    is_noted(j, "sparse: its ");
}

static void only_so_many_files_are_handed_over(void **state)
{
    struct job *j = *state;

    add_output(j, "*");
    run_shell(j, "for i in {1..1100}; do : > f$i; done");
    ended_with(j, 0);
    assert_int_equal(j->t.all_files, COLLECT_FILES);
    is_noted(j, "more than 1024 files match");
}

static void a_tree_without_end_is_left_in_time(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip(); /* the walk is the same, and a disk makes so many files slowly */
    j->limits.inodes = 300000;
    add_output(j, "**/wanted");
    run_shell(j, "for i in {1..101}; do mkdir d$i; (cd d$i; seq 1 1000 | xargs touch); done");
    ended_with(j, 0);
    assert_int_equal(j->t.all_files, 0);
    is_noted(j, "more than 100000 entries");
}

static void a_tree_too_deep_is_left(void **state)
{
    struct job *j = *state;

    add_output(j, "**");
    run_shell(j, "for i in {1..100}; do mkdir d; cd d; echo $i > f; done");
    ended_with(j, 0);
    assert_int_equal(j->t.all_files, COLLECT_DEEP - 1);
    is_noted(j, "directories deep: not looked into");
}

static void many_refused_are_counted(void **state)
{
    struct job *j = *state;

    add_output(j, "*");
    run_shell(j, "for i in {1..200}; do ln -s x a-long-name-so-that-the-note-fills-up-before-all-of-them-are-in-it-$i; done");
    ended_with(j, 0);
    assert_non_null(strstr(j->t.note, "\nand "));
    assert_non_null(strstr(j->t.note, " more"));
}

static void a_pattern_that_nothing_matches_is_named(void **state)
{
    struct job *j = *state;

    add_output(j, "result.json");
    run_shell(j, "true");
    ended_with(j, 0);
    assert_string_equal(j->t.note, "result.json: nothing matches it");
}

static void a_bad_pattern_is_refused_before_anything_runs(void **state)
{
    struct job *j = *state;

    add_output(j, "../x");
    run_shell(j, "echo ran");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN);
    assert_string_equal(j->t.out, "");
}

static void a_full_disk_is_told(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip();
    j->limits.disk_bytes = MIB;
    run_shell(j, "head -c 3000000 /dev/zero > f || exit 9");
    ended_with(j, 9);
    assert_int_equal(j->t.disk_full, 1);
}

static void inodes_that_are_used_up_are_told(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip();
    j->limits.inodes = 50;
    run_shell(j, "for i in {1..100}; do : > f$i || exit 9; done");
    ended_with(j, 9);
    assert_int_equal(j->t.disk_full, 1);
}

static void a_disk_with_room_is_not_full(void **state)
{
    struct job *j = *state;

    run_shell(j, "echo > f");
    ended_with(j, 0);
    assert_int_equal(j->t.disk_full, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        cmocka_unit_test(patterns_match_as_they_say),
        cmocka_unit_test(patterns_that_are_refused),
        cmocka_unit_test(many_stars_take_no_longer),
        T(files_are_handed_over_whole),
        T(what_is_no_regular_file_is_named_and_left),
        T(a_directory_that_is_a_link_is_not_walked),
        T(files_past_the_result_limit_are_left),
        T(only_so_many_files_are_handed_over),
        T(a_tree_without_end_is_left_in_time),
        T(a_tree_too_deep_is_left),
        T(many_refused_are_counted),
        T(a_pattern_that_nothing_matches_is_named),
        T(a_bad_pattern_is_refused_before_anything_runs),
        T(a_full_disk_is_told),
        T(inodes_that_are_used_up_are_told),
        T(a_disk_with_room_is_not_full),
    };

    return cmocka_run_group_tests(tests, zygote_start, zygote_stop);
}
