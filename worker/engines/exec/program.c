/* program.c - see program.h. */
#include "worker/engines/exec/program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/engines/exec/image.h"

enum { SCRIPTS_DEEP = 5 }; /* an interpreter may be a script: the kernel follows so many */

#define SHOWN "the sandbox shows the system's own directories, and of the job's files those that were given to it"

__attribute__((format(printf, 4, 5))) static int fault(struct program_fault *f, int error, const char *type, const char *format, ...)
{
    va_list ap;

    f->exit_code = error == -ENOENT ? PROGRAM_NOT_FOUND : PROGRAM_NOT_RUNNABLE;
    snprintf(f->type, sizeof(f->type), "%s", type);
    va_start(ap, format);
    vsnprintf(f->why, sizeof(f->why), format, ap);
    va_end(ap);
    return error;
}

/* ---- where it is --------------------------------------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Keeps the first that is there but cannot be run: it is what its author meant. */
static void note_unrunnable(const char *path, char *first)
{
    struct stat st;

    if (first[0] == '\0' && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        snprintf(first, PATH_MAX, "%s", path);
}

int program_find(const char *name, const char *path_list, char ret_path[PATH_MAX], struct program_fault *ret_f)
{
    char unrunnable[PATH_MAX] = "";
    const char *at = path_list;

    if (strchr(name, '/') != NULL) {
        if ((size_t)snprintf(ret_path, PATH_MAX, "%s", name) >= PATH_MAX)
            return fault(ret_f, -EACCES, "NotRunnable", "the program's path is longer than %d bytes", PATH_MAX - 1);
        return 0;
    }
    for (;;) {
        int len = (int)strcspn(at, ":");

        if ((size_t)snprintf(ret_path, PATH_MAX, "%.*s%s%s", len, at, len > 0 ? "/" : "./", name) < PATH_MAX) {
            if (is_program(ret_path))
                return 0;
            note_unrunnable(ret_path, unrunnable);
        }
        if (at[len] == '\0')
            break;
        at += len + 1;
    }
    if (unrunnable[0] != '\0')
        return fault(ret_f, -EACCES, "NotExecutable", "%.300s: found as %.300s, which is not executable", name, unrunnable);
    return fault(ret_f, -ENOENT, "NotFound", "%.300s: not found in the sandbox's PATH (%.300s)", name, path_list);
}

/* ---- why it cannot be run ------------------------------------------------------------------------------------------------------ */

static void explain_missing_file(const char *path, struct program_fault *f)
{
    char target[512];
    ssize_t n = readlink(path, target, sizeof(target) - 1);

    if (n > 0)
        fault(f, -ENOENT, "NotFound", "%.300s: is a symbolic link to %.*s, which is not there; " SHOWN, path, (int)n, target);
    else
        fault(f, -ENOENT, "NotFound", "%.300s: not found; " SHOWN, path);
}

static void explain_missing_interpreter(const char *path, const struct image *im, struct program_fault *f)
{
    size_t n = strlen(im->interpreter);

    if (im->kind == IMAGE_SCRIPT && n > 0 && im->interpreter[n - 1] == '\r')
        fault(f, -ENOENT, "NoInterpreter", "%.300s: its #! line ends with a carriage return: the file has the line ends of DOS", path);
    else if (im->kind == IMAGE_SCRIPT)
        fault(f, -ENOENT, "NoInterpreter", "%.300s: its interpreter %.300s, named in its #! line, is not there; " SHOWN, path,
              im->interpreter);
    else
        fault(f, -ENOENT, "NoInterpreter", "%.300s: its loader %.300s is not there: it is linked for another system's C library", path,
              im->interpreter);
}

static void explain_not_found(const char *path, struct program_fault *f)
{
    char at[PATH_MAX];
    struct image im;
    struct stat st;

    snprintf(at, sizeof(at), "%s", path);
    for (int deep = 0; deep < SCRIPTS_DEEP; deep++) {
        if (stat(at, &st) != 0) {
            explain_missing_file(at, f);
            return;
        }
        if (image_read(at, &im) != 0 || im.interpreter[0] == '\0')
            break;
        if (stat(im.interpreter, &st) != 0) {
            explain_missing_interpreter(at, &im, f);
            return;
        }
        snprintf(at, sizeof(at), "%s", im.interpreter);
    }
    fault(f, -ENOENT, "NotFound", "%.300s: something that it needs to start is not there", path);
}

/* Of one file. False: this one is not what was refused. */
static bool explain_one_refused(const char *path, struct program_fault *f)
{
    struct stat st;

    if (stat(path, &st) != 0)
        fault(f, -EACCES, "NotRunnable", "%.300s: %s", path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        fault(f, -EACCES, "IsDirectory", "%.300s: is a directory", path);
    else if (!S_ISREG(st.st_mode))
        fault(f, -EACCES, "NotRunnable", "%.300s: is not a regular file", path);
    else if (access(path, X_OK) != 0)
        fault(f, -EACCES, "NotExecutable", "%.300s: is not executable (its mode is %03o)", path, (unsigned)st.st_mode & 07777);
    else
        return false;
    return true;
}

static void explain_refused(const char *path, struct program_fault *f)
{
    char at[PATH_MAX];
    struct image im;

    snprintf(at, sizeof(at), "%s", path);
    for (int deep = 0; deep < SCRIPTS_DEEP; deep++) {
        if (explain_one_refused(at, f))
            return;
        if (image_read(at, &im) != 0 || im.interpreter[0] == '\0')
            break;
        snprintf(at, sizeof(at), "%s", im.interpreter);
    }
    fault(f, -EACCES, "NotRunnable", "%.300s: may not be executed here: it lies outside of what the sandbox lets run", path);
}

static void explain_format(const char *path, struct program_fault *f)
{
    struct image im;

    if (image_read(path, &im) != 0)
        fault(f, -ENOEXEC, "WrongFormat", "%.300s: cannot be executed, and cannot be read to say why", path);
    else if (im.kind == IMAGE_SCRIPT)
        fault(f, -ENOEXEC, "WrongFormat", "%.300s: its #! line names no interpreter, or is too long", path);
    else if (im.kind == IMAGE_EMPTY)
        fault(f, -ENOEXEC, "WrongFormat", "%.300s: is empty", path);
    else if (im.kind == IMAGE_ELF)
        fault(f, -ENOEXEC, "WrongFormat", "%.300s: %s", path, im.why[0] != '\0' ? im.why : "is an ELF file that the kernel refuses");
    else
        fault(f, -ENOEXEC, "WrongFormat", "%.300s: is neither an ELF program nor a script that begins with #!", path);
}

void program_explain(const char *path, int error, struct program_fault *ret_f)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR: explain_not_found(path, ret_f); break;
    case EACCES:
    case EPERM: explain_refused(path, ret_f); break;
    case ENOEXEC:
    case EINVAL:
    case ELIBBAD: explain_format(path, ret_f); break;
    case E2BIG:
        fault(ret_f, -error, "ArgumentsTooLong",
              "%.300s: its arguments and environment are longer together than the kernel lets a program have", path);
        break;
    case ELOOP: fault(ret_f, -error, "NotRunnable", "%.300s: symbolic links, or #! lines, that lead in a circle", path); break;
    case ENOMEM: fault(ret_f, -error, "NoMemory", "%.300s: does not fit into the job's memory (see --limit memory)", path); break;
    case EAGAIN: fault(ret_f, -error, "NotRunnable", "%.300s: the limit of processes is reached (see --limit pids)", path); break;
    default: fault(ret_f, -error, "NotRunnable", "%.300s: %s", path, strerror(error)); break;
    }
}

bool program_lacks_library(const char *path, struct program_fault *ret_f)
{
    char name[256];

    if (!image_lacks_library(path, name, sizeof(name)))
        return false;
    fault(ret_f, -ENOENT, "NoLibrary", "%.300s: needs the shared library %s, which is in none of the sandbox's library directories", path,
          name);
    return true;
}
