/*
 * test_lua_header.c - the table in docs/tasklets.md of what each call of C is in Lua: every call of the header has a row, every row a call,
 * and every name of Lua in it is there.
 *
 * Runs in the repository's top folder, as make check does.
 */
#include "lua_fixture.h"

enum { ROWS_MAX = 256, NAME_MAX_LEN = 64 };

struct row {
    char c[NAME_MAX_LEN];
    char lua[200];
};

static struct row rows[ROWS_MAX];
static int n_rows;

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = calloc(1, MIB);

    assert_non_null(text);
    if (f == NULL)
        fail_msg("%s: run this in the top folder", path);
    assert_true(fread(text, 1, MIB - 1, f) > 0);
    fclose(f);
    return text;
}

static int read_table(void **state)
{
    char *text = read_all("docs/tasklets.md"), *line = text;

    (void)state;
    for (n_rows = 0; (line = strstr(line, "\n| `coop_")) != NULL; n_rows++) {
        assert_true(n_rows < ROWS_MAX);
        line++;
        assert_int_equal(sscanf(line, "| `%63[a-z_]` | %199[^|\n]|", rows[n_rows].c, rows[n_rows].lua), 2);
    }
    free(text);
    return 0;
}

static const struct row *row_of(const char *c, size_t len)
{
    for (int i = 0; i < n_rows; i++)
        if (strlen(rows[i].c) == len && memcmp(rows[i].c, c, len) == 0)
            return &rows[i];
    return NULL;
}

/* The next coop_name( of a declaration; types and callbacks have no bracket behind their name, nor do comments count. */
static const char *next_call(const char *p, size_t *ret_len)
{
    while ((p = strstr(p, "coop_")) != NULL) {
        size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
        const char *line = p;

        while (line[-1] != '\n')
            line--;
        if (p[len] == '(' && line[0] != ' ' && strncmp(line, "typedef", 7) != 0 && memmem(line, (size_t)(p - line), "/*", 2) == NULL) {
            *ret_len = len;
            return p;
        }
        p += len;
    }
    return NULL;
}

static void every_call_of_the_header_has_a_row_and_every_row_a_call(void **state)
{
    char *header = read_all("include/coop/task.h");
    int found = 0;
    size_t len = 0;

    (void)state;
    for (const char *p = header; (p = next_call(p, &len)) != NULL; p += len, found++)
        if (row_of(p, len) == NULL)
            fail_msg("%.*s has no row in docs/tasklets.md: what is it in Lua?", (int)len, p);
    assert_true(found > 90);
    assert_int_equal(found, n_rows);
    free(header);
}

static void a_call_that_lua_has_not_says_why(void **state)
{
    (void)state;
    for (int i = 0; i < n_rows; i++) {
        assert_true(rows[i].lua[0] == '`' || strncmp(rows[i].lua, "none: ", 6) == 0);
        assert_true(strlen(rows[i].lua) > 6);
    }
}

/* The script has an object of each kind by the letters that the table uses. */
static void every_name_of_lua_in_the_table_is_there(void **state)
{
    static char script[64 << 10];
    char expected[32];
    int names = 0;

    strcpy(
        script,
        "local coop = require 'coop'\nlocal has = { coop = coop, t = coop.async(coop.yield), c = coop.channel(), g = coop.generator(print), "
        "tm = coop.timer(print), m = coop.mutex(), rw = coop.rwlock(), sem = coop.semaphore(), e = coop.event(), cond = "
        "coop.condition(), b = coop.barrier(1), w = coop.waitgroup(), o = coop.once() }\ncoop.scope(function(s) has.s = s end)\n"
        "has.t:cancel()\nlocal n = 0\nlocal function look(object, name) if type(has[object][name]) == 'function' then n = n + 1 "
        "else print(object, name) end end\n");
    for (int i = 0; i < n_rows; i++) {
        for (const char *p = rows[i].lua; *p == '`'; p += strcspn(p + 1, "`") + 2, p += strspn(p, " ")) {
            char object[16], name[NAME_MAX_LEN], line[128];

            assert_int_equal(sscanf(p, "`%15[a-z]%*1[.:]%63[a-z_]`", object, name), 2);
            snprintf(line, sizeof(line), "look('%s', '%s')\n", object, name);
            strcat(script, line);
            names++;
        }
    }
    strcat(script, "print(n)");
    snprintf(expected, sizeof(expected), "%d\n", names);
    expect_output(*state, script, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_call_of_the_header_has_a_row_and_every_row_a_call),
        TEST(a_call_that_lua_has_not_says_why),
        TEST(every_name_of_lua_in_the_table_is_there),
    };

    if (walls_measure() != 0)
        return 1;
    return cmocka_run_group_tests_name("lua_header", tests, read_table, NULL);
}
