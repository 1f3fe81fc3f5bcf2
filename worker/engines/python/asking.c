/* asking.c - see asking.h. */
#include "worker/engines/python/asking.h"

#include <errno.h>

#include "coop/task.h"
#include "worker/engines/python/call_error.h"
#include "worker/engines/python/waits.h"

/* ---- waiting ------------------------------------------------------------------------------------------------------------------------ */

/* When its tasklet or its job is cancelled the broker has the last word: what it has done is done. */
static int wait_or_take_back(struct ask *a, int64_t deadline)
{
    int rc = ask_wait(a, deadline);

    return rc == -ECANCELED ? ask_take_back(a, rc) : rc;
}

int python_asking_wait(struct ask *a, int64_t deadline)
{
    struct python_wait w;
    int rc = python_wait_begins(&w);

    if (rc < 0)
        return rc;
    rc = w.parks ? python_call_came_back(wait_or_take_back(a, deadline)) : ask_wait(a, deadline);
    python_wait_ends(&w);
    return rc;
}

const Pb__Answer *python_asking_answer(struct ask *a)
{
    const Pb__Answer *answer = ask_answer(a);

    if (answer->body_case != PB__ANSWER__BODY_FAILURE)
        return answer;
    (void)python_call_raise_failure(answer->failure);
    return NULL;
}

struct ask *python_asking_do(Pb__Ask *a)
{
    struct ask *made;
    int rc = ask_begin(a, &made);

    if (rc != 0)
        return python_call_failed(rc), NULL;
    rc = python_asking_wait(made, COOP_NEVER);
    if (rc != 0)
        (void)python_call_failed(rc);
    if (rc == 0 && python_asking_answer(made) != NULL)
        return made;
    ask_end(made);
    return NULL;
}

int python_packed_move(struct packed *p, const char *root, struct packed_error *e)
{
    struct python_wait w;
    int rc;

    if (p->len <= VALUE_BYTES)
        return 0;
    rc = python_wait_begins(&w);
    if (rc < 0)
        return rc;
    rc = packed_fit(p, root, e);
    python_wait_ends(&w);
    return rc;
}

int python_packed_fit(struct packed *p, const char *root)
{
    struct packed_error e;
    int rc = python_packed_move(p, root, &e);

    if (rc == 0)
        return 0;
    (void)(rc == -EBADMSG ? python_call_raise_packed(&e) : python_call_failed(rc));
    return -1;
}
