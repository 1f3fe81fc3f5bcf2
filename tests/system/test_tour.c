/* test_tour.c - every command of the README's tour, and of the page about hosting, in its order, does what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/broker_fixture.h"

#define TOUR    "\n## A tour\n"
#define CHAPTER "\n## "

struct script {
    char *text;
    size_t len;
    FILE *out;
    unsigned commands;
};

/* One command, perhaps of several lines; the script ends at the first that fails and names it. */
static void add_command(struct script *s, const char *command, size_t len)
{
    fprintf(s->out, "%.*s\n", (int)len, command);
    fprintf(s->out, "rc=$?; [ $rc = 0 ] || { echo \"command %u of the tour ended with $rc\" >&2; exit 1; }\n", ++s->commands);
}

/* Indented lines; a backslash at the end of one, or a quote that is open, goes on with the next. */
static void collect(struct script *s, const char *line, const char *end)
{
    char *command = NULL;
    size_t len = 0;

    while (line < end) {
        size_t n = strcspn(line, "\n");

        if (strncmp(line, "    ", 4) == 0) {
            command = realloc(command, len + n + 1);
            memcpy(command + len, line + 4, n - 4);
            len += n - 4;
            if (len > 0 && command[len - 1] == '\\')
                command[len++] = '\n';
            else
                add_command(s, command, len), len = 0;
        }
        line += n + 1;
    }
    free(command);
}

static void need(const char *path)
{
    if (access(path, X_OK) != 0)
        skip();
}

/* Runs what collect() has written down, from the top of the sources, as make does. */
static struct proc *play(struct script *s)
{
    struct proc_how how = { .in = PROC_IN_NULL };

    fclose(s->out);
    return proc_expect(proc_start(&how, (const char *const[]){ "/bin/bash", "-c", support_keep(s->text), NULL }), 0);
}

static void open_script(const struct broker *b, struct script *s)
{
    const char *programs = support_text("%.*s", (int)(strlen(support_program("coop")) - strlen("/coop")), support_program("coop"));
    char top[1024];

    assert_non_null(getcwd(top, sizeof(top)));
    *s = (struct script){ 0 };
    s->out = open_memstream(&s->text, &s->len);
    fprintf(s->out, "cd %s && ln -s %s/examples %s/include . || exit 1\nexport COOP_ENDPOINT=%s PATH=%s:$PATH\n", b->dir, top, top, b->url,
            programs);
}

static void the_commands_of_the_tour_work(void **state)
{
    struct broker *b = *state;
    struct script s;
    const char *tour, *end;
    struct proc *p;

    need("/usr/bin/python3");
    need("/usr/bin/cc");
    open_script(b, &s);
    tour = strstr(support_get("README.md", NULL), TOUR);
    assert_non_null(tour);
    end = strstr(tour + strlen(TOUR), CHAPTER);
    assert_non_null(end);
    collect(&s, tour + strlen(TOUR), end);
    assert_in_range(s.commands, 15, 100);
    p = play(&s);
    expect_has(p->out, "exit code 7\n");   /* a script's own */
    expect_has(p->out, "exit code 124\n"); /* a limit */
    expect_has(p->out, "exit code 123\n"); /* the policy */
    expect_has(p->out, "17 misrepresentation\n");
    expect_has(p->out, "@@@@@@@@@@");
    expect_has(p->out, "127.0.0.1");
    expect_has(p->out, "12 squared is 144\n");
    assert_int_equal(access(support_text("%s/pictures/mandelbrot.pgm", b->dir), F_OK), 0);
    assert_int_equal(access(support_text("%s/pictures/report/words.gz", b->dir), F_OK), 0);
}

static void the_commands_of_the_page_about_hosting_work(void **state)
{
    struct broker *b = *state;
    const char *page = support_get("docs/hosting.md", NULL);
    struct script s;
    struct proc *p;

    open_script(b, &s);
    collect(&s, page, page + strlen(page));
    assert_in_range(s.commands, 30, 100);
    p = play(&s);
    expect_has(p->out, "7 squared is 49\n");
    expect_has(p->out, "HELD_USER");
    expect_has(p->out, "NOT_BEFORE");
    expect_has(p->out, "dead (exit)");
    expect_has(p->out, "exit code 1\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_commands_of_the_tour_work, broker_setup, broker_teardown),
        cmocka_unit_test_setup_teardown(the_commands_of_the_page_about_hosting_work, broker_setup, broker_teardown),
    };

    return cmocka_run_group_tests_name("tour", tests, NULL, NULL);
}
