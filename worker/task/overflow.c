/* overflow.c - see overflow.h. */
#include "worker/task/overflow.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INNERMOST = 16, OUTERMOST = 8 };

void (*overflow_end)(const coop_task *t, const void *ip, const void *bp);

static void say_address(const void *address, describe_line line, void *ctx)
{
    char text[DESCRIBE_LINE];

    describe_address(text, address);
    line(ctx, text);
}

/* Runaway recursion: what it does is at one end, who began it at the other, and between them is more of the same. */
static void say_calls(struct frames f, describe_line line, void *ctx)
{
    void *last[OUTERMOST], *address;
    size_t n = 0, left;
    char text[DESCRIBE_LINE];

    for (; n < INNERMOST && (address = frames_next(&f)) != NULL; n++)
        say_address(address, line, ctx);
    for (n = 0; (address = frames_next(&f)) != NULL; n++)
        last[n % OUTERMOST] = address;
    left = n < OUTERMOST ? n : OUTERMOST;
    if (n > left) {
        snprintf(text, sizeof(text), "    ... %zu more", n - left);
        line(ctx, text);
    }
    for (; left > 0; left--)
        say_address(last[(n - left) % OUTERMOST], line, ctx);
}

void overflow_describe(const coop_task *t, const void *ip, const void *bp, describe_line line, void *ctx)
{
    char text[DESCRIBE_LINE];

    snprintf(text, sizeof(text), "stack overflow in tasklet %llu%s%s", (unsigned long long)t->id, t->name[0] != '\0' ? " " : "", t->name);
    line(ctx, text);
    say_address(ip, line, ctx);
    say_calls(frames_from(t, bp), line, ctx);
}

static void to_stderr(void *ctx, const char *text)
{
    char nl[DESCRIBE_LINE + 2];
    int n = snprintf(nl, sizeof(nl), "%s\n", text);

    (void)ctx;
    if (write(STDERR_FILENO, nl, (size_t)n) < 0)
        return; /* nobody reads: nothing to be done */
}

void overflow_say(const coop_task *t, const void *ip, const void *bp)
{
    overflow_describe(t, ip, bp, to_stderr, NULL);
}

/* What lies below its stack is nobody's to trust. */
__attribute__((noinline)) static void found(const coop_task *t)
{
    const void *ip = __builtin_return_address(0), *bp = __builtin_frame_address(0);

    if (overflow_end != NULL)
        overflow_end(t, ip, bp);
    overflow_say(t, ip, bp);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    abort();
}

void overflow_check(const coop_task *t)
{
    if (t->stack != NULL && t != &sched->main && stacks_is_spoilt(&sched->stacks, t->stack))
        found(t);
}
