// Transfers: the token follows from where the target lies, and may be carried by loops.
// RUN: softex-opt %s | softex-opt | filecheck %s

%i, %x, %b = "test.op"() : () -> (index, memref<64x96xbf16, strided<[128, 1]>, #cluster.l2>, memref<2x32x96xbf16, #cluster.tcdm>)
%row = "test.op"() : () -> memref<32x96xbf16, strided<[0, 1]>, #cluster.l2>
// CHECK: %in = cluster.dma_start %x[%i] to %b[%i, %i] sizes [16, 96] : memref<64x96xbf16, strided<[128, 1]>, #cluster.l2> to memref<2x32x96xbf16, #cluster.tcdm>
%in = cluster.dma_start %x[%i] to %b[%i, %i] sizes [16, 96] : memref<64x96xbf16, strided<[128, 1]>, #cluster.l2> to memref<2x32x96xbf16, #cluster.tcdm>
// CHECK-NEXT: cluster.await %in : !cluster.token<dma_in>
cluster.await %in : !cluster.token<dma_in>
// CHECK-NEXT: %out = cluster.dma_start %b[%i] to %x[] sizes [32, 96]
%out = cluster.dma_start %b[%i] to %x[] sizes [32, 96] : memref<2x32x96xbf16, #cluster.tcdm> to memref<64x96xbf16, strided<[128, 1]>, #cluster.l2>
// CHECK-NEXT: cluster.await %out : !cluster.token<dma_out>
cluster.await %out : !cluster.token<dma_out>
// a row repeated 32 times
// CHECK-NEXT: cluster.dma_start %row[] to %b[] sizes [32, 96] : memref<32x96xbf16, strided<[0, 1]>, #cluster.l2>
%again = cluster.dma_start %row[] to %b[] sizes [32, 96] : memref<32x96xbf16, strided<[0, 1]>, #cluster.l2> to memref<2x32x96xbf16, #cluster.tcdm>
// CHECK: scf.for %{{.*}} iter_args(%t = %again) -> (!cluster.token<dma_in>)
%last = scf.for %j = %i to %i step %i iter_args(%t = %again) -> (!cluster.token<dma_in>) {
  cluster.await %t : !cluster.token<dma_in>
  %next = cluster.dma_start %x[%i] to %b[%i] sizes [96] : memref<64x96xbf16, strided<[128, 1]>, #cluster.l2> to memref<2x32x96xbf16, #cluster.tcdm>
  scf.yield %next : !cluster.token<dma_in>
}
