/*
 * mod_queues.c - see mod.h: require "coop.queues".
 *
 * Values: an item whose sender has ended before it was taken is queues.UNBOUND, where its policy replaces it. A nil that was put is nil from
 *         get(), and coop.null in a list or a loop.
 */
#include "worker/engines/lua/mod.h"

#include <stdio.h>
#include <string.h>

#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/task.h"
#include "worker/engines/lua/value.h"
#include "worker/engines/lua/value_types.h"

/* Of one message: it must fit a frame, with what is around the values. */
enum { BATCH_ITEMS = 256, BATCH_BYTES = ASK_BYTES - 2 * VALUE_BYTES };

static void self(lua_State *L, Pb__Ref *ret_ref)
{
    lua_handle_ref(lua_handle_check(L, 1, PB__KIND__KIND_QUEUE), ret_ref);
}

/* ---- putting ----------------------------------------------------------------------------------------------------------------------- */

/* Sends what is packed in s as n items; how many are in. */
static uint32_t put_packed(lua_State *L, struct lua_asking *s, uint32_t n, int64_t timeout, Pb__Unbound unbound)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__QueuePut put = PB__QUEUE_PUT__INIT;
    Pb__Value *items[BATCH_ITEMS];
    Pb__Ref ref;
    const Pb__Answer *answer;
    uint32_t taken;

    self(L, &ref);
    for (uint32_t i = 0; i < n; i++)
        if ((items[i] = packed_message(&s->packed[i])) == NULL)
            lua_task_no_memory(L);
    put.queue = &ref;
    put.items = items;
    put.n_items = n;
    put.unbound = unbound;
    put.timeout_us = timeout;
    a.body_case = PB__ASK__BODY_QUEUE_PUT;
    a.queue_put = &put;
    answer = lua_asking_do(L, s, &a);
    taken = answer->body_case == PB__ANSWER__BODY_TAKEN ? answer->taken->count : n;
    lua_asking_end(L, s);
    return taken;
}

/* put(value [, seconds [, unbound]]) */
static int queue_put(lua_State *L)
{
    Pb__Unbound unbound;
    struct lua_asking *s;
    int64_t timeout = lua_asking_timeout(L, 3, -1);
    Pb__Ref ref;

    self(L, &ref);
    luaL_checkany(L, 2);
    unbound = lua_unbound_at(L, 4);
    s = lua_asking_new(L, 1);
    lua_asking_pack(L, &s->packed[0], 2, "item");
    (void)put_packed(L, s, 1, timeout, unbound);
    return 0;
}

/* The items of the list at 2 from first on, as many as find room in one message. Pushes the asking. */
static uint32_t pack_batch(lua_State *L, lua_Integer first, lua_Integer n, struct lua_asking **ret)
{
    uint32_t most = n - first + 1 < BATCH_ITEMS ? (uint32_t)(n - first + 1) : BATCH_ITEMS, i = 0;
    struct lua_asking *s = lua_asking_new(L, most);
    size_t bytes = 0;
    char root[32];

    for (; i < most && bytes < BATCH_BYTES; i++) {
        lua_geti(L, 2, first + i);
        snprintf(root, sizeof(root), "items[%lld]", (long long)(first + i));
        lua_asking_pack(L, &s->packed[i], lua_gettop(L), root);
        bytes += (s->packed[i].whole == 0 ? s->packed[i].len : 0) + 64;
        lua_pop(L, 1);
    }
    *ret = s;
    return i;
}

static int64_t left_of(int64_t deadline)
{
    int64_t left = deadline - coop_now();

    return deadline == COOP_NEVER ? -1 : left > 0 ? left : 0;
}

/* put_many(list [, seconds [, unbound]]) -> how many are in: all, unless the time was over; none: QueueFull */
static int queue_put_many(lua_State *L)
{
    int64_t timeout = lua_asking_timeout(L, 3, -1), deadline = timeout < 0 ? COOP_NEVER : coop_after(timeout);
    Pb__Unbound unbound = lua_unbound_at(L, 4);
    lua_Integer n, done = 0;
    Pb__Ref ref;

    self(L, &ref);
    luaL_checktype(L, 2, LUA_TTABLE);
    n = luaL_len(L, 2);
    while (done < n) {
        struct lua_asking *s;
        uint32_t sent = pack_batch(L, done + 1, n, &s), taken;

        if (done > 0 && timeout >= 0 && left_of(deadline) == 0)
            break;
        taken = put_packed(L, s, sent, timeout < 0 ? -1 : left_of(deadline), unbound);
        lua_pop(L, 1);
        done += taken;
        if (taken < sent)
            break;
    }
    lua_pushinteger(L, done);
    return 1;
}

/* ---- getting ----------------------------------------------------------------------------------------------------------------------- */

static void push_item(lua_State *L, const Pb__QueueItem *item, bool in_list)
{
    lua_unbound_open(L);
    if (item->unbound == PB__UNBOUND__UNBOUND_REPLACE && item->value == NULL) {
        lua_unbound_push(L, PB__UNBOUND__UNBOUND_REPLACE);
        return;
    }
    lua_value_push(L, item->value);
    if (!in_list || !lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_value_push_null(L);
}

/* 1 to max items. Pushes the asking. */
static const Pb__QueueItems *get(lua_State *L, uint32_t max, int64_t timeout, struct lua_asking **ret)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__QueueGet m = PB__QUEUE_GET__INIT;
    Pb__Ref ref;
    const Pb__Answer *answer;

    self(L, &ref);
    m.queue = &ref;
    m.max = max;
    m.timeout_us = timeout;
    *ret = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_QUEUE_GET;
    a.queue_get = &m;
    answer = lua_asking_do(L, *ret, &a);
    if (answer->body_case != PB__ANSWER__BODY_ITEMS)
        (void)lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    if (answer->items->n_items == 0)
        (void)lua_call_raise(L, answer->items->closed ? PB__CALL_ERROR__CALL_ERROR_CLOSED : PB__CALL_ERROR__CALL_ERROR_QUEUE_EMPTY, NULL);
    return answer->items;
}

/* get([seconds]) -> the value, and who sent it */
static int queue_get(lua_State *L)
{
    struct lua_asking *s;
    const Pb__QueueItems *items = get(L, 1, lua_asking_timeout(L, 2, -1), &s);

    push_item(L, items->items[0], false);
    lua_pushstring(L, items->items[0]->sender);
    lua_asking_end(L, s);
    return 2;
}

/* get_many(max [, seconds]) -> a list of 1 to max values */
static int queue_get_many(lua_State *L)
{
    lua_Integer max = luaL_checkinteger(L, 2);
    struct lua_asking *s;
    const Pb__QueueItems *items;

    luaL_argcheck(L, max >= 1 && max <= 1 << 20, 2, "a number from 1 on is needed");
    items = get(L, (uint32_t)max, lua_asking_timeout(L, 3, -1), &s);
    lua_createtable(L, (int)items->n_items, 0);
    for (size_t i = 0; i < items->n_items; i++) {
        push_item(L, items->items[i], true);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_asking_end(L, s);
    return 1;
}

static int get_next(lua_State *L)
{
    lua_settop(L, 1);
    (void)queue_get(L);
    lua_pop(L, 1);
    if (lua_isnil(L, -1))
        lua_value_push_null(L);
    return 1;
}

/* each(): for v in q:each() ends when the queue is closed, and empty. */
static int each_next(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushcfunction(L, get_next);
    lua_pushvalue(L, lua_upvalueindex(1));
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        return 1;
    if (lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, "type") == LUA_TSTRING && strcmp(lua_tostring(L, -1), "Closed") == 0)
        return 0;
    lua_settop(L, 1);
    return lua_error(L);
}

static int queue_each(lua_State *L)
{
    Pb__Ref ref;

    self(L, &ref);
    lua_value_open_types(L);
    lua_settop(L, 1);
    lua_pushcclosure(L, each_next, 1);
    return 1;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------------------------- */

static void set_count(lua_State *L, const char *field, uint64_t n)
{
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, field);
}

static void push_status(lua_State *L, const Pb__QueueStatus *q)
{
    lua_createtable(L, 0, 14);
    if (q->queue != NULL) {
        lua_pushstring(L, q->queue->id);
        lua_setfield(L, -2, "id");
        lua_pushstring(L, q->queue->name);
        lua_setfield(L, -2, "name");
    }
    lua_pushstring(L, q->owner);
    lua_setfield(L, -2, "owner");
    set_count(L, "items", q->items);
    set_count(L, "bytes", q->bytes);
    set_count(L, "max_items", q->max_items);
    set_count(L, "max_bytes", q->max_bytes);
    set_count(L, "putters", q->putters);
    set_count(L, "getters", q->getters);
    set_count(L, "put_total", q->put_total);
    set_count(L, "got_total", q->got_total);
    lua_pushboolean(L, q->durable);
    lua_setfield(L, -2, "durable");
    lua_pushboolean(L, q->closed);
    lua_setfield(L, -2, "closed");
    lua_unbound_push(L, q->unbound);
    lua_setfield(L, -2, "unbound");
}

static int queue_info(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__QueueInfo m = PB__QUEUE_INFO__INIT;
    Pb__Ref ref;
    struct lua_asking *s;
    const Pb__Answer *answer;

    self(L, &ref);
    lua_unbound_open(L);
    m.queue = &ref;
    s = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_QUEUE_INFO;
    a.queue_info = &m;
    answer = lua_asking_do(L, s, &a);
    push_status(L, answer->queue);
    lua_asking_end(L, s);
    return 1;
}

/* close([discard]): no more puts; true: and what is in it is gone. */
static int queue_close(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__QueueClose m = PB__QUEUE_CLOSE__INIT;
    Pb__Ref ref;

    self(L, &ref);
    m.queue = &ref;
    m.discard = lua_toboolean(L, 2);
    a.body_case = PB__ASK__BODY_QUEUE_CLOSE;
    a.queue_close = &m;
    lua_ask_done(L, &a);
    return 0;
}

/* clang-format off */
const luaL_Reg lua_queue_methods[] = {
    { "put", queue_put }, { "put_many", queue_put_many }, { "get", queue_get }, { "get_many", queue_get_many }, { "each", queue_each },
    { "info", queue_info }, { "close", queue_close }, { NULL, NULL },
};
/* clang-format on */

static const Pb__Handle *handle_in(lua_State *L, const Pb__Answer *answer)
{
    if (answer->body_case == PB__ANSWER__BODY_HANDLE)
        return answer->handle;
    if (answer->body_case == PB__ANSWER__BODY_QUEUE)
        return answer->queue->queue;
    (void)lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    return NULL;
}

static int push_made(lua_State *L, Pb__Ask *a)
{
    struct lua_asking *s = lua_asking_new(L, 0);
    const Pb__Answer *answer = lua_asking_do(L, s, a);

    (void)lua_handle_push(L, handle_in(L, answer));
    lua_asking_end(L, s);
    return 1;
}

/* create([{name=, max_items=, max_bytes=, unbound=, durable=}]) -> the queue */
static int create(lua_State *L)
{
    static const char *const names[] = { "name", "max_items", "max_bytes", "unbound", "durable", NULL };
    Pb__Ask a = PB__ASK__INIT;
    Pb__QueueCreate m = PB__QUEUE_CREATE__INIT;

    lua_settop(L, 1);
    if (!lua_isnil(L, 1)) {
        luaL_checktype(L, 1, LUA_TTABLE);
        lua_fields_own(L, 1);
        lua_fields_check(L, 1, names);
        m.name = (char *)lua_field_text(L, 1, "name", "");
        m.max_items = (uint32_t)lua_field_count(L, 1, "max_items", 0);
        m.max_bytes = lua_field_count(L, 1, "max_bytes", 0);
        m.durable = lua_field_flag(L, 1, "durable");
        lua_getfield(L, 1, "unbound");
        m.unbound = lua_unbound_at(L, 2);
    }
    a.body_case = PB__ASK__BODY_QUEUE_CREATE;
    a.queue_create = &m;
    return push_made(L, &a);
}

/* open(name [, rights]) -> the queue */
static int open_queue(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__QueueOpen m = PB__QUEUE_OPEN__INIT;

    m.name = (char *)luaL_checkstring(L, 1);
    m.rights = lua_rights_check(L, 2);
    a.body_case = PB__ASK__BODY_QUEUE_OPEN;
    a.queue_open = &m;
    return push_made(L, &a);
}

int lib_queues(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"create", create    },
        { "open",  open_queue},
        { NULL,    NULL      }
    };

    lua_task_start(L);
    lua_unbound_open(L);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lua_value_open(L);
    lua_unbound_constants(L);
    return 1;
}
