/* test_libcoop_build.c - what libcoop exports is what its headers declare and its document tells; programs are built against an
 * installed one, and run. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <coop/client.h>

#include "tests/support/broker_fixture.h"

#if defined(COOP_ASAN) || defined(COOP_UBSAN) || defined(COOP_TSAN)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* ---- names ------------------------------------------------------------------------------------------------------------------------ */

enum { NAMES = 512, NAME = 64 };

struct names {
    char is[NAMES][NAME];
    size_t n;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void add_name(struct names *names, const char *at, size_t len)
{
    assert_true(names->n < NAMES && len < NAME);
    memcpy(names->is[names->n], at, len);
    names->is[names->n++][len] = '\0';
}

static void blank_comments(char *text)
{
    char *at;

    while ((at = strstr(text, "/*")) != NULL) {
        char *end = strstr(at, "*/");

        assert_non_null(end);
        memset(at, ' ', (size_t)(end + 2 - at));
    }
}

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Outside of comments coop_NAME( is a declaration. */
static void declared_in(const char *header, struct names *names)
{
    char *text = support_get(header, NULL);

    blank_comments(text);
    for (char *at = text; (at = strstr(at, "coop_")) != NULL;) {
        size_t len = 0;

        while (is_letter(at[len]))
            len++;
        if (at[len] == '(' && (at == text || !is_letter(at[-1])))
            add_name(names, at, len);
        at += len;
    }
}

static struct names *all_declared(void)
{
    struct names *names = support_keep(calloc(1, sizeof(*names)));

    declared_in("include/coop/client.h", names);
    declared_in("include/coop/value.h", names);
    declared_in("include/coop/value_json.h", names);
    qsort(names->is, names->n, NAME, by_text);
    assert_true(names->n > 150);
    return names;
}

/* Third words of nm's lines; a version behind '@' is not a part of the name. */
static struct names *exported(const char *option, const char *library)
{
    const char *const argv[] = { "nm", option, "--defined-only", "-g", support_program(library), NULL };
    struct names *names = support_keep(calloc(1, sizeof(*names)));
    struct proc *p = proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, argv), 0);

    for (char *line = strtok(p->out.bytes, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char type, name[256];

        if (sscanf(line, "%*x %c %255s", &type, name) == 2 && type != 'A')
            add_name(names, name, strcspn(name, "@"));
    }
    qsort(names->is, names->n, NAME, by_text);
    return names;
}

static void expect_same(const struct names *a, const struct names *b)
{
    for (size_t i = 0; i < a->n || i < b->n; i++) {
        const char *left = i < a->n ? a->is[i] : "nothing", *right = i < b->n ? b->is[i] : "nothing";

        if (strcmp(left, right) != 0)
            support_fail("%s in the headers, %s in the library", left, right);
    }
}

static void what_is_exported_is_what_is_declared(void **state)
{
    struct names *declared = all_declared();

    (void)state;
    expect_same(declared, exported("-D", "libcoop.so.0"));
    expect_same(declared, exported("-p", "libcoop.a"));
}

/* Nothing that could be written to and outlives a call. */
static void the_library_has_no_state_of_its_own(void **state)
{
    const char *const argv[] = { "objdump", "-t", support_program("libcoop.a"), NULL };
    struct proc *p;

    (void)state;
    if (SANITIZED)
        skip();
    p = proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, argv), 0);
    for (char *line = strtok(p->out.bytes, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if ((strstr(line, " O .data\t") != NULL || strstr(line, " O .bss\t") != NULL || strstr(line, "*COM*") != NULL))
            support_fail("%s", line);
}

static void every_symbol_has_its_version(void **state)
{
    const char *const argv[] = { "nm", "-D", "--defined-only", "-g", support_program("libcoop.so.0"), NULL };
    struct proc *p = proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, argv), 0);

    (void)state;
    for (char *line = strtok(p->out.bytes, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strstr(line, " A ") == NULL && strstr(line, "@@COOP_0.1") == NULL)
            support_fail("without a version: %s", line);
}

static void every_call_is_documented(void **state)
{
    const struct names *declared = support_keep(calloc(1, sizeof(*declared)));
    char *page = support_get("docs/libcoop.md", NULL);

    (void)state;
    declared_in("include/coop/client.h", (struct names *)declared);
    for (size_t i = 0; i < declared->n; i++)
        if (strstr(page, support_text("%s(", declared->is[i])) == NULL)
            support_fail("docs/libcoop.md does not speak of %s(): make docs", declared->is[i]);
}

static bool ends(const char *line, size_t n, const char *with)
{
    size_t len = strlen(with);

    return n >= len && memcmp(line + n - len, with, len) == 0;
}

/* Where a declaration of a function begins; its asynchronous half stands right behind the other, and shares what is said. */
static bool is_bare(const char *line, size_t n, const char *before, size_t before_n)
{
    bool function = isalpha((unsigned char)line[0]) && memchr(line, '(', n) != NULL;

    if (!function)
        return false;
    if (memmem(line, n, "_begin(", 7) != NULL)
        return !ends(before, before_n, ";") && !ends(before, before_n, "*/");
    return !ends(before, before_n, "*/");
}

static void every_call_has_its_comment(void **state)
{
    char *text = support_get("include/coop/client.h", NULL);
    const char *before = text;
    size_t before_n = 0;

    (void)state;
    for (char *line = text; *line != '\0';) {
        size_t n = strcspn(line, "\n");

        if (is_bare(line, n, before, before_n))
            support_fail("without a comment: %.*s", (int)n, line);
        before = line;
        before_n = n;
        line += n + (line[n] == '\n');
    }
}

/* ---- installed ---------------------------------------------------------------------------------------------------------------------- */

static const char *prefix;

static void shell(const struct broker *b, const char *script, const char *expected)
{
    const char *const argv[] = { "sh", "-ec", script, NULL };
    const char *const env[] = { support_text("COOP_ENDPOINT=%s", b->url), support_text("PKG_CONFIG_PATH=%s/lib/pkgconfig", prefix),
                                support_text("PREFIX=%s", prefix), support_text("B=%s", b->dir), NULL };
    struct proc *p = proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL, .env = env }, argv), 0);

    if (expected != NULL)
        expect_has(p->out, expected);
}

static void install(const struct broker *b)
{
    const char *flavour =
        strrchr(support_text("%.*s", (int)(strrchr(support_program("coop"), '/') - support_program("coop")), support_program("coop")),
                '/') +
        1;

    prefix = support_text("%s/prefix", b->dir);
    shell(b, support_text("env -u MAKEFLAGS -u MAKELEVEL make -s FLAVOUR=%s PREFIX=$PREFIX install-libcoop", flavour), NULL);
}

static void a_program_is_built_with_the_shared_library(void **state)
{
    if (SANITIZED)
        skip();
    install(*state);
    shell(*state,
          "cc -std=c11 -Wall -Wextra -Wpedantic -Werror -o $B/call examples/client/call.c $(pkg-config --cflags --libs coop)\n"
          "export LD_LIBRARY_PATH=$PREFIX/lib\n"
          "ldd $B/call | grep \"libcoop.so.0 => $PREFIX\" >/dev/null\n"
          "$B/call",
          "count.lua:12: this went wrong");
}

static void a_program_is_built_with_the_static_library(void **state)
{
    if (SANITIZED)
        skip();
    install(*state);
    shell(*state,
          "cc -std=c11 -Wall -Wextra -Wpedantic -Werror -o $B/call examples/client/call.c $(pkg-config --cflags --libs coop-static)\n"
          "if ldd $B/call | grep libcoop; then exit 1; fi\n"
          "$B/call",
          "\"the\": 2");
}

static void the_headers_are_cxx_too(void **state)
{
    install(*state);
    support_put(((struct broker *)*state)->dir, "all.cc",
                "#include <coop/client.h>\n#include <coop/value_json.h>\n#include <coop/exit_codes.h>\n#include <coop/version.h>\n"
                "int main() { coop_error why; coop_val *v = coop_val_list(); coop_val_free(v); (void)why; return COOP_EXIT_OK; }\n",
                (size_t)-1);
    shell(*state, "c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pkg-config --cflags coop) $B/all.cc", NULL);
}

/* A file is on one side of the wall: the host's calls when that header is first, else one sentence, and nothing behind it. */
static void both_sides_in_one_file_have_the_hosts_calls_or_are_refused(void **state)
{
    const char *dir = ((struct broker *)*state)->dir;
    static const char use[] =
        "int f(struct coop_client *c, struct coop_error *w) { return coop_interp_close(c, \"id\", COOP_NO_LIMIT, w); }\n"
        "int g(coop_request *r) { return coop_return_int(r, 1); }\n";

    install(*state);
    support_put(dir, "host.c", support_text("#include <coop/client.h>\n#include <coop/interp.h>\n%s", use), (size_t)-1);
    support_put(dir, "inside.c", "#include <coop/interp.h>\n#include <coop/client.h>\n", (size_t)-1);
    shell(*state,
          "cc -std=c11 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags coop) $B/host.c\n"
          "c++ -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags coop) $B/host.c\n"
          "if cc -std=c11 -fsyntax-only $(pkg-config --cflags coop) $B/inside.c 2>$B/said; then exit 1; fi\n"
          "grep -c ' error: ' $B/said; grep -o 'include coop/client.h first, then its calls are meant' $B/said | head -1",
          "1\ninclude coop/client.h first, then its calls are meant\n");
}

/* ---- examples, a broker of one's own --------------------------------------------------------------------------------------------- */

static void the_examples_do_what_they_say(void **state)
{
    const struct broker *b = *state;
    const struct proc_how how = {
        .in = PROC_IN_NULL, .env = (const char *const[]){support_text("COOP_ENDPOINT=%s", b->url), NULL}
    };
    const char *const call[] = { support_program("examples/client/call"), NULL };
    const char *const pipeline[] = { support_program("examples/client/pipeline"), "20000", NULL };
    const char *const async[] = { support_program("examples/client/async"), NULL };
    struct proc *p = proc_expect(proc_start(&how, call), 0);

    expect_has(p->out, "\"words\": 4");
    expect_has(p->out, "ExecutionFailed: error: count.lua:12: this went wrong\nstack traceback:");
    expect_text(proc_expect(proc_start(&how, pipeline), 0)->out, "2262 primes below 20001, their sum is 21171191\n");
    expect_text(proc_expect(proc_start(&how, async), 0)->out, "100 calls: 97 takes the most steps, 118\n");
}

static const char starter[] =
    "#include <coop/client.h>\n#include <errno.h>\n#include <signal.h>\n#include <stdio.h>\n#include <sys/wait.h>\n"
    "int main(void) {\n"
    "    struct coop_broker_info info; struct coop_client *c; struct coop_error why;\n"
    "    if (coop_client_open(NULL, &c, &why) != 0 || coop_broker_info(c, COOP_NO_LIMIT, &info, &why) != 0)\n"
    "        return puts(why.message), 1;\n"
    "    coop_client_close(c);\n"
    "    kill(info.pid, SIGTERM);\n"
    "    puts(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? \"no children\" : \"a child\");\n"
    "    return 0; }\n";

/* Found by where the library lies. */
static void a_broker_that_it_starts_is_nobodys_child(void **state)
{
    struct broker *b = *state;

    if (SANITIZED)
        skip();
    install(b);
    support_put(b->dir, "starter.c", starter, (size_t)-1);
    shell(b,
          support_text("cc -std=gnu11 -Wall -Werror -o $B/starter $B/starter.c $(pkg-config --cflags --libs coop)\n"
                       "mkdir -p $PREFIX/bin && ln -sf %s $PREFIX/bin/coopd\n"
                       "unset COOP_ENDPOINT COOP_NO_AUTOSTART\n"
                       "COOP_RUN_DIR=$B/own-run COOP_STATE_DIR=$B/own-state LD_LIBRARY_PATH=$PREFIX/lib $B/starter",
                       support_program("coopd")),
          "no children\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_exported_is_what_is_declared),
        cmocka_unit_test(the_library_has_no_state_of_its_own),
        cmocka_unit_test(every_symbol_has_its_version),
        cmocka_unit_test(every_call_is_documented),
        cmocka_unit_test(every_call_has_its_comment),
        TEST(a_program_is_built_with_the_shared_library),
        TEST(a_program_is_built_with_the_static_library),
        TEST(the_headers_are_cxx_too),
        TEST(both_sides_in_one_file_have_the_hosts_calls_or_are_refused),
        TEST(the_examples_do_what_they_say),
        TEST(a_broker_that_it_starts_is_nobodys_child),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
