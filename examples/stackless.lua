-- stackless.lua - tasklets and channels with the names of Stackless Python:  coop run examples/stackless.lua
local stackless = require "stackless"

local counter = stackless.channel()

local function cook(name, dishes)
    for i = 1, dishes do
        counter:send(name .. " " .. i)
    end
end

stackless.tasklet(cook)("soup", 2)
stackless.tasklet(cook)("bread", 3)

-- A guest who takes all, until nobody is left to cook: that is a deadlock, and an error one can catch.
local ok, why = pcall(function()
    while true do
        print(counter:receive())
    end
end)
print(ok, why)

-- A tasklet that never gives up its turn is stopped after 10,000 instructions, and is what run() returns.
local greedy = stackless.tasklet(function() while true do end end)()
print(stackless.run(10000) == greedy, greedy.paused)
greedy:kill()
print(greedy.alive)
