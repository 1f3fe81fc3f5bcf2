/* job_files.c - see job_files.h. */
#include "job_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_caps.h"
#include "job_limits.h"
#include "policy_text.h"
#include "rel_path.h"

enum { SHOWN = 96 };

#define refuse(why, ...) (snprintf((why), JOB_FILES_WHY, __VA_ARGS__), -EINVAL)

/* ---- what is shown ----------------------------------------------------------------------------------------------------------------------- */

/* For a sentence: the name when it is short and harmless, else its beginning, cut between letters, and never a control character. */
static const char *shown(const char *name, char buf[SHOWN + 4])
{
    size_t len = strlen(name);

    if (text_has_control(name))
        return "?";
    if (len <= SHOWN)
        return name;
    for (len = SHOWN; len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80; len--)
        ;
    snprintf(buf, SHOWN + 4, "%.*s...", (int)len, name);
    return buf;
}

/* ---- staged files ------------------------------------------------------------------------------------------------------------------ */

/* As strcmp(), but '/' before every other character: then what lies in a directory follows the directory's own name at once. */
static int by_place(const void *pa, const void *pb)
{
    const unsigned char *a = *(const unsigned char *const *)pa, *b = *(const unsigned char *const *)pb;

    while (*a != '\0' && *a == *b)
        a++, b++;
    return (*a == '/' ? 1 : *a != '\0' ? *a + 1 : 0) - (*b == '/' ? 1 : *b != '\0' ? *b + 1 : 0);
}

static int collisions_check(const char **names, size_t n, char why[JOB_FILES_WHY])
{
    char a[SHOWN + 4], b[SHOWN + 4];

    qsort(names, n, sizeof(*names), by_place);
    for (size_t i = 1; i < n; i++) {
        const char *first = names[i - 1], *second = names[i];
        size_t len = strlen(first);

        if (strncmp(first, second, len) != 0)
            continue;
        if (second[len] == '\0')
            return refuse(why, "two files are named '%s' (the program counts as one); give one another name: HOST:NAME", shown(first, a));
        if (second[len] == '/')
            return refuse(why, "'%s' is a file, and '%s' wants it to be a directory", shown(first, a), shown(second, b));
    }
    return 0;
}

static int file_check(const char *what, const char *name, uint32_t mode, char why[JOB_FILES_WHY])
{
    const char *fault = rel_path_fault(name);
    char buf[SHOWN + 4];

    if (fault != NULL)
        return refuse(why, "the name '%s' of a %s %s; it is one below the work directory", shown(name, buf), what, fault);
    if ((mode & ~0777u) != 0)
        return refuse(why, "%s '%s': the mode %o has more than the bits of reading, writing and executing (777)", what, shown(name, buf),
                      mode);
    return 0;
}

int job_files_check(const Pb__JobSpec *s, char why[JOB_FILES_WHY])
{
    const char *names[LIMITS_STAGED_N + 1];
    uint64_t total = s->source.len;
    size_t n = 0;
    int rc;

    if (s->n_files > LIMITS_STAGED_N) {
        snprintf(why, JOB_FILES_WHY, "the limit 'file count' allows %d, this job has %zu", LIMITS_STAGED_N, s->n_files);
        return -EDQUOT;
    }
    if (s->program[0] == '\0' && (rc = file_check("program", names[n++] = s->source_name, 0, why)) != 0)
        return rc;
    for (size_t i = 0; i < s->n_files; i++) {
        const Pb__StagedFile *f = s->files[i];

        if ((rc = file_check("file", f->name, f->mode, why)) != 0)
            return rc;
        names[n++] = f->name;
        total += f->data.len;
    }
    if (total > LIMITS_STAGED) {
        snprintf(why, JOB_FILES_WHY, "a program and its files may have %u bytes together, this job has %llu", LIMITS_STAGED,
                 (unsigned long long)total);
        return -EDQUOT;
    }
    return collisions_check(names, n, why);
}

/* ---- outputs ----------------------------------------------------------------------------------------------------------------------- */

/* A [ that nothing ends, and a last backslash, could only stand for themselves: never what was meant. As the worker's glob.c reads them. */
static const char *part_fault(const char *p, const char *end)
{
    while (p < end) {
        const char *at = p + 1;

        if (*p == '\\' && at++ == end)
            return "ends with a backslash";
        if (*p == '[') {
            at += at < end && (*at == '!' || *at == '^');
            at = at < end ? memchr(at + 1, ']', (size_t)(end - at - 1)) : NULL;
            if (at++ == NULL)
                return "has a [ without its ] (for the character itself write \\[)";
        }
        p = at;
    }
    return NULL;
}

static const char *glob_fault(const char *glob)
{
    const char *fault = rel_path_fault(glob);

    while (fault == NULL && *glob != '\0') {
        size_t len = strcspn(glob, "/");

        fault = part_fault(glob, glob + len);
        glob += len + (glob[len] == '/');
    }
    return fault;
}

int job_outputs_check(const Pb__JobSpec *s, char why[JOB_FILES_WHY])
{
    if (s->n_outputs > LIMITS_OUTPUT_N) {
        snprintf(why, JOB_FILES_WHY, "the limit 'output count' allows %d, this job has %zu", LIMITS_OUTPUT_N, s->n_outputs);
        return -EDQUOT;
    }
    for (size_t i = 0; i < s->n_outputs; i++) {
        const char *fault = glob_fault(s->outputs[i]);
        char buf[SHOWN + 4];

        if (fault != NULL)
            return refuse(why, "the output '%s' %s; it is a glob below the work directory", shown(s->outputs[i], buf), fault);
    }
    return 0;
}

/* ---- rows -------------------------------------------------------------------------------------------------------------------------- */

_Static_assert((int)POLICY_WHY <= (int)JOB_FILES_WHY && (int)POLICY_TEXT_MAX == (int)LIMITS_POLICY, "sentences and rows fit");

int job_policy_check(const Pb__JobSpec *s, char why[JOB_FILES_WHY])
{
    struct policy_text rows;
    int rc;

    if (s->policy[0] == '\0')
        return 0;
    if (strlen(s->policy) > LIMITS_POLICY) {
        snprintf(why, JOB_FILES_WHY, "the limit 'policy' allows %u bytes, this job has %zu", LIMITS_POLICY, strlen(s->policy));
        return -EDQUOT;
    }
    rc = policy_text_check(s->policy, job_has_cap(s, "net") ? POLICY_NET_LOOPBACK : 0, &rows, why);
    if (rc == 0)
        policy_text_finish(&rows);
    return rc;
}
