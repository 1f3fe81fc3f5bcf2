/*
 * json_text.h - writes a text as a JSON string: for those who print a line or two of JSON and need no library for it.
 *
 * Side:    both (coopd --doctor, coop-worker --probe). The text may be anything, a directory's name, say: it is UTF-8 or it is not; then each
 *          byte above 0x7f is written as the character of its number, and the line is JSON all the same.
 * Returns: nothing; what went wrong with the stream, it knows.
 */
#ifndef PROTO_JSON_TEXT_H
#define PROTO_JSON_TEXT_H

#include <stdio.h>

void json_text(FILE *to, const char *text);

#endif
