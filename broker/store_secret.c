/* store_secret.c - the store's own secrets; see store.h. They lie in the database, so that what they have stamped and they go the same ways. */
#include "store_sqlite.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int store_make_secrets(sqlite3 *db)
{
    uint8_t value[STORE_SECRET];
    sqlite3_stmt *stmt = NULL;
    int err = getrandom(value, sizeof(value), 0) == (ssize_t)sizeof(value) ? 0 : -EIO;

    if (err == 0)
        err =
            store_errno(db, sqlite3_prepare_v2(db, "INSERT INTO secret(name, value) VALUES('" STORE_SECRET_BLOB "', ?1)", -1, &stmt, NULL));
    if (err == 0)
        err = store_errno(db, sqlite3_bind_blob(stmt, 1, value, sizeof(value), SQLITE_STATIC));
    if (err == 0)
        err = store_step(stmt);
    (void)sqlite3_finalize(stmt);
    explicit_bzero(value, sizeof(value));
    return err;
}

int store_read_secret(struct store *s, const char *name, uint8_t ret[STORE_SECRET])
{
    sqlite3_stmt *stmt = s->r[R_SECRET];
    int rc, err;

    (void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    err = rc == SQLITE_DONE ? -ENOENT : store_errno(s->reader, rc);
    if (err == 0 && (sqlite3_column_type(stmt, 0) != SQLITE_BLOB || sqlite3_column_bytes(stmt, 0) != STORE_SECRET))
        err = -EUCLEAN;
    if (err == 0)
        memcpy(ret, sqlite3_column_blob(stmt, 0), STORE_SECRET);
    (void)sqlite3_reset(stmt);
    return err;
}
