/*
 * request.h - one call of a function of this interpreter, or of an alias that it serves: its arguments, and what became of it.
 *
 * Side:  worker, the tenant's part.
 * Owned: by whoever made it: request_init(), request_finish().
 */
#ifndef NATIVE_REQUEST_H
#define NATIVE_REQUEST_H

#include "worker/engine.h"
#include "worker/engines/native/inside.h"

struct request_error {
    char type[OUTCOME_TYPE + 1];
    char message[OUTCOME_MESSAGE + 1];
    char traceback[OUTCOME_TRACEBACK + 1];
};

struct coop_request {
    const char *name, *caller; /* borrowed */
    coop_val *args;            /* a list */
    coop_val *result;          /* NULL: null */
    struct request_error *error;
    struct ask *ask; /* of an alias: name, caller and number live in its answer */
};

/* Takes args, and forgets what has failed before. 0, or -errno, told: they are no list, or no values at all. */
int request_init(struct coop_request *r, const char *name, const char *caller, const Pb__Value *args);
void request_finish(struct coop_request *r);

/*
 * The function has returned result. The error it ended with; NULL with *ret_value packed: it is a value, the caller's. Other than 0:
 * neither, because the value cannot be sent; told.
 */
int request_judge(struct coop_request *r, int result, struct inside_value *ret_value, const struct request_error **ret_error);

/* The function of this name; NULL: none. */
const struct coop_function *request_find(const struct coop_function *table, const char *name);

#endif
