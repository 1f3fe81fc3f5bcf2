/* calls.c - see calls.h. */
#include "broker/calls.h"

#define ROW(field)   [PB__ASK__BODY_##field]
#define INTERPRETERS "interpreters"
#define QUEUES       "queues"
#define BUFFERS      "buffers"

/* clang-format off */
const struct call_row call_rows[] = {
    /* message                  name                 who          the job needs  right       acted on */
    ROW(INTERP_CREATE)    = { "interp_create",    CALL_BOTH,   INTERPRETERS, "",         call_interp_create,    "makes an interpreter and answers when it takes calls" },
    ROW(INTERP_EXEC)      = { "interp_exec",      CALL_BOTH,   NULL,         "call",     call_interp_exec,      "runs source in it; its globals stay" },
    ROW(INTERP_CALL)      = { "interp_call",      CALL_BOTH,   NULL,         "call",     call_interp_call,      "calls a function of it with typed arguments and answers with its value" },
    ROW(INTERP_PREPARE)   = { "interp_prepare",   CALL_BOTH,   NULL,         "call",     call_interp_prepare,   "sets names in it, all at once" },
    ROW(INTERP_INTERRUPT) = { "interp_interrupt", CALL_BOTH,   NULL,         "manage",   call_interp_interrupt, "ends the call that runs; the interpreter lives on" },
    ROW(INTERP_CLOSE)     = { "interp_close",     CALL_BOTH,   NULL,         "manage",   call_interp_close,     "ends it in good order; not while a call runs or waits" },
    ROW(INTERP_KILL)      = { "interp_kill",      CALL_BOTH,   NULL,         "manage",   call_interp_kill,      "ends it at once, with all below it" },
    ROW(INTERP_RESET)     = { "interp_reset",     CALL_BOTH,   NULL,         "manage",   call_interp_reset,     "gives it the state of its template, in a new process" },
    ROW(INTERP_INFO)      = { "interp_info",      CALL_BOTH,   NULL,         "",         call_interp_info,      "says what it is and does" },
    ROW(INTERP_LIST)      = { "interp_list",      CALL_BOTH,   NULL,         "",         call_interp_list,      "lists interpreters: a worker's are those below it" },
    ROW(INTERP_WAIT)      = { "interp_wait",      CALL_BOTH,   NULL,         "",         call_interp_wait,      "a monitor: answered when it has ended, with the cause" },
    ROW(INTERP_LINK)      = { "interp_link",      CALL_WORKER, NULL,         "manage",   call_interp_link,      "ties two lives together: when one ends otherwise than well, so does the other" },
    ROW(QUEUE_CREATE)     = { "queue_create",     CALL_BOTH,   QUEUES,       "",         call_queue_create,     "makes a queue, bounded by items and bytes" },
    ROW(QUEUE_OPEN)       = { "queue_open",       CALL_BOTH,   NULL,         "",         call_queue_open,       "a handle of a named queue: a worker's job needs queue=NAME" },
    ROW(QUEUE_PUT)        = { "queue_put",        CALL_BOTH,   NULL,         "send",     call_queue_put,        "puts items in; waits while it is full" },
    ROW(QUEUE_GET)        = { "queue_get",        CALL_BOTH,   NULL,         "recv",     call_queue_get,        "takes items out; waits while it is empty" },
    ROW(QUEUE_CLOSE)      = { "queue_close",      CALL_BOTH,   NULL,         "manage",   call_queue_close,      "takes no more items" },
    ROW(QUEUE_INFO)       = { "queue_info",       CALL_BOTH,   NULL,         "",         call_queue_info,       "says how full it is and who waits" },
    ROW(QUEUE_LIST)       = { "queue_list",       CALL_HOST,   NULL,         "",         call_queue_list,       "lists the named queues" },
    ROW(QUEUE_DELETE)     = { "queue_delete",     CALL_HOST,   NULL,         "manage",   call_queue_delete,     "removes a named queue and what is in it" },
    ROW(BUFFER_NEW)       = { "buffer_new",       CALL_BOTH,   BUFFERS,      "",         call_buffer_new,       "makes shared memory, and gives a descriptor to fill it through" },
    ROW(BUFFER_SEAL)      = { "buffer_seal",      CALL_BOTH,   NULL,         "write",    call_buffer_seal,      "nobody can ever write to it again; not while it is mapped for writing" },
    ROW(BUFFER_MAP)       = { "buffer_map",       CALL_BOTH,   NULL,         "read",     call_buffer_map,       "gives a descriptor of it" },
    ROW(BUFFER_LIST)      = { "buffer_list",      CALL_BOTH,   NULL,         "",         call_buffer_list,      "lists the buffers that the asker holds" },
    ROW(HANDLE_ATTENUATE) = { "handle_attenuate", CALL_BOTH,   NULL,         "",         call_handle_attenuate, "a new handle of the same thing with fewer rights" },
    ROW(HANDLE_REVOKE)    = { "handle_revoke",    CALL_BOTH,   NULL,         "",         call_handle_revoke,    "every handle that was derived from this one is dead from now on" },
    ROW(HANDLE_DROP)      = { "handle_drop",      CALL_BOTH,   NULL,         "",         call_handle_drop,      "gives a handle up; those derived from it stay" },
    ROW(HANDLE_GRANTED)   = { "handle_granted",   CALL_WORKER, NULL,         "",         call_handle_granted,   "the handle that was given by this name" },
    ROW(HANDLE_LIST)      = { "handle_list",      CALL_BOTH,   NULL,         "",         call_handle_list,      "all that the asker holds" },
    ROW(ALIAS_CALL)       = { "alias_call",       CALL_WORKER, NULL,         "",         call_alias_call,       "calls a function that the parent offers; brokered, and in the audit log" },
    ROW(ALIAS_NEXT)       = { "alias_next",       CALL_BOTH,   NULL,         "",         call_alias_next,       "the parent's side: the next such call" },
    ROW(ALIAS_DONE)       = { "alias_done",       CALL_BOTH,   NULL,         "",         call_alias_done,       "the parent's side: what became of it" },
    ROW(KV_OPEN)          = { "kv_open",          CALL_BOTH,   NULL,         "",         call_kv_open,          "a handle of a key prefix: a worker's job needs kv=PREFIX" },
    ROW(KV_GET)           = { "kv_get",           CALL_BOTH,   NULL,         "read",     call_kv_get,           "the value of a key" },
    ROW(KV_PUT)           = { "kv_put",           CALL_BOTH,   NULL,         "write",    call_kv_put,           "sets a key, durably" },
    ROW(KV_DELETE)        = { "kv_delete",        CALL_BOTH,   NULL,         "write",    call_kv_delete,        "removes a key" },
    ROW(KV_LIST)          = { "kv_list",          CALL_BOTH,   NULL,         "read",     call_kv_list,          "keys that begin with a prefix, in order" },
    ROW(TEMPLATE_BUILD)   = { "template_build",   CALL_HOST,   NULL,         "",         call_template_build,   "runs an init and keeps the warm process to fork from; answers when it is warm" },
    ROW(TEMPLATE_LIST)    = { "template_list",    CALL_HOST,   NULL,         "",         call_template_list,    "lists templates and their versions" },
    ROW(TEMPLATE_REMOVE)  = { "template_remove",  CALL_HOST,   NULL,         "",         call_template_remove,  "removes a template, or one version" },
    ROW(ASK_CANCEL)       = { "ask_cancel",       CALL_BOTH,   NULL,         "",         call_ask_cancel,       "takes an open ask back" },
};
/* clang-format on */
const size_t call_rows_count = sizeof(call_rows) / sizeof(call_rows[0]);

const struct call_row *call_row(Pb__Ask__BodyCase which)
{
    return (unsigned)which < call_rows_count && call_rows[which].apply != NULL ? &call_rows[which] : NULL;
}
