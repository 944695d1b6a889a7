// A transposition of 2 x 2 elements moves words through integer registers.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers -t asm | filecheck %s

// CHECK-LABEL: transpose:
// CHECK-NEXT: li a0, 268443648
// CHECK-NEXT: lw a1, 0(a0)
// CHECK-NEXT: lw a2, 4(a0)
// CHECK-NEXT: cv.pack a3, a2, a1
// CHECK-NEXT: cv.pack.h a1, a2, a1
// CHECK-NEXT: sw a3, 0(a0)
// CHECK-NEXT: sw a1, 4(a0)
// CHECK-NEXT: ret
func.func @transpose() {
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<8xbf16, #cluster.tcdm>
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %u = vector.load %x[%c0] : memref<8xbf16, #cluster.tcdm>, vector<2xbf16>
  %v = vector.load %x[%c2] : memref<8xbf16, #cluster.tcdm>, vector<2xbf16>
  %low = vector.shuffle %u, %v [0, 2] : vector<2xbf16>, vector<2xbf16>
  %high = vector.shuffle %u, %v [1, 3] : vector<2xbf16>, vector<2xbf16>
  vector.store %low, %x[%c0] : memref<8xbf16, #cluster.tcdm>, vector<2xbf16>
  vector.store %high, %x[%c2] : memref<8xbf16, #cluster.tcdm>, vector<2xbf16>
  func.return
}
