/* blobs.c - see blobs.h. */
#include "broker/blobs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/md.h>

#include "broker/asks.h"
#include "broker/broker.h"
#include "broker/calls.h"
#include "log.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

int blobs_open(struct broker *b, char why[STORE_WHY])
{
    int rc = store_read_secret(b->store, STORE_SECRET_BLOB, b->blobs.key);

    if (rc == -ENOENT || rc == -EUCLEAN) {
        (void)snprintf(
            why, STORE_WHY,
            "the key of sealed blobs is %s in the job database; it is not made anew by itself, or what was sealed would be lost: "
            "'coop store restore DIR' takes a backup, 'coop store repair' gives up what was sealed and makes a new one",
            rc == -ENOENT ? "missing" : "not of its length");
        return -EUCLEAN;
    }
    if (rc != 0)
        log_event(LOG_LEVEL_ERROR, "secret_unread", "name=" STORE_SECRET_BLOB " error=\"%s\"", strerror(-rc));
    return rc;
}

void blobs_finish(struct blobs *b)
{
    explicit_bzero(b, sizeof(*b));
}

static void put_number(uint8_t ret[8], uint64_t n)
{
    for (int i = 0; i < 8; i++)
        ret[i] = (uint8_t)(n >> (56 - 8 * i));
}

int blob_stamp(const struct blobs *b, uint64_t tenant, const uint8_t digest[BLOB_DIGEST], uint8_t ret[BLOB_MAC])
{
    static const char what[] = "coop blob v1";
    uint8_t text[sizeof(what) - 1 + 8 + BLOB_DIGEST];

    memcpy(text, what, sizeof(what) - 1);
    put_number(text + sizeof(what) - 1, tenant);
    memcpy(text + sizeof(what) - 1 + 8, digest, BLOB_DIGEST);
    return mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), b->key, sizeof(b->key), text, sizeof(text), ret) == 0 ? 0 : -EIO;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------------- */

static int check_length(const char *what, const ProtobufCBinaryData *bytes, size_t want, struct call_why *why)
{
    return bytes->len == want ? 0 : call_refuse(why, CE(BAD_REQUEST), "%s has %zu bytes, and must have %zu", what, bytes->len, want);
}

static int stamp_of(struct ask *a, const ProtobufCBinaryData *digest, uint8_t ret[BLOB_MAC], struct call_why *why)
{
    if (check_length("digest", digest, BLOB_DIGEST, why) != 0)
        return -1;
    if (blob_stamp(&a->by->broker->blobs, a->by->estate->tenant, digest->data, ret) != 0)
        return call_refuse(why, CE(INTERNAL), "it cannot be stamped");
    return 0;
}

void call_blob_seal(struct ask *a)
{
    Pb__BlobSealed sealed = PB__BLOB_SEALED__INIT;
    Pb__Answer m = PB__ANSWER__INIT;
    uint8_t mac[BLOB_MAC];
    struct call_why why;

    if (stamp_of(a, &a->message->blob_seal->digest, mac, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    sealed.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
    m.body_case = PB__ANSWER__BODY_BLOB_SEALED;
    m.blob_sealed = &sealed;
    ask_reply(a, &m);
}

/* How long it takes tells nothing of where the two begin to differ. */
void call_blob_check(struct ask *a)
{
    const Pb__BlobCheck *said = a->message->blob_check;
    Pb__BlobChecked checked = PB__BLOB_CHECKED__INIT;
    Pb__Answer m = PB__ANSWER__INIT;
    uint8_t mac[BLOB_MAC];
    struct call_why why;

    if (check_length("mac", &said->mac, BLOB_MAC, &why) != 0 || stamp_of(a, &said->digest, mac, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    checked.good = mbedtls_ct_memcmp(said->mac.data, mac, sizeof(mac)) == 0;
    explicit_bzero(mac, sizeof(mac)); /* of a blob that is not the asker's it is a secret */
    m.body_case = PB__ANSWER__BODY_BLOB_CHECKED;
    m.blob_checked = &checked;
    ask_reply(a, &m);
}
