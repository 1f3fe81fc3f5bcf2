/*
 * config_file.h - coopd's configuration file: one YAML mapping, read entry by entry.
 *
 * Side:    broker, before it has begun or at SIGHUP. The file is its administrator's: a mistake in it is named with line and column.
 * Bounded: CONFIG_FILE_MAX bytes, CONFIG_FILE_KEYS keys; anchors, aliases, tags and several documents are refused: nothing here needs them.
 * Returns: 0, -errno when the file cannot be read, -EINVAL with a sentence in why ("FILE:LINE:COLUMN: ...").
 */
#ifndef BROKER_CONFIG_FILE_H
#define BROKER_CONFIG_FILE_H

#include <stddef.h>

#define CONFIG_FILE_MAX  (256u << 10)
#define CONFIG_FILE_KEYS 256
#define CONFIG_WHY       512

/* "key: value"; of "key: [a, b]" one for each item; of "key: {a: b}" one for each pair, with the value "a=b". Texts are valid during the call. */
struct config_entry {
    const char *key, *value;
};

/* fn: 0, or with a sentence in why, before which the place is put, -EINVAL (that of the value) or -ENOENT (that of the key). */
typedef int (*config_entry_fn)(void *ctx, const struct config_entry *e, char why[CONFIG_WHY]);

int config_file_read(const char *path, config_entry_fn fn, void *ctx, char why[CONFIG_WHY]);

#endif
