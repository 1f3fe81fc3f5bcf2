-- tasklets.lua - tasklets, channels and a scope:  coop run examples/tasklets.lua 10
--
-- Tasklets take turns inside one job: one runs until it blocks (on a channel, a sleep, a lock …), yields or returns.

local coop = require "coop"

local count = tonumber(arg[1]) or 10

-- The prime sieve: generate -> [2] -> [3] -> [5] -> …  What comes out of the last filter is a prime, and gets a filter of its own.
-- scope(f) returns when f and all that it spawned have ended; nothing is left running behind our back.
local function primes(n)
    local found = {}

    coop.scope(function(s)
        local numbers = coop.channel() -- without a capacity: each send waits for its receive

        s:spawn(function(out)
            local i = 2
            while true do
                out:send(i)
                i = i + 1
            end
        end, numbers)

        for _ = 1, n do
            local prime, source, rest = numbers:receive(), numbers, coop.channel()

            found[#found + 1] = prime
            s:spawn(function()
                for i in source:each() do -- until the channel is closed, or we are cancelled
                    if i % prime ~= 0 then
                        rest:send(i)
                    end
                end
            end)
            numbers = rest
        end
        s:cancel() -- the sieve would go on for ever: every send and receive in it fails now, and that ends the tasklets
    end)
    return found
end

print("primes: " .. table.concat(primes(count), " "))

-- An error in one child cancels the others, and is raised by scope(). That is how it gets out of a tasklet.
local reached = 0
local ok, err = pcall(coop.scope, function(s)
    s:spawn(function()
        coop.sleep(0.02)
        error("the disk is full", 0)
    end)
    s:spawn(function()
        while true do
            coop.sleep(0.005) -- raises "cancelled" when the other has failed
            reached = reached + 1
        end
    end)
end)
print("scope: " .. tostring(ok) .. ", " .. tostring(err):match("^[^\n]*"))
assert(not ok and reached > 0)

-- A call that takes seconds gives nil, "timeout" when they are over; select waits for several channels at once.
local quick, never = coop.channel(), coop.channel()
coop.spawn(function()
    coop.sleep(0.01)
    quick:send("hello")
end)
print("select:", coop.select { { never, "receive" }, { quick, "receive" }, timeout = 1 })
print("select:", coop.select { { never, "receive" }, { quick, "receive" }, timeout = 0.01 })
