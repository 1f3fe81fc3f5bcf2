/*
 * switch_x86_64.S - see switch.h. System V ABI.
 *
 *   struct switch_regs            parked stack, from sp up
 *    0  sp                         0 rbx   8 r12   16 r13   24 r14   32 r15
 *    8  ip                        40 return address of switch_stacks()
 *   16  bp
 *   24  MXCSR, 28 x87 control word
 *   32  result, 36 errno (not ours)
 *   40  word, 48 into
 */
#if defined(__x86_64__) && !defined(COOP_SWITCH_UCONTEXT)
    .text
    .globl  switch_receive
    .type   switch_receive, @function
    .p2align 4
switch_receive:
    .cfi_startproc
    endbr64
    lea     switch_received(%rip), %rax
    jmp     .Lpark
    .cfi_endproc
    .size   switch_receive, . - switch_receive

    .globl  switch_stacks, switch_resumed, switch_received
    .hidden switch_resumed, switch_received
    .type   switch_stacks, @function
    .p2align 4
switch_stacks:
    .cfi_startproc
    endbr64
    lea     switch_resumed(%rip), %rax
.Lpark:
    lea     -40(%rsp), %rsp
    .cfi_adjust_cfa_offset 40
    mov     %rbx, (%rsp)
    mov     %r12, 8(%rsp)
    mov     %r13, 16(%rsp)
    mov     %r14, 24(%rsp)
    mov     %r15, 32(%rsp)
    stmxcsr 24(%rdi)
    fnstcw  28(%rdi)
    mov     %rsp, (%rdi)
    mov     %rax, 8(%rdi)
    mov     %rbp, 16(%rdi)
    mov     24(%rdi), %eax
    xor     24(%rsi), %eax
    test    $0xffc0, %eax           /* control bits; the flags below them are not the callee's to keep */
    jne     .Lmxcsr
.Lx87:
    movzwl  28(%rdi), %eax
    cmp     28(%rsi), %ax
    jne     .Lfldcw
.Lgo:
    mov     16(%rsi), %rbp
    mov     (%rsi), %rsp
    jmp     *8(%rsi)
.Lmxcsr:
    ldmxcsr 24(%rsi)
    jmp     .Lx87
.Lfldcw:
    fldcw   28(%rsi)
    jmp     .Lgo
    .p2align 4
switch_received:                         /* rsi: our own registers, as the other's to */
    endbr64
    mov     32(%rsi), %eax
    mov     48(%rsi), %rdx
    mov     40(%rsi), %rcx
    test    %eax, %eax
    jne     .Lrestore
    mov     %rcx, (%rdx)
    jmp     .Lrestore
    .p2align 4
switch_resumed:                          /* the same */
    endbr64
    mov     32(%rsi), %eax
.Lrestore:
    mov     (%rsp), %rbx
    mov     8(%rsp), %r12
    mov     16(%rsp), %r13
    mov     24(%rsp), %r14
    mov     32(%rsp), %r15
    mov     40(%rsp), %rcx
    lea     48(%rsp), %rsp
    .cfi_adjust_cfa_offset -48
    jmp     *%rcx
    .cfi_endproc
    .size   switch_stacks, . - switch_stacks

/* Where a new stack begins: unwinders stop here. rbp, set by switch_prepare(), is the entry. */
    .globl  switch_begin
    .hidden switch_begin
    .type   switch_begin, @function
    .p2align 4
switch_begin:
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    mov     %rbp, %rax
    xor     %ebp, %ebp
    call    *%rax
    ud2
    .cfi_endproc
    .size   switch_begin, . - switch_begin
#endif
    .section .note.GNU-stack, "", @progbits
