/* rel_path.c - see rel_path.h. */
#include "rel_path.h"

#include <stddef.h>
#include <string.h>

bool text_has_control(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0))
            return true;
    return false;
}

static const char *component_fault(const char *name, size_t len)
{
    if (len == 0)
        return "has an empty component";
    if (len == 1 && name[0] == '.')
        return "has a component '.'";
    if (len == 2 && name[0] == '.' && name[1] == '.')
        return "has a component '..'";
    return len > REL_NAME_MAX ? "has a component of more than 255 bytes" : NULL;
}

const char *rel_path_fault(const char *path)
{
    const char *fault = NULL, *at = path;

    if (*path == '\0')
        return "is empty";
    if (*path == '/')
        return "is not relative";
    if (strlen(path) > REL_PATH_MAX)
        return "has more than 1024 bytes";
    if (text_has_control(path))
        return "has a control character";
    while (fault == NULL && at != NULL) {
        fault = component_fault(at, strcspn(at, "/"));
        at = strchr(at, '/');
        at = at != NULL ? at + 1 : NULL;
    }
    return fault;
}
