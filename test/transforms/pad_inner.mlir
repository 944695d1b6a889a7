// RUN: softex-opt -p 'pad-inner{machine=paper}' %s | filecheck %s --check-prefix=PAPER
// RUN: softex-opt -p 'pad-inner{machine="%S/Inputs/twelve.toml"},split-sums{chunk=200}' %s | filecheck %s

// An array of twelve columns takes an inner dimension in steps of 96: whole lines of 32, whole steps.

// PAPER-NOT: inner_unit
// CHECK-LABEL: @main
func.func @main(%x: tensor<4x300xbf16>, %w: tensor<300x64xbf16>, %b: tensor<1x32xbf16>) -> tensor<4x64xbf16> {
  // CHECK: transformer.linear {{.*}} {inner_unit = 96 : i64, sum_chunk = 192 : i64}
  %0 = transformer.linear %x, %w : tensor<4x300xbf16>, tensor<300x64xbf16> -> tensor<4x64xbf16>
  // CHECK: transformer.attention {{.*}}, inner_unit = 96 : i64}
  %1 = transformer.attention %0, %0, %0, %b {heads = 2 : i64, batch = 1 : i64} : tensor<4x64xbf16>, tensor<4x64xbf16>, tensor<4x64xbf16>, tensor<1x32xbf16> -> tensor<4x64xbf16>
  return %1 : tensor<4x64xbf16>
}
