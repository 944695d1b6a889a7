// A token carried by a loop is the transfer's number.
// RUN: softex-opt %s -p convert-dma-to-registers | filecheck %s

func.func @f() attributes {cluster.stream = #cluster<stream dma_out>} {
  %a, %lo, %hi, %step = "test.op"() : () -> (i32, index, index, index)
  %x = cluster.view %a : memref<64xbf16, #cluster.l2>
  %y = cluster.view %a : memref<64xbf16, #cluster.tcdm>
  // CHECK: %t = hwpe.read dma "NEXT_ID_1"
  %t = cluster.dma_start %y[] to %x[] sizes [64] : memref<64xbf16, #cluster.tcdm> to memref<64xbf16, #cluster.l2>
  // CHECK: scf.for %{{.*}} iter_args(%[[U:.*]] = %t) -> (i32) {
  %last = scf.for %i = %lo to %hi step %step iter_args(%u = %t) -> (!cluster.token<dma_out>) {
    // CHECK: arith.cmpi slt, %{{.*}}, %[[U]] : i32
    cluster.await %u : !cluster.token<dma_out>
    // CHECK: %v = hwpe.read dma "NEXT_ID_1"
    %v = cluster.dma_start %y[] to %x[] sizes [64] : memref<64xbf16, #cluster.tcdm> to memref<64xbf16, #cluster.l2>
    // CHECK: scf.yield %v : i32
    scf.yield %v : !cluster.token<dma_out>
  }
  cluster.await %last : !cluster.token<dma_out>
  func.return
}
