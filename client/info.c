/* info.c - see info.h. */
#include "client/info.h"

#include "client/start.h"

#define COPY(field) into->field = l->field

void limits_of_pb(struct coop_limits *into, const Pb__Limits *l)
{
    memset(into, 0, sizeof(*into));
    if (l == NULL)
        return;
    COPY(cpu_us);
    COPY(wall_us);
    COPY(idle_us);
    COPY(memory_bytes);
    COPY(stdout_bytes);
    COPY(stderr_bytes);
    COPY(tasklets);
    COPY(threads);
    COPY(pids);
    COPY(files);
    COPY(file_bytes);
    COPY(disk_bytes);
    COPY(inodes);
    COPY(result_bytes);
}

void job_of_pb(struct coop_job_info *into, const Pb__JobStatus *s)
{
    memset(into, 0, sizeof(*into));
    if (s == NULL)
        return;
    PUT(into->id, s->id);
    PUT(into->name, s->name);
    PUT(into->engine, s->engine);
    into->state = (enum coop_job_state)s->state;
    text_put_enum(into->cause, sizeof(into->cause), &pb__cause__descriptor, "CAUSE_", (int)s->cause);
    PUT(into->cause_detail, s->cause_detail);
    PUT(into->reason, s->reason);
    into->attempt = s->attempt;
    into->exit_code = s->exit_code;
    into->submitted_us = s->submitted_us;
    into->elapsed_us = s->elapsed_us;
    into->cpu_us = s->cpu_us;
    into->mem_bytes = s->mem_bytes;
    into->stdout_bytes = s->stdout_bytes;
    into->stderr_bytes = s->stderr_bytes;
    into->interp = s->interp;
}
