-- Fails each time, so that there is something to retry.
io.stderr:write("not today\n")
os.exit(4)
