/*
 * config_own.h - what config.c (the command line, the file, the directories) and config_options.c (the options) share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_CONFIG_OWN_H
#define BROKER_CONFIG_OWN_H

#include <stddef.h>

#include "broker/config.h"
#include "broker/config_file.h"

enum option_kind {
    OPT_TEXT,
    OPT_COUNT,
    OPT_TIME,
    OPT_FD,
    OPT_LEVEL,
    OPT_CHOICE,
    OPT_DIRS,
    OPT_NETS,
    OPT_UIDS,
    OPT_CONFIG,
    OPT_CHECK,
    OPT_DOCTOR,
    OPT_HELP,
    OPT_VERSION
};
/* ALONE: of the command line only. FIXED: in the file too, for a broker that starts. RELOAD: a running broker takes it at SIGHUP. */
enum option_place { ALONE, FIXED, RELOAD };

struct option_row {
    const char *name;
    enum option_kind kind;
    enum option_place place;
    size_t offset, size;
    const char *argument, *help;
};
extern const struct option_row config_options[];
extern const size_t config_options_count;

/* What --check looks at beyond the words: addresses, files, users, directories, tenants. Told on stderr. -EBADF: a start would be refused. */
int config_look(const struct config *c);

/* By "--name". NULL: none, and why names the nearest. */
const struct option_row *config_option(const char *name, char why[CONFIG_WHY]);
/* -EINVAL with a sentence in why that does not name the option. */
int config_set(struct config *c, const struct option_row *o, const char *value, char why[CONFIG_WHY]);
/* Whether both have the same there. */
int config_same(const struct config *a, const struct config *b, const struct option_row *o);
/* "key: value" as the file takes it, a line for each item of a list; nothing where it is not set. */
void config_print(const struct config *c, const struct option_row *o);

#endif
