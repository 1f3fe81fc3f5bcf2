-- counter.lua - loaded into an interpreter that lives: its globals stay from one call to the next.
--
--     id=$(coop interp create --engine lua --run examples/interp/counter.lua)
--     coop interp call $id add 3
total = 0

function add(n)
    total = total + n
    return total
end

function mean(list)
    local sum = 0

    for _, x in ipairs(list) do
        sum = sum + x
    end
    return { n = #list, mean = sum / #list }
end
