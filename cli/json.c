/* json.c - see json.h. */
#include "cli/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coop/exit_codes.h>

json_t *json_text(const char *text, size_t len)
{
    return json_of_text(text, len);
}

/* Names of the codes, as in control.proto's ErrorCode where it has one. */
/* clang-format off */
static const struct {
    int exit_code;
    const char *name;
} code_names[] = {
    { COOP_EXIT_USAGE,          "usage" },
    { COOP_EXIT_TEMPORARY,      "temporary" },
    { COOP_EXIT_PROTOCOL,       "protocol" },
    { COOP_EXIT_PERMISSION,     "permission" },
    { COOP_EXIT_CONFIG,         "config" },
    { COOP_EXIT_QUOTA,          "quota" },
    { COOP_EXIT_NOT_FOUND,      "not_found" },
    { COOP_EXIT_CONFLICT,       "conflict" },
    { COOP_EXIT_TIME_LIMIT,     "timeout" },
    { COOP_EXIT_NOT_EXECUTABLE, "not_executable" },
    { COOP_EXIT_PROGRAM_MISSING, "program_missing" },
};
/* clang-format on */

json_t *json_error(const struct coop_error *e)
{
    const char *name = "internal";
    json_t *doc = json_named("Error");

    for (size_t i = 0; i < sizeof(code_names) / sizeof(code_names[0]); i++)
        if (code_names[i].exit_code == e->exit_code)
            name = code_names[i].name;
    json_object_set_new(doc, "code", json_string(name));
    json_object_set_new(doc, "message", json_text(e->message, strlen(e->message)));
    json_object_set_new(doc, "hint", json_text(e->hint, strlen(e->hint)));
    json_object_set_new(doc, "exit_code", json_integer(e->exit_code));
    return doc;
}

json_t *json_log_chunk(const char *stream, uint64_t offset, const void *data, size_t len)
{
    json_t *doc = json_named("LogChunk");
    int text = json_is_text(data, len);

    json_object_set_new(doc, "stream", json_string(stream));
    json_object_set_new(doc, "offset", json_of_unsigned(offset));
    json_object_set_new(doc, "data", text ? json_stringn(data, len) : json_of_base64(data, len));
    json_object_set_new(doc, "encoding", json_string(text ? "utf8" : "base64"));
    return doc;
}

int json_print(json_t *doc)
{
    char *line = doc != NULL ? json_dumps(doc, JSON_ENSURE_ASCII) : NULL;
    int rc;

    json_decref(doc);
    if (line == NULL)
        return -ENOMEM;
    rc = puts(line) < 0 || fflush(stdout) != 0 ? -errno : 0;
    free(line);
    return rc;
}
