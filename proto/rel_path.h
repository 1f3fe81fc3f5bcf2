/*
 * rel_path.h - names of files below a job's work directory, as they come from somebody else: staged by a client, collected by a worker.
 *
 * Side: both. Nothing is allocated; words that are returned are constant. Who opens such a name still does so below a directory's descriptor, following nothing; this only says what may be one.
 */
#ifndef PROTO_REL_PATH_H
#define PROTO_REL_PATH_H

#include <stdbool.h>

#define REL_PATH_MAX 1024 /* bytes of the whole */
#define REL_NAME_MAX 255  /* bytes of a component */

/* NULL when path is relative, without empty, "." and ".." components and without control characters, within both bounds. Otherwise what is
 * wrong with it, to follow the name: "has a component '..'". Whether it is UTF-8 is checked where messages are decoded. */
const char *rel_path_fault(const char *path);

/* C0, DEL, or C1 (U+0080 to U+009F), which a terminal obeys just as well. text is UTF-8. */
bool text_has_control(const char *text);

#endif
