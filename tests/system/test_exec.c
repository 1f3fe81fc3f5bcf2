/* test_exec.c - programs as jobs, through the command: what reaches them, what comes back, how they end, and what is said of those that cannot run. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "job_limits.h"
#include "tests/support/broker_fixture.h"

static struct broker *b; /* one for all: sandboxes share nothing, which is part of what is tested */

static json_t *last_receipt(void)
{
    return receipt_of(b, json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id"));
}

/* A file in the fixture's directory with the permissions of a program. */
static const char *program(const char *name, const void *bytes, size_t len)
{
    const char *path = support_put(b->dir, name, bytes, len);

    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

#define SCRIPT(name, text) program(name, text, (size_t)-1)

/* Compiled by the machine's own compiler; skips where there is none. */
static const char *compiled(const char *name, const char *source, const char *flag)
{
    const char *from = support_put(b->dir, support_text("%s.c", name), source, (size_t)-1), *to = support_text("%s/%s", b->dir, name);
    struct proc_how how = { .in = PROC_IN_NULL };

    if (access("/usr/bin/cc", X_OK) != 0)
        skip();
    (void)proc_expect(proc_start(&how, (const char *const[]){ "/usr/bin/cc", "-o", to, from, flag, NULL }), 0);
    return to;
}

/* ---- the ways to end --------------------------------------------------------------------------------------------------------------- */

struct end {
    const char *sentence;
    const char *args[5];
    const char *limit; /* or NULL */
    int code;
    const char *cause;
    int signal;
    const char *out; /* exactly; NULL: not looked at */
    const char *err; /* has it; NULL: nothing was said */
};

#define SH(text)                                                                                                                           \
    {                                                                                                                                      \
        "--", "sh", "-c", text                                                                                                             \
    }
#define BASH(text)                                                                                                                         \
    {                                                                                                                                      \
        "--", "bash", "-c", text                                                                                                           \
    }
#define SIG(n)    COOP_EXIT_SIGNAL_BASE + (n), "signal", (n)
#define ENDS(n)   (n), (n) == 0 ? "ok" : "exit", 0
#define CANNOT(n) (n), "bad_spec", 0

/* clang-format off */
static const struct end ends[] = {
    { "true succeeds", { "true" }, NULL, ENDS(0), "", NULL },
    { "false does not", { "false" }, NULL, ENDS(1), "", NULL },
    { "an exit code is the job's own", SH("exit 42"), NULL, ENDS(42), "", NULL },
    { "255 is an exit code", SH("exit 255"), NULL, ENDS(255), "", NULL },
    { "126 of its own is no fault of the spec", SH("exit 126"), NULL, ENDS(126), "", NULL },
    { "a program is found by an absolute path", { "/bin/echo", "hi" }, NULL, ENDS(0), "hi\n", NULL },
    { "SIGSEGV is said", SH("kill -SEGV $$"), NULL, SIG(SIGSEGV), "", "signal" },
    { "so is SIGKILL by its own hand", SH("kill -KILL $$"), NULL, SIG(SIGKILL), "", "signal" },
    { "so is SIGTERM", SH("kill -TERM $$"), NULL, SIG(SIGTERM), "", "signal" },
    { "so is SIGABRT", SH("kill -ABRT $$"), NULL, SIG(SIGABRT), "", "signal" },
    { "it stands in its work directory, which is empty", SH("pwd; ls -A"), NULL, ENDS(0), "/work\n", NULL },
    { "it has the least of an environment", SH("env | sort | grep -v '^_\\|^PWD\\|^SHLVL\\|^OLDPWD'"), NULL, ENDS(0),
      "HOME=/work\nLANG=C.UTF-8\nLOGNAME=coop\nPATH=/usr/local/bin:/usr/bin:/bin\nTMPDIR=/tmp\nUSER=coop\n", NULL },
    { "it is somebody of no account", SH("id -un; id -u"), NULL, ENDS(0), "coop\n1000\n", NULL },
    { "pipes and files between programs work", BASH("seq 1 1000 | grep 7 | tee seven | wc -l; sort -u seven | wc -l"), NULL, ENDS(0), "271\n271\n", NULL },
    { "what is left running ends with it", SH("sleep 1000 & echo gone"), NULL, ENDS(0), "gone\n", NULL },
    { "an orphan is not waited for", SH("(setsid sleep 1000 &) ; exit 3"), NULL, ENDS(3), "", NULL },
    { "an endless loop ends at the cpu limit", SH("while :; do :; done"), "cpu=300ms", COOP_EXIT_TIME_LIMIT, "cpu_limit", 0, "", "cpu_limit" },
    { "one that sleeps ends at the wall limit", SH("sleep 1000"), "wall=300ms", COOP_EXIT_TIME_LIMIT, "wall_limit", 0, "", "wall_limit" },
    { "output past the cap ends it", { "yes" }, "stdout=10K", COOP_EXIT_JOB_FAILED, "output_limit", 0, NULL, "output_limit" },
    { "there is no network", SH("exec cat < /dev/null > /dev/tcp/127.0.0.1/1"), NULL, ENDS(2), "", "/dev/tcp" }, /* dash knows no such files */
    { "there is no /proc", SH("ls /proc"), NULL, ENDS(0), "", NULL },
    { "system directories are read only", SH("touch /usr/x /etc/x /x 2>/dev/null; echo $?"), NULL, ENDS(0), "1\n", NULL },
    { "no file of the host's user is there", SH("ls /root /home /var 2>/dev/null; echo $?"), NULL, ENDS(0), "2\n", NULL },

    { "a name that is not there", { "no-such-program" }, NULL, CANNOT(127), "", "no-such-program: not found in the sandbox's PATH" },
    { "a name that is nearly there", { "pythn3" }, NULL, CANNOT(127), "", "did you mean '" },
    { "a file of the view that is no program", { "/usr/include/stdio.h" }, NULL, CANNOT(126), "", "/usr/include/stdio.h: is not executable" },
    { "a directory", { "/usr/lib" }, NULL, CANNOT(126), "", "/usr/lib: is a directory" },
};
/* clang-format on */

enum { N_ENDS = sizeof(ends) / sizeof(ends[0]) };

static void it_ends_so(void **state)
{
    const struct end *e = *state;
    const char *limit = e->limit != NULL ? e->limit : "cpu=20s";
    struct proc *p = proc_expect(coop(b, "run", "--limit", limit, e->args[0], e->args[1], e->args[1] != NULL ? e->args[2] : NULL,
                                      e->args[1] != NULL && e->args[2] != NULL ? e->args[3] : NULL),
                                 e->code);
    json_t *r = last_receipt();

    assert_string_equal(json_str(r, "cause"), e->cause);
    assert_int_equal(json_num(r, "signal"), e->signal);
    assert_string_equal(json_str(r, "engine"), "exec");
    assert_string_equal(json_str(r, "enforcement.seccomp"), "exec");
    if (e->out != NULL)
        expect_text(p->out, e->out);
    if (e->err != NULL)
        expect_has(p->err, e->err);
    else
        expect_text(p->err, "");
}

/* ---- what reaches it --------------------------------------------------------------------------------------------------------------- */

static void every_byte_of_an_argument_reaches_it(void **state)
{
    char all[256];

    (void)state;
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    expect_bytes(proc_expect(coop(b, "run", "--", "printf", "%s", all), 0)->out, all, 255);
    expect_text(proc_expect(coop(b, "run", "--", "sh", "-c", "printf '<%s>' \"$0\" \"$@\"", "", "a b", "", "--", "-x"), 0)->out,
                "<><a b><><--><-x>");
}

static void its_name_is_what_was_asked_for(void **state)
{
    (void)state;
    expect_text(proc_expect(coop(b, "run", SCRIPT("self", "#!/bin/sh\necho \"$0\"\n")), 0)->out, "/work/self\n");
    expect_text(proc_expect(coop(b, "run", "--", "bash", "-c", "echo $0"), 0)->out, "bash\n");
}

static void variables_reach_it_byte_for_byte(void **state)
{
    (void)state;
    expect_text(
        proc_expect(coop(b, "run", "-e", "A=x=y \n\xff", "-e", "HOME=/tmp", "--", "sh", "-c", "printf '%s|' \"$A\" \"$HOME\""), 0)->out,
        "x=y \n\xff|/tmp|");
}

static void standard_input_is_its_own(void **state)
{
    enum { LEN = 3 << 20 };
    uint8_t *noise = support_noise(LEN, 7);

    (void)state;
    expect_text(proc_expect(coop_in(b, "ann\nbob\n", 8, "run", "--", "sh", "-c", "read a; read b; echo $b $a"), 0)->out, "bob ann\n");
    expect_bytes(proc_expect(coop_in(b, noise, LEN, "run", "--limit", "stdout=4M", "cat"), 0)->out, noise, LEN);
    expect_text(proc_expect(coop(b, "run", "--", "wc", "-c"), 0)->out, "0\n"); /* none is an empty one */
}

static void input_that_is_not_read_harms_nobody(void **state)
{
    enum { LEN = 1 << 20 };

    (void)state;
    expect_text(proc_expect(coop_in(b, support_noise(LEN, 3), LEN, "run", "--", "sh", "-c", "echo done"), 0)->out, "done\n");
    (void)proc_expect(coop_in(b, support_noise(LEN, 3), LEN, "run", "--", "head", "-c", "10"), 0);
}

static void output_is_there_before_it_ends(void **state)
{
    struct proc *p = coop_start(b, "run", "--", "sh", "-c", "echo one; read a; echo two >&2; read a; echo got $a");

    (void)state;
    proc_until(p, &p->out, "one\n");
    proc_write(p, "x\n", 2);
    proc_until(p, &p->err, "two\n");
    proc_write(p, "y\n", 2);
    (void)proc_expect(p, 0);
    expect_text(p->out, "one\ngot y\n");
    expect_text(p->err, "two\n");
}

static void output_of_many_megabytes_is_whole(void **state)
{
    struct proc *p = proc_expect(coop(b, "run", "--limit", "stdout=64M,stderr=64M", "--", "bash", "-c",
                                      "head -c 20000000 /dev/zero | tr '\\0' a & head -c 10000000 /dev/zero | tr '\\0' b >&2; wait"),
                                 0);

    (void)state;
    assert_int_equal(p->out.len, 20000000);
    assert_int_equal(p->err.len, 10000000);
    for (size_t i = 0; i < p->out.len; i++)
        if (p->out.bytes[i] != 'a')
            fail_msg("byte %zu of stdout is another's", i);
}

static void output_past_a_cap_can_be_dropped(void **state)
{
    struct proc *p =
        proc_expect(coop(b, "run", "--limit", "stdout=1000", "--on-output-limit", "truncate", "--", "head", "-c", "50000", "/dev/zero"), 0);

    (void)state;
    assert_int_equal(p->out.len, 1000);
    expect_has(p->err, "its stdout was cut after 1000 bytes, 49000 dropped");
}

/* ---- files that are sent ------------------------------------------------------------------------------------------------------------- */

static void files_are_where_they_were_named_with_their_modes(void **state)
{
    const char *data = support_put(b->dir, "data.txt", "hello\n", 6), *tool = SCRIPT("tool", "#!/bin/sh\necho tool\n");
    struct proc *p;

    (void)state;
    p = proc_expect(coop(b, "run", "--file", data, "--file", support_text("%s:in/deep/d.txt:400", data), "--file", tool, "--file",
                         support_text("%s:bin/other", tool),
                         SCRIPT("prog", "#!/bin/sh\nfind . -type f -printf '%m %p\\n' | sort -k2; ./tool\n")),
                    0);
    expect_text(p->out, "755 ./bin/other\n644 ./data.txt\n400 ./in/deep/d.txt\n755 ./prog\n755 ./tool\ntool\n");
}

static void a_file_of_sixteen_megabytes_travels(void **state)
{
    enum { LEN = LIMITS_STAGED };
    const char *big = support_put(b->dir, "big", support_noise(LEN, 9), LEN);
    struct proc *p = proc_expect(coop(b, "run", "--file", big, "--", "sh", "-c", "wc -c < big; cksum < big"), 0);
    struct proc_how how = { .in = PROC_IN_NULL };
    struct proc *here =
        proc_expect(proc_start(&how, (const char *const[]){ "/bin/sh", "-c", support_text("wc -c < %s; cksum < %s", big, big), NULL }), 0);

    (void)state;
    expect_text(p->out, here->out.bytes);
    p = proc_expect(coop(b, "run", "--file", big, SCRIPT("more", "#!/bin/sh\n")), COOP_EXIT_QUOTA); /* the program counts too */
    expect_has(p->err, "a program and its files may have 16M together");
    p = proc_expect(coop(b, "run", "--limit", "disk=1M", "--file", big, "true"), COOP_EXIT_USAGE);
    expect_has(p->err, "limit disk: the program and its files have 16M, the limit is 1M");
}

static void jobs_do_not_see_each_others_files(void **state)
{
    (void)state;
    (void)proc_expect(coop(b, "run", "--", "sh", "-c", "echo x > /work/a; echo x > /tmp/a; echo x > /dev/shm/a"), 0);
    expect_text(proc_expect(coop(b, "run", "--", "sh", "-c", "ls -A /work /tmp /dev/shm"), 0)->out, "/dev/shm:\n\n/tmp:\n\n/work:\n");
}

/* ---- files that come back ------------------------------------------------------------------------------------------------------------ */

static const char *into(const char *name)
{
    return support_text("%s/%s", b->dir, name);
}

/* A directory of the user's who runs the command, which may not be us. */
static const char *directory(const char *name)
{
    const char *path = into(name);

    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(b->uid != 0 ? chown(path, b->uid, b->uid) : 0, 0);
    return path;
}

static void expect_file(const char *path, const char *text, unsigned mode)
{
    struct stat st;
    size_t len;
    char *is = support_get(path, &len);

    assert_string_equal(is, text);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, mode);
}

static void outputs_are_written_with_their_directories_and_modes(void **state)
{
    const char *dir = into("results");
    struct proc *p;
    json_t *r;

    (void)state;
    umask(022);
    p = proc_expect(coop(b, "run", "--output", "one", "--output", "out/*.txt", "--output", "out/sub/*", "--output-dir", dir, "--", "sh",
                         "-c",
                         "echo 1 > one; mkdir -p out/sub; echo a > out/a.txt; echo b > out/b.dat; printf '#!' > out/sub/x; chmod 755 "
                         "out/sub/x; exit 3"),
                    3); /* also when it failed */
    expect_text(p->err, "");
    expect_file(support_text("%s/one", dir), "1\n", 0644);
    expect_file(support_text("%s/out/a.txt", dir), "a\n", 0644);
    expect_file(support_text("%s/out/sub/x", dir), "#!", 0755);
    assert_int_not_equal(access(support_text("%s/out/b.dat", dir), F_OK), 0);
    r = last_receipt();
    assert_int_equal(json_array_size(json_at(r, "outputs")), 3);
    assert_int_equal(strlen(json_str(r, "outputs.0.sha256")), 64);
}

static void what_is_there_already_is_kept(void **state)
{
    const char *dir = directory("kept"), *job = "echo new > a; echo new > b";
    struct proc *p;

    (void)state;
    (void)support_put(dir, "a", "old\n", 4);
    p = proc_expect(coop(b, "run", "--output", "a", "--output-dir", dir, "--", "sh", "-c", job), COOP_EXIT_USAGE);
    expect_has(p->err, "the output a is there already"); /* before it ran */
    p = proc_expect(coop(b, "run", "--output", "?", "--output-dir", dir, "--", "sh", "-c", job), COOP_EXIT_USAGE);
    expect_has(p->err, "output a is there already; --force replaces it");
    expect_file(support_text("%s/a", dir), "old\n", 0644);
    expect_file(support_text("%s/b", dir), "new\n", 0644); /* the others are written */
    (void)proc_expect(coop(b, "run", "--force", "--output", "a", "--output-dir", dir, "--", "sh", "-c", job), 0);
    expect_file(support_text("%s/a", dir), "new\n", 0644);
    p = proc_expect(coop(b, "run", "--output", "a", "--output-dir", support_text("%s/a", dir), "true"), COOP_EXIT_USAGE);
    expect_has(p->err, "--output-dir");
}

/* What stands in the user's directory may be a link: an output never goes through it. */
static void outputs_follow_no_link_of_the_users_directory(void **state)
{
    const char *dir = directory("linked"), *outside = directory("outside");
    struct proc *p;

    (void)state;
    (void)support_put(outside, "precious", "mine\n", 5);
    assert_int_equal(symlink(outside, support_text("%s/out", dir)), 0);
    assert_int_equal(symlink(support_text("%s/precious", outside), support_text("%s/file", dir)), 0);
    p = proc_expect(coop(b, "run", "--force", "--output", "out/*", "--output", "file", "--output-dir", dir, "--", "sh", "-c",
                         "mkdir out; echo x > out/precious; echo x > out/new; echo x > file"),
                    COOP_EXIT_USAGE);
    expect_has(p->err, "output out/precious: a directory on its way");
    expect_file(support_text("%s/precious", outside), "mine\n", 0644);
    assert_int_not_equal(access(support_text("%s/new", outside), F_OK), 0);
    expect_file(support_text("%s/file", dir), "x\n", 0644); /* --force has replaced the link, not what it led to */
    expect_file(support_text("%s/precious", outside), "mine\n", 0644);
}

static void what_is_no_file_is_not_collected_and_said(void **state)
{
    const char *dir = into("odd");
    struct proc *p = proc_expect(coop(b, "run", "--output", "*", "--output-dir", dir, "--", "sh", "-c",
                                      "ln -s /etc/passwd link; mkfifo fifo; mkdir dir; echo x > real; ln real hard"),
                                 0);

    (void)state;
    expect_has(p->err, "link: is a symbolic link");
    expect_has(p->err, "fifo: is a FIFO");
    expect_file(support_text("%s/real", dir), "x\n", 0644);
    assert_int_not_equal(access(support_text("%s/link", dir), F_OK), 0);
    assert_int_not_equal(access(support_text("%s/fifo", dir), F_OK), 0);
}

/* A program that succeeded without leaving what was asked of it. */
static void an_output_that_did_not_come_is_no_success(void **state)
{
    static const char job[] = "mkdir -p dir/sub; echo x > dir/sub/f; head -c 2M /dev/zero > large";
    const char *dir = into("none");
    struct proc *p = proc_expect(coop(b, "run", "--output", "nothing", "--output-dir", dir, "--", "sh", "-c", job), COOP_EXIT_USAGE);

    (void)state;
    expect_has(p->err, "nothing: nothing matches it");
    (void)proc_expect(coop(b, "run", "--output", "dir/**", "--output", "*.c", "--output-dir", dir, "--", "sh", "-c", job), COOP_EXIT_USAGE);
    p = proc_expect(coop(b, "run", "--force", "--output", "dir", "--output-dir", dir, "--", "sh", "-c", job), COOP_EXIT_USAGE);
    expect_has(p->err, "--output 'dir/**'");
    (void)proc_expect(coop(b, "run", "--limit", "result=1M", "--output", "large", "--output-dir", dir, "--", "sh", "-c", job),
                      COOP_EXIT_USAGE);
    (void)proc_expect(coop(b, "run", "--force", "--output", "d?r/**", "--output", "**/f", "--output-dir", dir, "--", "sh", "-c", job), 0);
    expect_file(support_text("%s/dir/sub/f", dir), "x\n", 0644);
    (void)proc_expect(coop(b, "run", "--output", "nothing", "--output-dir", dir, "--", "sh", "-c", "exit 7"), 7);
}

static void names_that_no_terminal_should_see_stay_inside(void **state)
{
    const char *dir = into("named");
    struct proc *p = proc_expect(coop(b, "run", "--output", "*", "--output-dir", dir, "--", "bash", "-c",
                                      "echo x > $'a\\nb'; echo x > $'\\e[2J'; echo x > $'\\xff'; echo x > 'good name'"),
                                 0);

    (void)state;
    expect_lacks(p->err, "\033");
    expect_file(support_text("%s/good name", dir), "x\n", 0644);
    assert_int_equal(json_array_size(json_at(last_receipt(), "outputs")), 1);
}

static void outputs_can_be_had_later(void **state)
{
    char *id = submit(b, "--output", "*.bin", "--output", "t", "--", "bash", "-c",
                      "head -c 700000 /dev/urandom > a.bin; cksum < a.bin; echo t > t");
    const char *dir = into("later");
    struct proc *p, *sum;

    (void)state;
    (void)expect_end(b, id, "ok");
    p = proc_expect(coop(b, "result", "--output", "a.bin", id), 0);
    assert_int_equal(p->out.len, 700000);
    sum = proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_BYTES, .bytes = p->out.bytes, .len = p->out.len },
                                 (const char *const[]){ "/usr/bin/cksum", NULL }),
                      0);
    expect_text(sum->out, coop(b, "logs", id)->out.bytes);
    (void)proc_expect(coop(b, "result", "--output-dir", dir, "-q", id), 0);
    expect_file(support_text("%s/t", dir), "t\n", 0644);
    p = proc_expect(coop(b, "result", "--output", "nothing", id), COOP_EXIT_NOT_FOUND);
    expect_text(p->out, "");
}

/* ---- whole tool chains ----------------------------------------------------------------------------------------------------------------- */

static void need(const char *path)
{
    if (access(path, X_OK) != 0)
        skip();
}

static void a_c_program_is_compiled_and_run_in_one_job(void **state)
{
    const char *source =
        support_put(b->dir, "main.c", "#include <stdio.h>\nint main(void) { return printf(\"%d\\n\", 6 * 7) != 3; }\n", (size_t)-1);

    (void)state;
    need("/usr/bin/gcc");
    expect_text(proc_expect(coop(b, "run", "--file", source, "--", "sh", "-c", "gcc -O2 -Wall -o main main.c && ./main"), 0)->out, "42\n");
}

static void programs_of_the_users_own_run(void **state)
{
    static const char hello[] = "#include <stdio.h>\nint main(int n, char **a) { printf(\"%d %s\\n\", n, a[1]); return 7; }\n";

    (void)state;
    expect_text(proc_expect(coop(b, "run", compiled("dynamic", hello, "-O1"), "x"), 7)->out, "2 x\n");
    expect_text(proc_expect(coop(b, "run", compiled("static", hello, "-static"), "y"), 7)->out, "2 y\n");
    expect_text(proc_expect(coop(b, "run", compiled("no-pie", hello, "-no-pie"), "z"), 7)->out, "2 z\n");
    expect_text(proc_expect(coop(b, "run", compiled("static-pie", hello, "-static-pie"), "w"), 7)->out, "2 w\n");
}

static void python_runs(void **state)
{
    (void)state;
    need("/usr/bin/python3");
    expect_text(
        proc_expect(coop_in(b, "3\n4\n", 4, "run", "--", "python3", "-c", "import sys; print(sum(int(x) for x in sys.stdin))"), 0)->out,
        "7\n");
    expect_text(
        proc_expect(coop(b, "run", SCRIPT("p.py", "#!/usr/bin/env python3\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n"), "a"), 0)
            ->out,
        "[\"a\"]\n");
    expect_has(proc_expect(coop(b, "run", "--", "python3", "-c", "raise ValueError('no')"), 1)->err, "ValueError: no");
}

static void node_runs(void **state)
{
    (void)state;
    need("/usr/bin/node");
    expect_text(proc_expect(coop(b, "run", "--limit", "memory=1G", "node", "-e", "console.log([1, 2].map(x => x * 2).join())"), 0)->out,
                "2,4\n");
}

static void a_static_go_program_runs(void **state)
{
    const char *source = support_put(
        b->dir, "main.go",
        "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tc := make(chan int)\n\tgo func() { c <- 42 }()\n\tfmt.Println(<-c)\n}\n",
        (size_t)-1);
    struct proc_how how = { .in = PROC_IN_NULL };
    const char *cache = support_text("GOCACHE=%s/go-cache", b->dir);

    (void)state;
    need("/usr/bin/go");
    how.env = (const char *const[]){ cache, "GO111MODULE=off", "CGO_ENABLED=0", NULL };
    (void)proc_expect(proc_start(&how, (const char *const[]){ "/usr/bin/go", "build", "-o", into("gone"), source, NULL }), 0);
    expect_text(proc_expect(coop(b, "run", into("gone")), 0)->out, "42\n");
}

/* ---- what cannot be run ------------------------------------------------------------------------------------------------------------------ */

static void what_is_missing_is_named(void **state)
{
    (void)state;
    expect_has(proc_expect(coop(b, "run", SCRIPT("nointerp", "#!/opt/no/such/interpreter -x\n")), 127)->err, "/opt/no/such/interpreter");
    expect_has(proc_expect(coop(b, "run", SCRIPT("dos", "#!/bin/sh\r\necho\r\n")), 127)->err, "carriage return");
    expect_has(proc_expect(coop(b, "run", SCRIPT("noenv", "#!/usr/bin/env no-such-thing\n")), 127)->err, "no-such-thing");
    expect_has(proc_expect(coop(b, "run", into("not-there")), 127)->err, "not-there does not exist");
}

static void a_missing_library_is_named(void **state)
{
    const char *lib = compiled("libabsent.so.7", "int absent(void) { return 1; }\n", "-Wl,-shared,-soname,libabsent.so.7,-e,0"), *prog;

    (void)state;
    (void)support_put(b->dir, "needs.c", "int absent(void);\nint main(void) { return absent(); }\n", (size_t)-1);
    prog = into("needs");
    (void)proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL },
                                 (const char *const[]){ "/usr/bin/cc", "-o", prog, into("needs.c"), lib, NULL }),
                      0);
    expect_has(proc_expect(coop(b, "run", prog), 127)->err, "libabsent.so.7");
    assert_string_equal(json_str(last_receipt(), "cause"), "bad_spec");
}

static void files_of_other_machines_are_refused_by_name(void **state)
{
    Elf64_Ehdr h;
    size_t len;
    char *file = support_get(support_program("coop"), &len);

    (void)state;
    memcpy(&h, file, sizeof(h));
    h.e_machine = EM_AARCH64;
    memcpy(file, &h, sizeof(h));
    expect_has(proc_expect(coop(b, "run", program("arm", file, 65536)), COOP_EXIT_NOT_EXECUTABLE)->err,
               "is built for aarch64, this machine is");
    h.e_machine = EM_386;
    h.e_ident[EI_CLASS] = ELFCLASS32;
    memcpy(file, &h, sizeof(h));
    expect_has(proc_expect(coop(b, "run", program("i386", file, 65536)), COOP_EXIT_NOT_EXECUTABLE)->err, "is built for i386");
    h.e_machine = EM_X86_64;
    h.e_ident[EI_CLASS] = ELFCLASS64;
    memcpy(file, &h, sizeof(h));
    expect_has(proc_expect(coop(b, "run", program("cut", file, 65536)), COOP_EXIT_NOT_EXECUTABLE)->err, "is truncated");
    /* a file that is only named, or comes past the command's own look */
    h.e_machine = EM_386;
    h.e_ident[EI_CLASS] = ELFCLASS32;
    memcpy(file, &h, sizeof(h));
    expect_has(
        proc_expect(coop(b, "run", "--file", support_text("%s:tool:755", program("i386", file, 65536)), "--", "sh", "-c", "exec ./tool"),
                    126)
            ->err,
        "tool");
}

static void a_job_that_cannot_run_has_its_code_everywhere(void **state)
{
    char *id = submit(b, "no-such-program");
    json_t *r;

    (void)state;
    (void)proc_expect(coop(b, "wait", id), 127);
    (void)proc_expect(coop(b, "result", id), 127);
    r = receipt_of(b, id);
    assert_string_equal(json_str(r, "cause"), "bad_spec");
    assert_string_equal(json_str(r, "outcome"), "failed");
    assert_int_equal(json_num(r, "exit_code"), 127);
}

/* ---- the broker believes no command -------------------------------------------------------------------------------------------------------- */

static void what_it_may_not_do_is_told_with_what_would_help(void **state)
{
    struct proc *p;
    json_t *r;

    (void)state;
    need("/usr/bin/python3");
    p = proc_expect(coop(b, "run", "--", "python3", "-c", "import socket; socket.socket()"), COOP_EXIT_POLICY);
    expect_has(p->err, "ended: policy (socket(AF_INET, SOCK_STREAM");
    expect_has(p->err, "is not in profile exec; see --cap net");
    r = last_receipt();
    assert_string_equal(json_str(r, "cause"), "policy");
    assert_string_equal(json_str(r, "violation.name"), "socket");
    assert_string_equal(json_str(r, "violation.abi"), "x86_64");
    assert_int_equal(json_num(r, "violation.args.0"), 2);
    expect_has(coop(b, "result", json_str(r, "job"))->out, "call        socket(0x2, 0x");
}

/* Learn once, read the rows, add them: the way of a program that the policy does not know. */
static void what_is_learned_once_can_be_added(void **state)
{
    static const char job[] = "import socket; print(socket.socket().family == socket.AF_INET)";
    const char *rows = into("rows"), *id;
    struct proc *p, *again;

    (void)state;
    need("/usr/bin/python3");
    p = proc_expect(coop(b, "run", "--learn", "--", "python3", "-c", job), 0);
    expect_text(p->out, "True\n");
    expect_has(p->err, "\nallow socket if family == AF_INET");
    id = json_str(last_receipt(), "job");
    assert_int_equal(json_array_size(json_at(last_receipt(), "learned")), 1);
    assert_string_equal(json_str(last_receipt(), "cause"), "ok");
    again = proc_expect(coop(b, "result", "--learned", id), 0);
    expect_text(again->out, p->err.bytes);
    (void)support_put(b->dir, "rows", again->out.bytes, again->out.len);
    expect_text(proc_expect(coop(b, "run", "--policy", rows, "--", "python3", "-c", job), 0)->out, "True\n");
    expect_text(proc_expect(coop(b, "run", "--learn", "--policy", rows, "--", "python3", "-c", job), 0)->out, "True\n");
    assert_int_equal(json_array_size(json_at(last_receipt(), "learned")), 0); /* nothing more is missing */
    expect_has(proc_expect(coop(b, "run", "--learn", "true"), 0)->err, "needed no row more");
    (void)proc_expect(coop(b, "run", "--", "python3", "-c", job), COOP_EXIT_POLICY); /* and nobody else has it */
}

static void rows_that_nobody_may_have_are_refused_by_name(void **state)
{
    const char *rows = support_put(b->dir, "bad.rows", "# mine\nallow ptrace # to look\n", (size_t)-1);

    (void)state;
    expect_has(proc_expect(coop(b, "run", "--policy", rows, "true"), COOP_EXIT_USAGE)->err, "bad.rows: line 2: ptrace can not be allowed");
}

static void capabilities_are_had_when_asked_for(void **state)
{
    (void)state;
    expect_text(proc_expect(coop(b, "run", "--cap", "proc", "--", "sh", "-c", "test -r /proc/self/status && echo yes"), 0)->out, "yes\n");
    need("/usr/bin/python3");
    expect_text(
        proc_expect(coop(b, "run", "--cap", "net=loopback", "--", "python3", "-c",
                         "import socket\ns = socket.create_server(('127.0.0.1', 0))\nc = socket.create_connection(s.getsockname())\n"
                         "c.sendall(b'x')\nprint(s.accept()[0].recv(1))\n"
                         "try:\n socket.create_connection(('192.0.2.1', 80), 5)\nexcept OSError as e: print(e.errno)\n"),
                    0)
            ->out,
        "b'x'\n101\n");
    expect_has(proc_expect(coop(b, "run", "--cap", "nte=loopback", "true"), COOP_EXIT_USAGE)->err, "did you mean 'net'?");
}

/* ---- its end by others --------------------------------------------------------------------------------------------------------------------- */

static void a_cancel_ends_all_of_it(void **state)
{
    struct proc *p = coop_start(b, "run", "--", "sh", "-c", "trap '' TERM; sleep 1000 & sleep 1000 & echo up; wait; wait; wait");
    const char *id;

    (void)state;
    proc_until(p, &p->out, "up\n");
    id = json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id");
    (void)proc_expect(coop(b, "cancel", id), 0);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    assert_string_equal(json_str(receipt_of(b, id), "cause"), "cancelled");
}

static void one_that_heeds_a_cancel_ends_by_itself(void **state)
{
    struct proc *p = coop_start(b, "run", "--", "sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done");

    (void)state;
    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    expect_text(p->out, "up\nbye\n");
}

static void a_kill_ends_it_at_once(void **state)
{
    char *id = submit(b, "--", "sh", "-c", "trap '' TERM; while :; do :; done");

    (void)state;
    broker_says(b, "to=running", id);
    (void)proc_expect(coop(b, "kill", id), 0);
    (void)proc_expect(coop(b, "wait", id), COOP_EXIT_CANCELLED);
}

/* ---- a terminal ------------------------------------------------------------------------------------------------------------------------------ */

struct pty {
    int master, slave;
    struct heard heard;
    struct proc *p;
};

/* In the child: the slave side is its controlling terminal and its three streams. */
static void take_terminal(const void *arg)
{
    int slave = *(const int *)arg;

    if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) != 0 || dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0)
        _exit(121);
    close(slave);
}

static void pty_free(void *thing)
{
    struct pty *t = thing;

    close(t->master);
    close(t->slave);
    free(t->heard.bytes);
    free(t);
}

static struct pty *on_a_terminal(const char *const *args)
{
    struct winsize size = { .ws_row = 31, .ws_col = 97 };
    struct pty *t = calloc(1, sizeof(*t));
    struct proc_how how = { .in = PROC_IN_NULL, .before_exec = take_terminal };

    assert_int_equal(openpty(&t->master, &t->slave, NULL, NULL, &size), 0);
    support_on_release(pty_free, t);
    how.pass_fd = t->slave;
    how.arg = &t->slave;
    t->p = coop_start_(b, &how, args);
    return t;
}

#define ON_A_TERMINAL(...) on_a_terminal((const char *const[]){ __VA_ARGS__, NULL })

static void type(struct pty *t, const char *text)
{
    assert_int_equal(write(t->master, text, strlen(text)), strlen(text));
}

/* Reads the screen until it has this text. */
static void until_shown(struct pty *t, const char *text)
{
    uint64_t started = support_now_ms();

    while (t->heard.bytes == NULL || strstr(t->heard.bytes, text) == NULL) {
        struct pollfd f[2] = {
            {.fd = t->master,    .events = POLLIN},
            { .fd = t->p->pidfd, .events = POLLIN}
        };
        ssize_t n;

        if (poll(f, 2, support_left_ms(started)) <= 0 || f[0].revents == 0)
            support_fail("the screen never showed \"%s\", but: %s", text, t->heard.bytes != NULL ? t->heard.bytes : "");
        t->heard.bytes = realloc(t->heard.bytes, t->heard.len + 4097);
        n = read(f[0].fd, t->heard.bytes + t->heard.len, 4096);
        t->heard.len += n > 0 ? (size_t)n : 0;
        t->heard.bytes[t->heard.len] = '\0';
    }
}

static bool is_cooked(const struct pty *t)
{
    struct termios now;

    assert_int_equal(tcgetattr(t->slave, &now), 0);
    return (now.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG) && (now.c_oflag & OPOST) != 0;
}

static void a_program_has_a_terminal_of_its_own(void **state)
{
    struct pty *t = ON_A_TERMINAL("run", "-t", "--", "bash", "-c",
                                  "test -t 0 && test -t 1 && test -t 2 && echo all; stty size; read -p '> ' a; echo \"got <$a>\"; exit 9");

    (void)state;
    until_shown(t, "all\r\n31 97\r\n");
    until_shown(t, "> ");
    assert_false(is_cooked(t)); /* ours is raw meanwhile */
    type(t, "helxo\x7f\x7flo\r");
    until_shown(t, "got <hello>");
    assert_int_equal(proc_end(t->p), 9);
    assert_true(is_cooked(t));
}

static void a_new_size_reaches_it(void **state)
{
    struct winsize size = { .ws_row = 40, .ws_col = 120 };
    struct pty *t =
        ON_A_TERMINAL("run", "--tty", "--", "bash", "-c", "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.05; done");

    (void)state;
    until_shown(t, "31 97");
    assert_int_equal(ioctl(t->slave, TIOCSWINSZ, &size), 0);
    until_shown(t, "40 120");
    assert_int_equal(proc_end(t->p), 0);
    assert_true(is_cooked(t));
}

static void ctrl_c_goes_to_the_program(void **state)
{
    struct pty *t =
        ON_A_TERMINAL("run", "--tty", "--", "bash", "-c", "trap 'echo caught; exit 5' INT; echo up; while :; do sleep 0.05; done");

    (void)state;
    until_shown(t, "up");
    type(t, "\x03");
    until_shown(t, "caught");
    assert_int_equal(proc_end(t->p), 5);
    assert_true(is_cooked(t));
}

static void the_terminal_is_as_it_was_whatever_ends_the_run(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct pty *t = ON_A_TERMINAL("run", "--tty", "--", "sh", "-c", "trap '' HUP; echo up; sleep 1000");

        until_shown(t, "up");
        assert_false(is_cooked(t));
        proc_kill(t->p, signals[i]);
        assert_int_equal(proc_end(t->p), COOP_EXIT_CANCELLED);
        assert_true(is_cooked(t));
    }
}

static void its_terminal_cannot_reach_ours(void **state)
{
    struct pty *t;

    (void)state;
    need("/usr/bin/python3");
    t = ON_A_TERMINAL(
        "run", "--tty", "--", "python3", "-c",
        "import fcntl, termios\n"
        "try:\n for c in b'echo pwned\\n': fcntl.ioctl(0, termios.TIOCSTI, bytes([c]))\nexcept OSError as e: print('refused', e.errno)\n");
    (void)proc_end(t->p);
    assert_true(is_cooked(t));
    if (t->heard.bytes != NULL)
        assert_null(strstr(t->heard.bytes, "pwned"));
}

static void without_a_terminal_there_is_none_to_give(void **state)
{
    (void)state;
    expect_has(proc_expect(coop(b, "run", "--tty", "true"), COOP_EXIT_USAGE)->err, "--tty: standard input is no terminal");
    (void)proc_expect(coop(b, "run", "--", "sh", "-c", "test -t 0 || test -t 1 || test -t 2"), 1);
}

/* ---- what is asked for is kept --------------------------------------------------------------------------------------------------------------- */

static void show_tells_what_a_program_was_given(void **state)
{
    char *id = submit(b, "--name", "mine", "--cap", "proc", "--output", "o/*", "--file", support_put(b->dir, "data", "x", 1), "--limit",
                      "pids=7", "--", "sh", "-c", "exit 0");
    struct proc *p;

    (void)state;
    (void)expect_end(b, id, "ok");
    p = proc_expect(coop(b, "show", id), 0);
    expect_has(p->out, "program     sh\n");
    expect_has(p->out, "files       644 data\n");
    expect_has(p->out, "outputs     o/*\n");
    expect_has(p->out, "may have    proc\n");
    expect_has(p->out, "pids      7\n");
}

static int group_up(void **state)
{
    (void)state; /* stays NULL: a group's state would stand before a test's own */
    b = broker_new();
    broker_up(b);
    return 0;
}

static int group_up_as_another_user(void **state)
{
    (void)state;
    b = broker_new();
    if (!broker_belongs_to(b, SUPPORT_NOBODY))
        return -1;
    broker_up(b);
    return 0;
}

static bool another_user_can_have_a_broker(void)
{
    bool can = broker_belongs_to(broker_new(), SUPPORT_NOBODY);

    support_release();
    return can;
}

static int group_down(void **state)
{
    void *made = b;

    (void)state;
    return broker_teardown(&made);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    static const struct CMUnitTest others[] = {
        TEST(every_byte_of_an_argument_reaches_it),
        TEST(its_name_is_what_was_asked_for),
        TEST(variables_reach_it_byte_for_byte),
        TEST(standard_input_is_its_own),
        TEST(input_that_is_not_read_harms_nobody),
        TEST(output_is_there_before_it_ends),
        TEST(output_of_many_megabytes_is_whole),
        TEST(output_past_a_cap_can_be_dropped),
        TEST(files_are_where_they_were_named_with_their_modes),
        TEST(a_file_of_sixteen_megabytes_travels),
        TEST(jobs_do_not_see_each_others_files),
        TEST(outputs_are_written_with_their_directories_and_modes),
        TEST(what_is_there_already_is_kept),
        TEST(outputs_follow_no_link_of_the_users_directory),
        TEST(what_is_no_file_is_not_collected_and_said),
        TEST(names_that_no_terminal_should_see_stay_inside),
        TEST(an_output_that_did_not_come_is_no_success),
        TEST(outputs_can_be_had_later),
        TEST(a_c_program_is_compiled_and_run_in_one_job),
        TEST(programs_of_the_users_own_run),
        TEST(python_runs),
        TEST(node_runs),
        TEST(a_static_go_program_runs),
        TEST(what_is_missing_is_named),
        TEST(a_missing_library_is_named),
        TEST(files_of_other_machines_are_refused_by_name),
        TEST(a_job_that_cannot_run_has_its_code_everywhere),
        TEST(what_it_may_not_do_is_told_with_what_would_help),
        TEST(what_is_learned_once_can_be_added),
        TEST(rows_that_nobody_may_have_are_refused_by_name),
        TEST(capabilities_are_had_when_asked_for),
        TEST(a_cancel_ends_all_of_it),
        TEST(one_that_heeds_a_cancel_ends_by_itself),
        TEST(a_kill_ends_it_at_once),
        TEST(a_program_has_a_terminal_of_its_own),
        TEST(a_new_size_reaches_it),
        TEST(ctrl_c_goes_to_the_program),
        TEST(the_terminal_is_as_it_was_whatever_ends_the_run),
        TEST(its_terminal_cannot_reach_ours),
        TEST(without_a_terminal_there_is_none_to_give),
        TEST(show_tells_what_a_program_was_given),
    };
    enum { N_TESTS = N_ENDS + sizeof(others) / sizeof(others[0]) };
    static struct CMUnitTest tests[N_TESTS];
    int failed;

    for (size_t i = 0; i < N_ENDS; i++)
        tests[i] = (struct CMUnitTest){ ends[i].sentence, it_ends_so, NULL, NULL, (void *)&ends[i] };
    memcpy(tests + N_ENDS, others, sizeof(others));
    cmocka_set_test_filter(getenv("TEST"));
    failed = _cmocka_run_group_tests("exec", tests, N_TESTS, group_up, group_down);
    if (another_user_can_have_a_broker()) /* only root has one; else this was it already */
        failed += _cmocka_run_group_tests("exec, an ordinary user's", tests, N_TESTS, group_up_as_another_user, group_down);
    return failed;
}
