/* errors.c - see job.h. */
#include "worker/engines/lua/job.h"

#include <stdio.h>
#include <string.h>

#include "worker/engines/lua/task.h"
#include "worker/output.h"

/* Finds the name in "attempt to call a nil value (field 'execute')", which is how the use of something absent reads. */
static int name_of_nil(const char *message, char *ret_name, size_t size)
{
    const char *at = strstr(message, "attempt to call a nil value (");
    const char *from, *to;

    if (at == NULL)
        at = strstr(message, "attempt to index a nil value (");
    from = at != NULL ? strchr(at, '\'') : NULL;
    to = from != NULL ? strchr(from + 1, '\'') : NULL;
    if (to == NULL || (size_t)(to - from) > size)
        return 0;
    memcpy(ret_name, from + 1, (size_t)(to - from - 1));
    ret_name[to - from - 1] = '\0';
    return 1;
}

/* Replaces the message on top by itself and a line that says why the name is not there. */
static void add_hint(lua_State *L)
{
    char name[64];
    const char *message = lua_tostring(L, -1), *full, *why;

    if (message == NULL || !name_of_nil(message, name, sizeof(name)))
        return;
    why = lib_absent(name, &full);
    if (why == NULL)
        return;
    lua_pushfstring(L, "%s\nhint: %s is not available in a coop interpreter: %s", message, full, why);
    lua_remove(L, -2);
}

/* What an error object is: "error" for the usual message, else its __name or its Lua type. */
static void remember_type(lua_State *L)
{
    const char *type = "error";

    if (lua_type(L, 1) != LUA_TSTRING) {
        type = luaL_typename(L, 1);
        if (luaL_getmetafield(L, 1, "__name") == LUA_TSTRING)
            type = lua_tostring(L, -1); /* stays alive: the metatable holds it */
    }
    outcome_text(lua_job.error_type, sizeof(lua_job.error_type), type, strlen(type));
    lua_settop(L, 1);
}

static void push_message(lua_State *L)
{
    int type = lua_type(L, 1);

    if (type == LUA_TSTRING || type == LUA_TNUMBER || luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL) {
        lua_settop(L, 1);
        luaL_tolstring(L, 1, NULL);
    } else {
        lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    }
}

int lua_job_error_text(lua_State *L)
{
    lua_settop(L, 1);
    push_message(L);
    add_hint(L);
    return 1;
}

/* With the message on top and main's own error at 1: where it was raised, not by luaL_traceback, which would cut it at its first NUL. */
static void add_traceback(lua_State *L)
{
    lua_pushliteral(L, "\n");
    luaL_traceback(L, L, NULL, 1);
    lua_concat(L, 3);
}

/* Another tasklet's name and traceback on top of the message: those come first, and where main met it when it did in the script. */
static void add_origin(lua_State *L)
{
    lua_Debug ar;
    int message = lua_gettop(L) - 2;
    bool in_script = lua_getstack(L, 2, &ar) != 0; /* 0: this handler, 1: what raised it */

    lua_pushvalue(L, message + 1);
    lua_pushliteral(L, ": ");
    lua_pushvalue(L, message);
    lua_concat(L, 3);
    lua_replace(L, message);
    lua_job.message_len = lua_rawlen(L, message);
    lua_remove(L, message + 1);
    lua_pushliteral(L, "\n");
    lua_insert(L, message + 1);
    if (in_script)
        luaL_traceback(L, L, "\nmet in main:", 1);
    lua_concat(L, in_script ? 4 : 3);
}

int lua_job_on_error(lua_State *L)
{
    lua_settop(L, 1);
    remember_type(L);
    lua_pushcfunction(L, lua_job_error_text);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_job.message_len = lua_rawlen(L, -1);
    if (lua_task_push_met(L, 1))
        add_origin(L);
    else
        add_traceback(L);
    return 1;
}

static const char *fallback_text(int status)
{
    return status == LUA_ERRMEM ? "not enough memory" : "error in error handling";
}

/* What is to be said of a failed call, whose error is on top: texts that live as long as that does. */
struct failed {
    const char *type, *text;
    size_t len, message_len; /* the rest is the traceback, behind a newline */
};

static void look_at(lua_State *L, int status, struct failed *f)
{
    size_t message_len;

    f->type = status == LUA_ERRSYNTAX ? "syntax" : status == LUA_ERRMEM ? "memory" : lua_job.error_type;
    if (f->type[0] == '\0')
        f->type = "error";
    f->len = 0;
    f->text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &f->len) : NULL;
    if (f->text == NULL) {
        f->text = fallback_text(status);
        f->len = strlen(f->text);
    }
    message_len = status == LUA_ERRRUN ? lua_job.message_len : f->len;
    f->message_len = message_len < f->len ? message_len : f->len;
}

static void copy_texts(const struct failed *f, char type[OUTCOME_TYPE + 1], char message[OUTCOME_MESSAGE + 1],
                       char traceback[OUTCOME_TRACEBACK + 1])
{
    outcome_text(type, OUTCOME_TYPE + 1, f->type, strlen(f->type));
    outcome_text(message, OUTCOME_MESSAGE + 1, f->text, f->message_len);
    if (f->message_len < f->len)
        outcome_text(traceback, OUTCOME_TRACEBACK + 1, f->text + f->message_len + 1, f->len - f->message_len - 1);
}

/* The error as the script's user sees it on standard error, and as the receipt has it. */
void lua_job_report(lua_State *L, int status, struct outcome *o)
{
    struct failed f;

    if (lua_job.cancelled) {
        o->kind = PB__RESULT_KIND__RESULT_KIND_CANCELLED;
        return;
    }
    o->kind = status == LUA_ERRMEM ? PB__RESULT_KIND__RESULT_KIND_OOM : PB__RESULT_KIND__RESULT_KIND_EXCEPTION;
    look_at(L, status, &f);
    output_write(PB__STREAM__STREAM_STDERR, f.text, f.len);
    output_write(PB__STREAM__STREAM_STDERR, "\n", 1);
    copy_texts(&f, o->type, o->message, o->traceback);
}

void lua_job_report_call(lua_State *L, int status, struct call_outcome *o)
{
    struct failed f;

    look_at(L, status, &f);
    o->failure = PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED;
    copy_texts(&f, o->type, o->message, o->traceback);
}
