/* asking.c - see asking.h. */
#include "worker/engines/lua/asking.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/task.h"
#include "worker/engines/lua/value.h"

#define ASKING_TYPE "coop.asking"

static void forget_values(struct lua_asking *s)
{
    for (size_t i = 0; i < s->n; i++)
        packed_finish(&s->packed[i]);
    s->n = 0;
}

/* ---- those that are free ---------------------------------------------------------------------------------------------------------- */

/*
 * What is garbage and has a finalizer is not freed by the collection that a full memory asks for, so one for each ask would fill it. Most are used
 * again: those for one value at most. known has them all and keeps none alive; kept keeps those that are free.
 */
enum { KEPT_MAX = 64 };

static const char known_key, kept_key;
static struct lua_asking *first_free;
static unsigned n_kept;

static void end(struct lua_asking *s)
{
    forget_values(s);
    ask_end(s->ask);
    s->ask = NULL;
}

static int gc(lua_State *L)
{
    end(lua_touserdata(L, 1));
    return 0;
}

static void open_tables(lua_State *L)
{
    if (luaL_newmetatable(L, ASKING_TYPE) == 0) {
        lua_pop(L, 1);
        return;
    }
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &known_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kept_key);
}

/* Pushes one that is free, which is kept no more; setting what is there takes no memory. NULL: there is none. */
static struct lua_asking *take_free(lua_State *L)
{
    struct lua_asking *s = first_free;

    if (s == NULL)
        return NULL;
    first_free = s->next_free;
    s->kept = false;
    n_kept--;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    lua_rawgetp(L, -1, s);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, -3, s);
    lua_remove(L, -2);
    return s;
}

/* The first time in its life that it is kept, there is no place for it yet: made when it is. */
static void make_place(lua_State *L, struct lua_asking *s)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, -2, s);
    lua_pop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &known_key);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, s);
    lua_pop(L, 1);
}

/* Of one that was collected without ever being free again the place stays, a boolean: those are the errors of a script. */
static void keep(lua_State *L, struct lua_asking *s)
{
    if (s->kept || n_kept == KEPT_MAX)
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &known_key);
    if (lua_rawgetp(L, -1, s) == LUA_TUSERDATA) {
        lua_rawsetp(L, -3, s);
        s->kept = true;
        s->next_free = first_free;
        first_free = s;
        n_kept++;
        lua_pop(L, 2);
    } else {
        lua_pop(L, 3);
    }
}

void lua_asking_end(lua_State *L, struct lua_asking *s)
{
    bool was_open = s->ask != NULL || s->n > 0;

    end(s);
    if (was_open && lua_checkstack(L, 4))
        keep(L, s);
}

static struct lua_asking *make(lua_State *L, size_t n)
{
    struct lua_asking *s = lua_newuserdatauv(L, sizeof(*s) + (n > 0 ? n : 1) * sizeof(s->packed[0]), 0);

    memset(s, 0, sizeof(*s) + (n > 0 ? n : 1) * sizeof(s->packed[0]));
    luaL_setmetatable(L, ASKING_TYPE);
    if (n <= 1)
        make_place(L, s);
    return s;
}

struct lua_asking *lua_asking_new(lua_State *L, size_t n)
{
    struct lua_asking *s = NULL;

    lua_task_start(L);
    lua_task_may_switch(L);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    open_tables(L);
    if (n <= 1)
        s = take_free(L);
    if (s == NULL)
        s = make(L, n);
    s->n = n;
    return s;
}

/* Of one that was packed, or was not: what is raised; and that it fits a message. */
static void finish_packed(lua_State *L, int rc, struct packed *p, const char *root, struct packed_error *e)
{
    if (rc > 0)
        lua_error(L);
    if (rc == 0) {
        rc = packed_fit(p, root, e);
        if (rc == 0)
            return;
        if (rc != -EBADMSG)
            (void)lua_call_failed(L, rc);
    }
    lua_call_push_error(L, e->error, e->message, e->path);
    lua_error(L);
}

void lua_asking_pack(lua_State *L, struct packed *into, int index, const char *root)
{
    struct packed_error e;

    finish_packed(L, lua_value_pack(L, index, root, into, &e), into, root, &e);
}

void lua_asking_pack_list(lua_State *L, struct packed *into, int first, int n, const char *root)
{
    struct packed_error e;

    finish_packed(L, lua_value_pack_list(L, first, n, root, into, &e), into, root, &e);
}

void lua_asking_send(lua_State *L, struct lua_asking *s, Pb__Ask *a)
{
    int rc = ask_begin(a, &s->ask);

    forget_values(s);
    if (rc != 0)
        (void)lua_call_failed(L, rc);
}

const Pb__Answer *lua_asking_wait(lua_State *L, struct lua_asking *s, int64_t deadline)
{
    const Pb__Answer *answer;
    int rc;

    lua_task_may_switch(L);
    rc = ask_wait(s->ask, deadline);
    if (rc == -ECANCELED)
        rc = ask_take_back(s->ask, rc);
    if (rc != 0) {
        if (rc != -ETIMEDOUT)
            lua_asking_end(L, s);
        (void)lua_call_failed(L, rc);
    }
    answer = ask_answer(s->ask);
    if (answer->body_case != PB__ANSWER__BODY_FAILURE)
        return answer;
    lua_call_push_failure(L, answer->failure);
    lua_asking_end(L, s);
    lua_error(L);
    return NULL;
}

const Pb__Answer *lua_asking_do(lua_State *L, struct lua_asking *s, Pb__Ask *a)
{
    lua_asking_send(L, s, a);
    return lua_asking_wait(L, s, COOP_NEVER);
}

void lua_ask_done(lua_State *L, Pb__Ask *a)
{
    struct lua_asking *s = lua_asking_new(L, 0);

    (void)lua_asking_do(L, s, a);
    lua_asking_end(L, s);
    lua_pop(L, 1);
}

int64_t lua_asking_timeout(lua_State *L, int index, int64_t none_is)
{
    lua_Number s;

    if (lua_isnoneornil(L, index))
        return none_is;
    s = luaL_checknumber(L, index);
    if (!(s > 0))
        return 0;
    return s > 1e12 ? none_is : (int64_t)ceil(s * 1e6);
}

int64_t lua_asking_limit(lua_State *L, int index)
{
    lua_Number s = luaL_optnumber(L, index, HUGE_VAL);

    luaL_argcheck(L, s > 0, index, "a time limit must be above 0 seconds");
    return s > 1e12 ? 0 : (int64_t)ceil(s * 1e6);
}
