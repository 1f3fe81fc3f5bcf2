# libcoop_docs.awk - include/coop/client.h as a part of docs/libcoop.md: its sections, and in each of them types and calls with what is said above them.

function flush_text() {
    if (text != "") print text "\n"
    text = ""
}
function flush_code() {
    if (code == "") return
    if (name != "") print "### " name "\n"
    print "```c\n" code "```\n"
    flush_text()
    code = name = ""
}
/^#define COOP_CLIENT_H/ { inside = 1; next }
/^#ifdef __cplusplus/ { skip = 1 }
skip { if (/^#endif/) skip = 0; next }
!inside || /^#/ { next }
/^\/\* ---- / {
    flush_code(); flush_text()
    sub(/^\/\* ---- /, ""); sub(/ -+ \*\/$/, "")
    print "## " toupper(substr($0, 1, 1)) substr($0, 2) "\n"
    next
}
depth == 0 && !in_comment && /^\/\*/ {
    flush_code(); flush_text()
    in_comment = 1
}
in_comment {
    done = /\*\/$/
    line = $0
    sub(/^\/\* ?/, "", line); sub(/^ \*\/?/, "", line); sub(/ ?\*\/$/, "", line); sub(/^ /, "", line)
    if (line != "") text = text (text == "" ? "" : "\n") line
    if (done) in_comment = 0
    next
}
/^$/ { if (depth == 0) flush_code(); next }
{
    if (name == "" && depth == 0 && match($0, /coop_[a-z_0-9]+\(/)) name = "`" substr($0, RSTART, RLENGTH - 1) "()`"
    if (name == "" && depth == 0 && match($0, /^(struct|enum) coop_[a-z_]+/)) name = "`" substr($0, RSTART, RLENGTH) "`"
    code = code $0 "\n"
    depth += gsub(/{/, "{") - gsub(/}/, "}")
}
END { flush_code(); flush_text() }
