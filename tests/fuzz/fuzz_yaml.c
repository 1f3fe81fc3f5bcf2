/* fuzz_yaml.c - any text as a job file: refused with a place and a sentence, or read; what is written of it is read as the same. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/spec_file.h"
#include "frame.h"
#include "yaml_write.h"

enum { NOW_S = 1800000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct once {
    struct spec spec;
    struct spec_file file;
    struct yaml_error why;
};

static int read_text(struct once *o, const char *text, size_t len)
{
    struct yaml_reader r = { .doc = &o->spec.doc, .keys = spec_file_keys, .now_us = NOW_S * 1000000ull, .own = &o->file, .why = &o->why };
    int rc;

    memset(o, 0, sizeof(*o));
    pb__job_spec__init(&o->spec.pb);
    o->file.spec = &o->spec;
    o->file.dir = "";
    rc = yaml_parse(text, len, &o->spec.doc, &o->why);
    assert((rc == 0) == (o->why.text[0] == '\0'));
    if (rc == 0 && o->spec.doc.root != NULL)
        rc = yaml_read_message(&r, o->spec.doc.root, &o->spec.pb.base);
    assert(rc == 0 || rc == -EINVAL || rc == -EDQUOT);
    assert((rc == 0) == (o->why.text[0] == '\0') && memchr(o->why.text, '\0', sizeof(o->why.text)) != NULL);
    return rc;
}

/* It goes to a terminal. */
static void check_words(const char *text)
{
    for (; *text != '\0'; text++)
        assert((unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f);
}

/* What is to run, and files, are read by hand and hang beside the message. */
static void check_round(struct once *o)
{
    char *text = NULL;
    size_t len = 0, n_one, n_two;
    uint8_t *one, *two;
    struct once again;
    FILE *out = open_memstream(&text, &len);

    assert(out != NULL);
    assert(yaml_write(out, spec_file_keys, &o->spec.pb.base) == 0);
    assert(fclose(out) == 0);
    if (read_text(&again, text, len) != 0) {
        fprintf(stderr, "%s\n%u:%u: %s\n", text, again.why.line, again.why.column, again.why.text);
        abort();
    }
    assert(frame_pack(&o->spec.pb.base, &one, &n_one) == 0 && frame_pack(&again.spec.pb.base, &two, &n_two) == 0);
    assert(n_one == n_two && memcmp(one, two, n_one) == 0);
    free(one);
    free(two);
    free(text);
    yaml_finish(&again.spec.doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct once o;
    int rc = read_text(&o, (const char *)data, size);

    check_words(o.why.text);
    if (rc == 0)
        check_round(&o);
    yaml_finish(&o.spec.doc);
    return 0;
}
