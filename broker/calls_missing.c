/* calls_missing.c - rows of the table that are being written: each goes from here to its own file. */
#include "broker/calls.h"

void call_interp_create(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_create: not there yet");
}

void call_interp_exec(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_exec: not there yet");
}

void call_interp_call(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_call: not there yet");
}

void call_interp_prepare(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_prepare: not there yet");
}

void call_interp_interrupt(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_interrupt: not there yet");
}

void call_interp_close(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_close: not there yet");
}

void call_interp_kill(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_kill: not there yet");
}

void call_interp_reset(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_reset: not there yet");
}

void call_interp_info(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_info: not there yet");
}

void call_interp_list(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_list: not there yet");
}

void call_interp_wait(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_wait: not there yet");
}

void call_interp_link(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_interp_link: not there yet");
}

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

void call_handle_attenuate(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_handle_attenuate: not there yet");
}

void call_handle_revoke(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_handle_revoke: not there yet");
}

void call_handle_drop(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_handle_drop: not there yet");
}

void call_handle_granted(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_handle_granted: not there yet");
}

void call_handle_list(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_handle_list: not there yet");
}

void call_alias_call(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_alias_call: not there yet");
}

void call_alias_next(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_alias_next: not there yet");
}

void call_alias_done(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_alias_done: not there yet");
}

void call_kv_open(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_kv_open: not there yet");
}

void call_kv_get(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_kv_get: not there yet");
}

void call_kv_put(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_kv_put: not there yet");
}

void call_kv_delete(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_kv_delete: not there yet");
}

void call_kv_list(struct ask *a)
{
    ask_fail(a, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "call_kv_list: not there yet");
}
