// Allocation gives one register to an updated operand and its result, copying where the operand lives on.
// RUN: softex-opt %s -p allocate-registers | filecheck %s

// CHECK: [[x:%.*]] = riscv.flw %a, 0 : (!riscv.reg<a0>) -> !riscv.freg<fa0>
// CHECK: riscv.flw
// CHECK: [[copy:%.*]] = riscv.fmv.s [[x]] : (!riscv.freg<fa0>) -> !riscv.freg<fa2>
// CHECK: xpulp.vfmac.ah [[copy]], %y, %y : (!riscv.freg<fa2>, !riscv.freg<fa1>, !riscv.freg<fa1>) -> !riscv.freg<fa2>
// CHECK: xpulp.vfmac.ah [[x]], %z, %y : (!riscv.freg<fa0>, !riscv.freg<fa2>, !riscv.freg<fa1>) -> !riscv.freg<fa0>
riscv_func.func @accumulate() {
  %a = rv32.li 268443648 : !riscv.reg
  %x = riscv.flw %a, 0 : (!riscv.reg) -> !riscv.freg
  %y = riscv.flw %a, 4 : (!riscv.reg) -> !riscv.freg
  %z = xpulp.vfmac.ah %x, %y, %y : (!riscv.freg, !riscv.freg, !riscv.freg) -> !riscv.freg
  %w = xpulp.vfmac.ah %x, %z, %y : (!riscv.freg, !riscv.freg, !riscv.freg) -> !riscv.freg
  riscv.fsw %a, %w, 0 : (!riscv.reg, !riscv.freg) -> ()
  riscv_func.return
}
