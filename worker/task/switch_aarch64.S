/*
 * switch_aarch64.S - see switch.h. AAPCS64.
 *
 *   struct switch_regs            parked stack, from sp up
 *    0  sp                         0 x19..x28 (10)   80 d8..d15 (8)   144 x30   152 unused
 *    8  ip
 *   16  bp (x29)
 *   24  FPCR
 *   32  result, 36 errno (not ours)
 *   40  word, 48 into
 */
#if defined(__aarch64__) && !defined(COOP_SWITCH_UCONTEXT)
    .text
    .globl  switch_receive
    .type   switch_receive, %function
    .p2align 4
switch_receive:
    .cfi_startproc
    hint    #34                     /* bti c */
    adr     x9, switch_received
    b       .Lpark
    .cfi_endproc
    .size   switch_receive, . - switch_receive

    .globl  switch_stacks, switch_resumed, switch_received
    .hidden switch_resumed, switch_received
    .type   switch_stacks, %function
    .p2align 4
switch_stacks:
    .cfi_startproc
    hint    #34
    adr     x9, switch_resumed
.Lpark:
    sub     sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp     x19, x20, [sp]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     d8, d9, [sp, #80]
    stp     d10, d11, [sp, #96]
    stp     d12, d13, [sp, #112]
    stp     d14, d15, [sp, #128]
    str     x30, [sp, #144]
    .cfi_rel_offset x30, 144
    mov     x10, sp
    stp     x10, x9, [x0]
    str     x29, [x0, #16]
    mrs     x11, fpcr
    str     w11, [x0, #24]
    ldr     w12, [x1, #24]
    cmp     w11, w12
    b.ne    .Lfpcr
.Lgo:
    ldp     x10, x9, [x1]
    ldr     x29, [x1, #16]
    mov     sp, x10
    br      x9
.Lfpcr:
    msr     fpcr, x12
    b       .Lgo
    .p2align 4
switch_received:
    hint    #36                     /* bti j */
    ldr     w0, [x1, #32]           /* x1: our own registers, as the other's to */
    cbnz    w0, .Lrestore
    ldp     x9, x10, [x1, #40]
    str     x9, [x10]
    b       .Lrestore
    .p2align 4
switch_resumed:
    hint    #36
    ldr     w0, [x1, #32]
.Lrestore:
    ldp     x19, x20, [sp]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     d8, d9, [sp, #80]
    ldp     d10, d11, [sp, #96]
    ldp     d12, d13, [sp, #112]
    ldp     d14, d15, [sp, #128]
    ldr     x9, [sp, #144]
    add     sp, sp, #160
    .cfi_adjust_cfa_offset -160
    br      x9                      /* not ret: the predictor knows nothing of this stack */
    .cfi_endproc
    .size   switch_stacks, . - switch_stacks

    .globl  switch_begin
    .hidden switch_begin
    .type   switch_begin, %function
    .p2align 4
switch_begin:
    .cfi_startproc
    .cfi_undefined x30
    hint    #36
    mov     x9, x29
    mov     x29, #0
    mov     x30, #0
    blr     x9
    brk     #1
    .cfi_endproc
    .size   switch_begin, . - switch_begin
#endif
    .section .note.GNU-stack, "", %progbits
