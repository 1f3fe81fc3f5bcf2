/*
 * pipeline.c - two interpreters and a queue between them: one finds primes, the other one adds them up, and neither has ever heard of the
 * other.
 *
 * The queue is handed to each as an argument of the call, with no more rights than it needs: the one may only put, the other only get.
 *
 * cc -o pipeline pipeline.c $(pkg-config --cflags --libs coop) && ./pipeline 10000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coop/client.h>

enum { SECOND = 1000000, MINUTE = 60 * SECOND };

static const char producer[] = "function run(queue, n)\n"
                               "    local composite, found = {}, 0\n"
                               "    for i = 2, n do\n"
                               "        if not composite[i] then\n"
                               "            queue:put(i) -- waits while it is full\n"
                               "            found = found + 1\n"
                               "            for k = i * i, n, i do composite[k] = true end\n"
                               "        end\n"
                               "    end\n"
                               "    queue:put('done')\n"
                               "    return found\n"
                               "end\n";

static const char consumer[] = "function run(queue)\n"
                               "    local sum = 0\n"
                               "    while true do\n"
                               "        local item = queue:get()\n"
                               "        if item == 'done' then return sum end\n"
                               "        sum = sum + item\n"
                               "    end\n"
                               "end\n";

static void must(int rc, const struct coop_error *why)
{
    if (rc == 0)
        return;
    fprintf(stderr, "pipeline: %s: %s\n%s", why->name, why->message, why->traceback);
    exit(why->exit_code);
}

static struct coop_handle start(struct coop_client *c, const char *name, const char *source)
{
    struct coop_spec *spec = coop_spec_new("lua");
    struct coop_interp_options options = { .size = sizeof(options), .spec = spec };
    struct coop_handle interp;
    struct coop_error why;

    coop_spec_limits(spec, "memory=64M");
    must(coop_interp_create(c, &options, 10 * SECOND, &interp, &why), &why);
    must(coop_interp_exec(c, interp.id, name, source, strlen(source), 10 * SECOND, NULL, &why), &why);
    coop_spec_free(spec);
    return interp;
}

/* run(queue, n), begun: what comes of it is taken by finish(). */
static struct coop_op *begin(struct coop_client *c, const struct coop_handle *interp, struct coop_handle queue, unsigned rights, int64_t n)
{
    coop_val *args = coop_val_list();
    struct coop_error why;
    struct coop_op *op;

    queue.rights = rights;
    coop_val_add(args, coop_val_handle(&queue));
    coop_val_add(args, coop_val_int(n));
    must(coop_interp_call_begin(c, interp->id, "run", args, MINUTE, &op, &why), &why);
    coop_val_free(args);
    return op;
}

static int64_t finish(struct coop_op *op)
{
    struct coop_result result;
    struct coop_error why;
    int64_t n = 0;

    (void)coop_op_wait(op, COOP_NO_LIMIT); /* until the call's own time is over, at the latest */
    must(coop_op_take(op, &result, &why), &why);
    (void)coop_val_as_int(result.call.value, &n);
    coop_result_free(&result);
    coop_op_free(op);
    return n;
}

int main(int argc, char **argv)
{
    struct coop_queue_options bounded = { .size = sizeof(bounded), .max_items = 64 };
    int64_t n = argc > 1 ? atoll(argv[1]) : 10000;
    struct coop_handle queue, finds, adds;
    struct coop_op *finding, *adding;
    struct coop_client *c;
    struct coop_error why;

    must(coop_client_open(NULL, &c, &why), &why);
    must(coop_queue_create(c, &bounded, 10 * SECOND, &queue, &why), &why);
    finds = start(c, "producer.lua", producer);
    adds = start(c, "consumer.lua", consumer);
    finding = begin(c, &finds, queue, COOP_RIGHT_SEND, n);
    adding = begin(c, &adds, queue, COOP_RIGHT_RECV, 0);
    printf("%lld primes below %lld", (long long)finish(finding), (long long)n + 1);
    printf(", their sum is %lld\n", (long long)finish(adding));
    coop_client_close(c); /* with which interpreters and queue end */
    return 0;
}
