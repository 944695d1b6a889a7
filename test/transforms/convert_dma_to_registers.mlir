// Transfers write the registers that matter and start by reading NEXT_ID.
// RUN: softex-opt %s -p convert-dma-to-registers | filecheck %s

func.func @f() attributes {cluster.stream = #cluster<stream dma_in>} {
  %a, %b, %i = "test.op"() : () -> (i32, i32, index)
  %x = cluster.view %a : memref<8x64x96xbf16, strided<[16384, 128, 1]>, #cluster.l2>
  %row = cluster.view %a : memref<32x96xbf16, strided<[0, 1]>, #cluster.l2>
  %y = cluster.view %b : memref<2x64x96xbf16, #cluster.tcdm>
  // contiguous on one side only: runs of 192 bytes, 64 of them
  // CHECK: hwpe.write dma "DST_ADDR", %b
  // CHECK-NEXT: hwpe.write dma "SRC_ADDR", %a
  // CHECK-NEXT: %[[C:.*]] = arith.constant 192 : i32
  // CHECK-NEXT: hwpe.write dma "LENGTH", %[[C]]
  // CHECK-NEXT: %[[C:.*]] = arith.constant 192 : i32
  // CHECK-NEXT: hwpe.write dma "DST_STRIDE_2", %[[C]]
  // CHECK-NEXT: %[[C:.*]] = arith.constant 256 : i32
  // CHECK-NEXT: hwpe.write dma "SRC_STRIDE_2", %[[C]]
  // CHECK-NEXT: %[[C:.*]] = arith.constant 64 : i32
  // CHECK-NEXT: hwpe.write dma "REPS_2", %[[C]]
  // CHECK-NEXT: %t = hwpe.read dma "NEXT_ID_0"
  // CHECK-NOT: REPS_3
  %t = cluster.dma_start %x[] to %y[] sizes [64, 96] : memref<8x64x96xbf16, strided<[16384, 128, 1]>, #cluster.l2> to memref<2x64x96xbf16, #cluster.tcdm>
  // CHECK: %[[DONE:.*]] = hwpe.read dma "DONE_ID_0"
  // CHECK-NEXT: arith.cmpi slt, %[[DONE]], %t : i32
  cluster.await %t : !cluster.token<dma_in>
  // three dimensions; REPS_3 is 1 again after
  // CHECK: hwpe.write dma "SRC_STRIDE_3"
  // CHECK: hwpe.write dma "REPS_3"
  // CHECK-NEXT: hwpe.read dma "NEXT_ID_0"
  // CHECK-NEXT: %[[ONE:.*]] = arith.constant 1 : i32
  // CHECK-NEXT: hwpe.write dma "REPS_3", %[[ONE]]
  %u = cluster.dma_start %x[] to %y[] sizes [2, 64, 96] : memref<8x64x96xbf16, strided<[16384, 128, 1]>, #cluster.l2> to memref<2x64x96xbf16, #cluster.tcdm>
  // contiguous on both sides: one run
  // CHECK: %[[C:.*]] = arith.constant 24576 : i32
  // CHECK-NEXT: hwpe.write dma "LENGTH", %[[C]]
  // CHECK: hwpe.write dma "REPS_2", %{{.*}}
  // CHECK-NEXT: hwpe.read dma "NEXT_ID_0"
  %v = cluster.dma_start %y[] to %y[%i] sizes [2, 64, 96] : memref<2x64x96xbf16, #cluster.tcdm> to memref<2x64x96xbf16, #cluster.tcdm>
  // a repeated row: stride 0
  // CHECK: %[[C:.*]] = arith.constant 0 : i32
  // CHECK-NEXT: hwpe.write dma "SRC_STRIDE_2", %[[C]]
  %r = cluster.dma_start %row[] to %y[%i] sizes [32, 96] : memref<32x96xbf16, strided<[0, 1]>, #cluster.l2> to memref<2x64x96xbf16, #cluster.tcdm>
  func.return
}
