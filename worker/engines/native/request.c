/* request.c - see request.h, and coop/interp.h for what a function does with it. */
#include "worker/engines/native/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engines/native/frames.h"

static struct request_error no_memory = { .type = "Memory", .message = "the memory limit is reached" };

int request_init(struct coop_request *r, const char *name, const char *caller, const Pb__Value *args)
{
    int rc;

    *r = (struct coop_request){ .name = name, .caller = caller };
    rc = inside_value_unpack(args, "args", &r->args);
    if (rc == 0 && coop_val_type(r->args) != COOP_VAL_LIST)
        rc = inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "args is of type %s: a list is wanted",
                           coop_val_type_name(coop_val_type(r->args)));
    if (rc != 0) {
        inside_value_refuse(args);
        request_finish(r);
    } else {
        inside_forget();
    }
    return rc;
}

void request_finish(struct coop_request *r)
{
    coop_val_free(r->args);
    coop_val_free(r->result);
    if (r->error != &no_memory)
        free(r->error);
    ask_end(r->ask);
    memset(r, 0, sizeof(*r));
}

const struct coop_function *request_find(const struct coop_function *table, const char *name)
{
    for (; table->name != NULL; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

/* ---- what went wrong ------------------------------------------------------------------------------------------------------------ */

static struct request_error *error_of(struct coop_request *r)
{
    if (r->error == NULL)
        r->error = malloc(sizeof(*r->error));
    if (r->error == NULL)
        r->error = &no_memory;
    return r->error;
}

static void set_error(struct coop_request *r, const char *type, const char *message, const char *traceback)
{
    struct request_error *e = error_of(r);

    if (e == &no_memory)
        return;
    outcome_text(e->type, sizeof(e->type), type, strlen(type));
    outcome_text(e->message, sizeof(e->message), message, strlen(message));
    outcome_text(e->traceback, sizeof(e->traceback), traceback, strlen(traceback));
}

static void set_error_here(struct coop_request *r, const char *type, const char *message, const void *frame)
{
    char text[1024] = "";
    struct frames f = { text, sizeof(text), 0 };

    frames_here(&f, frame);
    set_error(r, type, message, text);
}

/* A message of any length: a tasklet's stack has no room for one. */
static void set_error_words(struct coop_request *r, const char *type, const char *format, va_list ap, const void *frame)
{
    char *message = malloc(OUTCOME_MESSAGE + 1);

    if (message == NULL) {
        set_error_here(r, type, format, frame);
        return;
    }
    vsnprintf(message, OUTCOME_MESSAGE + 1, format, ap);
    set_error_here(r, type, message, frame);
    free(message);
}

int coop_fail(coop_request *r, const char *type, const char *format, ...)
{
    va_list ap;

    if (r == NULL || type == NULL || format == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "fail: NULL");
    va_start(ap, format);
    set_error_words(r, type, format, ap, __builtin_frame_address(0));
    va_end(ap);
    return -ECHILD;
}

/* ---- arguments ------------------------------------------------------------------------------------------------------------------ */

const coop_val *coop_args(const coop_request *r)
{
    return r != NULL ? r->args : NULL;
}

size_t coop_n_args(const coop_request *r)
{
    return r != NULL ? coop_val_count(r->args) : 0;
}

const coop_val *coop_arg(const coop_request *r, size_t i)
{
    return r != NULL ? coop_val_at(r->args, i) : NULL;
}

static int wrong(coop_request *r, size_t i, const char *wanted, const void *frame)
{
    const coop_val *v = coop_arg(r, i);
    char message[256];

    if (r == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "arg: NULL");
    if (v == NULL)
        snprintf(message, sizeof(message), "%.100s: argument %zu is missing: %s is wanted", r->name, i + 1, wanted);
    else
        snprintf(message, sizeof(message), "%.100s: argument %zu is of type %s: %s is wanted", r->name, i + 1,
                 coop_val_type_name(coop_val_type(v)), wanted);
    set_error_here(r, "TypeError", message, frame);
    return -EINVAL;
}

#define HERE __builtin_frame_address(0)

int coop_arg_bool(coop_request *r, size_t i, bool *ret)
{
    return coop_val_as_bool(coop_arg(r, i), ret) != 0 ? wrong(r, i, "a bool", HERE) : 0;
}

int coop_arg_int(coop_request *r, size_t i, int64_t *ret)
{
    return coop_val_as_int(coop_arg(r, i), ret) != 0 ? wrong(r, i, "an integer of 64 bits", HERE) : 0;
}

int coop_arg_double(coop_request *r, size_t i, double *ret)
{
    return coop_val_as_double(coop_arg(r, i), ret) != 0 ? wrong(r, i, "a number", HERE) : 0;
}

int coop_arg_text(coop_request *r, size_t i, const char **ret, size_t *ret_len)
{
    size_t len;
    const char *text = coop_val_as_text(coop_arg(r, i), &len);

    if (text == NULL || (ret_len == NULL && strlen(text) != len))
        return wrong(r, i, text == NULL ? "a text" : "a text without NUL", HERE);
    *ret = text;
    if (ret_len != NULL)
        *ret_len = len;
    return 0;
}

int coop_arg_bytes(coop_request *r, size_t i, const void **ret, size_t *ret_len)
{
    const void *bytes = coop_val_as_bytes(coop_arg(r, i), ret_len);

    if (bytes == NULL)
        return wrong(r, i, "bytes, or a text,", HERE);
    *ret = bytes;
    return 0;
}

static int arg_of(coop_request *r, size_t i, enum coop_val_type type, const char *wanted, const coop_val **ret, const void *frame)
{
    const coop_val *v = coop_arg(r, i);

    if (v == NULL || coop_val_type(v) != type)
        return wrong(r, i, wanted, frame);
    *ret = v;
    return 0;
}

int coop_arg_list(coop_request *r, size_t i, const coop_val **ret)
{
    return arg_of(r, i, COOP_VAL_LIST, "a list", ret, HERE);
}

int coop_arg_map(coop_request *r, size_t i, const coop_val **ret)
{
    return arg_of(r, i, COOP_VAL_MAP, "a map", ret, HERE);
}

int coop_arg_handle(coop_request *r, size_t i, enum coop_kind kind, const struct coop_handle **ret)
{
    static const char *const wanted[] = { "a handle", "an interpreter", "a queue", "a buffer", "an alias", "a handle of keys" };
    const struct coop_handle *h = coop_val_as_handle(coop_arg(r, i));

    if (h == NULL || (kind != COOP_KIND_NONE && h->kind != kind))
        return wrong(r, i, (unsigned)kind < sizeof(wanted) / sizeof(wanted[0]) ? wanted[kind] : "nothing that there is", HERE);
    *ret = h;
    return 0;
}

/* ---- results -------------------------------------------------------------------------------------------------------------------- */

/* What is wrong with a value is told when it is to be sent: by its path. */
int coop_return(coop_request *r, coop_val *value)
{
    if (r == NULL) {
        coop_val_free(value);
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "return: NULL");
    }
    if (value != r->result)
        coop_val_free(r->result);
    r->result = value;
    return 0;
}

int coop_return_bool(coop_request *r, bool b)
{
    return coop_return(r, coop_val_bool(b));
}

int coop_return_int(coop_request *r, int64_t i)
{
    return coop_return(r, coop_val_int(i));
}

int coop_return_double(coop_request *r, double d)
{
    return coop_return(r, coop_val_double(d));
}

int coop_return_text(coop_request *r, const char *text)
{
    return coop_return(r, text != NULL ? coop_val_text(text, SIZE_MAX) : coop_val_null());
}

int coop_return_bytes(coop_request *r, const void *bytes, size_t len)
{
    return coop_return(r, coop_val_bytes(bytes, len));
}

/* ---- the end -------------------------------------------------------------------------------------------------------------------- */

/* Of an error in another interpreter: that one. */
static void take_last_error(struct coop_request *r, const struct coop_why *w)
{
    set_error(r, w->remote_type[0] != '\0' ? w->remote_type : w->name, w->message, w->traceback);
}

static void take_number(struct coop_request *r, int result)
{
    char message[128];

    if (result < 0)
        snprintf(message, sizeof(message), "%s (errno %d)", strerror(-result), -result);
    else
        snprintf(message, sizeof(message), "it returned %d, which is neither 0 nor a negative errno", result);
    set_error(r, "Error", message, "");
}

int request_judge(struct coop_request *r, int result, struct inside_value *ret_value, const struct request_error **ret_error)
{
    const struct coop_why *last = coop_last_error();

    *ret_error = NULL;
    if (result == 0)
        return inside_value_pack(ret_value, r->result, "value");
    if (r->error == NULL) {
        if (last->error == -result)
            take_last_error(r, last);
        else
            take_number(r, result);
    }
    *ret_error = r->error;
    return 0;
}

const char *coop_request_name(const coop_request *r)
{
    return r != NULL ? r->name : "";
}

const char *coop_request_caller(const coop_request *r)
{
    return r != NULL ? r->caller : "";
}
