/* textrel.S - a job whose code has an address in it that the loader would have to write: a text relocation. */
    .text
    .globl  coop_job
    .type   coop_job, @function
coop_job:
    movabs  $.Lhere, %rax
.Lhere:
    xor     %eax, %eax
    ret
    .size   coop_job, . - coop_job
    .section .note.GNU-stack, "", @progbits
