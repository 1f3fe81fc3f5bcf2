/*
 * lib.h - a file of lib/ as a constant of the program: lib_NAME, with a NUL behind it.
 *
 * Side: worker.
 */
#ifndef PYTHON_LIB_H
#define PYTHON_LIB_H

/* Between two labels. */
#define LIB_FILE(name)                                                                                                                     \
    __asm__(".section .rodata\n"                                                                                                           \
            ".hidden lib_" #name "\n"                                                                                                      \
            ".globl lib_" #name "\n"                                                                                                       \
            "lib_" #name ":\n"                                                                                                             \
            ".incbin \"worker/engines/python/lib/" #name ".py\"\n"                                                                         \
            ".byte 0\n"                                                                                                                    \
            ".previous\n");                                                                                                                \
    extern const char lib_##name[] __attribute__((visibility("hidden")))

#endif
