// Operands are dense bf16 in the TCDM, and Z has whole tiles of 24 rows.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

%x, %w, %z = "test.op"() : () -> (memref<30x64xbf16, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>, memref<30x64xbf16, #cluster.tcdm>)
// expected-error@below {{RedMulE touches 48 rows of 64 elements of Z, but only 1920 elements follow the start indices}}
%t = redmule.gemm %x[], %w[], %z[] m = 30 n = 64 k = 64 : memref<30x64xbf16, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>, memref<30x64xbf16, #cluster.tcdm>

// -----

%x, %w, %z = "test.op"() : () -> (memref<24x96xbf16, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>, memref<24x64xbf16, #cluster.tcdm>)
// expected-error@below {{RedMulE has no stride registers: rows of X must be exactly 64 elements long, found 96}}
%t = redmule.gemm %x[], %w[], %z[] m = 24 n = 64 k = 64 : memref<24x96xbf16, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>, memref<24x64xbf16, #cluster.tcdm>

// -----

%x, %w, %z = "test.op"() : () -> (memref<24x64xbf16, strided<[80, 1]>, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>, memref<24x64xbf16, #cluster.tcdm>)
// expected-error@below {{RedMulE has no stride registers: X must be dense}}
%t = redmule.gemm %x[], %w[], %z[] m = 24 n = 64 k = 64 : memref<24x64xbf16, strided<[80, 1]>, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>, memref<24x64xbf16, #cluster.tcdm>

// -----

%x, %w, %z = "test.op"() : () -> (memref<24x64xbf16, #cluster.l2>, memref<64x64xbf16, #cluster.tcdm>, memref<24x64xbf16, #cluster.tcdm>)
// expected-error@below {{RedMulE reaches the TCDM only: X must be in #cluster.tcdm}}
%t = redmule.gemm %x[], %w[], %z[] m = 24 n = 64 k = 64 : memref<24x64xbf16, #cluster.l2>, memref<64x64xbf16, #cluster.tcdm>, memref<24x64xbf16, #cluster.tcdm>

// -----

%x, %w, %z = "test.op"() : () -> (memref<24x64xbf16, #cluster.tcdm>, memref<64x64xf16, #cluster.tcdm>, memref<24x64xbf16, #cluster.tcdm>)
// expected-error@below {{RedMulE computes in bf16: W is memref<64x64xf16, #cluster.tcdm>}}
%t = redmule.gemm %x[], %w[], %z[] m = 24 n = 64 k = 64 : memref<24x64xbf16, #cluster.tcdm>, memref<64x64xf16, #cluster.tcdm>, memref<24x64xbf16, #cluster.tcdm>

// -----

cluster.kernel @k(%a : index, %b : index, %c : index, %d : index) {
  %x = cluster.buffer "x" at 8192 : memref<64x64xbf16, #cluster.tcdm>
  cluster.stream compute {
    // expected-error@below {{RedMulE jobs belong to the redmule stream}}
    %t = redmule.gemm %x[], %x[], %x[] m = 24 n = 64 k = 64 : memref<64x64xbf16, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>, memref<64x64xbf16, #cluster.tcdm>
  }
}
