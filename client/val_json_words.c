/* val_json_words.c - see val_json.h. */
#include "client/val_json.h"

#include <string.h>

static const char *const words[] = { JSON_WORD_BYTES, JSON_WORD_BIG, JSON_WORD_DOUBLE, JSON_WORD_MAP, JSON_WORD_HANDLE };

static const char *const kinds[] = {
    [COOP_KIND_INTERP] = "interp", [COOP_KIND_QUEUE] = "queue", [COOP_KIND_BUFFER] = "buffer",
    [COOP_KIND_ALIAS] = "alias",   [COOP_KIND_KV] = "kv",
};

static const struct {
    const char *word;
    unsigned bit;
} rights[] = {
    {"call",    COOP_RIGHT_CALL  },
    { "manage", COOP_RIGHT_MANAGE},
    { "send",   COOP_RIGHT_SEND  },
    { "recv",   COOP_RIGHT_RECV  },
    { "read",   COOP_RIGHT_READ  },
    { "write",  COOP_RIGHT_WRITE },
    { "grant",  COOP_RIGHT_GRANT },
};

bool val_json_is_word(const char *key, size_t len)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == len && memcmp(words[i], key, len) == 0)
            return true;
    return false;
}

const char *val_json_kind_word(enum coop_kind kind)
{
    return (unsigned)kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[kind] : NULL;
}

enum coop_kind val_json_kind(const char *word)
{
    for (unsigned i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i], word) == 0)
            return (enum coop_kind)i;
    return COOP_KIND_NONE;
}

const char *val_json_right(unsigned i, unsigned *ret_bit)
{
    if (i >= sizeof(rights) / sizeof(rights[0]))
        return NULL;
    *ret_bit = rights[i].bit;
    return rights[i].word;
}
