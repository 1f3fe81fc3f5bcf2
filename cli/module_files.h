/*
 * module_files.h - what --file says of a script's job: a file, or a directory, which is every file below it.
 *
 * Side:    host (CLI).
 * Owned:   the names belong to the spec (spec_own()).
 * Returns: 0 or -errno with why filled in.
 */
#ifndef CLI_MODULE_FILES_H
#define CLI_MODULE_FILES_H

#include "cli/args.h"
#include "cli/submit_spec.h"

struct module_file {
    const char *path; /* here */
    const char *name; /* inside */
};

struct module_files {
    struct module_file *items; /* the spec's too */
    size_t n;                  /* at most LIMITS_MODULE_N: more are refused */
};

/* In their order, those of a directory by their names. What begins with '.', __pycache__, links and devices are left out of one. */
int module_files_list(struct spec *s, const struct text_list *files, struct module_files *ret, struct coop_error *why);

#endif
