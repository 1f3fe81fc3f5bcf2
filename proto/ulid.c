/* ulid.c - see ulid.h. */
#include "ulid.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* no I, L, O, U */

static uint64_t last_ms;
static uint8_t last_random[10];

/* The random part plus one, so that ids made within one millisecond still sort by age. */
static void bump_random(void)
{
    for (int i = 9; i >= 0; i--)
        if (++last_random[i] != 0)
            return;
}

void ulid_make(uint64_t unix_ms, char ret_id[ULID_LEN + 1])
{
    uint8_t raw[ULID_BYTES];

    if (unix_ms > last_ms) {
        ssize_t got = getrandom(last_random, sizeof(last_random), 0);
        assert(got == (ssize_t)sizeof(last_random));
        last_random[0] &= 0x7f; /* room to count up */
        last_ms = unix_ms;
    } else {
        bump_random(); /* same millisecond, or the clock stepped back */
    }
    for (int i = 0; i < 6; i++)
        raw[i] = (uint8_t)(last_ms >> (40 - 8 * i));
    memcpy(raw + 6, last_random, sizeof(last_random));
    ulid_from_bytes(raw, ret_id);
}

int ulid_normalize(const char *text, char ret_id[ULID_LEN + 1])
{
    size_t len = strlen(text);
    char id[ULID_LEN + 1];

    if (len < ULID_MIN_PREFIX || len > ULID_LEN)
        return -EINVAL;
    for (size_t i = 0; i <= len; i++) {
        char c = text[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c != '\0' && strchr(alphabet, c) == NULL)
            return -EINVAL;
        id[i] = c;
    }
    memcpy(ret_id, id, len + 1);
    return 0;
}

int ulid_normalize_task(const char *text, char ret_array[ULID_LEN + 1], uint64_t *ret_index)
{
    const char *dot = strchr(text, '.');
    size_t digits = dot != NULL ? strspn(dot + 1, "0123456789") : 0;
    char typed[ULID_LEN + 1];

    if (dot == NULL)
        return -ENOENT;
    if (dot - text > ULID_LEN || digits == 0 || digits > 19 || dot[1 + digits] != '\0' || (digits > 1 && dot[1] == '0'))
        return -EINVAL;
    memcpy(typed, text, (size_t)(dot - text));
    typed[dot - text] = '\0';
    *ret_index = strtoull(dot + 1, NULL, 10);
    return ulid_normalize(typed, ret_array);
}

bool ulid_names_job(const char *text)
{
    char id[ULID_LEN + 1];
    uint64_t index;

    return ulid_normalize(text, id) == 0 || ulid_normalize_task(text, id, &index) == 0;
}

int ulid_to_bytes(const char *id, uint8_t ret[ULID_BYTES])
{
    unsigned bits = 0, have = 0, n = 0;

    if (strlen(id) != ULID_LEN || id[0] > '7') /* 130 bits in 26 characters: the first two are zero */
        return -EINVAL;
    for (unsigned i = 0; i < ULID_LEN; i++) {
        const char *at = strchr(alphabet, id[i]);

        if (at == NULL)
            return -EINVAL;
        bits = bits << 5 | (unsigned)(at - alphabet);
        have += i == 0 ? 3 : 5;
        if (have >= 8) {
            have -= 8;
            ret[n++] = (uint8_t)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    return 0;
}

void ulid_from_bytes(const uint8_t bytes[ULID_BYTES], char ret_id[ULID_LEN + 1])
{
    unsigned bits = 0, have = 2, n = 0; /* 128 bits in 26 characters: two zero bits come first */

    for (unsigned i = 0; i < ULID_BYTES; i++) {
        bits = bits << 8 | bytes[i];
        have += 8;
        while (have >= 5) {
            have -= 5;
            ret_id[n++] = alphabet[bits >> have & 31];
        }
        bits &= (1u << have) - 1;
    }
    ret_id[n] = '\0';
    assert(n == ULID_LEN);
}

void ulid_after(const char *id)
{
    uint8_t raw[ULID_BYTES];
    uint64_t ms = 0;

    if (ulid_to_bytes(id, raw) != 0)
        return;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | raw[i];
    if (ms < last_ms || (ms == last_ms && memcmp(raw + 6, last_random, sizeof(last_random)) <= 0))
        return;
    last_ms = ms;
    memcpy(last_random, raw + 6, sizeof(last_random));
}
