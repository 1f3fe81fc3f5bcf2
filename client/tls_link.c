/* tls_link.c - see tls_link.h. */
#include "client/tls_link.h"

#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls_context {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt ca;
    mbedtls_ssl_config config;
    char ca_path[256];
};

struct tls_link {
    struct tls_context *context;
    mbedtls_ssl_context ssl;
    int fd;
    int wants; /* MBEDTLS_ERR_SSL_WANT_...; 0: whatever */
    bool shaken;
    int error; /* 0, or why it is over */
    char why[TLS_LINK_WHY];
    const char *hint; /* what helps, or NULL */
    char names[192];  /* of a certificate that is for another host; "": none */
};

/* ---- the context ------------------------------------------------------------------------------------------------------------------- */

static int read_ca(struct tls_context *c, const char *path, char why[TLS_LINK_WHY])
{
    char text[128];
    int rc;

    snprintf(c->ca_path, sizeof(c->ca_path), "%s", path);
    if (access(path, R_OK) != 0) {
        rc = -errno;
        snprintf(why, TLS_LINK_WHY, "%.200s: %s", path, strerror(-rc));
        return rc;
    }
    rc = mbedtls_x509_crt_parse_file(&c->ca, path); /* > 0: so many of a system's bundle are of a kind that it does not know */
    if (rc >= 0 && c->ca.version != 0)
        return 0;
    mbedtls_strerror(rc, text, sizeof(text));
    snprintf(why, TLS_LINK_WHY, "%.200s: %s", path, rc < 0 ? text : "no certificate in it can be read");
    return -EINVAL;
}

static int configure(struct tls_context *c)
{
    mbedtls_ssl_config *s = &c->config;

    if (mbedtls_ctr_drbg_seed(&c->random, mbedtls_entropy_func, &c->entropy, (const unsigned char *)"coop", 4) != 0 ||
        mbedtls_ssl_config_defaults(s, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return -EIO;
    mbedtls_ssl_conf_rng(s, mbedtls_ctr_drbg_random, &c->random);
    mbedtls_ssl_conf_min_version(s, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3); /* TLS 1.2 */
    mbedtls_ssl_conf_renegotiation(s, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_session_tickets(s, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_authmode(s, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(s, &c->ca, NULL);
    return 0;
}

int tls_context_new(const char *ca, struct tls_context **ret, char why[TLS_LINK_WHY])
{
    struct tls_context *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL)
        return -ENOMEM;
    mbedtls_entropy_init(&c->entropy);
    mbedtls_ctr_drbg_init(&c->random);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_ssl_config_init(&c->config);
    rc = read_ca(c, ca, why);
    if (rc == 0 && (rc = configure(c)) != 0)
        snprintf(why, TLS_LINK_WHY, "TLS cannot be set up: no random numbers");
    if (rc == 0)
        *ret = c;
    else
        tls_context_free(c);
    return rc;
}

void tls_context_free(struct tls_context *c)
{
    if (c == NULL)
        return;
    mbedtls_ssl_config_free(&c->config);
    mbedtls_x509_crt_free(&c->ca);
    mbedtls_ctr_drbg_free(&c->random);
    mbedtls_entropy_free(&c->entropy);
    free(c);
}

/* ---- a link ------------------------------------------------------------------------------------------------------------------------ */

/* What the socket said is kept: mbedTLS's own words for it say less. */
static int fail(struct tls_link *l, int wants)
{
    if (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)
        return wants;
    if (l->error == 0)
        l->error = -errno;
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int fd_send(void *ctx, const unsigned char *bytes, size_t len)
{
    struct tls_link *l = ctx;
    ssize_t n = send(l->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    return n >= 0 ? (int)n : fail(l, MBEDTLS_ERR_SSL_WANT_WRITE);
}

static int fd_recv(void *ctx, unsigned char *bytes, size_t len)
{
    struct tls_link *l = ctx;
    ssize_t n = recv(l->fd, bytes, len, MSG_DONTWAIT);

    return n >= 0 ? (int)n : fail(l, MBEDTLS_ERR_SSL_WANT_READ);
}

/* What is wrong with a certificate, the first that is, and what helps. */
#define OTHER_CA "name the file of the certificate that it is known by: --ca FILE, or COOP_CA"
static const struct fault {
    uint32_t flag;
    const char *text, *hint;
} faults[] = {
    {MBEDTLS_X509_BADCERT_CN_MISMATCH,  "it is for another host",
     "connect by a name that it has, or give the broker one that has this name too: coop cert DIR --host NAME"                                        },
    { MBEDTLS_X509_BADCERT_EXPIRED,     "it has expired",                               "whoever runs the broker has to renew it: coop cert makes one"},
    { MBEDTLS_X509_BADCERT_FUTURE,      "it is not valid yet",                          "compare the clocks of both machines: date"                   },
    { MBEDTLS_X509_BADCERT_NOT_TRUSTED, "none of those that are trusted has signed it", OTHER_CA                                                      },
    { 0,                                "it is not good",                               OTHER_CA                                                      },
};

/* The names of a certificate, as many as have room; what stands in one is anybody's, so only what a name of a host is made of is shown. */
static void list_names(const mbedtls_x509_crt *crt, char *ret, size_t size)
{
    size_t n = 0;

    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s != NULL; s = s->next) {
        if ((s->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) != MBEDTLS_X509_SAN_DNS_NAME)
            continue;
        if (n + s->buf.len + sizeof(", ") > size)
            return;
        if (n > 0)
            n += (size_t)snprintf(ret + n, size - n, ", ");
        for (size_t i = 0; i < s->buf.len; i++)
            ret[n++] = (char)(s->buf.p[i] > ' ' && s->buf.p[i] < 0x7f ? s->buf.p[i] : '?');
        ret[n] = '\0';
    }
}

/* mbedTLS keeps no certificate that it refuses: its names are written down while it is looked at. */
static int look_at(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct tls_link *l = ctx;

    if (depth == 0 && (*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0)
        list_names(crt, l->names, sizeof(l->names));
    return 0;
}

static void explain_certificate(struct tls_link *l)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&l->ssl);
    const struct fault *f = faults;

    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
        flags = MBEDTLS_X509_BADCERT_NOT_TRUSTED; /* then nothing else of it matters */
    while (f->flag != 0 && (flags & f->flag) == 0)
        f++;
    l->error = -EKEYREJECTED;
    l->hint = f->hint;
    if (f->flag == MBEDTLS_X509_BADCERT_CN_MISMATCH && l->names[0] != '\0')
        snprintf(l->why, sizeof(l->why), "its certificate is refused: %s (it has %s)", f->text, l->names);
    else
        snprintf(l->why, sizeof(l->why), "its certificate is refused: %s (trusted: %.200s)", f->text, l->context->ca_path);
}

struct tls_link *tls_link_new(struct tls_context *c, int fd, const char *host)
{
    struct tls_link *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->context = c;
    l->fd = fd;
    l->wants = MBEDTLS_ERR_SSL_WANT_WRITE; /* connecting, perhaps */
    mbedtls_ssl_init(&l->ssl);
    if (mbedtls_ssl_setup(&l->ssl, &c->config) != 0 || mbedtls_ssl_set_hostname(&l->ssl, host) != 0) {
        tls_link_free(l);
        return NULL;
    }
    mbedtls_ssl_set_verify(&l->ssl, look_at, l);
    mbedtls_ssl_set_bio(&l->ssl, l, fd_send, fd_recv, NULL);
    return l;
}

void tls_link_free(struct tls_link *l)
{
    if (l == NULL)
        return;
    mbedtls_ssl_free(&l->ssl);
    free(l);
}

/* -1 with errno, as recv(2) and send(2). */
static ssize_t result(struct tls_link *l, int rc)
{
    l->wants = rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE ? rc : 0;
    if (rc >= 0)
        return rc;
    if (l->wants != 0) {
        errno = EAGAIN;
        return -1;
    }
    if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return 0;
    if (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        explain_certificate(l);
    if (l->error == 0) {
        l->error = l->shaken ? -ECONNRESET : -EPROTO;
        mbedtls_strerror(rc, l->why, sizeof(l->why));
    }
    errno = -l->error;
    return -1;
}

static int shake(struct tls_link *l)
{
    int rc = l->shaken ? 0 : mbedtls_ssl_handshake(&l->ssl);

    l->shaken = rc == 0;
    return rc;
}

static ssize_t link_recv(void *ctx, void *bytes, size_t len)
{
    struct tls_link *l = ctx;
    int rc = shake(l);

    return result(l, rc != 0 ? rc : mbedtls_ssl_read(&l->ssl, bytes, len));
}

static ssize_t link_send(void *ctx, const void *bytes, size_t len)
{
    struct tls_link *l = ctx;
    int rc = shake(l);

    return result(l, rc != 0 ? rc : mbedtls_ssl_write(&l->ssl, bytes, len));
}

const struct sp_io tls_link_io = { link_recv, link_send };

bool tls_link_wants_write(const struct tls_link *l)
{
    return l->wants == MBEDTLS_ERR_SSL_WANT_WRITE;
}

bool tls_link_has_more(const struct tls_link *l)
{
    return l->shaken && mbedtls_ssl_get_bytes_avail(&l->ssl) > 0;
}

int tls_link_error(const struct tls_link *l, char why[TLS_LINK_WHY], const char **ret_hint)
{
    *ret_hint = l->hint;
    memcpy(why, l->why, TLS_LINK_WHY);
    return l->error;
}
