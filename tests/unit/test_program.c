/* test_program.c - what the word after `coop run` names: a file that is sent, to which engine, or a program of the sandbox; and its parts. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/outputs.h"
#include "cli/program.h"
#include "cli/submit_spec.h"
#include "elf_check.h"

#include <coop/exit_codes.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
enum { WORDS = 48 };

/* ---- a directory to stand in ------------------------------------------------------------------------------------------------------- */

struct here {
    char dir[64];
    int back;
};

static void put(const char *name, const void *bytes, size_t len, mode_t mode)
{
    FILE *out = fopen(name, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(out);
    assert_int_equal(chmod(name, mode), 0);
}

#define PUT(name, text) put(name, text, sizeof(text) - 1, 0644)

/* The least that a kernel, or a loader, would look at: a header, one segment that holds all of it, and one more. */
struct least {
    Elf64_Ehdr head;
    Elf64_Phdr load, more;
    Elf64_Dyn entries[5];
    char strings[16];
    Elf64_Sym symbols[2];
};

static struct least least_of(unsigned type, unsigned more)
{
    struct least f = { .head = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT } } };

    f.head.e_type = (Elf64_Half)type;
    f.head.e_machine = EM_X86_64;
    f.head.e_version = EV_CURRENT;
    f.head.e_phoff = offsetof(struct least, load);
    f.head.e_phentsize = sizeof(Elf64_Phdr);
    f.head.e_phnum = 2;
    f.load.p_type = PT_LOAD;
    f.load.p_filesz = f.load.p_memsz = sizeof(f);
    f.more.p_type = more;
    f.more.p_offset = offsetof(struct least, entries);
    f.more.p_filesz = sizeof(f.entries);
    return f;
}

static int setup(void **state)
{
    struct here *h = calloc(1, sizeof(*h));

    strcpy(h->dir, "/tmp/coop-test-program-XXXXXX");
    h->back = open(".", O_PATH | O_DIRECTORY);
    *state = h;
    return mkdtemp(h->dir) != NULL && chdir(h->dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct here *h = *state;
    char command[128];
    int rc = fchdir(h->back);

    close(h->back);
    snprintf(command, sizeof(command), "rm -r %s", h->dir);
    rc |= system(command);
    free(h);
    return rc;
}

static int make(const char *line, struct command *c, struct spec *s, struct coop_error *why)
{
    static char words[1024];
    char *argv[WORDS + 1] = { "coop" }, *rest = words, *word;
    int argc = 1;

    snprintf(words, sizeof(words), "%s", line);
    while ((word = strsep(&rest, " ")) != NULL && argc < WORDS)
        if (word[0] != '\0')
            argv[argc++] = word;
    argv[argc] = NULL;
    why->hint[0] = '\0';
    if (command_parse(argc, argv, c, why) != 0)
        return -EINVAL;
    return spec_make(c, true, s, why);
}

static void refused(const char *line, int code, const char *message, const char *hint)
{
    struct coop_error why;
    struct command c;
    struct spec s;

    if (make(line, &c, &s, &why) == 0)
        fail_msg("accepted: coop %s", line);
    command_finish(&c);
    if (why.exit_code != code || strstr(why.message, message) == NULL || (hint != NULL && strstr(why.hint, hint) == NULL))
        fail_msg("coop %s: exit %d, \"%s\", hint \"%s\"", line, why.exit_code, why.message, why.hint);
}

/* program NULL: the file is sent. */
static void taken(const char *line, const char *engine, const char *program)
{
    struct coop_error why;
    struct command c;
    struct spec s;

    if (make(line, &c, &s, &why) != 0)
        fail_msg("refused: coop %s: %s", line, why.message);
    if (strcmp(s.pb.engine, engine) != 0 || strcmp(s.pb.program, program != NULL ? program : "") != 0)
        fail_msg("coop %s: engine %s, program '%s'", line, s.pb.engine, s.pb.program);
    assert_int_equal(s.pb.source.len > 0, program == NULL);
    assert_true(s.pb.source_name[0] != '\0' && s.pb.name[0] != '\0');
    spec_finish(&s);
    command_finish(&c);
}

/* ---- which word names what ----------------------------------------------------------------------------------------------------------- */

static void words_name_files_or_programs(void **state)
{
    struct least program = least_of(ET_EXEC, PT_NOTE);

    (void)state;
    PUT("a.lua", "print(1)");
    PUT("script", "#!/bin/sh\nexit 0\n");
    PUT("bash", "#!/bin/sh\nexit 0\n");
    put("prog", &program, sizeof(program), 0755);
    assert_int_equal(mkdir("cat", 0755), 0);
    taken("run a.lua", "lua", NULL);
    taken("run ./a.lua", "lua", NULL);
    taken("run -- a.lua", "lua", NULL); /* its name says what it is */
    taken("run script", "exec", NULL);
    taken("run ./script -x", "exec", NULL);
    taken("run prog", "exec", NULL);
    taken("run bash", "exec", NULL); /* there is such a file here */
    taken("run -- bash -c x", "exec", "bash");
    taken("run --engine exec bash", "exec", "bash");
    taken("run --engine exec ./bash", "exec", NULL);
    taken("run cat", "exec", "cat"); /* a directory is no program */
    taken("run no-such-file-here x", "exec", "no-such-file-here");
    taken("submit true", "exec", "true");
    taken("run /bin/sh -c x", "exec", "/bin/sh");
    taken("run /usr/bin/env", "exec", "/usr/bin/env");
    taken("run --engine exec /usr/bin/env", "exec", "/usr/bin/env");
}

static void files_of_the_view_that_are_other_engines_are_sent(void **state)
{
    (void)state;
    assert_true(access("/usr/share/common-licenses", F_OK) == 0);
    refused("run /usr/../etc/hostname", COOP_EXIT_NOT_EXECUTABLE, "cannot tell what runs", NULL); /* not below the view: read here */
    refused("run --engine lua /bin/sh", COOP_EXIT_USAGE, "is not text", NULL);
    refused("run --engine native /bin/sh", COOP_EXIT_USAGE, "is an executable, which the engine exec runs", NULL);
}

static void what_is_not_there_is_named_with_what_is_near(void **state)
{
    (void)state;
    PUT("program", "#!/bin/sh\n");
    PUT("words.lua", "print(1)");
    refused("run ./prgram", 127, "program ./prgram does not exist", "'./program'");
    refused("run word.lua", 127, "script word.lua does not exist", "'words.lua'");
    refused("submit ./prgram", 127, "does not exist", "'./program'");
    refused("run /usr/bin/evn", 127, "program /usr/bin/evn does not exist", "'/usr/bin/env'");
    refused("run ./program/x", 127, "does not exist", NULL);
    refused("run job.so", 127, "shared object job.so does not exist", NULL);
    refused("run .", 126, ". is a directory", NULL);
    refused("run --engine lua nothing", 127, "script nothing does not exist", NULL);
}

static void files_that_nothing_runs_are_named(void **state)
{
    static const unsigned char cut[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
    struct least f;

    (void)state;
    PUT("notes.txt", "hello\n");
    PUT("a.c", "int main(void) { return 0; }\n");
    PUT("a.rb", "puts 1\n");
    PUT("a.py", "print(1)\n");
    PUT("empty", "");
    put("cut", cut, sizeof(cut), 0755);
    refused("run notes.txt", 126, "cannot tell what runs notes.txt", "#! line");
    refused("run a.c", 126, "cannot tell what runs a.c", "cc -o a a.c");
    refused("run a.rb", 126, "cannot tell what runs a.rb", "#!");
    refused("run --engine exec ./a.py", 126, "a.py is no program", "coop run ./a.py");
    refused("run -c", 2, "-c", NULL);
    refused("run -m a/b", 2, "not the name of a module", NULL);
    refused("run --engine lua -c 1", 2, "of the engine python", NULL);
    taken("run a.py", "python", NULL);
    taken("run -c print(1) x", "python", NULL);
    taken("run -m json.tool --sort-keys", "python", NULL);
    refused("run ./empty", 2, "program ./empty is empty", NULL);
    refused("run ./cut", 126, "./cut is truncated", NULL);
    refused("run --engine exec ./notes.txt", 126, "is no program", NULL);

    f = least_of(ET_EXEC, PT_NOTE);
    f.head.e_machine = EM_AARCH64;
    put("arm", &f, sizeof(f), 0755);
    refused("run ./arm", 126, "./arm is built for aarch64, this machine is x86-64", NULL);
    f = least_of(ET_EXEC, PT_NOTE);
    f.head.e_machine = EM_386;
    f.head.e_ident[EI_CLASS] = ELFCLASS32;
    put("i386", &f, sizeof(f), 0755);
    refused("run ./i386", 126, "./i386 is built for i386", NULL);
    f = least_of(ET_EXEC, PT_NOTE);
    f.head.e_ident[EI_CLASS] = ELFCLASS32;
    put("x32", &f, sizeof(f), 0755);
    refused("run ./x32", 126, "32-bit", NULL);
    f = least_of(ET_REL, PT_NOTE);
    put("a.o", &f, sizeof(f), 0755);
    refused("run ./a.o", 126, "./a.o is an object file that is not linked", NULL);
    f = least_of(ET_EXEC, PT_NOTE);
    f.load.p_filesz = sizeof(f) + 1;
    put("short", &f, sizeof(f), 0755);
    refused("run ./short", 126, "./short is truncated: its segments end", NULL);
    f = least_of(ET_EXEC, PT_NOTE);
    f.load.p_type = PT_NOTE;
    put("none", &f, sizeof(f), 0755);
    refused("run ./none", 126, "nothing in it that could be loaded", NULL);
}

static void an_elf_file_is_a_program_or_a_job(void **state)
{
    struct least f;

    (void)state;
    f = least_of(ET_DYN, PT_INTERP); /* an old position-independent program, or a library that is one */
    put("interp", &f, sizeof(f), 0755);
    taken("run ./interp", "exec", NULL);
    f = least_of(ET_DYN, PT_DYNAMIC);
    f.entries[0] = (Elf64_Dyn){ DT_FLAGS_1, { DF_1_PIE } };
    put("static-pie", &f, sizeof(f), 0755);
    taken("run ./static-pie", "exec", NULL);
    f = least_of(ET_DYN, PT_DYNAMIC);
    f.entries[0] = (Elf64_Dyn){ DT_FLAGS, { DF_BIND_NOW } };
    put("lib", &f, sizeof(f), 0755);
    taken("run ./lib", "native", NULL); /* whether it has a coop_job() the loader says */
    taken("run --engine exec ./lib", "exec", NULL);
}

static enum elf_kind kind_of(const struct least *f)
{
    enum elf_kind kind;
    char why[ELF_WHY];

    assert_int_equal(elf_kind(f, sizeof(*f), &kind, why), 0);
    return kind;
}

/* A shared object may name a loader and be a job all the same: by the function that it defines. */
static void a_job_is_told_by_its_function(void **state)
{
    struct least f = least_of(ET_DYN, PT_DYNAMIC);

    (void)state;
    f.entries[0] = (Elf64_Dyn){ DT_SYMTAB, { offsetof(struct least, symbols) } };
    f.entries[1] = (Elf64_Dyn){ DT_STRTAB, { offsetof(struct least, strings) } };
    f.entries[2] = (Elf64_Dyn){ DT_STRSZ, { sizeof(f.strings) } };
    strcpy(f.strings + 1, "coop_job");
    f.symbols[1].st_name = 1;
    f.symbols[1].st_shndx = 1;
    assert_int_equal(kind_of(&f), ELF_JOB);
    f.entries[3] = (Elf64_Dyn){ DT_FLAGS_1, { DF_1_PIE } };
    assert_int_equal(kind_of(&f), ELF_PROGRAM);
}

/* ---- what travels with it ------------------------------------------------------------------------------------------------------------ */

static void files_are_sent_with_names_and_modes(void **state)
{
    static const struct {
        const char *flag, *name;
        unsigned mode;
    } rows[] = {
        {"data.txt",           "data.txt", 0644},
        { "./sub/x",           "x",        0644},
        { "tool",              "tool",     0755},
        { "data.txt:in/d.txt", "in/d.txt", 0644},
        { "data.txt:d:600",    "d",        0600},
        { "data.txt:d:0755",   "d",        0755},
        { "data.txt::400",     "data.txt", 0400},
        { "tool:644",          "644",      0755}, /* a name; a mode stands behind one */
        { "a:b",               "a:b",      0644}, /* colons that are the file's own */
        { "a:b:c",             "c",        0644},
        { "a:b:c:711",         "c",        0711},
        { "link",              "link",     0644}, /* the user's own file, so the link is followed */
    };

    (void)state;
    assert_int_equal(mkdir("sub", 0755), 0);
    PUT("data.txt", "hello\n");
    PUT("sub/x", "x");
    PUT("a:b", "ab");
    put("tool", "#!/bin/sh\n", 10, 0700);
    assert_int_equal(symlink("data.txt", "link"), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct coop_error why;
        struct command c;
        struct spec s;
        char line[128];

        snprintf(line, sizeof(line), "run --file %s true", rows[i].flag);
        if (make(line, &c, &s, &why) != 0)
            fail_msg("%s: %s", line, why.message);
        assert_int_equal(s.pb.n_files, 1);
        if (strcmp(s.pb.files[0]->name, rows[i].name) != 0 || s.pb.files[0]->mode != rows[i].mode)
            fail_msg("%s: '%s' %o", line, s.pb.files[0]->name, s.pb.files[0]->mode);
        assert_true(s.pb.files[0]->data.len > 0);
        spec_finish(&s);
        command_finish(&c);
    }
}

static void files_that_cannot_be_sent_are_refused(void **state)
{
    (void)state;
    PUT("f", "x");
    PUT("prog", "#!/bin/sh\n");
    assert_int_equal(mkdir("dir", 0755), 0);
    assert_int_equal(mkfifo("fifo", 0644), 0);
    PUT("big", "x");
    assert_int_equal(truncate("big", (16 << 20) + 1), 0);
    PUT("half", "x");
    assert_int_equal(truncate("half", 9 << 20), 0);
    assert_int_equal(mkfifo("fifo.lua", 0644), 0);
    refused("run hi.o", 127, "there is no file hi.o here, and no program of that name inside", NULL);
    PUT("here.py", "#!/bin/sh\n");
    refused("run --engine exec here.py", 127, "there is no program here.py inside",
            "the file here is sent when it is written with a '/': ./here.py");
    PUT("-x.py", "");
    refused("run -x.py", 2, "unknown flag -x.py", "the file here is meant when it is written with a '/': ./-x.py");
    refused("submit nothing.sh", 127, "there is no file nothing.sh here", NULL);
    refused("run fifo", 126, "program fifo is a pipe, a socket or a device; name a file", NULL);
    refused("run ./fifo a b", 126, "program ./fifo is a pipe, a socket or a device; name a file", NULL);
    refused("run fifo.lua", 126, "script fifo.lua is a pipe, a socket or a device; name a file", NULL);
    refused("run --engine lua fifo", 126, "is a pipe, a socket or a device", NULL);
    refused("run --policy fifo true", 2, "policy fifo is a pipe, a socket or a device", NULL);
    refused("run --file fifo --engine lua f", 2, "module fifo is a pipe, a socket or a device", NULL);
    refused("run --file nothing true", 2, "file nothing does not exist", NULL);
    refused("run --file nothing:x:755 true", 2, "file nothing does not exist", NULL);
    refused("run --file dir true", 2, "dir is a directory", NULL);
    refused("run --engine lua --file dir f", 2, "module dir is a directory without a file to send", NULL);
    refused("run --engine lua --file dir: f", 2, "the name of a module is 1 to 128 bytes", NULL);
    for (int i = 0; i < 257; i++) {
        char name[32];

        snprintf(name, sizeof(name), "dir/%d.lua", i);
        put(name, "", 0, 0644);
    }
    refused("run --engine lua --file dir f", COOP_EXIT_QUOTA, "more than the limit 'module count' of 256", NULL);
    refused("run --file fifo true", 2, "fifo is a pipe, a socket or a device", NULL); /* and nobody waits for a writer */
    refused("run --file /dev/zero:z true", 2, "is a pipe, a socket or a device", NULL);
    refused("run --file f:../x true", 2, "the name '../x' of a file has a component '..'", NULL);
    refused("run --file f:/etc/x true", 2, "is not relative", NULL);
    refused("run --file f:a/ true", 2, "an empty component", NULL);
    refused("run --file f:x:4755 true", 2, "the mode '4755'", ":755");
    refused("run --file f:x:rw true", 2, "the mode 'rw'", NULL);
    refused("run --file f:x:8 true", 2, "the mode '8'", NULL);
    refused("run --file f:x: true", 2, "the mode ''", NULL);
    refused("run --file f --file f true", 2, "two files are named 'f' (the program counts as one); give one another name: HOST:NAME", NULL);
    refused("run --file f:prog ./prog", 2, "two files are named 'prog'", NULL);
    refused("run --file f:prog/x ./prog", 2, "'prog' is a file, and 'prog/x' wants it to be a directory", NULL);
    refused("run --file big true", 79, "file big is too large: a program and its files may have 16M together", "standard input");
    refused("run --file half --file half:h2 true", 79, "file half is too large: a program and its files may have 16M together",
            "standard input");
    refused("run ./big", 79, "program ./big is too large: a program and its files may have 16M together", "standard input");
}

/* run --engine lua <(...): whoever writes is there already. */
static void a_pipe_by_its_descriptor_is_read(void **state)
{
    struct coop_error why;
    struct command c;
    char line[64];
    struct spec s;
    int p[2];

    (void)state;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(write(p[1], "print(1)", 8), 8);
    close(p[1]);
    snprintf(line, sizeof(line), "run --engine lua /dev/fd/%d", p[0]);
    assert_int_equal(make(line, &c, &s, &why), 0);
    assert_int_equal(s.pb.source.len, 8);
    spec_finish(&s);
    command_finish(&c);
    close(p[0]);
}

static void outputs_and_words_are_checked(void **state)
{
    char line[512], word[300];

    (void)state;
    PUT("a.lua", "print(1)");
    PUT("rows", "x");
    PUT("rows.bin", "\xff\xfe");
    PUT("rows.nul", "a\0b");
    PUT("rows.none", "");
    refused("run --output ../x true", 2, "the output '../x' has a component '..'", NULL);
    refused("run --output /tmp/x true", 2, "the output '/tmp/x' is not relative", NULL);
    refused("run --output res/[a true", 2, "the output 'res/[a' has a [ without its ]", NULL);
    refused("run --output a\\ true", 2, "ends with a backslash", NULL);
    refused("run --output= true", 2, "names no file", NULL);
    refused("run --output-dir d true", 2, "--output-dir says where outputs go", NULL);
    refused("run --force true", 2, "--force says where outputs go", NULL);
    refused("run --cap net=loopback,proc true", 2, "'net=loopback,proc' is more than one capability; give each a --cap of its own", NULL);
    refused("run --cap nett true", 2, "unknown capability 'nett'; did you mean 'net'?", NULL);
    refused("run --cap net=all true", 2, "only as 'net=loopback'", NULL);
    refused("run --cap proc=x true", 2, "takes no value", NULL);
    refused("run --policy nothing true", 2, "policy nothing does not exist", NULL);
    refused("run --policy rows.bin true", 2, "is not text", NULL);
    refused("run --policy rows.nul true", 2, "is not text", NULL);
    refused("run --policy rows.none true", 2, "is empty", NULL);
    PUT("rows.odd", "allow ptrace # to look\n");
    refused("run --policy rows.odd true", 2, "policy rows.odd: line 1: ptrace can not be allowed", NULL);
    PUT("rows.typo", "\n# fine\nallow sokcet # x\n");
    refused("run --policy rows.typo true", 2, "policy rows.typo: line 3, column 7: \"sokcet\" is not a system call", NULL);
    PUT("rows.bare", "allow socket\n");
    refused("run --policy rows.bare true", 2, "line 1", NULL); /* without a reason */
    PUT("rows.long", "x");
    assert_int_equal(truncate("rows.long", (64 << 10) + 1), 0);
    refused("run --policy rows.long true", 79, "policy rows.long is too large: it may have 64K", NULL);
    refused("run --require= true", 2, "--require takes 1 to 256 bytes", NULL);
    memset(word, 'x', 257);
    word[257] = '\0';
    snprintf(line, sizeof(line), "run --require %s true", word);
    refused(line, 2, "--require takes 1 to 256 bytes", NULL);
    refused("run --require tier=T9 true", 2, "--require tier: ", NULL);
    refused("run --require teir=T1 true", 2, "--require: there is no 'teir', did you mean 'tier'?", NULL);
    refused("run --tty true", 2, "--tty: standard input is no terminal", "pipes");
    refused("run --tty --json true", 2, "--tty and --json", NULL);
    refused("run --output x a.lua", 2, "a job of the engine lua takes no --output", "--engine exec");
    refused("run --cap proc a.lua", 2, "the engine 'lua' cannot have the capability 'proc'", NULL);
    refused("run --tty a.lua", 2, "takes no --tty", NULL);
    refused("run --learn a.lua", 2, "takes no --learn", NULL);
    refused("run --policy rows a.lua", 2, "takes no --policy", NULL);
    refused("submit --tty true", 2, "--tty is not a flag of 'submit'", NULL);
}

static void a_spec_of_a_program_carries_what_the_line_said(void **state)
{
    struct coop_error why;
    struct command c;
    struct spec s;

    (void)state;
    PUT("rows", "allow getpriority # to see\n");
    assert_int_equal(make("submit --cap proc --cap net=loopback --cap proc --output a --output b/*.c --policy rows --learn "
                          "--require tier=T1 --limit pids=5 -e A=1 bash -c x",
                          &c, &s, &why),
                     0);
    assert_string_equal(s.pb.program, "bash");
    assert_string_equal(s.pb.name, "bash");
    assert_int_equal(s.pb.n_args, 2);
    assert_memory_equal(s.pb.args[0].data, "-c", 2);
    assert_int_equal(s.pb.n_caps, 2); /* said twice is asked once */
    assert_string_equal(s.pb.caps[1], "net=loopback");
    assert_int_equal(s.pb.n_outputs, 2);
    assert_string_equal(s.pb.outputs[1], "b/*.c");
    assert_string_equal(s.pb.policy, "allow getpriority # to see\n");
    assert_string_equal(s.pb.require, "tier=T1");
    assert_true(s.pb.learn);
    assert_int_equal(s.pb.limits->pids, 5);
    assert_null(s.pb.tty);
    assert_int_equal(s.pb.n_modules, 0);
    spec_finish(&s);
    command_finish(&c);
}

/* ---- where outputs go ------------------------------------------------------------------------------------------------------------------ */

static void an_output_directory_is_made_and_what_is_there_is_seen_before_the_run(void **state)
{
    const char *names[] = { "new.txt", "old.txt" };
    struct options o = {
        .outputs = {.items = names, .n = 1}
    };
    struct coop_error why;
    struct stat st;
    int fd;

    (void)state;
    assert_int_equal(outputs_open("results", &fd, &why), 0);
    assert_int_equal(stat("results", &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    PUT("results/old.txt", "x");
    assert_int_equal(outputs_free(fd, &o, &why), 0);
    o.outputs.n = 2;
    assert_int_equal(outputs_free(fd, &o, &why), -EEXIST);
    assert_non_null(strstr(why.message, "old.txt is there already"));
    assert_non_null(strstr(why.hint, "--force"));
    o.force = true;
    assert_int_equal(outputs_free(fd, &o, &why), 0);
    o.force = false;
    names[1] = "old.*"; /* a glob: what it will be is not known yet */
    assert_int_equal(outputs_free(fd, &o, &why), 0);
    close(fd);
    assert_true(outputs_open("no/such", &fd, &why) < 0);
    assert_true(outputs_open("results/old.txt", &fd, &why) < 0);
    assert_int_equal(why.exit_code, COOP_EXIT_USAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_name_files_or_programs),
        TEST(files_of_the_view_that_are_other_engines_are_sent),
        TEST(what_is_not_there_is_named_with_what_is_near),
        TEST(files_that_nothing_runs_are_named),
        TEST(an_elf_file_is_a_program_or_a_job),
        TEST(a_job_is_told_by_its_function),
        TEST(files_are_sent_with_names_and_modes),
        TEST(files_that_cannot_be_sent_are_refused),
        TEST(a_pipe_by_its_descriptor_is_read),
        TEST(outputs_and_words_are_checked),
        TEST(a_spec_of_a_program_carries_what_the_line_said),
        TEST(an_output_directory_is_made_and_what_is_there_is_seen_before_the_run),
    };

    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
