/* call_error.c - see call_error.h. */
#include "worker/engines/lua/call_error.h"

#include <errno.h>
#include <string.h>

#include "call_errors.h"
#include "worker/asks.h"
#include "worker/engines/lua/task.h"

/* Its message, and what is known of the other side. */
static int error_text(lua_State *L)
{
    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "type");
    lua_getfield(L, 1, "message");
    lua_getfield(L, 1, "path");
    if (lua_isstring(L, 4) && lua_rawlen(L, 4) > 0)
        lua_pushfstring(L, "%s: %s: %s", lua_tostring(L, 2), lua_tostring(L, 4), lua_tostring(L, 3));
    else
        lua_pushfstring(L, "%s: %s", lua_tostring(L, 2), lua_tostring(L, 3));
    if (lua_getfield(L, 1, "traceback") == LUA_TSTRING && lua_rawlen(L, -1) > 0) {
        lua_pushliteral(L, "\nremote ");
        lua_insert(L, -2);
        lua_concat(L, 3);
    } else {
        lua_pop(L, 1);
    }
    return 1;
}

/* Of one name, for all its errors: a receipt shows it as the error's type. */
static void set_class(lua_State *L, const char *name)
{
    lua_pushfstring(L, "coop.error.%s", name);
    if (luaL_newmetatable(L, lua_tostring(L, -1)) != 0) {
        lua_pushstring(L, name);
        lua_setfield(L, -2, "__name");
        lua_pushcfunction(L, error_text);
        lua_setfield(L, -2, "__tostring");
    }
    lua_setmetatable(L, -3);
    lua_pop(L, 1);
}

static void set_text(lua_State *L, const char *field, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

void lua_call_push_error(lua_State *L, Pb__CallError error, const char *message, const char *path)
{
    const struct call_error_row *row = call_error(error);

    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, 4);
    set_text(L, "type", row->name);
    set_text(L, "message", message != NULL && message[0] != '\0' ? message : row->what);
    set_text(L, "path", path);
    set_class(L, row->name);
}

static void set_remote(lua_State *L, const Pb__JobError *e)
{
    if (e == NULL)
        return;
    set_text(L, "remote_type", e->type);
    set_text(L, "message", e->message);
    set_text(L, "traceback", e->traceback);
}

/* "oom" of CAUSE_OOM. */
static void set_cause(lua_State *L, Pb__Cause cause)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&pb__cause__descriptor, (int)cause);
    char text[32] = "";
    const char *name = v != NULL ? strchr(v->name, '_') : NULL;

    if (name == NULL || (int)cause == 0)
        return;
    for (size_t i = 0; name[i + 1] != '\0' && i + 1 < sizeof(text); i++)
        text[i] = (char)(name[i + 1] >= 'A' && name[i + 1] <= 'Z' ? name[i + 1] - 'A' + 'a' : name[i + 1]);
    set_text(L, "cause", text);
}

void lua_call_push_failure(lua_State *L, const Pb__CallFailure *f)
{
    lua_call_push_error(L, f->error, f->message, f->path);
    set_remote(L, f->remote);
    set_cause(L, f->cause);
    set_text(L, "cause_detail", f->cause_detail);
    set_text(L, "receipt", f->receipt);
    if (f->n_cycle == 0)
        return;
    lua_createtable(L, (int)f->n_cycle, 0);
    for (size_t i = 0; i < f->n_cycle; i++) {
        lua_pushstring(L, f->cycle[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "cycle");
}

int lua_call_raise(lua_State *L, Pb__CallError error, const char *message)
{
    lua_call_push_error(L, error, message, NULL);
    return lua_error(L);
}

int lua_call_failed(lua_State *L, int rc)
{
    switch (rc) {
    case -EDQUOT: return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_LIMIT, "too many asks are open");
    case -E2BIG: return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, NULL);
    case -ETIMEDOUT: return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_TIMED_OUT, NULL);
    case -EPIPE: return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_BAD_HANDLE, "it was asked by the template");
    case -EPROTO: return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    default: return lua_task_failed(L, rc);
    }
}
