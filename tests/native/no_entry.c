/* no_entry.c - a shared object that is no job: it has another function. */
int coop_task_of_mine(void);
int coop_task_of_mine(void)
{
    return 1;
}
