/* test_address.c - which addresses a webhook may reach: a table, with the clothes that an IPv4 address may wear in IPv6. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "address.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static bool may_reach(const struct address_nets *nets, const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (strchr(text, ':') != NULL) {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        return address_may_reach(nets, (struct sockaddr *)&v6);
    }
    assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
    return address_may_reach(nets, (struct sockaddr *)&v4);
}

static void only_the_public_internet_where_nothing_is_allowed(void **state)
{
    static const char *const public[] = {
        "1.1.1.1",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255", "100.128.0.0",     "126.255.255.255",  "128.0.0.0",
        "169.253.255.255", "169.255.0.0",     "172.15.255.255",  "172.32.0.0",     "192.167.255.255", "192.169.0.0",      "198.17.255.255",
        "198.20.0.0",      "223.255.255.255", "2606:4700::1111", "2a00::1",        "::ffff:1.1.1.1",  "64:ff9b::1.1.1.1", "2001:200::1",
    };
    static const char *const private[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "100::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "64:ff9b:1::1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
    };
    const struct address_nets none = { 0 };

    (void)state;
    for (size_t i = 0; i < LEN(public); i++)
        if (!may_reach(&none, public[i]))
            fail_msg("%s is public", public[i]);
    for (size_t i = 0; i < LEN(private); i++)
        if (may_reach(&none, private[i]))
            fail_msg("%s is not public", private[i]);
}

static void what_is_allowed_is_reached_beside_it_and_no_more(void **state)
{
    static const struct {
        const char *net, *in, *out;
    } rows[] = {
        {"127.0.0.0/8",     "127.255.0.1",       "10.0.0.1"         },
        { "127.0.0.1",      "127.0.0.1",         "127.0.0.2"        },
        { "10.1.0.0/16",    "10.1.255.255",      "10.2.0.0"         },
        { "10.1.0.0/17",    "10.1.127.255",      "10.1.128.0"       },
        { "10.1.0.0/16",    "::ffff:10.1.0.1",   "::ffff:10.2.0.1"  },
        { "10.1.0.0/16",    "64:ff9b::10.1.0.1", "64:ff9b::10.2.0.1"},
        { "fd00::/8",       "fd12::1",           "fc00::1"          },
        { "::1",            "::1",               "127.0.0.1"        },
        { "192.168.7.7/32", "192.168.7.7",       "192.168.7.6"      },
        { "0.0.0.0/0",      "127.0.0.1",         "::1"              },
    };

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct address_nets nets = { 0 };

        assert_int_equal(address_allow(&nets, rows[i].net), 0);
        if (!may_reach(&nets, rows[i].in) || may_reach(&nets, rows[i].out) || !may_reach(&nets, "1.1.1.1"))
            fail_msg("%s", rows[i].net);
    }
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "10",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/8x",
        "::/129",
        "x/8",
        "/8",
        "10.0.0.256",
        "10.0.0.0//8",
        "localhost",
        "::1%lo",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
    };
    struct address_nets nets = { 0 };
    const struct sockaddr_un other = { .sun_family = AF_UNIX, .sun_path = "/run/x" };

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++)
        if (address_allow(&nets, rows[i]) != -EINVAL)
            fail_msg("'%s' was taken", rows[i]);
    assert_int_equal(nets.n, 0);
    for (int i = 0; i < ADDRESS_NETS; i++)
        assert_int_equal(address_allow(&nets, "10.0.0.0/8"), 0);
    assert_int_equal(address_allow(&nets, "11.0.0.0/8"), -E2BIG);
    assert_false(address_may_reach(&nets, (const struct sockaddr *)&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_public_internet_where_nothing_is_allowed),
        cmocka_unit_test(what_is_allowed_is_reached_beside_it_and_no_more),
        cmocka_unit_test(what_is_no_network_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
