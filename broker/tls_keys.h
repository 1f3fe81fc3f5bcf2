/*
 * tls_keys.h - a certificate and its key, out of two files.
 *
 * Side:    broker, before it forks its front.
 */
#ifndef BROKER_TLS_KEYS_H
#define BROKER_TLS_KEYS_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

struct tls_keys {
    mbedtls_x509_crt cert; /* with those behind it */
    mbedtls_pk_context key;
};

/* -EINVAL, or what opening them said; why of why_len bytes. */
int tls_keys_read(const char *cert_path, const char *key_path, struct tls_keys **ret, char *why, size_t why_len);
void tls_keys_free(struct tls_keys *k); /* the key is wiped; NULL: nothing */

#endif
