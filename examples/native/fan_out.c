/*
 * fan_out.c - a job that makes interpreters of itself, calls them a thousand times at once, and adds up what they say.
 *
 *     coop run --cap interpreters=4 fan_out.so 4 1000
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <coop/interp.h>
#include <coop/native.h>

/* ---- what each of them does ----------------------------------------------------------------------------------------------------- */

static int square(coop_request *r)
{
    int64_t n;

    if (coop_arg_int(r, 0, &n) != 0)
        return -1;
    return coop_return_int(r, n * n);
}

const struct coop_function coop_functions[] = {
    {"square", square},
    { NULL,    NULL  },
};

/* ---- the job -------------------------------------------------------------------------------------------------------------------- */

static int complain(const char *what)
{
    const struct coop_why *why = coop_last_error();

    fprintf(stderr, "%s: %s: %s\n", what, why->name, why->message);
    return 1;
}

static int begin(const struct coop_handle *interp, int64_t n, coop_call **ret)
{
    coop_val *args = coop_val_list();
    int rc;

    coop_val_add(args, coop_val_int(n));
    rc = coop_call_begin(interp, "square", args, coop_after(30 * 1000000), ret);
    coop_val_free(args);
    return rc;
}

static int end(coop_call *call, int64_t *sum)
{
    coop_val *value;
    int64_t n;
    int rc = coop_call_wait(call, COOP_NEVER, &value);

    coop_call_free(call);
    if (rc != 0)
        return rc;
    if (coop_val_as_int(value, &n) == 0)
        *sum += n;
    coop_val_free(value);
    return 0;
}

int coop_job(int argc, char **argv)
{
    int n_interps = argc > 1 ? atoi(argv[1]) : 4, n_calls = argc > 2 ? atoi(argv[2]) : 1000;
    struct coop_handle *interps = calloc((size_t)n_interps, sizeof(*interps));
    coop_call **calls = calloc((size_t)n_calls, sizeof(*calls));
    int64_t sum = 0;

    if (interps == NULL || calls == NULL)
        return 1;
    for (int i = 0; i < n_interps; i++) /* no source: this shared object */
        if (coop_interp_create(&(struct coop_interp_spec){ .engine = "native" }, COOP_NEVER, &interps[i]) != 0)
            return complain("create");
    for (int i = 0; i < n_calls; i++)
        if (begin(&interps[i % n_interps], i, &calls[i]) != 0)
            return complain("begin");
    for (int i = 0; i < n_calls; i++)
        if (end(calls[i], &sum) != 0)
            return complain("call");
    printf("%d calls, sum %" PRId64 "\n", n_calls, sum);
    for (int i = 0; i < n_interps; i++) /* those that are left would end with the job */
        if (coop_interp_close(&interps[i]) != 0)
            return complain("close");
    return 0;
}
