/*
 * late_close.h - closes descriptors whose end costs time, in a thread of its own: the last one of a file in memory frees its pages, some 0.2 ms a MiB.
 *
 * Side:    broker. The thread does nothing else, and knows nothing of the broker.
 * Threads: late_close() and late_close_finish() are the main thread's.
 */
#ifndef BROKER_LATE_CLOSE_H
#define BROKER_LATE_CLOSE_H

/* Soon; at once, when there can be no thread or it is far behind. */
void late_close(int fd);
/* Waits until all are closed. Harmless when there were none. */
void late_close_finish(void);

#endif
