/* mod_status.c - see mod.h: what is known of an interpreter. */
#include "worker/engines/lua/mod.h"

#include <ctype.h>
#include <string.h>

static void set_text(lua_State *L, const char *field, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

static void set_count(lua_State *L, const char *field, uint64_t n)
{
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, field);
}

static void set_seconds(lua_State *L, const char *field, uint64_t us)
{
    lua_pushnumber(L, (lua_Number)us / 1e6);
    lua_setfield(L, -2, field);
}

/* "oom" of CAUSE_OOM: what comes behind the enum's own words. Nothing for its 0. */
static void set_word(lua_State *L, const char *field, const ProtobufCEnumDescriptor *d, int value, const char *prefix)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);
    char text[48];
    size_t n = 0;

    if (value == 0 || v == NULL || strncmp(v->name, prefix, strlen(prefix)) != 0)
        return;
    for (const char *s = v->name + strlen(prefix); *s != '\0' && n + 1 < sizeof(text); s++)
        text[n++] = (char)tolower((unsigned char)*s);
    text[n] = '\0';
    set_text(L, field, text);
}

void lua_interp_push_status(lua_State *L, const Pb__InterpStatus *s)
{
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, 20);
    if (s->interp != NULL) {
        set_text(L, "id", s->interp->id);
        set_text(L, "name", s->interp->name);
    }
    set_word(L, "state", &pb__interp_state__descriptor, (int)s->state, "INTERP_STATE_");
    set_word(L, "owner", &pb__owner__descriptor, (int)s->owner, "OWNER_");
    set_word(L, "cause", &pb__cause__descriptor, (int)s->cause, "CAUSE_");
    set_text(L, "cause_detail", s->cause_detail);
    set_text(L, "engine", s->engine);
    set_text(L, "template", s->template_);
    set_text(L, "whence", s->whence);
    set_text(L, "parent", s->parent);
    set_text(L, "running", s->running);
    set_text(L, "receipt", s->receipt);
    set_count(L, "depth", s->depth);
    set_count(L, "children", s->children);
    set_count(L, "waiting", s->waiting);
    set_count(L, "calls", s->calls);
    set_count(L, "incarnation", s->incarnation);
    set_count(L, "memory", s->mem_bytes);
    set_count(L, "pid", s->pid);
    set_seconds(L, "cpu", s->cpu_us);
    set_seconds(L, "created", s->created_us);
}
