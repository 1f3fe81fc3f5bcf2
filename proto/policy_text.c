/* policy_text.c - see policy_text.h: the half that reads. */
#include "policy_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "policy_spell.h"
#include "syscall_names.h"
#include "syscall_words.h"

enum { ERRNO_MAX = 133, WORD_MAX = 64, DEPTH = 8 };

struct in {
    const char *at, *end, *line; /* end: of the line, or where its reason begins */
    unsigned number;
    char *why;
};

static int wrong(const struct in *in, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int wrong(const struct in *in, const char *at, const char *fmt, ...)
{
    int n = snprintf(in->why, POLICY_WHY, "line %u, column %u: ", in->number, (unsigned)(at - in->line) + 1);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(in->why + n, (size_t)(POLICY_WHY - n), fmt, ap);
    va_end(ap);
    return -EINVAL;
}

static void skip_blanks(struct in *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t'))
        in->at++;
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The next word, and whatever of :=-. belongs to it, as in arg0:32 and net=loopback. Empty: there is none. Longer ones are cut: none is known. */
static const char *take_word(struct in *in, const char *also, char word[WORD_MAX])
{
    const char *from;
    size_t n = 0;

    skip_blanks(in);
    from = in->at;
    while (in->at < in->end && (in_word(*in->at) || (*in->at != '\0' && strchr(also, *in->at) != NULL))) {
        if (n < WORD_MAX - 1)
            word[n++] = *in->at;
        in->at++;
    }
    word[n] = '\0';
    return from;
}

static bool take_sign(struct in *in, const char *sign)
{
    size_t len = strlen(sign);

    skip_blanks(in);
    if ((size_t)(in->end - in->at) < len || memcmp(in->at, sign, len) != 0)
        return false;
    in->at += len;
    return true;
}

static int wrong_word(const struct in *in, const char *at, const char *what, const char *word, const char *const *known)
{
    const char *near = *word != '\0' ? nearest_word(word, known) : NULL;
    char shown[WORD_MAX];
    size_t n = 0;

    for (const char *p = word; *p != '\0'; p++)
        shown[n++] = isprint((unsigned char)*p) ? *p : '?';
    shown[n] = '\0';
    if (n == 0)
        return wrong(in, at, "here belongs %s", what);
    if (near != NULL)
        return wrong(in, at, "\"%s\" is not %s; did you mean %s?", shown, what, near);
    return wrong(in, at, "\"%s\" is not %s", shown, what);
}

static int read_error(struct in *in, int *ret_error)
{
    const char *known[ERRNO_MAX + 1];
    char word[WORD_MAX];
    const char *at = take_word(in, "", word);
    size_t n = 0;

    for (int e = 1; e <= ERRNO_MAX; e++)
        if (strerrorname_np(e) != NULL) {
            known[n++] = strerrorname_np(e);
            if (strcmp(known[n - 1], word) == 0) {
                *ret_error = e;
                return 0;
            }
        }
    known[n < ERRNO_MAX ? n : ERRNO_MAX] = NULL;
    return wrong_word(in, at, "the name of an errno, as EPERM", word, known);
}

static int read_verdict(struct in *in, struct policy_row *r)
{
    static const char *const known[] = { "allow", "refuse", "answer", "ask", "end", NULL };
    char word[WORD_MAX];
    const char *at = take_word(in, "", word);

    for (int v = 0; v < POLICY_VERDICTS; v++)
        if (policy_verdict_names[v] != NULL && strcmp(policy_verdict_names[v], word) == 0) {
            r->verdict = (enum policy_verdict)v;
            return r->verdict == POLICY_REFUSE ? read_error(in, &r->error) : 0;
        }
    return wrong_word(in, at, "a verdict: allow, refuse ERRNO, answer, ask or end", word, known);
}

static int read_call(struct in *in, struct policy_row *r)
{
    char word[WORD_MAX];
    const char *at = take_word(in, "", word);
    int nr = *word != '\0' ? syscall_number(word) : -1;

    if (nr < 0)
        return wrong_word(in, at, "a system call of x86-64", word, syscall_all_names());
    r->nr = (uint32_t)nr;
    r->name = syscall_name(r->nr);
    return 0;
}

static int read_value(struct in *in, uint64_t all, int depth, uint64_t *ret_value);

static int read_number(struct in *in, const char *at, const char *word, uint64_t all, uint64_t *ret_value)
{
    char *end;

    errno = 0;
    *ret_value = strtoull(word, &end, 0);
    if (*end != '\0')
        return wrong(in, at, "\"%s\" is not a number", word);
    if (errno != 0 || (*ret_value & ~all) != 0)
        return wrong(in, at, "%s does not fit into %d bits", word, all == ALL_64 ? 64 : 32);
    return 0;
}

static int read_term(struct in *in, uint64_t all, int depth, uint64_t *ret_value)
{
    char word[WORD_MAX];
    const char *at;
    int rc;

    if (take_sign(in, "~")) {
        if (depth == 0)
            return wrong(in, in->at, "too deep");
        rc = read_term(in, all, depth - 1, ret_value);
        *ret_value = ~*ret_value & all;
        return rc;
    }
    if (take_sign(in, "(")) {
        if (depth == 0)
            return wrong(in, in->at, "too deep");
        rc = read_value(in, all, depth - 1, ret_value);
        if (rc == 0 && !take_sign(in, ")"))
            rc = wrong(in, in->at, "here belongs )");
        return rc;
    }
    at = take_word(in, "", word);
    if (isdigit((unsigned char)*word))
        return read_number(in, at, word, all, ret_value);
    if (!word_value(word, ret_value))
        return wrong_word(in, at, "a number or the name of a value", word, word_all_names());
    *ret_value &= all;
    return 0;
}

static int read_value(struct in *in, uint64_t all, int depth, uint64_t *ret_value)
{
    uint64_t term = 0;
    int rc;

    *ret_value = 0;
    do {
        rc = read_term(in, all, depth, &term);
        *ret_value |= term;
    } while (rc == 0 && take_sign(in, "|"));
    return rc;
}

static int read_arg(struct in *in, uint32_t nr, uint8_t *ret_index, uint64_t *ret_all)
{
    const struct call_words *c = call_words_find(nr);
    const char *known[CALL_ARGS + 1] = { NULL };
    char word[WORD_MAX];
    const char *at = take_word(in, ":", word);

    for (uint8_t i = 0; c != NULL && i < CALL_ARGS && c->args[i].name != NULL; i++) {
        known[i] = c->args[i].name;
        if (strcmp(known[i], word) == 0) {
            *ret_index = i;
            *ret_all = c->args[i].width == ARG_INT ? LOW_32 : ALL_64;
            return 0;
        }
    }
    if (strncmp(word, "arg", 3) == 0 && word[3] >= '0' && word[3] <= '5' && (word[4] == '\0' || strcmp(word + 4, ":32") == 0)) {
        *ret_index = (uint8_t)(word[3] - '0');
        *ret_all = word[4] == '\0' ? ALL_64 : LOW_32;
        return 0;
    }
    return wrong_word(in, at, "an argument of the call (arg0 to arg5 always are)", word, known);
}

/* What follows the argument: sets mask and value. */
static int read_comparison(struct in *in, uint64_t all, struct policy_arg *a)
{
    char word[WORD_MAX];
    const char *at;
    uint64_t bits = 0;
    int rc;

    a->mask = all;
    if (take_sign(in, "&")) {
        rc = read_value(in, all, DEPTH, &a->mask);
        if (rc != 0)
            return rc;
        if (!take_sign(in, "=="))
            return wrong(in, in->at, "here belongs ==");
        return read_value(in, all, DEPTH, &a->value);
    }
    if (take_sign(in, "=="))
        return read_value(in, all, DEPTH, &a->value);
    at = take_word(in, "", word);
    if (strcmp(word, "in") != 0 && strcmp(word, "has") != 0 && strcmp(word, "lacks") != 0)
        return wrong_word(in, at, "a comparison: ==, & MASK ==, in, has or lacks", word,
                          (const char *const[]){ "in", "has", "lacks", NULL });
    rc = read_value(in, all, DEPTH, &bits);
    if (rc == 0) {
        a->mask = *word == 'i' ? all & ~bits : bits;
        a->value = *word == 'h' ? bits : 0;
    }
    return rc;
}

static int read_condition(struct in *in, uint32_t nr, struct policy_arg *a)
{
    const char *at;
    uint64_t all = 0;
    int rc;

    skip_blanks(in);
    at = in->at;
    rc = read_arg(in, nr, &a->index, &all);
    if (rc == 0)
        rc = read_comparison(in, all, a);
    if (rc != 0)
        return rc;
    if (a->mask == 0)
        return wrong(in, at, "this always holds: leave it out");
    if ((a->value & ~a->mask) != 0)
        return wrong(in, at, "this never holds: the value has bits that are not compared");
    return 0;
}

static int read_conditions(struct in *in, struct policy_row *r)
{
    char word[WORD_MAX];
    struct in back = *in;
    int n = 0, rc = 0;

    take_word(in, "", word);
    if (strcmp(word, "if") != 0) {
        *in = back;
        return 0;
    }
    do {
        if (n == POLICY_ARGS)
            return wrong(in, back.at, "a row has at most %d conditions; rows of one call are alternatives", (int)POLICY_ARGS);
        rc = read_condition(in, r->nr, &r->args[n++]);
        back = *in;
        take_word(in, "", word);
    } while (rc == 0 && strcmp(word, "and") == 0);
    *in = back;
    return rc;
}

static int read_given(struct in *in, struct policy_row *r)
{
    const char *known[N_GIVENS + 1] = { NULL };
    char word[WORD_MAX];
    const char *at = take_word(in, "=-", word);

    for (size_t i = 0; i < N_GIVENS; i++) {
        known[i] = policy_givens[i].name;
        if (strcmp(known[i], word) == 0) {
            r->given |= policy_givens[i].bit;
            return 0;
        }
    }
    return wrong_word(in, at, "something that a row depends on", word, known);
}

static int read_givens(struct in *in, struct policy_row *r)
{
    char word[WORD_MAX];
    struct in back = *in;
    int rc;

    take_word(in, "", word);
    if (strcmp(word, "with") != 0) {
        *in = back;
        return 0;
    }
    do
        rc = read_given(in, r);
    while (rc == 0 && take_sign(in, ","));
    return rc;
}

/* The reason, copied to *reasons, which moves on. It has what is left of the text, and the text has it: room is enough. */
static int read_reason(struct in *in, const char *line_end, struct policy_row *r, char **reasons)
{
    const char *from = in->end, *to = line_end;
    size_t len;

    if (from < to)
        from++; /* the # itself */
    while (from < to && isspace((unsigned char)*from))
        from++;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    len = (size_t)(to - from);
    if (len == 0)
        return wrong(in, in->end, "say why: a row ends with # and a reason");
    if (len > POLICY_REASON)
        return wrong(in, in->end, "a reason has at most %d bytes", (int)POLICY_REASON);
    for (const char *p = from; p < to; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return wrong(in, p, "a reason is text");
    memcpy(*reasons, from, len);
    (*reasons)[len] = '\0';
    r->why = *reasons;
    *reasons += len + 1;
    return 0;
}

static int read_row(struct in *in, const char *line_end, struct policy_row *r, char **reasons)
{
    int rc = read_verdict(in, r);

    if (rc == 0)
        rc = read_call(in, r);
    if (rc == 0)
        rc = read_conditions(in, r);
    if (rc == 0)
        rc = read_givens(in, r);
    skip_blanks(in);
    if (rc == 0 && in->at < in->end)
        rc = wrong(in, in->at, "the row should end here, with # and a reason");
    return rc == 0 ? read_reason(in, line_end, r, reasons) : rc;
}

static int read_line(struct in *in, const char *line_end, struct policy_text *t, char **reasons)
{
    struct policy_row r;
    int rc;

    memset(&r, 0, sizeof(r));
    skip_blanks(in);
    if (in->at == in->end)
        return 0; /* empty, or a comment */
    if (t->n == POLICY_TEXT_ROWS)
        return wrong(in, in->at, "more than %d rows", (int)POLICY_TEXT_ROWS);
    rc = read_row(in, line_end, &r, reasons);
    if (rc == 0) {
        t->lines[t->n] = in->number;
        t->rows[t->n++] = r;
    }
    return rc;
}

static int read_lines(const char *text, struct policy_text *t, char *why)
{
    struct in in = { .number = 1, .why = why };
    char *reasons = t->reasons;

    for (const char *line = text; *line != '\0'; in.number++) {
        size_t len = strcspn(line, "\n");
        const char *hash = memchr(line, '#', len);
        int rc;

        in.line = in.at = line;
        in.end = hash != NULL ? hash : line + len;
        rc = read_line(&in, line + len, t, &reasons);
        if (rc != 0)
            return rc;
        line += len + (line[len] == '\n');
    }
    return 0;
}

int policy_text_read(const char *text, struct policy_text *ret_text, char why[POLICY_WHY])
{
    struct policy_text t = { 0 };
    size_t len = strlen(text);
    int rc = -ENOMEM;

    if (len > POLICY_TEXT_MAX) {
        snprintf(why, POLICY_WHY, "a policy has at most %d KiB", POLICY_TEXT_MAX >> 10);
        return -EINVAL;
    }
    t.rows = calloc(POLICY_TEXT_ROWS, sizeof(*t.rows));
    t.lines = calloc(POLICY_TEXT_ROWS, sizeof(*t.lines));
    t.reasons = malloc(len + 1);
    if (t.rows != NULL && t.lines != NULL && t.reasons != NULL)
        rc = read_lines(text, &t, why);
    else
        snprintf(why, POLICY_WHY, "not enough memory");
    if (rc != 0) {
        policy_text_finish(&t);
        return rc;
    }
    *ret_text = t;
    return 0;
}

void policy_text_finish(struct policy_text *t)
{
    free(t->rows);
    free(t->lines);
    free(t->reasons);
    memset(t, 0, sizeof(*t));
}
