/*
 * rel_path.h - names of files below a job's work directory, as they come from somebody else: staged by a client, collected by a worker.
 *
 * Side: both. Who opens such a name still does so below a directory's descriptor, following nothing; this only says what may be one.
 */
#ifndef PROTO_REL_PATH_H
#define PROTO_REL_PATH_H

#define REL_PATH_MAX 1024 /* bytes of the whole */
#define REL_NAME_MAX 255  /* bytes of a component */

/* NULL when path is relative, without empty, "." and ".." components and without control characters, within both bounds. Otherwise what is
 * wrong with it, to follow the name: "has a component '..'". Whether it is UTF-8 is checked where messages are decoded. */
const char *rel_path_fault(const char *path);

#endif
