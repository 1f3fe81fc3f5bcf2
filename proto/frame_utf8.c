/* frame_utf8.c - the part of frame.h that needs no protobuf, for those who are linked without it. */
#include "frame.h"

int frame_is_utf8(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + len;

    while (p < end) {
        unsigned c = *p++, follow, min;

        if (c < 0x80)
            continue;
        if (c >= 0xc2 && c <= 0xdf)
            follow = 1, min = 0x80, c &= 0x1f;
        else if (c >= 0xe0 && c <= 0xef)
            follow = 2, min = 0x800, c &= 0x0f;
        else if (c >= 0xf0 && c <= 0xf4)
            follow = 3, min = 0x10000, c &= 0x07;
        else
            return 0;
        for (; follow > 0; follow--) {
            if (p == end || (*p & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (*p++ & 0x3f);
        }
        if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
    }
    return 1;
}
