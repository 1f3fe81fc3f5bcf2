/* engine.c - see engine.h: one state, one script, one outcome. */
#include "worker/engines/lua/engine.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "worker/engines/lua/handle.h"
#include "worker/engines/lua/job.h"
#include "worker/engines/lua/task.h"
#include "worker/output.h"

struct lua_job lua_job = { .memory.cap = SIZE_MAX };

/* ---- cancel ------------------------------------------------------------------------------------------------------------------ */

/* Raised again at every instruction: a pcall catches it once, and what comes after the pcall meets the next. */
static void on_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (lua_job.interpreter)
        lua_interp_on_hook(L);
    else
        luaL_error(L, "cancelled");
}

void lua_job_hook(lua_State *L)
{
    lua_sethook(L, on_hook, LUA_MASKCOUNT, 1);
}

void lua_job_cancel(void)
{
    lua_State *L = lua_job.current;

    lua_job.cancelled = 1;
    if (L != NULL && !lua_job.closing)
        lua_job_hook(L);
    lua_task_interrupt();
}

void lua_job_close(lua_State *L)
{
    lua_job.closing = 1; /* from here on a cancel finds no state to hook; Lua calls no hooks in finalizers anyway */
    lua_job.memory.leaving = true;
    lua_close(L);
}

/* ---- before the job ---------------------------------------------------------------------------------------------------------- */

static int lua_prepare(void)
{
    return 0; /* the state is made in each worker: its hash seed must differ from its siblings' */
}

/*
 * Lua seeds its string hashes with the time and the address of the state, and the address is the same in every fork of a zygote.
 * So the first block, which is the state, goes to a random place of its own.
 */
static void *first_block_then_malloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    struct lua_memory *m = ud;
    uint64_t where = 0;
    void *p;

    if (block != NULL || new_size == 0 || m->used != 0)
        return lua_job_alloc(ud, block, old_size, new_size);
    if (getrandom(&where, sizeof(where), 0) != sizeof(where))
        return NULL;
    p = mmap((void *)((where & 0x3fffffffffffULL) & ~0xfffULL), new_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    m->used = new_size;
    m->first = p;
    return p;
}

static int open_libraries(lua_State *L)
{
    return lib_open_all(L);
}

static int lua_open(unsigned threads)
{
    lua_State *L = lua_newstate(first_block_then_malloc, &lua_job.memory);

    (void)threads; /* 1: the broker gives Lua no more */
    if (L == NULL)
        return -ENOMEM;
    lua_setallocf(L, lua_job_alloc, &lua_job.memory);
    lua_pushcfunction(L, open_libraries);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        return -ENOMEM; /* nothing else can go wrong in there */
    lua_gc(L, LUA_GCCOLLECT);
    lua_job.main = L;
    return 0;
}

/* ---- the job ----------------------------------------------------------------------------------------------------------------- */

static void seed_random(lua_State *L)
{
    lua_Integer seed[2] = { 0, 0 };

    if (getrandom(seed, sizeof(seed), 0) < 0)
        luaL_error(L, "no random numbers");
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seed[0]);
    lua_pushinteger(L, seed[1]);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
}

static void push_arg(lua_State *L, const ProtobufCBinaryData *a)
{
    lua_pushlstring(L, (const char *)a->data, a->len);
}

/* What the script finds when it starts: arg, and a generator of its own. */
static int prepare_job(lua_State *L)
{
    const Pb__JobSpec *spec = lua_touserdata(L, 1);

    lua_createtable(L, (int)spec->n_args, 1);
    lua_pushstring(L, spec->source_name);
    lua_rawseti(L, -2, 0);
    for (size_t i = 0; i < spec->n_args; i++) {
        push_arg(L, &spec->args[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setglobal(L, "arg");
    seed_random(L);
    return 0;
}

/* A script's text without byte order mark and #! line; the newline stays, so that line numbers are right. */
static const char *source_text(const ProtobufCBinaryData *source, size_t *ret_len)
{
    const char *p = (const char *)source->data, *end = p + source->len;

    if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    if (p < end && *p == '#')
        while (p < end && *p != '\n')
            p++;
    *ret_len = (size_t)(end - p);
    return p;
}

/* "@NAME", cut to what has room. Not by libc's printf: every worker does this once, and would touch pages of code for nothing else. */
static void chunk_name(char *into, size_t size, const char *source_name)
{
    size_t len = strnlen(source_name, size - 2);

    into[0] = '@';
    memcpy(into + 1, source_name, len);
    into[1 + len] = '\0';
}

int lua_job_load(lua_State *L, const char *source_name, const ProtobufCBinaryData *source)
{
    char name[256];
    size_t len;
    const char *text = source_text(source, &len);

    chunk_name(name, sizeof(name), source_name);
    if (len > 0 && *text == LUA_SIGNATURE[0]) {
        lua_pushfstring(L, "%s: this is compiled Lua (bytecode); coop runs Lua source text only", name + 1);
        return LUA_ERRSYNTAX;
    }
    return luaL_loadbufferx(L, text != NULL ? text : "", len, name, "t");
}

/* With the script's function on the stack: its arguments, and the call. */
static int call_script(lua_State *L, const Pb__JobSpec *spec)
{
    int handler = lua_gettop(L);

    lua_pushcfunction(L, lua_job_on_error);
    lua_insert(L, handler);
    if (!lua_checkstack(L, (int)spec->n_args + LUA_MINSTACK)) {
        lua_pushliteral(L, "too many arguments");
        return LUA_ERRMEM;
    }
    lua_getglobal(L, "arg");
    for (size_t i = 0; i < spec->n_args; i++)
        lua_rawgeti(L, handler + 2, (lua_Integer)i + 1);
    lua_remove(L, handler + 2);
    return lua_pcall(L, (int)spec->n_args, 0, handler);
}

int lua_job_begin(lua_State *L, const Pb__JobSpec *spec)
{
    lua_job.spec = spec;
    if (spec->limits != NULL && spec->limits->memory_bytes > 0)
        lua_job.memory.cap = spec->limits->memory_bytes;
    lua_task_limits(spec->limits);
    lua_job.current = L;
    lua_pushcfunction(L, prepare_job);
    lua_pushlightuserdata(L, (void *)spec);
    return lua_pcall(L, 1, 0, 0);
}

int lua_job_run_source(lua_State *L, const Pb__JobSpec *spec)
{
    int status = lua_job_load(L, spec->source_name, &spec->source);

    return status == LUA_OK ? call_script(L, spec) : status;
}

/* What a tasklet died of after the script's own last line. */
static int meet_late_error(lua_State *L)
{
    lua_pushcfunction(L, lua_job_on_error);
    lua_pushcfunction(L, lua_task_late_error);
    return lua_pcall(L, 0, 0, -2);
}

static void print_late_errors(lua_State *L)
{
    lua_pushcfunction(L, lua_task_print_late_errors);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* too little memory for it; the job has its outcome */
}

static int begin_and_run(lua_State *L, const Pb__JobSpec *spec)
{
    int status = lua_job_begin(L, spec);

    if (lua_job.cancelled)
        lua_job_hook(L);
    return status == LUA_OK ? lua_job_run_source(L, spec) : status;
}

static int refuse_alive(lua_State *L)
{
    size_t n = lua_task_alive();

    return n > 0 ? luaL_error(L, "the init of a template leaves %d tasklets that have not ended; wait for them first", (int)n) : 0;
}

static int meet_alive(lua_State *L)
{
    lua_pushcfunction(L, lua_job_on_error);
    lua_pushcfunction(L, refuse_alive);
    return lua_pcall(L, 0, 0, -2);
}

/*
 * A template's init. What it has made stays, so nothing may be under way in it: a tasklet's stack has the canary of this process, and would wake in
 * each of its children.
 */
static int lua_warm(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    lua_State *L = lua_job.main;
    int status = begin_and_run(L, spec);

    if (status == LUA_OK && !lua_job.cancelled)
        status = meet_late_error(L);
    if (status == LUA_OK && !lua_job.cancelled)
        status = meet_alive(L);
    if (status != LUA_OK) {
        lua_job_report(L, status, ret_o);
        return -EINVAL;
    }
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    lua_job.current = NULL; /* a cancel finds nothing to end */
    lua_job.spec = NULL;
    return 0;
}

/* Numbers that nobody has drawn, and the timer of slices, which no child inherits. The seed of Lua's string hashes stays the template's. */
static int fork_seed(lua_State *L)
{
    seed_random(L);
    return 0;
}

static int lua_forked(void)
{
    lua_State *L = lua_job.main;

    lua_job.cancelled = 0;
    lua_task_forked();
    lua_handles_forked();
    lua_pushcfunction(L, fork_seed);
    return lua_pcall(L, 0, 0, 0) == LUA_OK ? 0 : -EIO;
}

static void lua_run(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    lua_State *L = lua_job.main;
    int status = begin_and_run(L, spec);

    if (!lua_job.cancelled)
        lua_task_finish();
    if (status == LUA_OK && !lua_job.cancelled)
        status = meet_late_error(L);
    if (status != LUA_OK)
        lua_job_report(L, status, ret_o);
    else
        ret_o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    if (ret_o->kind == PB__RESULT_KIND__RESULT_KIND_EXCEPTION)
        print_late_errors(L);
    if (ret_o->kind != PB__RESULT_KIND__RESULT_KIND_CANCELLED)
        lua_job_close(L); /* finalizers are part of the script, and may print */
}

/* clang-format off */
const struct engine lua_engine = {
    .name = "lua",
    .version = LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE,
    .prepare = lua_prepare,
    .open = lua_open,
    .run = lua_run,
    .cancel = lua_job_cancel,
    .warm = lua_warm,
    .forked = lua_forked,
    .preempt = lua_task_preempt,
    .fault = lua_task_fault,
    .interp = &lua_interp,
    .bare = true,
    .slack_bytes = 8 << 20, /* its allocator is what holds the job: this is room for the end of tasklets, and for malloc's own between small blocks */
    .closed_bytes = (uint64_t)4 << 30, /* stacks: as many as have room in the kernel's 65,530 mappings, two each */
};
/* clang-format on */
