/* py_host.c - see py_host.h. */
#include "tests/support/py_host.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/support.h"

#define PYTHON "/usr/bin/python3.11"

/* As start.c loads it; then the file runs as a script. */
static const char load_module[] = "import sys, _imp\n"
                                  "from _frozen_importlib import ModuleSpec\n"
                                  "spec = ModuleSpec('coop_python', None, origin=sys.argv[1])\n"
                                  "module = _imp.create_dynamic(spec)\n"
                                  "_imp.exec_dynamic(module)\n"
                                  "module.tasklets()\n"
                                  "import runpy\n"
                                  "sys.argv = sys.argv[2:]\n"
                                  "sys.path.insert(0, '" PY_ROWS "')\n"
                                  "runpy.run_path(sys.argv[0], run_name='__main__')\n";

struct proc *py_host(const char *const *words)
{
    const char *argv[40] = { PYTHON, "-X", "utf8", "-B", "-c", load_module, support_program("coop_python.so") };
    size_t n = 7;

    for (; *words != NULL; words++) {
        assert(n < sizeof(argv) / sizeof(argv[0]) - 1);
        argv[n++] = *words;
    }
    return proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, argv);
}

bool py_host_is_here(void)
{
    if (access(support_program("coop_python.so"), R_OK) == 0)
        return true;
    printf("skipped: the engine python is not built here\n");
    return false;
}
