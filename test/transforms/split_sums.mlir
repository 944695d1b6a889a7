// Long sums of linear layers are split evenly; short ones stay whole, and so do all with chunk=0.
// RUN: softex-opt %s -p split-sums | filecheck %s --check-prefix=SPLIT
// RUN: softex-opt %s -p 'split-sums{chunk=96}' | filecheck %s --check-prefix=SHORT
// RUN: softex-opt %s -p 'split-sums,split-sums{chunk=0}' | filecheck %s --check-prefix=WHOLE
// RUN: softex-opt %s -p split-sums,convert-transformer-to-jobs | filecheck %s --check-prefix=JOBS

// SPLIT: transformer.linear {{.*}}sum_chunk = 160 : i64{{.*}} tensor<8x320xbf16>
// SPLIT-NOT: sum_chunk
// SHORT: transformer.linear {{.*}}sum_chunk = 64 : i64
// WHOLE-NOT: sum_chunk
// JOBS: cluster.kernel @linear_8x320x64_relu_by160
func.func @main(%x : tensor<8x320xbf16>, %w : tensor<320x64xbf16>, %v : tensor<64x96xbf16>) -> tensor<8x96xbf16> {
  %y = transformer.linear %x, %w {activation = "relu"} : tensor<8x320xbf16>, tensor<320x64xbf16> -> tensor<8x64xbf16>
  %z = transformer.linear %y, %v : tensor<8x64xbf16>, tensor<64x96xbf16> -> tensor<8x96xbf16>
  func.return %z : tensor<8x96xbf16>
}
