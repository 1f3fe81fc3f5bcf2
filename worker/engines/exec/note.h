/*
 * note.h - a bounded text for people, of sentences about a hostile tree's names: escaped, cut where it is full, and the rest counted.
 *
 * Side: worker (init).
 */
#ifndef WORKER_ENGINES_EXEC_NOTE_H
#define WORKER_ENGINES_EXEC_NOTE_H

#include <stddef.h>

enum { NOTE_NAME = 200, NOTE_TAIL = 48 };

struct note {
    char *text; /* NUL-terminated; the caller's */
    size_t size, used;
    unsigned left_out;
};

void note_begin(struct note *n, char *text, size_t size);

/* One line: a name as it is on disk, and what there is to say of it. */
__attribute__((format(printf, 3, 4))) void note_add(struct note *n, const char *name, const char *format, ...);

/* Says how many found no room. */
void note_end(struct note *n);

#endif
