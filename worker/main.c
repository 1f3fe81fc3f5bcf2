/* main.c - coop-worker: the zygote with the engines it was built with. */
#include "worker/engines.h"
#include "worker/zygote.h"

int main(int argc, char **argv)
{
    return zygote_main(argc, argv, engines_built_in);
}
