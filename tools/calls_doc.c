/*
 * calls_doc.c - writes the parts of docs/calls.md that come from tables: `calls_doc PART proto/calls.proto`, PART one of table, calls, messages, errors.
 *
 * Calls are rows of broker/calls.c, their fields those of the schema as it was compiled, the words about them the comments of the schema's text: above
 * a message, behind it, and behind each field that has a line of its own.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/actor.h"
#include "broker/calls.h"
#include "call_errors.h"

enum { NOTES_MAX = 1024, LINE = 1024, WHAT = 96 };
#define FIRST(s) ((s)[0] != '\0')

/* The words about a message ("InterpCall") or a field of one ("InterpCreate.aliases"). */
static struct note {
    char what[WHAT];
    char *words;
} notes[NOTES_MAX];
static size_t n_notes;

/* Messages and enums of this schema: what is of job.proto is described there. */
static char ours[NOTES_MAX][WHAT];
static size_t n_ours;

void broker_check_rest(struct broker *b);

void broker_check_rest(struct broker *b)
{
    (void)b; /* of main.c, which is in no archive */
}

/* ---- comments of the schema --------------------------------------------------------------------------------------------------------- */

static void note(const char *what, const char *words)
{
    struct note *n = NULL;
    size_t had;

    while (isspace((unsigned char)*words))
        words++;
    if (*words == '\0')
        return;
    for (size_t i = 0; i < n_notes && n == NULL; i++)
        n = strcmp(notes[i].what, what) == 0 ? &notes[i] : NULL;
    if (n == NULL && n_notes == NOTES_MAX)
        abort();
    if (n == NULL) {
        n = &notes[n_notes++];
        snprintf(n->what, sizeof(n->what), "%s", what);
    }
    had = n->words != NULL ? strlen(n->words) : 0;
    n->words = realloc(n->words, had + strlen(words) + 2);
    if (n->words == NULL)
        abort();
    snprintf(n->words + had, strlen(words) + 2, "%s%s", had > 0 ? " " : "", words);
}

static const char *words_of(const char *what)
{
    for (size_t i = 0; i < n_notes; i++)
        if (strcmp(notes[i].what, what) == 0)
            return notes[i].words;
    return "";
}

/* The word before '=' of "  repeated Grant grants = 4;"; false: no field on this line. */
static bool field_of(const char *line, char ret[WHAT])
{
    const char *equals = strchr(line, '='), *end, *begin;

    if (equals == NULL || strchr(line, '{') != NULL)
        return false;
    for (end = equals; end > line && isspace((unsigned char)end[-1]); end--)
        ;
    for (begin = end; begin > line && (isalnum((unsigned char)begin[-1]) || begin[-1] == '_'); begin--)
        ;
    snprintf(ret, WHAT, "%.*s", (int)(end - begin), begin);
    return end > begin;
}

/* Inside of a message or an enum, or NULL; above: comment lines that wait for the next one. */
struct place {
    char in[WHAT];
    char above[8 * LINE];
};

static void read_line(struct place *p, char *line)
{
    char *comment = strstr(line, "//"), name[WHAT], what[2 * WHAT];
    char kind[16];

    line[strcspn(line, "\n")] = '\0';
    if (comment != NULL) {
        *comment = '\0';
        comment += 2;
    }
    if (comment != NULL && line[strspn(line, " ")] == '\0') {
        if (!FIRST(p->in) && strncmp(comment, " ----", 5) != 0)
            snprintf(p->above + strlen(p->above), sizeof(p->above) - strlen(p->above), "%s", comment);
        return;
    }
    if (sscanf(line, "%15s %95s", kind, name) == 2 && (strcmp(kind, "message") == 0 || strcmp(kind, "enum") == 0)) {
        if (n_ours == NOTES_MAX)
            abort();
        snprintf(ours[n_ours++], WHAT, "%s", name);
        note(name, p->above);
        if (comment != NULL)
            note(name, comment);
        snprintf(p->in, sizeof(p->in), "%s", strchr(line, '}') == NULL ? name : "");
    } else if (FIRST(p->in) && comment != NULL && field_of(line, name)) {
        snprintf(what, sizeof(what), "%s.%s", p->in, name);
        note(what, comment);
    } else if (line[0] == '}') {
        p->in[0] = '\0';
    }
    p->above[0] = '\0';
}

static int read_schema(const char *path)
{
    struct place p = { 0 };
    FILE *f = fopen(path, "re");
    char line[LINE];

    if (f == NULL) {
        perror(path);
        return -1;
    }
    while (fgets(line, sizeof(line), f) != NULL)
        read_line(&p, line);
    return fclose(f);
}

/* ---- types ------------------------------------------------------------------------------------------------------------------------------ */

static const char *type_of(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE: return ((const ProtobufCMessageDescriptor *)f->descriptor)->short_name;
    case PROTOBUF_C_TYPE_ENUM: return ((const ProtobufCEnumDescriptor *)f->descriptor)->short_name;
    case PROTOBUF_C_TYPE_STRING: return "text";
    case PROTOBUF_C_TYPE_BYTES: return "bytes";
    case PROTOBUF_C_TYPE_BOOL: return "bool";
    case PROTOBUF_C_TYPE_UINT32: return "uint32";
    case PROTOBUF_C_TYPE_UINT64: return "uint64";
    case PROTOBUF_C_TYPE_INT32: return "int32";
    case PROTOBUF_C_TYPE_SINT64: return "sint64";
    default: return "?";
    }
}

static void write_fields(const ProtobufCMessageDescriptor *d)
{
    for (unsigned i = 0; i < d->n_fields; i++)
        printf("%s%s: %s%s", i > 0 ? ", " : "", d->fields[i].name, d->fields[i].label == PROTOBUF_C_LABEL_REPEATED ? "list of " : "",
               type_of(&d->fields[i]));
}

static const ProtobufCMessageDescriptor *body_of(const ProtobufCMessageDescriptor *d, unsigned number)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, number);

    return f != NULL ? f->descriptor : NULL;
}

/* ---- parts -------------------------------------------------------------------------------------------------------------------------------- */

static const char *who_of(const struct call_row *row)
{
    return row->who == CALL_BOTH ? "both" : row->who == CALL_HOST ? "host" : "worker";
}

static const char *scope_of(const struct call_row *row)
{
    return (row->who & CALL_HOST) == 0 ? "" : row->needs == 0 ? "none" : actor_scope_missing(0, row->needs);
}

static void write_table(void)
{
    printf("| number | name | who | scope | the job needs | right | waits | what it does |\n|---|---|---|---|---|---|---|---|\n");
    for (unsigned i = 0; i < call_rows_count; i++) {
        const struct call_row *row = &call_rows[i];

        if (row->apply != NULL)
            printf("| %u | [`%s`](#%s) | %s | %s | %s | %s | %s | %s |\n", i, row->name, row->name, who_of(row), scope_of(row),
                   row->cap != NULL ? row->cap : "", row->right, row->waits ? "yes" : "", row->what);
    }
}

static void write_errors_of(unsigned errors)
{
    const char *between = "";

    for (unsigned e = 1; e < 32; e++)
        if ((errors >> e & 1) != 0) {
            printf("%s%s", between, call_error((Pb__CallError)e)->name);
            between = ", ";
        }
}

static void write_field_notes(const ProtobufCMessageDescriptor *d)
{
    char what[2 * WHAT];

    for (unsigned i = 0; i < d->n_fields; i++) {
        snprintf(what, sizeof(what), "%s.%s", d->short_name, d->fields[i].name);
        if (FIRST(words_of(what)))
            printf("- `%s`: %s\n", d->fields[i].name, words_of(what));
    }
}

static void write_call(unsigned number, const struct call_row *row)
{
    const ProtobufCMessageDescriptor *d = body_of(&pb__ask__descriptor, number), *answer = body_of(&pb__answer__descriptor, row->answer);

    printf("### %s\n\n%u: `%s { ", row->name, number, d->short_name);
    write_fields(d);
    printf("%s` → `%s`: %s.\n\n", d->n_fields > 0 ? " }" : "}", answer->short_name, row->what);
    if (FIRST(words_of(d->short_name)))
        printf("%s\n\n", words_of(d->short_name));
    write_field_notes(d);
    printf("- errors of its own: ");
    if ((row->errors & ~CALL_ERRORS_ANY) == 0)
        printf("none");
    write_errors_of(row->errors & ~CALL_ERRORS_ANY);
    printf("\n\n");
}

static void write_calls(void)
{
    printf("Each may also answer: ");
    write_errors_of(CALL_ERRORS_ANY);
    printf(".\n\n");
    for (unsigned i = 0; i < call_rows_count; i++)
        if (call_rows[i].apply != NULL)
            write_call(i, &call_rows[i]);
}

static void write_error_table(void)
{
    printf("| number | name | errno | exit code of `coop` | what it says |\n|---|---|---|---|---|\n");
    for (unsigned i = 0; i < pb__call_error__descriptor.n_values; i++) {
        unsigned e = (unsigned)pb__call_error__descriptor.values[i].value;
        const struct call_error_row *row = call_error((Pb__CallError)e);

        if (e != 0)
            printf("| %u | %s | %s | %d | %s |\n", e, row->name, strerrorname_np(row->error), row->exit_code, row->what);
    }
}

/* ---- messages: those that requests and answers are made of, each once ---------------------------------------------------------------------- */

static const ProtobufCMessageDescriptor *messages[NOTES_MAX];
static size_t n_messages;

static bool is_ours(const ProtobufCMessageDescriptor *d)
{
    for (size_t i = 0; i < n_ours; i++)
        if (strcmp(ours[i], d->short_name) == 0)
            return true;
    return false;
}

static void add_message(const ProtobufCMessageDescriptor *d)
{
    for (size_t i = 0; i < n_messages; i++)
        if (messages[i] == d)
            return;
    if (n_messages == NOTES_MAX)
        abort();
    messages[n_messages++] = d;
    for (unsigned i = 0; i < d->n_fields; i++)
        if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE && is_ours(d->fields[i].descriptor))
            add_message(d->fields[i].descriptor);
}

static bool is_request(const ProtobufCMessageDescriptor *d)
{
    for (unsigned i = 0; i < pb__ask__descriptor.n_fields; i++)
        if (pb__ask__descriptor.fields[i].descriptor == d)
            return true;
    return false;
}

static void write_enum(const ProtobufCEnumDescriptor *d)
{
    char what[2 * WHAT];

    printf("**%s**%s%s\n\n", d->short_name, FIRST(words_of(d->short_name)) ? ": " : "", words_of(d->short_name));
    for (unsigned i = 0; i < d->n_values; i++) {
        snprintf(what, sizeof(what), "%s.%s", d->short_name, d->values[i].name);
        printf("- %d `%s`%s%s\n", d->values[i].value, d->values[i].name, FIRST(words_of(what)) ? ": " : "", words_of(what));
    }
    printf("\n");
}

static void write_messages(void)
{
    static const ProtobufCEnumDescriptor *const enums[] = { &pb__kind__descriptor, &pb__right__descriptor, &pb__owner__descriptor,
                                                            &pb__interp_state__descriptor, &pb__unbound__descriptor };

    add_message(&pb__ask__descriptor);
    add_message(&pb__answer__descriptor);
    for (size_t i = 0; i < n_messages; i++) {
        const ProtobufCMessageDescriptor *d = messages[i];

        if (d == &pb__ask__descriptor || d == &pb__answer__descriptor || is_request(d) || d->n_fields == 0)
            continue;
        printf("**%s** `{ ", d->short_name);
        write_fields(d);
        printf(" }`%s%s\n\n", FIRST(words_of(d->short_name)) ? ": " : "", words_of(d->short_name));
        write_field_notes(d);
        printf("\n");
    }
    for (size_t i = 0; i < sizeof(enums) / sizeof(enums[0]); i++)
        write_enum(enums[i]);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *part;
        void (*write)(void);
    } parts[] = {
        {"table",     write_table      },
        { "calls",    write_calls      },
        { "messages", write_messages   },
        { "errors",   write_error_table},
    };

    if (argc != 3 || read_schema(argv[2]) != 0)
        return 2;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strcmp(parts[i].part, argv[1]) == 0) {
            parts[i].write();
            return fflush(stdout) == 0 ? 0 : 1;
        }
    return 2;
}
