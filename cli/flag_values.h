/*
 * flag_values.h - the values of flags, read and refused: the functions of flag_table's rows.
 *
 * Side:    host (CLI). Text is as typed, and lives as long as argv.
 * Returns: 0 or -EINVAL with why filled in, which names the flag (exit code 2; 79 for a limit above its maximum).
 */
#ifndef CLI_FLAG_VALUES_H
#define CLI_FLAG_VALUES_H

#include <errno.h>

#include "cli/args.h"
#include <coop/exit_codes.h>

#define flag_refuse(why, ...) coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)

/* Adds a borrowed string; command_finish() frees the list. */
int flag_list_add(struct text_list *l, const char *item, struct coop_error *why);

/* Digits and nothing else, 1 to max. */
bool flag_is_count(const char *text, unsigned long max, uint32_t *ret);

int flag_read_limit(struct options *o, const char *text, struct coop_error *why);
int flag_read_env(struct options *o, const char *text, struct coop_error *why);
int flag_read_file(struct options *o, const char *text, struct coop_error *why);
int flag_read_output(struct options *o, const char *text, struct coop_error *why);
int flag_read_grant(struct options *o, const char *text, struct coop_error *why);
int flag_read_cap(struct options *o, const char *text, struct coop_error *why);
int flag_read_require(struct options *o, const char *text, struct coop_error *why);
/* python.c */
int flag_read_module(struct options *o, const char *text, struct coop_error *why);
int flag_read_name(struct options *o, const char *text, struct coop_error *why);
int flag_read_on_output_limit(struct options *o, const char *text, struct coop_error *why);
int flag_read_timeout(struct options *o, const char *text, struct coop_error *why);
int flag_read_count(struct options *o, const char *text, struct coop_error *why);
int flag_read_max_items(struct options *o, const char *text, struct coop_error *why);
int flag_read_max_children(struct options *o, const char *text, struct coop_error *why);
int flag_read_max_bytes(struct options *o, const char *text, struct coop_error *why);
int flag_read_states(struct options *o, const char *text, struct coop_error *why);

/* flag_jobs.c */
int flag_read_label(struct options *o, const char *text, struct coop_error *why);
int flag_read_since(struct options *o, const char *text, struct coop_error *why);
int flag_read_at(struct options *o, const char *text, struct coop_error *why);
int flag_read_deadline(struct options *o, const char *text, struct coop_error *why);
int flag_read_priority(struct options *o, const char *text, struct coop_error *why);
int flag_read_class(struct options *o, const char *text, struct coop_error *why);
int flag_read_after(struct options *o, const char *text, struct coop_error *why);
int flag_read_drop_after(struct options *o, const char *text, struct coop_error *why);
int flag_read_host(struct options *o, const char *text, struct coop_error *why);
int flag_read_days(struct options *o, const char *text, struct coop_error *why);
int flag_read_array(struct options *o, const char *text, struct coop_error *why);
int flag_read_sort(struct options *o, const char *text, struct coop_error *why);

#endif
