/* task_error.c - see task.h: what a blocking call that failed means to Lua. */
#include "worker/engines/lua/sl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/task/describe.h"

enum { TRACES_MAX = 100 };

static const char cancelled_text[] = "cancelled";

/* Where t stands, which is not the running one. */
static void add_trace(lua_State *L, luaL_Buffer *b, const coop_task *t)
{
    const struct lua_task *lt = t->engine;

    luaL_addchar(b, '\n');
    luaL_traceback(L, lt->current, NULL, 0);
    luaL_addvalue(b);
}

static int oldest_first(const void *a, const void *b)
{
    const coop_task *s = *(coop_task *const *)a, *t = *(coop_task *const *)b;

    return s->id < t->id ? -1 : s->id > t->id;
}

/* Pushes a list of those alive, main too: none of them can end while nobody switches. */
static coop_task **push_alive(lua_State *L, size_t *ret_n)
{
    coop_task **list;
    size_t n = 1;

    for (const coop_task *t = sched->all; t != NULL; t = t->all_next)
        n += t->state != TASK_ENDED;
    list = lua_newuserdatauv(L, n * sizeof(*list), 0);
    *ret_n = n;
    list[--n] = &sched->main;
    for (coop_task *t = sched->all; t != NULL && n > 0; t = t->all_next)
        if (t->state != TASK_ENDED)
            list[--n] = t;
    qsort(list + n, *ret_n - n, sizeof(*list), oldest_first);
    if (n > 0) /* a finalizer has let some go meanwhile */
        memmove(list, list + n, (*ret_n - n) * sizeof(*list));
    *ret_n -= n;
    return list;
}

void lua_task_push_describe(lua_State *L, const char *text, bool traces)
{
    size_t n;
    coop_task **list = push_alive(L, &n);
    char line[DESCRIBE_LINE];
    luaL_Buffer b;
    int left = traces ? TRACES_MAX : 0;

    luaL_buffinit(L, &b);
    luaL_addstring(&b, text);
    for (size_t i = 0; i < n; i++) {
        describe_task(line, list[i]);
        luaL_addchar(&b, '\n');
        luaL_addstring(&b, line);
        if (left == 0 || list[i]->engine == NULL || list[i] == sched->current)
            continue;
        add_trace(L, &b, list[i]);
        left--;
    }
    luaL_pushresult(&b);
    lua_remove(L, -2);
}

static int error_text(lua_State *L)
{
    lua_getfield(L, 1, "message");
    return 1;
}

/* An error object whose type the receipt shows. */
static int raise_typed(lua_State *L, const char *type)
{
    lua_createtable(L, 0, 2);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, type);
    lua_setfield(L, -2, "type");
    lua_createtable(L, 0, 2);
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
    lua_setmetatable(L, -2);
    return lua_error(L);
}

static int raise_deadlock(lua_State *L)
{
    lua_task_push_describe(L, "Deadlock: the last runnable tasklet cannot be blocked.", true);
    return raise_typed(L, "Deadlock");
}

/* Raises Lua's own memory error, which no script can mistake for another: nothing can be as large as this. */
void lua_task_no_memory(lua_State *L)
{
    lua_newuserdatauv(L, lua_job.memory.cap, 0);
}

/* The text alone, without a place: by that it is known again, as no failure of the tasklet's own. */
int lua_task_raise_cancelled(lua_State *L)
{
    lua_pushstring(L, cancelled_text);
    return lua_error(L);
}

void lua_task_not_spawned(lua_State *L, int rc)
{
    if (rc == -ENOMEM)
        lua_task_no_memory(L);
    if (rc == -EAGAIN)
        luaL_error(L, "tasklets limit (%I) reached; raise it with --limit tasklets=N", (LUAI_UACINT)sched->max_tasklets);
    luaL_error(L, "%s", strerror(-rc));
}

int lua_task_failed(lua_State *L, int rc)
{
    switch (rc) {
    case -ETIMEDOUT:
    case -EAGAIN:
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    case -EPIPE:
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 2;
    case -ECANCELED: return lua_task_raise_cancelled(L);
    case -EINTR: return lua_task_raise_bomb(L);
    case -EDEADLK: return raise_deadlock(L);
    case -EPERM: return luaL_error(L, "%s", sched->switch_trap > 0 ? "switch_trap" : "this tasklet does not like to be blocked.");
    case -ENOMEM: lua_task_no_memory(L); return 0;
    default: return luaL_error(L, "%s", strerror(-rc));
    }
}

bool lua_task_is_cancelled_text(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), cancelled_text) == 0;
}

bool lua_task_was_cancelled(lua_State *T)
{
    return sched->current->cancelled && lua_task_is_cancelled_text(T, -1);
}
