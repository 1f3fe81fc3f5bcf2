/*
 * async.c - a hundred calls at once, to ten interpreters, in one poll loop and one thread.
 *
 * cc -o async async.c $(pkg-config --cflags --libs coop) && ./async
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coop/client.h>

enum { SECOND = 1000000, INTERPS = 10, CALLS = 100 };

/* Each call computes for a while; an interpreter runs one at a time, the others wait their turn behind it. */
static const char source[] = "function collatz(n)\n"
                             "    local steps = 0\n"
                             "    while n ~= 1 do\n"
                             "        n = n % 2 == 0 and n // 2 or 3 * n + 1\n"
                             "        steps = steps + 1\n"
                             "    end\n"
                             "    return steps\n"
                             "end\n";

static void must(int rc, const struct coop_error *why)
{
    if (rc == 0)
        return;
    fprintf(stderr, "async: %s: %s\n", why->name, why->message);
    exit(why->exit_code);
}

static void start(struct coop_client *c, struct coop_handle interps[INTERPS])
{
    struct coop_spec *spec = coop_spec_new("lua");
    struct coop_interp_options options = { .size = sizeof(options), .spec = spec };
    struct coop_error why;

    for (int i = 0; i < INTERPS; i++) {
        must(coop_interp_create(c, &options, 10 * SECOND, &interps[i], &why), &why);
        must(coop_interp_exec(c, interps[i].id, "collatz.lua", source, strlen(source), 10 * SECOND, NULL, &why), &why);
    }
    coop_spec_free(spec);
}

/* The op carries its number as the user's pointer. */
static void begin(struct coop_client *c, const struct coop_handle *interp, intptr_t n)
{
    coop_val *args = coop_val_list();
    struct coop_error why;
    struct coop_op *op;

    coop_val_add(args, coop_val_int(n));
    must(coop_interp_call_begin(c, interp->id, "collatz", args, 30 * SECOND, &op, &why), &why);
    coop_op_set_user(op, (void *)n);
    coop_val_free(args);
}

static int64_t take(struct coop_op *op, intptr_t *ret_n)
{
    struct coop_result result;
    struct coop_error why;
    int64_t steps = 0;

    must(coop_op_take(op, &result, &why), &why);
    (void)coop_val_as_int(result.call.value, &steps);
    *ret_n = (intptr_t)coop_op_user(op);
    coop_result_free(&result);
    coop_op_free(op);
    return steps;
}

int main(void)
{
    struct coop_handle interps[INTERPS];
    struct coop_client *c;
    struct coop_error why;
    intptr_t longest = 0;
    int64_t most = 0;
    int ended = 0;

    must(coop_client_open(NULL, &c, &why), &why);
    start(c, interps);
    for (intptr_t n = 1; n <= CALLS; n++)
        begin(c, &interps[n % INTERPS], n);

    while (ended < CALLS) {
        struct pollfd p = { .fd = coop_client_fd(c), .events = POLLIN }; /* among all others that a program has */
        struct coop_op *op;

        (void)poll(&p, 1, -1);
        (void)coop_client_step(c);
        while ((op = coop_client_next(c)) != NULL) {
            intptr_t n;
            int64_t steps = take(op, &n);

            if (steps > most)
                most = steps, longest = n;
            ended++;
        }
    }
    printf("%d calls: %lld takes the most steps, %lld\n", ended, (long long)longest, (long long)most);
    coop_client_close(c);
    return 0;
}
