/* args.c - see args.h. */
#include "cli/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nearest.h"

#include <coop/exit_codes.h>

enum { WORDS_MAX = 128 };

#define refuse(why, ...) coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)

void hint_nearest(struct coop_error *why, const char *typed, const char *const *words, const char *prefix)
{
    const char *near = nearest_word(typed, words);

    if (near != NULL)
        coop_error_hint(why, "did you mean '%s%s'?", prefix, near);
}

static bool name_is(const struct flag *f, const char *text, size_t len)
{
    return strlen(f->name) == len && memcmp(f->name, text, len) == 0;
}

static const struct flag *find_long(const char *text, size_t len, uint64_t verbs)
{
    for (size_t i = 0; i < flag_count; i++)
        if (name_is(&flag_table[i], text, len) && (flag_table[i].verbs & verbs) == verbs)
            return &flag_table[i];
    return NULL;
}

static const struct flag *find_letter(char letter, uint64_t verbs)
{
    for (size_t i = 0; i < flag_count; i++)
        if (flag_table[i].letter == letter && (flag_table[i].verbs & verbs) == verbs)
            return &flag_table[i];
    return NULL;
}

/* A flag of other verbs is named as such; a flag of none gets the nearest one of this verb. */
static int refuse_flag(const char *typed, size_t name_len, const struct verb *verb, uint64_t verbs, struct coop_error *why)
{
    const char *words[WORDS_MAX];
    char name[64];
    size_t n = 0;

    snprintf(name, sizeof(name), "%.*s", (int)name_len, typed);
    for (size_t i = 0; i < flag_count; i++) {
        const struct flag *f = &flag_table[i];

        if ((f->verbs & verbs) == verbs && n < WORDS_MAX - 1)
            words[n++] = f->name;
        else if (name_is(f, typed, name_len))
            return verb == NULL ? refuse(why, "--%s belongs after the verb", name)
                                : refuse(why, "--%s is not a flag of '%s'; see coop help %s", name, verb->name, verb->name);
    }
    words[n] = NULL;
    if (verb != NULL)
        refuse(why, "unknown flag --%s; see coop help %s", name, verb->name);
    else
        refuse(why, "unknown flag --%s; see coop help", name);
    hint_nearest(why, name, words, "--");
    return -EINVAL;
}

static int apply_flag(struct options *o, const struct flag *f, const char *value, struct coop_error *why)
{
    char *at = (char *)o + f->offset;

    if (f->value == NULL)
        *(bool *)at = true;
    else if (f->read != NULL)
        return f->read(o, value, why);
    else
        *(const char **)at = value;
    return 0;
}

/* One flag at argv[*i], its value perhaps at the next; moves *i to the last one used. verbs: 0 before the verb is known. */
static int parse_flag(int argc, char **argv, int *i, struct command *c, uint64_t verbs, struct coop_error *why)
{
    const char *word = argv[*i], *equals = strchr(word, '='), *value = NULL;
    const struct flag *f;

    if (word[1] == '-') {
        size_t len = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2;

        f = find_long(word + 2, len, verbs);
        if (f == NULL)
            return refuse_flag(word + 2, len, c->verb, verbs, why);
        value = equals != NULL ? equals + 1 : NULL;
    } else {
        f = find_letter(word[1], verbs);
        if (f == NULL || (f->value == NULL && word[2] != '\0')) {
            refuse(why, "unknown flag %.60s; see coop help%s%s", word, c->verb != NULL ? " " : "", c->verb != NULL ? c->verb->name : "");
            if (access(word, F_OK) == 0)
                coop_error_hint(why, "the file here is meant when it is written with a '/': ./%.200s", word);
            return -EINVAL;
        }
        value = word[2] != '\0' ? word + 2 : NULL;
    }
    if (f->value == NULL && value != NULL)
        return refuse(why, "--%s takes no value", f->name);
    if (f->value != NULL && value == NULL) {
        if (*i + 1 >= argc)
            return refuse(why, "--%s wants a value: --%s %s", f->name, f->name, f->value);
        value = argv[++*i];
    }
    return apply_flag(&c->opt, f, value, why);
}

static int parse_verb(const char *word, struct command *c, struct coop_error *why)
{
    const char *words[WORDS_MAX];

    c->verb = verb_find(word);
    if (c->verb != NULL)
        return 0;
    for (size_t i = 0; i < verb_count; i++)
        words[i] = verb_table[i].name;
    words[verb_count] = NULL;
    refuse(why, "unknown verb '%.60s'; see coop help", word);
    hint_nearest(why, word, words, "coop ");
    return -EINVAL;
}

static int check_count(const struct command *c, struct coop_error *why)
{
    const struct verb *v = c->verb;

    if (c->opt.help)
        return 0;
    if (c->n_args < v->min_args && c->opt.spec_path == NULL) /* a job file says what to run */
        refuse(why, "coop %s wants %s", v->name, v->usage);
    else if (v->max_args >= 0 && c->n_args > v->max_args)
        refuse(why, "coop %s takes %s%s, so '%.60s' is too much", v->name, v->max_args == 0 ? "no arguments" : v->usage,
               v->max_args == 0 ? "" : " only", c->args[v->max_args]);
    else
        return 0;
    coop_error_hint(why, "usage: coop %s [flags]%s%s", v->name, v->usage[0] != '\0' ? " " : "", v->usage);
    return -EINVAL;
}

/* -c CODE and -m MODULE stand where the file would, and what follows is the job's: its first word is theirs. */
static bool stands_for_the_file(const struct command *c)
{
    return c->verb != NULL && c->verb->job_args && (c->opt.code != NULL || c->opt.modules.n > 0);
}

/* Behind what is run everything belongs to it. */
static void take_job_args(int argc, char **argv, int i, struct command *c)
{
    if (i + 1 < argc && strcmp(argv[i + 1], "--") == 0)
        i++;
    while (++i < argc)
        c->args[c->n_args++] = argv[i];
}

/* -1, -.5: an argument of a call, as no flag begins with a digit. */
static bool is_number(const char *word)
{
    return (word[1] >= '0' && word[1] <= '9') || (word[1] == '.' && word[2] >= '0' && word[2] <= '9');
}

static int parse_words(int argc, char **argv, struct command *c, struct coop_error *why)
{
    uint64_t verbs = VERB_ALL;
    bool flags = true;
    int rc = 0;

    for (int i = 1; i < argc && rc == 0; i++) {
        char *word = argv[i];

        if (flags && strcmp(word, "--") == 0) {
            flags = false;
        } else if (flags && word[0] == '-' && word[1] != '\0' && !(c->verb != NULL && is_number(word))) {
            rc = parse_flag(argc, argv, &i, c, verbs, why);
            if (rc == 0 && stands_for_the_file(c)) {
                c->args[c->n_args++] = c->opt.code != NULL ? "-c" : "-m";
                take_job_args(argc, argv, i, c);
                break;
            }
        } else if (c->verb == NULL) {
            rc = parse_verb(word, c, why);
            verbs = rc == 0 ? verb_bit(c->verb) : VERB_ALL;
        } else {
            c->args[c->n_args++] = word;
            if (!c->verb->job_args)
                continue;
            c->after_dashes = !flags;
            take_job_args(argc, argv, i, c);
            break;
        }
    }
    return rc;
}

int command_parse(int argc, char **argv, struct command *ret, struct coop_error *why)
{
    struct command c = { .opt = { .limits = PB__LIMITS__INIT } };
    int rc = 0;

    *ret = c; /* the caller finishes it, whatever comes */
    c.args = calloc((size_t)argc + 1, sizeof(*c.args));
    if (c.args == NULL)
        return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        c.verb = &verb_table[VERB_VERSION];
    else
        rc = parse_words(argc, argv, &c, why);
    if (rc == 0 && c.verb == NULL && c.opt.help)
        c.verb = &verb_table[VERB_HELP];
    else if (rc == 0 && c.verb == NULL)
        rc = refuse(why, "no verb given; see coop help");
    if (rc == 0)
        rc = check_count(&c, why);
    *ret = c; /* also when refused: --json says how the refusal is printed */
    return rc;
}

void command_finish(struct command *c)
{
    free(c->args);
    free(c->opt.env.items);
    free(c->opt.files.items);
    free(c->opt.outputs.items);
    free(c->opt.caps.items);
    free(c->opt.cap_files.items);
    free(c->opt.grants.items);
    free(c->opt.labels.items);
    free(c->opt.after.items);
    free(c->opt.limiters.items);
    free(c->opt.webhooks.items);
    free(c->opt.drop_after.items);
    free(c->opt.hosts.items);
    free(c->opt.modules.items);
}
