/* spec_keys.c - the job file's names (spec_file.h), where they are not those of proto/job.proto: one row each. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "array_range.h"
#include "cli/spec_file.h"
#include "job_words.h"

#define JOB(name, ...)                                                                                                                     \
    {                                                                                                                                      \
        .of = &pb__job_spec__descriptor, .key = (name), __VA_ARGS__                                                                        \
    }
#define LIMIT(name, ...)                                                                                                                   \
    {                                                                                                                                      \
        .of = &pb__limits__descriptor, .key = (name), __VA_ARGS__                                                                          \
    }
#define SCHEDULE(name, ...)                                                                                                                \
    {                                                                                                                                      \
        .of = &pb__schedule__descriptor, .key = (name), __VA_ARGS__                                                                        \
    }
#define BACKOFF(name, ...)                                                                                                                 \
    {                                                                                                                                      \
        .of = &pb__backoff__descriptor, .key = (name), __VA_ARGS__                                                                         \
    }
#define RETENTION(name, ...)                                                                                                               \
    {                                                                                                                                      \
        .of = &pb__retention__descriptor, .key = (name), __VA_ARGS__                                                                       \
    }

/* ---- short forms ------------------------------------------------------------------------------------------------------------------ */

/* The words of job_words.h cut their text, which is the document's: a copy is cut. */
static char *copy_of(struct yaml_reader *r, const struct yaml_node *n)
{
    char *copy = yaml_alloc(r->doc, n->len + 1);

    if (copy != NULL)
        memcpy(copy, n->text, n->len);
    return copy;
}

static int short_form(struct yaml_reader *r, const char *name, const struct yaml_node *n, char **ret)
{
    const char *text;
    int rc = yaml_read_text(r, name, n, &text);

    if (rc != 0)
        return rc;
    *ret = copy_of(r, n);
    return *ret != NULL ? 0 : yaml_refuse(r->why, ENOMEM, NULL, "out of memory");
}

static int after_from_text(struct yaml_reader *r, const char *name, const struct yaml_node *n, ProtobufCMessage *item)
{
    char why[JOB_WORDS_WHY], *text;
    int rc = short_form(r, name, n, &text);

    if (rc == 0 && job_after_read(text, (Pb__Dependency *)item, why) != 0)
        return yaml_refuse(r->why, EINVAL, n, "%s: %s", name, why);
    return rc;
}

static int after_to_text(const ProtobufCMessage *item, char *buf, size_t size)
{
    return job_after_write((const Pb__Dependency *)item, buf, size);
}

static int array_from_text(struct yaml_reader *r, const char *name, const struct yaml_node *n, ProtobufCMessage *item)
{
    char why[ARRAY_RANGE_WHY];
    const char *text;
    int rc = yaml_read_text(r, name, n, &text);

    if (rc == 0 && array_range_parse(text, (Pb__ArrayRange *)item, why) != 0)
        return yaml_refuse(r->why, EINVAL, n, "%s: %s", name, why);
    return rc;
}

static int array_to_text(const ProtobufCMessage *item, char *buf, size_t size)
{
    char words[ARRAY_RANGE_WHY], text[ARRAY_RANGE_TEXT];

    if (((const Pb__ArrayRange *)item)->step == 0 || array_range_check((const Pb__ArrayRange *)item, words) != 0)
        return -EINVAL; /* read back, the step would be 1 */
    snprintf(buf, size, "%s", array_range_format((const Pb__ArrayRange *)item, text));
    return 0;
}

static int limiter_from_text(struct yaml_reader *r, const char *name, const struct yaml_node *n, ProtobufCMessage *item)
{
    char why[JOB_WORDS_WHY], *text;
    int rc = short_form(r, name, n, &text);

    if (rc == 0 && job_limiter_read(text, (Pb__LimiterUse *)item, why) != 0)
        return yaml_refuse(r->why, EINVAL, n, "%s: %s", name, why);
    return rc;
}

static int limiter_to_text(const ProtobufCMessage *item, char *buf, size_t size)
{
    return job_limiter_write((const Pb__LimiterUse *)item, buf, size);
}

/* ---- the table --------------------------------------------------------------------------------------------------------------------- */

#define BY_BROKER "it is set by the broker"

/* clang-format off */
const struct yaml_key spec_file_keys[] = {
    /* What is run. */
    JOB("engine",          .field = "engine", .read = spec_file_engine),
    JOB("code",            .read = spec_file_code),
    JOB("code.name",       .field = "source_name"),
    JOB("code.file",       .read = spec_file_code_file),
    JOB("code.source",     .field = "source", .read = spec_file_code_source),
    JOB("code.blob",       .refused = "nothing is kept by its hash yet; send the file by 'file'"),
    JOB("source",          .read = spec_file_code_source),
    JOB("program",         .field = "program", .read = spec_file_program),
    JOB("args",            .field = "args", .read = spec_file_args),
    JOB("argv",            .read = spec_file_argv),
    JOB("env",             .field = "env", .pair_key = "name", .pair_value = "value"),
    JOB("stdin",           .read = spec_file_stdin),
    JOB("policy",          .field = "policy", .read = spec_file_policy),
    JOB("files",           .field = "files", .read = spec_file_files),
    JOB("tty",             .field = "tty", .refused = "a terminal is somebody's who looks on: coop run --tty"),
    JOB("cwd",             .refused = "a program begins in /work, its own directory"),
    JOB("mounts",          .refused = "no directory of the host is shown to a job; 'files' sends files, 'outputs' collects what it made"),
    JOB("secrets",         .refused = "there is no place that keeps secrets from those who may read the job; give it a file by 'files', or a capability kv=..."),

    /* What it is. */
    JOB("labels",          .field = "labels", .pair_key = "key", .pair_value = "value"),
    JOB("trace",           .field = "traceparent"),
    JOB("notify.webhook",  .field = "webhooks"),
    JOB("notify.channel",  .refused = "there are no channels to the outside; coop events -f tells what happens"),
    JOB("id",              .refused = BY_BROKER),
    JOB("tenant",          .field = "tenant", .refused = BY_BROKER ", by who submits it"),
    JOB("user",            .field = "user", .refused = BY_BROKER ", by who submits it"),
    JOB("limits_asked",    .field = "limits_asked", .refused = BY_BROKER),
    JOB("builds",          .field = "builds", .refused = BY_BROKER "; templates are made by coop template build"),
    JOB("array_index",     .field = "array_index", .refused = BY_BROKER ", in each task of 'schedule.array'"),
    JOB("array_id",        .field = "array_id", .refused = BY_BROKER ", in each task of 'schedule.array'"),

    LIMIT("cpu_time",      .field = "cpu_us"),
    LIMIT("wall_time",     .field = "wall_us"),
    LIMIT("idle_timeout",  .field = "idle_us"),
    LIMIT("memory",        .field = "memory_bytes"),
    LIMIT("stdout",        .field = "stdout_bytes"),
    LIMIT("stderr",        .field = "stderr_bytes"),
    LIMIT("file_size",     .field = "file_bytes"),
    LIMIT("disk",          .field = "disk_bytes"),
    LIMIT("result",        .field = "result_bytes"),
    LIMIT("cpu",           .field = "cpu_us"),
    LIMIT("wall",          .field = "wall_us"),
    LIMIT("idle",          .field = "idle_us"),
    LIMIT("swap",          .refused = "a job has none: what it holds is in memory, and counts there"),
    LIMIT("start_timeout", .refused = "how long a worker may take to start is the broker's to say"),
    LIMIT("grace",         .refused = "how long a cancelled job has is the broker's to say"),
    LIMIT("cpu_share",     .refused = "shares are those of tenants; between its jobs class and priority decide"),
    LIMIT("syscalls",      .refused = "calls are an engine's policy; rows that are added to it stand in 'policy' of the job"),

    SCHEDULE("not_before", .field = "not_before_us", .unit = YAML_WHEN),
    SCHEDULE("deadline",   .field = "deadline_us", .unit = YAML_WHEN),
    SCHEDULE("not_before_in", .field = "not_before_in_us"),
    SCHEDULE("deadline_in", .field = "deadline_in_us"),
    SCHEDULE("after",      .field = "after", .from_text = after_from_text, .to_text = after_to_text),
    SCHEDULE("array",      .field = "array", .from_text = array_from_text, .to_text = array_to_text),
    SCHEDULE("limiter",    .field = "limiters", .from_text = limiter_from_text, .to_text = limiter_to_text),
    SCHEDULE("placement",  .refused = "there is one broker, on one machine"),

    BACKOFF("base",        .field = "base_us"),
    BACKOFF("max",         .field = "max_us"),

    RETENTION("result_ttl", .field = "result_us"),
    RETENTION("log_ttl",    .field = "log_us"),

    { .of = NULL },
};
/* clang-format on */
