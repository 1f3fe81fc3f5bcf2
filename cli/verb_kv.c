/* verb_kv.c - keys and their values from a terminal. */
#include <stdio.h>
#include <string.h>

#include "cli/words.h"
#include "cli/json.h"
#include "cli/reply.h"
#include "cli/say.h"
#include "cli/text.h"

/* The whole store of this user. Its handle is the session's. */
static int open_all(const struct command *c, struct coop_client *client, Pb__Ref *ret)
{
    Pb__KvOpen m = PB__KV_OPEN__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    struct frame reply;
    int code;

    ask.body_case = PB__ASK__BODY_KV_OPEN;
    ask.kv_open = &m;
    code = say_ask(c, client, &ask, PB__ANSWER__BODY_HANDLE, &reply);
    if (code != 0)
        return code;
    pb__ref__init(ret);
    ret->handle = answer_of(&reply)->handle->handle;
    frame_release(&reply);
    return 0;
}

static int get(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__KvGet m = PB__KV_GET__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    struct frame reply;
    Pb__Ref kv;
    int code = open_all(c, client, &kv);

    (void)n;
    if (code != 0)
        return code;
    m.kv = &kv;
    m.key = args[0];
    ask.body_case = PB__ASK__BODY_KV_GET;
    ask.kv_get = &m;
    code = say_ask(c, client, &ask, PB__ANSWER__BODY_KV_VALUE, &reply);
    if (code != 0)
        return code;
    if (c->opt.json)
        json_print(json_document(&answer_of(&reply)->kv_value->base));
    else
        fwrite(answer_of(&reply)->kv_value->value.data, 1, answer_of(&reply)->kv_value->value.len, stdout);
    if (!c->opt.json && !c->opt.quiet)
        printf("\n");
    frame_release(&reply);
    return 0;
}

static int put(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__KvPut m = PB__KV_PUT__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    Pb__Ref kv;
    int code = open_all(c, client, &kv);

    (void)n;
    m.kv = &kv;
    m.key = args[0];
    m.value = (ProtobufCBinaryData){ strlen(args[1]), (uint8_t *)args[1] };
    ask.body_case = PB__ASK__BODY_KV_PUT;
    ask.kv_put = &m;
    return code == 0 ? reply_print_ask(c, client, &ask, PB__ANSWER__BODY_DONE, NULL) : code;
}

static int remove_it(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__KvDelete m = PB__KV_DELETE__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    Pb__Ref kv;
    int code = open_all(c, client, &kv);

    (void)n;
    m.kv = &kv;
    m.key = args[0];
    ask.body_case = PB__ASK__BODY_KV_DELETE;
    ask.kv_delete = &m;
    return code == 0 ? reply_print_ask(c, client, &ask, PB__ANSWER__BODY_DONE, NULL) : code;
}

/* A page of keys; *after holds the last of it, and *more whether there are others. */
static int list_page(const struct command *c, struct coop_client *client, Pb__KvList *m, char *after, size_t size, bool *more)
{
    Pb__Ask ask = PB__ASK__INIT;
    const Pb__KvKeys *l;
    struct frame reply;
    char safe[2048];
    int code;

    m->after = after;
    ask.body_case = PB__ASK__BODY_KV_LIST;
    ask.kv_list = m;
    code = say_ask(c, client, &ask, PB__ANSWER__BODY_KV_KEYS, &reply);
    if (code != 0)
        return code;
    l = answer_of(&reply)->kv_keys;
    if (c->opt.json)
        json_print(json_document(&l->base));
    for (size_t i = 0; !c->opt.json && i < l->n_keys; i++)
        printf("%s\n", text_safe_str(safe, sizeof(safe), l->keys[i]));
    if (l->n_keys > 0)
        snprintf(after, size, "%s", l->keys[l->n_keys - 1]);
    *more = l->more && l->n_keys > 0;
    frame_release(&reply);
    return 0;
}

static int list(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__KvList m = PB__KV_LIST__INIT;
    char after[1024] = "";
    bool more = true;
    Pb__Ref kv;
    int code = open_all(c, client, &kv);

    m.kv = &kv;
    m.prefix = n > 0 ? args[0] : m.prefix;
    while (code == 0 && more)
        code = list_page(c, client, &m, after, sizeof(after), &more);
    return code;
}

/* clang-format off */
const struct word kv_words[] = {
    { "get", "KEY",       1, 1, "print the value of a key", get, NULL, FLAG_NAME, FLAG_NOTHING },
    { "put", "KEY VALUE", 2, 2, "set a key; it is on disk when this returns", put, NULL, FLAG_NAME, FLAG_NOTHING },
    { "rm",  "KEY",       1, 1, "remove a key", remove_it, NULL, FLAG_NAME, FLAG_NOTHING },
    { "ls",  "[PREFIX]",  0, 1, "print the keys that begin so, in order", list, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { NULL,  NULL,        0, 0, NULL, NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_kv(const struct command *c)
{
    return words_run(c, kv_words);
}
