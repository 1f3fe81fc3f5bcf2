/* test_broker_user.c - whom a broker of root becomes, by what exists where it is started, and whom root's commands trust. */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker_user.h"

/* A file that says what /proc/self/uid_map would; removed by remove_map(). */
static char *map_of(const char *text)
{
    char *path = strdup("/tmp/coop-map-XXXXXX");
    int fd = path != NULL ? mkstemp(path) : -1;

    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void remove_map(char *path)
{
    (void)unlink(path);
    free(path);
}

static void ids_exist_when_one_line_of_the_map_holds_them_all(void **state)
{
    static const struct {
        const char *map;
        uint32_t first, count;
        bool exist;
    } rows[] = {
        {"         0          0 4294967295\n", 1879100000, 65536, true },
        { "0 100000 65536\n",                  0,          65536, true },
        { "0 100000 65536\n",                  1,          65536, false},
        { "0 100000 65536\n",                  1879100000, 1,     false},
        { "0 1000 1\n",                        0,          1,     true },
        { "0 1000 1\n",                        1,          1,     false},
        { "0 1000 1\n1 100000 65536\n",        65000,      534,   true },
        { "0 1000 10\n10 100000 10\n",         5,          10,    false}, /* none of the two alone */
        { "0 0 4294967295\n",                  4294967290, 6,     false}, /* and no number wraps */
        { "",                                  0,          1,     false},
        { "not a map\n",                       0,          1,     false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *path = map_of(rows[i].map);

        if (ids_exist(path, rows[i].first, rows[i].count) != rows[i].exist)
            fail_msg("row %zu", i);
        remove_map(path);
    }
    assert_false(ids_exist("/nonexistent/uid_map", 0, 1));
}

static void the_range_is_the_first_that_exists(void **state)
{
    static const struct {
        const char *map;
        uint32_t first; /* 0: none */
    } rows[] = {
        {"0 0 4294967295\n",            1879100000},
        { "0 100000 65536\n",           65000     },
        { "0 1000 1\n1 100000 65536\n", 65000     },
        { "0 1000 1\n",                 0         },
        { "0 100000 60000\n",           0         },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *path = map_of(rows[i].map);
        const struct id_range *r = broker_range_find(path);

        if ((r == NULL) != (rows[i].first == 0) || (r != NULL && r->first != rows[i].first))
            fail_msg("row %zu", i);
        remove_map(path);
    }
}

/* Nobody real may be among them, and the broker is not a worker. */
static void the_ranges_are_out_of_the_way(void **state)
{
    (void)state;
    for (const struct id_range *r = broker_ranges; r->count != 0; r++) {
        assert_true(r->count > 256);
        assert_true(r->first >= 65000 && (uint64_t)r->first + r->count <= (r->first < 65536 ? 65534u : 2147483648u));
    }
}

static void a_user_is_a_name_or_a_number_and_never_root(void **state)
{
    static const struct {
        const char *wanted;
        int rc;
        uid_t uid;
    } rows[] = {
        {"nobody",      0,       65534     },
        { "65534",      0,       65534     },
        { "1879100000", 0,       1879100000},
        { "root",       -EINVAL, 0         },
        { "0",          -EINVAL, 0         },
        { "00",         -EINVAL, 0         },
        { "4294967295", -ENOENT, 0         },
        { "4294967296", -ENOENT, 0         },
        { "-1",         -ENOENT, 0         },
        { "+1",         -ENOENT, 0         },
        { " 1",         -ENOENT, 0         },
        { "1 ",         -ENOENT, 0         },
        { "no such",    -ENOENT, 0         },
    };
    struct broker_user u;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = broker_user_find(rows[i].wanted, NULL, &u);

        if (rc != rows[i].rc || (rc == 0 && u.uid != rows[i].uid))
            fail_msg("%s: %d, uid %u", rows[i].wanted, rc, (unsigned)u.uid);
    }
}

static void without_a_word_it_is_coop_or_the_first_of_the_range(void **state)
{
    const struct passwd *pw = getpwnam("coop");
    struct broker_user u;

    (void)state;
    (void)unsetenv("COOP_USER");
    assert_int_equal(broker_user_find(NULL, &broker_ranges[0], &u), 0);
    assert_int_equal(u.uid, pw != NULL ? pw->pw_uid : broker_ranges[0].first);
    assert_int_equal(broker_user_find("", &broker_ranges[1], &u), 0);
    assert_int_equal(u.uid, pw != NULL ? pw->pw_uid : broker_ranges[1].first);
    if (pw == NULL)
        assert_int_equal(broker_user_find(NULL, NULL, &u), -ENOENT);
    assert_int_equal(setenv("COOP_USER", "nobody", 1), 0);
    assert_int_equal(broker_user_find(NULL, &broker_ranges[0], &u), 0);
    assert_int_equal(u.uid, 65534);
    assert_int_equal(broker_user_find("1234", &broker_ranges[0], &u), 0); /* the command line comes first */
    assert_int_equal(u.uid, 1234);
    (void)unsetenv("COOP_USER");
}

static void root_trusts_whom_a_broker_may_be_and_nobody_else(void **state)
{
    (void)state;
    (void)unsetenv("COOP_USER");
    for (const struct id_range *r = broker_ranges; r->count != 0; r++) {
        assert_true(broker_user_may_be(r->first));
        assert_false(broker_user_may_be(r->first + 1)); /* a worker */
    }
    assert_false(broker_user_may_be(65534));
    assert_false(broker_user_may_be(1000));
    assert_int_equal(setenv("COOP_USER", "nobody", 1), 0);
    assert_true(broker_user_may_be(65534));
    assert_int_equal(setenv("COOP_USER", "root", 1), 0);
    assert_false(broker_user_may_be(0)); /* which is trusted for another reason */
    (void)unsetenv("COOP_USER");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_exist_when_one_line_of_the_map_holds_them_all),
        cmocka_unit_test(the_range_is_the_first_that_exists),
        cmocka_unit_test(the_ranges_are_out_of_the_way),
        cmocka_unit_test(a_user_is_a_name_or_a_number_and_never_root),
        cmocka_unit_test(without_a_word_it_is_coop_or_the_first_of_the_range),
        cmocka_unit_test(root_trusts_whom_a_broker_may_be_and_nobody_else),
    };

    return cmocka_run_group_tests_name("broker_user", tests, NULL, NULL);
}
