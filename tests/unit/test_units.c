/* test_units.c - sizes and times as people write them, row by row. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "units.h"

struct row {
    const char *text;
    int rc;
    uint64_t value;
};

static const struct row sizes[] = {
    {"0",                                0,       0                                                       },
    { "1",                               0,       1                                                       },
    { "4096",                            0,       4096                                                    },
    { "007",                             0,       7                                                       },
    { "12B",                             0,       12                                                      },
    { "1K",                              0,       1024                                                    },
    { "1KB",                             0,       1024                                                    },
    { "1KiB",                            0,       1024                                                    },
    { "64M",                             0,       64ull << 20                                             },
    { "64MB",                            0,       64ull << 20                                             },
    { "512KiB",                          0,       512ull << 10                                            },
    { "1.5G",                            0,       3ull << 29                                              },
    { "1GiB",                            0,       1ull << 30                                              },
    { "2T",                              0,       2ull << 40                                              },
    { "0.5K",                            0,       512                                                     },
    { "1.5",                             0,       1                                                       }, /* a part of a byte is dropped */
    { "0.1G",                            0,       107374182                                               },
    { "0.999999999K",                    0,       1023                                                    }, /* finer than a millionth is dropped, never rounded up */
    { "1.0000000000000000000000000001K", 0,       1024                                                    },
    { "16777215T",                       0,       16777215ull << 40                                       },
    { "16777215.999999T",                0,       (16777215ull << 40) + 999999ull * (1ull << 40) / 1000000},
    { "18446744073709551615",            0,       UINT64_MAX                                              },
    { "18446744073709551616",            -ERANGE, 0                                                       },
    { "99999999999999999999999999",      -ERANGE, 0                                                       },
    { "16777216T",                       -ERANGE, 0                                                       },
    { "18014398509481984K",              -ERANGE, 0                                                       },
    { "",                                -EINVAL, 0                                                       },
    { " ",                               -EINVAL, 0                                                       },
    { " 1",                              -EINVAL, 0                                                       },
    { "1 ",                              -EINVAL, 0                                                       },
    { "1 M",                             -EINVAL, 0                                                       },
    { "-1",                              -EINVAL, 0                                                       },
    { "+1",                              -EINVAL, 0                                                       },
    { "M",                               -EINVAL, 0                                                       },
    { ".5M",                             -EINVAL, 0                                                       },
    { "1.M",                             -EINVAL, 0                                                       },
    { "1.",                              -EINVAL, 0                                                       },
    { "1..5M",                           -EINVAL, 0                                                       },
    { "1.5.5M",                          -EINVAL, 0                                                       },
    { "1,5M",                            -EINVAL, 0                                                       },
    { "1e3",                             -EINVAL, 0                                                       },
    { "0x10",                            -EINVAL, 0                                                       },
    { "1k",                              -EINVAL, 0                                                       }, /* units are spelled one way */
    { "1m",                              -EINVAL, 0                                                       },
    { "1Ki",                             -EINVAL, 0                                                       },
    { "1MM",                             -EINVAL, 0                                                       },
    { "1P",                              -EINVAL, 0                                                       },
    { "1s",                              -EINVAL, 0                                                       },
    { "inf",                             -EINVAL, 0                                                       },
    { "nan",                             -EINVAL, 0                                                       },
    { "\xd9\xa1",                        -EINVAL, 0                                                       }, /* a digit, but not one of ours */
};

static const struct row durations[] = {
    {"0",                         0,       0                            },
    { "2",                        0,       2000000                      }, /* a bare number is seconds */
    { "2s",                       0,       2000000                      },
    { "10us",                     0,       10                           },
    { "300ms",                    0,       300000                       },
    { "1.5m",                     0,       90000000                     },
    { "1min",                     0,       60000000                     },
    { "1h",                       0,       3600000000ull                },
    { "1d",                       0,       86400000000ull               },
    { "0.1s",                     0,       100000                       },
    { "0.000001s",                0,       1                            },
    { "0.0000001s",               0,       0                            },
    { "1.5us",                    0,       1                            },
    { "213503982d",               0,       213503982ull * 86400000000ull},
    { "213503983d",               -ERANGE, 0                            },
    { "18446744073709551615us",   0,       UINT64_MAX                   },
    { "18446744073709551615.5us", 0,       UINT64_MAX                   },
    { "18446744073709551615s",    -ERANGE, 0                            },
    { "18446744073709.551615s",   0,       UINT64_MAX                   }, /* to the last microsecond */
    { "18446744073709.551616s",   -ERANGE, 0                            },
    { "",                         -EINVAL, 0                            },
    { "s",                        -EINVAL, 0                            },
    { "-2s",                      -EINVAL, 0                            },
    { "2S",                       -EINVAL, 0                            },
    { "2sec",                     -EINVAL, 0                            },
    { "2M",                       -EINVAL, 0                            },
    { "1h30m",                    -EINVAL, 0                            },
    { "1:30",                     -EINVAL, 0                            },
    { "2s ",                      -EINVAL, 0                            },
};

static void check_rows(int (*parse)(const char *, uint64_t *), const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 0xdead;
        int rc = parse(rows[i].text, &value);
        uint64_t want = rows[i].rc == 0 ? rows[i].value : 0xdead; /* written on success only */

        if (rc != rows[i].rc || value != want)
            fail_msg("'%s': got %d and %llu", rows[i].text, rc, (unsigned long long)value);
    }
}

static void sizes_are_read_as_written(void **state)
{
    (void)state;
    check_rows(units_parse_size, sizes, sizeof(sizes) / sizeof(sizes[0]));
}

static void durations_are_read_as_written(void **state)
{
    (void)state;
    check_rows(units_parse_duration, durations, sizeof(durations) / sizeof(durations[0]));
}

static void sizes_are_written_short(void **state)
{
    static const struct row rows[] = {
        {"0B",               0, 0               },
        { "1B",              0, 1               },
        { "1023B",           0, 1023            },
        { "1K",              0, 1024            },
        { "1.5K",            0, 1536            },
        { "1.25K",           0, 1280            },
        { "64M",             0, 64 << 20        },
        { "1023.99M",        0, (1ull << 30) - 1},
        { "4G",              0, 4ull << 30      },
        { "1.05G",           0, 1127428916      },
        { "17179869183.99G", 0, UINT64_MAX      },
    };
    char buf[UNITS_BUF];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(units_format_size(rows[i].value, buf), rows[i].text);
        assert_ptr_equal(units_format_size(rows[i].value, buf), buf);
    }
}

static void durations_are_written_short(void **state)
{
    static const struct row rows[] = {
        {"0us",             0, 0             },
        { "999us",          0, 999           },
        { "1ms",            0, 1000          },
        { "1.5ms",          0, 1500          },
        { "2s",             0, 2000000       },
        { "1.05s",          0, 1050000       },
        { "1.5m",           0, 90000000      },
        { "1h",             0, 3600000000ull },
        { "24h",            0, 86400000000ull},
        { "5124095576.03h", 0, UINT64_MAX    },
    };
    char buf[UNITS_BUF];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(units_format_duration(rows[i].value, buf), rows[i].text);
}

/* What we print can be typed again; two decimals are cut, so the value may shrink by less than a hundredth of its unit. */
static void what_is_written_can_be_read_back(void **state)
{
    uint64_t value, back, step = 1;
    char buf[UNITS_BUF];

    (void)state;
    for (value = 1; value < 1ull << 62; value += step) {
        step += step / 3 + 1;
        assert_int_equal(units_parse_size(units_format_size(value, buf), &back), 0);
        assert_true(back <= value && value - back <= value / 100 + 1);
        assert_int_equal(units_parse_duration(units_format_duration(value, buf), &back), 0);
        assert_true(back <= value && value - back <= value / 100 + 1);
    }
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sizes_are_read_as_written),   TEST(durations_are_read_as_written),    TEST(sizes_are_written_short),
        TEST(durations_are_written_short), TEST(what_is_written_can_be_read_back),
    };

    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
