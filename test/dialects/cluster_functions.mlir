// What kernels become: entry points, words of the launch record, memory at an address.
// RUN: softex-opt %s | softex-opt | filecheck %s

// CHECK: cluster.entries @k functions {dma_in = @k_dma_in} buffers {x = [8192 : i32, 64 : i32]} arguments [index]
cluster.entries @k functions {dma_in = @k_dma_in} buffers {x = [8192 : i32, 64 : i32]} arguments [index]
// CHECK: func.func @k_dma_in() attributes {cluster.stream = #cluster<stream dma_in>}
func.func @k_dma_in() attributes {cluster.stream = #cluster<stream dma_in>} {
  // CHECK-NEXT: %a = cluster.launch_word 8 : i32
  %a = cluster.launch_word 8 : i32
  // CHECK-NEXT: %m = cluster.view %a : memref<4x8xbf16, #cluster.l2>
  %m = cluster.view %a : memref<4x8xbf16, #cluster.l2>
  // CHECK-NEXT: %c = cluster.core_id : i32
  %c = cluster.core_id : i32
  func.return
}
