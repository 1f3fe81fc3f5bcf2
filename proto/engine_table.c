/* engine_table.c - see engine_table.h. */
#include "engine_table.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/*
 * Spare workers: a script is a matter of milliseconds, and what makes it wait is the fork, so Lua has as many as --pool says. A native job
 * has been compiled and is loaded before it begins; one spare takes the fork and the seal out of the way of those that come one after
 * another, and several would hold memory for an engine that most brokers use now and then.
 */
/* clang-format off */
/* The second has Debian's packages in memory too (dist-packages): a zygote of its own, so that nobody else pays for them. */
#define PYTHON_JOBS \
    .is_text = true, .may_be_empty = true, .has_modules = true, .opens_modules = true, .on_demand = true, .seed = "PYTHONHASHSEED", .may_exit = true, \
    .has_templates = true, .names_errors = true, \
    .threads_max = 64, .spares_max = UINT_MAX, .refill_us = 3000
const struct engine_row engine_table[ENGINE_COUNT] = {
    [ENGINE_LUA]    = { .name = "lua",    .ending = ".lua", .interpreter = "lua",  .bytecode = "\033Lua",
                        .is_text = true,  .has_modules = true, .own_allocator = true, .has_templates = true,
                        .threads_max = 1, .spares_max = UINT_MAX, .refill_us = 1000 },
    [ENGINE_NATIVE] = { .name = "native", .ending = ".so",  .magic = "\177ELF",
                        .on_demand = true, .may_exit = true,
                        .threads_max = 64, .spares_max = 1, .refill_us = 1000 },
    [ENGINE_EXEC]   = { .name = "exec", .runs_programs = true, .on_demand = true, .threads_max = 1, .spares_max = UINT_MAX,
                        .refill_us = 5000 },
    [ENGINE_PYTHON]   = { .name = "python", .ending = ".py", .interpreter = "python", PYTHON_JOBS },
    [ENGINE_PACKAGES] = { .name = "python-packages", .instead_of = "python", PYTHON_JOBS },
};
/* clang-format on */

const char *const engine_names[ENGINE_COUNT + 1] = { "lua", "native", "exec", "python", "python-packages", NULL };

char *engine_list(char buf[ENGINE_LIST])
{
    size_t used = 0;

    for (int i = 0; i < ENGINE_COUNT && used < ENGINE_LIST; i++)
        if (engine_table[i].instead_of == NULL)
            used += (size_t)snprintf(buf + used, ENGINE_LIST - used, "%s%s", i > 0 ? ", " : "", engine_table[i].name);
    return buf;
}

int engine_find(const char *name)
{
    for (int i = 0; i < ENGINE_COUNT; i++)
        if (strcmp(engine_table[i].name, name) == 0)
            return i;
    return -1;
}
