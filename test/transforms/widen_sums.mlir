// Products sum in f32, on the cores, and norms round once; sums that are too long for the TCDM become
// partial sums, and splitting sums takes it all back.
// RUN: softex-opt %s -p widen-sums | filecheck %s --check-prefix=WIDE
// RUN: softex-opt %s -p widen-sums,split-sums | filecheck %s --check-prefix=BACK
// RUN: softex-opt %s -p widen-sums,place | filecheck %s --check-prefix=PLACE
// RUN: softex-opt %s -p widen-sums,convert-transformer-to-jobs | filecheck %s --check-prefix=JOBS

// WIDE: builtin.module attributes {transformer.cores}
// WIDE: transformer.linear {{.*}}sum_chunk = 1024 : i64{{.*}}wide
// WIDE: transformer.attention {{.*}}wide
// WIDE: transformer.matmul {{.*}}wide
// WIDE: transformer.layer_norm {{.*}}wide
// WIDE: transformer.rms_norm {{.*}}wide
// WIDE-NOT: value_chunk
// BACK-NOT: transformer.cores
// BACK: transformer.linear {{.*}}sum_chunk = 128 : i64
// BACK-NOT: wide
// PLACE: transformer.linear {{.*}}unit = "cores"
// PLACE: transformer.attention {{.*}}unit = "cores"
// JOBS: cluster.kernel
// JOBS-NOT: redmule.gemm
// JOBS-NOT: softex.
func.func @main(%x : tensor<100x2048xbf16>, %w : tensor<2048x64xbf16>, %bias : tensor<1x128xbf16>, %row : tensor<100xbf16>) -> tensor<100x100xbf16> {
  %q = transformer.linear %x, %w {sum_chunk = 256 : i64} : tensor<100x2048xbf16>, tensor<2048x64xbf16> -> tensor<100x64xbf16>
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64, value_chunk = 64 : i64} : tensor<100x64xbf16>, tensor<100x64xbf16>, tensor<100x64xbf16>, tensor<1x128xbf16> -> tensor<100x64xbf16>
  %t = transformer.transpose %a {permutation = array<i64: 1, 0>} : tensor<100x64xbf16> -> tensor<64x100xbf16>
  %m = transformer.matmul %a, %t : tensor<100x64xbf16>, tensor<64x100xbf16> -> tensor<100x100xbf16>
  %n = transformer.layer_norm %m, %row, %row {eps = 1.0e-5 : f64} : tensor<100x100xbf16>, tensor<100xbf16>, tensor<100xbf16> -> tensor<100x100xbf16>
  %r = transformer.rms_norm %n, %row {eps = 1.0e-5 : f64} : tensor<100x100xbf16>, tensor<100xbf16> -> tensor<100x100xbf16>
  func.return %r : tensor<100x100xbf16>
}
