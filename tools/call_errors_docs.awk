# call_errors_docs.awk - the table of proto/call_errors.c as one of a document.
BEGIN { print "| name | errno | exit code | |\n|---|---|---|---|" }
/^ *ROW\([A-Z_]+\) *= *{/ {
    split($0, part, "\"")
    split(part[3], word, ",")
    gsub(/[ \t]/, "", word[2]); gsub(/[ \t]/, "", word[3])
    if (part[2] != "None") printf "| `%s` | `%s` | `%s` | %s |\n", part[2], word[2], word[3], part[4]
}
