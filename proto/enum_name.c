/* enum_name.c - see enum_name.h. */
#include "enum_name.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "OnOutputLimit" -> how much of "ON_OUTPUT_LIMIT_KILL" is prefix: its words, with an underscore after each. */
static size_t prefix_len(const char *type, const char *value)
{
    size_t n = 0;

    for (const char *t = type; *t != '\0'; t++) {
        if (isupper((unsigned char)*t) && t != type && value[n++] != '_')
            return 0;
        if (value[n++] != toupper((unsigned char)*t))
            return 0;
    }
    return value[n] == '_' ? n + 1 : 0;
}

char *json_enum_name(const ProtobufCEnumDescriptor *d, int value, char buf[JSON_ENUM_BUF])
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);

    if (v == NULL) {
        snprintf(buf, JSON_ENUM_BUF, "unknown_%d", value);
        return buf;
    }
    snprintf(buf, JSON_ENUM_BUF, "%s", v->name + prefix_len(d->short_name, v->name));
    for (char *p = buf; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return buf;
}

int enum_value(const ProtobufCEnumDescriptor *d, const char *name, int *ret)
{
    char buf[JSON_ENUM_BUF];

    for (unsigned i = 0; i < d->n_values; i++)
        if (strcmp(json_enum_name(d, d->values[i].value, buf), name) == 0) {
            *ret = d->values[i].value;
            return 0;
        }
    return -EINVAL;
}
