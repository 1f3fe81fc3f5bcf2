/* verbs.c - see verbs.h. */
#include "cli/verbs.h"

#include <string.h>

#include "cli/words.h"
#include "cli/interp_output.h"

#define SELECTS                                                                                                                            \
    "In place of IDs, -l, --name, --state, --array or --tenant choose those jobs to which this can be done; on a terminal it asks first, unless -y says yes.\n"

/* clang-format off */
const struct verb verb_table[] = {
    [VERB_RUN] = {
        .name = "run", .usage = "FILE|NAME [ARGS...]", .min_args = 1, .max_args = -1, .job_args = true, .completes = COMPLETE_PROGRAM,
        .run = verb_run,
        .summary = "run a script, a shared object or a program and stay with it: its output, its input, its exit code",
        .text = "Submits FILE (- is standard input) as a job and follows it. What runs it is found out by what it is: a Lua script (lua); a Python script (python); a shared object with an int coop_job(int argc, char **argv), made by cc -shared -fPIC, of which coop/native.h says more (native); an executable, or any other file that begins with #! (exec).\n"
                "A program runs in a sandbox: system directories are there, read-only, and nothing else of the host; /work, where it begins, /tmp and /dev/shm are its own, empty, in memory; there is no network and, without --cap proc, no /proc. FILE is sent and lies in /work. A NAME without / that is no file here, or follows --, and an absolute path below /usr, /bin, /sbin or /lib are programs of the sandbox itself, so they are only named: coop run -- bash -c 'echo hi'.\n"
                "--file sends more files, --output collects what the program has made: when it has ended, however that was, regular files that match are written below --output-dir; links, FIFOs and devices are not, which is said. Nothing that is there is replaced without --force, and no link in that directory is followed. When one cannot be written, or no file came of a name or a GLOB that was asked for, a job that has succeeded ends with 2 all the same, or with 75; what else matched and was not collected is only said.\n"
                "With --learn the rows are printed on standard error, as --policy takes them.\n"
                "What the job writes to its standard output and error arrives on ours, byte for byte, as it is written; our standard input streams into the job unless it is /dev/null, closed, or the script itself came from it.\n"
                "Everything after FILE or NAME belongs to the job; one -- directly after it is dropped. -c CODE and -m MODULE, of Python, stand in the place of FILE: what follows them is the job's, flags too.\n"
                "The exit code is the job's own, or one of those under EXIT CODES. Ctrl-C cancels the job, a second one kills it, a third leaves it to the broker.\n"
                "If the broker is lost, run reconnects and goes on where the output stopped; a job that had to be started again says so and its output starts again.\n"
                "With --json the output comes as lines of schema coop.LogChunk/1, and the last line is the coop.Receipt/1.\n",
    },
    [VERB_SUBMIT] = {
        .name = "submit", .usage = "FILE|NAME [ARGS...]", .min_args = 1, .max_args = -1, .job_args = true, .completes = COMPLETE_PROGRAM,
        .run = verb_submit,
        .summary = "hand a script, a shared object or a program in as a job and print its id",
        .text = "When the id is printed, the job is on disk and will run, or end with a cause that says why not. Standard output is the id alone. Without --stdin the job's input is empty. Outputs of a program are kept with its receipt, for coop result.\n"
                "With -f the job is a file, YAML or JSON, which coop-job(5) describes; flags beside it win, and words are the job's arguments. --dry-run prints what would be kept, with all that is filled in, as such a file, but for the code.\n"
                "When, after what and how often: --at, --in, --deadline, --after, --array, --cron, --retry, --limiter, --hold. The id is that of the job, of the array, or of the cron entry.\n",
    },
    [VERB_WAIT] = {
        .name = "wait", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_wait,
        .summary = "wait until jobs have ended",
        .text = "Prints id, state and cause of each. Exits with 0 when every job succeeded, else with the code of the first of them, in the order given, that did not: 1 when it ended itself with another code, else as under EXIT CODES. --timeout and Ctrl-C stop the waiting, not the job.\n"
                "An array stands for all of its tasks; ID.7 is task 7 of it. In place of IDs, -l, --name, --array or --tenant choose jobs, those that have ended already as well; that there is none is 80. With --any the first of them that ends is enough, and its code is the code. With --state STATE a job that is, or was meanwhile, in that state is done (0); one that ended otherwise is a conflict (81).\n"
                "On a terminal a bar shows how many of several jobs, or of an array's tasks, have ended.\n",
    },
    [VERB_LOGS] = {
        .name = "logs", .usage = "ID", .min_args = 1, .max_args = 1, .completes = COMPLETE_ID, .run = verb_logs,
        .summary = "print what a job has written so far",
        .text = "Standard output goes to standard output and standard error to standard error, byte for byte. With -f stays until the job has ended.\n",
    },
    [VERB_RESULT] = {
        .name = "result", .usage = "ID", .min_args = 1, .max_args = 1, .completes = COMPLETE_ID, .run = verb_result,
        .summary = "print the receipt of a job that has ended",
        .text = "The receipt says how it ended, what it used, the limits in effect and what enforced each. Exits as wait does; 81 while the job has not ended. --output and --output-dir get the files that a program has left, --learned the rows that it would need.\n",
    },
    [VERB_SHOW] = {
        .name = "show", .usage = "ID", .min_args = 1, .max_args = 1, .completes = COMPLETE_ID, .run = verb_show,
        .summary = "print all that is known of a job: status, what was asked for, receipt",
        .text = "",
    },
    [VERB_LS] = {
        .name = "ls", .usage = "", .min_args = 0, .max_args = 0, .run = verb_ls,
        .summary = "list jobs, newest first",
        .text = "With --quiet the ids alone.\n",
    },
    [VERB_CANCEL] = {
        .name = "cancel", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_change,
        .summary = "ask jobs to end; those that do not are killed after a grace period",
        .text = "A job that has ended already is a conflict (81). " SELECTS,
    },
    [VERB_KILL] = {
        .name = "kill", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_change,
        .summary = "end jobs at once",
        .text = "A job that has ended already is a conflict (81). " SELECTS,
    },
    [VERB_HOLD] = {
        .name = "hold", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_change,
        .summary = "keep jobs that wait from beginning, until they are released",
        .text = "One that runs or has ended is a conflict (81). " SELECTS,
    },
    [VERB_RELEASE] = {
        .name = "release", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_change,
        .summary = "let jobs that are held go on",
        .text = "Also one that is held because its workers were lost again and again (QUARANTINE): it is tried once more. One that is not held is a conflict (81). " SELECTS,
    },
    [VERB_PAUSE] = {
        .name = "pause", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_change,
        .summary = "freeze jobs that run",
        .text = "Its processes stand still and so do its clocks; it keeps its memory and its place. One that does not run is a conflict (81). Of an array the tasks that run are frozen, and the others held back. " SELECTS,
    },
    [VERB_RESUME] = {
        .name = "resume", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_change,
        .summary = "let jobs that are paused run on",
        .text = "One that is not paused is a conflict (81). Of an array it undoes what pause has done to its tasks. " SELECTS,
    },
    [VERB_RETRY] = {
        .name = "retry", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_retry,
        .summary = "run jobs that have ended again, as new jobs of the same spec",
        .text = "Prints the id of each new job. One that has not ended is a conflict (81), but for --clone. " SELECTS,
    },
    [VERB_EDIT] = {
        .name = "edit", .usage = "ID...", .min_args = 1, .max_args = -1, .completes = COMPLETE_ID, .run = verb_edit,
        .summary = "change jobs that still wait",
        .text = "What no flag names stays as it is. One that does not wait any more is a conflict (81). A dependency that would close a circle is refused, and its members are named.\n",
    },
    [VERB_RM] = {
        .name = "rm", .usage = "[ID...]", .min_args = 0, .max_args = -1, .completes = COMPLETE_ID, .run = verb_change,
        .summary = "remove jobs that have ended, with what they were given and have left",
        .text = "The hash of the receipt stays in the chain that coop audit checks. One that has not ended is a conflict (81). " SELECTS,
    },
    [VERB_EVENTS] = {
        .name = "events", .usage = "[ID]", .min_args = 0, .max_args = 1, .completes = COMPLETE_ID, .run = verb_events,
        .summary = "print what has happened to jobs, one line each",
        .text = "Without flags all that the broker still keeps, oldest first; with -f what happens from now on, until Ctrl-C or, of one job, until it has ended; with both -f and --since-start first the one, then the other. With --json each is a coop.Event/1.\n",
    },
    [VERB_TOP] = {
        .name = "top", .usage = "", .min_args = 0, .max_args = 0, .run = verb_top,
        .summary = "watch tenants, workers and jobs as they are now",
        .text = "On a terminal it is drawn anew each second, until q or Ctrl-C; else it is printed once. With --json a coop.TopReply/1. Rates are of the time since the picture before, or, printed once, since the broker began.\n"
                "SHARE is what a tenant has had of late, ENTITLED what it would have of the machine if it had work now, beside those that have: of one that is idle that is a promise, so the column may be more than 100 % in all.\n",
    },
    [VERB_CRON] = {
        .name = "cron", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = cron_words,
        .run = verb_cron,
        .summary = "jobs that are submitted again and again",
        .text = "An entry is made by coop submit --cron. While the job of an earlier time has not ended, a time is left out; of those that went by while no broker ran, one is made up for.\n",
    },
    [VERB_LIMITER] = {
        .name = "limiter", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = limiter_words,
        .run = verb_limiter,
        .summary = "bound how many jobs that share something run at once",
        .text = "A job that was submitted with --limiter KEY begins when there is a place, and has it until it ends.\n",
    },
    [VERB_NODE] = {
        .name = "node", .usage = "WORD", .min_args = 1, .max_args = 1, .words = node_words,
        .run = verb_node,
        .summary = "look at the broker, or let it take no more jobs",
        .text = "drain and undrain are for operators: root, and the user whose broker it is.\n",
    },
    [VERB_INTERP] = {
        .name = "interp", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = interp_words,
        .run = verb_interp,
        .summary = "make interpreters that live, run code in them and call their functions",
        .text = "An interpreter is a sealed process of its own that keeps its state from one call to the next. One that create made lives until it is closed, or idle for as long as --limit idle says (an hour when it says nothing); it is named by its id or by --name. With its --run FILE it is made anew by a new broker, and by reset.\n"
                "Limits cpu and wall hold for each call, the others for its life; output past its limits is dropped. What it prints during a call is printed here; coop logs ID has all of it. When it ends otherwise than by close, its receipt says how: coop result ID.\n"
                "Handles given by --grant and --cap file= are the broker's: a new broker makes an idle interpreter anew without them, and one that coop has started leaves after a minute without calls. --cap queue=NAME:recv and its like are part of what is kept.\n"
                "An argument that begins with - and is no number goes behind --: coop interp call ID f -- -x.\n",
    },
    [VERB_CALL] = {
        .name = "call", .usage = "FUNC [ARGS...]", .min_args = 1, .max_args = -1, .run = verb_call,
        .summary = "call one function in a fresh interpreter and print its value",
        .text = "The interpreter is made from --template NAME, or runs the script of --run FILE first; it ends with the call. With --timeout the call is ended after that time, and the exit code is 124. Arguments and value are as with coop interp call.\n",
    },
    [VERB_TEMPLATE] = {
        .name = "template", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = template_words,
        .run = verb_template,
        .summary = "prepare state once, and fork jobs and interpreters from it",
        .text = "build runs the script of --run to its end in a sealed process and keeps that: each job or interpreter with --template NAME begins as a copy of it. A further build of the same name is its next version; NAME@VERSION means one, NAME the newest.\n",
    },
    [VERB_QUEUE] = {
        .name = "queue", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = queue_words,
        .run = verb_queue,
        .summary = "named queues between interpreters, jobs and host programs",
        .text = "A queue is bounded by items and bytes. put waits while it is full and get while it is empty, as long as --timeout says. With --durable what is in it survives a restart of the broker.\n",
    },
    [VERB_KV] = {
        .name = "kv", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = kv_words,
        .run = verb_kv,
        .summary = "keys that interpreters with the capability share, kept on disk",
        .text = "",
    },
    [VERB_AUDIT] = {
        .name = "audit", .usage = "WORD [BEFORE]", .min_args = 1, .max_args = -1, .words = audit_words, .run = verb_audit,
        .summary = "check the chain of all receipts, print its head, or calls of aliases",
        .text = "Each receipt is recorded with a SHA-256 of it and of the record before it. verify computes the whole chain again: 0 when all fits, 1 with the first record that does not: a receipt that was changed, removed, put elsewhere or added, and an end that was cut off.\n"
                "Who can write the broker's database can also forge the chain as a whole. head prints the hash of the last record, to be kept where they cannot write; verify --head HASH (or the whole line) says whether that record is still in the chain, and with it all before it.\n"
                "calls prints what interpreters have called of the functions that their parents offer them (aliases), the last 100 first, or those before the call of the number BEFORE: when it ended, name, end, time, caller and who answered. The last 100,000 are kept.\n"
                "admin prints what has been done to tenants, tokens, quotas and the broker itself, and by whom, the last first, or before the act of the number BEFORE.\n",
    },
    [VERB_TENANT] = {
        .name = "tenant", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = tenant_words,
        .run = verb_tenant,
        .summary = "whom jobs belong to: made, changed, listed",
        .text = "Each local user is a tenant of its own, uid-NUMBER, unless it is among the uids of another or coopd's configuration says so; others come with a token. Nobody sees another tenant's jobs. Below a tenant others may stand: together they have its share and no more than its quotas. One that is suspended submits and starts nothing; what runs goes on.\n"
                "Tenants at the top are made by root and the broker's own user; a token with the scope admin makes and changes those below its tenant.\n",
    },
    [VERB_TOKEN] = {
        .name = "token", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = token_words,
        .run = verb_token,
        .summary = "what stands in for a user who is not local: made, listed, rotated, revoked",
        .text = "A token opens what its scopes say, in its tenant: submit new jobs; read what becomes of them; cancel, hold and change them; admin of the tenant and those below it. Nobody gives a scope that he does not have. The broker keeps only a hash of it. coop asks by the one in --token-file, COOP_TOKEN_FILE or COOP_TOKEN.\n",
    },
    [VERB_QUOTA] = {
        .name = "quota", .usage = "WORD [ARGS...]", .min_args = 1, .max_args = -1, .words = quota_words,
        .run = verb_quota,
        .summary = "what a tenant, with all below it, may have and use",
        .text = "What is refused by a quota ends with the code 79. A day is one of UTC; what it has used up waits for the next. A quota of 0 lets nothing through; a tenant that is to do nothing at all is better suspended.\n",
    },
    [VERB_USAGE] = {
        .name = "usage", .usage = "", .min_args = 0, .max_args = 0, .run = verb_usage,
        .summary = "print what a tenant has used, day by day",
        .text = "Of the last 30 days, or since --since. Days are those of UTC, at which an attempt ended. REFUSED are submits that a quota refused.\n",
    },
    [VERB_CERT] = {
        .name = "cert", .usage = "DIR", .min_args = 1, .max_args = 1, .run = verb_cert,
        .summary = "make a key and a certificate for coopd --listen, for a first try",
        .text = "Writes DIR/key.pem (P-256), which stays with the broker, and DIR/cert.pem, which signs itself: whoever connects names that file by --ca. Nothing that is there is replaced. Each name or address by which the broker is reached is one --host. In earnest use a certificate of your own authority.\n",
    },
    [VERB_STORE] = {
        .name = "store", .usage = "WORD [DIR]", .min_args = 1, .max_args = 2, .words = store_words, .run = verb_store,
        .summary = "check, repair, back up and restore the broker's memory on disk",
        .text = "All jobs, receipts and outputs of a broker lie in its state directory (COOP_STATE_DIR). A broker looks at its pages when it starts, and refuses a damaged one.\n"
                "check exits with 0 when all fits, else with 1; repair with 1 when something was lost, which it lists. repair and restore want that no broker has the directory: 75 when one has. backup is for operators, and is whole as at one moment; DIR is a directory of the broker's machine that the broker's user may make.\n"
                "After a repair the damaged database is coop.db.damaged- and the time, in the state directory; jobs of which only the spec was left are held, for a person to release or cancel.\n",
    },
    [VERB_DOCTOR] = {
        .name = "doctor", .usage = "", .min_args = 0, .max_args = 0, .run = verb_doctor,
        .summary = "look at what this machine lets coop do, and how to have more",
        .text = "Tries each thing that coop would use, as a broker started by you now would: what failed and with which error, what is lost by it, and what to do. Then the tier that programs get, and why not the one above. Started by root it looks as root's broker does, which gives root up. A broker that runs is neither asked nor disturbed; one that systemd started may have more or less.\n"
                "Exits with 0 when what --require asks for can be had (default: tier=T2, programs held by Landlock and the filter at least), else with 1. --quiet prints the tier alone. With --json a document of schema coop.Doctor/1.\n"
                "--explain-policy looks at nothing: it prints the policy that jobs of an engine are held to, as the worker program of this coop has it. Rows of --policy are written the same way.\n",
    },
    [VERB_VERSION] = {
        .name = "version", .usage = "", .min_args = 0, .max_args = 0, .run = verb_version,
        .summary = "print the version of coop and of the broker it would talk to",
        .text = "Starts no broker.\n",
    },
    [VERB_HELP] = {
        .name = "help", .usage = "[VERB]", .min_args = 0, .max_args = 1, .completes = COMPLETE_VERB, .run = verb_help,
        .summary = "say how coop, or one verb of it, is used",
        .text = "",
    },
    [VERB_COMPLETION] = {
        .name = "completion", .usage = "bash|zsh|fish", .min_args = 1, .max_args = 1, .completes = COMPLETE_SHELL, .run = verb_completion,
        .summary = "print a script that completes coop's words in a shell",
        .text = "For bash: source <(coop completion bash), in ~/.bashrc. For zsh: source <(coop completion zsh) behind compinit in ~/.zshrc, or the script as _coop in a directory of $fpath. For fish: coop completion fish > ~/.config/fish/completions/coop.fish\n",
    },
};
/* clang-format on */
_Static_assert(sizeof(verb_table) / sizeof(verb_table[0]) < 64, "a set of verbs is 64 bits");
const size_t verb_count = sizeof(verb_table) / sizeof(verb_table[0]);

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < verb_count; i++)
        if (strcmp(verb_table[i].name, name) == 0)
            return &verb_table[i];
    return NULL;
}

uint64_t verb_bit(const struct verb *v)
{
    return UINT64_C(1) << (v - verb_table);
}
