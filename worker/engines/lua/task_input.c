/*
 * task_input.c - see task.h: a tasklet that reads standard input waits for it by itself, and the others go on.
 *
 * Turns: one reads at a time, from its first byte to its last; who comes meanwhile waits for that. A line is never torn between two.
 * Else:  without tasklets, where switching is forbidden, and at the end of the job the whole worker waits, as input.h does.
 */
#include <errno.h>

#include "worker/engines/lua/task.h"
#include "worker/input.h"

static struct {
    coop_task *holder; /* NULL: nobody reads */
    struct wait_queue waiters;
} reader;

static bool may_wait(lua_State *L)
{
    return sched != NULL && !lua_task_finishing && !lua_job.closing && !lua_task_in_finalizer(L) && task_may_block(COOP_NEVER) != -EPERM;
}

/* Called where the bytes have run out. Raises what a wait may end with. */
void lua_task_await_input(lua_State *L)
{
    int rc;

    if (!input_is_empty() || !may_wait(L))
        return;
    input_ask();
    rc = input_await(COOP_NEVER);
    if (rc != 0)
        (void)lua_task_failed(L, rc);
}

static void take_turn(lua_State *L)
{
    int rc = 0;

    while (rc == 0 && reader.holder != NULL)
        rc = task_block(&reader.waiters, COOP_NEVER, "stdin", NULL);
    if (rc != 0)
        (void)lua_task_failed(L, rc);
    reader.holder = sched->current;
}

static void end_turn(void)
{
    reader.holder = NULL;
    if (!wait_empty(&reader.waiters))
        task_wake(reader.waiters.first->task, 0);
}

/* Upvalues would cost a closure for each read: the function is its first argument. */
static int protected_read(lua_State *L)
{
    lua_task_reader read = *(lua_task_reader *)lua_touserdata(L, 1);

    return read(L, 2, lua_gettop(L) - 1);
}

int lua_task_read(lua_State *L, lua_task_reader read, int first, int n)
{
    int base = lua_gettop(L), status;

    if (!may_wait(L) || reader.holder == sched->current)
        return read(L, first, n);
    luaL_checkstack(L, n + 2, "too many arguments");
    take_turn(L);
    lua_pushcfunction(L, protected_read);
    lua_pushlightuserdata(L, &read);
    for (int i = 0; i < n; i++)
        lua_pushvalue(L, first + i);
    status = lua_pcall(L, n + 1, LUA_MULTRET, 0);
    end_turn();
    if (status != LUA_OK)
        return lua_error(L);
    return lua_gettop(L) - base;
}
