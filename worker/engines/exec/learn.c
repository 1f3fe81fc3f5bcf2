/* learn.c - see learn.h. */
#include "worker/engines/exec/learn.h"
static const struct policy *policy;
void learn_begin(const struct policy *p)
{
    policy = p;
}
bool learn_note(const struct seccomp_data *call)
{
    (void)call;
    return false;
}
void learn_tell(void)
{
}
