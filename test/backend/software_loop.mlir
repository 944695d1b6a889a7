// A loop whose body branches, with bounds read when it starts.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers,pad-hardware-loops -t asm | filecheck %s

// CHECK-LABEL: count:
// CHECK-NEXT: lw a0, 32(tp)
// CHECK-NEXT: li a1, 0
// CHECK-NEXT: li a2, 0
// CHECK-NEXT: li a3, 268443648
// CHECK-NEXT: mv a5, a3
// CHECK-NEXT: .Lcount_1:
// CHECK-NEXT: bge a1, a0, .Lcount_3
// CHECK-NEXT: .Lcount_2:
// CHECK-NEXT: lhu a4, 0(a5)
// CHECK-NEXT: bgeu a2, a4, .Lcount_6
// CHECK-NEXT: .Lcount_4:
// CHECK-NEXT: j .Lcount_5
// CHECK-NEXT: .Lcount_6:
// CHECK-NEXT: add a4, a2, a4
// CHECK-NEXT: .Lcount_5:
// CHECK-NEXT: addi a5, a5, 6
// CHECK-NEXT: addi a1, a1, 3
// CHECK-NEXT: mv a2, a4
// CHECK-NEXT: j .Lcount_1
// CHECK-NEXT: .Lcount_3:
// CHECK-NEXT: sw a2, 0(a3)
// CHECK-NEXT: ret
func.func @count() {
  %zero = arith.constant 0 : index
  %three = arith.constant 3 : index
  %word = cluster.launch_word 8 : i32
  %n = arith.index_cast %word : i32 to index
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<100xi16, #cluster.tcdm>
  %none = arith.constant 0 : i32
  %total = scf.for %i = %zero to %n step %three iter_args(%s = %none) -> (i32) {
    %h = memref.load %x[%i] : memref<100xi16, #cluster.tcdm>
    %u = arith.extui %h : i16 to i32
    %large = arith.cmpi ugt, %u, %s : i32
    %t = scf.if %large -> (i32) {
      scf.yield %u : i32
    } else {
      %d = arith.addi %s, %u : i32
      scf.yield %d : i32
    }
    scf.yield %t : i32
  }
  %out = cluster.view %a : memref<1xi32, #cluster.tcdm>
  memref.store %total, %out[%zero] : memref<1xi32, #cluster.tcdm>
  func.return
}
