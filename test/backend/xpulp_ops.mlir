// The instructions of the cores round-trip.
// RUN: softex-opt %s | softex-opt | filecheck %s --check-prefix=IR
// RUN: softex-opt %s --print-op-generic | softex-opt | filecheck %s --check-prefix=IR
// RUN: softex-opt %s -t asm | filecheck %s --check-prefix=ASM

riscv_func.func @all() {
  %a = rv32.get_register : !riscv.reg<a0>
  %f = riscv.get_float_register : !riscv.freg<fa0>
  // IR: xpulp.cv.lw
  // ASM: cv.lw a1, (a0), 4
  %w, %a1 = xpulp.cv.lw %a, 4 : (!riscv.reg<a0>) -> (!riscv.reg<a1>, !riscv.reg<a0>)
  // IR: xpulp.cv.sh
  // ASM: cv.sh a1, (a0), -2
  %a2 = xpulp.cv.sh %a1, %w, -2 : (!riscv.reg<a0>, !riscv.reg<a1>) -> !riscv.reg<a0>
  // IR: xpulp.cv.elw
  // ASM: cv.elw a1, 60(a0)
  %e = xpulp.cv.elw %a, 60 : (!riscv.reg<a0>) -> !riscv.reg<a1>
  // IR: xpulp.flh
  // ASM: flh fa1, 2(a0)
  %h = xpulp.flh %a, 2 : (!riscv.reg<a0>) -> !riscv.freg<fa1>
  // IR: xpulp.fsh
  // ASM: fsh fa1, 2(a0)
  xpulp.fsh %a, %h, 2 : (!riscv.reg<a0>, !riscv.freg<fa1>) -> ()
  // IR: xpulp.fcvt.bf16.s
  // ASM: fcvt.bf16.s fa2, fa0
  %c = xpulp.fcvt.bf16.s %f : (!riscv.freg<fa0>) -> !riscv.freg<fa2>
  // IR: xpulp.vfmac.ah
  // ASM: vfmac.ah fa2, fa0, fa1
  %m = xpulp.vfmac.ah %c, %f, %h : (!riscv.freg<fa2>, !riscv.freg<fa0>, !riscv.freg<fa1>) -> !riscv.freg<fa2>
  // IR: xpulp.cv.setup
  // ASM: cv.setup 0, a1, .Lend
  xpulp.cv.setup %e, 0 : i32, <".Lend"> : !riscv.reg<a1>
  riscv_cf.branch ^body()
^body:
  riscv.label ".Lbody"
  riscv.nop
  // IR: xpulp.loop_end
  xpulp.loop_end ^body, ^end
^end:
  // ASM: .Lend:
  riscv.label ".Lend"
  riscv_func.return
}
