// Waits directly before a job or transfer move to its start: it is programmed meanwhile.
// RUN: softex-opt %s -p convert-jobs-to-commands,convert-dma-to-registers | filecheck %s

// CHECK: func.func @job
func.func @job() attributes {cluster.stream = #cluster<stream redmule>} {
  %a, %v = "test.op"() : () -> (i32, index)
  %x = cluster.view %a : memref<48x32xbf16, #cluster.tcdm>
  // CHECK: hwpe.write redmule "SOFT_CLEAR"
  // CHECK: hwpe.write redmule "MACFG"
  // CHECK-NEXT: cluster.wait_for dma_in, %v
  // CHECK-NEXT: cluster.wait_for compute, %v
  // CHECK-NEXT: arith.constant 0 : i32
  // CHECK-NEXT: hwpe.write redmule "TRIGGER"
  cluster.wait_for dma_in, %v
  %c1 = arith.constant 1 : index
  cluster.wait_for compute, %v
  %t = redmule.gemm %x[], %x[], %x[] m = 24 n = 32 k = 32 : memref<48x32xbf16, #cluster.tcdm>, memref<48x32xbf16, #cluster.tcdm>, memref<48x32xbf16, #cluster.tcdm>
  // a load may need what is waited for: not across it
  // CHECK: cluster.wait_for dma_in, %v
  // CHECK-NEXT: "test.op"() {load}
  // CHECK: hwpe.write redmule "SOFT_CLEAR"
  cluster.await %t : !cluster.token<redmule>
  cluster.wait_for dma_in, %v
  "test.op"() {load} : () -> ()
  %u = redmule.gemm %x[], %x[], %x[] m = 24 n = 32 k = 32 : memref<48x32xbf16, #cluster.tcdm>, memref<48x32xbf16, #cluster.tcdm>, memref<48x32xbf16, #cluster.tcdm>
  func.return
}

// what counts the job before moves, too, where the job says so
// CHECK: func.func @row
func.func @row() attributes {cluster.stream = #cluster<stream redmule>} {
  %a, %v = "test.op"() : () -> (i32, index)
  %x = cluster.view %a : memref<48x32xbf16, #cluster.tcdm>
  // CHECK: cluster.advance
  // CHECK: hwpe.write redmule "SOFT_CLEAR"
  // CHECK-NOT: cluster.advance
  // CHECK: hwpe.write redmule "TRIGGER"
  cluster.advance
  %t = redmule.gemm %x[], %x[], %x[] m = 24 n = 32 k = 32 : memref<48x32xbf16, #cluster.tcdm>, memref<48x32xbf16, #cluster.tcdm>, memref<48x32xbf16, #cluster.tcdm>
  cluster.await %t : !cluster.token<redmule>
  cluster.advance
  // CHECK: hwpe.read redmule "STATUS"
  // CHECK: hwpe.write redmule "MACFG"
  // CHECK-NEXT: cluster.advance
  // CHECK-NEXT: cluster.wait_for dma_in, %v
  // CHECK: hwpe.write redmule "TRIGGER"
  cluster.wait_for dma_in, %v
  %u = redmule.gemm %x[], %x[], %x[] m = 24 n = 32 k = 32 counts_meanwhile : memref<48x32xbf16, #cluster.tcdm>, memref<48x32xbf16, #cluster.tcdm>, memref<48x32xbf16, #cluster.tcdm>
  func.return
}

// CHECK: func.func @transfer
func.func @transfer() attributes {cluster.stream = #cluster<stream dma_in>} {
  %a, %v = "test.op"() : () -> (i32, index)
  %x = cluster.view %a : memref<32xbf16, #cluster.l2>
  %y = cluster.view %a : memref<32xbf16, #cluster.tcdm>
  // CHECK: hwpe.write dma "REPS_2"
  // CHECK-NEXT: cluster.wait_for redmule, %v
  // CHECK-NEXT: hwpe.read dma "NEXT_ID_0"
  cluster.wait_for redmule, %v
  %t = cluster.dma_start %x[] to %y[] sizes [32] : memref<32xbf16, #cluster.l2> to memref<32xbf16, #cluster.tcdm>
  func.return
}
