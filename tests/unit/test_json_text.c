/* test_json_text.c - whatever the text is, what is written is a JSON string; UTF-8 stays what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_text.h"

static void says(const char *text, const char *expected)
{
    char *got = NULL;
    size_t len;
    FILE *f = open_memstream(&got, &len);

    assert_non_null(f);
    json_text(f, text);
    (void)fclose(f);
    assert_string_equal(got, expected);
    free(got);
}

static void plain_text_and_what_json_escapes(void **state)
{
    (void)state;
    says("", "\"\"");
    says("a b", "\"a b\"");
    says("\"\\", "\"\\\"\\\\\"");
    says("\n\x1b\x7f", "\"\\u000a\\u001b\\u007f\"");
}

static void utf8_stays_and_other_bytes_do_no_harm(void **state)
{
    (void)state;
    says("/home/\xc3\xa4", "\"/home/\xc3\xa4\"");
    says("\xf0\x9f\x99\x82", "\"\xf0\x9f\x99\x82\"");
    says("/\xe4", "\"/\\u00e4\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_and_what_json_escapes),
        cmocka_unit_test(utf8_stays_and_other_bytes_do_no_harm),
    };

    return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}
