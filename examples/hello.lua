-- hello.lua - arguments, a variable and a module, all sent with the job:
--
--   coop run -e GREETING=Hello --file examples/greet.lua examples/hello.lua World

local greet = require "greet"

print(greet.line(arg[1] or "nobody"))
