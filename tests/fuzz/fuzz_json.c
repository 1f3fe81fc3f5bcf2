/* fuzz_json.c - any text as a value in JSON: refused with a sentence, or read; what is written of it is read as the same. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <coop/value_json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[COOP_JSON_WHY] = "", path[COOP_VAL_PATH], *text, *same;
    struct coop_encoding e;
    coop_val *v = NULL, *again = NULL;
    int rc = coop_val_from_json((const char *)data, size, &v, why);

    assert((rc == 0) == (v != NULL) && (rc == 0) == (why[0] == '\0') && memchr(why, '\0', sizeof(why)) != NULL);
    if (rc != 0) {
        assert(rc == -EBADMSG || rc == -EINVAL || rc == -ELOOP || rc == -E2BIG);
        return 0;
    }
    assert(coop_val_error(v) == 0 && coop_val_to_json(v, &text) == 0);
    for (const char *at = text; *at != '\0'; at++)
        assert(*at >= ' ' && *at < 0x7f);
    assert(coop_val_from_json(text, strlen(text), &again, why) == 0);
    assert(coop_val_to_json(again, &same) == 0 && strcmp(text, same) == 0);
    if (coop_val_encode(v, COOP_VAL_WHOLE_BYTES, "v", &e, path) == 0)
        coop_encoding_free(&e);
    else
        assert(path[0] != '\0'); /* too many handles */
    free(text);
    free(same);
    coop_val_free(v);
    coop_val_free(again);
    return 0;
}
