/* glob.c - see glob.h. */
#include "worker/engines/exec/glob.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define refuse(why, ...) (snprintf((why), GLOB_WHY, __VA_ARGS__), -EINVAL)

/* ---- one part, one name -------------------------------------------------------------------------------------------------------- */

/* A set that begins at p[0] == '['. *ret_next: behind it. False where it has no end: then '[' stands for itself. */
static bool match_set(const char *p, const char *end, unsigned char c, bool *ret_hit, const char **ret_next)
{
    bool not, hit = false;
    const char *at = p + 1;

    not = at < end && (*at == '!' || *at == '^');
    if (not )
        at++;
    for (const char *first = at; at < end && (*at != ']' || at == first); at++) {
        unsigned char low = (unsigned char)*at, high = low;

        if (end - at > 2 && at[1] == '-' && at[2] != ']') {
            high = (unsigned char)at[2];
            at += 2;
        }
        hit |= c >= low && c <= high;
    }
    if (at >= end)
        return false;
    *ret_hit = hit != not ;
    *ret_next = at + 1;
    return true;
}

/* Whether c is what stands at p, which is no star; *ret_next: behind that. */
static bool match_one(const char *p, const char *end, unsigned char c, const char **ret_next)
{
    bool hit;

    *ret_next = p + 1;
    if (*p == '?')
        return true;
    if (*p == '[' && match_set(p, end, c, &hit, ret_next))
        return hit;
    if (*p == '\\' && p + 1 < end) {
        p++;
        *ret_next = p + 1;
    }
    return (unsigned char)*p == c;
}

/* When it fails, only the last star takes one byte more: what those before it took makes no difference. */
static bool match_name(const struct glob_part *part, const char *name)
{
    const char *p = part->at, *end = p + part->len, *star = NULL, *again = NULL;

    if (*name == '.' && *p != '.')
        return false;
    while (*name != '\0') {
        const char *next;

        if (p < end && *p == '*') {
            star = ++p;
            again = name;
        } else if (p < end && match_one(p, end, (unsigned char)*name, &next)) {
            p = next;
            name++;
        } else if (star != NULL) {
            p = star;
            name = ++again;
        } else {
            return false;
        }
    }
    while (p < end && *p == '*')
        p++;
    return p == end;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------------- */

static bool is_any(const struct glob_part *part)
{
    return part->len == 2 && part->at[0] == '*' && part->at[1] == '*';
}

static bool is_dots(const struct glob_part *part)
{
    return part->len > 0 && part->len <= 2 && part->at[0] == '.' && part->at[part->len - 1] == '.';
}

static int add_part(struct glob *g, const char *text, struct glob_part part, char why[GLOB_WHY])
{
    if (part.len == 0)
        return refuse(why, "output %.200s: a part of it is empty; a directory's files are \"DIR/*\", with those below \"DIR/**\"", text);
    if (is_dots(&part))
        return refuse(why, "output %.200s: \".\" and \"..\" are no parts of a pattern; it begins at the work directory", text);
    if (g->n == GLOB_PARTS)
        return refuse(why, "output %.200s: more than %d parts", text, GLOB_PARTS);
    if (!is_any(&part) || g->n == 0 || !is_any(&g->parts[g->n - 1]))
        g->parts[g->n++] = part;
    return 0;
}

int glob_read(struct glob *ret_g, const char *text, char why[GLOB_WHY])
{
    const char *at = strncmp(text, "./", 2) == 0 ? text + 2 : text;

    ret_g->n = 0;
    if (*at == '/')
        return refuse(why, "output %.200s: is absolute; outputs are named from the work directory", text);
    for (;; at++) {
        struct glob_part part = { at, strcspn(at, "/") };
        int rc = add_part(ret_g, text, part, why);

        if (rc != 0)
            return rc;
        at += part.len;
        if (*at == '\0')
            break;
    }
    if (is_any(&ret_g->parts[ret_g->n - 1])) /* there is a place more than GLOB_PARTS */
        ret_g->parts[ret_g->n++] = (struct glob_part){ "*", 1 };
    return 0;
}

glob_state glob_step(const struct glob *g, glob_state s, const char *name)
{
    glob_state next = 0;

    for (unsigned i = 0; i < g->n; i++) {
        if ((s >> i & 1) == 0)
            continue;
        if (!is_any(&g->parts[i])) {
            next |= match_name(&g->parts[i], name) ? (glob_state)1 << (i + 1) : 0;
            continue;
        }
        s |= (glob_state)1 << (i + 1); /* it may stand for no directory at all */
        if (*name != '.')
            next |= (glob_state)1 << i;
    }
    return next;
}

bool glob_matches(const struct glob *g, glob_state s)
{
    return (s >> g->n & 1) != 0;
}

bool glob_goes_on(const struct glob *g, glob_state s)
{
    return (s & (((glob_state)1 << g->n) - 1)) != 0;
}
