/* test_job_files.c - names, modes and globs of a program's files: what is refused, and in which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"
#include "job_files.h"
#include "job_limits.h"
#include "rel_path.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
enum { MANY = LIMITS_STAGED_N + 1 };

struct fixture {
    Pb__JobSpec spec;
    Pb__StagedFile *files, **at;
    char (*names)[32];
    char *words[LIMITS_OUTPUT_N + 1];
    uint8_t byte;
    char why[JOB_FILES_WHY];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->files = calloc(MANY, sizeof(*f->files));
    f->at = calloc(MANY, sizeof(*f->at));
    f->names = calloc(MANY, sizeof(*f->names));
    for (unsigned i = 0; i < MANY; i++) {
        pb__staged_file__init(&f->files[i]);
        snprintf(f->names[i], sizeof(f->names[i]), "dir%u/file%u", i % 7, i);
        f->files[i].name = f->names[i];
        f->files[i].mode = 0644;
        f->at[i] = &f->files[i];
    }
    pb__job_spec__init(&f->spec);
    f->spec.engine = "exec";
    f->spec.source_name = "prog";
    f->spec.source = (ProtobufCBinaryData){ 1, &f->byte };
    f->spec.files = f->at;
    f->spec.outputs = f->words;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    free(f->files);
    free(f->at);
    free(f->names);
    free(f);
    return 0;
}

static void said(struct fixture *f, int got, int rc, const char *words)
{
    if (got != rc || strstr(f->why, words) == NULL)
        fail_msg("got %d and '%s', wanted %d and '%s'", got, f->why, rc, words);
    assert_true(frame_is_utf8(f->why, strlen(f->why)));
    for (const char *p = f->why; *p != '\0'; p++)
        assert_true((unsigned char)*p >= 0x20);
    assert_true(strlen(f->why) < JOB_FILES_WHY - 1); /* not cut off */
    f->why[0] = '\0';
}

static void files(struct fixture *f, int rc, const char *words)
{
    said(f, job_files_check(&f->spec, f->why), rc, words);
}

static char *long_text(size_t len, const char *unit)
{
    static char text[4096];

    text[0] = '\0';
    while (strlen(text) < len)
        strcat(text, unit);
    text[len] = '\0';
    return text;
}

/* ---- names ----------------------------------------------------------------------------------------------------------------------- */

static void name(struct fixture *f, const char *is, const char *words)
{
    f->spec.n_files = 1;
    f->files[0].name = (char *)is;
    files(f, words != NULL ? -EINVAL : 0, words != NULL ? words : "");
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    static const struct {
        const char *name, *words;
    } rows[] = {
        {"",              "is empty"                                        },
        { "/",            "is not relative"                                 },
        { "/etc/passwd",  "the name '/etc/passwd' of a file is not relative"},
        { ".",            "a component '.'"                                 },
        { "..",           "a component '..'"                                },
        { "../x",         "the name '../x' of a file has a component '..'"  },
        { "a/../../x",    "a component '..'"                                },
        { "a/..",         "a component '..'"                                },
        { "./a",          "a component '.'"                                 },
        { "a//b",         "an empty component"                              },
        { "a/",           "an empty component"                              },
        { "a\nb",         "a control character"                             },
        { "\x1b[2J",      "the name '?' of a file has a control character"  },
        { "x\x7f",        "a control character"                             },
        { "csi\xc2\x9b"
          "31m", "a control character"                             },
    };
    static const char *const good[] = { "a", "a/b", "..a", "a..", "...", "a/...b/c", ".hidden", "W\xc3\xb6rter", "a b", "-x", "\xc2\xa0" };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        name(f, rows[i].name, rows[i].words);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        name(f, good[i], NULL);
    f->spec.source_name = "a/../b";
    name(f, "x", "the name 'a/../b' of a program has a component '..'");
}

static void names_have_a_length(void **state)
{
    struct fixture *f = *state;

    name(f, long_text(REL_NAME_MAX, "n"), NULL);
    name(f, long_text(REL_NAME_MAX + 1, "n"), "more than 255 bytes");
    name(f, long_text(REL_PATH_MAX - 1, "n/"), NULL);
    name(f, long_text(REL_PATH_MAX + 1, "n/"), "more than 1024 bytes");
}

static void a_long_bad_name_is_told_by_its_beginning(void **state)
{
    struct fixture *f = *state;

    name(f, long_text(1000, "\xe2\x82\xac/../"), "...' of a file has a component '..'");
    for (unsigned n = 90; n < 120; n += 3) { /* cut in the middle of a letter or not */
        char *text = long_text(n, "\xe2\x82\xac");

        strcat(text, "/..");
        name(f, text, "has a component '..'");
    }
}

/* ---- what is in the way ------------------------------------------------------------------------------------------------------------ */

static void files_in_each_others_way_are_refused(void **state)
{
    static const struct {
        const char *a, *b, *c, *words; /* words NULL: fine */
    } rows[] = {
        {"a",        "b",   "a",          "two files are named 'a'"                                  },
        { "a",       "b",   "prog",       "two files are named 'prog'"                               }, /* the program itself */
        { "a",       "b",   "prog/x",     "'prog' is a file, and 'prog/x' wants it to be a directory"},
        { "d/x",     "b",   "d",          "'d' is a file, and 'd/x' wants it to be a directory"      },
        { "d",       "d-e", "d/x",        "'d' is a file, and 'd/x' wants it"                        }, /* '-' sorts before '/' */
        { "d",       "d.e", "d/x/y",      "'d' is a file, and 'd/x/y' wants it"                      },
        { "d",       "d e", "d/x",        "'d' is a file"                                            },
        { "d/x",     "d/y", "d/x/z",      "'d/x' is a file"                                          },
        { "d/x",     "d/y", "dx",         NULL                                                       },
        { "d-",      "d.",  "d/x",        NULL                                                       },
        { "a",       "A",   "\xc3\xa4",   NULL                                                       },
        { "program", "pro", "prog2/prog", NULL                                                       },
    };
    struct fixture *f = *state;

    f->spec.n_files = 3;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (unsigned turn = 0; turn < 3; turn++) { /* in any order */
            f->files[turn].name = (char *)rows[i].a;
            f->files[(turn + 1) % 3].name = (char *)rows[i].b;
            f->files[(turn + 2) % 3].name = (char *)rows[i].c;
            files(f, rows[i].words != NULL ? -EINVAL : 0, rows[i].words != NULL ? rows[i].words : "");
        }
    f->files[0].name = "prog";
    f->files[1].name = "b", f->files[2].name = "c";
    f->spec.program = "bash"; /* only named: nothing of its name is staged */
    f->spec.source = (ProtobufCBinaryData){ 0 };
    files(f, 0, "");
}

static void modes_are_for_reading_writing_and_executing(void **state)
{
    static const uint32_t bad[] = { 04755, 02755, 01777, 0100644, 010000, UINT32_MAX };
    struct fixture *f = *state;

    f->spec.n_files = 2;
    for (uint32_t mode = 0; mode <= 0777; mode++) {
        f->files[1].mode = mode;
        files(f, 0, "");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        f->files[1].mode = bad[i];
        files(f, -EINVAL, "has more than the bits of reading, writing and executing");
    }
}

static void counts_and_sizes_have_bounds_with_names(void **state)
{
    struct fixture *f = *state;

    f->spec.n_files = LIMITS_STAGED_N;
    files(f, 0, "");
    f->spec.n_files = MANY;
    files(f, -EDQUOT, "the limit 'file count' allows 1024, this job has 1025");
    f->spec.n_files = 2;
    f->spec.source.len = 1;
    f->files[0].data.len = LIMITS_STAGED - 2; /* only the lengths are looked at */
    f->files[1].data.len = 1;
    files(f, 0, "");
    f->files[1].data.len = 2;
    files(f, -EDQUOT, "a program and its files may have 16777216 bytes together, this job has 16777217");
    f->files[0].data.len = f->files[1].data.len = SIZE_MAX / 2;
    files(f, -EDQUOT, "a program and its files may have");
}

/* ---- outputs, capabilities ----------------------------------------------------------------------------------------------------------- */

static void globs_are_names_of_the_work_directory(void **state)
{
    static const char *const good[] = { "*", "a", "out/*.csv", "[a-z]?/x", "*/*", ".*" };
    static const struct {
        const char *glob, *words;
    } bad[] = {
        {"",           "is empty"          },
        { "/work/x",   "is not relative"   },
        { "../*",      "a component '..'"  },
        { "*/../../x", "a component '..'"  },
        { "a//b",      "an empty component"},
        { "out/",      "an empty component"},
        { "\n",        "control character" },
    };
    struct fixture *f = *state;

    f->spec.n_outputs = 1;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        f->words[0] = (char *)good[i];
        said(f, job_outputs_check(&f->spec, f->why), 0, "");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        f->words[0] = (char *)bad[i].glob;
        said(f, job_outputs_check(&f->spec, f->why), -EINVAL, bad[i].words);
    }
    for (size_t i = 0; i <= LIMITS_OUTPUT_N; i++)
        f->words[i] = "x";
    f->spec.n_outputs = LIMITS_OUTPUT_N;
    said(f, job_outputs_check(&f->spec, f->why), 0, "");
    f->spec.n_outputs = LIMITS_OUTPUT_N + 1;
    said(f, job_outputs_check(&f->spec, f->why), -EDQUOT, "the limit 'output count' allows 64, this job has 65");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_that_lead_elsewhere_are_refused),       TEST(names_have_a_length),
        TEST(a_long_bad_name_is_told_by_its_beginning),    TEST(files_in_each_others_way_are_refused),
        TEST(modes_are_for_reading_writing_and_executing), TEST(counts_and_sizes_have_bounds_with_names),
        TEST(globs_are_names_of_the_work_directory),
    };

    return cmocka_run_group_tests_name("job_files", tests, NULL, NULL);
}
