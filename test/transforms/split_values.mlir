// Attention sums values over a few keys at a time where whole rows of scores fit; not to caches, and
// not with chunk=0.
// RUN: softex-opt %s -p split-values | filecheck %s --check-prefix=SPLIT
// RUN: softex-opt %s -p 'split-values{chunk=32}' | filecheck %s --check-prefix=SHORT
// RUN: softex-opt %s -p 'split-values,split-values{chunk=0}' | filecheck %s --check-prefix=WHOLE
// RUN: softex-opt %s -p split-values,convert-transformer-to-jobs | filecheck %s --check-prefix=JOBS

// SPLIT: transformer.attention {{.*}}value_chunk = 64 : i64
// SHORT: transformer.attention {{.*}}value_chunk = 32 : i64
// WHOLE-NOT: value_chunk
// JOBS: cluster.kernel @attention_100x100_2x32_summed_by_64
func.func @main(%q : tensor<100x64xbf16>, %bias : tensor<1x128xbf16>) -> tensor<100x64xbf16> {
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64} : tensor<100x64xbf16>, tensor<100x64xbf16>, tensor<100x64xbf16>, tensor<1x128xbf16> -> tensor<100x64xbf16>
  func.return %a : tensor<100x64xbf16>
}
