/*
 * spool.h - the output of one stream of one job while it runs, or the files collected from it: the first bytes in memory, the rest in a file.
 *
 * Side:    broker. The bytes are the job's own words: never interpreted here.
 * Owned:   the caller's struct; spool_finish() closes what is open. The broker's memory stays below SPOOL_MEMORY bytes a stream.
 * Returns: 0 or -errno of the file system (-ENOSPC, -EIO).
 */
#ifndef BROKER_SPOOL_H
#define BROKER_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#define SPOOL_MEMORY  (64u << 10)
#define SPOOL_STREAMS 3

struct spool {
    int dir_fd;       /* borrowed: the directory for files */
    char name[64];    /* of the file: "<job>." and an ending, by stream */
    uint64_t cap;     /* bytes kept at most */
    uint64_t len;     /* bytes kept */
    uint64_t refused; /* bytes offered past the cap */
    uint8_t *memory;  /* all of it while len <= SPOOL_MEMORY, else NULL */
    size_t memory_cap;
    int fd; /* the file once it exists, else -1 */
};

/* dir_fd must outlive the spool. stream: 0 stdout, 1 stderr, 2 collected outputs. A file of this name, left by an attempt before, is removed. */
void spool_init(struct spool *s, int dir_fd, const char *job, int stream, uint64_t cap);
/* The same of a job that has never run: there is no such file. */
void spool_init_new(struct spool *s, int dir_fd, const char *job, int stream, uint64_t cap);
/* Keeps as much as the cap allows, counts the rest as refused. On a short or failed write nothing of this call is kept. */
int spool_append(struct spool *s, const void *bytes, size_t len);
/* Makes room on the disk by letting go of the last bytes that were kept (they count as refused); nothing when there is no file. */
void spool_give_back(struct spool *s, uint64_t bytes);
/* The disk has lost some of it, nobody knows which: all of it counts as refused, and the file is removed. */
void spool_lose(struct spool *s);
/* Forgets what lies behind the first len bytes; nothing when it has fewer. */
void spool_cut(struct spool *s, uint64_t len);
/* Copies at most max bytes from offset into buf; *ret_len 0 when offset is at or past the end. */
int spool_read(const struct spool *s, uint64_t offset, void *buf, size_t max, size_t *ret_len);
/* Gives the memory away (malloc'd, caller frees) when the stream is small; *ret_bytes NULL and *ret_len 0 otherwise.
 * len and refused stay, for the receipt; after it reads give nothing and appends -EBADF, until spool_reset(). */
void spool_take_memory(struct spool *s, uint8_t **ret_bytes, size_t *ret_len);
/* Starts again from nothing (a new attempt): the file is removed. */
void spool_reset(struct spool *s);
void spool_finish(struct spool *s); /* the file stays: it is the job's output from now on */

/* Reads the file of a job that has ended. -ENOENT: it has none (its output is in the store, or it printed nothing). */
int spool_read_file(int dir_fd, const char *job, int stream, uint64_t offset, void *buf, size_t max, size_t *ret_len);
/* Removes each file of a job that known() does not know (0); other names are left alone. */
void spool_sweep(int dir_fd, int (*known)(void *ctx, const char *job), void *ctx);
void spool_remove_file(int dir_fd, const char *job, int stream);

#endif
