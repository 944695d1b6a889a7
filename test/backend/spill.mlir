// More values than registers: constants are made again, the others go to the stack.
// RUN: %python %S/Inputs/many_values.py 40 | softex-opt -p convert-to-riscv,allocate-registers -t asm | filecheck %s

// CHECK-LABEL: many:
// CHECK-NEXT: addi sp, sp, -{{[0-9]+}}
// CHECK: sw {{[ast][0-9]+}}, {{[0-9]+}}(sp)
// CHECK: lw {{[ast][0-9]+}}, {{[0-9]+}}(sp)
// CHECK: addi sp, sp, {{[0-9]+}}
// CHECK-NEXT: ret
