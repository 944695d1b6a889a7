// What a core can not do is refused.
// RUN: softex-opt %s --verify-diagnostics --split-input-file

%n = rv32.li 3 : !riscv.reg
// expected-error@below {{the core has loops 0 and 1, found 2}}
xpulp.cv.setup %n, 2 : i32, <".Lend"> : !riscv.reg

// -----

%a = rv32.li 3 : !riscv.reg<a0>
// expected-error@below {{the updated operand and its result must be one register}}
%w, %b = xpulp.cv.lw %a, 4 : (!riscv.reg<a0>) -> (!riscv.reg<a1>, !riscv.reg<a2>)
