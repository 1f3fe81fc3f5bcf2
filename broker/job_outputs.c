/* job_outputs.c - see job_outputs.h. */
#include "broker/job_outputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rel_path.h"

enum { MODE_BITS = 0777, FILES_FIRST = 16 }; /* no set-uid bit leaves a sandbox */

void outputs_init(struct job_outputs *o, int dir_fd, const char *job, uint64_t cap)
{
    *o = (struct job_outputs){ 0 };
    spool_init(&o->spool, dir_fd, job, OUTPUTS_STREAM, cap);
}

void outputs_init_new(struct job_outputs *o, int dir_fd, const char *job, uint64_t cap)
{
    *o = (struct job_outputs){ 0 };
    spool_init_new(&o->spool, dir_fd, job, OUTPUTS_STREAM, cap);
}

static int has_name(const struct job_outputs *o, const char *name)
{
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->files[i].name, name) == 0)
            return 1;
    return 0;
}

static int check_first(const struct job_outputs *o, const Pb__Collected *c)
{
    if (o->count >= OUTPUTS_MAX || rel_path_fault(c->name) != NULL || (c->mode & ~(uint32_t)MODE_BITS) != 0 || has_name(o, c->name))
        return -EPROTO;
    return c->size <= o->spool.cap - o->spool.len ? 0 : -EPROTO; /* past the credit that Assign gave */
}

int outputs_check(const struct job_outputs *o, const Pb__Collected *c)
{
    uint64_t size = o->name != NULL ? o->size : c->size, left = o->name != NULL ? o->size - (o->spool.len - o->begin) : c->size;

    if (o->name == NULL && check_first(o, c) != 0)
        return -EPROTO;
    if (o->name != NULL && (c->name[0] != '\0' || c->mode != 0 || c->size != 0))
        return -EPROTO;
    if (c->data.len > left || (c->data.len == 0 && size > 0))
        return -EPROTO;
    return (c->last != 0) == (c->data.len == left) ? 0 : -EPROTO;
}

static int open_file(struct job_outputs *o, const Pb__Collected *c)
{
    if ((o->count & (o->count - 1)) == 0 && (o->count == 0 || o->count >= FILES_FIRST)) { /* full: 16, 32, 64, ... */
        size_t room = o->count == 0 ? FILES_FIRST : o->count * 2;
        Pb__OutputFile *more = realloc(o->files, room * sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        o->files = more;
    }
    o->name = strdup(c->name);
    if (o->name == NULL)
        return -ENOMEM;
    o->mode = c->mode;
    o->size = c->size;
    o->begin = o->spool.len;
    SHA256Init(&o->sha);
    return 0;
}

static int close_whole(struct job_outputs *o)
{
    Pb__OutputFile *f = &o->files[o->count];
    char hex[SHA256_DIGEST_STRING_LENGTH];

    pb__output_file__init(f);
    f->sha256 = strdup(SHA256End(&o->sha, hex));
    if (f->sha256 == NULL)
        return -ENOMEM;
    f->name = o->name;
    f->bytes = o->size;
    f->mode = o->mode;
    o->name = NULL;
    o->count++;
    return 0;
}

int outputs_take(struct job_outputs *o, const Pb__Collected *c)
{
    int rc = o->name == NULL ? open_file(o, c) : 0;

    if (rc == 0)
        rc = spool_append(&o->spool, c->data.data, c->data.len);
    if (rc == 0)
        SHA256Update(&o->sha, c->data.data, c->data.len);
    if (rc == 0 && c->last)
        rc = close_whole(o);
    if (rc != 0)
        outputs_close(o);
    return rc;
}

void outputs_close(struct job_outputs *o)
{
    if (o->name == NULL)
        return;
    free(o->name);
    o->name = NULL;
    spool_cut(&o->spool, o->begin);
}

static void drop_files(struct job_outputs *o)
{
    for (size_t i = 0; i < o->count; i++) {
        free(o->files[i].name);
        free(o->files[i].sha256);
    }
    free(o->files);
    free(o->name);
    o->files = NULL;
    o->name = NULL;
    o->count = 0;
}

void outputs_reset(struct job_outputs *o)
{
    drop_files(o);
    spool_reset(&o->spool);
}

void outputs_finish(struct job_outputs *o)
{
    drop_files(o);
    spool_finish(&o->spool);
}

const Pb__OutputFile *outputs_find(Pb__OutputFile *const *files, size_t count, const char *name, uint64_t *ret_begin)
{
    uint64_t begin = 0;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(files[i]->name, name) == 0) {
            *ret_begin = begin;
            return files[i];
        }
        begin += files[i]->bytes;
    }
    return NULL;
}
