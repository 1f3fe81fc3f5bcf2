-- greet.lua - a module that hello.lua requires; sent along with `--file examples/greet.lua`.
local greet = {}

function greet.line(name)
    return (os.getenv("GREETING") or "Good day") .. ", " .. name .. "!"
end

return greet
