/* test_errand_id.c - an errand that cannot be taken is still answered: its id is found in whatever came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "courier/errands.h"

static size_t pack(uint64_t id, size_t body, uint8_t **ret)
{
    Pb__ToCourier m = PB__TO_COURIER__INIT;
    Pb__Errand e = PB__ERRAND__INIT;
    size_t len;

    e.id = id;
    e.url = (char *)"http://h/";
    e.body = (ProtobufCBinaryData){ body, calloc(1, body + 1) };
    m.body_case = PB__TO_COURIER__BODY_ERRAND;
    m.errand = &e;
    *ret = malloc(protobuf_c_message_get_packed_size(&m.base));
    len = protobuf_c_message_pack(&m.base, *ret);
    free(e.body.data);
    return len;
}

static void it_is_found_in_a_whole_one_and_in_its_beginning(void **state)
{
    static const uint64_t ids[] = { 1, 127, 128, 1782000000000000, UINT64_MAX };
    static const size_t bodies[] = { 0, 200, 300000 };

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        for (size_t k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++) {
            uint8_t *bytes;
            size_t len = pack(ids[i], bodies[k], &bytes);

            assert_true(errand_id(bytes, len) == ids[i]);
            assert_true(errand_id(bytes, len < 64 ? len : 64) == ids[i]);
            for (size_t n = 0; n < 4; n++) {
                uint8_t *exact = malloc(n + 1);

                memcpy(exact, bytes, n);
                assert_true(n > 2 || errand_id(exact, n) == 0);
                free(exact);
            }
            free(bytes);
        }
}

static void nothing_is_found_where_there_is_none(void **state)
{
    static const uint8_t endless[16] = { 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x08, 0x01 };
    static const uint8_t other[] = { 0x12, 0x02, 0x08, 0x01 }, no_id[] = { 0x0a, 0x02, 0x12, 0x00 };

    (void)state;
    assert_true(errand_id(endless, sizeof(endless)) == 0);
    assert_true(errand_id(other, sizeof(other)) == 0);
    assert_true(errand_id(no_id, sizeof(no_id)) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_found_in_a_whole_one_and_in_its_beginning),
        cmocka_unit_test(nothing_is_found_where_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
