/* policy.c - see policy.h. The tables themselves are in policy_pure.c, policy_exec.c and policy_init.c. */
#include "worker/policy.h"

#include <stdbool.h>
#include <string.h>

#include "worker/policy_rows.h"

/*
 * x86-64: 335..423 were skipped when the ABIs' numbers were unified; from 512 on lie x32's own. Linux 6.11 put uretprobe at 335,
 * and lets it pass by every filter; called by anyone but the kernel's own probe it ends the process with SIGILL.
 */
static const struct policy_gap x86_64_gaps[] = {
    {335, 423}
};

enum { NEWEST = 450 }; /* set_mempolicy_home_node, Linux 5.17 */

static const struct policy_table *const tables[] = { &policy_table_compute,      &policy_table_lua,
                                                     &policy_table_python,       &policy_table_native,
                                                     &policy_table_exec,         &policy_table_init,
                                                     &policy_table_lua_template, &policy_table_python_template };

enum { N_TABLES = sizeof(tables) / sizeof(tables[0]) };

const char *const policy_names[N_TABLES + 1] = { "compute", "lua",          "python",          "native", "exec",
                                                 "init",    "lua-template", "python-template", NULL };

const struct policy *policy_find(const char *profile)
{
    static struct policy found[N_TABLES];

    for (size_t i = 0; i < N_TABLES; i++)
        if (strcmp(tables[i]->name, profile) == 0) {
            found[i] = (struct policy){ .name = tables[i]->name,
                                        .rows = tables[i]->rows,
                                        .n_rows = tables[i]->n_rows,
                                        .gaps = x86_64_gaps,
                                        .n_gaps = sizeof(x86_64_gaps) / sizeof(x86_64_gaps[0]),
                                        .newest = NEWEST,
                                        .unlisted = tables[i]->unlisted };
            return &found[i];
        }
    return NULL;
}

size_t policy_leave(const struct policy *p, struct policy_row *room, struct policy *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_rows; i++)
        if (p->rows[i].verdict == POLICY_NOTIFY)
            room[n++] = p->rows[i];
    *ret = *p;
    ret->rows = room;
    ret->n_rows = n;
    ret->unlisted = POLICY_ALLOW;
    ret->asked_before = false;
    return n;
}

static bool has_verdict(const struct policy *p, enum policy_verdict v)
{
    for (size_t i = 0; i < p->n_rows; i++)
        if (p->rows[i].verdict == v)
            return true;
    return false;
}

void policy_explain(const struct policy *p, FILE *to)
{
    char line[POLICY_LINE];

    fprintf(to, "# profile %s: the first row of a call that holds decides\n", p->name);
    for (size_t i = 0; i < p->n_rows; i++) {
        policy_row_print(&p->rows[i], line, sizeof(line));
        fprintf(to, "%s\n", line);
    }
    if (has_verdict(p, POLICY_ANSWER))
        fprintf(to, "# answer: the kernel does nothing, the worker's own handler for SIGSYS gives the answer\n");
    if (has_verdict(p, POLICY_NOTIFY))
        fprintf(
            to,
            "# ask: the caller waits until the broker has given leave, once for each fork that it ordered; without leave the job ends\n");
    fprintf(to, "# any other known call: the job ends, and its receipt names the call\n");
    fprintf(to, "# a number above %u, or that is no call: refuse ENOSYS, as an older kernel would\n", p->newest);
    fprintf(to, "# a call of i386 or x32: killed at once; the numbers mean other calls there\n");
}
