/* calls_missing.c - rows of the table that are being written: each goes from here to its own file. */
#include "broker/calls.h"

void call_queue_create(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_queue_create: not there yet");
}

void call_queue_open(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_queue_open: not there yet");
}

void call_queue_put(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_queue_put: not there yet");
}

void call_queue_get(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_queue_get: not there yet");
}

void call_queue_close(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_queue_close: not there yet");
}

void call_queue_info(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_queue_info: not there yet");
}

void call_queue_list(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_queue_list: not there yet");
}

void call_queue_delete(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_queue_delete: not there yet");
}

void call_buffer_new(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_buffer_new: not there yet");
}

void call_buffer_seal(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_buffer_seal: not there yet");
}

void call_buffer_map(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_buffer_map: not there yet");
}

void call_buffer_list(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_buffer_list: not there yet");
}

void call_template_build(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_template_build: not there yet");
}

void call_template_list(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_template_list: not there yet");
}

void call_template_remove(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_template_remove: not there yet");
}
