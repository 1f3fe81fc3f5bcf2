/* text.c - see text.h. */
#include "cli/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frame.h"

size_t text_char_len(const char *p, size_t len)
{
    unsigned char c = len > 0 ? (unsigned char)*p : 0xff;
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

    return n <= len && frame_is_utf8(p, n) ? n : 0;
}

/* Characters that change what a reader sees elsewhere: C0, DEL, C1; U+200E-200F, U+2028-202E, U+2066-2069; U+FEFF. */
static bool is_trick(const unsigned char *p, size_t n)
{
    if (n == 1)
        return p[0] < 0x20 || p[0] == 0x7f;
    if (n == 2)
        return p[0] == 0xc2 && p[1] < 0xa0;
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x80)
        return p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae);
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x81)
        return p[2] >= 0xa6 && p[2] <= 0xa9;
    return n == 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf;
}

char *text_safe(char *buf, size_t size, const void *text, size_t len)
{
    const char *p = text;
    size_t used = 0;

    for (size_t i = 0; i < len;) {
        size_t n = text_char_len(p + i, len - i);
        bool plain = n > 0 && !is_trick((const unsigned char *)p + i, n);

        if (n == 0)
            n = 1;
        if (used + (plain ? n : 4 * n) >= size)
            break;
        if (plain)
            memcpy(buf + used, p + i, n), used += n;
        else
            for (size_t k = 0; k < n; k++)
                used += (size_t)sprintf(buf + used, "\\x%02x", (unsigned char)p[i + k]);
        i += n;
    }
    buf[used] = '\0';
    return buf;
}

char *text_safe_str(char *buf, size_t size, const char *text)
{
    return text_safe(buf, size, text, strlen(text));
}

void text_cell(FILE *out, const char *text, size_t width)
{
    char safe[1024];
    size_t at = 0, columns = 0, len;

    text_safe_str(safe, sizeof(safe), text);
    len = strlen(safe);
    while (at < len && columns < width) {
        size_t n = text_char_len(safe + at, len - at);

        at += n > 0 ? n : 1;
        columns++;
    }
    fprintf(out, "%.*s%*s", (int)at, safe, (int)(width - columns), "");
}
