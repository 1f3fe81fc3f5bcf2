-- squares_init.lua - the init of a template: what it prepares is there in each interpreter and job that begins as a copy of it.
--
--     coop template build squares --engine lua --run examples/interp/squares_init.lua
--     coop call --template squares count 1000
squares = {}
for i = 1, 100000 do
    squares[i] = i * i
end

function count(below)
    local n = 0

    for _, s in ipairs(squares) do
        if s < below then
            n = n + 1
        end
    end
    return n
end
