// A kernel with buffers and streams, and the schedule that launches it, round-trip.
// RUN: softex-opt %s | softex-opt | filecheck %s
// RUN: softex-opt %s --print-op-generic | softex-opt | filecheck %s

// CHECK: cluster.kernel @copy(%{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %x: memref<8xbf16, #cluster.l2>, %ready: index) attributes {note = "n"} {
// CHECK-NEXT: %{{.*}} = cluster.buffer "a" : memref<8xbf16, #cluster.tcdm>
// CHECK-NEXT: %{{.*}} = cluster.buffer "b" at 8192 : memref<2x8xbf16, #cluster.tcdm>
// CHECK-NEXT: cluster.stream dma_in {
// CHECK-NEXT:   cluster.wait_for dma_out, %ready
// CHECK-NEXT:   cluster.advance by 3
// CHECK-NEXT:   cluster.advance by_computed %ready
// CHECK-NEXT: }
// CHECK-NEXT: cluster.stream compute {
// CHECK-NEXT: }
cluster.kernel @copy(%in : index, %out : index, %red : index, %com : index,
    %x : memref<8xbf16, #cluster.l2>, %ready : index) attributes {note = "n"} {
  %a = cluster.buffer "a" : memref<8xbf16, #cluster.tcdm>
  %b = cluster.buffer "b" at 8192 : memref<2x8xbf16, #cluster.tcdm>
  cluster.stream dma_in {
    cluster.wait_for dma_out, %ready
    cluster.advance by 3
    cluster.advance by_computed %ready
  }
  cluster.stream compute {}
}
// CHECK: cluster.schedule {
// CHECK-NEXT: cluster.launch @copy args [@x + 64, 3] bases [0, 1, 2, 3] {layer = "block.0"}
// CHECK-NEXT: cluster.launch @copy args [@x, -1] bases [4, 5, 6, 7]
cluster.schedule {
  cluster.launch @copy args [@x + 64, 3] bases [0, 1, 2, 3] {layer = "block.0"}
  cluster.launch @copy args [@x, -1] bases [4, 5, 6, 7]
}
