-- One task of an array: its number is all it knows of the others.
local n = tonumber(os.getenv("COOP_ARRAY_INDEX"))
print(n .. " squared is " .. n * n)
