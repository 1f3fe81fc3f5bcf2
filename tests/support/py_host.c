/* py_host.c - see py_host.h. */
#include "tests/support/py_host.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(COOP_ASAN)
#include <dlfcn.h>
#include <sanitizer/asan_interface.h>
#include <stdint.h>
#endif

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

/*
 * A build with AddressSanitizer brings its runtime along, as the worker does (worker/engines/python/start.c). It keeps what is freed for a while, but where
 * what a process holds is measured.
 */
#if defined(COOP_ASAN)
static const char *const *surroundings(const char *script)
{
    static const char *env[3];
    Dl_info runtime;

    assert(dladdr((const void *)(uintptr_t)__asan_poison_memory_region, &runtime) != 0);
    env[0] = support_text("LD_PRELOAD=%s", runtime.dli_fname);
    env[1] = support_text("ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1%s",
                          strstr(script, "leaks") != NULL ? ":quarantine_size_mb=0" : "");
    return env;
}
#else
static const char *const *surroundings(const char *script)
{
    (void)script;
    return NULL;
}
#endif

struct proc *py_host(const char *const *words)
{
    const char *argv[40] = { PYTHON, "-X", "utf8", "-B", "-c", load_module, support_program("coop_python.so") };
    const char *script = words[0];
    size_t n = 7;

    for (; *words != NULL; words++) {
        assert(n < sizeof(argv) / sizeof(argv[0]) - 1);
        argv[n++] = *words;
    }
    return proc_start(&(struct proc_how){ .in = PROC_IN_NULL, .env = surroundings(script) }, argv);
}

bool py_host_is_here(void)
{
    if (access(support_program("coop_python.so"), R_OK) == 0)
        return true;
    printf("skipped: the engine python is not built here\n");
    return false;
}
