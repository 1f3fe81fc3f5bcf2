/*
 * counter.c - an interpreter: its globals are its state, its table is what may be called.
 *
 *     coop interp create --engine native --run counter.so      prints its id
 *     coop interp call ID add 5                                 5
 *     coop interp call ID add 7                                 12
 *     coop interp call ID stats                                 {"calls":3,"total":12}
 */
#include <inttypes.h>
#include <stdio.h>

#include <coop/interp.h>

static int64_t total, calls;

/* add(n) -> the new total */
static int add(coop_request *r)
{
    int64_t n;

    calls++;
    if (coop_arg_int(r, 0, &n) != 0)
        return -1; /* the caller is told: TypeError, "add: argument 1 is missing: an integer of 64 bits is wanted" */
    if (__builtin_add_overflow(total, n, &total))
        return coop_fail(r, "OverflowError", "%" PRId64 " more do not fit", n);
    printf("%" PRId64 "\n", total); /* the interpreter's output: coop logs ID */
    return coop_return_int(r, total);
}

/* reset() */
static int reset(coop_request *r)
{
    (void)r;
    calls++;
    total = 0;
    return 0;
}

/* stats() -> a map */
static int stats(coop_request *r)
{
    coop_val *map = coop_val_map();

    calls++;
    coop_val_set(map, "total", coop_val_int(total));
    coop_val_set(map, "calls", coop_val_int(calls));
    return coop_return(r, map);
}

/* wait(seconds): others of its tasklets could run; an interrupt ends it. */
static int wait_for(coop_request *r)
{
    double seconds;

    calls++;
    if (coop_arg_double(r, 0, &seconds) != 0)
        return -1;
    return coop_sleep_until(coop_after((int64_t)(seconds * 1e6)));
}

const struct coop_function coop_functions[] = {
    {"add",    add     },
    { "reset", reset   },
    { "stats", stats   },
    { "wait",  wait_for},
    { NULL,    NULL    },
};

/* Before the first call: counter.so START. */
int coop_start(int argc, char **argv)
{
    if (argc > 1 && sscanf(argv[1], "%" SCNd64, &total) != 1) {
        fprintf(stderr, "%s is no number\n", argv[1]);
        return 2;
    }
    return 0;
}
