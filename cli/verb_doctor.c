/* verb_doctor.c - what this machine lets coop do: coopd and coop-worker look, this tells what it means. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor_fixes.h"
#include "cli/explain.h"
#include "cli/json.h"
#include "cli/own_coopd.h"
#include "cli/say.h"
#include "cli/text.h"
#include "held_words.h"
#include "require.h"
#include "tiers.h"

#include <coop/exit_codes.h>

#define DEFAULT_REQUIRE "tier=T2"

enum { NOT_REACHED = COOP_EXIT_JOB_FAILED, SAFE = 2048 };

struct findings {
    json_t *probes;             /* of objects, as they came, each with its "fix" */
    const char *tier, *why_not; /* why_not: of the tier above, "" when there is none */
    Pb__Enforcement held;       /* what a program would have */
    char refused[REQUIRE_WHY];  /* "" when what is required can be had */
};

/* ---- looking --------------------------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *probe, const char *key)
{
    const char *text = json_string_value(json_object_get(probe, key));

    return text != NULL ? text : "";
}

/* One line is one probe. */
static int take_probe(void *into, json_t *p)
{
    if (text_of(p, "probe")[0] == '\0') {
        json_decref(p);
        return -EPROTO;
    }
    json_object_set_new(p, "fix", json_string(doctor_fix_of(text_of(p, "probe"), text_of(p, "error"))));
    return json_array_append_new(into, p) == 0 ? 0 : -ENOMEM;
}

static json_t *find(const json_t *probes, const char *name)
{
    size_t i;
    json_t *p;

    json_array_foreach(probes, i, p) if (strcmp(text_of(p, "probe"), name) == 0) return p;
    return NULL;
}

/* Without root there is no range of uids to enter, so the worker's error on the way into it says nothing to anybody. */
static void say_no_root(json_t *probes)
{
    json_t *root = find(probes, "started_by_root"), *t0 = find(probes, "tier_T0");

    if (root == NULL || t0 == NULL || json_is_true(json_object_get(root, "ok")) || json_is_true(json_object_get(t0, "ok")))
        return;
    json_object_set_new(t0, "error", json_string("EPERM"));
    json_object_set_new(t0, "detail", json_string("root did not start it, so there is no range of uids to take workers' from"));
}

static int look(json_t *into, struct coop_error *why)
{
    char *argv[] = { "coopd", "--doctor", NULL };
    int code = 0, rc = own_coopd_run(argv, take_probe, into, &code, why);

    if (rc == 0 && code != 0)
        return coop_error_set(why, ECHILD, code, "coopd --doctor failed: it said so above");
    return rc;
}

/* ---- judging --------------------------------------------------------------------------------------------------------------------- */

static bool is_ok(const struct findings *f, const char *name)
{
    return json_is_true(json_object_get(find(f->probes, name), "ok"));
}

static void find_tier(struct findings *f)
{
    char name[16];

    f->tier = "none";
    f->why_not = "";
    for (int i = 0; i < TIERS; i++) {
        snprintf(name, sizeof(name), "tier_%s", tier_names[i]);
        if (is_ok(f, name)) {
            f->tier = tier_names[i];
            return;
        }
        f->why_not = i == 0 && !is_ok(f, "started_by_root") ? "T0: root did not start it" : text_of(find(f->probes, name), "detail");
    }
}

/* In the words of a program's receipt, which is what --require of a job compares. */
static void find_held(struct findings *f)
{
    bool spaces = tier_has_namespaces(f->tier), landlock = is_ok(f, "landlock");
    const struct held_words
        *none = &held_by_group[HELD_NO_GROUP],
        *group =
            &held_by_group[json_integer_value(json_object_get(find(f->probes, "cgroups"), "value")) == 2 ? HELD_CGROUP_V2 : HELD_CGROUP_V1];
    Pb__Enforcement *e = &f->held;

    pb__enforcement__init(e);
    e->tier = (char *)f->tier;
    e->landlock_abi = (uint32_t)json_integer_value(json_object_get(find(f->probes, "landlock"), "value"));
    e->memory = (char *)(is_ok(f, "cgroup_memory") ? group->memory : none->memory);
    e->pids = (char *)(is_ok(f, "cgroup_pids") ? group->pids : spaces ? none->pids : HELD_PIDS_COUNTED);
    e->cpu = (char *)(is_ok(f, "cgroup_cpu") ? group->cpu : none->cpu);
    e->disk = spaces ? HELD_DISK_SPACES : HELD_DISK_NONE;
    e->net = spaces ? "network namespace, filter" : "filter";
    e->fs = spaces ? "mount namespace, Landlock" : landlock ? "Landlock" : "none";
    e->seccomp = is_ok(f, "seccomp") ? "exec" : "none";
}

static void judge(struct findings *f, const char *require)
{
    find_tier(f);
    find_held(f);
    f->refused[0] = '\0';
    if (strcmp(f->tier, "none") == 0)
        snprintf(f->refused, sizeof(f->refused), "nothing runs here: %s", f->why_not);
    else if (require_met(require, &f->held, f->refused) == 0)
        f->refused[0] = '\0';
}

/* ---- telling --------------------------------------------------------------------------------------------------------------------- */

static void print_json(const struct findings *f, const char *require)
{
    json_t *doc = json_named("Doctor"), *held = json_object();

    json_object_set_new(doc, "tier", json_string(f->tier));
    json_object_set_new(doc, "why_not_above", json_string(f->why_not));
    json_object_set_new(doc, "required", json_string(require));
    json_object_set_new(doc, "reachable", json_boolean(f->refused[0] == '\0'));
    json_object_set_new(doc, "refused", json_string(f->refused));
    for (size_t i = 0; i < require_count; i++) {
        const struct require_row *r = &require_table[i];
        const char *at = (const char *)&f->held + r->offset, *text;

        if (r->words[0].word == NULL) {
            json_object_set_new(held, r->key, json_integer(f->held.landlock_abi));
            continue;
        }
        memcpy(&text, at, sizeof(text));
        json_object_set_new(held, r->key, json_string(text));
    }
    json_object_set_new(doc, "held", held);
    json_object_set(doc, "probes", f->probes);
    json_print(doc);
}

/* A fix stands once: those after it that are the same name the probe it stands at. */
static const char *fixed_before(const json_t *probes, const json_t *p)
{
    const json_t *q;
    size_t i;

    json_array_foreach(probes, i, q)
    {
        if (q == p)
            break;
        if (!json_is_true(json_object_get(q, "ok")) && strcmp(text_of(q, "fix"), text_of(p, "fix")) == 0)
            return text_of(q, "probe");
    }
    return NULL;
}

static void print_fix(const json_t *probes, const json_t *p)
{
    const char *before = fixed_before(probes, p);
    char safe[64];

    if (before != NULL)
        printf("       fix   as for %s\n", text_safe_str(safe, sizeof(safe), before));
    else
        printf("       fix   %s\n", text_of(p, "fix"));
}

static void print_probe(const json_t *probes, const json_t *p)
{
    char name[64], error[64], detail[SAFE];
    json_int_t value = json_integer_value(json_object_get(p, "value"));
    bool ok = json_is_true(json_object_get(p, "ok"));

    text_safe_str(name, sizeof(name), text_of(p, "probe"));
    text_safe_str(error, sizeof(error), text_of(p, "error"));
    text_safe_str(detail, sizeof(detail), text_of(p, "detail"));
    if (detail[0] == '\0' && value != 0)
        snprintf(detail, sizeof(detail), "%lld", (long long)value);
    if (detail[0] == '\0' && error[0] == '\0')
        snprintf(detail, sizeof(detail), "%s", ok ? "yes" : "no");
    printf("%-4s %-26s %-11s %s\n", ok ? "ok" : "-", name, error, detail);
    if (ok)
        return;
    printf("       for   %s\n", text_safe_str(detail, sizeof(detail), text_of(p, "for")));
    if (text_of(p, "lost")[0] != '\0')
        printf("       lost  %s\n", text_safe_str(detail, sizeof(detail), text_of(p, "lost")));
    print_fix(probes, p);
}

/* asked: by --require; else what there must be at least goes without saying, unless it is not there. */
static void print_table(const struct findings *f, const char *require, bool asked)
{
    char safe[SAFE];
    size_t i;
    json_t *p;

    json_array_foreach(f->probes, i, p) print_probe(f->probes, p);
    printf("\ntier     %s", f->tier);
    if (f->why_not[0] != '\0')
        printf(", and not the one above: %s", text_safe_str(safe, sizeof(safe), f->why_not));
    printf("\n");
    if (asked)
        printf("required %s: %s\n", require, f->refused[0] == '\0' ? "can be had" : f->refused);
    else if (f->refused[0] != '\0')
        printf("too weak %s\n", f->refused);
}

int verb_doctor(const struct command *c)
{
    const char *require = c->opt.require != NULL ? c->opt.require : DEFAULT_REQUIRE;
    struct findings f = { 0 };
    struct coop_error why = { 0 };

    if (c->opt.explain != NULL)
        return explain_policy(c, c->opt.explain);
    f.probes = json_array();
    if (look(f.probes, &why) != 0) {
        json_decref(f.probes);
        return say_error(c, &why);
    }
    say_no_root(f.probes);
    judge(&f, require);
    if (c->opt.json)
        print_json(&f, require);
    else if (c->opt.quiet)
        printf("%s\n", f.tier);
    else
        print_table(&f, require, c->opt.require != NULL);
    json_decref(f.probes);
    return f.refused[0] == '\0' ? COOP_EXIT_OK : NOT_REACHED;
}
