/*
 * program.h - finds a job's program, and says in words why one cannot be run.
 *
 * Side: worker, in the child that is to become the program, sealed as it: init itself never looks into a tenant's file.
 */
#ifndef WORKER_ENGINES_EXEC_PROGRAM_H
#define WORKER_ENGINES_EXEC_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

enum { PROGRAM_TYPE = 32, PROGRAM_WHY = 1024 };
enum { PROGRAM_NOT_RUNNABLE = 126, PROGRAM_NOT_FOUND = 127 };

/* Why it cannot be run. Constant texts and names as they are on disk: any bytes. */
struct program_fault {
    int exit_code; /* PROGRAM_NOT_... */
    char type[PROGRAM_TYPE];
    char why[PROGRAM_WHY];
};

/*
 * Where the program is: a name with a slash is a path, and stays; any other is looked for in path_list, as a shell does. 0, or -ENOENT or
 * -EACCES with *ret_f.
 */
int program_find(const char *name, const char *path_list, char ret_path[PATH_MAX], struct program_fault *ret_f);

/* Why execve() of path, which runs nothing yet, failed with this errno. */
void program_explain(const char *path, int error, struct program_fault *ret_f);

/*
 * Whether it says that it needs a library that is in none of the places where libc's loader looks; its name goes into ret_f. Only those are
 * judged that say nothing of other places to look in.
 */
bool program_lacks_library(const char *path, struct program_fault *ret_f);

#endif
