// A RedMulE job: clear, registers with MACFG last, trigger; then sleep until it is idle.
// RUN: softex-opt %s -p convert-jobs-to-commands | filecheck %s

func.func @f() attributes {cluster.stream = #cluster<stream redmule>} {
  %a, %i = "test.op"() : () -> (i32, index)
  %x = cluster.view %a : memref<2x24x64xbf16, #cluster.tcdm>
  %w = cluster.view %a : memref<64x64xbf16, #cluster.tcdm>
  // CHECK: %[[SLOT:.*]] = arith.index_cast %i : index to i32
  // CHECK-NEXT: %[[BYTES:.*]] = arith.constant 3072 : i32
  // CHECK-NEXT: %[[OFFSET:.*]] = arith.muli %[[SLOT]], %[[BYTES]] : i32
  // CHECK-NEXT: %[[X:.*]] = arith.addi %a, %[[OFFSET]] : i32
  // CHECK: hwpe.write redmule "SOFT_CLEAR", %{{.*}}
  // A write 4 cycles after the clear would be lost.
  // CHECK-NEXT: hwpe.delay 1
  // CHECK: hwpe.write redmule "X_ADDR", %[[X]]
  // CHECK-NEXT: hwpe.write redmule "W_ADDR", %a
  // CHECK-NEXT: hwpe.write redmule "Z_ADDR", %{{.*}}
  // m = 24, k = 64
  // CHECK-NEXT: %[[MK:.*]] = arith.constant 4194328 : i32
  // CHECK-NEXT: hwpe.write redmule "MCFG0", %[[MK]]
  // CHECK-NEXT: %[[N:.*]] = arith.constant 64 : i32
  // CHECK-NEXT: hwpe.write redmule "MCFG1", %[[N]]
  // GEMM on 16-bit patterns
  // CHECK-NEXT: %[[OP:.*]] = arith.constant 1152 : i32
  // CHECK-NEXT: hwpe.write redmule "MACFG", %[[OP]]
  // CHECK: hwpe.write redmule "TRIGGER", %{{.*}}
  %t = redmule.gemm %x[%i], %w[], %x[%i] m = 24 n = 64 k = 64 : memref<2x24x64xbf16, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>, memref<2x24x64xbf16, #cluster.tcdm>
  // CHECK-NEXT: scf.while
  // CHECK-NEXT: %[[STATUS:.*]] = hwpe.read redmule "STATUS"
  // CHECK: %[[BUSY:.*]] = arith.cmpi ne, %[[STATUS]]
  // CHECK-NEXT: scf.condition(%[[BUSY]])
  // CHECK-NEXT: } do {
  // CHECK-NEXT: hwpe.wait event_unit "EVENT_WAIT_CLEAR"
  cluster.await %t : !cluster.token<redmule>
  func.return
}
