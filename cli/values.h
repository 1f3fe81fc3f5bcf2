/*
 * values.h - typed values on a command line and on standard output: JSON, by coop/value_json.h, and messages, by libcoop.
 *
 * Side:    host (CLI). What comes back may be a tenant's words: it is printed as ASCII.
 * Returns: 0, or the exit code after having said why.
 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include <jansson.h>

#include "calls.pb-c.h"
#include "cli/args.h"
#include "coop/value.h"
#include "frame.h"

/* A value as it is sent; values_finish() frees it. A long one lies in a buffer, which goes with our session. */
struct values {
    struct frame frame;
    Pb__Value *value; /* in it */
};

/* A list: each argument is JSON when it parses as that, else text. */
int values_of_args(const struct command *c, struct coop_client *client, char **args, int n, struct values *ret);
/* A map of NAME=VALUE. */
int values_of_names(const struct command *c, struct coop_client *client, char **args, int n, struct values *ret);
void values_finish(struct values *v);

/* One value for each argument. */
struct values_each {
    struct values *all;
    Pb__Value **list;
    size_t n;
};
int values_each_arg(const struct command *c, struct coop_client *client, char **args, int n, struct values_each *ret);
void values_each_finish(struct values_each *e);

/* A line of JSON. With --json a coop.CallResult/1 that has it as "value". print_null: also when it is null. */
int values_print(const struct command *c, struct coop_client *client, const Pb__CallResult *r, bool print_null);
/* As "value" of an object, instead of what is there. */
int values_into(const struct command *c, struct coop_client *client, const Pb__Value *v, json_t *object);
int values_print_one(const struct command *c, struct coop_client *client, const Pb__Value *v);

#endif
