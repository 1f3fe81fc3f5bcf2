/*
 * task_bomb.c - see task.h: errors on their way to another tasklet, each of which it meets where it waits, or will wait next.
 *
 * They stand in line, oldest first, and one blocking call meets one. What there is no more room for, and what nobody has met when the job
 * ends, is printed. One that was thrown replaces the thrown one before it, as it always did there; one that nobody caught replaces nothing.
 */
#include "worker/engines/lua/sl.h"

#include <errno.h>

#include "worker/output.h"

enum { BOMBS_MAX = 16 }; /* that wait for one tasklet */

/* Of an entry of a line. */
enum { ERROR = 1, TRACE, THROWN };

static const char bombs_key; /* a table: [struct lua_task *] = a line of entries, or false */

/* Pushes t's line, a new one when nothing waits for t. */
static void push_line(lua_State *L, const struct lua_task *t)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &bombs_key);
    if (lua_rawgetp(L, -1, t) != LUA_TTABLE || !t->bombed) {
        lua_pop(L, 1);
        lua_createtable(L, 1, 0);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, t);
    }
    lua_remove(L, -2);
}

static bool last_is_thrown(lua_State *L, int line, lua_Integer n)
{
    bool is;

    if (n == 0)
        return false;
    lua_rawgeti(L, line, n);
    lua_rawgeti(L, -1, THROWN);
    is = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return is;
}

/* The error and its trace, on top, join t's line; they are popped. false: there is no room, and they stay. */
static bool line_up(lua_State *T, struct lua_task *t, bool thrown)
{
    int error = lua_gettop(T) - 1, line = error + 2;
    lua_Integer n;

    luaL_checkstack(T, 8, NULL);
    push_line(T, t);
    n = (lua_Integer)lua_rawlen(T, line);
    if (thrown && last_is_thrown(T, line, n))
        n--;
    if (n >= BOMBS_MAX && !thrown) {
        lua_settop(T, error + 1);
        return false;
    }
    lua_createtable(T, THROWN, 0); /* so that the error may be nil */
    lua_pushvalue(T, error);
    lua_rawseti(T, -2, ERROR);
    lua_pushvalue(T, error + 1);
    lua_rawseti(T, -2, TRACE);
    lua_pushboolean(T, thrown);
    lua_rawseti(T, -2, THROWN);
    lua_rawseti(T, line, n + 1);
    lua_settop(T, error - 1);
    t->bombed = true;
    return true;
}

/* Takes the oldest out of t's line and pushes its error and trace, and whether it was thrown; false: there is none. */
static bool take(lua_State *L, struct lua_task *t)
{
    lua_Integer n;
    int bombs = lua_gettop(L) + 1;

    if (!t->bombed)
        return false;
    luaL_checkstack(L, 8, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &bombs_key);
    n = lua_rawgetp(L, bombs, t) == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, bombs + 1) : 0;
    if (n == 0) {
        t->bombed = t->starved = false;
        lua_task_no_memory(L);
    }
    lua_rawgeti(L, bombs + 1, 1);
    for (lua_Integer i = 2; i <= n + 1; i++) {
        lua_rawgeti(L, bombs + 1, i);
        lua_rawseti(L, bombs + 1, i - 1);
    }
    t->bombed = n > 1 || t->starved;
    if (n == 1) {
        lua_pushboolean(L, 0);
        lua_rawsetp(L, bombs, t);
    }
    lua_replace(L, bombs); /* the entry */
    lua_settop(L, bombs);
    for (int i = ERROR; i <= THROWN; i++)
        lua_rawgeti(L, bombs, i);
    lua_remove(L, bombs);
    return true;
}

int lua_task_raise_bomb(lua_State *L)
{
    struct lua_task *t = sched->current->engine;

    if (t == NULL || !take(L, t))
        return luaL_error(L, "interrupted");
    lua_pop(L, 1);
    return lua_task_raise_met(L);
}

void lua_task_bomb(lua_State *T, struct lua_task *t)
{
    lua_pushvalue(T, -1);
    lua_pushnil(T);
    (void)line_up(T, t, true);
}

/* Of an interpreter: main runs another call than the one that the running tasklet was made in, and is not to fail by it. */
static bool is_no_business_of(const struct lua_task *t)
{
    const struct lua_task *by = sched->current->engine;

    return lua_job.interpreter && t == &lua_task_main && by->call != t->call;
}

void lua_task_send_bomb(lua_State *T)
{
    struct lua_task *t = sl_watchdog();

    if (is_no_business_of(t)) {
        lua_pushvalue(T, -2);
        lua_pushvalue(T, -2);
        lua_task_print_uncaught(T);
        return;
    }
    lua_pushvalue(T, -2);
    lua_pushvalue(T, -2);
    if (!line_up(T, t, false)) {
        lua_task_print_uncaught(T);
        return;
    }
    if (t->task->state == TASK_BLOCKED)
        task_wake(t->task, -EINTR);
}

void lua_task_send_starved(void)
{
    static const char text[] = "a tasklet has died: not enough memory\n";
    struct lua_task *t = sl_watchdog();

    if (is_no_business_of(t)) {
        output_write(PB__STREAM__STREAM_STDERR, text, sizeof(text) - 1);
        return;
    }
    t->bombed = t->starved = true;
    if (t->task->state == TASK_BLOCKED)
        task_wake(t->task, -EINTR);
}

void lua_task_pass_bombs(lua_State *T)
{
    struct lua_task *t = sched->current->engine;

    while (take(T, t)) {
        bool thrown = lua_toboolean(T, -1);

        lua_pop(T, 1);
        if (!thrown)
            lua_task_send_bomb(T);
        lua_pop(T, 2);
    }
}

void lua_task_forget_bombs(lua_State *L, const struct lua_task *t)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &bombs_key);
    lua_pushnil(L);
    lua_rawsetp(L, -2, t);
    lua_pop(L, 1);
}

/* ---- the end of the job -------------------------------------------------------------------------------------------------------- */

int lua_task_late_error(lua_State *L)
{
    return sched != NULL && lua_task_bomb_is_here() ? lua_task_raise_bomb(L) : 0;
}

int lua_task_print_late_errors(lua_State *L)
{
    while (sched != NULL && take(L, &lua_task_main)) {
        lua_pop(L, 1);
        lua_task_print_uncaught(L);
    }
    return 0;
}

void lua_task_open_errors(lua_State *L)
{
    lua_newtable(L);
    lua_pushboolean(L, 0); /* there from now on: setting it takes no memory */
    lua_rawsetp(L, -2, &lua_task_main);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &bombs_key);
    lua_task_open_traces(L);
}
