/*
 * frames.h - the module's calls on a stack, as text: "    counter.so+0x1234" a line. No symbols: looking them up takes the loader's lock,
 * and addr2line -e FILE ADDRESS knows them.
 *
 * Side: worker. By frame pointers, as far as they lie within bounds that are known. Async-signal-safe.
 */
#ifndef NATIVE_FRAMES_H
#define NATIVE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct frames {
    char *text; /* always ends with a NUL */
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) void frames_add(struct frames *f, const char *fmt, ...);
/* One line, when the address lies in the module. */
void frames_place(struct frames *f, uintptr_t ip);
/* Of the frames from bp on that lie between low and high. */
void frames_walk(struct frames *f, uintptr_t bp, uintptr_t low, uintptr_t high);

/* Of the running tasklet's, from this frame of its own on. main_top: where main's stack was when the tenant's code began. */
void frames_here(struct frames *f, const void *frame);
void frames_main_top(const void *main_top);

#endif
