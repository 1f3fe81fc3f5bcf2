/* program_parts.c - see program_parts.h. */
#include "cli/program_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/spec_read.h"
#include "cli/terminal.h"
#include "frame.h"
#include "job_caps.h"
#include "job_files.h"

#include <coop/exit_codes.h>

enum { MODE_FILE = 0644, MODE_PROGRAM = 0755 };

#define refuse(why, ...) coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)

/* A check of the broker's, made here: its refusal as ours. */
static int as_the_broker(int rc, const char *words, struct coop_error *why)
{
    return rc == 0 ? 0 : coop_error_set(why, -rc, rc == -EDQUOT ? COOP_EXIT_QUOTA : COOP_EXIT_USAGE, "%s", words);
}

/* ---- staged files ---------------------------------------------------------------------------------------------------------------- */

struct staged_words { /* HOST[:NAME[:MODE]] taken apart */
    char *host;
    const char *name, *mode; /* NULL: not given */
};

/* Colons may be the file's own: what is there as it stands comes first, then what is there without the last part, then without two. */
static void take_apart(char *text, struct staged_words *ret)
{
    char *last, *before;

    *ret = (struct staged_words){ .host = text };
    last = access(text, F_OK) != 0 ? strrchr(text, ':') : NULL;
    if (last == NULL)
        return;
    *last = '\0';
    ret->name = last + 1;
    before = access(text, F_OK) != 0 ? strrchr(text, ':') : NULL;
    if (before == NULL)
        return;
    *before = '\0';
    ret->name = before + 1;
    ret->mode = last + 1;
}

static int read_mode(const char *text, uint32_t *ret, struct coop_error *why)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (text[0] < '0' || text[0] > '7' || *end != '\0' || mode > 0777) {
        refuse(why, "--file: the mode '%.20s' is not one of the octal numbers 0 to 777", text);
        coop_error_hint(why, "write --file HOST:NAME:755; without a mode, 755 for a file that you may execute, else 644");
        return -EINVAL;
    }
    *ret = (uint32_t)mode;
    return 0;
}

static int add_file(struct spec *s, const char *text, Pb__StagedFile *f, size_t *total, struct coop_error *why)
{
    struct spec_want want = { .what = "file",
                              .whole = A_PROGRAM_AND_FILES,
                              .max = *total < LIMITS_STAGED ? LIMITS_STAGED - *total : 0,
                              .all = LIMITS_STAGED,
                              .regular = true };
    struct staged_words words;
    char *copy = strdup(text), *slash;
    struct stat st;
    int rc = spec_own(s, copy, why);

    if (rc != 0)
        return rc;
    take_apart(copy, &words);
    want.path = words.host;
    rc = spec_read(s, &want, &f->data, &st, why);
    if (rc != 0)
        return rc;
    slash = strrchr(words.host, '/');
    f->name = (char *)(words.name != NULL && words.name[0] != '\0' ? words.name : slash != NULL ? slash + 1 : words.host);
    f->mode = (st.st_mode & S_IXUSR) != 0 ? MODE_PROGRAM : MODE_FILE;
    *total += f->data.len;
    if (!frame_is_utf8(f->name, strlen(f->name)))
        return refuse(why, "--file %.200s: a file's name inside is UTF-8 text; give it one by HOST:NAME", text);
    return words.mode != NULL ? read_mode(words.mode, &f->mode, why) : 0;
}

static int add_files(const struct command *c, struct spec *s, struct coop_error *why)
{
    size_t n = c->opt.files.n + s->n_inline_files, total = s->pb.source.len;
    Pb__StagedFile *files;
    char words[JOB_FILES_WHY];

    if (n > LIMITS_STAGED_N)
        return coop_error_set(why, EDQUOT, COOP_EXIT_QUOTA, "%zu files are more than the limit 'file count' of %d", n, LIMITS_STAGED_N);
    files = spec_own_zeroed(s, n, sizeof(*files), why);
    s->pb.files = files != NULL ? spec_own_zeroed(s, n, sizeof(*s->pb.files), why) : NULL;
    if (s->pb.files == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_inline_files; i++) {
        s->pb.files[s->pb.n_files++] = s->inline_files[i];
        total += s->inline_files[i]->data.len;
    }
    for (size_t i = 0; i < c->opt.files.n; i++) {
        int rc;

        pb__staged_file__init(&files[i]);
        rc = add_file(s, c->opt.files.items[i], &files[i], &total, why);
        if (rc != 0)
            return rc;
        s->pb.files[s->pb.n_files++] = &files[i];
    }
    return as_the_broker(job_files_check(&s->pb, words), words, why);
}

/* ---- lists of words ---------------------------------------------------------------------------------------------------------------- */

static int add_list(struct spec *s, const char *flag, const struct text_list *from, char ***ret, size_t *ret_n, struct coop_error *why)
{
    *ret = spec_own_zeroed(s, from->n, sizeof(**ret), why);
    if (*ret == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < from->n; i++) {
        bool again = false;

        if (!frame_is_utf8(from->items[i], strlen(from->items[i])))
            return refuse(why, "--%s %.200s is not UTF-8 text", flag, from->items[i]);
        for (size_t k = 0; k < *ret_n; k++)
            again |= strcmp((*ret)[k], from->items[i]) == 0;
        if (!again)
            (*ret)[(*ret_n)++] = (char *)from->items[i];
    }
    return 0;
}

static int add_outputs(const struct command *c, struct spec *s, struct coop_error *why)
{
    char words[JOB_FILES_WHY];
    int rc = add_list(s, "output", &c->opt.outputs, &s->pb.outputs, &s->pb.n_outputs, why);

    if (rc != 0)
        return rc;
    if (c->opt.outputs.n == 0 && (c->opt.output_dir != NULL || c->opt.force))
        return refuse(why, "--%s says where outputs go, and there is no --output", c->opt.force ? "force" : "output-dir");
    return as_the_broker(job_outputs_check(&s->pb, words), words, why);
}

int program_add_caps(const struct command *c, struct spec *s, struct coop_error *why)
{
    char words[JOB_CAPS_WHY];
    int rc = add_list(s, "cap", &c->opt.caps, &s->pb.caps, &s->pb.n_caps, why);

    if (rc != 0)
        return rc;
    rc = job_caps_check(&s->pb, words);
    return rc == 0 ? 0 : refuse(why, "--cap: %s", words);
}

/* ---- policy, terminal -------------------------------------------------------------------------------------------------------------- */

static int add_policy(const struct command *c, struct spec *s, struct coop_error *why)
{
    struct spec_want want = { .what = "policy", .path = c->opt.policy_path, .max = LIMITS_POLICY };
    ProtobufCBinaryData bytes = { 0 };
    char *text, words[JOB_FILES_WHY];
    int rc;

    s->pb.learn = c->opt.learn;
    if (want.path == NULL)
        return 0;
    rc = spec_read(s, &want, &bytes, NULL, why);
    if (rc != 0)
        return rc;
    if (bytes.len == 0)
        return refuse(why, "policy %s is empty", want.path);
    if (memchr(bytes.data, '\0', bytes.len) != NULL || !frame_is_utf8((const char *)bytes.data, bytes.len))
        return refuse(why, "policy %s is not text", want.path);
    text = spec_own_zeroed(s, bytes.len + 1, 1, why);
    if (text == NULL)
        return -ENOMEM;
    memcpy(text, bytes.data, bytes.len);
    s->pb.policy = text;
    return job_policy_check(&s->pb, words) == 0 ? 0 : refuse(why, "policy %s: %s", want.path, words);
}

static int add_terminal(const struct command *c, struct spec *s, struct coop_error *why)
{
    if (!c->opt.tty)
        return 0;
    if (s->script_from_stdin)
        return refuse(why, "--tty: standard input cannot be both the program and its terminal");
    if (c->opt.stdin_path != NULL && strcmp(c->opt.stdin_path, "-") != 0)
        return refuse(why, "--tty: standard input is the terminal, so there is no --stdin");
    if (c->opt.json)
        return refuse(why, "--tty and --json do not go together: the terminal is the program's");
    if (terminal_check(why) != 0)
        return -EINVAL;
    pb__tty_size__init(&s->tty);
    terminal_size(&s->tty.rows, &s->tty.columns);
    s->pb.tty = &s->tty;
    return 0;
}

int program_add_parts(const struct command *c, struct spec *s, struct coop_error *why)
{
    int rc = add_files(c, s, why);

    if (rc == 0)
        rc = add_outputs(c, s, why);
    if (rc == 0)
        rc = program_add_caps(c, s, why);
    if (rc == 0)
        rc = add_policy(c, s, why);
    return rc == 0 ? add_terminal(c, s, why) : rc;
}

int program_refuse_parts(const struct command *c, const struct spec *s, struct coop_error *why)
{
    const struct {
        bool given;
        const char *flag;
    } rows[] = {
        {c->opt.outputs.n > 0,        "output"    },
        { c->opt.output_dir != NULL,  "output-dir"},
        { c->opt.force,               "force"     },
        { c->opt.tty,                 "tty"       },
        { c->opt.learn,               "learn"     },
        { c->opt.policy_path != NULL, "policy"    },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].given) {
            refuse(why, "a job of the engine %s takes no --%s", s->pb.engine, rows[i].flag);
            coop_error_hint(why, "programs do: --engine exec");
            return -EINVAL;
        }
    return 0;
}
