/* policy_check.c - which rows a user may write: policy_text_check(). What may be allowed at all is policy_grant.c's. */
#include <errno.h>
#include <stdio.h>

#include "policy_grant.h"
#include "policy_spell.h"
#include "policy_text.h"

static int check_row(const struct policy_row *r, unsigned line, unsigned given, char why[POLICY_WHY])
{
    const char *never;

    if (r->verdict != POLICY_ALLOW && r->verdict != POLICY_REFUSE) {
        snprintf(why, POLICY_WHY, "line %u: an added row allows or refuses; \"%s\" is for the profiles themselves", line,
                 policy_verdict_names[r->verdict]);
        return -EINVAL;
    }
    if (r->verdict == POLICY_ALLOW && !policy_row_may_be_granted(r, given, &never)) {
        snprintf(why, POLICY_WHY, "line %u: %s can not be allowed%s: %s", line, r->name, policy_may_be_granted(r->nr) ? " so widely" : "",
                 never);
        return -EINVAL;
    }
    return 0;
}

int policy_text_check(const char *text, unsigned given, struct policy_text *ret_text, char why[POLICY_WHY])
{
    struct policy_text t;
    int rc = policy_text_read(text, &t, why);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < t.n && rc == 0; i++)
        rc = check_row(&t.rows[i], t.lines[i], given, why);
    if (rc != 0) {
        policy_text_finish(&t);
        return rc;
    }
    *ret_text = t;
    return 0;
}
