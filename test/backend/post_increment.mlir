// Values that only move stay in integer registers, and their accesses advance the pointers.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers,pad-hardware-loops -t asm | filecheck %s

// CHECK-LABEL: copy:
// CHECK-NEXT: li a0, 16
// CHECK-NEXT: li a1, 268443648
// CHECK-NEXT: li a2, 268451844
// CHECK-NEXT: cv.setup 0, a0, .Lcopy_3
// CHECK-NEXT: .Lcopy_1:
// CHECK-NEXT: cv.lw a0, (a1), 4
// CHECK-NEXT: cv.lw a3, (a1), 4
// CHECK-NEXT: cv.sw a0, (a2), -4
// CHECK-NEXT: cv.sw a3, (a2), 12
// CHECK-NEXT: .Lcopy_3:
// CHECK-NEXT: ret
func.func @copy() {
  %zero = arith.constant 0 : index
  %two = arith.constant 2 : index
  %four = arith.constant 4 : index
  %n = arith.constant 64 : index
  %a = arith.constant 0x10002000 : i32
  %b = arith.constant 0x10004000 : i32
  %x = cluster.view %a : memref<64xbf16, #cluster.tcdm>
  %y = cluster.view %b : memref<64xbf16, #cluster.tcdm>
  scf.for %i = %zero to %n step %four {
    %j = arith.addi %i, %two : index
    %u = vector.load %x[%i] : memref<64xbf16, #cluster.tcdm>, vector<2xbf16>
    %v = vector.load %x[%j] : memref<64xbf16, #cluster.tcdm>, vector<2xbf16>
    vector.store %u, %y[%j] : memref<64xbf16, #cluster.tcdm>, vector<2xbf16>
    vector.store %v, %y[%i] : memref<64xbf16, #cluster.tcdm>, vector<2xbf16>
  }
  func.return
}
