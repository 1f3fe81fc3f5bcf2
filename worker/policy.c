/* policy.c - see policy.h. The tables themselves are in policy_pure.c, policy_exec.c and policy_init.c. */
#include "worker/policy.h"

#include <errno.h>
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

static const struct policy_table *const tables[] = { &policy_table_compute, &policy_table_lua,  &policy_table_python,
                                                     &policy_table_native,  &policy_table_exec, &policy_table_init };

enum { N_TABLES = sizeof(tables) / sizeof(tables[0]) };

const char *const policy_names[N_TABLES + 1] = { "compute", "lua", "python", "native", "exec", "init", NULL };

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

static void explain_row(const struct policy_row *r, FILE *to)
{
    char verdict[32];

    if (r->verdict == POLICY_REFUSE)
        snprintf(verdict, sizeof(verdict), "refuse %s", strerrorname_np(r->error));
    else
        snprintf(verdict, sizeof(verdict), "%s", r->verdict == POLICY_ANSWER ? "answer" : r->verdict == POLICY_ALLOW ? "allow" : "end");
    fprintf(to, "%-20s %-15s %s", r->name, verdict, r->why);
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++)
        fprintf(to, "%s argument %u & %#llx is %#llx", i == 0 ? "  [if" : ",", r->args[i].index, (unsigned long long)r->args[i].mask,
                (unsigned long long)r->args[i].value);
    fprintf(to, "%s\n", r->args[0].mask != 0 ? "]" : "");
}

static int has_answers(const struct policy *p)
{
    for (size_t i = 0; i < p->n_rows; i++)
        if (p->rows[i].verdict == POLICY_ANSWER)
            return 1;
    return 0;
}

void policy_explain(const struct policy *p, FILE *to)
{
    fprintf(to, "profile %s\n\n%-20s %-15s %s\n", p->name, "system call", "verdict", "why");
    for (size_t i = 0; i < p->n_rows; i++)
        explain_row(&p->rows[i], to);
    if (has_answers(p))
        fprintf(to, "%-20s %-15s %s\n", "(answer)", "", "the kernel does nothing: the worker's own handler for SIGSYS gives the answer");
    fprintf(to, "%-20s %-15s %s\n", "any other, known", "end, reported", "nothing a worker needs; the receipt names the call");
    fprintf(to, "%-20s %-15s %s\n", "unknown number", "refuse ENOSYS", "what an older kernel would say");
    fprintf(to, "%-20s %-15s %s\n", "i386 or x32 call", "kill", "the numbers mean other calls there");
}
