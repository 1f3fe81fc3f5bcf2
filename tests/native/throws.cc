/* throws.cc - a native job in C++, for tests: streams in step and out of step with C's, exceptions caught and not. */
#include <iostream>
#include <stdexcept>
#include <string>

#include <coop/native.h>

struct noisy {
    ~noisy()
    {
        std::cout << "destroyed\n";
    }
};
static noisy global;

static int throws(void *)
{
    throw std::runtime_error("out of a tasklet");
}

static int catches(void *)
{
    try {
        throw 5;
    } catch (int n) {
        std::cout << "caught " << n << std::endl;
    }
    return 0;
}

static int in_tasklet(coop_fn fn)
{
    coop_task *t;

    return coop_spawn(&t, fn, nullptr, nullptr) == 0 ? coop_join(t, nullptr, COOP_NEVER) : 1;
}

int coop_job(int argc, char **argv)
{
    std::string how = argc > 1 ? argv[1] : "", line;

    if (how == "unsynced")
        std::ios::sync_with_stdio(false);
    while (std::getline(std::cin, line))
        std::cout << "got " << line << "\n";
    if (how == "main")
        throw std::runtime_error("out of coop_job");
    return in_tasklet(how == "tasklet" ? throws : catches);
}
