// The widening dot product of pairs accumulates in place.
// RUN: softex-opt %s | softex-opt -p convert-to-riscv,allocate-registers -t asm | filecheck %s

// CHECK-LABEL: dot:
// CHECK-NEXT: li a0, 268443648
// CHECK-NEXT: flw fa0, 0(a0)
// CHECK-NEXT: flw fa1, 4(a0)
// CHECK-NEXT: flw fa2, 8(a0)
// CHECK-NEXT: vfdotpex.s.ah fa2, fa0, fa1
// CHECK-NEXT: vfdotpex.s.ah fa2, fa0, fa0
// CHECK-NEXT: fsw fa2, 8(a0)
// CHECK-NEXT: ret
func.func @dot() {
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<4xbf16, #cluster.tcdm>
  %b = arith.constant 0x10002008 : i32
  %sums = cluster.view %b : memref<1xf32, #cluster.tcdm>
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %u = vector.load %x[%c0] : memref<4xbf16, #cluster.tcdm>, vector<2xbf16>
  %v = vector.load %x[%c2] : memref<4xbf16, #cluster.tcdm>, vector<2xbf16>
  %before = memref.load %sums[%c0] : memref<1xf32, #cluster.tcdm>
  %first = xpulp.dot %u, %v, %before
  %second = xpulp.dot %u, %u, %first
  memref.store %second, %sums[%c0] : memref<1xf32, #cluster.tcdm>
  func.return
}
