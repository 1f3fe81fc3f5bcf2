/* policy_print.c - a row as text: the half of policy_text.h that writes. */
#include "policy_text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "policy_spell.h"
#include "syscall_names.h"
#include "syscall_words.h"

const char *const policy_verdict_names[POLICY_VERDICTS] = {
    [POLICY_VIOLATION] = "end", [POLICY_ALLOW] = "allow", [POLICY_REFUSE] = "refuse", [POLICY_ANSWER] = "answer", [POLICY_NOTIFY] = "ask"
};

const struct policy_given_name policy_givens[N_GIVENS] = {
    {"net=loopback",    POLICY_NET_LOOPBACK  },
    { "shared-signals", POLICY_SHARED_SIGNALS},
    { "shared-sockets", POLICY_SHARED_SOCKETS},
    { "shared-files",   POLICY_SHARED_FILES  },
    { "shared-sizes",   POLICY_SHARED_SIZES  },
    { "sampled-memory", POLICY_SAMPLED_MEMORY},
    { "shared-pids",    POLICY_SHARED_PIDS   },
};

struct out {
    char *buf;
    size_t size, len;
};

static void say(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct out *o, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(o->buf + o->len, o->size - o->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        o->len += (size_t)n < o->size - o->len ? (size_t)n : o->size - o->len - 1;
}

/* An argument as a condition names it: how, how wide, and with which words. */
struct named_arg {
    char name[24];
    uint64_t all;
    const struct arg_words *words;
};

/* A mask that leaves few bits out is written as those, so it must reach to the top of what is compared. */
static bool fits(uint64_t mask, uint64_t all)
{
    uint64_t top = all ^ (all >> 1);

    return (mask & ~all) == 0 && ((mask & top) != 0 || __builtin_popcountll(mask) <= 16);
}

static struct named_arg name_arg(uint32_t nr, const struct policy_arg *a)
{
    const struct call_words *c = call_words_find(nr);
    const struct arg_words *w = c != NULL && c->args[a->index].name != NULL ? &c->args[a->index] : NULL;
    struct named_arg n = { .all = ALL_64, .words = w };

    if (w != NULL && fits(a->mask, w->width == ARG_INT ? LOW_32 : ALL_64)) {
        n.all = w->width == ARG_INT ? LOW_32 : ALL_64;
        snprintf(n.name, sizeof(n.name), "%s", w->name);
    } else if (fits(a->mask, LOW_32)) {
        n.all = LOW_32;
        snprintf(n.name, sizeof(n.name), "arg%u:32", a->index);
    } else {
        snprintf(n.name, sizeof(n.name), "arg%u", a->index);
    }
    return n;
}

static void say_value(struct out *o, const struct named_arg *n, uint64_t value)
{
    char text[POLICY_LINE];

    word_print(n->words, value, text, sizeof(text));
    say(o, "%s", text);
}

static void say_mask(struct out *o, const struct named_arg *n, uint64_t mask)
{
    char text[POLICY_LINE];

    word_print_mask(n->words, mask, text, sizeof(text));
    say(o, "%s", text);
}

static void say_arg(struct out *o, uint32_t nr, const struct policy_arg *a)
{
    struct named_arg n = name_arg(nr, a);
    uint64_t rest = n.all & ~a->mask, top = n.all ^ (n.all >> 1);

    say(o, "%s ", n.name);
    if (rest == 0) {
        say(o, "== ");
    } else if ((a->mask & top) != 0 && __builtin_popcountll(rest) <= 24) {
        bool only_these = a->value == 0 && !word_names_zero(n.words);

        say(o, only_these ? "in " : "& ~(");
        say_mask(o, &n, rest);
        if (only_these)
            return;
        say(o, ") == ");
    } else if (a->value == a->mask || a->value == 0) {
        say(o, a->value == 0 ? "lacks " : "has ");
        say_mask(o, &n, a->mask);
        return;
    } else {
        say(o, "& 0x%llx == ", (unsigned long long)a->mask);
    }
    say_value(o, &n, a->value);
}

void policy_row_print(const struct policy_row *r, char *buf, size_t size)
{
    struct out o = { buf, size, 0 };
    const char *join = " with ";

    say(&o, "%s ", policy_verdict_names[r->verdict]);
    if (r->verdict == POLICY_REFUSE && strerrorname_np(r->error) != NULL)
        say(&o, "%s ", strerrorname_np(r->error));
    else if (r->verdict == POLICY_REFUSE)
        say(&o, "%d ", r->error);
    say(&o, "%s", r->name);
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++) {
        say(&o, i == 0 ? " if " : " and ");
        say_arg(&o, r->nr, &r->args[i]);
    }
    for (size_t i = 0; i < N_GIVENS; i++)
        if ((r->given & policy_givens[i].bit) != 0) {
            say(&o, "%s%s", join, policy_givens[i].name);
            join = ", ";
        }
    say(&o, "  # %s", r->why);
}

void policy_row_for_call(uint32_t nr, const uint64_t args[6], const char *reason, char *buf, size_t size)
{
    const struct call_words *c = call_words_find(nr);
    struct policy_row r = { .nr = nr, .name = syscall_name(nr), .verdict = POLICY_ALLOW, .why = reason };

    if (r.name == NULL) {
        snprintf(buf, size, "# system call %u is not known", nr);
        return;
    }
    if (c != NULL && c->selects >= 0) {
        uint64_t all = c->args[c->selects].width == ARG_INT ? LOW_32 : ALL_64;

        r.args[0] = (struct policy_arg){ (uint8_t)c->selects, all, args[c->selects] & all };
    }
    policy_row_print(&r, buf, size);
}
