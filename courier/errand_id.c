/* errand_id.c - see errands.h: who is to be answered when an errand cannot be read. */
#include "courier/errands.h"

enum { TAG_ERRAND = 1 << 3 | 2, TAG_ID = 1 << 3 };

/* How many bytes it has; 0: it is none. */
static size_t take_varint(const uint8_t *bytes, size_t len, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < len && i < 10; i++) {
        *ret |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
        if ((bytes[i] & 0x80) == 0)
            return i + 1;
    }
    return 0;
}

uint64_t errand_id(const uint8_t *bytes, size_t len)
{
    uint64_t id;
    size_t at;

    if (len == 0 || bytes[0] != TAG_ERRAND)
        return 0;
    at = take_varint(bytes + 1, len - 1, &id); /* its length */
    if (at == 0 || ++at >= len || bytes[at] != TAG_ID)
        return 0;
    at++;
    return take_varint(bytes + at, len - at, &id) != 0 ? id : 0;
}
