/* task_chan.c - see task.h: channels and select. */
#include "worker/engines/lua/task.h"

#include <errno.h>
#include <string.h>

enum { CLAUSES_MAX = 256, CAPACITY_MAX = 1 << 24, CHAN_BYTES = 384 };

struct lua_chan {
    coop_chan *chan;
    size_t charged;
};

#define CHAN_TYPE "coop.channel"

static struct lua_chan *check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, CHAN_TYPE);
}

/* Whose stack has the channels of the operation that is about to happen: the callback is given one of them. */
static lua_State *acting;

void lua_task_push_channel(lua_State *H, const coop_chan *chan)
{
    for (int i = lua_gettop(acting); i > 0; i--) {
        const struct lua_chan *c = luaL_testudata(acting, i, CHAN_TYPE);

        if (c == NULL || c->chan != chan)
            continue;
        lua_pushvalue(acting, i);
        lua_xmove(acting, H, 1);
        return;
    }
    lua_pushnil(H);
}

/* channel([capacity [, preference]]) */
static int channel(lua_State *L)
{
    lua_Integer capacity = luaL_optinteger(L, 1, 0), preference = luaL_optinteger(L, 2, -1);
    struct lua_chan *c;
    size_t cost;
    int rc;

    luaL_argcheck(L, capacity >= 0, 1, "a channel cannot hold a negative number of values");
    luaL_argcheck(L, preference >= -1 && preference <= 1, 2, "preference is -1, 0 or 1");
    luaL_argcheck(L, capacity <= CAPACITY_MAX, 1, "a channel cannot hold so many values");
    c = lua_newuserdatauv(L, sizeof(*c), 0);
    *c = (struct lua_chan){ 0 };
    luaL_setmetatable(L, CHAN_TYPE);
    cost = CHAN_BYTES + (size_t)capacity * 2 * sizeof(struct coop_value);
    lua_task_charge(L, cost);
    c->charged = cost;
    rc = coop_chan_new((size_t)capacity, &c->chan);
    if (rc != 0)
        return lua_task_failed(L, rc);
    coop_chan_set_preference(c->chan, (enum coop_preference)preference);
    return 1;
}

/* Nobody waits on it, or it would be on somebody's stack; what is still buffered is let go. */
static int chan_gc(lua_State *L)
{
    struct lua_chan *c = check(L, 1);
    intptr_t word;

    lua_task_discharge(c->charged);
    c->charged = 0;
    if (c->chan == NULL || sched == NULL)
        return 0;
    coop_switch_trap(1);
    while (coop_chan_len(c->chan) > 0 && coop_chan_recv(c->chan, &word, 0) == 0)
        luaL_unref(L, LUA_REGISTRYINDEX, (int)word);
    coop_switch_trap(-1);
    (void)coop_chan_free(c->chan);
    c->chan = NULL;
    return 0;
}

/* send(value [, seconds]) -> true */
static int chan_send(lua_State *L)
{
    const struct lua_chan *c = check(L, 1);
    int64_t deadline = lua_task_deadline(L, 3);
    intptr_t word;
    int rc;

    luaL_checkany(L, 2);
    word = lua_task_ref(L, 2);
    acting = L;
    rc = coop_chan_send(c->chan, word, deadline);
    if (rc != 0) {
        luaL_unref(L, LUA_REGISTRYINDEX, (int)word);
        return lua_task_failed(L, rc);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* A sent error travels as a table that only this file makes. */
static const char error_mark;

/* send_error(error [, seconds]): raised by whoever receives it. */
static int chan_send_error(lua_State *L)
{
    luaL_checkany(L, 2);
    lua_settop(L, 3);
    lua_createtable(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 1);
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &error_mark);
    lua_replace(L, 2);
    return chan_send(L);
}

/* The received value, pushed; an error that was sent is raised. */
static int received(lua_State *L, intptr_t word)
{
    lua_task_push_ref(L, word);
    if (lua_type(L, -1) == LUA_TTABLE) {
        if (lua_rawgetp(L, -1, &error_mark) == LUA_TBOOLEAN) {
            lua_rawgeti(L, -2, 1);
            return lua_error(L);
        }
        lua_pop(L, 1);
    }
    return 1;
}

/* receive([seconds]) -> value */
static int chan_receive(lua_State *L)
{
    const struct lua_chan *c = check(L, 1);
    int64_t deadline = lua_task_deadline(L, 2);
    intptr_t word;
    int rc;

    acting = L;
    rc = coop_chan_recv(c->chan, &word, deadline);
    return rc == 0 ? received(L, word) : lua_task_failed(L, rc);
}

static int chan_close(lua_State *L)
{
    int rc = coop_chan_close(check(L, 1)->chan);

    if (rc == -EPIPE)
        return luaL_error(L, "close of closed channel");
    return rc == 0 ? 0 : lua_task_failed(L, rc);
}

static int chan_open(lua_State *L)
{
    coop_chan_open(check(L, 1)->chan);
    return 0;
}

static int chan_closed(lua_State *L)
{
    lua_pushboolean(L, coop_chan_is_closed(check(L, 1)->chan));
    return 1;
}

static int chan_closing(lua_State *L)
{
    lua_pushboolean(L, coop_chan_is_closing(check(L, 1)->chan));
    return 1;
}

static int chan_balance(lua_State *L)
{
    lua_pushinteger(L, coop_chan_balance(check(L, 1)->chan));
    return 1;
}

static int chan_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)coop_chan_len(check(L, 1)->chan));
    return 1;
}

static int chan_capacity(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)coop_chan_cap(check(L, 1)->chan));
    return 1;
}

/* preference([new]) -> the old one */
static int chan_preference(lua_State *L)
{
    const struct lua_chan *c = check(L, 1);
    lua_Integer old = coop_chan_preference(c->chan);

    if (!lua_isnoneornil(L, 2)) {
        lua_Integer p = luaL_checkinteger(L, 2);

        luaL_argcheck(L, p >= -1 && p <= 1, 2, "preference is -1, 0 or 1");
        coop_chan_set_preference(c->chan, (enum coop_preference)p);
    }
    lua_pushinteger(L, old);
    return 1;
}

static int next_value(lua_State *L)
{
    const struct lua_chan *c = check(L, 1);
    intptr_t word;
    int rc;

    lua_task_may_switch(L);
    acting = L;
    rc = coop_chan_recv(c->chan, &word, COOP_NEVER);
    if (rc == -EPIPE)
        return 0;
    return rc == 0 ? received(L, word) : lua_task_failed(L, rc);
}

/* for value in c:each() do … until it is closed; a nil that was sent ends it too, as every iterator */
static int chan_each(lua_State *L)
{
    check(L, 1);
    lua_pushcfunction(L, next_value);
    lua_pushvalue(L, 1);
    return 2;
}

/* ---- select -------------------------------------------------------------------------------------------------------------------- */

/* A list has no names but these. */
static void check_options(lua_State *L)
{
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

        if (name != NULL && strcmp(name, "timeout") != 0 && strcmp(name, "policy") != 0)
            luaL_error(L, "unknown option '%s'; known: timeout, policy", name);
        lua_pop(L, 1);
    }
}

/* Which of the words the value on top is, and pops it; nil: the default; none: -1, and it stays, as a string. */
static int word_on_top(lua_State *L, const char *const words[], int n, int by_default)
{
    int found = lua_isnil(L, -1) ? by_default : -1;

    for (int i = 0; i < n && found < 0; i++)
        if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), words[i]) == 0)
            found = i;
    if (found < 0)
        luaL_tolstring(L, -1, NULL);
    else
        lua_pop(L, 1);
    return found;
}

static enum coop_select_policy policy_of(lua_State *L)
{
    static const char *const names[] = { "fair", "first", "default" };
    int choice;

    lua_getfield(L, 1, "policy");
    choice = word_on_top(L, names, 3, 0);
    if (choice < 0)
        luaL_error(L, "policy '%s' is not 'fair', 'first' or 'default'", lua_tostring(L, -1));
    return (enum coop_select_policy)choice;
}

/* { channel, "receive" } or { channel, "send", value }; leaves the channel on the stack: the table may change meanwhile. */
static void read_clause(lua_State *L, struct coop_clause *k, int i)
{
    static const char *const ops[] = { "send", "receive" };
    const struct lua_chan *c;
    int op;

    if (lua_rawgeti(L, 1, i) != LUA_TTABLE)
        luaL_error(L, "clause %d is not a table", i);
    lua_rawgeti(L, -1, 1);
    c = luaL_testudata(L, -1, CHAN_TYPE);
    if (c == NULL && !lua_isboolean(L, -1))
        luaL_error(L, "clause %d: its first value is not a channel, nor false", i);
    k->chan = c != NULL ? c->chan : NULL;
    lua_rawgeti(L, -2, 2);
    op = word_on_top(L, ops, 2, 1);
    if (op < 0)
        luaL_error(L, "clause %d: '%s' is not 'send' or 'receive'", i, lua_tostring(L, -1));
    k->op = op == 0 ? COOP_SEND : COOP_RECV;
    lua_remove(L, -2);
}

/* Only when nothing can go wrong any more: references would be lost. */
static void take_values(lua_State *L, struct coop_clause *clauses, int n)
{
    for (int i = 0; i < n; i++) {
        if (clauses[i].op != COOP_SEND)
            continue;
        lua_rawgeti(L, 1, i + 1);
        lua_rawgeti(L, -1, 3);
        clauses[i].word = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_pop(L, 1);
    }
}

static void drop_values(lua_State *L, const struct coop_clause *clauses, int n, int but)
{
    for (int i = 0; i < n; i++)
        if (clauses[i].op == COOP_SEND && i != but)
            luaL_unref(L, LUA_REGISTRYINDEX, (int)clauses[i].word);
}

/* select{ {c, "receive"}, {c, "send", v}, …, timeout = seconds, policy = "fair"|"first"|"default" } -> index, value; or index, nil, "closed" */
static int select(lua_State *L)
{
    struct coop_clause *clauses;
    enum coop_select_policy policy;
    int64_t deadline;
    int n, chosen;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    n = (int)luaL_len(L, 1);
    luaL_argcheck(L, n >= 0 && n <= CLAUSES_MAX, 1, "too many clauses");
    check_options(L);
    policy = policy_of(L);
    lua_getfield(L, 1, "timeout");
    deadline = lua_task_deadline(L, -1);
    clauses = lua_newuserdatauv(L, sizeof(*clauses) * (size_t)(n + 1), 0);
    memset(clauses, 0, sizeof(*clauses) * (size_t)(n + 1));
    luaL_checkstack(L, n + 4, "too many clauses");
    for (int i = 0; i < n; i++)
        read_clause(L, &clauses[i], i + 1);
    take_values(L, clauses, n);
    acting = L;
    chosen = coop_select(clauses, (size_t)n, policy, deadline);
    drop_values(L, clauses, n, chosen >= 0 && clauses[chosen].rc == 0 ? chosen : -1);
    if (chosen < 0)
        return lua_task_failed(L, chosen);
    lua_pushinteger(L, chosen + 1);
    if (clauses[chosen].rc != 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 3;
    }
    if (clauses[chosen].op == COOP_SEND)
        return 1;
    return 1 + received(L, clauses[chosen].word);
}

void lua_task_open_channels(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"send",        chan_send      },
        { "receive",    chan_receive   },
        { "send_error", chan_send_error},
        { "close",      chan_close     },
        { "open",       chan_open      },
        { "closed",     chan_closed    },
        { "closing",    chan_closing   },
        { "balance",    chan_balance   },
        { "preference", chan_preference},
        { "capacity",   chan_capacity  },
        { "each",       chan_each      },
        { "__len",      chan_len       },
        { "__gc",       chan_gc        },
        { NULL,         NULL           }
    };
    static const luaL_Reg functions[] = {
        {"channel", channel},
        { "select", select },
        { NULL,     NULL   }
    };

    lua_task_type(L, CHAN_TYPE, methods);
    luaL_setfuncs(L, functions, 0);
}
