/* tenant_name.c - what a tenant may be called, and what it may weigh; see tenants.h. Pure: the store asks it of rows, too. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/tenants.h"

static bool is_name_byte(unsigned char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (!first && (c == '-' || c == '_' || c == '.'));
}

int tenant_check_name(const char *name, char why[TENANT_WHY])
{
    size_t n = strlen(name);
    bool good = n > 0 && n <= TENANT_NAME;

    for (size_t i = 0; good && i < n; i++)
        good = is_name_byte((unsigned char)name[i], i == 0);
    if (good)
        return 0;
    snprintf(why, TENANT_WHY, "a tenant's name has 1 to %d letters, digits, '-', '_' and '.', and begins with a letter or a digit",
             TENANT_NAME);
    return -EINVAL;
}

bool tenant_weight_ok(double weight)
{
    return weight >= TENANT_WEIGHT_MIN && weight <= TENANT_WEIGHT_MAX; /* false for a NaN */
}
