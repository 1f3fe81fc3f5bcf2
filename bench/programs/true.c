/* true.c - does nothing, and needs no library: what is left is what starting a program costs. Linked statically. */
int main(void)
{
    return 0;
}
