// Values carried by a hardware loop stay in their registers.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers,pad-hardware-loops -t asm | filecheck %s

// CHECK-LABEL: sum:
// CHECK-NEXT: fmv.w.x fa0, zero
// CHECK-NEXT: li a0, 100
// CHECK-NEXT: li a1, 268443648
// CHECK-NEXT: mv a2, a1
// CHECK-NEXT: cv.setup 0, a0, .Lsum_3
// CHECK-NEXT: .Lsum_1:
// CHECK-NEXT: flw fa1, 0(a2)
// CHECK-NEXT: fmadd.s fa0, fa1, fa1, fa0
// CHECK-NEXT: addi a2, a2, 4
// CHECK-NEXT: .Lsum_3:
// CHECK-NEXT: fsw fa0, 0(a1)
// CHECK-NEXT: ret
func.func @sum() {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %n = arith.constant 100 : index
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<100xf32, #cluster.tcdm>
  %start = arith.constant 0.0 : f32
  %total = scf.for %i = %zero to %n step %one iter_args(%s = %start) -> (f32) {
    %u = memref.load %x[%i] : memref<100xf32, #cluster.tcdm>
    %t = math.fma %u, %u, %s : f32
    scf.yield %t : f32
  }
  memref.store %total, %x[%zero] : memref<100xf32, #cluster.tcdm>
  func.return
}
