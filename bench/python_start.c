/* python_start.c - bench_python: an empty script from the command line to its end. */
#include <stdio.h>

#include "bench/bench_python.h"

enum { ROUNDS = 100, WARM = 5 };

void py_start_rows(void)
{
    static struct py_samples ours, of_code, plain, no_site;
    char path[PY_PATH];
    const char *const run[] = { py_coop, "--endpoint", host_url, "run", py_script(path, "empty.py"), NULL };
    const char *const code[] = { py_coop, "--endpoint", host_url, "run", "--engine", "python", "-c", "pass", NULL };
    const char *const isolated[] = { PYTHON, "-I", "-c", "pass", NULL };
    const char *const bare[] = { PYTHON, "-I", "-S", "-c", "pass", NULL };
    const struct {
        const char *const *argv;
        struct py_samples *samples;
    } contenders[] = {
        {run,       &ours   },
        { code,     &of_code},
        { isolated, &plain  },
        { bare,     &no_site}
    };

    py_begin("8");
    for (int i = -WARM; i < ROUNDS; i++)
        for (size_t c = 0; c < sizeof(contenders) / sizeof(contenders[0]); c++) {
            double us = py_time(contenders[c].argv);

            if (i >= 0)
                py_add(contenders[c].samples, us);
        }
    host_broker_stop();
    py_row("coop run of an empty script", py_median(&ours), "us", PY_NO_ASK, 0);
    py_row("  against python3 -I -c pass", py_ratio(&ours, &plain), "x", PY_BELOW, 1);
    py_peer("python3 -I -c pass", py_median(&plain), "us", py_median(&ours));
    py_peer("python3 -I -S -c pass", py_median(&no_site), "us", py_median(&ours));
    py_row("coop run -c pass", py_median(&of_code), "us", PY_NO_ASK, 0);
}
