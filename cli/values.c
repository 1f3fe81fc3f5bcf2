/* values.c - see values.h. */
#include "cli/values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coop/value_json.h>

#include "cli/json.h"
#include "cli/say.h"

#include <coop/exit_codes.h>

/* ---- out of words ------------------------------------------------------------------------------------------------------------------ */

/* JSON that is no value, like an object with a word that it may not have, is refused: it was not meant as text. */
static int of_text(const struct command *c, const char *text, coop_val **ret)
{
    char words[COOP_JSON_WHY];
    struct coop_error why;
    int rc = coop_val_from_json(text, strlen(text), ret, words);

    if (rc == -EBADMSG) {
        *ret = coop_val_text(text, SIZE_MAX);
        rc = coop_val_error(*ret);
        if (rc == -EILSEQ) {
            coop_val_free(*ret);
            *ret = coop_val_bytes(text, strlen(text));
            rc = coop_val_error(*ret);
        }
        snprintf(words, sizeof(words), "%s", strerror(-rc));
    }
    if (rc == 0)
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "the argument '%.80s' is JSON, and no value: %s", text, words);
    return say_error(c, &why);
}

/* Takes val. */
static int send_off(const struct command *c, struct coop_client *client, coop_val *val, const char *root, struct values *ret)
{
    int64_t limit_us = c->opt.timeout_us != 0 ? (int64_t)c->opt.timeout_us : COOP_NO_LIMIT;
    struct coop_handle buffer;
    struct coop_error why;
    void *packed = NULL;
    size_t len = 0;
    int rc = coop_exchange_value(client, val, root, limit_us, &packed, &len, &buffer, &why);

    coop_val_free(val);
    if (rc != 0)
        return say_error(c, &why);
    rc = frame_decode(&ret->frame, &pb__value__descriptor, packed, len, FRAME_MAX_CONTROL);
    free(packed);
    ret->value = (Pb__Value *)ret->frame.msg;
    if (rc == 0)
        return 0;
    coop_error_set(&why, -rc, COOP_EXIT_PLATFORM, "%s: %s", root, strerror(-rc));
    return say_error(c, &why);
}

int values_of_args(const struct command *c, struct coop_client *client, char **args, int n, struct values *ret)
{
    coop_val *list = coop_val_list(), *one;

    for (int i = 0; i < n; i++) {
        int code = of_text(c, args[i], &one);

        if (code != 0) {
            coop_val_free(list);
            return code;
        }
        (void)coop_val_add(list, one); /* what fails stays in the list, and encoding it says so */
    }
    return send_off(c, client, list, "args", ret);
}

int values_of_names(const struct command *c, struct coop_client *client, char **args, int n, struct values *ret)
{
    coop_val *map = coop_val_map(), *one;
    struct coop_error why;
    int code = 0;

    for (int i = 0; i < n && code == 0; i++) {
        char *equals = strchr(args[i], '=');

        if (equals == NULL || equals == args[i]) {
            coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "'%.80s' is not NAME=VALUE", args[i]);
            code = say_error(c, &why);
        } else if ((code = of_text(c, equals + 1, &one)) == 0) {
            *equals = '\0';
            (void)coop_val_set(map, args[i], one);
            *equals = '=';
        }
    }
    if (code == 0)
        return send_off(c, client, map, "names", ret);
    coop_val_free(map);
    return code;
}

void values_finish(struct values *v)
{
    frame_release(&v->frame);
}

int values_each_arg(const struct command *c, struct coop_client *client, char **args, int n, struct values_each *ret)
{
    *ret = (struct values_each){ .all = calloc((size_t)n, sizeof(*ret->all)), .list = calloc((size_t)n, sizeof(Pb__Value *)) };
    for (int i = 0; i < n && ret->all != NULL && ret->list != NULL; i++) {
        coop_val *one;
        int code = of_text(c, args[i], &one);

        if (code == 0)
            code = send_off(c, client, one, "value", &ret->all[i]);
        if (code != 0) {
            values_each_finish(ret);
            return code;
        }
        ret->list[ret->n++] = ret->all[i].value;
    }
    if (ret->n == (size_t)n)
        return 0;
    values_each_finish(ret);
    return COOP_EXIT_PLATFORM;
}

void values_each_finish(struct values_each *e)
{
    for (size_t i = 0; i < e->n; i++)
        values_finish(&e->all[i]);
    free(e->all);
    free(e->list);
}

/* ---- into words ---------------------------------------------------------------------------------------------------------------------- */

/* NULL: the bytes are no value. */
static char *as_json(struct coop_client *client, const Pb__Value *v)
{
    char *json = NULL;
    coop_val *val;
    uint8_t *packed;
    size_t len;
    int rc;

    if (v == NULL || (v->cbor.len == 0 && v->whole == NULL))
        return strdup("null");
    if (frame_pack(&v->base, &packed, &len) != 0)
        return NULL;
    rc = coop_exchange_value_of(client, packed, len, &val, NULL);
    free(packed);
    if (rc != 0)
        return NULL;
    if (coop_val_to_json(val, &json) != 0)
        json = NULL;
    coop_val_free(val);
    return json;
}

static int refuse_value(const struct command *c)
{
    struct coop_error why;

    coop_error_set(&why, EPROTO, COOP_EXIT_EXCEPTION, "what came back is not a value that can be printed");
    return say_error(c, &why);
}

int values_print_one(const struct command *c, struct coop_client *client, const Pb__Value *v)
{
    char *text = as_json(client, v);

    if (text == NULL)
        return refuse_value(c);
    printf("%s\n", text);
    free(text);
    return 0;
}

int values_into(const struct command *c, struct coop_client *client, const Pb__Value *v, json_t *object)
{
    char *text = as_json(client, v);
    json_t *value;

    if (text == NULL)
        return refuse_value(c);
    value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_object_set_new(object, "value", value != NULL ? value : json_string(text)); /* as text: an integer in it has more than 64 bits */
    free(text);
    return 0;
}

static int print_document(const struct command *c, struct coop_client *client, const Pb__CallResult *r)
{
    json_t *doc = json_document(&r->base);
    int code = values_into(c, client, r->value, doc);

    if (code == 0)
        return json_print(doc) == 0 ? 0 : COOP_EXIT_PLATFORM;
    json_decref(doc);
    return code;
}

int values_print(const struct command *c, struct coop_client *client, const Pb__CallResult *r, bool print_null)
{
    bool is_null = r->value == NULL ||
                   (r->value->whole == NULL && (r->value->cbor.len == 0 || (r->value->cbor.len == 1 && r->value->cbor.data[0] == 0xf6)));

    if (c->opt.json)
        return print_document(c, client, r);
    return is_null && !print_null ? 0 : values_print_one(c, client, r->value);
}
