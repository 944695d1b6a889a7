// A loop of known length becomes a hardware loop; addresses become pointers.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers,pad-hardware-loops -t asm | filecheck %s

// CHECK-LABEL: add:
// CHECK-NEXT: li a0, 64
// CHECK-NEXT: li a1, 268443648
// CHECK-NEXT: li a2, 268451840
// CHECK-NEXT: cv.setup 0, a0, .Ladd_3
// CHECK-NEXT: .Ladd_1:
// CHECK-NEXT: flh fa0, 0(a1)
// CHECK-NEXT: flh fa1, 0(a2)
// CHECK-NEXT: fadd.ah fa0, fa0, fa1
// CHECK-NEXT: fsh fa0, 0(a1)
// CHECK-NEXT: addi a1, a1, 2
// CHECK-NEXT: addi a2, a2, 2
// CHECK-NEXT: .Ladd_3:
// CHECK-NEXT: ret
func.func @add() {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %n = arith.constant 64 : index
  %a = arith.constant 0x10002000 : i32
  %b = arith.constant 0x10004000 : i32
  %x = cluster.view %a : memref<64xbf16, #cluster.tcdm>
  %y = cluster.view %b : memref<64xbf16, #cluster.tcdm>
  scf.for %i = %zero to %n step %one {
    %u = memref.load %x[%i] : memref<64xbf16, #cluster.tcdm>
    %v = memref.load %y[%i] : memref<64xbf16, #cluster.tcdm>
    %s = arith.addf %u, %v : bf16
    memref.store %s, %x[%i] : memref<64xbf16, #cluster.tcdm>
  }
  func.return
}
