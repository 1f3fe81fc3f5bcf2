/* sl_chan.c - see sl.h: channels as in Stackless: no buffer, who runs when two meet is the channel's preference. */
#include "worker/engines/lua/sl.h"

#include <errno.h>

enum { SEND = 1, RECEIVE = -1, SLOT = 2 };

static struct sl_chan *check(lua_State *L)
{
    return luaL_checkudata(L, 1, SL_CHANNEL);
}

static long balance_of(const struct sl_chan *c)
{
    return c->waiting.count * c->direction;
}

/* channel() */
static int channel(lua_State *L)
{
    struct sl_chan *c = lua_newuserdatauv(L, sizeof(*c), 0);

    *c = (struct sl_chan){ .preference = RECEIVE };
    luaL_setmetatable(L, SL_CHANNEL);
    return 1;
}

/* ---- meeting ------------------------------------------------------------------------------------------------------------------- */

/* The value in my slot for that in the slot of t, which waits. */
static void swap_values(lua_State *L, const struct lua_task *t)
{
    lua_pushvalue(L, SLOT);
    lua_pushvalue(t->parked, t->slot);
    lua_xmove(t->parked, L, 1);
    lua_replace(L, SLOT);
    lua_xmove(L, t->parked, 1);
    lua_replace(t->parked, t->slot);
}

/* Somebody waits for us. */
static int meet(lua_State *L, struct sl_chan *c, int direction)
{
    coop_task *partner = c->waiting.first->task;
    bool now = !c->schedule_all && c->preference == -direction;
    struct lua_task *me;

    if ((now || c->schedule_all) && sched->switch_trap > 0)
        return sl_failed(L, -EPERM);
    swap_values(L, partner->engine);
    me = sl_park(L, SLOT);
    if (now) {
        sl_pass_interrupt(partner->engine);
        task_wake_now(partner, 0);
        return sl_resumed(L, me, 0);
    }
    task_wake(partner, 0);
    if (!c->schedule_all)
        return sl_resumed(L, me, 0);
    sl_soft_interrupt();
    return sl_resumed(L, me, coop_yield());
}

static int wait_for_partner(lua_State *L, struct sl_chan *c, int direction)
{
    struct lua_task *me = sched->current->engine;
    int rc;

    if (me->block_trap)
        return sl_raise(L, SL_RUNTIME_ERROR, "this tasklet does not like to be blocked.");
    if (c->closing)
        return sl_raise(L, SL_VALUE_ERROR, "Send/receive operation on a closed channel");
    if (sl_is_last())
        return sl_failed(L, -EDEADLK);
    if (sched->switch_trap > 0)
        return sl_failed(L, -EPERM);
    c->direction = direction;
    sl_park(L, SLOT);
    me->chan = c;
    sl_soft_interrupt();
    rc = task_block(&c->waiting, COOP_NEVER, direction == SEND ? "channel send" : "channel receive", c);
    if (rc == -EDEADLK && sl_end_broke) {
        me->parked = NULL;
        me->chan = NULL;
        return sl_raise(L, SL_RUNTIME_ERROR,
                        direction == SEND ? "the main tasklet is sending without a receiver available."
                                          : "the main tasklet is receiving without a sender available.");
    }
    return sl_resumed(L, me, rc);
}

/* The value in the slot is sent, or what is received comes there; pushes what there is in the end. */
static int act(lua_State *L, struct sl_chan *c, int direction)
{
    bool can_do;

    lua_task_may_switch(L);
    if (coop_cancelled() != 0)
        return sl_failed(L, -ECANCELED);
    can_do = balance_of(c) * direction < 0;
    if (sl_in_callback)
        return sl_raise(L, SL_RUNTIME_ERROR, "Recursive channel call due to callbacks!");
    if (sl_channel_told) {
        sl_tell_channel(L, direction == SEND, !can_do);
        can_do = balance_of(c) * direction < 0;
    }
    return can_do ? meet(L, c, direction) : wait_for_partner(L, c, direction);
}

/* ---- methods ------------------------------------------------------------------------------------------------------------------- */

static int send(lua_State *L)
{
    struct sl_chan *c = check(L);

    lua_settop(L, SLOT);
    act(L, c, SEND);
    return 0;
}

static int receive(lua_State *L)
{
    struct sl_chan *c = check(L);

    lua_settop(L, 1);
    lua_pushnil(L);
    return act(L, c, RECEIVE);
}

/* The error on top, as a bomb. */
static int send_bomb(lua_State *L, struct sl_chan *c)
{
    sl_wrap(L);
    lua_replace(L, SLOT);
    lua_settop(L, SLOT);
    act(L, c, SEND);
    return 0;
}

/* send_exception(class, ...) */
static int send_exception(lua_State *L)
{
    struct sl_chan *c = check(L);

    sl_push_made(L, "send_exception");
    return send_bomb(L, c);
}

/* send_throw(exc [, value [, traceback]]) */
static int send_throw(lua_State *L)
{
    struct sl_chan *c = check(L);

    lua_settop(L, 4);
    sl_push_error(L, 2);
    return send_bomb(L, c);
}

/* Sends the value on top and pops it. What is below the slot's place stays: channel, slot, then the caller's own. */
static void send_top(lua_State *L, struct sl_chan *c)
{
    lua_replace(L, SLOT);
    act(L, c, SEND);
    lua_pop(L, 1);
}

/* send_sequence(list), or send_sequence(iterator, state, control): each value; returns how many. */
static int send_sequence(lua_State *L)
{
    struct sl_chan *c = check(L);
    lua_Integer sent = 0;

    luaL_checkany(L, 2);
    lua_settop(L, 4);
    lua_pushnil(L);
    lua_insert(L, SLOT); /* channel, slot, list or iterator, state, control */
    if (lua_istable(L, 3)) {
        for (; lua_geti(L, 3, sent + 1) != LUA_TNIL; sent++)
            send_top(L, c);
        lua_pushinteger(L, sent);
        return 1;
    }
    for (;; sent++) {
        lua_pushvalue(L, 3);
        lua_pushvalue(L, 4);
        lua_pushvalue(L, 5);
        lua_call(L, 2, 1);
        if (lua_isnil(L, -1))
            break;
        lua_pushvalue(L, -1);
        lua_replace(L, 5);
        send_top(L, c);
    }
    lua_pushinteger(L, sent);
    return 1;
}

static int close_it(lua_State *L)
{
    check(L)->closing = true;
    return 0;
}

static int open_it(lua_State *L)
{
    check(L)->closing = false;
    return 0;
}

static int try_receive(lua_State *L)
{
    return receive(L);
}

/* for v in ch: the next value; nil when it is closed and nobody sends any more, or a StopIteration was sent. */
static int next_value(lua_State *L)
{
    const struct sl_chan *c = check(L);

    lua_settop(L, 1);
    if (c->closing && balance_of(c) <= 0)
        return 0;
    lua_pushcfunction(L, try_receive);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        return 1;
    return sl_is_a(L, -1, SL_STOP_ITERATION) ? 0 : lua_error(L);
}

/* iter(): for a for loop; so does the channel itself, which can be called. */
static int iter(lua_State *L)
{
    check(L);
    lua_pushcfunction(L, next_value);
    lua_pushvalue(L, 1);
    return 2;
}

/* ---- attributes ---------------------------------------------------------------------------------------------------------------- */

static int get_balance(lua_State *L)
{
    lua_pushinteger(L, balance_of(check(L)));
    return 1;
}

static int get_queue(lua_State *L)
{
    const struct sl_chan *c = check(L);

    sl_push(L, wait_empty(&c->waiting) ? NULL : c->waiting.first->task->engine);
    return 1;
}

static int get_closing(lua_State *L)
{
    lua_pushboolean(L, check(L)->closing);
    return 1;
}

static int get_closed(lua_State *L)
{
    const struct sl_chan *c = check(L);

    lua_pushboolean(L, c->closing && wait_empty(&c->waiting));
    return 1;
}

static int get_preference(lua_State *L)
{
    lua_pushinteger(L, check(L)->preference);
    return 1;
}

static int set_preference(lua_State *L)
{
    struct sl_chan *c = check(L);
    lua_Integer p;

    if (!lua_isinteger(L, 3))
        return sl_raise(L, SL_TYPE_ERROR, "preference must be set to an integer");
    p = lua_tointeger(L, 3);
    c->preference = p > 0 ? 1 : p < 0 ? -1 : 0;
    return 0;
}

static int get_schedule_all(lua_State *L)
{
    lua_pushboolean(L, check(L)->schedule_all);
    return 1;
}

static int set_schedule_all(lua_State *L)
{
    struct sl_chan *c = check(L);

    if (!lua_isinteger(L, 3) && !lua_isboolean(L, 3))
        return sl_raise(L, SL_TYPE_ERROR, "preference must be set to a bool or integer");
    c->schedule_all = lua_isinteger(L, 3) ? lua_tointeger(L, 3) != 0 : lua_toboolean(L, 3);
    return 0;
}

static const struct sl_attr attrs[] = {
    {"balance",       get_balance,      NULL,             NULL                                  },
    { "queue",        get_queue,        NULL,             NULL                                  },
    { "closing",      get_closing,      NULL,             NULL                                  },
    { "closed",       get_closed,       NULL,             NULL                                  },
    { "preference",   get_preference,   set_preference,   NULL                                  },
    { "schedule_all", get_schedule_all, set_schedule_all, NULL                                  },
    { "__reduce__",   NULL,             NULL,             "channels of Lua cannot be serialized"},
    { "__setstate__", NULL,             NULL,             "channels of Lua cannot be serialized"},
    { NULL,           NULL,             NULL,             NULL                                  }
};

void sl_open_channels(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"send",            send          },
        { "receive",        receive       },
        { "send_exception", send_exception},
        { "send_throw",     send_throw    },
        { "send_sequence",  send_sequence },
        { "close",          close_it      },
        { "open",           open_it       },
        { "iter",           iter          },
        { "__call",         next_value    },
        { NULL,             NULL          }
    };
    static const luaL_Reg functions[] = {
        {"channel", channel},
        { NULL,     NULL   }
    };

    sl_type(L, SL_CHANNEL, methods, attrs);
    luaL_setfuncs(L, functions, 0);
}
