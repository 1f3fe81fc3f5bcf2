/*
 * buffers.h - memory that interpreters and host programs hand to each other without copying it: made and sealed by the broker, held by handles.
 *
 * Side:    broker. Who has a descriptor may be hostile.
 * Life:    made writable for one holder, who fills it; sealed, which the kernel refuses as long as it is mapped for writing anywhere, and after which
 *          nobody can write to it by any descriptor or mapping, for good; only then it may be handed over. It ends with its last handle, also one
 *          that lies in a queue; who has it mapped keeps the pages.
 * Bounded: BUFFER_BYTES_MAX each; of a job what its capability says, and its memory limit; in all BUFFERS_BYTES, or half of the machine's memory;
 *          BUFFERS_MAX of them, each with a descriptor of the broker's. They count from when they are made, for whoever made them, as long as
 *          that one lives, and in all until they end.
 */
#ifndef BROKER_BUFFERS_H
#define BROKER_BUFFERS_H

#include <stdint.h>

#include "broker/asks.h"

#define BUFFER_BYTES_MAX (256ull << 20) /* sealing takes some 13 us a MiB, and everybody waits for it */
#define BUFFERS_BYTES    (4ull << 30)
#define BUFFERS_MAX      4096u
#define BUFFERS_OF_ONE   1024u /* that one asker has made and that have not ended */
#define BUFFERS_UNREAD   128u  /* descriptors on their way to one asker */

/* Of a broker. */
struct buffers {
    unsigned count;
    uint64_t bytes;
};

/* How many there may be, and how many bytes of them, in all. */
unsigned buffers_most(void);
uint64_t buffers_most_bytes(void);

/* What an asker has made is nobody's now. */
void buffers_on_asker_end(struct asker *a);

#endif
