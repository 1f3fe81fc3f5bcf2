/*
 * call.c - an interpreter that lives: source is run in it, a function of it is called with typed values, an error comes back with its
 * traceback.
 *
 * cc -o call call.c $(pkg-config --cflags --libs coop) && ./call
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coop/client.h>
#include <coop/value_json.h>

/* Untrusted, as far as we are concerned. Its globals stay from one call to the next. */
static const char source[] = "seen = {}\n"
                             "function count(text)\n"
                             "    local n = 0\n"
                             "    for word in text:gmatch('%a+') do\n"
                             "        word = word:lower()\n"
                             "        seen[word] = (seen[word] or 0) + 1\n"
                             "        n = n + 1\n"
                             "    end\n"
                             "    return { words = n, seen = seen }\n"
                             "end\n"
                             "local function deep(n)\n"
                             "    if n == 0 then error('this went wrong') end\n"
                             "    deep(n - 1)\n"
                             "end\n"
                             "function fails() deep(2) end\n";

enum { SECOND = 1000000 };

static void must(int rc, const struct coop_error *why)
{
    if (rc == 0)
        return;
    fprintf(stderr, "call: %s: %s\n", why->name, why->message);
    exit(why->exit_code);
}

static void count(struct coop_client *c, const char *interp, const char *text)
{
    coop_val *args = coop_val_list();
    struct coop_call_result result;
    struct coop_error why;
    char *json;

    coop_val_add(args, coop_val_text(text, strlen(text))); /* a mistake in a value is told by the call that sends it */
    must(coop_interp_call(c, interp, "count", args, 5 * SECOND, &result, &why), &why);
    coop_val_free(args);
    if (coop_val_to_json(result.value, &json) == 0)
        printf("%s\n", json);
    free(json);
    coop_val_free(result.value);
}

int main(void)
{
    struct coop_interp_options options = { .size = sizeof(options) };
    struct coop_spec *spec = coop_spec_new("lua");
    struct coop_client *c;
    struct coop_handle interp;
    struct coop_error why;

    must(coop_client_open(NULL, &c, &why), &why);
    coop_spec_limits(spec, "memory=32M,cpu=1s"); /* the CPU time holds for each call */
    options.spec = spec;
    must(coop_interp_create(c, &options, 10 * SECOND, &interp, &why), &why);
    must(coop_interp_exec(c, interp.id, "count.lua", source, strlen(source), 5 * SECOND, NULL, &why), &why);

    count(c, interp.id, "The pen is mightier");
    count(c, interp.id, "than the sword");

    if (coop_interp_call(c, interp.id, "fails", NULL, 5 * SECOND, NULL, &why) != 0) {
        printf("%s: %s: %s\n", why.name, why.remote_type, why.remote_message);
        printf("%s\n", why.traceback);
    }
    must(coop_interp_close(c, interp.id, 5 * SECOND, &why), &why); /* it would end with the connection, too */
    coop_spec_free(spec);
    coop_client_close(c);
    return 0;
}
