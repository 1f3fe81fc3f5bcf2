/* control_answer.c - what a client is told; see control.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "broker/broker.h"
#include "broker/control.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

void control_reply(struct broker *b, struct rep_way way, const Pb__Reply *reply)
{
    b->control.send(&b->control.socket, way, &reply->base);
}

void control_reply_fd(struct broker *b, struct rep_way way, const Pb__Reply *reply, int fd)
{
    if (fd < 0)
        control_reply(b, way, reply);
    else
        b->control.send_fd(&b->control.socket, way, &reply->base, fd);
}

__attribute__((format(printf, 5, 0))) static void refuse(struct broker *b, struct rep_way way, Pb__ErrorCode code, const char *hint,
                                                         const char *fmt, va_list ap)
{
    char text[512];
    Pb__Reply r = PB__REPLY__INIT;
    Pb__Error e = PB__ERROR__INIT;

    vsnprintf(text, sizeof(text), fmt, ap);
    frame_make_utf8(text); /* cut inside a letter, or a path that is not text: the client would refuse it all */
    e.code = code;
    e.message = text;
    e.hint = (char *)hint;
    r.body_case = PB__REPLY__BODY_ERROR;
    r.error = &e;
    control_reply(b, way, &r);
}

void control_refuse(struct broker *b, struct rep_way way, Pb__ErrorCode code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    refuse(b, way, code, "", fmt, ap);
    va_end(ap);
}

void control_refuse_hint(struct broker *b, struct rep_way way, Pb__ErrorCode code, const char *hint, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    refuse(b, way, code, hint, fmt, ap);
    va_end(ap);
}

Pb__ErrorCode control_error_code(int rc)
{
    static const struct {
        int rc;
        Pb__ErrorCode code;
    } rows[] = {
        {-EINVAL,    ER(USAGE)     },
        { -E2BIG,    ER(USAGE)     },
        { -ENOENT,   ER(NOT_FOUND) },
        { -EEXIST,   ER(CONFLICT)  },
        { -ELOOP,    ER(CONFLICT)  },
        { -EBUSY,    ER(CONFLICT)  },
        { -EDQUOT,   ER(QUOTA)     },
        { -EPERM,    ER(PERMISSION)},
        { -ENOMEM,   ER(TEMPORARY) },
        { -EALREADY, ER(TEMPORARY) },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].rc == rc)
            return rows[i].code;
    return ER(INTERNAL);
}
