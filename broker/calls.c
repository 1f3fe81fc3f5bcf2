/* calls.c - see calls.h. */
#include "broker/calls.h"

#include "broker/actor.h"

#define ROW(field) [PB__ASK__BODY_##field]
#define E(name)    CALL_ERROR_BIT(name)
#define A(name)    PB__ANSWER__BODY_##name
#define REF        (E(BAD_HANDLE) | E(REVOKED) | E(NOT_FOUND))                                 /* it names a thing */
#define VALUE      (E(TOO_BIG) | E(NOT_SHAREABLE) | E(BAD_HANDLE) | E(REVOKED) | E(NOT_FOUND)) /* it brings a value, in which handles may be */
#define WAITS      (E(TIMED_OUT) | E(INTERRUPTED) | E(REVOKED))                                /* it is kept */
#define RUNS                                                                                                                               \
    (E(CLOSED) | E(DEAD) | E(EXECUTION_FAILED) | E(DEADLOCK) | E(NOT_SHAREABLE) | E(TOO_DEEP) | E(TOO_BIG) | E(UNSUPPORTED) | WAITS)
#define SUBMIT       ACTOR_SUBMIT
#define READ         ACTOR_READ
#define CANCEL       ACTOR_CANCEL
#define NOTHING      0
#define INTERPRETERS "interpreters"
#define QUEUES       "queues"
#define BUFFERS      "buffers"

/* clang-format off */
const struct call_row call_rows[] = {
    /* message               name                  who          scopes  the job needs  right     waits  acted on
                             answer, errors of its own, what */
    ROW(INTERP_CREATE)     = { "interp_create",     CALL_BOTH,   SUBMIT,  INTERPRETERS, "",       true,  call_interp_create,
                           A(HANDLE), VALUE | E(NOT_FOUND) | E(NAME_TAKEN) | E(UNSUPPORTED) | E(TEMPLATE_FAILED) | E(EXECUTION_FAILED) |
                           WAITS,
                           "makes an interpreter and answers when it takes calls" },
    ROW(INTERP_EXEC)       = { "interp_exec",       CALL_BOTH,   SUBMIT,  NULL,         "call",   true,  call_interp_exec,
                           A(RESULT), REF | RUNS, "runs source in it; its globals stay" },
    ROW(INTERP_CALL)       = { "interp_call",       CALL_BOTH,   SUBMIT,  NULL,         "call",   true,  call_interp_call,
                           A(RESULT), REF | VALUE | RUNS | E(NO_FUNCTION),
                           "calls a function of it with typed arguments and answers with its value" },
    ROW(INTERP_PREPARE)    = { "interp_prepare",    CALL_BOTH,   SUBMIT,  NULL,         "call",   true,  call_interp_prepare,
                           A(RESULT), REF | VALUE | RUNS, "sets names in it, all at once" },
    ROW(INTERP_INTERRUPT)  = { "interp_interrupt",  CALL_BOTH,   CANCEL,  NULL,         "manage", false, call_interp_interrupt,
                           A(DONE), REF | E(DEAD) | E(CLOSED), "ends the call that runs; the interpreter lives on" },
    ROW(INTERP_CLOSE)      = { "interp_close",      CALL_BOTH,   CANCEL,  NULL,         "manage", true,  call_interp_close,
                           A(DONE), REF | E(BUSY) | E(DEAD) | E(CLOSED) | E(EXECUTION_FAILED) | WAITS,
                           "ends it in good order; not while a call runs or waits" },
    ROW(INTERP_KILL)       = { "interp_kill",       CALL_BOTH,   CANCEL,  NULL,         "manage", false, call_interp_kill,
                           A(DONE), REF | E(DEAD), "ends it at once, with all below it" },
    ROW(INTERP_RESET)      = { "interp_reset",      CALL_BOTH,   CANCEL,  NULL,         "manage", true,  call_interp_reset,
                           A(DONE), REF | E(BUSY) | E(DEAD) | E(CLOSED) | E(UNSUPPORTED) | E(TEMPLATE_FAILED) | E(EXECUTION_FAILED) |
                           WAITS,
                           "gives it the state of its template, in a new process" },
    ROW(INTERP_INFO)       = { "interp_info",       CALL_BOTH,   READ,    NULL,         "",       false, call_interp_info,
                           A(INTERP), REF | E(DEAD), "says what it is and does" },
    ROW(INTERP_LIST)       = { "interp_list",       CALL_BOTH,   READ,    NULL,         "",       false, call_interp_list,
                           A(INTERPS), 0, "lists interpreters: a worker's are those below it" },
    ROW(INTERP_WAIT)       = { "interp_wait",       CALL_BOTH,   READ,    NULL,         "",       true,  call_interp_wait,
                           A(INTERP), REF | E(DEADLOCK) | WAITS, "a monitor: answered when it has ended, with the cause" },
    ROW(INTERP_LINK)       = { "interp_link",       CALL_WORKER, NOTHING, NULL,         "manage", false, call_interp_link,
                           A(DONE), REF | E(DEAD) | E(CLOSED), "ties two lives together: when one ends otherwise than well, so does the other" },
    ROW(QUEUE_CREATE)      = { "queue_create",      CALL_BOTH,   SUBMIT,  QUEUES,       "",       true,  call_queue_create,
                           A(HANDLE), E(NAME_TAKEN) | WAITS, "makes a queue, bounded by items and bytes" },
    ROW(QUEUE_OPEN)        = { "queue_open",        CALL_BOTH,   SUBMIT,  NULL,         "",       false, call_queue_open,
                           A(HANDLE), REF | E(CLOSED), "a handle of a named queue: a worker's job needs queue=NAME" },
    ROW(QUEUE_PUT)         = { "queue_put",         CALL_BOTH,   SUBMIT,  NULL,         "send",   true,  call_queue_put,
                           A(TAKEN), REF | VALUE | E(CLOSED) | E(QUEUE_FULL) | WAITS, "puts items in; waits while it is full" },
    ROW(QUEUE_GET)         = { "queue_get",         CALL_BOTH,   SUBMIT,  NULL,         "recv",   true,  call_queue_get,
                           A(ITEMS), REF | E(CLOSED) | E(QUEUE_EMPTY) | E(ITEM_DESTROYED) | WAITS,
                           "takes items out; waits while it is empty" },
    ROW(QUEUE_CLOSE)       = { "queue_close",       CALL_BOTH,   CANCEL,  NULL,         "manage", true,  call_queue_close,
                           A(DONE), REF | E(CLOSED) | WAITS, "takes no more items" },
    ROW(QUEUE_INFO)        = { "queue_info",        CALL_BOTH,   READ,    NULL,         "",       false, call_queue_info,
                           A(QUEUE), REF, "says how full it is and who waits" },
    ROW(QUEUE_LIST)        = { "queue_list",        CALL_HOST,   READ,    NULL,         "",       false, call_queue_list,
                           A(QUEUES), 0, "lists the tenant's queues, named or not; an operator's: all" },
    ROW(QUEUE_DELETE)      = { "queue_delete",      CALL_HOST,   CANCEL,  NULL,         "manage", true,  call_queue_delete,
                           A(DONE), REF | E(BUSY) | WAITS, "removes a named queue and what is in it" },
    ROW(BUFFER_NEW)        = { "buffer_new",        CALL_BOTH,   SUBMIT,  BUFFERS,      "",       false, call_buffer_new,
                           A(HANDLE), E(TOO_BIG), "makes shared memory, and gives a descriptor to fill it through" },
    ROW(BUFFER_SEAL)       = { "buffer_seal",       CALL_BOTH,   SUBMIT,  NULL,         "write",  false, call_buffer_seal,
                           A(DONE), REF | E(BUSY) | E(CLOSED), "nobody can ever write to it again; not while it is mapped for writing" },
    ROW(BUFFER_MAP)        = { "buffer_map",        CALL_BOTH,   SUBMIT,  NULL,         "read",   false, call_buffer_map,
                           A(HANDLE), REF, "gives a descriptor of it" },
    ROW(BUFFER_LIST)       = { "buffer_list",       CALL_BOTH,   READ,    NULL,         "",       false, call_buffer_list,
                           A(HANDLES), 0, "lists the buffers that the asker holds" },
    ROW(HANDLE_ATTENUATE)  = { "handle_attenuate",  CALL_BOTH,   SUBMIT,  NULL,         "",       false, call_handle_attenuate,
                           A(HANDLE), REF, "a new handle of the same thing with fewer rights" },
    ROW(HANDLE_REVOKE)     = { "handle_revoke",     CALL_BOTH,   CANCEL,  NULL,         "",       false, call_handle_revoke,
                           A(DONE), REF, "every handle that was derived from this one is dead from now on" },
    ROW(HANDLE_DROP)       = { "handle_drop",       CALL_BOTH,   NOTHING, NULL,         "",       false, call_handle_drop,
                           A(DONE), E(BAD_HANDLE), "gives a handle up; those derived from it stay" },
    ROW(HANDLE_GRANTED)    = { "handle_granted",    CALL_WORKER, NOTHING, NULL,         "",       false, call_handle_granted,
                           A(HANDLE), REF, "the handle that was given by this name" },
    ROW(HANDLE_LIST)       = { "handle_list",       CALL_BOTH,   READ,    NULL,         "",       false, call_handle_list,
                           A(HANDLES), 0, "all that the asker holds" },
    ROW(ALIAS_CALL)        = { "alias_call",        CALL_WORKER, NOTHING, NULL,         "",       true,  call_alias_call,
                           A(RESULT), REF | VALUE | E(NO_FUNCTION) | E(DEAD) | E(EXECUTION_FAILED) | WAITS,
                           "calls a function that the parent offers; brokered, and in the audit log" },
    ROW(ALIAS_NEXT)        = { "alias_next",        CALL_BOTH,   SUBMIT,  NULL,         "",       true,  call_alias_next,
                           A(INVOCATION), REF | E(DEAD) | WAITS, "the parent's side: the next such call" },
    ROW(ALIAS_DONE)        = { "alias_done",        CALL_BOTH,   SUBMIT,  NULL,         "",       false, call_alias_done,
                           A(DONE), REF | VALUE, "the parent's side: what became of it" },
    ROW(ALIAS_LOG)         = { "alias_log",         CALL_HOST,   READ,    NULL,         "",       false, call_alias_log,
                           A(ALIAS_CALLS), 0, "calls of aliases that have been made, the last first" },
    ROW(KV_OPEN)           = { "kv_open",           CALL_BOTH,   SUBMIT,  NULL,         "",       false, call_kv_open,
                           A(HANDLE), REF, "a handle of a key prefix: a worker's job needs kv=PREFIX" },
    ROW(KV_GET)            = { "kv_get",            CALL_BOTH,   READ,    NULL,         "read",   true,  call_kv_get,
                           A(KV_VALUE), REF | WAITS, "the value of a key" },
    ROW(KV_PUT)            = { "kv_put",            CALL_BOTH,   SUBMIT,  NULL,         "write",  true,  call_kv_put,
                           A(DONE), REF | E(TOO_BIG) | E(NAME_TAKEN) | WAITS, "sets a key, durably" },
    ROW(KV_DELETE)         = { "kv_delete",         CALL_BOTH,   SUBMIT,  NULL,         "write",  true,  call_kv_delete,
                           A(DONE), REF | WAITS, "removes a key" },
    ROW(KV_LIST)           = { "kv_list",           CALL_BOTH,   READ,    NULL,         "read",   true,  call_kv_list,
                           A(KV_KEYS), REF | WAITS, "keys that begin with a prefix, in order" },
    ROW(TEMPLATE_BUILD)    = { "template_build",    CALL_HOST,   SUBMIT,  NULL,         "",       true,  call_template_build,
                           A(TEMPLATE), E(TEMPLATE_FAILED) | E(UNSUPPORTED) | E(NOT_FOUND) | WAITS,
                           "runs an init and keeps the warm process to fork from; answers when it is warm" },
    ROW(TEMPLATE_LIST)     = { "template_list",     CALL_HOST,   READ,    NULL,         "",       false, call_template_list,
                           A(TEMPLATES), 0, "lists templates and their versions" },
    ROW(TEMPLATE_REMOVE)   = { "template_remove",   CALL_HOST,   CANCEL,  NULL,         "",       true,  call_template_remove,
                           A(DONE), E(NOT_FOUND) | E(BUSY) | WAITS, "removes a template, or one version" },
    ROW(ASK_CANCEL)        = { "ask_cancel",        CALL_BOTH,   NOTHING, NULL,         "",       false, call_ask_cancel,
                           A(DONE), 0, "takes an open ask back" },
    ROW(BLOB_SEAL)         = { "blob_seal",         CALL_WORKER, NOTHING, NULL,         "",       false, call_blob_seal,
                           A(BLOB_SEALED), 0, "a MAC of a SHA-256, with the store's key and the job's tenant: of bytes that are to come back" },
    ROW(BLOB_CHECK)        = { "blob_check",        CALL_WORKER, NOTHING, NULL,         "",       false, call_blob_check,
                           A(BLOB_CHECKED), 0, "whether a MAC is of this SHA-256, and of the tenant" },
};
/* clang-format on */
const size_t call_rows_count = sizeof(call_rows) / sizeof(call_rows[0]);

const struct call_row *call_row(Pb__Ask__BodyCase which)
{
    return (unsigned)which < call_rows_count && call_rows[which].apply != NULL ? &call_rows[which] : NULL;
}

bool call_may_fail(const struct call_row *row, Pb__CallError error)
{
    return ((row->errors | CALL_ERRORS_ANY) >> error & 1) != 0;
}
