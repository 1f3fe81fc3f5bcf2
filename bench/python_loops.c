/* python_loops.c - bench_python: loops that compute, in a job and by python3; and two jobs at once. */
#include <stdio.h>

#include "bench/bench_python.h"

/* ---- loops -------------------------------------------------------------------------------------------------------------------------- */

static const char *const loops[] = { "nbody", "richards", "words", "json", "fib", "queens" };
enum { LOOPS = sizeof(loops) / sizeof(loops[0]), PAIRS = 5, LOOP_ROUNDS = 9, CORE_ROUNDS = 9 };
static const char *const with_serve[] = { "serve.py", NULL };

/* Each pair of processes has memory laid out, and strings hashed, in another way, which matters by a percent or two: so several pairs,
 * and the job's of another zygote each time. */
static void one_pair(struct py_samples sealed[LOOPS], struct py_samples plain[LOOPS])
{
    struct py_answerer job, python;

    py_begin("2");
    if (!py_answerer_sealed(&job, "loops.py", with_serve) || !py_answerer_plain(&python, "loops.py", NULL))
        host_die("loops.py", -5);
    for (int i = 0; i < LOOP_ROUNDS; i++)
        for (int l = 0; l < LOOPS; l++) {
            bool job_first = (i & 1) != 0;
            double a = py_ask(job_first ? &job : &python, loops[l]), b = py_ask(job_first ? &python : &job, loops[l]);

            py_add(&sealed[l], job_first ? a : b);
            py_add(&plain[l], job_first ? b : a);
        }
    py_answerer_end(&job);
    py_answerer_end(&python);
    host_broker_stop();
}

void py_loops_rows(void)
{
    static struct py_samples sealed[LOOPS], plain[LOOPS], all;
    char name[64];

    for (int i = 0; i < PAIRS; i++)
        one_pair(sealed, plain);
    for (int l = 0; l < LOOPS; l++) {
        double ratio = py_ratio(&sealed[l], &plain[l]);

        snprintf(name, sizeof(name), "%s in a job", loops[l]);
        py_row(name, py_median(&sealed[l]), "us", PY_NO_ASK, 0);
        py_peer("by python3", py_median(&plain[l]), "us", py_median(&sealed[l]));
        py_add(&all, ratio);
    }
    py_row("a job's time against python3's, median of the loops", 100 * (py_median(&all) - 1), "%", PY_AT_MOST, 1);
    py_row("  the loop that loses most", 100 * (py_at(&all, 1) - 1), "%", PY_NO_ASK, 0);
}

/* ---- two cores ----------------------------------------------------------------------------------------------------------------------- */

/* What two do in the time of one: 2 is all of two cores. Some 200 ms each: what an answer takes on its way is not what is measured. */
static double gain(struct py_answerer p[2])
{
    double alone = py_ask(&p[0], "spin 24"), start = host_now_us(), both;

    py_say(&p[0], "spin 24");
    py_say(&p[1], "spin 24");
    (void)py_hear(&p[0]);
    (void)py_hear(&p[1]);
    both = host_now_us() - start;
    return (alone + py_ask(&p[1], "spin 24")) / both;
}

void py_cores_rows(void)
{
    static struct py_samples jobs, plain;
    struct py_answerer job[2], python[2];

    py_begin("4");
    for (int i = 0; i < 2; i++)
        if (!py_answerer_sealed(&job[i], "loops.py", with_serve) || !py_answerer_plain(&python[i], "loops.py", NULL))
            host_die("loops.py", -5);
    for (int i = 0; i < CORE_ROUNDS; i++) {
        py_add(&jobs, gain(job));
        py_add(&plain, gain(python));
    }
    for (int i = 0; i < 2; i++) {
        py_answerer_end(&job[i]);
        py_answerer_end(&python[i]);
    }
    host_broker_stop();
    py_row("two jobs", py_median(&jobs), "x", PY_AT_LEAST, 1.9);
    py_peer("two processes of python3", py_median(&plain), "x", py_median(&jobs));
}
