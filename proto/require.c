/* require.c - see require.h. */
#include "require.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"

enum { ITEM_MAX = 64, KEYS_MAX = 16 };

#define TEXT(field) offsetof(Pb__Enforcement, field)

/* clang-format off */
const struct require_row require_table[] = {
    { "tier",     TEXT(tier),    { { "T3", "T3" }, { "T2", "T2" }, { "T1", "T1" }, { "T0", "T0" } },
      "what holds the worker: T0 namespaces and a uid of its own, T1 namespaces, T2 Landlock and filter, T3 filter" },
    { "memory",   TEXT(memory),  { { "sampled", "sampled" }, { "rlimit", "RLIMIT" }, { "cgroup", "cgroup" } },
      "what enforces the memory limit" },
    { "cpu",      TEXT(cpu),     { { "rlimit", "RLIMIT" }, { "timer", "timer" }, { "cgroup", "cgroup" } },
      "what counts CPU time" },
    { "pids",     TEXT(pids),    { { "sampled", "sampled" }, { "rlimit", "RLIMIT" }, { "cgroup", "cgroup" } },
      "what bounds processes and threads" },
    { "disk",     TEXT(disk),    { { "rlimit", "RLIMIT" }, { "tmpfs", "tmpfs" } },
      "what bounds the work directory" },
    { "net",      TEXT(net),     { { "filter", "filter" }, { "namespace", "namespace" } },
      "what keeps the network away" },
    { "fs",       TEXT(fs),      { { "landlock", "Landlock" }, { "namespace", "namespace" } },
      "what keeps files away" },
    { "seccomp",  TEXT(seccomp), { { "filter", "" } },
      "a system call filter" },
    { "landlock", offsetof(Pb__Enforcement, landlock_abi), { { NULL, NULL } },
      "Landlock of this ABI or a later one, a number" },
};
/* clang-format on */
const size_t require_count = sizeof(require_table) / sizeof(require_table[0]);
_Static_assert(sizeof(require_table) / sizeof(require_table[0]) < KEYS_MAX, "names[] holds every key");

struct item {
    const struct require_row *row;
    int word;        /* place in row->words; -1: a number */
    unsigned number; /* landlock */
};

static const struct require_row *find_row(const char *key)
{
    for (size_t i = 0; i < require_count; i++)
        if (strcmp(require_table[i].key, key) == 0)
            return &require_table[i];
    return NULL;
}

static int refuse_key(const char *key, char why[REQUIRE_WHY])
{
    const char *names[KEYS_MAX] = { NULL }, *close;

    for (size_t i = 0; i < require_count; i++)
        names[i] = require_table[i].key;
    close = nearest_word(key, names);
    snprintf(why, REQUIRE_WHY, "require: there is no '%s'%s%s%s; one of tier, memory, cpu, pids, disk, net, fs, seccomp, landlock", key,
             close != NULL ? ", did you mean '" : "", close != NULL ? close : "", close != NULL ? "'?" : "");
    return -EINVAL;
}

static int refuse_word(const struct require_row *r, const char *word, char why[REQUIRE_WHY])
{
    int n = snprintf(why, REQUIRE_WHY, "require %s: '%s' is none of:", r->key, word);

    for (size_t i = 0; i < REQUIRE_WORDS && r->words[i].word != NULL && n > 0 && n < REQUIRE_WHY; i++)
        n += snprintf(why + n, (size_t)(REQUIRE_WHY - n), " %s", r->words[i].word);
    return -EINVAL;
}

static int parse_number(const char *text, unsigned *ret)
{
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || n > 1000)
        return -EINVAL;
    *ret = (unsigned)n;
    return 0;
}

/* "key=word". Everything in it that is shown is printable: other characters are in no key and no word. */
static int parse_item(char *text, struct item *ret, char why[REQUIRE_WHY])
{
    char *word = strchr(text, '=');

    for (const char *p = text; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~') {
            snprintf(why, REQUIRE_WHY, "require: write KEY=WORD,..., without spaces");
            return -EINVAL;
        }
    if (word == NULL || word == text || word[1] == '\0') {
        snprintf(why, REQUIRE_WHY, "require: '%s' is not KEY=WORD, as in tier=T1", text);
        return -EINVAL;
    }
    *word++ = '\0';
    *ret = (struct item){ .row = find_row(text), .word = -1 };
    if (ret->row == NULL)
        return refuse_key(text, why);
    if (ret->row->words[0].word == NULL) {
        if (parse_number(word, &ret->number) == 0)
            return 0;
        snprintf(why, REQUIRE_WHY, "require %s: '%s' is not a number", ret->row->key, word);
        return -EINVAL;
    }
    for (int i = 0; i < REQUIRE_WORDS && ret->row->words[i].word != NULL; i++)
        if (strcmp(ret->row->words[i].word, word) == 0) {
            ret->word = i;
            return 0;
        }
    return refuse_word(ret->row, word, why);
}

/* The next item of *text, which moves on; 0: there is none. */
static int next_item(const char **text, struct item *ret, char why[REQUIRE_WHY])
{
    char item[ITEM_MAX];
    size_t n = strcspn(*text, ",");
    int rc;

    if (**text == '\0')
        return 0;
    if (n >= sizeof(item)) {
        snprintf(why, REQUIRE_WHY, "require: a word of %zu characters is none", n);
        return -EINVAL;
    }
    memcpy(item, *text, n);
    item[n] = '\0';
    rc = parse_item(item, ret, why);
    *text += n;
    if (rc == 0 && **text == ',' && *++*text == '\0') {
        snprintf(why, REQUIRE_WHY, "require: nothing follows the last comma");
        rc = -EINVAL;
    }
    return rc != 0 ? rc : 1;
}

int require_check(const char *text, char why[REQUIRE_WHY])
{
    struct item i;
    int rc = 1;

    while (text != NULL && rc > 0)
        rc = next_item(&text, &i, why);
    return rc > 0 ? 0 : rc;
}

/* "none" is what a receipt says where nothing holds. */
static bool holds(const struct require_row *r, int word, const char *held)
{
    if (held == NULL || held[0] == '\0' || strcmp(held, "none") == 0)
        return false;
    for (int i = word; i < REQUIRE_WORDS && r->words[i].word != NULL; i++)
        if (strstr(held, r->words[i].in_receipt) != NULL)
            return true;
    return false;
}

static int check_item(const struct item *i, const Pb__Enforcement *held, char why[REQUIRE_WHY])
{
    const char *at = (const char *)held + i->row->offset, *text;
    uint32_t number;

    if (i->word < 0) {
        memcpy(&number, at, sizeof(number));
        if (number >= i->number)
            return 0;
        snprintf(why, REQUIRE_WHY, "it requires %s=%u, and here it is %u", i->row->key, i->number, number);
        return -ENOTSUP;
    }
    memcpy(&text, at, sizeof(text));
    if (holds(i->row, i->word, text))
        return 0;
    snprintf(why, REQUIRE_WHY, "it requires %s=%s, and here it is: %.100s", i->row->key, i->row->words[i->word].word,
             text != NULL && text[0] != '\0' ? text : "none");
    return -ENOTSUP;
}

int require_met(const char *text, const Pb__Enforcement *held, char why[REQUIRE_WHY])
{
    struct item i;
    int rc = 1;

    while (text != NULL && rc > 0) {
        rc = next_item(&text, &i, why);
        if (rc > 0 && check_item(&i, held, why) != 0)
            return -ENOTSUP;
    }
    return rc > 0 ? 0 : rc;
}
