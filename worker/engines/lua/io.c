/*
 * io.c - see job.h. Three files exist: stdin, stdout, stderr. Reading follows Lua 5.4's liolib.c, over input.h instead of stdio.
 */
#include "worker/engines/lua/task.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/input.h"
#include "worker/output.h"

#define FILE_TYPE "FILE*"

enum { NUMBER_MAX = 200, LINES_ARGS = 250 };

struct file {
    const char *name;
    Pb__Stream stream; /* NONE = stdin */
    int closed;
};

static struct file *check_file(lua_State *L, int i)
{
    struct file *f = luaL_checkudata(L, i, FILE_TYPE);

    if (f->closed)
        luaL_error(L, "attempt to use a closed file");
    return f;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------------- */

/* What is there to read; *ret_len 0 at the end. Raises when the job is being cancelled. noinline: gcc 12 warns of nothing else. */
static __attribute__((noinline)) const char *peek(lua_State *L, size_t *ret_len)
{
    const uint8_t *bytes = NULL;

    lua_task_await_input(L);
    if (input_peek(&bytes, ret_len) < 0)
        luaL_error(L, "cancelled");
    return (const char *)bytes;
}

static int peek_byte(lua_State *L)
{
    size_t n;
    const char *p = peek(L, &n);

    return n > 0 ? (unsigned char)*p : -1;
}

static void read_all(lua_State *L)
{
    luaL_Buffer b;
    const char *p;
    size_t n;

    luaL_buffinit(L, &b);
    while ((p = peek(L, &n)), n > 0) {
        luaL_addlstring(&b, p, n);
        input_take(n);
    }
    luaL_pushresult(&b);
}

static int read_line(lua_State *L, int keep_newline)
{
    luaL_Buffer b;
    const char *p;
    size_t n;
    int ended = 0;

    luaL_buffinit(L, &b);
    while (!ended && (p = peek(L, &n), n > 0)) {
        const char *nl = memchr(p, '\n', n);

        if (nl != NULL) {
            n = (size_t)(nl - p) + 1;
            ended = 1;
        }
        luaL_addlstring(&b, p, ended && !keep_newline ? n - 1 : n);
        input_take(n);
    }
    luaL_pushresult(&b);
    return ended || lua_rawlen(L, -1) > 0;
}

static int read_count(lua_State *L, size_t want)
{
    luaL_Buffer b;
    const char *p;
    size_t n;

    luaL_buffinit(L, &b);
    while (want > 0 && (p = peek(L, &n), n > 0)) {
        n = n < want ? n : want;
        luaL_addlstring(&b, p, n);
        input_take(n);
        want -= n;
    }
    luaL_pushresult(&b);
    return lua_rawlen(L, -1) > 0;
}

/* ---- a number, byte by byte -------------------------------------------------------------------------------------------------- */

struct number {
    lua_State *L;
    int n;
    char text[NUMBER_MAX + 1];
};

static int take_byte(struct number *r)
{
    if (r->n >= NUMBER_MAX) {
        r->text[0] = '\0'; /* too long: not a number */
        return 0;
    }
    r->text[r->n++] = (char)peek_byte(r->L);
    input_take(1);
    return 1;
}

static int take_one_of(struct number *r, const char *set)
{
    int c = peek_byte(r->L);

    return c > 0 && strchr(set, c) != NULL && take_byte(r);
}

static int take_digits(struct number *r, int hex)
{
    int n = 0, c;

    while (c = peek_byte(r->L), c >= 0 && (hex ? isxdigit(c) : isdigit(c)) && take_byte(r))
        n++;
    return n;
}

static int read_number(lua_State *L)
{
    struct number r = { .L = L };
    int count = 0, hex = 0, c;

    while (c = peek_byte(L), c >= 0 && isspace(c))
        input_take(1);
    take_one_of(&r, "-+");
    if (take_one_of(&r, "0")) {
        if (take_one_of(&r, "xX"))
            hex = 1;
        else
            count = 1;
    }
    count += take_digits(&r, hex);
    if (take_one_of(&r, "."))
        count += take_digits(&r, hex);
    if (count > 0 && take_one_of(&r, hex ? "pP" : "eE")) {
        take_one_of(&r, "-+");
        take_digits(&r, 0);
    }
    r.text[r.n] = '\0';
    if (lua_stringtonumber(L, r.text) != 0)
        return 1;
    lua_pushnil(L);
    return 0;
}

/* ---- formats ----------------------------------------------------------------------------------------------------------------- */

static int read_nothing(lua_State *L)
{
    lua_pushliteral(L, "");
    return peek_byte(L) >= 0;
}

static int read_format(lua_State *L, int i)
{
    const char *p;

    if (lua_type(L, i) == LUA_TNUMBER) {
        lua_Integer n = luaL_checkinteger(L, i);
        return n == 0 ? read_nothing(L) : read_count(L, (size_t)n);
    }
    p = luaL_checkstring(L, i);
    if (*p == '*')
        p++; /* as Lua 5.2 wrote them */
    switch (*p) {
    case 'n': return read_number(L);
    case 'l': return read_line(L, 0);
    case 'L': return read_line(L, 1);
    case 'a': read_all(L); return 1;
    default: return luaL_argerror(L, i, "invalid format");
    }
}

/* Reads as the arguments from first on ask, n of them. */
static int read_now(lua_State *L, int first, int n)
{
    int ok = 1, got = 0;

    if (n == 0) {
        ok = read_line(L, 0);
        got = 1;
    }
    luaL_checkstack(L, n + LUA_MINSTACK, "too many arguments");
    for (; got < n && ok; got++)
        ok = read_format(L, first + got);
    if (!ok) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    return got;
}

static int read_formats(lua_State *L, int first, int n)
{
    return lua_task_read(L, read_now, first, n);
}

static int refuse_direction(lua_State *L, const struct file *f, const char *what)
{
    lua_pushnil(L);
    lua_pushfstring(L, "%s: not open for %s", f->name, what);
    lua_pushinteger(L, EBADF);
    return 3;
}

static int file_read(lua_State *L)
{
    struct file *f = check_file(L, 1);

    if (f->stream != PB__STREAM__STREAM_NONE)
        return refuse_direction(L, f, "reading");
    return read_formats(L, 2, lua_gettop(L) - 1);
}

static int io_read(lua_State *L)
{
    return read_formats(L, 1, lua_gettop(L));
}

/* The iterator of lines: upvalue 1 is how many formats follow, as upvalues. */
static int next_line(lua_State *L)
{
    int n = (int)lua_tointeger(L, lua_upvalueindex(1)), got;

    lua_settop(L, 0);
    luaL_checkstack(L, n, "too many arguments");
    for (int i = 1; i <= n; i++)
        lua_pushvalue(L, lua_upvalueindex(1 + i));
    got = read_formats(L, 1, n);
    return got;
}

static int push_lines(lua_State *L, int first)
{
    int n = lua_gettop(L) - first + 1;

    luaL_argcheck(L, n <= LINES_ARGS, LINES_ARGS, "too many arguments");
    lua_pushinteger(L, n);
    lua_insert(L, first);
    lua_pushcclosure(L, next_line, n + 1);
    return 1;
}

static int file_lines(lua_State *L)
{
    struct file *f = check_file(L, 1);

    if (f->stream != PB__STREAM__STREAM_NONE)
        return luaL_error(L, "%s: not open for reading", f->name);
    return push_lines(L, 2);
}

static int io_lines(lua_State *L)
{
    if (lua_gettop(L) == 0)
        lua_pushnil(L);
    if (!lua_isnil(L, 1))
        return luaL_error(L, "%s: there are no files in a coop interpreter; io.lines() reads standard input", luaL_checkstring(L, 1));
    return push_lines(L, 2);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------------- */

static void write_values(lua_State *L, Pb__Stream stream, int first)
{
    for (int i = first, n = lua_gettop(L); i <= n; i++) {
        size_t len;
        const char *s = luaL_checklstring(L, i, &len);

        output_write(stream, s, len);
    }
}

static int file_write(lua_State *L)
{
    struct file *f = check_file(L, 1);

    if (f->stream == PB__STREAM__STREAM_NONE)
        return refuse_direction(L, f, "writing");
    write_values(L, f->stream, 2);
    lua_pushvalue(L, 1);
    return 1;
}

static void push_standard_file(lua_State *L, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, name);
}

static int io_write(lua_State *L)
{
    write_values(L, PB__STREAM__STREAM_STDOUT, 1);
    push_standard_file(L, "stdout");
    return 1;
}

/* ---- the rest of a file's methods -------------------------------------------------------------------------------------------- */

static int file_flush(lua_State *L)
{
    check_file(L, 1);
    output_flush();
    lua_settop(L, 1);
    return 1;
}

static int io_flush(lua_State *L)
{
    output_flush();
    push_standard_file(L, "stdout");
    return 1;
}

static int file_setvbuf(lua_State *L)
{
    static const char *const modes[] = { "no", "full", "line", NULL };
    struct file *f = check_file(L, 1);
    int mode = luaL_checkoption(L, 2, NULL, modes);

    if (f->stream == PB__STREAM__STREAM_STDOUT)
        output_gather(mode != 0);
    lua_pushboolean(L, 1);
    return 1;
}

static int file_seek(lua_State *L)
{
    struct file *f = check_file(L, 1);

    lua_pushnil(L);
    lua_pushfstring(L, "%s: Illegal seek", f->name);
    lua_pushinteger(L, ESPIPE);
    return 3;
}

static int close_file(lua_State *L, struct file *f)
{
    output_flush();
    f->closed = 1;
    lua_pushboolean(L, 1);
    return 1;
}

static int file_close(lua_State *L)
{
    return close_file(L, check_file(L, 1));
}

static int io_close(lua_State *L)
{
    if (lua_isnone(L, 1))
        push_standard_file(L, "stdout");
    return file_close(L);
}

static int file_tostring(lua_State *L)
{
    const struct file *f = luaL_checkudata(L, 1, FILE_TYPE);

    lua_pushfstring(L, f->closed ? "file (closed)" : "file (%s)", f->name);
    return 1;
}

static int io_type(lua_State *L)
{
    const struct file *f;

    luaL_checkany(L, 1);
    f = luaL_testudata(L, 1, FILE_TYPE);
    if (f == NULL)
        luaL_pushfail(L);
    else
        lua_pushstring(L, f->closed ? "closed file" : "file");
    return 1;
}

/* io.input and io.output say which file is the default; it is always the same one. */
static int default_file(lua_State *L, const char *name)
{
    if (lua_isnoneornil(L, 1))
        push_standard_file(L, name);
    else if (push_standard_file(L, name), !lua_rawequal(L, 1, -1))
        return luaL_argerror(L, 1, "there are no other files in a coop interpreter");
    return 1;
}

static int io_input(lua_State *L)
{
    return default_file(L, "stdin");
}

static int io_output(lua_State *L)
{
    return default_file(L, "stdout");
}

/* ---- set-up ------------------------------------------------------------------------------------------------------------------ */

static void add_file(lua_State *L, const char *name, Pb__Stream stream)
{
    struct file *f = lua_newuserdatauv(L, sizeof(*f), 0);

    f->name = name;
    f->stream = stream;
    f->closed = 0;
    luaL_setmetatable(L, FILE_TYPE);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, name);
    lua_setfield(L, -2, name);
}

static void make_metatable(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read",     file_read   },
        { "lines",   file_lines  },
        { "write",   file_write  },
        { "flush",   file_flush  },
        { "setvbuf", file_setvbuf},
        { "seek",    file_seek   },
        { "close",   file_close  },
        { NULL,      NULL        },
    };

    luaL_newmetatable(L, FILE_TYPE);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, file_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

int lib_io(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"read",    io_read  },
        { "lines",  io_lines },
        { "write",  io_write },
        { "flush",  io_flush },
        { "close",  io_close },
        { "type",   io_type  },
        { "input",  io_input },
        { "output", io_output},
        { NULL,     NULL     },
    };

    make_metatable(L);
    luaL_newlib(L, functions);
    add_file(L, "stdin", PB__STREAM__STREAM_NONE);
    add_file(L, "stdout", PB__STREAM__STREAM_STDOUT);
    add_file(L, "stderr", PB__STREAM__STREAM_STDERR);
    return 1;
}
