/* alias_log.c - calls of aliases that have been made, as the store keeps them, for host programs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/store.h"

enum { PAGE = 1000, PAGE_UNASKED = 100 };

static void tell(const struct store_alias *s, Pb__AliasLogged *ret)
{
    pb__alias_logged__init(ret);
    ret->number = s->number;
    ret->ended_us = s->ended_us;
    ret->wall_us = s->wall_us;
    ret->caller = (char *)s->caller;
    ret->server = (char *)s->server;
    ret->name = (char *)s->name;
    ret->bytes_in = s->bytes_in;
    ret->bytes_out = s->bytes_out;
    ret->error = (Pb__CallError)s->error;
}

static void reply(struct ask *a, const struct store_alias *found, int n)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__AliasLogList list = PB__ALIAS_LOG_LIST__INIT;
    Pb__AliasLogged *rows = calloc((size_t)n + 1, sizeof(*rows));
    Pb__AliasLogged **at = calloc((size_t)n + 1, sizeof(Pb__AliasLogged *));

    if (rows == NULL || at == NULL) {
        ask_fail(a, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "out of memory");
    } else {
        for (int i = 0; i < n; i++) {
            tell(&found[i], &rows[i]);
            at[i] = &rows[i];
        }
        list.calls = at;
        list.n_calls = (size_t)n;
        m.body_case = PB__ANSWER__BODY_ALIAS_CALLS;
        m.alias_calls = &list;
        ask_reply(a, &m);
    }
    free(rows);
    free(at);
}

void call_alias_log(struct ask *a)
{
    const Pb__AliasLog *m = a->message->alias_log;
    int max = m->limit == 0 ? PAGE_UNASKED : m->limit > PAGE ? PAGE : (int)m->limit;
    struct store_alias *found = calloc((size_t)max, sizeof(*found));
    int n = found != NULL ? store_alias_list(a->by->broker->store, a->by->operates ? NULL : &a->by->estate->tenant, m->before, found, max)
                          : -ENOMEM;

    if (n < 0)
        ask_fail(a, n == -ENOMEM ? PB__CALL_ERROR__CALL_ERROR_TEMPORARY : PB__CALL_ERROR__CALL_ERROR_INTERNAL,
                 "the store cannot be read: %s", strerror(-n));
    else
        reply(a, found, n);
    free(found);
}
