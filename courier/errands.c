/* errands.c - see errands.h. */
#include "courier/errands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "coop/version.h"

struct errand {
    uint64_t id;
    CURL *curl;
    struct curl_slist *headers;
    uint8_t *body;
    size_t answered; /* bytes of the answer */
    bool refused;    /* its address */
    char error[CURL_ERROR_SIZE];
};

static CURLM *multi;
static const struct address_nets *reachable;
static errand_done_fn tell;
static unsigned under_way;

int errands_open(const struct address_nets *nets, errand_done_fn done)
{
    reachable = nets;
    tell = done;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (multi = curl_multi_init()) == NULL)
        return -ENOMEM;
    return 0;
}

static void errand_free(struct errand *e)
{
    if (e->curl != NULL)
        curl_easy_cleanup(e->curl);
    curl_slist_free_all(e->headers);
    free(e->body);
    free(e);
}

/* ---- what libcurl asks us --------------------------------------------------------------------------------------------------------- */

static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct errand *e = ctx;

    (void)purpose;
    if (address_may_reach(reachable, &to->addr))
        return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    e->refused = true;
    return CURL_SOCKET_BAD;
}

/* Thrown away; too much of it ends the request. */
static size_t on_answer(char *bytes, size_t size, size_t n, void *ctx)
{
    struct errand *e = ctx;

    (void)bytes;
    e->answered += size * n;
    return e->answered <= ERRAND_ANSWER ? size * n : 0;
}

/* ---- one errand -------------------------------------------------------------------------------------------------------------------- */

static bool set_headers(struct errand *e, const Pb__Errand *m)
{
    struct curl_slist *next = curl_slist_append(NULL, "Expect:"); /* no question before a body of some kilobytes */

    for (size_t i = 0; i < m->n_headers && next != NULL; i++) {
        e->headers = next;
        next = curl_slist_append(e->headers, m->headers[i]);
    }
    if (next != NULL)
        e->headers = next;
    return next != NULL;
}

static bool set_up(struct errand *e, const Pb__Errand *m)
{
    long timeout = m->timeout_ms > 0 && m->timeout_ms < ERRAND_TIMEOUT_MS ? (long)m->timeout_ms : ERRAND_TIMEOUT_MS;
    CURL *c = e->curl;

    return set_headers(e, m) && curl_easy_setopt(c, CURLOPT_URL, m->url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "coop/" COOP_VERSION) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout) == CURLE_OK && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, e->headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)m->body.len) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDS, (char *)e->body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, e) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK && curl_easy_setopt(c, CURLOPT_WRITEDATA, e) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, e->error) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PRIVATE, e) == CURLE_OK;
}

void errands_begin(const Pb__Errand *m)
{
    struct errand *e = under_way < ERRANDS_MAX ? calloc(1, sizeof(*e)) : NULL;

    if (e == NULL) {
        tell(m->id, 0, under_way < ERRANDS_MAX ? "out of memory" : "too many requests at once");
        return;
    }
    e->id = m->id;
    e->curl = curl_easy_init();
    e->body = malloc(m->body.len + 1);
    if (e->body != NULL && m->body.len > 0)
        memcpy(e->body, m->body.data, m->body.len);
    if (e->curl == NULL || e->body == NULL || !set_up(e, m) || curl_multi_add_handle(multi, e->curl) != CURLM_OK) {
        tell(e->id, 0, "the request could not be made");
        errand_free(e);
        return;
    }
    under_way++;
}

static void end(struct errand *e, CURLcode code)
{
    long status = 0;

    (void)curl_easy_getinfo(e->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && e->answered > ERRAND_ANSWER)) /* the status was there before the flood */
        tell(e->id, (unsigned)status, "");
    else if (e->refused)
        tell(e->id, 0, "its address is of this machine, or of a network that webhooks may not reach (--webhook-net)");
    else
        tell(e->id, 0, e->error[0] != '\0' ? e->error : curl_easy_strerror(code));
    curl_multi_remove_handle(multi, e->curl);
    errand_free(e);
    under_way--;
}

int errands_wait(int fd, bool *ret_readable)
{
    struct curl_waitfd ours = { .fd = fd, .events = CURL_WAIT_POLLIN };
    int running, left;
    CURLMsg *m;

    if (curl_multi_poll(multi, &ours, 1, 60000, NULL) != CURLM_OK || curl_multi_perform(multi, &running) != CURLM_OK)
        return -EIO;
    while ((m = curl_multi_info_read(multi, &left)) != NULL) {
        struct errand *e;

        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &e) != CURLE_OK)
            continue;
        end(e, m->data.result);
    }
    *ret_readable = ours.revents != 0;
    return 0;
}
