/* webhook_body.c - see webhooks.h: what a notice says, in no more than it may have, and its signature. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <mbedtls/md.h>

#include "broker/webhooks_own.h"

enum { TRACEBACK = 4096 };

void webhook_sign(const void *key, size_t key_len, uint64_t seconds, const void *body, size_t len, char ret[WEBHOOK_SIGNATURE])
{
    mbedtls_md_context_t md;
    unsigned char mac[32] = { 0 };
    char stamp[32];
    int n = snprintf(stamp, sizeof(stamp), "%llu.", (unsigned long long)seconds), at;

    mbedtls_md_init(&md);
    if (mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1) == 0) {
        (void)mbedtls_md_hmac_starts(&md, key, key_len);
        (void)mbedtls_md_hmac_update(&md, (const unsigned char *)stamp, (size_t)n);
        (void)mbedtls_md_hmac_update(&md, body, len);
        (void)mbedtls_md_hmac_finish(&md, mac);
    }
    mbedtls_md_free(&md);
    at = snprintf(ret, WEBHOOK_SIGNATURE, "t=%llu,v1=", (unsigned long long)seconds);
    for (size_t i = 0; i < sizeof(mac); i++)
        at += snprintf(ret + at, (size_t)(WEBHOOK_SIGNATURE - at), "%02x", mac[i]);
}

static void cut_traceback(json_t *receipt)
{
    json_t *error = json_object_get(receipt, "error"), *text = json_object_get(error, "traceback");
    size_t len = json_string_length(text);
    const char *s = json_string_value(text);

    if (len <= TRACEBACK)
        return;
    for (len = TRACEBACK; len > 0 && (s[len] & 0xc0) == 0x80;)
        len--;
    json_object_set_new(error, "traceback", json_stringn(s, len));
}

char *webhook_text(json_t *json)
{
    static const char *const parts[] = { "outputs", "learned", "attempts", "traceback", "receipt" };
    char left_out[64] = "", *text = json_dumps(json, JSON_COMPACT);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && text != NULL && strlen(text) > WEBHOOK_BODY; i++) {
        json_t *receipt = json_object_get(json, "receipt");

        snprintf(left_out + strlen(left_out), sizeof(left_out) - strlen(left_out), "%s%s", i > 0 ? " " : "", parts[i]);
        if (strcmp(parts[i], "traceback") == 0)
            cut_traceback(receipt);
        else
            (void)json_object_del(strcmp(parts[i], "receipt") == 0 ? json : receipt, parts[i]);
        json_object_set_new(json, "left_out", json_string(left_out));
        free(text);
        text = json_dumps(json, JSON_COMPACT);
    }
    return text;
}
