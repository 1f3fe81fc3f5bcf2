-- primes.lua - how many primes there are below N (the sieve of Eratosthenes), and the last of them:  coop run examples/primes.lua 2000

local limit = tonumber(arg[1]) or 1000
local composite, count, last = {}, 0, nil

for n = 2, limit - 1 do
    if not composite[n] then
        count, last = count + 1, n
        for multiple = n * n, limit - 1, n do
            composite[multiple] = true
        end
    end
end

print(string.format("%d primes below %d, the last is %s", count, limit, last or "none"))
