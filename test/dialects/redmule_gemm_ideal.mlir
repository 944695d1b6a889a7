// The ideal machine computes short inner sizes and masks rows past the last one.
// RUN: softex-opt %s | filecheck %s

builtin.module attributes {cluster.machine = "ideal"} {
  %b, %z = "test.op"() : () -> (memref<512xbf16, #cluster.tcdm>, memref<5x32xbf16, #cluster.tcdm>)
  // CHECK: redmule.gemm {{.*}} m = 5 n = 9 k = 32
  %t = redmule.gemm %b[], %b[], %z[] m = 5 n = 9 k = 32 : memref<512xbf16, #cluster.tcdm>, memref<512xbf16, #cluster.tcdm>, memref<5x32xbf16, #cluster.tcdm>
}
