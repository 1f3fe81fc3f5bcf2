/*
 * text.h - words of a job or a peer, made fit for a terminal and for JSON.
 *
 * Side: host (CLI). Whoever wrote the text may want to move the cursor, hide a line or turn the reading direction.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/*
 * Copies text into buf (at most size - 1 bytes): printable UTF-8 as it is; control characters (C0, DEL, C1), direction marks, line
 * separators and bytes that are not UTF-8 as \xNN. Returns buf. Job output itself never comes this way: it is byte-exact.
 */
char *text_safe(char *buf, size_t size, const void *text, size_t len);
char *text_safe_str(char *buf, size_t size, const char *text);

/* Length of the well-formed UTF-8 character at p (1..4), or 0. */
size_t text_char_len(const char *p, size_t len);

/* Made fit and as wide as width: cut, or filled up with blanks; a character counts as one column. */
void text_cell(FILE *out, const char *text, size_t width);

#endif
