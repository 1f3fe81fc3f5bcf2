/* ask.c - see ask.h. */
#include "cli/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <coop/exit_codes.h>
#include <coop/version.h>

static int pack(Pb__Request *req, uint8_t **ret_bytes, size_t *ret_len, struct coop_error *why)
{
    req->protocol = COOP_PROTOCOL;
    if (frame_pack(&req->base, ret_bytes, ret_len) != 0)
        return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    return 0;
}

static int unpack(void *bytes, size_t len, struct frame *ret_reply, struct coop_error *why)
{
    int rc = frame_decode(ret_reply, &pb__reply__descriptor, bytes, len, FRAME_MAX_CONTROL);

    free(bytes);
    if (rc != 0)
        coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker's answer makes no sense (%s); is it of another version?",
                       strerror(-rc));
    return rc;
}

static int exchange(struct coop_client *c, Pb__Request *req, int64_t timeout_us, struct frame *ret_reply, int *ret_fd,
                    struct coop_error *why)
{
    uint8_t *bytes;
    void *reply;
    size_t len;
    int rc = pack(req, &bytes, &len, why);

    if (rc != 0)
        return rc;
    rc = coop_exchange(c, bytes, len, timeout_us, &reply, &len, ret_fd, why);
    free(bytes);
    return rc != 0 ? rc : unpack(reply, len, ret_reply, why);
}

int ask_broker(struct coop_client *c, Pb__Request *req, int64_t timeout_us, struct frame *ret_reply, struct coop_error *why)
{
    return exchange(c, req, timeout_us, ret_reply, NULL, why);
}

int ask_begin(struct coop_client *c, Pb__Request *req, int64_t timeout_us, struct coop_op **ret_op, struct coop_error *why)
{
    uint8_t *bytes;
    size_t len;
    int rc = pack(req, &bytes, &len, why);

    if (rc != 0)
        return rc;
    rc = coop_exchange_begin(c, bytes, len, timeout_us, ret_op, why);
    free(bytes);
    return rc;
}

int ask_end(struct coop_op **op, struct frame *ret_reply, struct coop_error *why)
{
    void *reply;
    size_t len;
    int rc = coop_exchange_end(*op, &reply, &len, NULL, why);

    if (rc == -EINPROGRESS)
        return rc;
    coop_op_free(*op);
    *op = NULL;
    return rc != 0 ? rc : unpack(reply, len, ret_reply, why);
}

/* Packed once more, so that the library's words for a failure are the only ones. */
static int explain(const Pb__Reply *r, struct coop_error *why)
{
    uint8_t *bytes;
    size_t len;
    int rc = frame_pack(&r->base, &bytes, &len);

    if (rc != 0)
        return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    rc = coop_exchange_check(bytes, len, why);
    free(bytes);
    return rc;
}

static int not_asked_for(struct coop_error *why)
{
    return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker answered something else than was asked");
}

int ask_check(const struct frame *reply, Pb__Reply__BodyCase wanted, struct coop_error *why)
{
    const Pb__Reply *r = (const Pb__Reply *)reply->msg;
    int rc = 0;

    if (r->body_case == PB__REPLY__BODY_ERROR || r->body_case == PB__REPLY__BODY_ASK)
        rc = explain(r, why);
    return rc == 0 && r->body_case != wanted ? not_asked_for(why) : rc;
}

int ask_answer(struct coop_client *c, Pb__Ask *ask, int64_t timeout_us, Pb__Answer__BodyCase wanted, struct frame *ret_reply,
               const Pb__Answer **ret_answer, int *ret_fd, struct coop_error *why)
{
    Pb__Request req = PB__REQUEST__INIT;
    int fd = -1, rc;

    ask->number = coop_client_number(c);
    req.body_case = PB__REQUEST__BODY_ASK;
    req.ask = ask;
    rc = exchange(c, &req, timeout_us, ret_reply, &fd, why);
    if (rc != 0)
        return rc;
    rc = ask_check(ret_reply, PB__REPLY__BODY_ASK, why);
    if (rc == 0 && ((const Pb__Reply *)ret_reply->msg)->ask->body_case != wanted)
        rc = not_asked_for(why);
    if (fd >= 0 && (rc != 0 || ret_fd == NULL))
        close(fd);
    if (rc != 0) {
        frame_release(ret_reply);
        return rc;
    }
    *ret_answer = ((const Pb__Reply *)ret_reply->msg)->ask;
    if (ret_fd != NULL)
        *ret_fd = fd;
    return 0;
}
