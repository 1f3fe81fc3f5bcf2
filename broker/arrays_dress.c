/* arrays_dress.c - a task's spec is its array's, and what makes it its own; see arrays.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays.h"
#include "broker/waiting.h"

int arrays_dress(const struct waiting *task, Pb__JobSpec *spec, struct array_dress *d)
{
    char *names[] = { (char *)"COOP_ARRAY_ID", (char *)"COOP_ARRAY_INDEX" };
    char *values[] = { d->id, d->index };

    d->env = NULL;
    if (task == NULL || task->array == NULL)
        return 0;
    d->env = calloc(spec->n_env + 2, sizeof(*d->env));
    if (d->env == NULL)
        return -ENOMEM;
    memcpy(d->id, task->array->row.id, sizeof(d->id));
    snprintf(d->index, sizeof(d->index), "%llu", (unsigned long long)task->array_index);
    if (spec->n_env > 0) /* behind ours: a program takes the first of a name */
        memcpy(d->env + 2, spec->env, spec->n_env * sizeof(*d->env));
    for (int i = 0; i < 2; i++) {
        pb__env_var__init(&d->vars[i]);
        d->vars[i].name = names[i];
        d->vars[i].value = (ProtobufCBinaryData){ strlen(values[i]), (uint8_t *)values[i] };
        d->env[i] = &d->vars[i];
    }
    spec->env = d->env;
    spec->n_env += 2;
    spec->array_id = d->id;
    spec->array_index = task->array_index;
    return 0;
}

void arrays_undress(struct array_dress *d)
{
    free(d->env);
    d->env = NULL;
}
