/* place.c - see place.h. */
#include "worker/place.h"

#include <link.h>
#include <stdio.h>
#include <string.h>

#include "worker/engine.h"
#include "worker/task/sched.h"

enum { FILES = 32, NAME = 256 };

static struct {
    char name[NAME];
    uintptr_t begin, low, high; /* begin: what offsets are from */
} files[FILES];
static size_t file_count;

static int note(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    if (file_count == FILES)
        return 1;
    files[file_count].low = UINTPTR_MAX;
    files[file_count].high = 0;
    files[file_count].begin = info->dlpi_addr;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + p->p_vaddr;

        if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0)
            continue;
        if (at < files[file_count].low)
            files[file_count].low = at;
        if (at + p->p_memsz > files[file_count].high)
            files[file_count].high = at + p->p_memsz;
    }
    outcome_text(files[file_count].name, NAME, info->dlpi_name, strlen(info->dlpi_name));
    if (files[file_count].name[0] == '\0') /* the program itself */
        memcpy(files[file_count].name, "coop-worker", sizeof("coop-worker"));
    file_count++;
    return 0;
}

void place_learn(void)
{
    if (file_count == 0)
        dl_iterate_phdr(note, NULL);
}

const char *place_of(uintptr_t address, uintptr_t *ret_offset)
{
    for (size_t i = 0; i < file_count; i++)
        if (address >= files[i].low && address < files[i].high) {
            *ret_offset = address - files[i].begin;
            return files[i].name;
        }
    return NULL;
}

/* Without stdio: the stack is a signal handler's, and the heap may be anything by now. */
static size_t add_number(char *buf, size_t size, uint64_t n)
{
    char digits[20];
    size_t count = 0, len = 0;

    do
        digits[count++] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    while (count > 0 && len + 1 < size)
        buf[len++] = digits[--count];
    buf[len] = '\0';
    return len;
}

const char *place_who(char *buf, size_t size)
{
    static const char word[] = "tasklet ";
    const coop_task *t = sched != NULL ? sched->current : NULL;
    char name[4 * TASK_NAME + 1];
    size_t len = sizeof(word) - 1;

    if (t == NULL)
        return "";
    if (t == &sched->main)
        return "main";
    memcpy(buf, word, len);
    len += add_number(buf + len, size - len, t->id);
    outcome_text(name, sizeof(name), t->name, strnlen(t->name, sizeof(t->name)));
    if (name[0] != '\0' && len + strlen(name) + 4 <= size) {
        buf[len++] = ' ';
        buf[len++] = '(';
        memcpy(buf + len, name, strlen(name));
        len += strlen(name);
        buf[len++] = ')';
        buf[len] = '\0';
    }
    return buf;
}
