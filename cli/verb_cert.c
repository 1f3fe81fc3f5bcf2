/* verb_cert.c - a key and a certificate that signs itself, for a first try of TLS. Asks no broker. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/say.h"

#include <coop/exit_codes.h>

enum { HOSTS_MAX = 32, HOST_MAX = 253, PEM_MAX = 8192, SAN_MAX = 16384, DAYS = 3650, DAYS_MAX = 36500 };

struct cert {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_pk_context key;
    mbedtls_x509write_cert crt;
    mbedtls_mpi serial;
    unsigned char key_pem[PEM_MAX], cert_pem[PEM_MAX + SAN_MAX * 2];
};

/* ---- what it says ------------------------------------------------------------------------------------------------------------------- */

/* One name of the extension: DER, context-specific, of so many bytes. */
static int put_name(unsigned char *at, size_t room, unsigned char tag, const void *bytes, size_t len)
{
    if (len > 127 + 128 || len + 3 > room)
        return -1;
    at[0] = tag;
    if (len < 128) {
        at[1] = (unsigned char)len;
        memcpy(at + 2, bytes, len);
        return (int)len + 2;
    }
    at[1] = 0x81;
    at[2] = (unsigned char)len;
    memcpy(at + 3, bytes, len);
    return (int)len + 3;
}

/* An address is said twice, as an address and as a name: mbedTLS 2.28 compares names only. */
static int put_host(unsigned char *at, size_t room, const char *host)
{
    unsigned char binary[16];
    int n = put_name(at, room, 0x82, host, strlen(host)), m = 0;

    if (n < 0)
        return n;
    if (inet_pton(AF_INET, host, binary) == 1)
        m = put_name(at + n, room - (size_t)n, 0x87, binary, 4);
    else if (inet_pton(AF_INET6, host, binary) == 1)
        m = put_name(at + n, room - (size_t)n, 0x87, binary, 16);
    return m < 0 ? m : n + m;
}

static int set_names(struct cert *c, const struct text_list *hosts)
{
    unsigned char names[SAN_MAX], whole[SAN_MAX + 4];
    size_t n = 0;

    for (size_t i = 0; i < hosts->n; i++) {
        int m = put_host(names + n, sizeof(names) - n, hosts->items[i]);

        if (m < 0)
            return MBEDTLS_ERR_X509_BUFFER_TOO_SMALL;
        n += (size_t)m;
    }
    whole[0] = 0x30; /* a sequence of them */
    whole[1] = 0x82;
    whole[2] = (unsigned char)(n >> 8);
    whole[3] = (unsigned char)n;
    memcpy(whole + 4, names, n);
    return mbedtls_x509write_crt_set_extension(&c->crt, MBEDTLS_OID_SUBJECT_ALT_NAME, MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                               whole, n + 4);
}

static int set_times(struct cert *c, unsigned days)
{
    time_t now = time(NULL) - 3600, end = now + 3600 + (time_t)days * 86400; /* a clock that is a little behind is no reason to refuse it */
    char from[16], to[16];
    struct tm tm;

    if (gmtime_r(&now, &tm) == NULL || strftime(from, sizeof(from), "%Y%m%d%H%M%S", &tm) == 0 || gmtime_r(&end, &tm) == NULL ||
        strftime(to, sizeof(to), "%Y%m%d%H%M%S", &tm) == 0)
        return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
    return mbedtls_x509write_crt_set_validity(&c->crt, from, to);
}

static int set_serial(struct cert *c)
{
    unsigned char bytes[16];
    int rc = mbedtls_ctr_drbg_random(&c->random, bytes, sizeof(bytes));

    bytes[0] &= 0x7f; /* positive */
    bytes[0] |= 0x40;
    if (rc == 0)
        rc = mbedtls_mpi_read_binary(&c->serial, bytes, sizeof(bytes));
    return rc == 0 ? mbedtls_x509write_crt_set_serial(&c->crt, &c->serial) : rc;
}

/* For a server's identity alone: it signs no other. */
static int set_purpose(struct cert *c)
{
    static const unsigned char server[] = { 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01 };
    int rc = mbedtls_x509write_crt_set_basic_constraints(&c->crt, 0, -1);

    if (rc == 0)
        rc = mbedtls_x509write_crt_set_key_usage(&c->crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    return rc != 0 ? rc
                   : mbedtls_x509write_crt_set_extension(&c->crt, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                                         MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, server, sizeof(server));
}

static int make_key(struct cert *c)
{
    int rc = mbedtls_ctr_drbg_seed(&c->random, mbedtls_entropy_func, &c->entropy, (const unsigned char *)"coop cert", 9);

    if (rc == 0)
        rc = mbedtls_pk_setup(&c->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (rc == 0)
        rc = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(c->key), mbedtls_ctr_drbg_random, &c->random);
    return rc;
}

static int make_cert(struct cert *c, const struct text_list *hosts, unsigned days)
{
    char subject[64 + 8];
    int rc;

    snprintf(subject, sizeof(subject), "CN=%.64s", hosts->items[0]); /* no longer than that may it be; what counts stands in the names */
    mbedtls_x509write_crt_set_version(&c->crt, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&c->crt, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&c->crt, &c->key);
    mbedtls_x509write_crt_set_issuer_key(&c->crt, &c->key);
    if ((rc = mbedtls_x509write_crt_set_subject_name(&c->crt, subject)) != 0 ||
        (rc = mbedtls_x509write_crt_set_issuer_name(&c->crt, subject)) != 0 || (rc = set_serial(c)) != 0 ||
        (rc = set_times(c, days)) != 0 || (rc = set_purpose(c)) != 0 ||
        (rc = mbedtls_x509write_crt_set_subject_key_identifier(&c->crt)) != 0 || (rc = set_names(c, hosts)) != 0)
        return rc;
    if ((rc = mbedtls_pk_write_key_pem(&c->key, c->key_pem, sizeof(c->key_pem))) != 0)
        return rc;
    return mbedtls_x509write_crt_pem(&c->crt, c->cert_pem, sizeof(c->cert_pem), mbedtls_ctr_drbg_random, &c->random);
}

/* ---- where it goes ------------------------------------------------------------------------------------------------------------------- */

/* Nothing that is there is replaced: whoever trusts the old one would not know the new one. */
static int write_new(const struct command *c, const char *path, const void *bytes, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode), rc = 0;
    struct coop_error why;

    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || fsync(fd) != 0 || fchmod(fd, mode) != 0)
        rc = errno != 0 ? errno : EIO;
    if (fd >= 0)
        close(fd);
    if (rc == 0)
        return 0;
    coop_error_set(&why, rc,
                   rc == EEXIST   ? COOP_EXIT_CONFLICT
                   : rc == EACCES ? COOP_EXIT_PERMISSION
                                  : COOP_EXIT_CONFIG,
                   "%.300s: %s", path, strerror(rc));
    return say_error(c, &why);
}

static int write_pair(const struct command *c, const struct cert *made, char *key_path, char *cert_path, size_t size)
{
    const char *dir = c->args[0];
    struct coop_error why;
    int code;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        coop_error_set(&why, errno, COOP_EXIT_CONFIG, "%.300s: %s", dir, strerror(errno));
        return say_error(c, &why);
    }
    snprintf(key_path, size, "%s/key.pem", dir);
    snprintf(cert_path, size, "%s/cert.pem", dir);
    code = write_new(c, key_path, made->key_pem, strlen((const char *)made->key_pem), 0600);
    if (code != 0)
        return code;
    code = write_new(c, cert_path, made->cert_pem, strlen((const char *)made->cert_pem), 0644);
    if (code != 0)
        (void)unlink(key_path); /* ours, made a moment ago, and of no use without the other */
    return code;
}

static void say_made(const struct command *c, const char *key_path, const char *cert_path)
{
    const char *host = c->opt.hosts.items[0];
    json_t *doc;

    if (c->opt.json) {
        doc = json_object();
        json_object_set_new(doc, "schema", json_string("coop.Cert/1"));
        json_object_set_new(doc, "cert", json_text(cert_path, strlen(cert_path)));
        json_object_set_new(doc, "key", json_text(key_path, strlen(key_path)));
        json_print(doc);
        return;
    }
    printf("%s\n%s\n", cert_path, key_path);
    say_note(c, "start the broker with: --listen tls+tcp://*:7443 --tls-cert %s --tls-key %s", cert_path, key_path);
    say_note(
        c,
        "the key stays there; copy %s to whoever connects, and there: coop --endpoint tls+tcp://%s%s%s:7443 --ca cert.pem --token-file FILE ls",
        cert_path, strchr(host, ':') != NULL ? "[" : "", host, strchr(host, ':') != NULL ? "]" : "");
}

/* ---- the verb -------------------------------------------------------------------------------------------------------------------------- */

static bool is_host(const char *text)
{
    size_t n = strlen(text);

    return n > 0 && n <= HOST_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:*") == n; /* *.example.org; ::1 */
}

static int check(const struct command *c)
{
    struct coop_error why;

    if (c->opt.hosts.n == 0 || c->opt.hosts.n > HOSTS_MAX)
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "whose certificate? name the host that others connect to: --host NAME");
    else if (c->opt.days > DAYS_MAX)
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "--days: at most %d", DAYS_MAX);
    else {
        for (size_t i = 0; i < c->opt.hosts.n; i++)
            if (!is_host(c->opt.hosts.items[i])) {
                coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "--host '%.60s' is no name or address of a host", c->opt.hosts.items[i]);
                return say_error(c, &why);
            }
        return 0;
    }
    return say_error(c, &why);
}

int verb_cert(const struct command *c)
{
    struct cert *made = calloc(1, sizeof(*made));
    char key_path[4096], cert_path[4096], text[128];
    struct coop_error why;
    int rc, code = check(c);

    if (made == NULL || code != 0) {
        free(made);
        return code != 0 ? code : COOP_EXIT_PLATFORM;
    }
    mbedtls_entropy_init(&made->entropy);
    mbedtls_ctr_drbg_init(&made->random);
    mbedtls_pk_init(&made->key);
    mbedtls_x509write_crt_init(&made->crt);
    mbedtls_mpi_init(&made->serial);
    rc = make_key(made);
    if (rc == 0)
        rc = make_cert(made, &c->opt.hosts, c->opt.days != 0 ? c->opt.days : DAYS);
    if (rc == 0)
        code = write_pair(c, made, key_path, cert_path, sizeof(key_path));
    if (rc == 0 && code == 0)
        say_made(c, key_path, cert_path);
    if (rc != 0) {
        mbedtls_strerror(rc, text, sizeof(text));
        coop_error_set(&why, EIO, COOP_EXIT_PLATFORM, "the certificate could not be made: %s", text);
        code = say_error(c, &why);
    }
    mbedtls_x509write_crt_free(&made->crt);
    mbedtls_pk_free(&made->key);
    mbedtls_mpi_free(&made->serial);
    mbedtls_ctr_drbg_free(&made->random);
    mbedtls_entropy_free(&made->entropy);
    explicit_bzero(made, sizeof(*made));
    free(made);
    return code;
}
