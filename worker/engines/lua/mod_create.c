/* mod_create.c - see mod.h: interpreters.create(). The strings of the message belong to the table of options, which is on the stack. */
#include "worker/engines/lua/mod.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "job_limits.h"
#include "worker/engines/lua/task.h"

enum { OPTIONS = 1, LIST_MAX = 4096 };

struct creating {
    Pb__InterpCreate create;
    Pb__JobSpec spec;
    Pb__Limits limits;
};

static const char *const options[] = { "engine", "template", "source", "source_name", "limits", "caps",         "name",
                                       "grants", "aliases",  "env",    "modules",     "args",   "max_children", NULL };

/* ---- tables as arrays of messages ------------------------------------------------------------------------------------------------ */

/* Memory that lives as long as this call: on the stack. */
static void *lasting(lua_State *L, size_t bytes)
{
    void *p = lua_newuserdatauv(L, bytes > 0 ? bytes : 1, 0);

    memset(p, 0, bytes);
    return p;
}

/* Pushes the option, and returns how many it has; 0: there is none. */
static size_t count_option(lua_State *L, const char *name)
{
    size_t n = 0;
    int type = lua_getfield(L, OPTIONS, name);

    if (type == LUA_TNIL)
        return 0;
    if (type != LUA_TTABLE)
        luaL_error(L, "field '%s' must be a table", name);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
        n++;
    if (n > LIST_MAX)
        luaL_error(L, "field '%s' has too many elements", name);
    return n;
}

static ProtobufCBinaryData bytes_at(lua_State *L, int index, const char *option)
{
    ProtobufCBinaryData b;

    if (lua_type(L, index) != LUA_TSTRING)
        luaL_error(L, "field '%s' must hold strings", option);
    b.data = (uint8_t *)lua_tolstring(L, index, &b.len);
    return b;
}

static const char *name_at(lua_State *L, int index, const char *option)
{
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_error(L, "field '%s' must have names as keys", option);
    return lua_tostring(L, index);
}

/* Each ends with its table and its arrays on the stack: they are gone when the function is. */
static void read_modules(lua_State *L, Pb__JobSpec *spec)
{
    size_t n = count_option(L, "modules"), i = 0;
    int table = lua_gettop(L);
    Pb__Module *m = lasting(L, n * sizeof(*m));

    spec->modules = lasting(L, n * sizeof(*spec->modules));
    spec->n_modules = n;
    for (lua_pushnil(L); n > 0 && lua_next(L, table) != 0; lua_pop(L, 1), i++) {
        pb__module__init(&m[i]);
        m[i].name = (char *)name_at(L, -2, "modules");
        m[i].source = bytes_at(L, -1, "modules");
        spec->modules[i] = &m[i];
    }
    lua_settop(L, table + 2);
}

static void read_env(lua_State *L, Pb__JobSpec *spec)
{
    size_t n = count_option(L, "env"), i = 0;
    int table = lua_gettop(L);
    Pb__EnvVar *v = lasting(L, n * sizeof(*v));

    spec->env = lasting(L, n * sizeof(*spec->env));
    spec->n_env = n;
    for (lua_pushnil(L); n > 0 && lua_next(L, table) != 0; lua_pop(L, 1), i++) {
        pb__env_var__init(&v[i]);
        v[i].name = (char *)name_at(L, -2, "env");
        v[i].value = bytes_at(L, -1, "env");
        spec->env[i] = &v[i];
    }
    lua_settop(L, table + 2);
}

static void read_args(lua_State *L, Pb__JobSpec *spec)
{
    size_t n = count_option(L, "args");
    int table = lua_gettop(L);

    spec->args = lasting(L, n * sizeof(*spec->args));
    spec->n_args = n;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        spec->args[i] = bytes_at(L, -1, "args");
        lua_pop(L, 1);
    }
    lua_settop(L, table + 1);
}

static void read_caps(lua_State *L, Pb__JobSpec *spec)
{
    size_t n = count_option(L, "caps");
    int table = lua_gettop(L);

    spec->caps = lasting(L, n * sizeof(*spec->caps));
    spec->n_caps = n;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        spec->caps[i] = (char *)bytes_at(L, -1, "caps").data;
        lua_pop(L, 1);
    }
    lua_settop(L, table + 1);
}

struct grant {
    Pb__Grant grant;
    Pb__Handle handle;
};

static void read_grants(lua_State *L, Pb__InterpCreate *c)
{
    size_t n = count_option(L, "grants"), i = 0;
    int table = lua_gettop(L);
    struct grant *g = lasting(L, n * sizeof(*g));

    c->grants = lasting(L, n * sizeof(*c->grants));
    c->n_grants = n;
    for (lua_pushnil(L); n > 0 && lua_next(L, table) != 0; lua_pop(L, 1), i++) {
        const struct lua_handle *h = lua_handle_test(L, -1);

        if (h == NULL || h->number == 0)
            luaL_error(L, "field 'grants' must hold queues, buffers, interpreters and the like");
        pb__grant__init(&g[i].grant);
        pb__handle__init(&g[i].handle);
        g[i].handle.handle = h->number;
        g[i].grant.name = (char *)name_at(L, -2, "grants");
        g[i].grant.handle = &g[i].handle;
        c->grants[i] = &g[i].grant;
    }
    lua_settop(L, table + 2);
}

static void read_aliases(lua_State *L, Pb__InterpCreate *c)
{
    size_t n = count_option(L, "aliases"), i = 0;
    int table = lua_gettop(L);

    c->aliases = lasting(L, n * sizeof(*c->aliases));
    c->n_aliases = n;
    for (lua_pushnil(L); n > 0 && lua_next(L, table) != 0; lua_pop(L, 1), i++) {
        c->aliases[i] = (char *)name_at(L, -2, "aliases");
        if (!lua_isfunction(L, -1))
            luaL_error(L, "field 'aliases' must hold functions");
    }
    lua_settop(L, table + 1);
}

/* ---- limits ---------------------------------------------------------------------------------------------------------------------- */

/* A number is seconds, bytes or a count; a string is read as the command's --limit is: "200ms", "64M". */
static void read_limit(lua_State *L, Pb__Limits *l)
{
    const char *name = name_at(L, -2, "limits");
    const struct limits_row *row = limits_find(name);
    char text[128], why[LIMITS_WHY];

    if (row == NULL)
        luaL_error(L, "there is no limit '%s'", name);
    if (lua_type(L, -1) == LUA_TNUMBER) {
        lua_Number n = lua_tonumber(L, -1) * (row->kind == LIMITS_TIME ? 1e6 : 1);

        if (!(n >= 0 && n < 1e18))
            luaL_error(L, "limit '%s' is out of range", name);
        *(uint64_t *)((char *)l + row->offset) = (uint64_t)ceil(n);
        return;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "limit '%s' must be a number or a string", name);
    snprintf(text, sizeof(text), "%s=%s", name, lua_tostring(L, -1));
    if (limits_parse(text, l, why) != 0)
        luaL_error(L, "%s", why);
}

static void read_limits(lua_State *L, struct creating *c)
{
    if (count_option(L, "limits") > 0) {
        for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
            read_limit(L, &c->limits);
        c->spec.limits = &c->limits;
    }
    lua_pop(L, 1);
}

/* ---- all of it --------------------------------------------------------------------------------------------------------------------- */

static void read_options(lua_State *L, struct creating *c)
{
    size_t len;

    pb__interp_create__init(&c->create);
    pb__job_spec__init(&c->spec);
    pb__limits__init(&c->limits);
    lua_fields_check(L, OPTIONS, options);
    c->create.spec = &c->spec;
    c->create.template_ = (char *)lua_field_text(L, OPTIONS, "template", "");
    c->create.max_children = (uint32_t)lua_field_count(L, OPTIONS, "max_children", 0);
    c->spec.engine = (char *)lua_field_text(L, OPTIONS, "engine", c->create.template_[0] != '\0' ? "" : "lua");
    c->spec.name = (char *)lua_field_text(L, OPTIONS, "name", "");
    c->spec.source_name = (char *)lua_field_text(L, OPTIONS, "source_name", "");
    if (lua_getfield(L, OPTIONS, "source") != LUA_TNIL) {
        c->spec.source.data = (uint8_t *)luaL_checklstring(L, -1, &len);
        c->spec.source.len = len;
        if (c->spec.source_name[0] == '\0')
            c->spec.source_name = (char *)"init";
    }
    lua_pop(L, 1);
    read_limits(L, c);
    read_caps(L, &c->spec);
    read_modules(L, &c->spec);
    read_env(L, &c->spec);
    read_args(L, &c->spec);
    read_grants(L, &c->create);
    read_aliases(L, &c->create);
}

/* create([options]) -> the interpreter */
int lua_interp_create(lua_State *L)
{
    struct creating c;
    struct lua_asking *s;
    const Pb__Answer *answer;
    Pb__Ask a = PB__ASK__INIT;
    const struct lua_handle *made;

    lua_settop(L, 1);
    luaL_checkstack(L, 60, NULL);
    if (lua_isnil(L, OPTIONS)) {
        lua_newtable(L);
        lua_replace(L, OPTIONS);
    }
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    lua_fields_own(L, OPTIONS);
    read_options(L, &c);
    s = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_INTERP_CREATE;
    a.interp_create = &c.create;
    answer = lua_asking_do(L, s, &a);
    made = lua_handle_push(L, answer->body_case == PB__ANSWER__BODY_INTERP ? answer->interp->interp : answer->handle);
    lua_asking_end(L, s);
    if (c.create.n_aliases > 0) {
        lua_getfield(L, OPTIONS, "aliases");
        lua_alias_serve(L, lua_gettop(L), made);
        lua_pop(L, 1);
    }
    return 1;
}
