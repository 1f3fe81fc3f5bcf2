/*
 * spec_file.h - a job file (YAML or JSON, docs/jobs.md) as what a command line says, so that both come to a spec by one way.
 *
 * Side:    host (CLI).
 * Owned:   all of it belongs to the spec; spec_finish() frees it.
 * Returns: 0 or -errno with why: "FILE:LINE:COLUMN: what is wrong" (exit code 2; 79 when it is too large).
 */
#ifndef CLI_SPEC_FILE_H
#define CLI_SPEC_FILE_H

#include "cli/submit_spec.h"
#include "yaml_message.h"

#define SPEC_FILE_MAX (16u << 20) /* bytes of a job file; what is larger is refused before it is in memory */

/*
 * Reads the file that -f names. s->pb gets what only a file or the plan's flags say (labels, schedule, retries ...); *ret_as is the command with
 * what both say: program, arguments, engine, limits, variables, files. Flags win over the file; variables, limits, files, outputs
 * and capabilities are added to it. What the words of the command line are for the job's arguments, they replace the file's.
 */
int spec_file_load(const struct command *c, struct spec *s, struct command *ret_as, struct coop_error *why);

/* What is on its way from the file to the command. Strings live as long as the spec. */
struct spec_file {
    const char *dir; /* of the job file, with its slash; "" here */
    struct spec *spec;
    const char *code_path;           /* NULL: none */
    const struct yaml_node *code_at; /* where what is to run was said; NULL: nowhere */
    const char *stdin_path, *policy_path;
    const char **files; /* as --file has them */
    size_t n_files;
    struct coop_error *why;
};

extern const struct yaml_key spec_file_keys[];

/* The values that are read by hand: rows of spec_file_keys. */
int spec_file_engine(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_code(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_code_file(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_code_source(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_program(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_args(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_argv(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_stdin(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_policy(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
int spec_file_files(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);

#endif
