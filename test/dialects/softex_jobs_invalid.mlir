// Lengths, slots, terms and operands that SoftEx mishandles.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

%x = "test.op"() : () -> memref<64xbf16, #cluster.tcdm>
// expected-error@below {{a job of exactly 16 elements (one beat) is dropped and stores nothing}}
%t = softex.softmax %x[], %x[] length = 16 : memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>

// -----

%x = "test.op"() : () -> memref<64xbf16, #cluster.tcdm>
// expected-error@below {{memory after the row enters maximum and denominator when its length is no multiple of 16, found 40}}
%t = softex.softmax %x[], %x[] length = 40 : memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>

// -----

%x = "test.op"() : () -> memref<64xbf16, #cluster.tcdm>
// expected-error@below {{SoftEx job of 96 elements exceeds x, which holds 64 in a row}}
%t = softex.softmax %x[], %x[] length = 96 : memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>

// -----

%x = "test.op"() : () -> memref<4x64xbf16, strided<[80, 1]>, #cluster.tcdm>
// expected-error@below {{SoftEx job of 96 elements exceeds x, which holds 64 in a row}}
%t = softex.softmax %x[], %x[] length = 96 : memref<4x64xbf16, strided<[80, 1]>, #cluster.tcdm>, memref<4x64xbf16, strided<[80, 1]>, #cluster.tcdm>

// -----

%x = "test.op"() : () -> memref<64xf32, #cluster.tcdm>
// expected-error@below {{SoftEx streams bf16: x is memref<64xf32, #cluster.tcdm>}}
%t = softex.softmax %x[], %x[] length = 64 : memref<64xf32, #cluster.tcdm>, memref<64xf32, #cluster.tcdm>

// -----

%x = "test.op"() : () -> memref<64xbf16, #cluster.l2>
// expected-error@below {{SoftEx reaches the TCDM only}}
%t = softex.softmax %x[], %x[] length = 64 : memref<64xbf16, #cluster.l2>, memref<64xbf16, #cluster.l2>

// -----

%x = "test.op"() : () -> memref<64xbf16, #cluster.tcdm>
// expected-error@below {{softex: 33 terms deadlock with 16 lanes; use at most 32 [softex.terms]}}
%t = softex.sum_of_exponentials %x[], %x[], %x[], %x[] length = 64 terms = 33 : memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>, memref<64xbf16, #cluster.tcdm>

// -----

%x = "test.op"() : () -> memref<64xbf16, #cluster.tcdm>
%slot = arith.constant 0 : index
%two = arith.constant 2 : index
// expected-error@below {{SoftEx state slots are 1..255, found 0}}
%t = softex.accumulate %x[] length = 64 slot = %slot chunk = %slot of %two : memref<64xbf16, #cluster.tcdm>

// -----

%x = "test.op"() : () -> memref<64xbf16, #cluster.tcdm>
// expected-error@below {{SoftEx spills two 32-bit words a slot: spill is memref<64xbf16, #cluster.tcdm>}}
softex.open_slots %x : memref<64xbf16, #cluster.tcdm>

// -----

cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  cluster.stream dma_in {
    // expected-error@below {{SoftEx jobs belong to the compute stream}}
    softex.drain
  }
}
