// A GEMM job round-trips; operands are slots of ring buffers, dense or with gaps between slots.
// RUN: softex-opt %s | softex-opt | filecheck %s
// RUN: softex-opt %s --print-op-generic | softex-opt | filecheck %s

%i = "test.op"() : () -> index
%x, %w, %z = "test.op"() : () -> (memref<2x30x64xbf16, strided<[2048, 64, 1]>, #cluster.tcdm>, memref<4096xbf16, #cluster.tcdm>, memref<2x48x64xbf16, #cluster.tcdm>)
// CHECK: %t = redmule.gemm %x[%i], %w[], %z[%i] m = 30 n = 64 k = 64 : memref<2x30x64xbf16, strided<[2048, 64, 1]>, #cluster.tcdm>, memref<4096xbf16, #cluster.tcdm>, memref<2x48x64xbf16, #cluster.tcdm>
%t = redmule.gemm %x[%i], %w[], %z[%i] m = 30 n = 64 k = 64 : memref<2x30x64xbf16, strided<[2048, 64, 1]>, #cluster.tcdm>, memref<4096xbf16, #cluster.tcdm>, memref<2x48x64xbf16, #cluster.tcdm>
// CHECK-NEXT: cluster.await %t : !cluster.token<redmule>
cluster.await %t : !cluster.token<redmule>
// CHECK-NEXT: redmule.gemm %x[%i], %w[], %z[%i] m = 30 n = 64 k = 64 counts_meanwhile : memref
%u = redmule.gemm %x[%i], %w[], %z[%i] m = 30 n = 64 k = 64 counts_meanwhile : memref<2x30x64xbf16, strided<[2048, 64, 1]>, #cluster.tcdm>, memref<4096xbf16, #cluster.tcdm>, memref<2x48x64xbf16, #cluster.tcdm>
