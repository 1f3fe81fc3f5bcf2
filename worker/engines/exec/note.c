/* note.c - see note.h. */
#include "worker/engines/exec/note.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

void note_begin(struct note *n, char *text, size_t size)
{
    *n = (struct note){ .text = text, .size = size };
    text[0] = '\0';
}

void note_add(struct note *n, const char *name, const char *format, ...)
{
    char safe[NOTE_NAME], line[2 * NOTE_NAME];
    size_t len = (size_t)snprintf(line, sizeof(line), "%s", n->used > 0 ? "\n" : "");
    va_list ap;

    if (name[0] != '\0') {
        log_escape(safe, sizeof(safe), name, strlen(name));
        len += (size_t)snprintf(line + len, sizeof(line) - len, "%s: ", safe);
    }
    va_start(ap, format);
    vsnprintf(line + len, sizeof(line) - len, format, ap);
    va_end(ap);
    len = strlen(line);
    if (n->left_out > 0 || n->used + len + NOTE_TAIL >= n->size) {
        n->left_out++;
        return;
    }
    memcpy(n->text + n->used, line, len + 1);
    n->used += len;
}

void note_end(struct note *n)
{
    if (n->left_out > 0)
        snprintf(n->text + n->used, n->size - n->used, "%sand %u more", n->used > 0 ? "\n" : "", n->left_out);
}
