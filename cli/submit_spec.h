/*
 * submit_spec.h - a JobSpec from the command line: what is to run (program.h), its arguments, variables, files and input.
 *
 * Side:    host (CLI).
 * Owned:   spec_finish() frees what spec_make() read; strings of argv are borrowed.
 * Returns: 0 or -errno with why filled in (exit code 2; 79 when something is larger than its named bound; 126 and 127 for what is to run).
 */
#ifndef CLI_SUBMIT_SPEC_H
#define CLI_SUBMIT_SPEC_H

#include "cli/args.h"
#include "job_limits.h"
#include "yaml_tree.h"

struct spec {
    Pb__JobSpec pb;
    char source_name[LIMITS_NAME + 1];
    Pb__TtySize tty;
    Pb__Limits limits;
    void **owned; /* blocks to free */
    size_t n_owned;
    bool script_from_stdin;
    /* Of a job file (spec_file.h). */
    struct yaml_doc doc;
    const char *stdin_path;            /* what streams into it with run: --stdin, or the file's */
    ProtobufCBinaryData inline_source; /* data NULL: there is none */
    Pb__StagedFile **inline_files;     /* whose bytes stand in it */
    size_t n_inline_files;
};

/* stdin_inline: read --stdin into the spec (submit); else the caller streams it, and sets pb.stdin_mode. */
int spec_make(const struct command *c, bool stdin_inline, struct spec *ret, struct coop_error *why);
/* Of an interpreter or a template: what --run names is its source; there are no arguments and no input. */
int spec_make_interp(const struct command *c, struct spec *ret, struct coop_error *why);
void spec_finish(struct spec *s);

#endif
