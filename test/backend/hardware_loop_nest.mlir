// Two levels of hardware loops; their ends are two instructions apart.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers,pad-hardware-loops -t asm | filecheck %s

// CHECK-LABEL: clear_rows:
// CHECK-NEXT: li a0, 8
// CHECK-NEXT: li a1, 0
// CHECK-NEXT: li a2, 16
// CHECK-NEXT: li a3, 268443648
// CHECK-NEXT: li a4, 80
// CHECK-NEXT: cv.setup 1, a0, .Lclear_rows_3
// CHECK-NEXT: .Lclear_rows_1:
// CHECK-NEXT: mul a0, a1, a4
// CHECK-NEXT: add a0, a3, a0
// CHECK-NEXT: cv.setup 0, a2, .Lclear_rows_6
// CHECK-NEXT: .Lclear_rows_4:
// CHECK-NEXT: cv.sw zero, (a0), 4
// CHECK-NEXT: nop
// CHECK-NEXT: nop
// CHECK-NEXT: .Lclear_rows_6:
// CHECK-NEXT: addi a1, a1, 1
// CHECK-NEXT: nop
// CHECK-NEXT: .Lclear_rows_3:
// CHECK-NEXT: ret
func.func @clear_rows() {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %rows = arith.constant 8 : index
  %columns = arith.constant 16 : index
  %a = arith.constant 0x10002000 : i32
  %value = arith.constant 0 : i32
  %x = cluster.view %a : memref<8x16xi32, strided<[20, 1]>, #cluster.tcdm>
  scf.for %i = %zero to %rows step %one {
    scf.for %j = %zero to %columns step %one {
      memref.store %value, %x[%i, %j] : memref<8x16xi32, strided<[20, 1]>, #cluster.tcdm>
    }
  }
  func.return
}
