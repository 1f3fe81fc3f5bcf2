/*
 * boost.cc - Boost.Context: the switch alone, without a scheduler, and a fiber on a stack that is used again.
 *
 * It loads the floating-point control word at each switch, which some processors do slowly when the sticky flags of the two sides differ.
 */
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#include <boost/version.hpp>
#include <cfenv>

#include "bench/measure.h"

namespace ctx = boost::context;
using ctx::detail::fcontext_t;
using ctx::detail::jump_fcontext;
using ctx::detail::transfer_t;

static char stack[64 << 10];
static volatile double sum;

static void turns(transfer_t t)
{
    for (;;)
        t = jump_fcontext(t.fctx, nullptr);
}

static void turns_and_computes(transfer_t t)
{
    double x = 1.0 / 3;

    for (;;) {
        x = x * 1.0000001 + 0.1;
        sum = x;
        t = jump_fcontext(t.fctx, nullptr);
    }
}

static void jump(void (*body)(transfer_t), unsigned n)
{
    transfer_t t = { ctx::detail::make_fcontext(stack + sizeof(stack), sizeof(stack), body), nullptr };

    for (unsigned i = 0; i < n; i += 2)
        t = jump_fcontext(t.fctx, nullptr);
}

static void op_jump(unsigned n)
{
    jump(turns, n);
}

/* This side's flags are clear, the other's are not. */
static void op_jump_mixed(unsigned n)
{
    std::feclearexcept(FE_ALL_EXCEPT);
    jump(turns_and_computes, n);
}

struct same_stack {
    ctx::stack_context allocate()
    {
        ctx::stack_context c;
        c.size = sizeof(stack);
        c.sp = stack + sizeof(stack);
        return c;
    }
    void deallocate(ctx::stack_context &) noexcept
    {
    }
};

static void op_life(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ctx::fiber(std::allocator_arg, same_stack(), [](ctx::fiber &&caller) { return std::move(caller); }).resume();
}

int main()
{
    measure_say("yield", measure(op_jump), "Boost.Context " BOOST_LIB_VERSION " jump_fcontext, bare switch");
    measure_say("spawn", measure(op_life), "Boost.Context " BOOST_LIB_VERSION " fiber, one stack");
    measure_say("yield-mixed", measure(op_jump_mixed), "Boost.Context " BOOST_LIB_VERSION " jump_fcontext, one side computes");
    return 0;
}
