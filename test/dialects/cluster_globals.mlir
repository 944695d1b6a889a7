// Globals of every kind and constants with their bits round-trip.
// RUN: softex-opt %s | softex-opt | filecheck %s

// CHECK: cluster.global input @x : memref<8x32xbf16, #cluster.l2>
cluster.global input @x : memref<8x32xbf16, #cluster.l2>
// CHECK-NEXT: cluster.global weight @w : memref<32x32xbf16, #cluster.l2>
cluster.global weight @w : memref<32x32xbf16, #cluster.l2>
// CHECK-NEXT: cluster.global table @ids : memref<8xi32, #cluster.l2>
cluster.global table @ids : memref<8xi32, #cluster.l2>
// CHECK-NEXT: cluster.global constant @slopes at 8192 bits [-16614, 16256] : memref<2xbf16, #cluster.tcdm>
cluster.global constant @slopes at 8192 bits [-16614, 16256] : memref<2xbf16, #cluster.tcdm>
