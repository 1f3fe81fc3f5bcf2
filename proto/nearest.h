/*
 * nearest.h - "did you mean": the known word closest to what a user typed.
 *
 * Side: both. Returns an element of words (NULL-terminated), or NULL when none is close.
 */
#ifndef PROTO_NEAREST_H
#define PROTO_NEAREST_H

const char *nearest_word(const char *typed, const char *const *words);

#endif
