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

static Pb__Handle *told(const struct coop_handle *h, Pb__Handle *ret)
{
    pb__handle__init(ret);
    ret->kind = (Pb__Kind)h->kind;
    ret->rights = h->rights;
    ret->handle = h->number;
    ret->id = (char *)(h->id[0] != '\0' ? h->id : h->name);
    return ret;
}

static int take_handles(struct values *v)
{
    size_t n = v->encoding.n_handles;
    Pb__Handle *all = calloc(n + 1, sizeof(*all));

    v->value.handles = calloc(n + 1, sizeof(*v->value.handles));
    if (all == NULL || v->value.handles == NULL) {
        free(all);
        free(v->value.handles);
        v->value.handles = NULL;
        return -ENOMEM;
    }
    v->value.handles[0] = all; /* also without any: values_finish() frees it by this */
    for (size_t i = 0; i < n; i++)
        v->value.handles[i] = told(&v->encoding.handles[i], &all[i]);
    v->value.n_handles = n;
    return 0;
}

/* Takes val. */
static int send_off(const struct command *c, coop_val *val, const char *root, struct values *ret)
{
    char path[COOP_VAL_PATH] = "";
    struct coop_error why;
    int rc;

    *ret = (struct values){ .value = PB__VALUE__INIT };
    rc = coop_val_encode(val, COOP_VAL_INLINE_BYTES, root, &ret->encoding, path);
    coop_val_free(val);
    if (rc == 0 && (rc = take_handles(ret)) != 0)
        coop_encoding_free(&ret->encoding);
    if (rc == 0) {
        ret->value.cbor = (ProtobufCBinaryData){ ret->encoding.len, ret->encoding.cbor };
        return 0;
    }
    coop_error_set(&why, -rc, rc == -ENOMEM ? COOP_EXIT_PLATFORM : COOP_EXIT_USAGE, "%s cannot be sent: %s", path[0] != '\0' ? path : root,
                   rc == -E2BIG   ? "it is too big; use a buffer"
                   : rc == -ELOOP ? "lists and maps nest too deeply"
                                  : strerror(-rc));
    return say_error(c, &why);
}

int values_of_args(const struct command *c, char **args, int n, struct values *ret)
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
    return send_off(c, list, "args", ret);
}

int values_of_names(const struct command *c, char **args, int n, struct values *ret)
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
        return send_off(c, map, "names", ret);
    coop_val_free(map);
    return code;
}

void values_finish(struct values *v)
{
    if (v->value.handles != NULL)
        free(v->value.handles[0]);
    free(v->value.handles);
    coop_encoding_free(&v->encoding);
}

int values_each_arg(const struct command *c, char **args, int n, struct values_each *ret)
{
    *ret = (struct values_each){ .all = calloc((size_t)n, sizeof(*ret->all)), .list = calloc((size_t)n, sizeof(Pb__Value *)) };
    for (int i = 0; i < n && ret->all != NULL && ret->list != NULL; i++) {
        coop_val *one;
        int code = of_text(c, args[i], &one);

        if (code == 0)
            code = send_off(c, one, "value", &ret->all[i]);
        if (code != 0) {
            values_each_finish(ret);
            return code;
        }
        ret->list[ret->n++] = &ret->all[i].value;
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

static void told_handle(const Pb__Handle *h, struct coop_handle *ret)
{
    *ret = (struct coop_handle){ .kind = (enum coop_kind)h->kind, .rights = h->rights, .number = h->handle, .bytes = h->bytes };
    snprintf(ret->id, sizeof(ret->id), "%s", h->id);
    snprintf(ret->name, sizeof(ret->name), "%s", h->name);
}

/* One that lies in a buffer, which is given back with our session. */
static int decode_whole(struct coop_client *client, const Pb__Value *v, const struct coop_handle *handles, coop_val **ret)
{
    struct coop_handle h;
    struct coop_buffer b;
    int rc;

    told_handle(v->whole, &h);
    rc = coop_buffer_map(client, &h, COOP_NO_LIMIT, &b, NULL);
    if (rc != 0)
        return rc;
    rc = coop_val_decode(b.at, b.len, COOP_VAL_WHOLE_BYTES, handles, v->n_handles, "value", ret, NULL);
    coop_buffer_unmap(&b);
    return rc;
}

/* NULL: the bytes are no value. */
static char *as_json(struct coop_client *client, const Pb__Value *v)
{
    struct coop_handle handles[COOP_VAL_HANDLES];
    char *json = NULL;
    coop_val *val;
    int rc;

    if (v == NULL || (v->cbor.len == 0 && v->whole == NULL))
        return strdup("null");
    if (v->n_handles > COOP_VAL_HANDLES)
        return NULL;
    for (size_t i = 0; i < v->n_handles; i++)
        told_handle(v->handles[i], &handles[i]);
    if (v->whole != NULL)
        rc = decode_whole(client, v, handles, &val);
    else
        rc = coop_val_decode(v->cbor.data, v->cbor.len, COOP_VAL_INLINE_BYTES, handles, v->n_handles, "value", &val, NULL);
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
