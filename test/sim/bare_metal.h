# The environment of the riscv-tests "p" suites in short: probe optional CSRs, enter with mret,
# report by ecall through a trap handler that writes tohost.
.option norvc
.section .text.init
.globl _start
_start:
  j reset
  .align 2
trap_vector:
  csrr t5, mcause
  li t6, 8
  beq t5, t6, write_tohost
  li t6, 11
  beq t5, t6, write_tohost
  la t5, mtvec_handler
  jr t5
.weak mtvec_handler
mtvec_handler:
  ori gp, gp, 1337
write_tohost:
  sw gp, tohost, t5
  sw zero, tohost+4, t5
  j write_tohost
.macro probe csr
  la t0, 1f
  csrw mtvec, t0
  csrwi \csr, 0
  .align 2
1:
.endm
reset:
  csrr a0, mhartid
1: bnez a0, 1b
  probe 0x744
  probe satp
  probe pmpaddr0
  probe pmpcfg0
  csrwi mie, 0
  probe medeleg
  probe mideleg
  li gp, 0
  la t0, trap_vector
  csrw mtvec, t0
  csrwi mstatus, 0
  li a0, 0x2000
  csrs mstatus, a0
  csrwi fcsr, 0
  la t0, test
  csrw mepc, t0
  csrr a0, mhartid
  mret
.macro check number, register, value
  li gp, \number
  li t6, \value
  bne \register, t6, fail
.endm
pass:
  fence
  li gp, 1
  li a7, 93
  li a0, 0
  ecall
fail:
  fence
1: beqz gp, 1b
  sll gp, gp, 1
  or gp, gp, 1
  li a7, 93
  mv a0, gp
  ecall
.pushsection .tohost,"aw",@progbits
.align 6
.globl tohost
tohost: .dword 0
.align 6
.globl fromhost
fromhost: .dword 0
.popsection
test:
