// What the DMA cannot do.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

%x = "test.op"() : () -> memref<8xbf16, #cluster.l2>
// expected-error@below {{no channel from L2 to L2}}
%t = cluster.dma_start %x[] to %x[] sizes [8] : memref<8xbf16, #cluster.l2> to memref<8xbf16, #cluster.l2>

// -----

%x, %b = "test.op"() : () -> (memref<2x2x2x2xbf16, #cluster.l2>, memref<2x2x2x2xbf16, #cluster.tcdm>)
// expected-error@below {{boxes of 1 to 3 dimensions of positive size, found [2, 2, 2, 2]}}
%t = cluster.dma_start %x[] to %b[] sizes [2, 2, 2, 2] : memref<2x2x2x2xbf16, #cluster.l2> to memref<2x2x2x2xbf16, #cluster.tcdm>

// -----

%x, %b = "test.op"() : () -> (memref<8xbf16, #cluster.l2>, memref<8xf32, #cluster.tcdm>)
// expected-error@below {{the DMA moves bytes: element types differ}}
%t = cluster.dma_start %x[] to %b[] sizes [8] : memref<8xbf16, #cluster.l2> to memref<8xf32, #cluster.tcdm>

// -----

%x, %b = "test.op"() : () -> (memref<8xbf16>, memref<8xbf16, #cluster.tcdm>)
// expected-error@below {{the source must be in #cluster.l2 or #cluster.tcdm, found memref<8xbf16>}}
%t = cluster.dma_start %x[] to %b[] sizes [8] : memref<8xbf16> to memref<8xbf16, #cluster.tcdm>

// -----

%i, %x, %b = "test.op"() : () -> (index, memref<8xbf16, #cluster.l2>, memref<8xbf16, #cluster.tcdm>)
// expected-error@below {{the source has 2 start indices but its type memref<8xbf16, #cluster.l2> only 1 dimensions}}
%t = cluster.dma_start %x[%i, %i] to %b[] sizes [8] : memref<8xbf16, #cluster.l2> to memref<8xbf16, #cluster.tcdm>

// -----

%x, %b = "test.op"() : () -> (memref<8xbf16, #cluster.l2>, memref<4xbf16, #cluster.tcdm>)
// expected-error@below {{a box of [8] exceeds the target's type memref<4xbf16, #cluster.tcdm>}}
%t = cluster.dma_start %x[] to %b[] sizes [8] : memref<8xbf16, #cluster.l2> to memref<4xbf16, #cluster.tcdm>

// -----

%x, %b = "test.op"() : () -> (memref<8x8xbf16, strided<[1, 8]>, #cluster.l2>, memref<8x8xbf16, #cluster.tcdm>)
// expected-error@below {{innermost elements must be contiguous in the source}}
%t = cluster.dma_start %x[] to %b[] sizes [8, 8] : memref<8x8xbf16, strided<[1, 8]>, #cluster.l2> to memref<8x8xbf16, #cluster.tcdm>
