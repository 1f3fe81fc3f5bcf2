/* syscall_words.c - see syscall_words.h. The tables are in call_words.c. */
#include "syscall_words.h"

#include <inttypes.h>
#include <linux/audit.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "policy_grant.h"
#include "syscall_names.h"

#define X32_BIT 0x40000000u

struct text {
    char *buf;
    size_t size, len;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->len += (size_t)n < t->size - t->len ? (size_t)n : t->size - t->len - 1;
}

/* ---- values -------------------------------------------------------------------------------------------------------------------- */

/* What is left of a value when the words for bits are taken away. */
static uint64_t without_bits(const struct word *words, uint64_t value)
{
    for (const struct word *w = words; w->name != NULL; w++)
        if (w->kind == WORD_BIT && (value & w->value) == w->value)
            value &= ~w->value;
    return value;
}

static const struct word *one_of(const struct word *words, uint64_t rest, bool alone)
{
    for (const struct word *w = words; w->name != NULL; w++)
        if (w->value == rest && (w->kind == WORD_ONE_OF || (alone && w->kind == WORD_ALONE)))
            return w;
    return NULL;
}

static void say_number(struct text *t, uint64_t value)
{
    say(t, value < 1000 ? "%" PRIu64 : "0x%" PRIx64, value);
}

static void say_bits(struct text *t, const struct word *words, uint64_t bits, const char *join)
{
    for (const struct word *w = words; w->name != NULL; w++)
        if (w->kind == WORD_BIT && (bits & w->value) == w->value) {
            bits &= ~w->value;
            say(t, "%s%s", join, w->name);
            join = "|";
        }
}

static void say_words(struct text *t, const struct word *words, uint64_t value)
{
    uint64_t rest = without_bits(words, value), bits = value & ~rest;
    const struct word *one = one_of(words, rest, bits == 0);

    if (one == NULL && rest > 0xffff) { /* nothing that these words were made for */
        say_number(t, value);
        return;
    }
    if (one != NULL)
        say(t, "%s", one->name);
    else if (rest != 0 || bits == 0)
        say_number(t, rest);
    say_bits(t, words, bits, one != NULL || rest != 0 ? "|" : "");
}

void word_print(const struct arg_words *a, uint64_t value, char *buf, size_t size)
{
    struct text t = { buf, size, 0 };

    if (a != NULL && a->words != NULL)
        say_words(&t, a->words, value);
    else
        say_number(&t, value);
}

void word_print_mask(const struct arg_words *a, uint64_t mask, char *buf, size_t size)
{
    struct text t = { buf, size, 0 };
    uint64_t rest = a != NULL && a->words != NULL ? without_bits(a->words, mask) : mask;

    if (rest != 0)
        say(&t, "0x%" PRIx64, rest);
    if (rest != mask)
        say_bits(&t, a->words, mask & ~rest, rest != 0 ? "|" : "");
}

bool word_names_zero(const struct arg_words *a)
{
    return a != NULL && a->words != NULL && one_of(a->words, 0, false) != NULL;
}

/* ---- a call -------------------------------------------------------------------------------------------------------------------- */

/* As a C programmer would write it: a descriptor or a pid may be negative. */
static void say_arg(struct text *t, const struct arg_words *a, uint64_t value)
{
    int32_t low = (int32_t)(uint32_t)value;

    if (a->words != NULL)
        say_words(t, a->words, a->width == ARG_INT ? (uint32_t)value : value);
    else if (a->width == ARG_INT && low > -100000 && low < 100000)
        say(t, "%" PRId32, low);
    else if (a->width == ARG_INT)
        say(t, "0x%" PRIx32, (uint32_t)value);
    else
        say_number(t, value);
}

static void say_call(struct text *t, uint32_t nr, const uint64_t args[CALL_ARGS])
{
    const struct call_words *c = call_words_find(nr);
    const char *name = syscall_name(nr);

    if (name == NULL) {
        say(t, "system call %" PRIu32, nr);
        return;
    }
    say(t, "%s(", name);
    for (unsigned i = 0; c != NULL && i < CALL_ARGS && c->args[i].name != NULL; i++) {
        say(t, "%s", i > 0 ? ", " : "");
        say_arg(t, &c->args[i], args[i]);
    }
    say(t, c != NULL ? ")" : "...)");
}

/* What its owner can do about it, in the profile of programs; the others have no choices. */
/* clang-format off */
static const struct hint {
    uint32_t nr;
    int argument; /* -1: whatever they are */
    uint32_t value;
    unsigned given; /* only where all of this is; such rows first */
    const char *text;
} hints[] = {
    { __NR_socket,            0, AF_INET,  POLICY_SHARED_SOCKETS, "no network can be had here: the loopback would be the host's (--cap net=loopback takes tier T1)" },
    { __NR_socket,            0, AF_INET6, POLICY_SHARED_SOCKETS, "no network can be had here: the loopback would be the host's (--cap net=loopback takes tier T1)" },
    { __NR_socket,            0, AF_INET,  0, "see --cap net=loopback; no other network can be had" },
    { __NR_socket,            0, AF_INET6, 0, "see --cap net=loopback; no other network can be had" },
};
/* clang-format on */

/* What there is instead, for a language whose calls these are; its profiles begin with its name. */
#define NO_FORK                                                                                                                            \
    "fork(): a script is one process; coop.interpreters and InterpreterPoolExecutor (--cap interpreters=N) and threads (--limit threads=N) run beside it"
#define NO_PROGRAM "no program is started from in here: coop run --engine exec runs programs"

/* clang-format off */
static const struct instead {
    const char *language;
    uint32_t nr;
    uint64_t lacks; /* flags, the first argument: with one of them it is another thing */
    const char *text;
} insteads[] = {
    { "python", __NR_clone,    CLONE_VM, NO_FORK },
    { "python", __NR_fork,     0,        NO_FORK },
    { "python", __NR_vfork,    0,        NO_FORK },
    { "python", __NR_execve,   0,        NO_PROGRAM },
    { "python", __NR_execveat, 0,        NO_PROGRAM },
};
/* clang-format on */

static void say_instead(struct text *t, uint32_t nr, const uint64_t args[CALL_ARGS], const char *profile)
{
    for (size_t i = 0; i < sizeof(insteads) / sizeof(insteads[0]); i++)
        if (insteads[i].nr == nr && (args[0] & insteads[i].lacks) == 0 &&
            strncmp(profile, insteads[i].language, strlen(insteads[i].language)) == 0)
            say(t, "; %s", insteads[i].text);
}

static const char *hint_for(uint32_t nr, const uint64_t args[CALL_ARGS], unsigned given)
{
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (hints[i].nr == nr && (hints[i].given & ~given) == 0 &&
            (hints[i].argument < 0 || (uint32_t)args[hints[i].argument] == hints[i].value))
            return hints[i].text;
    return NULL;
}

static void say_advice(struct text *t, uint32_t nr, const uint64_t args[CALL_ARGS], unsigned given)
{
    const char *hint = hint_for(nr, args, given), *why = "";

    if (hint != NULL)
        say(t, "; %s", hint);
    else if (!policy_call_may_be_granted(nr, args, given, &why))
        say(t, "; it can not be allowed: %s", why);
    else
        say(t, "; see --learn and --policy");
}

const char *policy_abi_name(uint32_t arch, uint32_t nr)
{
    if (arch == AUDIT_ARCH_I386)
        return "i386";
    if (arch != AUDIT_ARCH_X86_64)
        return "unknown";
    return (nr & X32_BIT) != 0 && nr != UINT32_MAX ? "x32" : "x86_64";
}

void policy_describe_call(uint32_t arch, uint32_t nr, const uint64_t args[CALL_ARGS], const char *profile, unsigned given, char *buf,
                          size_t size)
{
    struct text t = { buf, size, 0 };
    const char *abi = policy_abi_name(arch, nr);

    if (size == 0)
        return;
    buf[0] = '\0';
    if (strcmp(abi, "x86_64") != 0) {
        say(&t, "system call %" PRIu32 " of the foreign ABI %s: none of its calls is in a profile",
            strcmp(abi, "x32") == 0 ? nr & ~X32_BIT : nr, abi);
        return;
    }
    say_call(&t, nr, args);
    say(&t, " is not in profile %s", profile);
    if (strcmp(profile, "exec") == 0)
        say_advice(&t, nr, args, given);
    else
        say_instead(&t, nr, args, profile);
}
