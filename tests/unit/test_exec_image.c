/* test_exec_image.c - whatever a file says of itself, looking into it ends well: programs cut short, and with bytes changed at random. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/engines/exec/image.h"

enum { IMAGE_MAX = 1 << 20, ROUNDS = 4000, HEADERS = 4096 };

struct file {
    int fd;
    char path[64];
    uint8_t bytes[IMAGE_MAX];
    size_t len;
};

static int setup(void **state)
{
    static struct file f;
    FILE *in = fopen("/bin/true", "re");

    assert_non_null(in);
    f.len = fread(f.bytes, 1, sizeof(f.bytes), in);
    fclose(in);
    f.fd = memfd_create("image", MFD_CLOEXEC);
    assert_true(f.fd >= 0);
    snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    close(((struct file *)*state)->fd);
    return 0;
}

static void look(const struct file *f, const void *bytes, size_t len, struct image *ret_im)
{
    char name[256] = "";

    assert_int_equal(ftruncate(f->fd, 0), 0);
    assert_int_equal(pwrite(f->fd, bytes, len, 0), (ssize_t)len);
    assert_int_equal(image_read(f->path, ret_im), 0);
    if (image_lacks_library(f->path, name, sizeof(name)))
        assert_true(name[0] != '\0');
}

static void a_good_program_has_a_loader_and_all_its_libraries(void **state)
{
    const struct file *f = *state;
    char name[256];
    struct image im;

    assert_int_equal(image_read("/bin/true", &im), 0);
    assert_int_equal(im.kind, IMAGE_ELF);
    assert_string_equal(im.interpreter, "/lib64/ld-linux-x86-64.so.2");
    assert_string_equal(im.why, "");
    assert_false(image_lacks_library("/bin/true", name, sizeof(name)));
    look(f, f->bytes, f->len, &im);
    assert_string_equal(im.why, "");
}

static void a_program_cut_anywhere_is_looked_into(void **state)
{
    const struct file *f = *state;
    struct image im;

    for (size_t len = 1; len < f->len; len += len < 2048 ? 1 : 509) {
        look(f, f->bytes, len, &im);
        assert_int_equal(im.kind, len < 4 ? IMAGE_OTHER : IMAGE_ELF);
        if (len >= 4 && len < sizeof(uint64_t) * 8)
            assert_true(im.why[0] != '\0');
    }
}

/* The same numbers each time: what fails once fails again. */
static void a_program_with_changed_bytes_is_looked_into(void **state)
{
    static uint8_t copy[IMAGE_MAX];
    const struct file *f = *state;
    struct image im;

    srandom(4);
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(copy, f->bytes, f->len);
        for (int i = random() % 8; i >= 0; i--) {
            size_t at = 4 + (size_t)random() % (random() % 2 ? f->len - 4 : HEADERS);

            copy[at] = (uint8_t)(random() % 3 ? random() : 0xff);
        }
        look(f, copy, f->len, &im);
    }
}

static void scripts_name_their_interpreter_or_none(void **state)
{
    static const struct {
        const char *text, *interpreter;
    } rows[] = {
        {"#!/bin/sh\n",        "/bin/sh"  },
        { "#! \t/bin/sh -e\n", "/bin/sh"  },
        { "#!/bin/sh",         "/bin/sh"  },
        { "#!/bin/sh\r\n",     "/bin/sh\r"},
        { "#!\n",              ""         },
        { "#!   ",             ""         },
    };
    char line[400] = "#!/";
    struct image im;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        look(*state, rows[i].text, strlen(rows[i].text), &im);
        assert_int_equal(im.kind, IMAGE_SCRIPT);
        assert_string_equal(im.interpreter, rows[i].interpreter);
    }
    memset(line + 3, 'x', 300);
    look(*state, line, strlen(line), &im);
    assert_string_equal(im.interpreter, ""); /* longer than the kernel reads */
}

static void what_is_no_file_is_refused(void **state)
{
    struct image im;

    (void)state;
    assert_true(image_read("/usr/bin", &im) < 0);
    assert_true(image_read("/dev/null", &im) < 0);
    assert_true(image_read("/nowhere", &im) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_program_has_a_loader_and_all_its_libraries),
        cmocka_unit_test(a_program_cut_anywhere_is_looked_into),
        cmocka_unit_test(a_program_with_changed_bytes_is_looked_into),
        cmocka_unit_test(scripts_name_their_interpreter_or_none),
        cmocka_unit_test(what_is_no_file_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
