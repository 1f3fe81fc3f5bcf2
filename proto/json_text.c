/* json_text.c - see json_text.h. */
#include "json_text.h"

#include <stdbool.h>
#include <string.h>

#include "frame.h"

void json_text(FILE *to, const char *text)
{
    bool utf8 = frame_is_utf8(text, strlen(text));

    fputc('"', to);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < 0x20 || c == 0x7f || (c > 0x7f && !utf8))
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}
