// Assembly needs registers.
// RUN: softex-opt %s -t asm --verify-diagnostics

riscv_func.func @early() {
  // expected-error@below {{rv32.li: its values have no registers yet: run allocate-registers first}}
  %n = rv32.li 3 : !riscv.reg
  riscv_func.return
}
