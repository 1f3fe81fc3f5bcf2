-- pipeline.lua - two interpreters and a queue between them: the first is held back when the second is slow.
--
--     coop run --cap interpreters=2 --cap queues examples/interp/pipeline.lua
local interpreters, queues = require "coop.interpreters", require "coop.queues"
local q = queues.create { max_items = 16 }
local producer = interpreters.create { engine = "lua", name = "producer" }
local consumer = interpreters.create { engine = "lua", name = "consumer" }

producer:exec [[
    function produce(q, n)
        for i = 1, n do
            q:put(i)                    -- waits while the queue is full
        end
        q:close()
        return n
    end
]]
consumer:exec [[
    function sum(q)
        local total = 0

        for x in q:each() do            -- until it is closed, and empty
            total = total + x
        end
        return total
    end
]]
local made, total = producer:call_async("produce", q, 1000), consumer:call_async("sum", q)

print(made:wait() .. " items, their sum is " .. total:wait())
