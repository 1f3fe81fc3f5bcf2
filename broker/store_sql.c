/* store_sql.c - what the writer of the SQLite store says to its database; see store_sqlite.h. */
#include "store_sqlite.h"

#define USAGE_SUM(field) #field " = " #field " + excluded." #field

/* clang-format off */
const char *const store_write_sql[W_COUNT] = {
    [W_BEGIN] = "BEGIN IMMEDIATE",
    [W_COMMIT] = "COMMIT",
    [W_ROLLBACK] = "ROLLBACK",
    [W_SAVE] = "SAVEPOINT one",
    [W_SAVE_BACK] = "ROLLBACK TO one",
    [W_SAVE_END] = "RELEASE one",

    [W_SUBMIT] = "INSERT INTO job(" JOB_COLUMNS ", kept_bytes, updated_us) "
                 "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                 "ON CONFLICT DO NOTHING",
    [W_SPEC] = "INSERT INTO spec(job, body) VALUES(?1, ?2)",
    [W_INTERP] = "INSERT INTO interp(job, definition) VALUES(?1, ?2)",
    [W_IDEM] = "INSERT INTO idem(tenant, key, id, spec_hash) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    [W_IDEM_THERE] = "SELECT id, spec_hash FROM idem WHERE tenant = ?1 AND key = ?2",
    [W_IDEM_DROP] = "DELETE FROM idem WHERE id = ?1",
    [W_LABEL] = "INSERT INTO label(job, key, value, owner) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(job, key) DO UPDATE SET value = ?3",
    [W_LABELS_DROP] = "DELETE FROM label WHERE job = ?1",
    /* where a spec really lies that somebody wants to share */
    [W_SPEC_ROOT] = "SELECT CASE WHEN EXISTS(SELECT 1 FROM spec WHERE job = ?1) THEN ?1 ELSE coalesce("
                    "(SELECT CASE WHEN spec_of <> '' THEN spec_of ELSE array_id END FROM job WHERE id = ?1), "
                    "(SELECT id FROM arr WHERE id = ?1), '') END",
    [W_ARRAY] = "INSERT INTO arr(" ARRAY_COLUMNS ", spec) "
                "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?) ON CONFLICT DO NOTHING",
    [W_ARRAY_WHOLE] = "UPDATE arr SET tasks = ?2 WHERE id = ?1",
    [W_ARRAY_NOT_WHOLE] = "SELECT id FROM arr WHERE tasks = 0 LIMIT 1",
    [W_ARRAY_END] = "UPDATE arr SET ended_us = ?2, succeeded = ?3, failed = ?4, cancelled = ?5 WHERE id = ?1 AND ended_us = 0",
    [W_CLAIM] = "UPDATE job SET state = ?2, attempt = ?3, epoch = ?4, updated_us = ?5, infra = ?6, hold = ?7, not_before_us = ?8 "
                "WHERE id = ?1 AND epoch IN (?9, ?10) AND " WAITS_SQL,
    [W_MOVE] = "UPDATE job SET state = ?2, attempt = ?3, epoch = ?4, updated_us = ?5, infra = ?6, hold = ?7, not_before_us = ?8 "
               "WHERE id = ?1 AND epoch IN (?9, ?10) AND " UNFINISHED_SQL,
    [W_FINISH] = "UPDATE job SET state = ?2, attempt = ?3, epoch = ?4, updated_us = ?5, infra = ?6, cause = ?7, ended_us = ?5, hold = 0, "
                 "log_until_us = ?8, keep_until_us = ?9, kept_bytes = kept_bytes + ?10, log_bytes = ?11 "
                 "WHERE id = ?1 AND epoch IN (?12, ?13) AND " UNFINISHED_SQL,
    [W_ROW] = "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1",
    [W_RESULT] = "INSERT INTO result(job, epoch, outcome, cause, recorded_us, receipt) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [W_OUTPUT] = "INSERT INTO output(job, stream, data) VALUES(?1, ?2, ?3)",
    [W_WHY_NOT] = "SELECT " UNFINISHED_SQL " FROM job WHERE id = ?1",
    [W_ATTEMPT] = "INSERT INTO attempt(job, n, epoch, started_us, ended_us, cpu_us, cause, infra, detail) "
                  "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",

    [W_EDIT] = "UPDATE job SET name = coalesce(?3, name), prio = coalesce(?4, prio), class = coalesce(?5, class), "
               "not_before_us = coalesce(?6, not_before_us), deadline_us = coalesce(?7, deadline_us), "
               "memory_bytes = coalesce(?8, memory_bytes), wall_us = coalesce(?9, wall_us), threads = coalesce(?10, threads), "
               "limiters = coalesce(?11, limiters), state = coalesce(?12, state), hold = coalesce(?13, hold), updated_us = ?14 "
               "WHERE id = ?1 AND epoch <= ?2 AND " WAITS_SQL,
    [W_EDIT_TASKS] = "UPDATE job SET name = coalesce(?2, name), prio = coalesce(?3, prio), class = coalesce(?4, class), "
                     "not_before_us = coalesce(?5, not_before_us), deadline_us = coalesce(?6, deadline_us), "
                     "memory_bytes = coalesce(?7, memory_bytes), wall_us = coalesce(?8, wall_us), threads = coalesce(?9, threads), "
                     "limiters = coalesce(?10, limiters), updated_us = ?11 "
                     "WHERE array_id = ?1 AND array_id <> '' AND " WAITS_SQL,
    [W_EDIT_ARRAY] = "UPDATE arr SET name = coalesce(?2, name), prio = coalesce(?3, prio), class = coalesce(?4, class), "
                     "not_before_us = coalesce(?5, not_before_us), deadline_us = coalesce(?6, deadline_us), "
                     "hold = coalesce(?7, hold), max_parallel = coalesce(?8, max_parallel) WHERE id = ?1 AND ended_us = 0",
    [W_EDIT_ARRAY_SPEC] = "UPDATE arr SET spec = ?2 WHERE id = ?1",
    [W_EDIT_SPEC] = "INSERT INTO spec(job, body) VALUES(?1, ?2) ON CONFLICT(job) DO UPDATE SET body = ?2",
    [W_OWN_SPEC] = "UPDATE job SET spec_of = '' WHERE id = ?1",
    [W_ADD_KEPT] = "UPDATE job SET kept_bytes = kept_bytes + ?2 WHERE id = ?1",
    [W_SPEC_LENGTH] = "SELECT length(body) FROM spec WHERE job = ?1",
    [W_ARRAY_SPEC_LENGTH] = "SELECT length(spec), tenant FROM arr WHERE id = ?1",

    [W_ENDED] = "SELECT NOT (" UNFINISHED_SQL "), tenant, kept_bytes + log_bytes FROM job WHERE id = ?1",
    /* CASE, not OR: of an array that is known to have ended no task is looked at */
    [W_ENDED_ARRAY] = "SELECT tenant, CASE WHEN ended_us <> 0 THEN 1 ELSE NOT EXISTS(SELECT 1 FROM job WHERE array_id = arr.id AND array_id <> '' "
                      "AND " UNFINISHED_SQL ") END FROM arr WHERE id = ?1",
    [W_ARRAY_OF] = "SELECT array_id FROM job WHERE id = ?1",
    [W_ARRAY_LEFT] = "SELECT EXISTS(SELECT 1 FROM job WHERE array_id = ?1 AND array_id <> '') FROM arr WHERE id = ?1 AND ended_us <> 0",
    [W_HEIR] = "SELECT id FROM job WHERE spec_of = ?1 AND spec_of <> '' LIMIT 1",
    [W_HEIR_SPEC] = "UPDATE spec SET job = ?2 WHERE job = ?1",
    [W_HEIR_ARRAY_SPEC] = "INSERT INTO spec(job, body) SELECT ?2, spec FROM arr WHERE id = ?1",
    [W_HEIRS] = "UPDATE job SET spec_of = CASE WHEN id = ?2 THEN '' ELSE ?2 END WHERE spec_of = ?1 AND spec_of <> ''",
    [W_REMOVED] = "INSERT INTO removed(seq, job, at_us) SELECT seq, job, ?2 FROM chain WHERE job = ?1 ON CONFLICT DO NOTHING",
    [W_REMOVE_JOB] = "DELETE FROM job WHERE id = ?1",
    [W_REMOVE_ARRAY] = "DELETE FROM arr WHERE id = ?1",
    [W_REMOVE_ATTEMPTS] = "DELETE FROM attempt WHERE job = ?1",
    [W_REMOVE_DEPS] = "DELETE FROM dep WHERE job = ?1",
    [W_TASKS] = "SELECT id FROM job WHERE array_id = ?1 AND array_id <> ''",
    [W_TASK] = "SELECT id FROM job WHERE array_id = ?1 AND array_id <> '' LIMIT 1",
    [W_LOGS] = "SELECT NOT (" UNFINISHED_SQL "), tenant, log_bytes FROM job WHERE id = ?1",
    [W_LOGS_DROP] = "DELETE FROM output WHERE job = ?1",
    [W_LOGS_NONE] = "UPDATE job SET log_bytes = 0, log_until_us = 0 WHERE id = ?1",

    [W_DEP_ADD] = "INSERT INTO dep(job, on_job, after) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [W_DEP_KNOWN] = "SELECT EXISTS(SELECT 1 FROM job WHERE id = ?1) OR EXISTS(SELECT 1 FROM arr WHERE id = ?1)",
    [W_DEP_MET] = "UPDATE dep SET met = 1 WHERE job = ?1 AND on_job = ?2",
    [W_DEP_DROP] = "DELETE FROM dep WHERE job = ?1 AND on_job = ?2",
    [W_CRON_PUT] = "INSERT INTO cron(id, tenant, user, name, engine, expr, zone, paused, created_us, next_us, last_us, last_job, spec) "
                   "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT(id) DO UPDATE SET "
                   "name = ?4, engine = ?5, expr = ?6, zone = ?7, paused = ?8, next_us = ?10, last_us = ?11, last_job = ?12, "
                   "spec = CASE WHEN length(?13) > 0 THEN ?13 ELSE spec END",
    [W_CRON_KNOWN] = "SELECT 1 FROM cron WHERE id = ?1",
    [W_CRON_REMOVE] = "DELETE FROM cron WHERE id = ?1",
    [W_LIMITER_PUT] = "INSERT INTO limiter(tenant, key, max) VALUES(?1, ?2, ?3) ON CONFLICT(tenant, key) DO UPDATE SET max = ?3",
    [W_LIMITER_REMOVE] = "DELETE FROM limiter WHERE tenant = ?1 AND key = ?2",

    [W_TENANT_NAME] = "SELECT 1 FROM tenant WHERE name = ?2 AND id <> ?1",
    [W_TENANT_PUT] = "INSERT INTO tenant(id, parent, name, weight, suspended, created_us, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) "
                     "ON CONFLICT(id) DO UPDATE SET parent = ?2, name = ?3, weight = ?4, suspended = ?5, body = ?7",
    [W_TENANT_USE] = "UPDATE tenant SET vtime = ?2, used = ?3, used_at_us = ?4 WHERE id = ?1",
    [W_TENANT_BUSY] = "SELECT EXISTS(SELECT 1 FROM job WHERE tenant = ?1) OR EXISTS(SELECT 1 FROM cron WHERE tenant = ?1) OR "
                      "EXISTS(SELECT 1 FROM tenant WHERE parent = ?1) OR EXISTS(SELECT 1 FROM token WHERE tenant = ?1 AND revoked = 0) OR "
                      "EXISTS(SELECT 1 FROM queue WHERE tenant = ?1) OR EXISTS(SELECT 1 FROM arr WHERE tenant = ?1) OR "
                      "EXISTS(SELECT 1 FROM template WHERE tenant = ?1 AND length(body) > 0) FROM tenant WHERE id = ?1",
    [W_TENANT_REMOVE] = "DELETE FROM tenant WHERE id = ?1",
    [W_TENANT_FORGET] = "DELETE FROM token WHERE tenant = ?1",
    [W_TENANT_FORGET + 1] = "DELETE FROM limiter WHERE tenant = ?1",
    [W_TENANT_FORGET + 2] = "DELETE FROM usage_day WHERE tenant = ?1",
    [W_TENANT_FORGET + 3] = "DELETE FROM tenant_total WHERE tenant = ?1",
    [W_TENANT_FORGET + 4] = "DELETE FROM kv WHERE tenant = ?1",
    [W_TENANT_FORGET + 5] = "DELETE FROM kv_total WHERE tenant = ?1",
    [W_TENANT_FORGET + 6] = "DELETE FROM template WHERE tenant = ?1",
    [W_TOKEN_PUT] = "INSERT INTO token(id, tenant, hash, scopes, queue, created_us, expires_us, last_used_us, revoked, note, made_by) "
                    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT(id) DO UPDATE SET "
                    "hash = ?3, scopes = ?4, queue = ?5, expires_us = ?7, last_used_us = ?8, revoked = ?9, note = ?10",
    [W_TOKEN_USED] = "UPDATE token SET last_used_us = ?2 WHERE id = ?1 AND last_used_us < ?2",
    [W_TOKEN_REMOVE] = "DELETE FROM token WHERE id = ?1",
    [W_USAGE] = "INSERT INTO usage_day(tenant, day, jobs, failed, refused, cpu_us, wall_us, mib_us) "
                "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(tenant, day) DO UPDATE SET " USAGE_SUM(jobs) ", " USAGE_SUM(failed) ", "
                USAGE_SUM(refused) ", " USAGE_SUM(cpu_us) ", " USAGE_SUM(wall_us) ", " USAGE_SUM(mib_us),
    [W_TOTAL] = "INSERT INTO tenant_total(tenant, bytes) VALUES(?1, ?2) ON CONFLICT(tenant) DO UPDATE SET bytes = bytes + excluded.bytes",
    [W_ADMIN_ACT] = "INSERT INTO admin_act(at_us, actor, tenant, verb, object, detail) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",

    [W_KV_OLD] = "SELECT length(value) FROM kv WHERE tenant = ?1 AND key = ?2",
    [W_KV_TOTAL] = "SELECT keys, bytes FROM kv_total WHERE tenant = ?1",
    [W_KV_PUT] = "INSERT INTO kv(tenant, key, value, updated_us) VALUES(?1, ?2, ?3, ?4) "
                 "ON CONFLICT(tenant, key) DO UPDATE SET value = ?3, updated_us = ?4",
    [W_KV_DROP] = "DELETE FROM kv WHERE tenant = ?1 AND key = ?2",
    [W_KV_ADD] = "INSERT INTO kv_total(tenant, keys, bytes) VALUES(?1, ?2, ?3) "
                 "ON CONFLICT(tenant) DO UPDATE SET keys = keys + ?2, bytes = bytes + ?3",
    [W_ALIAS] = "INSERT INTO alias_call(ended_us, wall_us, caller, server, name, bytes_in, bytes_out, error, tenant) "
                "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [W_ALIAS_FORGET] = "DELETE FROM alias_call WHERE number <= last_insert_rowid() - ?1",
    [W_TEMPLATE] = "INSERT INTO template(tenant, name, version, created_us, body) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    /* so that no number is given twice */
    [W_TEMPLATE_REMOVE] = "UPDATE template SET body = zeroblob(0) WHERE tenant = ?1 AND name = ?2 AND version = ?3",
    [W_QUEUE_ADD] = "INSERT INTO queue(id, tenant, name, max_items, max_bytes, unbound, created_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) "
                    "ON CONFLICT DO NOTHING",
    [W_QUEUE_CLOSE] = "UPDATE queue SET closed = 1 WHERE id = ?1",
    [W_QUEUE_EMPTY] = "DELETE FROM queue_item WHERE queue = ?1",
    [W_QUEUE_REMOVE] = "DELETE FROM queue WHERE id = ?1",
    [W_QUEUE_PUT] = "INSERT INTO queue_item(number, queue, unbound, sender, value) VALUES(?1, ?2, ?3, ?4, ?5)",
    [W_QUEUE_TAKE] = "DELETE FROM queue_item WHERE number = ?1",
    [W_HOOK] = "INSERT INTO hook(job) VALUES(?1) ON CONFLICT DO NOTHING",
    [W_HOOK_TASK] = "INSERT INTO hook(job) SELECT id FROM job WHERE id = ?1 AND array_id IN (SELECT job FROM hook) ON CONFLICT DO NOTHING",
    [W_HOOK_DONE] = "DELETE FROM hook WHERE job = ?1",
    [W_CHAIN + CHAIN_LAST] = CHAIN_LAST_SQL,
    [W_CHAIN + CHAIN_HEAD] = CHAIN_HEAD_SQL,
    [W_CHAIN + CHAIN_ADD] = CHAIN_ADD_SQL,
    [W_CHAIN + CHAIN_SET_HEAD] = CHAIN_SET_HEAD_SQL,
};
/* clang-format on */
