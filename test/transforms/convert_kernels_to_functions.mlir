// Streams become functions that read the launch record; buffers become views of constant addresses.
// RUN: softex-opt %s -p convert-kernels-to-functions | filecheck %s

cluster.global constant @slopes at 12288 bits [1, 2] : memref<2xbf16, #cluster.tcdm>

// CHECK: cluster.entries @k functions {dma_in = @k_dma_in, compute = @k_compute} buffers {b = [8192 : i32, 1024 : i32]} arguments [memref<8x32xbf16, #cluster.l2>, index] {source = "fc1"}
cluster.kernel @k(%in : index, %out : index, %red : index, %com : index,
    %x : memref<8x32xbf16, #cluster.l2>, %ready : index) attributes {source = "fc1"} {
  %b = cluster.buffer "b" at 8192 : memref<2x8x32xbf16, #cluster.tcdm>
  %c1 = arith.constant 1 : index
  %last = arith.addi %com, %c1 : index
  // CHECK: func.func @k_dma_in() attributes {cluster.stream = #cluster<stream dma_in>} {
  // the fourth argument is the last base: word 7 of the record
  // CHECK-NEXT: %[[BASE:.*]] = cluster.launch_word 7 : i32
  // CHECK-NEXT: %[[COM:.*]] = arith.index_cast %[[BASE]] : i32 to index
  // CHECK-NEXT: %{{.*}} = arith.constant 1 : index
  // CHECK-NEXT: %[[LAST:.*]] = arith.addi %[[COM]]
  // CHECK-NEXT: %[[WORD:.*]] = cluster.launch_word 8 : i32
  // CHECK-NEXT: %[[X:.*]] = cluster.view %[[WORD]] : memref<8x32xbf16, #cluster.l2>
  // CHECK-NEXT: %[[AT:.*]] = arith.constant 268443648 : i32
  // CHECK-NEXT: %[[B:.*]] = cluster.view %[[AT]] : memref<2x8x32xbf16, #cluster.tcdm>
  // CHECK-NEXT: cluster.wait_for compute, %[[LAST]]
  // CHECK-NEXT: cluster.dma_start %[[X]][] to %[[B]][]
  cluster.stream dma_in {
    cluster.wait_for compute, %last
    %t = cluster.dma_start %x[] to %b[] sizes [8, 32] : memref<8x32xbf16, #cluster.l2> to memref<2x8x32xbf16, #cluster.tcdm>
    cluster.advance
  }
  // CHECK: func.func @k_compute()
  // CHECK: %[[WORD:.*]] = cluster.launch_word 9 : i32
  // CHECK: arith.constant 268447744 : i32
  // CHECK-NEXT: cluster.view %{{.*}} : memref<2xbf16, #cluster.tcdm>
  // CHECK: func.return
  cluster.stream compute {
    cluster.wait_for dma_in, %ready
    %s = cluster.get_global @slopes : memref<2xbf16, #cluster.tcdm>
    "test.op"(%s) : (memref<2xbf16, #cluster.tcdm>) -> ()
  }
}
// CHECK: cluster.launch @k args [@x, 0] bases [0, 0, 0, 0]
cluster.schedule {
  cluster.launch @k args [@x, 0] bases [0, 0, 0, 0]
}
