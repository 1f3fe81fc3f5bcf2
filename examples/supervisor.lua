-- supervisor.lua - keeps workers alive: each is an interpreter of its own, and one that dies is made anew, up to so often in so long a time.
--
--     coop run --cap interpreters=8 examples/supervisor.lua
--
-- A strategy in the manner of Erlang's one_for_one with a restart intensity: a child that fails more than MAX times within PERIOD seconds takes the
-- supervisor down with an error that names the cause. Here "flaky" aborts on every second call, and "doomed" on each.
local interpreters = require "coop.interpreters"
local MAX, PERIOD = 3, 10

local source = [[
    calls = 0
    function work(n)
        calls = calls + 1
        if kind == "doomed" or (kind == "flaky" and calls % 2 == 0) then
            os.exit(70)                 -- the process is gone: no pcall of anybody's catches that
        end
        return kind .. " did " .. n
    end
]]

local function start(kind)
    local child = interpreters.create { engine = "lua", name = kind }
    child:prepare_main { kind = kind }
    child:exec(source)
    return child
end

local supervisor = {}
supervisor.__index = supervisor

local function supervise(kind)
    return setmetatable({ kind = kind, child = start(kind), failures = {} }, supervisor)
end

-- Called when the child has ended. Too many failures within the period are an error of ours.
function supervisor:restart()
    local why, now = self.child:wait(), os.time()

    self.failures[#self.failures + 1] = now
    while now - self.failures[1] > PERIOD do
        table.remove(self.failures, 1)
    end
    print(("%s ended: %s (failure %d in %d s; %d are borne)"):format(self.kind, why.cause, #self.failures, PERIOD, MAX))
    if #self.failures > MAX then
        error(self.kind .. " failed too often: " .. why.cause, 0)
    end
    self.child = start(self.kind)
end

function supervisor:call(n)
    while true do
        local ok, result = pcall(self.child.call, self.child, "work", n)

        if ok then
            return result
        end
        if result.type ~= "ExecutionFailed" or result.cause == nil then
            error(result, 0)            -- an error inside, which the child has survived
        end
        self:restart()
    end
end

for _, kind in ipairs { "steady", "flaky", "doomed" } do
    local s = supervise(kind)
    local ok, why = pcall(function()
        for n = 1, 4 do
            print(s:call(n))
        end
    end)

    if not ok then
        print("given up: " .. tostring(why))
    end
end
