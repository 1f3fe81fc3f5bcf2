/* worker.c - from fork to the first tenant byte: greet, seal, say so, serve. See zygote.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "sp.h"
#include "worker/canary.h"
#include "worker/link.h"
#include "worker/seal.h"
#include "worker/serve.h"
#include "worker/template.h"
#include "worker/zygote.h"

enum { EXIT_NO_SEAL = 70, EXIT_NO_LINK = 71 };

static void say_hello(const struct worker_start *w, struct seal *s)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Hello h = PB__HELLO__INIT;

    h.token.data = (uint8_t *)w->token;
    h.token.len = w->token_len;
    h.seal = s->taken;
    h.n_seal = s->n_taken;
    h.landlock_abi = s->landlock_abi;
    h.uid = s->uid_now;
    m.body_case = PB__FROM_WORKER__BODY_HELLO;
    m.hello = &h;
    link_send(&m);
    if (w->leave != NULL)
        template_note_hello(&h);
}

static void say_seal_failed(const struct worker_start *w, const char *step, int error)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__SealFailed f = PB__SEAL_FAILED__INIT;

    f.token.data = (uint8_t *)w->token;
    f.token.len = w->token_len;
    f.step = (char *)step;
    f.error = (uint32_t)-error;
    m.body_case = PB__FROM_WORKER__BODY_SEAL_FAILED;
    m.seal_failed = &f;
    link_send(&m);
}

/* The broker's end of the pair may have been made non-blocking before it was passed to us. A template's first frame is not the link's to send. */
static int open_link(int fd, bool greet_now)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
        return -errno;
    link_use(fd);
    return greet_now ? sp_handshake(fd) : link_meet(fd);
}

__attribute__((no_stack_protector)) _Noreturn void worker_main(const struct worker_start *w)
{
    struct seal s = { .link_fd = w->link_fd,
                      .null_fd = w->null_fd,
                      .zygote = w->zygote,
                      .uid = w->uid,
                      .threads = w->threads > 0 ? w->threads : 1,
                      .engine = w->engine,
                      .filter = w->filter,
                      .space = w->space,
                      .leave = w->leave,
                      .token = w->token,
                      .token_len = w->token_len,
                      .children = w->children };
    const char *step;
    int rc;

    if (open_link(w->link_fd, w->leave != NULL) != 0)
        _exit(EXIT_NO_LINK);
    if (canary_new() != 0)
        _exit(EXIT_NO_SEAL);
    rc = seal_take(&s, &step);
    if (rc != 0) {
        say_seal_failed(w, step, rc);
        _exit(EXIT_NO_SEAL);
    }
    say_hello(w, &s);
    serve(w->engine);
}
