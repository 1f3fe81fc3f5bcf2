/*
 * test_task_classics.c - tasklets put to the old problems, to a million at once, and to a storm of random operations.
 *
 * The storm prints its seed; STORM_SEED=n repeats one. All of it is drawn from the seed but the moments at which deadlines come.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <coop/task.h>

#if defined(COOP_TSAN) /* its runtime knows 8,000 threads, and each tasklet is one to it */
enum { MANY = 4000, STORM_OPS = 100000 };
#elif defined(COOP_ASAN) || defined(COOP_UBSAN) || defined(__SANITIZE_ADDRESS__) || defined(COOP_SWITCH_UCONTEXT) || defined(COOP_EMULATED)
enum { MANY = 20000, STORM_OPS = 100000 };
#else
enum { MANY = 1000000, STORM_OPS = 1000000 };
#endif

static unsigned wrong; /* tasklets count: an assertion's longjmp() would leave their stack for main's */

static void complain(const char *what, int line)
{
    if (wrong++ < 10)
        print_message("line %d: not true: %s\n", line, what);
}

#define EXPECT(condition) ((condition) ? (void)0 : complain(#condition, __LINE__))

static int setup(void **state)
{
    (void)state;
    wrong = 0;
    return coop_init(NULL);
}

static int teardown(void **state)
{
    (void)state;
    return coop_finish();
}

static coop_chan *make_chan(size_t capacity)
{
    coop_chan *c = NULL;

    assert_int_equal(coop_chan_new(capacity, &c), 0);
    return c;
}

static void spawn(coop_fn fn, void *arg)
{
    assert_int_equal(coop_spawn(NULL, fn, arg, NULL), 0);
}

/* The tests below run everything to its end; whoever was cancelled or got stuck would show here. */
static void run_all(void)
{
    struct coop_stats stats;

    assert_int_equal(coop_run(COOP_NEVER), 0);
    coop_get_stats(&stats);
    assert_int_equal(stats.alive, 0);
    assert_int_equal(wrong, 0);
}

/* ---- sieve --------------------------------------------------------------------------------------------------------------------- */

enum { PRIMES = 100 };

struct filter {
    coop_chan *in, *out;
    intptr_t prime;
};

static int generate(void *arg)
{
    int rc = 0;

    for (intptr_t n = 2; rc == 0; n++)
        rc = coop_chan_send(arg, n, COOP_NEVER);
    return 0;
}

static int sift(void *arg)
{
    const struct filter *f = arg;
    intptr_t n;
    int rc;

    while ((rc = coop_chan_recv(f->in, &n, COOP_NEVER)) == 0)
        if (n % f->prime != 0 && (rc = coop_chan_send(f->out, n, COOP_NEVER)) != 0)
            break;
    (void)coop_chan_close(f->in); /* whoever sends to us ends as well */
    return 0;
}

static bool is_prime(intptr_t n)
{
    for (intptr_t d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

static void a_sieve_of_channels_finds_the_primes_in_order(void **state)
{
    static struct filter filters[PRIMES];
    coop_chan *chans[PRIMES + 1] = { make_chan(0) };
    intptr_t last = 1;

    (void)state;
    spawn(generate, chans[0]);
    for (int i = 0; i < PRIMES; i++) {
        filters[i].in = chans[i];
        filters[i].out = chans[i + 1] = make_chan(i % 3 == 0 ? 4 : 0);
        assert_int_equal(coop_chan_recv(chans[i], &filters[i].prime, COOP_NEVER), 0);
        while (!is_prime(++last))
            ;
        assert_int_equal(filters[i].prime, last);
        spawn(sift, &filters[i]);
    }
    assert_int_equal(last, 541);
    assert_int_equal(coop_chan_close(chans[PRIMES]), 0); /* the end runs through the chain, from behind */
    run_all();
    for (int i = 0; i <= PRIMES; i++)
        assert_int_equal(coop_chan_free(chans[i]), 0);
}

/* ---- ping-pong ----------------------------------------------------------------------------------------------------------------- */

enum { ROUNDS = 10000 };

static coop_chan *ping, *pong;
static intptr_t last_hit;

static int return_balls(void *arg)
{
    intptr_t n;
    int rc;

    (void)arg;
    while ((rc = coop_chan_recv(ping, &n, COOP_NEVER)) == 0) {
        EXPECT(n == last_hit + 1);
        last_hit = n + 1;
        EXPECT(coop_chan_send(pong, n + 1, COOP_NEVER) == 0);
    }
    EXPECT(rc == -EPIPE);
    return 0;
}

static void ping_pong_never_loses_or_doubles_the_ball(void **state)
{
    (void)state;
    for (int p = COOP_PREFER_RECEIVER; p <= COOP_PREFER_SENDER; p++) {
        intptr_t ball = 0;

        ping = make_chan(0);
        pong = make_chan(0);
        assert_int_equal(coop_chan_set_preference(ping, (enum coop_preference)p), 0);
        assert_int_equal(coop_chan_set_preference(pong, (enum coop_preference)p), 0);
        last_hit = 0;
        spawn(return_balls, NULL);
        for (int i = 0; i < ROUNDS; i++) {
            assert_int_equal(coop_chan_send(ping, ball + 1, COOP_NEVER), 0);
            assert_int_equal(coop_chan_recv(pong, &ball, COOP_NEVER), 0);
            assert_int_equal(ball, 2 * (i + 1));
        }
        assert_int_equal(coop_chan_close(ping), 0);
        run_all();
        assert_int_equal(coop_chan_free(ping), 0);
        assert_int_equal(coop_chan_free(pong), 0);
    }
}

/* ---- dining philosophers ------------------------------------------------------------------------------------------------------- */

enum { SEATS = 5, MEALS = 200 };

static struct table {
    coop_mutex *fork[SEATS];
    bool eating[SEATS];
    int meals[SEATS];
} table;

static void eat(int seat)
{
    EXPECT(!table.eating[(seat + 1) % SEATS] && !table.eating[(seat + SEATS - 1) % SEATS]);
    table.eating[seat] = true;
    EXPECT(coop_yield() == 0);
    table.eating[seat] = false;
    table.meals[seat]++;
}

static int dine(int seat, int first, int second)
{
    int rc = coop_mutex_lock(table.fork[first], COOP_NEVER);

    if (rc != 0)
        return rc;
    (void)coop_yield(); /* long enough for everybody to take one */
    rc = coop_mutex_lock(table.fork[second], COOP_NEVER);
    if (rc == 0) {
        eat(seat);
        EXPECT(coop_mutex_unlock(table.fork[second]) == 0);
    }
    EXPECT(coop_mutex_unlock(table.fork[first]) == 0);
    return rc;
}

static int orderly(void *arg)
{
    int seat = (int)(intptr_t)arg, right = (seat + 1) % SEATS, rc = 0;

    for (int i = 0; i < MEALS && rc == 0; i++)
        rc = dine(seat, seat < right ? seat : right, seat < right ? right : seat);
    return rc;
}

static int left_first(void *arg)
{
    int seat = (int)(intptr_t)arg;

    return dine(seat, seat, (seat + 1) % SEATS);
}

static void lay_table(coop_fn philosopher)
{
    memset(&table, 0, sizeof(table));
    for (int i = 0; i < SEATS; i++)
        assert_int_equal(coop_mutex_new(&table.fork[i]), 0);
    for (int i = 0; i < SEATS; i++)
        spawn(philosopher, (void *)(intptr_t)i);
}

static void clear_table(void)
{
    for (int i = 0; i < SEATS; i++)
        assert_int_equal(coop_mutex_free(table.fork[i]), 0);
}

static void philosophers_who_order_their_forks_all_eat(void **state)
{
    (void)state;
    lay_table(orderly);
    run_all();
    for (int i = 0; i < SEATS; i++)
        assert_int_equal(table.meals[i], MEALS);
    clear_table();
}

static void philosophers_who_all_take_the_left_fork_are_seen_to_be_stuck(void **state)
{
    (void)state;
    lay_table(left_first);
    assert_int_equal(coop_run(COOP_NEVER), -EDEADLK);
    for (int i = 0; i < SEATS; i++)
        assert_int_equal(table.meals[i], 0);
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(coop_init(NULL), 0);
    clear_table();
}

/* ---- readers and writers ------------------------------------------------------------------------------------------------------- */

enum { READERS = 8, WRITERS = 3, VISITS = 200 };

static struct library {
    coop_rwlock *lock;
    int reading, writing, most_reading;
    int page[2]; /* equal, whenever nobody writes */
} library;

static int reader(void *arg)
{
    (void)arg;
    for (int i = 0; i < VISITS; i++) {
        EXPECT(coop_rwlock_read(library.lock, COOP_NEVER) == 0);
        library.reading++;
        if (library.reading > library.most_reading)
            library.most_reading = library.reading;
        EXPECT(library.writing == 0 && library.page[0] == library.page[1]);
        (void)coop_yield();
        EXPECT(library.writing == 0 && library.page[0] == library.page[1]);
        library.reading--;
        EXPECT(coop_rwlock_unlock(library.lock) == 0);
        if (i % 3 == 0)
            (void)coop_yield();
    }
    return 0;
}

static int writer(void *arg)
{
    (void)arg;
    for (int i = 0; i < VISITS; i++) {
        EXPECT(coop_rwlock_write(library.lock, COOP_NEVER) == 0);
        EXPECT(library.reading == 0 && library.writing == 0);
        library.writing++;
        library.page[0]++;
        (void)coop_yield();
        library.page[1]++;
        library.writing--;
        EXPECT(coop_rwlock_unlock(library.lock) == 0);
        (void)coop_yield();
    }
    return 0;
}

static void readers_share_and_writers_are_alone(void **state)
{
    (void)state;
    memset(&library, 0, sizeof(library));
    assert_int_equal(coop_rwlock_new(&library.lock), 0);
    for (int i = 0; i < READERS; i++)
        spawn(reader, NULL);
    for (int i = 0; i < WRITERS; i++)
        spawn(writer, NULL);
    run_all();
    assert_true(library.most_reading > 1);
    assert_int_equal(library.page[0], WRITERS * VISITS);
    assert_int_equal(library.page[1], WRITERS * VISITS);
    assert_int_equal(coop_rwlock_free(library.lock), 0);
}

/* ---- power series: the coefficients of one after the other, by generators that ask generators ----------------------------------- */

enum { TERMS = 40 };

static int geometric(coop_gen *g, void *arg) /* 1 / (1 - x) */
{
    int rc = 0;

    (void)arg;
    while (rc == 0)
        rc = coop_gen_yield(g, 1, NULL);
    return rc;
}

static int fibonacci(coop_gen *g, void *arg) /* 1 / (1 - x - x^2) */
{
    intptr_t a = 1, b = 1;
    int rc = 0;

    (void)arg;
    while (rc == 0) {
        intptr_t next = a + b;

        rc = coop_gen_yield(g, a, NULL);
        a = b;
        b = next;
    }
    return rc;
}

struct product {
    coop_gen *left, *right;
    intptr_t l[TERMS], r[TERMS];
};

static int multiply(coop_gen *g, void *arg)
{
    struct product *p = arg;
    int rc = 0;

    for (int n = 0; rc == 0 && n < TERMS; n++) {
        intptr_t sum = 0;

        EXPECT(coop_gen_next(p->left, &p->l[n]) == 0);
        EXPECT(coop_gen_next(p->right, &p->r[n]) == 0);
        for (int k = 0; k <= n; k++)
            sum += p->l[k] * p->r[n - k];
        rc = coop_gen_yield(g, sum, NULL);
    }
    return rc;
}

static coop_gen *make_gen(coop_gen_fn fn, void *arg)
{
    coop_gen *g = NULL;

    assert_int_equal(coop_gen_new(fn, arg, &g), 0);
    return g;
}

static void a_product_of_power_series_has_the_right_coefficients(void **state)
{
    static struct product inner, outer;
    intptr_t fib[TERMS + 4] = { 1, 1 }, word, partial = 0;
    coop_gen *last;

    (void)state;
    for (int i = 2; i < TERMS + 4; i++)
        fib[i] = fib[i - 1] + fib[i - 2];
    inner = (struct product){ .left = make_gen(geometric, NULL), .right = make_gen(fibonacci, NULL) };
    outer = (struct product){ .left = make_gen(multiply, &inner), .right = make_gen(geometric, NULL) };
    last = make_gen(multiply, &outer);
    for (int n = 0; n < TERMS; n++) {
        partial += fib[n + 2] - 1; /* the sum of the first n+1 Fibonacci numbers; and we want the sums of those */
        assert_int_equal(coop_gen_next(last, &word), 0);
        assert_int_equal(word, partial);
    }
    assert_int_equal(coop_gen_next(last, &word), -EPIPE);
    assert_int_equal(coop_gen_free(last), 0);
    assert_int_equal(coop_gen_free(outer.left), 0);
    assert_int_equal(coop_gen_free(outer.right), 0);
    assert_int_equal(coop_gen_free(inner.left), 0);
    assert_int_equal(coop_gen_free(inner.right), 0);
    run_all();
}

/* ---- the same fringe ----------------------------------------------------------------------------------------------------------- */

enum { LEAVES = 48 };

struct node {
    struct node *left, *right; /* NULL: a leaf */
    intptr_t word;
};

static int fringe(coop_gen *g, void *arg)
{
    const struct node *n = arg;
    struct node *const sides[] = { n->left, n->right };
    int rc = 0;

    if (n->left == NULL)
        return coop_gen_yield(g, n->word, NULL);
    for (int i = 0; i < 2 && rc == 0; i++) {
        coop_gen *inner;

        rc = coop_gen_new(fringe, sides[i], &inner);
        if (rc == 0) {
            rc = coop_gen_yield_from(g, inner);
            EXPECT(coop_gen_free(inner) == 0);
        }
    }
    return rc;
}

static struct node *new_node(void)
{
    static struct node nodes[4 * LEAVES];
    static int used;

    return &nodes[used++];
}

/* Leaves from..to; left_share of 100 of them are on the left. */
static struct node *grow(int from, int to, int left_share)
{
    struct node *n = new_node();
    int middle = from + (to - from) * left_share / 100;

    n->word = from;
    if (from == to)
        return n;
    if (middle >= to)
        middle = to - 1;
    n->left = grow(from, middle, left_share);
    n->right = grow(middle + 1, to, left_share);
    return n;
}

static void trees_of_different_shape_have_the_same_fringe(void **state)
{
    coop_gen *a = make_gen(fringe, grow(1, LEAVES, 50)), *b = make_gen(fringe, grow(1, LEAVES, 100));
    intptr_t x, y;

    (void)state;
    for (int i = 1; i <= LEAVES; i++) {
        assert_int_equal(coop_gen_next(a, &x), 0);
        assert_int_equal(coop_gen_next(b, &y), 0);
        assert_int_equal(x, i);
        assert_int_equal(y, i);
    }
    assert_int_equal(coop_gen_next(a, &x), -EPIPE);
    assert_int_equal(coop_gen_next(b, &y), -EPIPE);
    assert_int_equal(coop_gen_free(a), 0);
    assert_int_equal(coop_gen_free(b), 0);
    run_all();
}

/* ---- very many ----------------------------------------------------------------------------------------------------------------- */

static intptr_t woken;
static coop_event *all_here;

/* From a file of the form "[label] number [kB]"; SIZE_MAX: none there. */
static size_t number_in(const char *path, const char *label)
{
    size_t n = SIZE_MAX, skip_chars = strlen(label);
    char line[128];
    FILE *f = fopen(path, "r");

    while (f != NULL && n == SIZE_MAX && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, label, skip_chars) == 0 && sscanf(line + skip_chars, "%zu", &n) != 1)
            break;
    if (f != NULL)
        fclose(f);
    return n;
}

static bool memory_is_short(void)
{
    const size_t needed = (size_t)MANY * 6; /* KiB: one page of stack, half a KiB of struct, and some to spare */
    size_t limit = number_in("/sys/fs/cgroup/memory.max", ""), used = number_in("/sys/fs/cgroup/memory.current", "");

    if (number_in("/proc/meminfo", "MemAvailable:") < needed)
        return true;
    return limit != SIZE_MAX && used != SIZE_MAX && (limit < used || (limit - used) / 1024 < needed);
}

static int count_me(void *arg)
{
    intptr_t mine = (intptr_t)arg;
    int rc = coop_event_wait(all_here, COOP_NEVER);

    if (rc == 0 && mine == woken)
        woken++;
    return rc;
}

static void very_many_tasklets_live_at_once_and_wake_in_order(void **state)
{
    static const struct coop_attr small = { .stack_size = 8 << 10 };
    struct coop_stats stats;

    (void)state;
    if (memory_is_short()) {
        print_message("memory is short for %d tasklets\n", MANY);
        skip();
    }
    woken = 0;
    assert_int_equal(coop_event_new(&all_here), 0);
    for (intptr_t i = 0; i < MANY; i++)
        if (coop_spawn(NULL, count_me, (void *)i, &small) != 0)
            fail_msg("the %ldth tasklet could not be made", (long)i);
    assert_int_equal(coop_yield(), 0);
    coop_get_stats(&stats);
    assert_int_equal(stats.alive, MANY);
    assert_int_equal(stats.runnable, 0);
    assert_int_equal(coop_event_set(all_here), 0);
    run_all();
    assert_int_equal(woken, MANY);
    assert_int_equal(coop_event_free(all_here), 0);
}

/* ---- storm --------------------------------------------------------------------------------------------------------------------- */

/*
 * STORMERS tasklets do random things with CHANS channels until STORM_OPS have been done. Each word that is sent is another number, and
 * what became of it is kept. Nobody looks at a parked stack; a stormer that is cancelled tidies up and leaves its seat to a new one.
 */
enum { CHANS = 12, STORMERS = 40, CLAUSES = 4, TIMED_US = 1500, WORDS = 4 * STORM_OPS };
enum { SENT = 1, NOT_SENT = 2, RECEIVED = 4 };

static struct storm {
    uint64_t random;
    coop_chan *chans[CHANS];
    coop_task *seats[STORMERS];
    int ops;
    int errors_sent, errors_received, timers_rang, stuck, cancelled, timed_out, closed, failed_children;
    intptr_t words;
    uint8_t fate[WORDS]; /* by word */
} storm;

static uint32_t below(uint32_t n)
{
    storm.random ^= storm.random << 13;
    storm.random ^= storm.random >> 7;
    storm.random ^= storm.random << 17;
    return (uint32_t)(((storm.random >> 32) * n) >> 32);
}

static coop_chan *any_chan(void)
{
    return storm.chans[below(CHANS)];
}

/* Seldom a time to come: who waits for the clock holds the whole storm up once nobody else can run. */
static int64_t any_deadline(void)
{
    uint32_t r = below(100);

    return r < 50 ? COOP_NEVER : r < 94 ? 0 : r < 98 ? coop_after(-1000) : coop_after(below(TIMED_US));
}

static intptr_t new_word(void)
{
    EXPECT(storm.words < WORDS - 1);
    return storm.words < WORDS - 1 ? ++storm.words : 0;
}

static void note_sent(intptr_t word, int rc)
{
    EXPECT((storm.fate[word] & (SENT | NOT_SENT)) == 0);
    storm.fate[word] |= rc == 0 ? SENT : NOT_SENT;
    EXPECT((storm.fate[word] & (NOT_SENT | RECEIVED)) != (NOT_SENT | RECEIVED));
}

static void note_received(intptr_t word)
{
    if (word <= 0 || word > storm.words) {
        EXPECT(!"a word that nobody sent");
        return;
    }
    EXPECT((storm.fate[word] & (RECEIVED | NOT_SENT)) == 0);
    storm.fate[word] |= RECEIVED;
}

/* What a call of the storm may fail with. -EIO is what is sent as an error. */
static int note_failure(int rc)
{
    if (rc == -EIO)
        storm.errors_received++;
    storm.cancelled += rc == -ECANCELED;
    storm.timed_out += rc == -ETIMEDOUT;
    storm.closed += rc == -EPIPE;
    EXPECT(rc == 0 || rc == -EIO || rc == -ECANCELED || rc == -ETIMEDOUT || rc == -EPIPE || rc == -EAGAIN);
    return rc;
}

static int do_send(void)
{
    intptr_t word = new_word();
    int rc = coop_chan_send(any_chan(), word, any_deadline());

    note_sent(word, rc);
    return note_failure(rc);
}

static int do_send_error(void)
{
    int rc = coop_chan_send_error(any_chan(), -EIO, any_deadline());

    storm.errors_sent += rc == 0;
    return note_failure(rc);
}

static int do_recv(void)
{
    intptr_t word = 0;
    int rc = coop_chan_recv(any_chan(), &word, any_deadline());

    if (rc == 0)
        note_received(word);
    return note_failure(rc);
}

static int do_select(void)
{
    struct coop_clause c[CLAUSES];
    size_t n = 1 + below(CLAUSES);
    int chosen;

    for (size_t i = 0; i < n; i++) {
        c[i] = (struct coop_clause){ .op = below(2) == 0 ? COOP_SEND : COOP_RECV, .chan = below(20) == 0 ? NULL : any_chan(), .rc = 1 };
        c[i].word = c[i].op == COOP_SEND ? new_word() : 0;
    }
    chosen = coop_select(c, n, (enum coop_select_policy)below(3), any_deadline());
    EXPECT(chosen < (int)n);
    for (size_t i = 0; i < n; i++) {
        bool happened = (int)i == chosen && c[i].rc == 0;

        EXPECT((int)i == chosen || c[i].rc == 1);
        if (c[i].op == COOP_SEND)
            note_sent(c[i].word, happened ? 0 : -EAGAIN);
        else if (happened)
            note_received(c[i].word);
    }
    return note_failure(chosen < 0 ? chosen : c[chosen].rc);
}

static int do_close(void)
{
    coop_chan *c = any_chan();

    if (coop_chan_is_closing(c))
        return coop_chan_open(c);
    if (below(4) == 0) {
        EXPECT(coop_chan_close(c) == 0);
        EXPECT(coop_chan_balance(c) == 0); /* whoever waited has been told */
    }
    return 0;
}

static int do_prefer(void)
{
    return coop_chan_set_preference(any_chan(), (enum coop_preference)((int)below(3) - 1));
}

static int do_cancel(void)
{
    if (below(8) == 0)
        EXPECT(coop_cancel(storm.seats[below(STORMERS)]) == 0); /* perhaps oneself */
    return 0;
}

static int do_yield(void)
{
    return note_failure(coop_yield());
}

static int do_yield_to(void)
{
    int rc = coop_yield_to(storm.seats[below(STORMERS)]);

    return rc == -EINVAL ? 0 : note_failure(rc);
}

static int do_sleep(void)
{
    return note_failure(coop_sleep_until(coop_after(below(8) == 0 ? (int64_t)below(TIMED_US) : -1)));
}

static int operate(void);

/* ---- with others --------------------------------------------------------------------------------------------------------------- */

struct family { /* malloc'ed: children write into it while the parent is parked */
    int alive, failed;
};

static int child(void *arg)
{
    struct family *f = arg;
    int rc = 0;

    for (uint32_t i = below(4); i > 0 && rc != -ECANCELED; i--)
        rc = operate();
    f->alive--;
    if (rc != -ECANCELED && below(4) == 0) {
        f->failed += coop_cancelled() == 0;
        return -ECHILD;
    }
    return coop_cancelled();
}

static void end_scope(coop_scope *s, const struct family *f)
{
    size_t failures;
    int rc;

    if (below(4) != 0) {
        rc = coop_scope_join(s, any_deadline());
        EXPECT(rc == 0 || rc == -ECHILD || rc == -ECANCELED || rc == -ETIMEDOUT);
        EXPECT(rc != 0 || f->alive == 0);
    }
    if (f->alive == 0 && below(2) == 0) {
        failures = coop_scope_failures(s, NULL);
        EXPECT(failures == (size_t)f->failed);
    }
    rc = coop_scope_close(s);
    EXPECT(f->alive == 0);
    EXPECT(rc == (f->failed > 0 ? -ECHILD : 0));
    storm.failed_children += f->failed;
}

static int do_scope(void)
{
    struct family *f = calloc(1, sizeof(*f));
    struct coop_attr attr = { .name = "child" };

    EXPECT(f != NULL);
    if (f == NULL || coop_scope_new(&attr.scope, below(3) == 0 ? coop_after(below(TIMED_US)) : COOP_NEVER) != 0) {
        free(f);
        return 0;
    }
    for (uint32_t i = 1 + below(3); i > 0; i--) {
        f->alive++;
        EXPECT(coop_spawn(NULL, child, f, &attr) == 0);
    }
    end_scope(attr.scope, f);
    free(f);
    return coop_cancelled();
}

/* While a periodic timer is set nobody is ever stuck for good, as main would see it: so the timer does what main would do. */
static int ring(void *arg)
{
    (void)arg;
    storm.timers_rang++;
    EXPECT(coop_cancel(storm.seats[below(STORMERS)]) == 0);
    return 0;
}

static int do_timer(void)
{
    coop_timer *t = NULL;
    int rc = 0, set;

    EXPECT(coop_timer_new(ring, NULL, &t) == 0);
    EXPECT(coop_timer_set(t, coop_after((int64_t)below(2 * TIMED_US) - TIMED_US), below(2) == 0 ? 0 : 1 + below(TIMED_US)) == 0);
    for (uint32_t i = below(3); i > 0 && rc != -ECANCELED; i--)
        rc = operate();
    set = below(2) == 0 ? coop_timer_stop(t) : 0;
    EXPECT(set == 0 || set == 1);
    EXPECT(coop_timer_free(t) == 0);
    return rc;
}

/* Of the one thing there is one alive, the worker below; it is waited for, left to itself, or both. */
static int once(void *arg)
{
    (void)arg;
    return operate() == -ECANCELED ? -ECANCELED : 7;
}

static int do_join(void)
{
    coop_task *t = NULL;
    int result = 1, rc;

    EXPECT(coop_spawn(&t, once, NULL, NULL) == 0);
    if (below(4) == 0)
        EXPECT(coop_cancel(t) == 0);
    if (below(2) == 0) {
        rc = coop_join(t, &result, any_deadline());
        EXPECT(rc != 0 || result == 7 || result == -ECANCELED);
        if (rc == 0)
            return 0;
        EXPECT(coop_cancel(t) == 0);
        EXPECT(coop_detach(t) == 0);
        return note_failure(rc);
    }
    coop_shield(true); /* or a cancelled caller would leave t behind */
    rc = coop_wait_for(t, &result, coop_after(below(TIMED_US)));
    coop_shield(false);
    EXPECT(rc == 0 || rc == -ETIMEDOUT);
    return coop_cancelled();
}

static const struct {
    int (*fn)(void);
    uint32_t weight;
} operations[] = {
    {do_send,        30},
    { do_recv,       31},
    { do_select,     20},
    { do_send_error, 2 },
    { do_close,      2 },
    { do_prefer,     2 },
    { do_cancel,     2 },
    { do_yield,      6 },
    { do_yield_to,   2 },
    { do_sleep,      1 },
    { do_scope,      1 },
    { do_timer,      1 },
    { do_join,       1 },
};

/* Any one of them, and inside it perhaps others. */
static int operate(void)
{
    uint32_t sum = 0, r, i = 0;

    if (storm.ops >= STORM_OPS)
        return -ECANCELED;
    storm.ops++;
    for (size_t k = 0; k < sizeof(operations) / sizeof(operations[0]); k++)
        sum += operations[k].weight;
    for (r = below(sum); r >= operations[i].weight; i++)
        r -= operations[i].weight;
    return operations[i].fn();
}

static int stormer(void *arg)
{
    int seat = (int)(intptr_t)arg, rc = 0;

    while (rc != -ECANCELED || coop_cancelled() == 0) {
        rc = operate();
        if (storm.ops >= STORM_OPS)
            return 0;
    }
    EXPECT(coop_detach(coop_self()) == 0);
    EXPECT(coop_spawn(&storm.seats[seat], stormer, arg, NULL) == 0);
    return 0;
}

/* ---- its beginning and end ------------------------------------------------------------------------------------------------------ */

static void start_storm(void)
{
    const char *seed = getenv("STORM_SEED");

    memset(&storm, 0, sizeof(storm));
    storm.random = seed != NULL ? strtoull(seed, NULL, 0) : 20260101;
    print_message("STORM_SEED=%llu\n", (unsigned long long)storm.random);
    storm.random = storm.random * 0x9e3779b97f4a7c15u | 1;
    for (int i = 0; i < CHANS; i++) {
        static const size_t capacities[] = { 0, 0, 1, 5 };

        storm.chans[i] = make_chan(capacities[i % 4]);
        assert_int_equal(coop_chan_set_preference(storm.chans[i], (enum coop_preference)(i / 4 - 1)), 0);
    }
    for (intptr_t i = 0; i < STORMERS; i++)
        assert_int_equal(coop_spawn(&storm.seats[i], stormer, (void *)i, NULL), 0);
}

/* All wait for each other now and then: one of them is told to stop waiting. */
static void weather_storm(void)
{
    int rc;

    while (storm.ops < STORM_OPS && wrong == 0) {
        rc = coop_run(COOP_NEVER);
        if (rc == 0)
            break;
        assert_int_equal(rc, -EDEADLK);
        storm.stuck++;
        assert_int_equal(coop_cancel(storm.seats[below(STORMERS)]), 0);
    }
    for (int i = 0; i < STORMERS; i++)
        assert_int_equal(coop_cancel(storm.seats[i]), 0);
    while ((rc = coop_run(COOP_NEVER)) == -EDEADLK) /* a nobody's child, perhaps, whose parent gave up waiting in time */
        fail_msg("somebody waits for nobody");
    assert_int_equal(rc, 0);
    for (int i = 0; i < STORMERS; i++)
        assert_int_equal(coop_join(storm.seats[i], NULL, 0), 0);
}

static void drain(coop_chan *c)
{
    intptr_t word;

    assert_int_equal(coop_chan_balance(c), 0);
    for (size_t n = coop_chan_len(c); n > 0; n--) {
        int rc = coop_chan_recv(c, &word, 0);

        if (rc == 0)
            note_received(word);
        else
            (void)note_failure(rc);
    }
    assert_int_equal(coop_chan_len(c), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

static void a_storm_of_operations_loses_doubles_and_leaves_nothing(void **state)
{
    struct coop_stats stats;
    long sent = 0;

    (void)state;
    start_storm();
    weather_storm();
    for (int i = 0; i < CHANS; i++)
        drain(storm.chans[i]);
    for (intptr_t w = 1; w <= storm.words; w++) {
        EXPECT(storm.fate[w] == (SENT | RECEIVED) || storm.fate[w] == NOT_SENT);
        sent += (storm.fate[w] & SENT) != 0;
    }
    coop_get_stats(&stats);
    print_message("%d operations, %llu switches, %llu tasklets; %ld words arrived, %ld failed; %d errors sent; %d cancelled, %d timed out, "
                  "%d closed, %d times stuck, %d timers rang, %d children failed\n",
                  storm.ops, (unsigned long long)stats.switches, (unsigned long long)stats.spawned, sent, (long)storm.words - sent,
                  storm.errors_sent, storm.cancelled, storm.timed_out, storm.closed, storm.stuck, storm.timers_rang, storm.failed_children);
    assert_int_equal(wrong, 0);
    assert_int_equal(storm.errors_received, storm.errors_sent);
    assert_int_equal(storm.ops, STORM_OPS);
    assert_true(sent > STORM_OPS / 20); /* it was no storm in a teacup */
    assert_true(storm.timers_rang > 0 && storm.failed_children > 0 && storm.closed > 0 && storm.cancelled > 0 && storm.timed_out > 0);
    assert_int_equal(stats.alive, 0);
    assert_int_equal(stats.spawned, stats.ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sieve_of_channels_finds_the_primes_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(ping_pong_never_loses_or_doubles_the_ball, setup, teardown),
        cmocka_unit_test_setup_teardown(philosophers_who_order_their_forks_all_eat, setup, teardown),
        cmocka_unit_test_setup_teardown(philosophers_who_all_take_the_left_fork_are_seen_to_be_stuck, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_share_and_writers_are_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_product_of_power_series_has_the_right_coefficients, setup, teardown),
        cmocka_unit_test_setup_teardown(trees_of_different_shape_have_the_same_fringe, setup, teardown),
        cmocka_unit_test_setup_teardown(a_storm_of_operations_loses_doubles_and_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(very_many_tasklets_live_at_once_and_wake_in_order, setup, teardown),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
