/* broker_user.c - see broker_user.h. */
#include "broker_user.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct id_range broker_ranges[] = {
    {1879100000, 65536},
    { 65000,     534  },
    { 0,         0    }
};

bool ids_exist(const char *map, uint32_t first, uint32_t count)
{
    FILE *f = fopen(map, "re");
    unsigned long inside, outside, length;
    bool found = false;

    if (f == NULL)
        return false;
    while (!found && fscanf(f, "%lu %lu %lu", &inside, &outside, &length) == 3)
        found = first >= inside && (uint64_t)first + count <= (uint64_t)inside + length;
    (void)fclose(f);
    return found;
}

const struct id_range *broker_range_find(const char *map)
{
    for (const struct id_range *r = broker_ranges; r->count != 0; r++)
        if (ids_exist(map, r->first, r->count))
            return r;
    return NULL;
}

static int from_passwd(const struct passwd *pw, struct broker_user *ret)
{
    if (pw->pw_uid == 0 || pw->pw_gid == 0)
        return -EINVAL;
    ret->uid = pw->pw_uid;
    ret->gid = pw->pw_gid;
    snprintf(ret->name, sizeof(ret->name), "%s", pw->pw_name);
    return 0;
}

/* A number needs no entry anywhere; (uid_t)-1 means "leave it" to the kernel and is nobody's. */
static int from_number(const char *text, struct broker_user *ret)
{
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] < '0' || text[0] > '9' || n >= UINT32_MAX)
        return -ENOENT;
    if (n == 0)
        return -EINVAL;
    ret->uid = (uid_t)n;
    ret->gid = (gid_t)n;
    snprintf(ret->name, sizeof(ret->name), "%lu", n);
    return 0;
}

static int by_name(const char *name, struct broker_user *ret)
{
    const struct passwd *pw = getpwnam(name);

    return pw != NULL ? from_passwd(pw, ret) : from_number(name, ret);
}

int broker_user_find(const char *wanted, const struct id_range *range, struct broker_user *ret)
{
    char number[16];

    if (wanted == NULL || wanted[0] == '\0')
        wanted = getenv("COOP_USER");
    if (wanted != NULL && wanted[0] != '\0')
        return by_name(wanted, ret);
    if (by_name(BROKER_USER, ret) == 0)
        return 0;
    if (range == NULL)
        return -ENOENT;
    snprintf(number, sizeof(number), "%u", range->first);
    return from_number(number, ret);
}

bool broker_user_may_be(uid_t uid)
{
    struct broker_user u;

    if (broker_user_find(NULL, NULL, &u) == 0 && u.uid == uid)
        return true;
    for (const struct id_range *r = broker_ranges; r->count != 0; r++)
        if (r->first == uid)
            return true;
    return false;
}
