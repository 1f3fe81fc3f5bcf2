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

void lua_asking_end(struct lua_asking *s)
{
    forget_values(s);
    ask_end(s->ask);
    s->ask = NULL;
}

static int gc(lua_State *L)
{
    lua_asking_end(lua_touserdata(L, 1));
    return 0;
}

static void need_type(lua_State *L)
{
    if (luaL_newmetatable(L, ASKING_TYPE) != 0) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
        lua_pushliteral(L, "locked");
        lua_setfield(L, -2, "__metatable");
    }
}

struct lua_asking *lua_asking_new(lua_State *L, size_t n)
{
    struct lua_asking *s;

    lua_task_start(L);
    lua_task_may_switch(L);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    s = lua_newuserdatauv(L, sizeof(*s) + n * sizeof(s->packed[0]), 0);
    memset(s, 0, sizeof(*s) + n * sizeof(s->packed[0]));
    s->n = n;
    need_type(L);
    lua_setmetatable(L, -2);
    return s;
}

/* Of one that was packed, or was not: what is raised; and that it fits a message. */
static void finish_packed(lua_State *L, int rc, struct packed *p, const char *root, struct lua_value_error *e)
{
    if (rc > 0)
        lua_error(L);
    if (rc == 0) {
        rc = lua_value_fit(p, root, e);
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
    struct lua_value_error e;

    finish_packed(L, lua_value_pack(L, index, root, into, &e), into, root, &e);
}

void lua_asking_pack_list(lua_State *L, struct packed *into, int first, int n, const char *root)
{
    struct lua_value_error e;

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
    if (rc != 0) {
        if (rc != -ETIMEDOUT)
            lua_asking_end(s);
        (void)lua_call_failed(L, rc);
    }
    answer = ask_answer(s->ask);
    if (answer->body_case != PB__ANSWER__BODY_FAILURE)
        return answer;
    lua_call_push_failure(L, answer->failure);
    lua_asking_end(s);
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
    lua_asking_end(s);
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
