/* calls_missing.c - rows of the table that are being written: each goes from here to its own file. */
#include "broker/calls.h"

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
