-- wordfreq.lua - counts the words that come in on standard input and prints the most frequent ones.
--
--   coop run examples/wordfreq.lua 10 < some-text.txt      the argument is how many to print (default 10)

local how_many = tonumber(arg[1]) or 10
local count, words, total = {}, {}, 0

for line in io.lines() do
    for word in line:lower():gmatch("%a[%a']*") do
        if not count[word] then
            words[#words + 1] = word
        end
        count[word] = (count[word] or 0) + 1
        total = total + 1
    end
end

table.sort(words, function(a, b)
    if count[a] ~= count[b] then
        return count[a] > count[b]
    end
    return a < b -- ties in the order of the alphabet, so that the output is always the same
end)

print(string.format("%d words, %d different", total, #words))
for i = 1, math.min(how_many, #words) do
    local word = words[i]
    print(string.format("%6d  %5.2f%%  %s", count[word], 100 * count[word] / total, word))
end
