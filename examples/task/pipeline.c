/*
 * pipeline.c - generators: words of a text, without those that are short, numbered. Each stage pulls from the one before it.
 *
 *   words -> longer_than -> numbered -> main
 *
 * A generator is a function that returns many times. It runs only while somebody waits for its next word, so no stage runs ahead and
 * nothing is buffered between them: one buffer for each stage is enough, overwritten when the stage is asked again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <coop/task.h>

enum { LINE = 64 };

/* What a stage works with: main's, not the generator's own locals, because others look at it while the generator is parked. */
struct stage {
    coop_gen *source; /* NULL: the first */
    const char *text;
    size_t longer_than;
    char buffer[LINE];
};

/* Gives each word of the text. What travels is an intptr_t: a number, or a pointer, here to the buffer. */
static int words(coop_gen *g, void *arg)
{
    struct stage *s = arg;
    const char *p = s->text;
    int rc = 0;

    while (rc == 0 && *(p += strspn(p, " ")) != '\0') {
        size_t len = strcspn(p, " ");

        snprintf(s->buffer, sizeof(s->buffer), "%.*s", (int)len, p);
        p += len;
        rc = coop_gen_yield(g, (intptr_t)s->buffer, NULL); /* not 0: we are being closed, or the consumer threw an error at us */
    }
    return rc; /* 0 is a normal end; anything else is what the consumer gets instead of -EPIPE */
}

static int longer_than(coop_gen *g, void *arg)
{
    const struct stage *s = arg;
    intptr_t word;
    int rc;

    while ((rc = coop_gen_next(s->source, &word)) == 0)
        if (strlen((const char *)word) > s->longer_than && (rc = coop_gen_yield(g, word, NULL)) != 0)
            return rc;
    return rc == -EPIPE ? 0 : rc; /* -EPIPE: the source has ended, and so do we */
}

/* A word can be sent back as well: the number to go on with. */
static int numbered(coop_gen *g, void *arg)
{
    struct stage *s = arg;
    intptr_t word, from = 1;
    int rc;

    while ((rc = coop_gen_next(s->source, &word)) == 0) {
        intptr_t sent = 0;

        snprintf(s->buffer, sizeof(s->buffer), "%3ld  %s", (long)from++, (const char *)word);
        rc = coop_gen_yield(g, (intptr_t)s->buffer, &sent);
        if (rc != 0)
            return rc;
        if (sent != 0)
            from = sent;
    }
    return rc == -EPIPE ? 0 : rc;
}

static int print_all(coop_gen *last)
{
    intptr_t line;
    int rc = coop_gen_next(last, &line); /* starts it */

    for (int i = 1; rc == 0; i++) {
        printf("%s\n", (const char *)line);
        rc = i == 3 ? coop_gen_send(last, 100, &line) : coop_gen_next(last, &line);
    }
    return rc == -EPIPE ? 0 : rc;
}

int main(void)
{
    struct stage first = { .text = "a generator is a function that returns many times and goes on where it was" };
    struct stage second = { .longer_than = 3 }, third = { NULL };
    coop_gen *all = NULL, *longer = NULL, *last = NULL;
    int rc = coop_init(NULL);

    if (rc != 0)
        return 1;
    rc = coop_gen_new(words, &first, &all);
    second.source = all;
    if (rc == 0)
        rc = coop_gen_new(longer_than, &second, &longer);
    third.source = longer;
    if (rc == 0)
        rc = coop_gen_new(numbered, &third, &last);
    if (rc == 0)
        rc = print_all(last);

    /* Freeing closes one that has not ended: its yield returns -ECANCELED, so that it can tidy up. From the end of the chain on. */
    coop_gen_free(last);
    coop_gen_free(longer);
    coop_gen_free(all);
    return coop_finish() == 0 && rc == 0 ? 0 : 1;
}
