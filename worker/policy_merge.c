/* policy_merge.c - a user's rows and a profile's, as one policy. See policy_merge() in policy.h for what is taken and what is not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/policy.h"

/* With what it owns: the rows of both, and the reasons of the added ones. */
struct merged {
    struct policy policy; /* first, so that the one is the other */
    struct policy_text added;
    struct policy_row *rows;
};

static const struct policy_row *allowed_by(const struct policy *base, const struct policy_row *r)
{
    for (size_t i = 0; i < base->n_rows; i++)
        if (base->rows[i].verdict == POLICY_ALLOW && (base->rows[i].given & ~base->given) == 0 && policy_rows_meet(&base->rows[i], r))
            return &base->rows[i];
    return NULL;
}

/* What a tier does not hold the profile refuses there, and so does everybody: the row, or NULL. */
static const struct policy_row *not_held(const struct policy *base, const struct policy_row *r)
{
    for (size_t i = 0; i < base->n_rows; i++) {
        const struct policy_row *b = &base->rows[i];

        if (b->verdict == POLICY_REFUSE && (b->given & ~POLICY_NET_LOOPBACK) != 0 && (b->given & ~base->given) == 0 &&
            policy_rows_meet(b, r))
            return b;
    }
    return NULL;
}

static int check_added(const struct policy *base, const struct policy_text *added, char why[POLICY_WHY])
{
    for (size_t i = 0; i < added->n; i++) {
        const struct policy_row *r = &added->rows[i], *against = r->verdict == POLICY_REFUSE ? allowed_by(base, r) : not_held(base, r);
        char line[POLICY_LINE];

        if (against == NULL)
            continue;
        policy_row_print(against, line, sizeof(line));
        snprintf(why, POLICY_WHY, "line %u: %s; profile %s has: %s", added->lines[i],
                 r->verdict == POLICY_REFUSE ? "rows only add" : "not to be had at this tier", base->name, line);
        return -EINVAL;
    }
    return 0;
}

static int join(const struct policy *base, struct merged *m)
{
    size_t n = m->added.n;

    m->rows = calloc(n + base->n_rows, sizeof(*m->rows));
    if (m->rows == NULL)
        return -ENOMEM;
    memcpy(m->rows, m->added.rows, n * sizeof(*m->rows));
    memcpy(m->rows + n, base->rows, base->n_rows * sizeof(*m->rows));
    m->policy = *base;
    m->policy.rows = m->rows;
    m->policy.n_rows = n + base->n_rows;
    return 0;
}

int policy_merge(const struct policy *base, const char *rows_text, struct policy **ret, char why[POLICY_WHY])
{
    struct merged *m;
    int rc;

    if (base->unlisted != POLICY_NOTIFY) {
        snprintf(why, POLICY_WHY, "profile %s takes no rows: it is the only wall around what runs under it", base->name);
        return -EINVAL;
    }
    m = calloc(1, sizeof(*m));
    if (m == NULL) {
        snprintf(why, POLICY_WHY, "not enough memory");
        return -ENOMEM;
    }
    rc = policy_text_check(rows_text, base->given, &m->added, why);
    if (rc == 0)
        rc = check_added(base, &m->added, why);
    if (rc == 0)
        rc = join(base, m);
    if (rc != 0) {
        policy_free(&m->policy);
        return rc;
    }
    *ret = &m->policy;
    return 0;
}

void policy_free(struct policy *p)
{
    struct merged *m = (struct merged *)p;

    if (m == NULL)
        return;
    policy_text_finish(&m->added);
    free(m->rows);
    free(m);
}
