/* tiers.c - see tiers.h. */
#include "tiers.h"

#include <stddef.h>
#include <string.h>

const char *const tier_names[TIERS + 1] = { "T0", "T1", "T2", "T3", NULL };

int tier_find(const char *name)
{
    for (int i = 0; name != NULL && i < TIERS; i++)
        if (strcmp(name, tier_names[i]) == 0)
            return i;
    return -1;
}

bool tier_has_namespaces(const char *name)
{
    int tier = tier_find(name);

    return tier == TIER_T0 || tier == TIER_T1;
}
