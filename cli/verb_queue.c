/* verb_queue.c - named queues from a terminal. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/reply.h"
#include "cli/say.h"
#include "cli/text.h"
#include "cli/values.h"
#include "ulid.h"

#include <coop/exit_codes.h>

static const char *const unbound_words[] = { "replace", "error", "remove", "persist", NULL };

/* UNBOUND_NONE when --unbound was not given. */
static int read_unbound(const struct command *c, Pb__Unbound *ret)
{
    struct coop_error why;
    int i = 0;

    *ret = PB__UNBOUND__UNBOUND_NONE;
    if (c->opt.unbound == NULL)
        return 0;
    while (unbound_words[i] != NULL && strcmp(unbound_words[i], c->opt.unbound) != 0)
        i++;
    if (unbound_words[i] != NULL) {
        *ret = (Pb__Unbound)(PB__UNBOUND__UNBOUND_REPLACE + i);
        return 0;
    }
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "--unbound is replace, error, remove or persist, not '%.60s'", c->opt.unbound);
    hint_nearest(&why, c->opt.unbound, unbound_words, "--unbound ");
    return say_error(c, &why);
}

/* Of the protocol: -1 waits for ever. */
static int64_t wait_us(const struct command *c)
{
    return c->opt.timeout_us == 0 ? -1 : (int64_t)c->opt.timeout_us;
}

static void print_id(const struct command *c, const void *body)
{
    const Pb__Handle *h = body;

    (void)c;
    printf("%s\n", h->id);
}

static int create(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__QueueCreate m = PB__QUEUE_CREATE__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    int code = read_unbound(c, &m.unbound);

    (void)n;
    if (code != 0)
        return code;
    m.name = args[0];
    m.max_items = c->opt.max_items;
    m.max_bytes = c->opt.max_bytes;
    m.durable = c->opt.durable;
    ask.body_case = PB__ASK__BODY_QUEUE_CREATE;
    ask.queue_create = &m;
    return reply_print_ask(c, client, &ask, PB__ANSWER__BODY_HANDLE, print_id);
}

static int put(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__QueuePut m = PB__QUEUE_PUT__INIT;
    struct named q;
    struct values_each each;
    struct frame reply;
    int code = read_unbound(c, &m.unbound);

    if (code == 0)
        code = values_each_arg(c, client, args + 1, n - 1, &each);
    if (code != 0)
        return code;
    if (m.unbound == PB__UNBOUND__UNBOUND_NONE)
        m.unbound = PB__UNBOUND__UNBOUND_PERSIST; /* its sender is this process, which is gone before anybody gets it */
    m.items = each.list;
    m.n_items = each.n;
    m.timeout_us = wait_us(c);
    code = say_ask(c, client, ask_named(&q, PB__ASK__BODY_QUEUE_PUT, &m, &m.queue, args[0]), PB__ANSWER__BODY_TAKEN, &reply);
    values_each_finish(&each);
    if (code != 0)
        return code;
    if (c->opt.json)
        json_print(json_document(&answer_of(&reply)->taken->base));
    if (answer_of(&reply)->taken->count < (uint32_t)(n - 1)) {
        say_note(c, "%u of %d items are in; then the time was over", answer_of(&reply)->taken->count, n - 1);
        code = COOP_EXIT_TIME_LIMIT;
    }
    frame_release(&reply);
    return code;
}

/* An item a line, as JSON; the place of one whose sender has ended is null, with a word on standard error. */
static int print_items(const struct command *c, struct coop_client *client, const Pb__QueueItems *l)
{
    int code = 0;

    for (size_t i = 0; i < l->n_items && code == 0; i++) {
        const Pb__QueueItem *item = l->items[i];

        if (item->unbound == PB__UNBOUND__UNBOUND_REPLACE) {
            say_note(c, "the sender of this item has ended");
            printf("null\n");
        } else {
            code = values_print_one(c, client, item->value);
        }
    }
    return code;
}

/* Each item with its value as it is, as coop.CallResult/1 has it. */
static int print_document(const struct command *c, struct coop_client *client, const Pb__QueueItems *l)
{
    json_t *doc = json_document(&l->base), *items = json_object_get(doc, "items");
    int code = 0;

    for (size_t i = 0; i < l->n_items && code == 0; i++)
        code = values_into(c, client, l->items[i]->value, json_array_get(items, i));
    if (code == 0)
        return json_print(doc) == 0 ? 0 : COOP_EXIT_PLATFORM;
    json_decref(doc);
    return code;
}

static int get(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__QueueGet m = PB__QUEUE_GET__INIT;
    struct named q;
    struct frame reply;
    int code;

    (void)n;
    m.max = c->opt.max_items != 0 ? c->opt.max_items : 1;
    m.timeout_us = wait_us(c);
    code = say_ask(c, client, ask_named(&q, PB__ASK__BODY_QUEUE_GET, &m, &m.queue, args[0]), PB__ANSWER__BODY_ITEMS, &reply);
    if (code != 0)
        return code;
    code = c->opt.json ? print_document(c, client, answer_of(&reply)->items) : print_items(c, client, answer_of(&reply)->items);
    frame_release(&reply);
    return code;
}

static int close_it(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__QueueClose m = PB__QUEUE_CLOSE__INIT;
    struct named q;

    (void)n;
    m.discard = c->opt.discard;
    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_QUEUE_CLOSE, &m, &m.queue, args[0]), PB__ANSWER__BODY_DONE, NULL);
}

static int delete_it(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__QueueDelete m = PB__QUEUE_DELETE__INIT;
    struct named q;

    (void)n;
    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_QUEUE_DELETE, &m, &m.queue, args[0]), PB__ANSWER__BODY_DONE, NULL);
}

static void print_row(const Pb__QueueStatus *q)
{
    char name[512], items[32], bytes[48];

    snprintf(items, sizeof(items), "%u/%u", q->items, q->max_items);
    snprintf(bytes, sizeof(bytes), "%" PRIu64 "/%" PRIu64, q->bytes, q->max_bytes);
    printf("%s  %-16s %-20s %s%s%s  %s\n", q->queue->id, items, bytes, q->durable ? "durable" : "", q->durable && q->closed ? "," : "",
           q->closed    ? "closed"
           : q->durable ? ""
                        : "-",
           text_safe_str(name, sizeof(name), q->queue->name));
}

/* By which it is named: its name, or its id. */
static void print_name(const Pb__QueueStatus *q)
{
    char name[512];

    printf("%s\n", q->queue->name[0] != '\0' ? text_safe_str(name, sizeof(name), q->queue->name) : q->queue->id);
}

static void print_status(const Pb__QueueStatus *q)
{
    char safe[512], word[JSON_ENUM_BUF];

    printf("id        %s\nname      %s\n", q->queue->id, text_safe_str(safe, sizeof(safe), q->queue->name));
    printf("state     %s%s\n", q->closed ? "closed" : "open", q->durable ? ", durable" : "");
    printf("items     %u of %u\nbytes     %" PRIu64 " of %" PRIu64 "\n", q->items, q->max_items, q->bytes, q->max_bytes);
    printf("unbound   %s\nwaiting   %u to put, %u to get\n", json_enum_name(&pb__unbound__descriptor, (int)q->unbound, word), q->putters,
           q->getters);
    printf("in all    %" PRIu64 " put, %" PRIu64 " got\n", q->put_total, q->got_total);
}

static void print_queue(const struct command *c, const void *body)
{
    const Pb__QueueStatus *q = body;

    if (c->opt.quiet)
        printf("%u\n", q->items);
    else
        print_status(q);
}

static int show(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__QueueInfo m = PB__QUEUE_INFO__INIT;
    struct named q;

    (void)n;
    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_QUEUE_INFO, &m, &m.queue, args[0]), PB__ANSWER__BODY_QUEUE, print_queue);
}

static void print_list(const struct command *c, const void *body)
{
    const Pb__QueueStatusList *l = body;

    if (!c->opt.quiet)
        printf("%-*s  %-16s %-20s %s  %s\n", ULID_LEN, "ID", "ITEMS", "BYTES", "STATE", "NAME");
    for (size_t i = 0; i < l->n_queues; i++) {
        if (c->opt.quiet)
            print_name(l->queues[i]);
        else
            print_row(l->queues[i]);
    }
}

static int list(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__QueueList m = PB__QUEUE_LIST__INIT;
    Pb__Ask ask = PB__ASK__INIT;

    (void)args, (void)n;
    ask.body_case = PB__ASK__BODY_QUEUE_LIST;
    ask.queue_list = &m;
    return reply_print_ask(c, client, &ask, PB__ANSWER__BODY_QUEUES, print_list);
}

/* clang-format off */
const struct word queue_words[] = {
    { "create", "NAME",           1, 1,  "make one: --max-items, --max-bytes, --unbound, --durable", create, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "put",    "NAME VALUE...",  2, -1, "put items in, each JSON or else text; they persist, as this command ends at once, unless --unbound says otherwise", put, NULL, FLAG_NAME, FLAG_NOTHING },
    { "get",    "NAME",           1, 1,  "take an item out, or up to --max-items, and print each as a line of JSON (--json: one document, with each item's sender)", get, NULL, FLAG_NAME, FLAG_NOTHING },
    { "close",  "NAME",           1, 1,  "let it take no more; what is in it can still be got", close_it, NULL, FLAG_NAME, FLAG_NOTHING },
    { "rm",     "NAME",           1, 1,  "remove it with what is in it", delete_it, NULL, FLAG_NAME, FLAG_NOTHING },
    { "ls",     "",               0, 0,  "list them: items, bytes, and their bounds; --quiet: their names", list, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "show",   "NAME",           1, 1,  "say all that is known of it; --quiet: how many items are in it", show, NULL, FLAG_NAME, FLAG_NOTHING },
    { NULL,     NULL,             0, 0,  NULL, NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_queue(const struct command *c)
{
    return words_run(c, queue_words);
}
