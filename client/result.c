/* result.c - what is in a result is given back. */
#include <stdlib.h>
#include <string.h>

#include <coop/client.h>

void coop_result_free(struct coop_result *r)
{
    switch (r->type) {
    case COOP_RESULT_JOBS: free(r->jobs.items); break;
    case COOP_RESULT_RECEIPT: coop_receipt_free(r->receipt); break;
    case COOP_RESULT_LOG: coop_log_free(&r->log); break;
    case COOP_RESULT_BYTES: free(r->bytes.at); break;
    case COOP_RESULT_HANDLES: coop_handle_list_free(&r->handles); break;
    case COOP_RESULT_INTERPS: free(r->interps.items); break;
    case COOP_RESULT_CALL: coop_val_free(r->call.value); break;
    case COOP_RESULT_ITEMS: coop_items_free(&r->items); break;
    case COOP_RESULT_QUEUES: free(r->queues.items); break;
    case COOP_RESULT_BUFFER: coop_buffer_unmap(&r->buffer); break;
    case COOP_RESULT_INVOCATION: coop_invocation_free(&r->invocation); break;
    case COOP_RESULT_KEYS: coop_keys_free(&r->keys); break;
    case COOP_RESULT_ALIAS_CALLS: free(r->alias_calls.items); break;
    case COOP_RESULT_TEMPLATES: free(r->templates.items); break;
    default: break; /* nothing but plain data */
    }
    memset(r, 0, sizeof(*r));
}
