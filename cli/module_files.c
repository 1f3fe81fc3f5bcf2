/* module_files.c - see module_files.h. */
#include "cli/module_files.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/spec_read.h"
#include "frame.h"
#include "job_limits.h"

#include <coop/exit_codes.h>

static int check_name(const char *text, const char *name, struct coop_error *why)
{
    if (name[0] != '\0' && strlen(name) <= LIMITS_NAME && frame_is_utf8(name, strlen(name)))
        return 0;
    return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "--file %.200s: the name of a module is 1 to %d bytes of UTF-8 text", text,
                          LIMITS_NAME);
}

static int add(struct module_files *to, const char *path, const char *name, struct coop_error *why)
{
    int rc = check_name(path, name, why);

    if (rc == 0 && to->n == LIMITS_MODULE_N)
        return coop_error_set(why, EDQUOT, COOP_EXIT_QUOTA, "%.200s is one module more than the limit 'module count' of %d", path,
                              LIMITS_MODULE_N);
    if (rc == 0)
        to->items[to->n++] = (struct module_file){ .path = path, .name = name };
    return rc;
}

/* ---- a directory ----------------------------------------------------------------------------------------------------------------------- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_left_out(const FTSENT *e)
{
    return e->fts_level > FTS_ROOTLEVEL && (e->fts_name[0] == '.' || strcmp(e->fts_name, "__pycache__") == 0);
}

/* below: of the file's path, what follows the directory's. */
static int add_below(struct spec *s, const char *path, const char *below, const char *as, struct module_files *to, struct coop_error *why)
{
    char *copy = strdup(path), *name = NULL;
    int rc = spec_own(s, copy, why);

    if (rc != 0)
        return rc;
    rc = spec_own(s, asprintf(&name, "%s%s%s", as, as[0] != '\0' ? "/" : "", below) >= 0 ? name : NULL, why);
    return rc == 0 ? add(to, copy, name, why) : rc;
}

static int add_entry(struct spec *s, FTS *tree, FTSENT *e, size_t root, const char *as, struct module_files *to, struct coop_error *why)
{
    if (is_left_out(e)) {
        fts_set(tree, e, FTS_SKIP);
        return 0;
    }
    if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR)
        return coop_error_set(why, e->fts_errno, COOP_EXIT_USAGE, "module %.200s cannot be read: %s", e->fts_path, strerror(e->fts_errno));
    return e->fts_info == FTS_F && S_ISREG(e->fts_statp->st_mode) ? add_below(s, e->fts_path, e->fts_path + root, as, to, why) : 0;
}

static int add_tree(struct spec *s, char *path, const char *as, struct module_files *to, struct coop_error *why)
{
    FTS *tree = fts_open((char *const[]){ path, NULL }, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    size_t len = strlen(path), root = len + (path[len - 1] != '/'), before = to->n;
    int rc = 0;

    if (tree == NULL)
        return coop_error_set(why, errno, COOP_EXIT_USAGE, "module %.200s cannot be read: %s", path, strerror(errno));
    for (FTSENT *e; rc == 0 && (e = fts_read(tree)) != NULL;)
        rc = add_entry(s, tree, e, root, as, to, why);
    fts_close(tree);
    if (rc == 0 && to->n == before)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "module %.200s is a directory without a file to send", path);
    return rc;
}

/* ---- one --file ------------------------------------------------------------------------------------------------------------------------ */

static void strip_slashes(char *path)
{
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "PATH:NAME" unless a file is called so; NAME defaults to the file's own. The NAME "." of a directory: its files without it. */
static int add_one(struct spec *s, const char *text, struct module_files *to, struct coop_error *why)
{
    char *path = strdup(text), *colon, *slash, *name;
    int rc = spec_own(s, path, why);

    if (rc != 0)
        return rc;
    colon = strrchr(path, ':');
    if (colon != NULL && access(path, F_OK) != 0)
        *colon = '\0';
    else
        colon = NULL;
    if (is_directory(path))
        strip_slashes(path);
    slash = strrchr(path, '/');
    name = colon != NULL ? colon + 1 : slash != NULL ? slash + 1 : path;
    if (!is_directory(path))
        return add(to, path, name, why);
    if ((rc = check_name(text, name, why)) != 0)
        return rc;
    strip_slashes(name);
    return add_tree(s, path, strcmp(name, ".") == 0 ? "" : name, to, why);
}

int module_files_list(struct spec *s, const struct text_list *files, struct module_files *ret, struct coop_error *why)
{
    int rc = 0;

    *ret = (struct module_files){ .items = spec_own_zeroed(s, LIMITS_MODULE_N, sizeof(*ret->items), why) };
    if (ret->items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < files->n && rc == 0; i++)
        rc = add_one(s, files->items[i], ret, why);
    return rc;
}
