/*
 * task_hook.c - see task.h and sl.h: callbacks of a script before each switch and each channel's move.
 *
 * A switch is told to a Lua thread of its own, because the one that runs may be at its stack's end, or over. Nested calls count on from
 * whoever runs. A callback may not switch; its error is printed, for there is nobody to raise it to.
 */
#include "worker/engines/lua/sl.h"

#include <string.h>

#include "worker/output.h"

static const char thread_key, coop_switch_key, coop_channel_key, sl_switch_key, sl_channel_key;
static lua_State *teller; /* NULL: no callback was ever set */

bool sl_in_callback, sl_channel_told;

struct told {
    struct lua_task *from, *to; /* NULL: none */
    int64_t from_id, to_id;     /* 0: none */
    const coop_chan *chan;
    bool sending, will_block;
};

static void print_error(lua_State *H)
{
    static const char head[] = "error in a callback: ";
    const char *text = lua_tostring(H, -1);

    if (text == NULL)
        text = luaL_typename(H, -1);
    output_write(PB__STREAM__STREAM_STDERR, head, sizeof(head) - 1);
    output_write(PB__STREAM__STREAM_STDERR, text, strlen(text));
    output_write(PB__STREAM__STREAM_STDERR, "\n", 1);
}

/* Calls f with what at on the teller. */
static void tell(lua_CFunction f, struct told *what)
{
    lua_State *before = lua_job.current;
    int n;

    if (sl_in_callback || lua_job.cancelled || lua_task_finishing)
        return;
    sl_in_callback = true;
    sched->switch_trap++;
    lua_job.current = teller;
    lua_pushcfunction(teller, f);
    lua_pushlightuserdata(teller, what);
    if (lua_resume(teller, before, 1, &n) != LUA_OK) {
        print_error(teller);
        lua_resetthread(teller);
    }
    lua_settop(teller, 0);
    lua_job.current = before;
    sched->switch_trap--;
    sl_in_callback = false;
}

/* ---- switches ------------------------------------------------------------------------------------------------------------------ */

static void push_id(lua_State *H, int64_t id)
{
    if (id == 0)
        lua_pushnil(H);
    else
        lua_pushinteger(H, id);
}

static int tell_switch(lua_State *H)
{
    const struct told *w = lua_touserdata(H, 1);

    if (lua_rawgetp(H, LUA_REGISTRYINDEX, &sl_switch_key) != LUA_TNIL) {
        sl_push(H, w->from);
        sl_push(H, w->to);
        lua_call(H, 2, 0);
    }
    if (lua_rawgetp(H, LUA_REGISTRYINDEX, &coop_switch_key) != LUA_TNIL) {
        push_id(H, w->from_id);
        push_id(H, w->to_id);
        lua_call(H, 2, 0);
    }
    return 0;
}

/* The end of a tasklet was told before, by lua_task_tell_end(). */
static void on_switch(coop_task *from, coop_task *to)
{
    struct told w = { .to_id = to != NULL ? (int64_t)to->id : 0 };

    if (to == NULL)
        return;
    w.to = to->engine;
    if (from != NULL) {
        w.from = from->engine;
        w.from_id = (int64_t)from->id;
    }
    tell(tell_switch, &w);
}

void lua_task_tell_end(struct lua_task *t)
{
    struct told w = { .from = t, .from_id = (int64_t)sched->current->id };

    if (sched->switch_hook != NULL)
        tell(tell_switch, &w);
}

/* ---- channels ------------------------------------------------------------------------------------------------------------------ */

static int tell_channel(lua_State *H)
{
    const struct told *w = lua_touserdata(H, 1);

    lua_rawgetp(H, LUA_REGISTRYINDEX, &coop_channel_key);
    lua_task_push_channel(H, w->chan);
    push_id(H, w->from_id);
    lua_pushboolean(H, w->sending);
    lua_pushboolean(H, w->will_block);
    lua_call(H, 4, 0);
    return 0;
}

static void on_channel(coop_chan *c, coop_task *t, bool sending, bool will_block)
{
    struct told w = { .chan = c, .from_id = (int64_t)t->id, .sending = sending, .will_block = will_block };

    tell(tell_channel, &w);
}

/* Its error is the operation's, which has not happened. */
void sl_tell_channel(lua_State *L, bool sending, bool will_block)
{
    int status;

    sl_in_callback = true;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &sl_channel_key);
    lua_pushvalue(L, 1);
    sl_push(L, sched->current->engine);
    lua_pushboolean(L, sending);
    lua_pushboolean(L, will_block);
    sched->switch_trap++;
    status = lua_pcall(L, 4, 0, 0);
    sched->switch_trap--;
    sl_in_callback = false;
    if (status != LUA_OK)
        lua_error(L);
}

/* ---- setting them -------------------------------------------------------------------------------------------------------------- */

static void need_teller(lua_State *L)
{
    if (teller != NULL)
        return;
    teller = lua_newthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &thread_key);
}

static bool is_set(lua_State *L, const void *key)
{
    bool set = lua_rawgetp(L, LUA_REGISTRYINDEX, key) != LUA_TNIL;

    lua_pop(L, 1);
    return set;
}

/* The callback at 1, or nil, takes the place of the one that is returned. */
static int set_callback(lua_State *L, const void *key)
{
    if (!lua_isnoneornil(L, 1) && !lua_isfunction(L, 1))
        return luaL_error(L, "the callback must be a function or nil");
    lua_settop(L, 1);
    need_teller(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    sl_channel_told = is_set(L, &sl_channel_key);
    coop_set_chan_hook(is_set(L, &coop_channel_key) ? on_channel : NULL);
    coop_set_switch_hook(is_set(L, &coop_switch_key) || is_set(L, &sl_switch_key) ? on_switch : NULL);
    return 1;
}

static int get_callback(lua_State *L, const void *key)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    return 1;
}

static int coop_set_switch(lua_State *L)
{
    return set_callback(L, &coop_switch_key);
}

static int coop_set_channel(lua_State *L)
{
    return set_callback(L, &coop_channel_key);
}

static int sl_set_switch(lua_State *L)
{
    return set_callback(L, &sl_switch_key);
}

static int sl_set_channel(lua_State *L)
{
    return set_callback(L, &sl_channel_key);
}

static int sl_get_switch(lua_State *L)
{
    return get_callback(L, &sl_switch_key);
}

static int sl_get_channel(lua_State *L)
{
    return get_callback(L, &sl_channel_key);
}

void lua_task_open_hooks(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"set_schedule_callback", coop_set_switch },
        { "set_channel_callback", coop_set_channel},
        { NULL,                   NULL            }
    };

    luaL_setfuncs(L, functions, 0);
}

void sl_open_hooks(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"set_schedule_callback",  sl_set_switch },
        { "set_channel_callback",  sl_set_channel},
        { "get_schedule_callback", sl_get_switch },
        { "get_channel_callback",  sl_get_channel},
        { NULL,                    NULL          }
    };

    luaL_setfuncs(L, functions, 0);
}
