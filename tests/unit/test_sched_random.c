/*
 * test_sched_random.c - a random walk of the scheduler beside a model that keeps plain lists and looks at all of them each time.
 *
 * What the model knows by itself: which jobs wait and run, what each limiter and tenant has in use, which job may run, what everybody was charged.
 * After each step counts are compared; after each claim, that it was one that may run, that no gate was passed, that it was the turn of its tenant
 * at each level, and the turn of the job in its tenant; that nobody was kept waiting who could have run; and what was said of why before.
 * The seed of a round that fails is printed; SEED=n runs that alone.
 */
#include <math.h>
#include <time.h>

#include "tests/unit/sched_fixture.h"

enum { TENANTS = 11, LIMITERS = 7, LIVE = 128, ROUNDS = 40, STEPS = 5000 };

/* Most claims of a tenant between two of the same class and priority, when that has a job without a limiter all the time. */
#define WAIT_MAX (SCHED_PATIENCE + SCHED_BANDS + 1)

enum job_is { NOWHERE, WAITS, RUNS };

struct model_job {
    struct sched_job sched; /* first */
    enum job_is is;
    unsigned tenant, band, n_use;
    unsigned use[LIMITERS]; /* places of each limiter */
    uint64_t key;
    double charged;
};

struct model_tenant {
    int parent;
    double weight;
    unsigned max_running, running, waiting; /* own and below */
    uint64_t blocked[SCHED_BLOCKS];
    double charged;              /* own and below */
    double pending, own_pending; /* of what runs; own and below, own */
    unsigned passed[SCHED_BANDS];
};

struct model {
    struct sched *s;
    struct sched_tenant t[TENANTS];
    struct sched_limiter l[LIMITERS];
    struct model_tenant mt[TENANTS];
    unsigned used[LIMITERS], max[LIMITERS];
    unsigned owed[LIMITERS][SCHED_BANDS]; /* passed at it, before the claim */
    struct model_job jobs[LIVE];
    char names[LIMITERS][16];
    uint64_t now, last_key;
    unsigned seed, claims, idle;
    bool crowded; /* nearly all is of one tenant, and contends for the same limiters */
};

static unsigned playing;

static unsigned pick(struct model *m, unsigned n)
{
    return (unsigned)rand_r(&m->seed) % n;
}

/* ---- the tree: 0, 1, 2 on top; 3, 4, 5 below 0; 6 below 1; 7, 8, 9 below 3; 10 below 6 ------------------------------------------------- */

static const int parents[TENANTS] = { -1, -1, -1, 0, 0, 0, 1, 3, 3, 3, 6 };
/* Limiters 0 to 4 belong to one tenant; 5 and 6 to all, and are open or shut. */
static const unsigned owners[LIMITERS] = { 3, 3, 2, 2, 10, TENANTS, TENANTS };

enum { CROWDED = 3 };

static bool shared(unsigned l)
{
    return owners[l] == TENANTS;
}

static bool may_use(const struct model *m, unsigned tenant, unsigned l)
{
    return shared(l) || (m->crowded ? CROWDED : owners[l]) == tenant;
}

static unsigned pick_tenant(struct model *m)
{
    return m->crowded && pick(m, 20) != 0 ? CROWDED : pick(m, TENANTS);
}

static void begin(struct model *m, unsigned seed)
{
    memset(m, 0, sizeof(*m));
    m->seed = seed;
    m->crowded = pick(m, 2) == 0;
    m->now = 5000000;
    m->last_key = 1000000;
    m->s = sched_new(1ull << 60, m->now);
    for (unsigned i = 0; i < TENANTS; i++) {
        m->mt[i].parent = parents[i];
        m->mt[i].weight = 1 + pick(m, 9);
        assert_int_equal(sched_tenant_add(m->s, &m->t[i], parents[i] < 0 ? NULL : &m->t[parents[i]], m->mt[i].weight, m->now), 0);
    }
    for (unsigned i = 0; i < LIMITERS; i++) {
        m->max[i] = shared(i) ? SCHED_UNLIMITED : 1 + pick(m, 4);
        snprintf(m->names[i], sizeof(m->names[i]), "LIMITER:%u", i);
        sched_limiter_init(&m->l[i], m->names[i], m->max[i], shared(i));
    }
}

/* ---- what the model knows --------------------------------------------------------------------------------------------------------------- */

static bool tenant_shut(const struct model *m, unsigned i)
{
    const struct model_tenant *t = &m->mt[i];

    for (unsigned b = 0; b < SCHED_BLOCKS; b++) {
        if (t->blocked[b] > m->now)
            return true;
    }
    return t->max_running != 0 && t->running >= t->max_running;
}

static bool gate_open(const struct model *m, const struct model_job *j)
{
    for (int i = (int)j->tenant; i >= 0; i = m->mt[i].parent) {
        if (tenant_shut(m, (unsigned)i))
            return false;
    }
    return true;
}

static bool room(const struct model *m, const struct model_job *j, unsigned l)
{
    return m->max[l] == SCHED_UNLIMITED || m->used[l] + j->use[l] <= m->max[l];
}

static bool all_room(const struct model *m, const struct model_job *j)
{
    for (unsigned l = 0; l < LIMITERS; l++) {
        if (j->use[l] > 0 && !room(m, j, l))
            return false;
    }
    return true;
}

/* The most places of a limiter that somebody other than j waits for who names so many limiters, and that there can be at all. */
static unsigned most_wanted(const struct model *m, const struct model_job *j, unsigned l, unsigned limiters)
{
    unsigned most = 0;

    for (unsigned i = 0; i < LIVE; i++) {
        const struct model_job *o = &m->jobs[i];

        if (o != j && o->is == WAITS && o->n_use >= limiters && o->use[l] > most && o->use[l] <= m->max[l])
            most = o->use[l];
    }
    return most;
}

/* Somebody waits for several limiters at once, for whom places of this one may be kept; or for more places than are free beside those: it may keep
 * j back. */
static bool may_be_kept_by(const struct model *m, const struct model_job *j, unsigned l)
{
    unsigned most = most_wanted(m, j, l, 1), insists = most_wanted(m, j, l, 2);

    return (most > 0 && m->used[l] + most + insists > m->max[l]) || (insists > 0 && m->used[l] + insists + j->use[l] > m->max[l]);
}

static bool may_be_kept(const struct model *m, const struct model_job *j)
{
    for (unsigned l = 0; l < LIMITERS; l++) {
        if (j->use[l] > 0 && !shared(l) && may_be_kept_by(m, j, l))
            return true;
    }
    return false;
}

static bool may_run(const struct model *m, const struct model_job *j)
{
    return j->is == WAITS && gate_open(m, j) && all_room(m, j);
}

/* There are not enough places of one of its limiters for all that wait for some: whose turn it is there, the model does not know. */
static bool contested(const struct model *m, const struct model_job *j)
{
    for (unsigned l = 0; l < LIMITERS; l++) {
        unsigned all = m->used[l];

        for (unsigned i = 0; i < LIVE; i++)
            all += m->jobs[i].is == WAITS ? m->jobs[i].use[l] : 0;
        if (j->use[l] > 0 && !shared(l) && all > m->max[l])
            return true;
    }
    return false;
}

/* Nothing that the model cannot tell exactly keeps it back either. */
static bool surely_runs(const struct model *m, const struct model_job *j)
{
    return may_run(m, j) && !contested(m, j);
}

static bool is_below(const struct model *m, unsigned tenant, int of)
{
    for (int i = (int)tenant; i >= 0; i = m->mt[i].parent) {
        if (i == of)
            return true;
    }
    return of < 0;
}

static void assert_counts(const struct model *m)
{
    unsigned waiting = 0, running = 0, names[LIMITERS] = { 0 };

    for (unsigned i = 0; i < LIVE; i++) {
        waiting += m->jobs[i].is == WAITS;
        running += m->jobs[i].is == RUNS;
        for (unsigned l = 0; l < LIMITERS; l++)
            names[l] += m->jobs[i].is == WAITS && m->jobs[i].use[l] > 0;
        assert_int_equal(sched_waits(&m->jobs[i].sched), m->jobs[i].is == WAITS);
    }
    assert_int_equal(sched_waiting(m->s), waiting);
    assert_int_equal(sched_running(m->s), running);
    for (unsigned i = 0; i < TENANTS; i++) {
        assert_int_equal(m->t[i].running, m->mt[i].running);
        assert_int_equal(m->t[i].waiting, m->mt[i].waiting);
        assert_true(fabs(sched_tenant_usage(m->s, &m->t[i], m->now) - m->mt[i].charged) < 1e-4);
    }
    for (unsigned l = 0; l < LIMITERS; l++) {
        assert_int_equal(m->l[l].used, m->used[l]);
        assert_int_equal(m->l[l].jobs, names[l]);
    }
}

static void count(struct model *m, const struct model_job *j, int waiting, int running, double charged)
{
    m->mt[j->tenant].own_pending += running * j->charged;
    for (int i = (int)j->tenant; i >= 0; i = m->mt[i].parent) {
        m->mt[i].waiting += (unsigned)waiting;
        m->mt[i].running += (unsigned)running;
        m->mt[i].charged += charged;
        m->mt[i].pending += running * j->charged;
    }
    for (unsigned l = 0; l < LIMITERS; l++)
        m->used[l] += (unsigned)running * j->use[l];
}

/* ---- steps ------------------------------------------------------------------------------------------------------------------------------- */

static struct model_job *pick_one(struct model *m, enum job_is is)
{
    unsigned from = pick(m, LIVE);

    for (unsigned i = 0; i < LIVE; i++) {
        struct model_job *j = &m->jobs[(from + i) % LIVE];

        if (j->is == is)
            return j;
    }
    return NULL;
}

static void choose_uses(struct model *m, struct model_job *j)
{
    struct sched_use use[LIMITERS];
    unsigned n = 0;

    memset(j->use, 0, sizeof(j->use));
    for (unsigned l = 0; l < LIMITERS; l++) {
        if (pick(m, m->crowded ? 2 : 3) != 0 || !may_use(m, j->tenant, l))
            continue;
        use[n].limiter = &m->l[l];
        use[n++].n = j->use[l] = shared(l) ? 1 : 1 + pick(m, 3);
    }
    j->n_use = n;
    j->sched.uses = sched_uses_get(m->s, &m->t[j->tenant], use, n);
}

static const Pb__JobClass classes[] = { INTERACTIVE, NORMAL, BATCH };

static void choose_band(struct model *m, unsigned *ret_band)
{
    *ret_band = pick(m, 4) == 0 ? pick(m, SCHED_BANDS) : 7 + pick(m, 2);
}

static void step_put(struct model *m)
{
    struct model_job *j = pick_one(m, NOWHERE);

    if (j == NULL)
        return;
    j->tenant = pick_tenant(m);
    choose_band(m, &j->band);
    j->key = pick(m, 10) == 0 ? m->last_key - 1 - pick(m, 900000) * 10 % 900000 : (m->last_key += 10);
    for (unsigned i = 0; i < LIVE; i++) /* unique */
        j->key += m->jobs[i].is == WAITS && m->jobs[i].key == j->key;
    j->sched.rank.key = j->key;
    j->sched.cost = (float)(1 + pick(m, 100)) / 10;
    choose_uses(m, j);
    assert_int_equal(sched_put(m->s, &j->sched, classes[j->band / 5], 5 - j->band % 5, m->now), 0);
    j->is = WAITS;
    count(m, j, 1, 0, 0);
}

static void step_take(struct model *m)
{
    struct model_job *j = pick_one(m, WAITS);

    if (j == NULL)
        return;
    sched_take(m->s, &j->sched, m->now);
    sched_uses_drop(m->s, j->sched.uses);
    j->is = NOWHERE;
    count(m, j, -1, 0, 0);
}

static void step_move(struct model *m)
{
    struct model_job *j = pick_one(m, WAITS);

    if (j == NULL)
        return;
    choose_band(m, &j->band);
    assert_int_equal(sched_move(m->s, &j->sched, classes[j->band / 5], 5 - j->band % 5, m->now), 0);
}

static void step_done(struct model *m)
{
    struct model_job *j = pick_one(m, RUNS);
    double cost;

    if (j == NULL)
        return;
    cost = pick(m, 2) == 0 ? j->charged : pick(m, 120) / 10.0;
    sched_done(m->s, j->sched.uses, j->sched.cost, j->charged, cost, m->now);
    sched_uses_drop(m->s, j->sched.uses);
    j->is = NOWHERE;
    count(m, j, 0, -1, cost - j->charged);
}

static void step_adopt(struct model *m)
{
    struct model_job *j = pick_one(m, NOWHERE);

    if (j == NULL || pick(m, 10) != 0)
        return;
    j->tenant = pick_tenant(m);
    choose_uses(m, j);
    j->charged = pick(m, 50) / 10.0;
    sched_adopt(m->s, j->sched.uses, j->charged, m->now);
    j->is = RUNS;
    count(m, j, 0, 1, j->charged);
}

static void step_set(struct model *m)
{
    unsigned i = pick(m, TENANTS), l = pick(m, LIMITERS), what = pick(m, 6);

    if (m->crowded && what >= 1 && what <= 2 && is_below(m, CROWDED, (int)i))
        return; /* its gates stay open */
    switch (what) {
    case 0:
        m->mt[i].weight = (1 + pick(m, 50)) / 10.0;
        assert_int_equal(sched_tenant_set_weight(m->s, &m->t[i], m->mt[i].weight), 0);
        break;
    case 1:
        m->mt[i].max_running = pick(m, 12);
        sched_tenant_set_max_running(m->s, &m->t[i], m->mt[i].max_running);
        break;
    case 2: {
        unsigned b = pick(m, SCHED_BLOCKS);

        m->mt[i].blocked[b] = pick(m, 3) == 0 ? m->now + 1 + pick(m, 400) : 0;
        sched_tenant_block(m->s, &m->t[i], b, m->mt[i].blocked[b]);
        break;
    }
    default: m->max[l] = !shared(l) ? pick(m, 5) : pick(m, 4) == 0 ? 0 : SCHED_UNLIMITED; sched_limiter_set(m->s, &m->l[l], m->max[l]);
    }
}

/* ---- a claim, looked at ------------------------------------------------------------------------------------------------------------------- */

static void assert_nobody_could_have_run(const struct model *m)
{
    for (unsigned i = 0; i < LIVE; i++) {
        if (may_run(m, &m->jobs[i]) && !may_be_kept(m, &m->jobs[i]))
            fail_msg("job %u waits, though nothing keeps it back", i);
    }
}

/* The virtual time that a node had before this claim of its own. */
static double start_of(const struct sched_node *node, const struct model_job *claimed)
{
    return node->vtime - claimed->charged / node->weight;
}

static const struct sched_node *node_below(const struct model *m, int group, unsigned tenant)
{
    int k = (int)tenant;

    if (k == group)
        return &m->t[k].self;
    while (m->mt[k].parent != group)
        k = m->mt[k].parent;
    return &m->t[k].node;
}

/* Where the ways to the claimed one and to one that surely could have run part, the latter's virtual time was not less. */
static void assert_turn_of_tenant(const struct model *m, const struct model_job *claimed)
{
    for (unsigned i = 0; i < LIVE; i++) {
        const struct model_job *j = &m->jobs[i];
        const struct sched_node *of_claimed, *other;
        int up = (int)claimed->tenant;

        if (!surely_runs(m, j))
            continue;
        while (up >= 0 && !is_below(m, j->tenant, up)) /* where their ways part, above which both are the same */
            up = m->mt[up].parent;
        of_claimed = node_below(m, up, claimed->tenant);
        other = node_below(m, up, j->tenant);
        if (other != of_claimed && other->vtime < start_of(of_claimed, claimed) - 1e-9)
            fail_msg("tenant %u had %.9f and waits, tenant %u with %.9f was served", j->tenant, other->vtime, claimed->tenant,
                     start_of(of_claimed, claimed));
    }
}

/* Its cost, by weight, at each level: no more and no less. And the clock is what was truly had there. */
static void assert_charged(const struct model *m, const struct model_job *j)
{
    const struct model_tenant *own = &m->mt[j->tenant];

    assert_true(fabs(m->t[j->tenant].self.pending - own->own_pending - j->charged) < 1e-4);
    assert_true(fabs(m->t[j->tenant].clock - fmax(start_of(&m->t[j->tenant].self, j) - own->own_pending, 0)) < 1e-4);
    for (int i = (int)j->tenant; i >= 0; i = m->mt[i].parent) {
        double had = start_of(&m->t[i].node, j) - m->mt[i].pending / m->mt[i].weight;

        assert_true(fabs(m->t[i].node.pending - m->mt[i].pending - j->charged) < 1e-4);
        assert_true(fabs(m->t[i].parent->clock - fmax(had, 0)) < 1e-4);
    }
}

/* A limiter of its own owed it that. */
static bool impatient_at_limiter(const struct model *m, const struct model_job *j)
{
    for (unsigned l = 0; l < LIMITERS; l++) {
        if (j->use[l] > 0 && m->owed[l][j->band] >= SCHED_PATIENCE)
            return true;
    }
    return false;
}

static void assert_turn_in_tenant(struct model *m, const struct model_job *claimed, const uint16_t passed[SCHED_BANDS])
{
    for (unsigned i = 0; i < LIVE; i++) {
        const struct model_job *j = &m->jobs[i];

        if (j == claimed || j->tenant != claimed->tenant || j->is != WAITS)
            continue;
        if (j->band == claimed->band && j->key < claimed->key && j->sched.uses == claimed->sched.uses)
            fail_msg("of the same class, priority and limiters, %lu went before %lu", (unsigned long)claimed->key, (unsigned long)j->key);
        if (!surely_runs(m, j))
            continue;
        if (j->band == claimed->band && j->key < claimed->key)
            fail_msg("of the same class and priority, %lu went before %lu", (unsigned long)claimed->key, (unsigned long)j->key);
        if (j->band < claimed->band && passed[claimed->band] < SCHED_PATIENCE && !impatient_at_limiter(m, claimed))
            fail_msg("band %u went before band %u, and had been passed %u times only", claimed->band, j->band, passed[claimed->band]);
    }
}

/* No class and priority of a tenant is passed by for ever. */
static void assert_none_starves(struct model *m, const struct model_job *claimed)
{
    bool there[SCHED_BANDS] = { false };

    for (unsigned i = 0; i < LIVE; i++) {
        const struct model_job *j = &m->jobs[i];

        there[j->band] |= j->is == WAITS && j->tenant == claimed->tenant && j->n_use == 0;
    }
    for (unsigned b = 0; b < SCHED_BANDS; b++) {
        unsigned *passed = &m->mt[claimed->tenant].passed[b];

        *passed = b == claimed->band || !there[b] ? 0 : *passed + 1;
        if (*passed > WAIT_MAX)
            fail_msg("band %u of tenant %u has been passed by %u times", b, claimed->tenant, *passed);
    }
}

static const char *expected_gate(const struct model *m, const struct model_job *j)
{
    static const char *const words[] = { "SUSPENDED", "QUOTA_CPU_DAY", "QUOTA_MEM_DAY", "QUOTA_RUNNING" };

    for (int i = (int)j->tenant; i >= 0; i = m->mt[i].parent) {
        for (unsigned b = 0; b < SCHED_BLOCKS; b++) {
            if (m->mt[i].blocked[b] > m->now)
                return words[b];
        }
        if (m->mt[i].max_running != 0 && m->mt[i].running >= m->mt[i].max_running)
            return "QUOTA_RUNNING";
    }
    return NULL;
}

static void assert_why(struct model *m, const struct model_job *j, struct sched_why *why)
{
    const char *gate = expected_gate(m, j);

    sched_why(m->s, &j->sched, m->now, why);
    if (gate != NULL) {
        assert_string_equal(why->reason, gate);
        assert_int_equal(why->position, 0);
    } else if (why->limiter != NULL) {
        unsigned l = (unsigned)(why->limiter - m->l);

        assert_string_equal(why->reason, m->names[l]);
        assert_true(j->use[l] > 0);
        assert_true(!room(m, j, l) || (!shared(l) && may_be_kept_by(m, j, l)));
    } else {
        assert_true(strcmp(why->reason, "NO_SLOT") == 0 || strcmp(why->reason, "FAIRSHARE") == 0);
        assert_true(all_room(m, j));
        assert_true(why->position >= 1 && why->position <= 2 * LIVE);
        assert_true(why->entitled > 0 && why->entitled <= 1 + 1e-9);
    }
}

static void claim(struct model *m)
{
    uint16_t passed[TENANTS][SCHED_BANDS];
    struct model_job *j;

    for (unsigned i = 0; i < TENANTS; i++)
        memcpy(passed[i], m->t[i].bands.passed, sizeof(passed[i]));
    for (unsigned l = 0; l < LIMITERS; l++) {
        for (unsigned b = 0; b < SCHED_BANDS; b++)
            m->owed[l][b] = m->l[l].waiting.passed[b];
    }
    j = (struct model_job *)sched_next(m->s, m->now);
    if (j == NULL) {
        m->idle++;
        assert_nobody_could_have_run(m);
        return;
    }
    assert_true(may_run(m, j));
    j->charged = j->sched.charged;
    m->claims++;
    assert_charged(m, j);
    assert_turn_of_tenant(m, j);
    assert_turn_in_tenant(m, j, passed[j->tenant]);
    assert_none_starves(m, j);
    j->is = RUNS;
    count(m, j, -1, 1, j->charged);
}

/* What is said of all that wait, and then what is claimed. */
static void claim_after_asking(struct model *m)
{
    static struct sched_why whys[LIVE];
    bool waited[LIVE];
    unsigned claims = m->claims, first = 0;

    for (unsigned i = 0; i < LIVE; i++) {
        waited[i] = m->jobs[i].is == WAITS;
        if (waited[i])
            assert_why(m, &m->jobs[i], &whys[i]);
        first += waited[i] && whys[i].position == 1;
    }
    claim(m);
    assert_int_equal(first, m->claims - claims);
    for (unsigned i = 0; i < LIVE; i++) {
        const struct model_job *j = &m->jobs[i];

        if (!waited[i])
            continue;
        if (whys[i].position == 1)
            assert_int_equal(j->is, RUNS);
        if (j->is == RUNS) {
            assert_string_equal(whys[i].reason, "NO_SLOT");
            for (unsigned k = 0; k < LIVE; k++) {
                if (waited[k] && whys[k].position > 0)
                    assert_int_equal(strcmp(whys[k].reason, "NO_SLOT") == 0, m->jobs[k].tenant == j->tenant);
            }
        }
    }
}

static void step(struct model *m)
{
    unsigned x = pick(m, 1000);

    m->now += pick(m, 20);
    if (x < 380)
        step_put(m);
    else if (x < 400)
        step_take(m);
    else if (x < 420)
        step_move(m);
    else if (x < 700)
        claim(m);
    else if (x < 720)
        claim_after_asking(m);
    else if (x < 940)
        step_done(m);
    else if (x < 950)
        step_adopt(m);
    else
        step_set(m);
    assert_counts(m);
}

/* Every gate is opened; what waits comes out, each once. */
static void drain(struct model *m)
{
    for (unsigned i = 0; i < TENANTS; i++) {
        for (unsigned b = 0; b < SCHED_BLOCKS; b++) {
            m->mt[i].blocked[b] = 0;
            sched_tenant_block(m->s, &m->t[i], b, 0);
        }
        m->mt[i].max_running = 0;
        sched_tenant_set_max_running(m->s, &m->t[i], 0);
    }
    for (unsigned l = 0; l < LIMITERS; l++) {
        m->max[l] = shared(l) ? SCHED_UNLIMITED : 4;
        sched_limiter_set(m->s, &m->l[l], m->max[l]);
    }
    while (pick_one(m, WAITS) != NULL || pick_one(m, RUNS) != NULL) {
        unsigned claims = m->claims;

        claim(m);
        if (m->claims != claims)
            continue;
        assert_non_null(pick_one(m, RUNS)); /* nothing runs, and yet nothing may: lost */
        step_done(m);
        assert_counts(m);
    }
    assert_int_equal(sched_waiting(m->s) + sched_running(m->s), 0);
}

static void end(struct model *m)
{
    for (unsigned l = 0; l < LIMITERS; l++)
        assert_false(sched_limiter_known(&m->l[l]));
    for (unsigned i = TENANTS; i-- > 0;)
        assert_int_equal(sched_tenant_remove(m->s, &m->t[i]), 0);
    sched_free(m->s);
}

static void a_random_walk_agrees_with_the_model(void **state)
{
    struct model *m = calloc(1, sizeof(*m));
    const char *given = getenv("SEED");
    unsigned base = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL), claims = 0, idle = 0;
    unsigned rounds = given != NULL ? 1 : ROUNDS;

    (void)state;
    print_message("seeds from %u\n", base);
    for (unsigned r = 0; r < rounds; r++) {
        playing = base + r;
        begin(m, playing);
        for (unsigned i = 0; i < STEPS; i++)
            step(m);
        drain(m);
        end(m);
        claims += m->claims;
        idle += m->idle;
    }
    playing = 0;
    print_message("%u steps, %u claims, %u times nothing to claim\n", rounds * STEPS, claims, idle);
    assert_true(claims > 100 * rounds);
    free(m);
}

static int say_seed(void **state)
{
    (void)state;
    if (playing != 0)
        print_message("@ SEED=%u\n", playing);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(a_random_walk_agrees_with_the_model, say_seed) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
