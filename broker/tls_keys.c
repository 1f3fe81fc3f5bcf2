/* tls_keys.c - see tls_keys.h. */
#include "broker/tls_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 256 << 10 };

/* A NUL behind it, which belongs to the length: so mbedTLS wants PEM. */
static int read_file(const char *path, bool secret, unsigned char **ret, size_t *ret_len, char *why, size_t why_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = 0;
    unsigned char *bytes = NULL;
    struct stat st;
    ssize_t n = 0;

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = -errno;
        snprintf(why, why_len, "%.300s: %s", path, strerror(-rc));
    } else if (!S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX) {
        rc = -EINVAL;
        snprintf(why, why_len, "%.300s: is no file of PEM", path);
    } else if (secret && (st.st_mode & 0007) != 0) {
        rc = -EINVAL;
        snprintf(why, why_len, "%.300s: everybody can read that key (mode %04o): chmod 600 it, and make another pair", path,
                 (unsigned)st.st_mode & 07777);
    } else if ((bytes = calloc(1, (size_t)st.st_size + 1)) == NULL || (n = read(fd, bytes, (size_t)st.st_size)) != st.st_size) {
        rc = bytes == NULL ? -ENOMEM : -EIO;
        snprintf(why, why_len, "%.300s: %s", path, strerror(-rc));
    }
    if (fd >= 0)
        close(fd);
    if (rc != 0) {
        free(bytes);
        return rc;
    }
    *ret = bytes;
    *ret_len = (size_t)st.st_size + 1;
    return 0;
}

static int explain(const char *path, int rc, char *why, size_t why_len)
{
    char text[128] = "";

    if (rc > 0)
        snprintf(text, sizeof(text), "%d of its parts cannot be read", rc);
    else
        mbedtls_strerror(rc, text, sizeof(text));
    snprintf(why, why_len, "%.300s: %s", path, text);
    return -EINVAL;
}

static int parse(struct tls_keys *k, const char *cert_path, const char *key_path, char *why, size_t why_len)
{
    unsigned char *cert = NULL, *key = NULL;
    size_t cert_len = 0, key_len = 0;
    int rc = read_file(cert_path, false, &cert, &cert_len, why, why_len), bad;

    if (rc == 0)
        rc = read_file(key_path, true, &key, &key_len, why, why_len);
    if (rc == 0 && (bad = mbedtls_x509_crt_parse(&k->cert, cert, cert_len)) != 0)
        rc = explain(cert_path, bad, why, why_len);
    if (rc == 0 && (bad = mbedtls_pk_parse_key(&k->key, key, key_len, NULL, 0)) != 0)
        rc = explain(key_path, bad, why, why_len);
    if (rc == 0 && mbedtls_pk_check_pair(&k->cert.pk, &k->key) != 0) {
        snprintf(why, why_len, "%.200s is not the key of the certificate %.200s", key_path, cert_path);
        rc = -EINVAL;
    }
    if (key != NULL)
        explicit_bzero(key, key_len);
    free(key);
    free(cert);
    return rc;
}

int tls_keys_read(const char *cert_path, const char *key_path, struct tls_keys **ret, char *why, size_t why_len)
{
    struct tls_keys *k = calloc(1, sizeof(*k));
    int rc;

    if (k == NULL)
        return -ENOMEM;
    mbedtls_x509_crt_init(&k->cert);
    mbedtls_pk_init(&k->key);
    rc = parse(k, cert_path, key_path, why, why_len);
    if (rc == 0)
        *ret = k;
    else
        tls_keys_free(k);
    return rc;
}

void tls_keys_free(struct tls_keys *k)
{
    if (k == NULL)
        return;
    mbedtls_x509_crt_free(&k->cert);
    mbedtls_pk_free(&k->key);
    free(k);
}
