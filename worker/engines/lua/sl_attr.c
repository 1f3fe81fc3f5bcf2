/* sl_attr.c - see sl.h: what a tasklet of stackless says of itself, a row each. */
#include "worker/engines/lua/sl.h"

#include <string.h>

static const struct sl_tasklet *self(lua_State *L)
{
    return sl_check(L, 1);
}

static int push_bool(lua_State *L, bool b)
{
    lua_pushboolean(L, b);
    return 1;
}

static bool is_current(const struct sl_tasklet *s)
{
    return s->t->task == sched->current && s->t == sched->current->engine;
}

static bool is_queued(const struct sl_tasklet *s)
{
    return sl_begun(s) && (s->t->task->state == TASK_READY || s->t->task->state == TASK_RUNNING);
}

static bool is_blocked(const struct sl_tasklet *s)
{
    return sl_begun(s) && s->t->task->state == TASK_BLOCKED && !sl_floating(s->t);
}

static int get_alive(lua_State *L)
{
    return push_bool(L, sl_alive(self(L)));
}

static int get_paused(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    return push_bool(L, sl_alive(s) && !is_blocked(s) && !is_queued(s));
}

/* -1 receives, 1 sends, 0 does neither; whatever else coop waits for counts as receiving. */
static int get_blocked(lua_State *L)
{
    const struct sl_tasklet *s = self(L);
    int direction = 0;

    if (is_blocked(s) && s->t->chan != NULL)
        direction = s->t->chan->direction;
    else if (is_blocked(s))
        direction = strcmp(s->t->task->why, "chan send") == 0 ? 1 : -1;
    lua_pushinteger(L, direction);
    return 1;
}

static int get_scheduled(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    return push_bool(L, is_queued(s) || is_blocked(s));
}

static int get_restorable(lua_State *L)
{
    return push_bool(L, false);
}

static int get_atomic(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    return push_bool(L, sl_begun(s) ? s->t->task->atomic : s->t->atomic);
}

static int get_ignore_nesting(lua_State *L)
{
    return push_bool(L, self(L)->t->ignore_nesting);
}

static int get_block_trap(lua_State *L)
{
    return push_bool(L, self(L)->t->block_trap);
}

static int set_block_trap(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    s->t->block_trap = lua_toboolean(L, 3);
    if (sl_begun(s))
        s->t->task->block_trap = s->t->block_trap;
    return 0;
}

static int get_is_main(lua_State *L)
{
    return push_bool(L, self(L)->t == &lua_task_main);
}

static int get_is_current(lua_State *L)
{
    return push_bool(L, is_current(self(L)));
}

static int get_thread_id(lua_State *L)
{
    lua_pushinteger(L, 1);
    return 1;
}

static int push_task(lua_State *L, const coop_task *t)
{
    sl_push(L, t->engine);
    return 1;
}

/* The neighbours in the ring, or in the channel's queue, which ends with nil. */
static int get_next(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    if (is_queued(s))
        return push_task(L, ring_next(s->t->task));
    if (is_blocked(s) && s->t->chan != NULL && s->t->task->wait.next != NULL)
        return push_task(L, s->t->task->wait.next->task);
    return 0;
}

static int get_prev(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    if (is_queued(s))
        return push_task(L, ring_prev(s->t->task));
    if (is_blocked(s) && s->t->chan != NULL && s->t->task->wait.prev != NULL)
        return push_task(L, s->t->task->wait.prev->task);
    return 0;
}

/* The thread it is in now: its own, or a coroutine that it has resumed. */
static lua_State *thread_of(lua_State *L, const struct sl_tasklet *s)
{
    if (!sl_alive(s))
        return NULL;
    return is_current(s) ? L : s->t->current;
}

static int get_recursion_depth(lua_State *L)
{
    const struct sl_tasklet *s = self(L);
    lua_State *T = thread_of(L, s);
    lua_Debug ar;
    int depth = 0;

    while (T != NULL && lua_getstack(T, depth, &ar))
        depth++;
    lua_pushinteger(L, T == L ? depth - 1 : depth);
    return 1;
}

static int get_nesting_level(lua_State *L)
{
    const struct sl_tasklet *s = self(L);
    lua_State *T = thread_of(L, s);

    lua_pushinteger(L, T != NULL && sl_begun(s) ? sl_nesting_level(T, s->t) : 0);
    return 1;
}

/* There are no frames to hold: where it is, as text. */
static int get_frame(lua_State *L)
{
    lua_State *T = thread_of(L, self(L));

    if (T == NULL)
        return 0;
    luaL_traceback(L, T, NULL, T == L ? 1 : 0);
    return 1;
}

static bool has_slot(const struct sl_tasklet *s)
{
    return sl_begun(s) && s->t->parked != NULL;
}

static int get_tempval(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    if (!has_slot(s)) {
        lua_getiuservalue(L, 1, SL_TEMPVAL);
        return 1;
    }
    lua_pushvalue(s->t->parked, s->t->slot);
    lua_xmove(s->t->parked, L, 1);
    return 1;
}

static int set_tempval(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    if (!has_slot(s)) {
        lua_setiuservalue(L, 1, SL_TEMPVAL);
        return 0;
    }
    lua_xmove(L, s->t->parked, 1);
    lua_replace(s->t->parked, s->t->slot);
    return 0;
}

/* Its channel is at the bottom of the stack of whatever call waits on it. */
static int get_channel(lua_State *L)
{
    const struct sl_tasklet *s = self(L);

    if (!is_blocked(s) || s->t->chan == NULL)
        return 0;
    lua_pushvalue(s->t->parked, 1);
    lua_xmove(s->t->parked, L, 1);
    return 1;
}

const struct sl_attr sl_tasklet_attrs[] = {
    {"alive",             get_alive,           NULL,           NULL                                                     },
    { "paused",           get_paused,          NULL,           NULL                                                     },
    { "blocked",          get_blocked,         NULL,           NULL                                                     },
    { "scheduled",        get_scheduled,       NULL,           NULL                                                     },
    { "restorable",       get_restorable,      NULL,           NULL                                                     },
    { "atomic",           get_atomic,          NULL,           NULL                                                     },
    { "ignore_nesting",   get_ignore_nesting,  NULL,           NULL                                                     },
    { "block_trap",       get_block_trap,      set_block_trap, NULL                                                     },
    { "is_main",          get_is_main,         NULL,           NULL                                                     },
    { "is_current",       get_is_current,      NULL,           NULL                                                     },
    { "thread_id",        get_thread_id,       NULL,           NULL                                                     },
    { "next",             get_next,            NULL,           NULL                                                     },
    { "prev",             get_prev,            NULL,           NULL                                                     },
    { "recursion_depth",  get_recursion_depth, NULL,           NULL                                                     },
    { "nesting_level",    get_nesting_level,   NULL,           NULL                                                     },
    { "frame",            get_frame,           NULL,           NULL                                                     },
    { "tempval",          get_tempval,         set_tempval,    NULL                                                     },
    { "_channel",         get_channel,         NULL,           NULL                                                     },
    { "cstate",           NULL,                NULL,           "a C stack is not an object here"                        },
    { "trace_function",   NULL,                NULL,           "the hook belongs to cancellation and to run(timeout)"   },
    { "profile_function", NULL,                NULL,           "the hook belongs to cancellation and to run(timeout)"   },
    { "__reduce__",       NULL,                NULL,           "tasklets of Lua cannot be serialized"                   },
    { "__setstate__",     NULL,                NULL,           "tasklets of Lua cannot be serialized"                   },
    { "set_context",      NULL,                NULL,           "Lua has no contextvars; coop.context_set() is inherited"},
    { "context_run",      NULL,                NULL,           "Lua has no contextvars; coop.context_set() is inherited"},
    { NULL,               NULL,                NULL,           NULL                                                     }
};
