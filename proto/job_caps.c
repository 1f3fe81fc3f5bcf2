/* job_caps.c - see job_caps.h. */
#include "job_caps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_table.h"
#include "frame.h"
#include "nearest.h"
#include "rel_path.h"
#include "units.h"

enum { SHOWN = 96, NAMES_MAX = 16, KNOWN = 256 };
#define INTERPRETERS_MAX 10000u
#define QUEUES_MAX       4096u
#define BUFFERS_MIN      4096u
#define BUFFERS_MAX      (16ull << 30)

#define refuse(why, ...) (snprintf((why), JOB_CAPS_WHY, __VA_ARGS__), -EINVAL)

/* clang-format off */
#define NO_ASKS  "a program makes no calls to the broker; engines lua and native do"
const struct job_cap job_cap_table[] = {
    { .name = "net",  .value = "loopback", .fixed = true, .for_programs = true,
      .help = "a network with nothing but lo, up; else there is none",
      .not_theirs = "its policy has no network calls at all; programs (engine exec) can have it, others use queues" },
    { .name = "proc", .for_programs = true,
      .help = "a /proc that shows the job's own processes",
      .not_theirs = "it sees no files at all; programs (engine exec) can have it" },
    { .name = "packages", .engine = "python",
      .help = "Python: what Debian has in dist-packages (numpy, ...) can be imported",
      .not_theirs = "it is about modules of Python" },
    { .name = "interpreters", .value = "N", .optional = true, .not_theirs = NO_ASKS,
      .help = "may make interpreters, N alive at once with all of theirs (8)" },
    { .name = "queues", .value = "N", .optional = true, .not_theirs = NO_ASKS,
      .help = "may make queues, N at once (64)" },
    { .name = "buffers", .value = "SIZE", .optional = true, .not_theirs = NO_ASKS,
      .help = "may make buffers, SIZE bytes together (256M)" },
    { .name = "queue", .value = "NAME:send|recv|both", .not_theirs = NO_ASKS,
      .help = "may use the named queue" },
    { .name = "interp", .value = "NAME:call", .not_theirs = NO_ASKS,
      .help = "may call the interpreter of this name or id" },
    { .name = "kv", .value = "PREFIX:ro|rw", .not_theirs = NO_ASKS,
      .help = "may read, or also write, the keys that begin with PREFIX" },
    { .name = "template", .value = "NAME[@VERSION]", .not_theirs = NO_ASKS,
      .help = "its interpreters may be made from the template; from its own they may" },
};
/* clang-format on */
const size_t job_cap_count = sizeof(job_cap_table) / sizeof(job_cap_table[0]);
_Static_assert(sizeof(job_cap_table) / sizeof(job_cap_table[0]) < NAMES_MAX, "names have room");

/* ---- what is shown ----------------------------------------------------------------------------------------------------------------- */

/* For a sentence: the text when it is short and harmless, else its beginning, cut between letters, and never a control character. */
static const char *shown(const char *text, char buf[SHOWN + 4])
{
    size_t len = strlen(text);

    if (text_has_control(text))
        return "?";
    if (len <= SHOWN)
        return text;
    for (len = SHOWN; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
        ;
    snprintf(buf, SHOWN + 4, "%.*s...", (int)len, text);
    return buf;
}

const char *job_cap_spelling(const struct job_cap *cap, char buf[JOB_CAP_SPELLING])
{
    if (cap->value == NULL)
        return cap->name;
    snprintf(buf, JOB_CAP_SPELLING, cap->optional ? "%s[=%s]" : "%s=%s", cap->name, cap->value);
    return buf;
}

static const char *known(char text[KNOWN])
{
    char buf[JOB_CAP_SPELLING];

    text[0] = '\0';
    for (size_t i = 0, used = 0; i < job_cap_count && used < KNOWN; i++)
        used += (size_t)snprintf(text + used, KNOWN - used, "%s%s", i > 0 ? ", " : "", job_cap_spelling(&job_cap_table[i], buf));
    return text;
}

static int refuse_unknown(const char *name, char why[JOB_CAPS_WHY])
{
    const char *names[NAMES_MAX], *close;
    char buf[SHOWN + 4], all[KNOWN];

    if (strcmp(name, "file") == 0)
        return refuse(
            why, "'file' is no capability of a spec: whoever makes an interpreter reads the file into a buffer and grants that by a name");
    for (size_t i = 0; i < job_cap_count; i++)
        names[i] = job_cap_table[i].name;
    names[job_cap_count] = NULL;
    close = nearest_word(name, names);
    if (close != NULL)
        return refuse(why, "unknown capability '%s'; did you mean '%s'?", shown(name, buf), close);
    return refuse(why, "unknown capability '%s'; known: %s", shown(name, buf), known(all));
}

/* ---- values ------------------------------------------------------------------------------------------------------------------------ */

static int read_count(const char *name, const char *value, uint64_t max, uint64_t *ret, char why[JOB_CAPS_WHY])
{
    char buf[SHOWN + 4];
    char *end;
    unsigned long long n;

    if (value[0] == '\0' || strlen(value) > 9 || value[strspn(value, "0123456789")] != '\0')
        return refuse(why, "%s=%s: '%s' is not a number", name, shown(value, buf), shown(value, buf));
    n = strtoull(value, &end, 10);
    if (n == 0 || n > max)
        return refuse(why, "%s=%llu: from 1 to %llu", name, n, (unsigned long long)max);
    *ret = n;
    return 0;
}

static int read_buffers(const char *value, uint64_t *ret, char why[JOB_CAPS_WHY])
{
    char buf[SHOWN + 4], most[UNITS_BUF];
    uint64_t n;

    if (units_parse_size(value, &n) != 0)
        return refuse(why, "buffers=%s: '%s' is not a size; write 64M", shown(value, buf), shown(value, buf));
    if (n < BUFFERS_MIN || n > BUFFERS_MAX)
        return refuse(why, "buffers=%s: from 4K to %s", shown(value, buf), units_format_size(BUFFERS_MAX, most));
    *ret = n;
    return 0;
}

/* clang-format off */
static const struct grant_word {
    const char *cap;
    Pb__Kind kind;
    const char *word; /* after the last ':' */
    uint32_t rights;
} grant_words[] = {
    { "queue",  PB__KIND__KIND_QUEUE,  "send", PB__RIGHT__RIGHT_SEND },
    { "queue",  PB__KIND__KIND_QUEUE,  "recv", PB__RIGHT__RIGHT_RECV },
    { "queue",  PB__KIND__KIND_QUEUE,  "both", PB__RIGHT__RIGHT_SEND | PB__RIGHT__RIGHT_RECV },
    { "interp", PB__KIND__KIND_INTERP, "call", PB__RIGHT__RIGHT_CALL },
    { "kv",     PB__KIND__KIND_KV,     "ro",   PB__RIGHT__RIGHT_READ },
    { "kv",     PB__KIND__KIND_KV,     "rw",   PB__RIGHT__RIGHT_READ | PB__RIGHT__RIGHT_WRITE },
};
/* clang-format on */

static int read_grant(const struct job_cap *cap, const char *value, struct job_grant *ret, char why[JOB_CAPS_WHY])
{
    const char *colon = strrchr(value, ':');
    char buf[SHOWN + 4];

    if (colon == NULL)
        return refuse(why, "%s=%s: it does not say which right; write %s=%s", cap->name, shown(value, buf), cap->name, cap->value);
    if (colon == value)
        return refuse(why, "%s=%s: the name is empty; write %s=%s", cap->name, shown(value, buf), cap->name, cap->value);
    if ((size_t)(colon - value) > JOB_CAP_NAME || text_has_control(value))
        return refuse(why, "%s=%s: a name has at most %d bytes and no control characters", cap->name, shown(value, buf), JOB_CAP_NAME);
    for (size_t i = 0; i < sizeof(grant_words) / sizeof(grant_words[0]); i++) {
        const struct grant_word *g = &grant_words[i];

        if (strcmp(g->cap, cap->name) != 0 || strcmp(g->word, colon + 1) != 0)
            continue;
        *ret = (struct job_grant){ .kind = g->kind, .rights = g->rights | PB__RIGHT__RIGHT_GRANT };
        memcpy(ret->name, value, (size_t)(colon - value));
        return 0;
    }
    return refuse(why, "%s=%s: there is no right '%s'; write %s=%s", cap->name, shown(value, buf), shown(colon + 1, (char[SHOWN + 4]){ 0 }),
                  cap->name, cap->value);
}

/* NAME, or NAME@VERSION as it is shown: without a leading zero, so that there is one way to write it. */
static int read_template(const char *name, const char *value, struct job_template *ret, char why[JOB_CAPS_WHY])
{
    const char *at = strchr(value, '@');
    size_t len = at != NULL ? (size_t)(at - value) : strlen(value);
    char buf[SHOWN + 4];

    if (len == 0 || len > LIMITS_NAME || text_has_control(value))
        return refuse(why, "%s=%s: a template's name has 1 to %d bytes and no control characters", name, shown(value, buf), LIMITS_NAME);
    if (at != NULL && (at[1] < '1' || at[1] > '9' || strlen(at + 1) > 10 || at[1 + strspn(at + 1, "0123456789")] != '\0'))
        return refuse(why, "%s=%s: '%s' is not a version; write template=NAME or template=NAME@3", name, shown(value, buf),
                      shown(at + 1, (char[SHOWN + 4]){ 0 }));
    snprintf(ret->name, sizeof(ret->name), "%s", value);
    return 0;
}

/* What one capability adds: to grants or templates, which have room for one more, or to a number. */
static int read_value(const struct job_cap *cap, const char *value, struct job_caps *c, char why[JOB_CAPS_WHY])
{
    uint64_t n = 0;
    int rc = 0;

    if (strcmp(cap->name, "net") == 0) {
        c->net_loopback = true;
    } else if (strcmp(cap->name, "proc") == 0) {
        c->proc = true;
    } else if (strcmp(cap->name, "packages") == 0) {
        c->packages = true;
    } else if (strcmp(cap->name, "interpreters") == 0) {
        rc = value != NULL ? read_count(cap->name, value, INTERPRETERS_MAX, &n, why) : 0;
        c->interpreters = value != NULL ? (uint32_t)n : JOB_CAP_INTERPRETERS;
    } else if (strcmp(cap->name, "queues") == 0) {
        rc = value != NULL ? read_count(cap->name, value, QUEUES_MAX, &n, why) : 0;
        c->queues = value != NULL ? (uint32_t)n : JOB_CAP_QUEUES;
    } else if (strcmp(cap->name, "buffers") == 0) {
        rc = value != NULL ? read_buffers(value, &n, why) : 0;
        c->buffer_bytes = value != NULL ? n : JOB_CAP_BUFFERS;
    } else if (strcmp(cap->name, "template") == 0) {
        rc = read_template(cap->name, value, &c->templates[c->n_templates], why);
        c->n_templates += rc == 0;
    } else {
        rc = read_grant(cap, value, &c->grants[c->n_grants], why);
        c->n_grants += rc == 0;
    }
    return rc;
}

/* ---- one -------------------------------------------------------------------------------------------------------------------------- */

static const struct job_cap *cap_find(const char *text, size_t len)
{
    for (size_t i = 0; i < job_cap_count; i++)
        if (strlen(job_cap_table[i].name) == len && memcmp(job_cap_table[i].name, text, len) == 0)
            return &job_cap_table[i];
    return NULL;
}

static int read_cap(const char *text, struct job_caps *c, const struct job_cap **ret, char why[JOB_CAPS_WHY])
{
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    const struct job_cap *cap = cap_find(text, len);
    char name[64], buf[SHOWN + 4];

    if (strchr(text, ',') != NULL)
        return refuse(why, "'%s' is more than one capability; give each a --cap of its own", shown(text, buf));
    if (cap == NULL) {
        snprintf(name, sizeof(name), "%.*s", (int)len, text);
        return refuse_unknown(len < sizeof(name) ? name : text, why);
    }
    if (cap->value == NULL && value != NULL)
        return refuse(why, "the capability '%s' takes no value, so '%s' is too much", cap->name, shown(value, buf));
    if (cap->value != NULL && value == NULL && !cap->optional)
        return refuse(why, "the capability '%s' wants a value: %s=%s", cap->name, cap->name, cap->value);
    if (cap->fixed && strcmp(value, cap->value) != 0)
        return refuse(why, "the capability '%s' is not to be had as '%s', only as '%s=%s'", cap->name, shown(value, buf), cap->name,
                      cap->value);
    *ret = cap;
    return read_value(cap, value, c, why);
}

int job_cap_check(const char *text, char why[JOB_CAPS_WHY])
{
    struct job_grant one;
    struct job_template other;
    struct job_caps c = { .grants = &one, .templates = &other };
    const struct job_cap *cap;

    return read_cap(text, &c, &cap, why);
}

/* ---- all of a spec ------------------------------------------------------------------------------------------------------------------ */

/* None is said of what is made from a template: the broker knows its engine, and asks again. */
static int check_engine(const char *engine, const struct job_cap *cap, char why[JOB_CAPS_WHY])
{
    int i = engine_find(engine);
    const struct engine_row *e;
    char buf[SHOWN + 4];
    bool its_own;

    if (*engine == '\0')
        return 0;
    if (i < 0)
        return refuse(why, "unknown engine '%s'", shown(engine, buf));
    e = &engine_table[i];
    its_own = cap->engine == NULL || strcmp(cap->engine, e->instead_of != NULL ? e->instead_of : e->name) == 0;
    if (e->runs_programs == cap->for_programs && its_own)
        return 0;
    return refuse(why, "the engine '%s' cannot have the capability '%s': %s", e->name, cap->name, cap->not_theirs);
}

/* Things of others are told apart by their names, the rest by the capability's. */
static int check_twice(const struct job_caps *c, const struct job_cap *cap, uint32_t *seen, const char *text, char why[JOB_CAPS_WHY])
{
    uint32_t bit = 1u << (cap - job_cap_table);
    const struct job_grant *last = c->n_grants > 0 ? &c->grants[c->n_grants - 1] : NULL;
    bool grant = cap->value != NULL && strchr(cap->value, ':') != NULL;
    bool from = strcmp(cap->name, "template") == 0;
    bool twice = !grant && !from && (*seen & bit) != 0;
    char buf[SHOWN + 4];

    for (unsigned i = 0; grant && i + 1 < c->n_grants && !twice; i++)
        twice = c->grants[i].kind == last->kind && strcmp(c->grants[i].name, last->name) == 0;
    for (unsigned i = 0; from && i + 1 < c->n_templates && !twice; i++)
        twice = strcmp(c->templates[i].name, c->templates[c->n_templates - 1].name) == 0;
    *seen |= bit;
    return twice ? refuse(why, "the capability '%s' is asked for twice", shown(text, buf)) : 0;
}

/* Room for what the spec may name, and for its own template. */
static int caps_init(struct job_caps *c, const Pb__JobSpec *s)
{
    *c = (struct job_caps){ 0 };
    if (s->n_caps > 0 && (c->grants = calloc(s->n_caps, sizeof(*c->grants))) == NULL)
        return -ENOMEM;
    if ((s->n_caps > 0 || s->template_[0] != '\0') && (c->templates = calloc(s->n_caps + 1, sizeof(*c->templates))) == NULL)
        return -ENOMEM;
    return 0;
}

int job_caps_read(const Pb__JobSpec *s, struct job_caps *ret, char why[JOB_CAPS_WHY])
{
    struct job_caps c = { 0 };
    const struct job_cap *cap;
    uint32_t seen = 0;
    int rc = 0;

    *ret = c;
    if (s->n_caps > JOB_CAPS_MAX)
        return refuse(why, "%zu capabilities are too many: at most %d", s->n_caps, JOB_CAPS_MAX);
    if (caps_init(&c, s) != 0) {
        job_caps_finish(&c);
        return snprintf(why, JOB_CAPS_WHY, "out of memory"), -ENOMEM;
    }
    for (size_t i = 0; i < s->n_caps && rc == 0; i++) {
        rc = read_cap(s->caps[i], &c, &cap, why);
        if (rc == 0)
            rc = check_engine(s->engine, cap, why);
        if (rc == 0)
            rc = check_twice(&c, cap, &seen, s->caps[i], why);
    }
    if (rc == 0 && s->template_[0] != '\0' && strlen(s->template_) <= JOB_CAP_TEMPLATE)
        strcpy(c.templates[c.n_templates++].name, s->template_);
    if (rc != 0)
        job_caps_finish(&c);
    else
        *ret = c;
    return rc;
}

int job_caps_check(const Pb__JobSpec *s, char why[JOB_CAPS_WHY])
{
    struct job_caps c;
    int rc = job_caps_read(s, &c, why);

    job_caps_finish(&c);
    return rc;
}

void job_caps_finish(struct job_caps *c)
{
    free(c->grants);
    free(c->templates);
    *c = (struct job_caps){ 0 };
}

/* ---- what they allow ---------------------------------------------------------------------------------------------------------------- */

static bool covers(const struct job_grant *g, Pb__Kind kind, const char *name)
{
    if (g->kind != kind)
        return false;
    return kind == PB__KIND__KIND_KV ? strncmp(name, g->name, strlen(g->name)) == 0 : strcmp(name, g->name) == 0;
}

const struct job_grant *job_caps_grant(const struct job_caps *c, Pb__Kind kind, const char *name, uint32_t rights)
{
    const struct job_grant *best = NULL;

    for (unsigned i = 0; i < c->n_grants; i++) {
        const struct job_grant *g = &c->grants[i];

        if (covers(g, kind, name) && (rights & ~g->rights) == 0 && (best == NULL || strlen(g->name) > strlen(best->name)))
            best = g;
    }
    return best;
}

/* A name alone is every version of it. */
bool job_caps_template(const struct job_caps *c, const char *name)
{
    for (unsigned i = 0; i < c->n_templates; i++) {
        const char *has = c->templates[i].name;
        size_t len = strlen(has);

        if (strcmp(name, has) == 0 || (strchr(has, '@') == NULL && strncmp(name, has, len) == 0 && name[len] == '@'))
            return true;
    }
    return false;
}

static const char *cap_of(const struct job_grant *g)
{
    return g->kind == PB__KIND__KIND_QUEUE ? "queue" : g->kind == PB__KIND__KIND_INTERP ? "interp" : "kv";
}

static bool has_grant(const struct job_caps *parent, const struct job_grant *g)
{
    const struct job_grant *theirs = job_caps_grant(parent, g->kind, g->name, g->rights);

    return theirs != NULL && !theirs->revoked;
}

int job_caps_within(const struct job_caps *child, const struct job_caps *parent, char why[JOB_CAPS_WHY])
{
    const struct {
        const char *name;
        uint64_t child, parent;
    } rows[] = {
        {"net",           child->net_loopback, parent->net_loopback},
        { "proc",         child->proc,         parent->proc        },
        { "packages",     child->packages,     parent->packages    },
        { "interpreters", child->interpreters, parent->interpreters},
        { "queues",       child->queues,       parent->queues      },
        { "buffers",      child->buffer_bytes, parent->buffer_bytes},
    };
    char buf[SHOWN + 4];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].child > rows[i].parent)
            return refuse(why, "the child would have more of the capability '%s' (%llu) than its parent (%llu)", rows[i].name,
                          (unsigned long long)rows[i].child, (unsigned long long)rows[i].parent);
    for (unsigned i = 0; i < child->n_grants; i++)
        if (!has_grant(parent, &child->grants[i]))
            return refuse(why, "the child would have the capability %s=%s with rights that its parent has not", cap_of(&child->grants[i]),
                          shown(child->grants[i].name, buf));
    for (unsigned i = 0; i < child->n_templates; i++)
        if (!job_caps_template(parent, child->templates[i].name))
            return refuse(why, "the child would have the capability template=%s, which its parent has not",
                          shown(child->templates[i].name, buf));
    return 0;
}

bool job_has_cap(const Pb__JobSpec *s, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < s->n_caps; i++)
        if (strncmp(s->caps[i], name, len) == 0 && (s->caps[i][len] == '\0' || s->caps[i][len] == '='))
            return true;
    return false;
}
