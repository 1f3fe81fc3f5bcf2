/* learn.c - see learn.h. */
#include "worker/engines/exec/learn.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "policy_grant.h"
#include "policy_text.h"
#include "worker/link.h"

struct learned {
    char row[POLICY_LINE]; /* as a user would write it */
    uint64_t times;
    const char *why_not; /* NULL: granted */
};

static struct learned rows[LEARN_ROWS];
static unsigned n_rows;

static struct learned *find(const char *row, const char *why_not)
{
    for (unsigned i = 0; i < n_rows; i++)
        if ((rows[i].why_not == NULL) == (why_not == NULL) && strcmp(rows[i].row, row) == 0)
            return &rows[i];
    return NULL;
}

static struct learned *add(const char *row, const char *why_not)
{
    struct learned *new;

    if (n_rows == LEARN_ROWS)
        return &rows[LEARN_ROWS - 1];
    new = &rows[n_rows++];
    snprintf(new->row, sizeof(new->row), "%s", n_rows < LEARN_ROWS ? row : "# more different calls than are listed");
    new->why_not = n_rows < LEARN_ROWS ? why_not : "they are not listed";
    return new;
}

bool learn_note(const struct seccomp_data *call, unsigned given)
{
    char row[POLICY_LINE];
    uint64_t args[6];
    const char *why_not = NULL;
    struct learned *l;

    for (int i = 0; i < 6; i++)
        args[i] = call->args[i];
    if (!policy_call_may_be_granted((uint32_t)call->nr, args, given, &why_not) && why_not == NULL)
        why_not = "it can never be allowed";
    policy_row_for_call((uint32_t)call->nr, args, "learned", row, sizeof(row));
    l = find(row, why_not);
    if (l == NULL)
        l = add(row, why_not);
    l->times++;
    return why_not == NULL;
}

void learn_tell(void)
{
    for (unsigned i = 0; i < n_rows; i++) {
        Pb__FromWorker m = PB__FROM_WORKER__INIT;
        Pb__Learned l = PB__LEARNED__INIT;

        l.row = rows[i].row;
        l.times = rows[i].times;
        l.granted = rows[i].why_not == NULL;
        l.why_not = (char *)(rows[i].why_not != NULL ? rows[i].why_not : "");
        m.body_case = PB__FROM_WORKER__BODY_LEARNED;
        m.learned = &l;
        link_send(&m);
    }
}
