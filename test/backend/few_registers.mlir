// The number of registers is an option; values that are not live together share a place on the stack.
// RUN: softex-opt %s -p 'convert-to-riscv,allocate-registers{integers=3}' -t asm | filecheck %s

// CHECK-LABEL: two_by_two:
// CHECK-NEXT: addi sp, sp, -16
// CHECK-NOT: 4(sp)
// CHECK: addi sp, sp, 16
// CHECK-NEXT: ret
func.func @two_by_two() {
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<8xi32, #cluster.tcdm>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %p = memref.load %x[%c0] : memref<8xi32, #cluster.tcdm>
  %q = memref.load %x[%c1] : memref<8xi32, #cluster.tcdm>
  %r = memref.load %x[%c2] : memref<8xi32, #cluster.tcdm>
  memref.store %r, %x[%c0] : memref<8xi32, #cluster.tcdm>
  memref.store %q, %x[%c1] : memref<8xi32, #cluster.tcdm>
  memref.store %p, %x[%c2] : memref<8xi32, #cluster.tcdm>
  %s = memref.load %x[%c0] : memref<8xi32, #cluster.tcdm>
  %t = memref.load %x[%c1] : memref<8xi32, #cluster.tcdm>
  %u = memref.load %x[%c2] : memref<8xi32, #cluster.tcdm>
  memref.store %u, %x[%c0] : memref<8xi32, #cluster.tcdm>
  memref.store %t, %x[%c1] : memref<8xi32, #cluster.tcdm>
  memref.store %s, %x[%c3] : memref<8xi32, #cluster.tcdm>
  func.return
}
