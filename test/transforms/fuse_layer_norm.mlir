// Layer norm from means, with gamma and beta.
// RUN: softex-opt %s -p fuse-layer-norm,dce | filecheck %s

transformer.weight @g : tensor<64xbf16>
transformer.weight @b : tensor<64xbf16>

// CHECK: func.func @main(%x: tensor<2x8x64xbf16>)
// CHECK-NEXT: %[[G:.*]] = transformer.get_weight @g
// CHECK-NEXT: %[[B:.*]] = transformer.get_weight @b
// CHECK-NEXT: transformer.layer_norm %x, %[[G]], %[[B]] {eps = 1.000000e-05 : f64}
// CHECK-NEXT: func.return
func.func @main(%x : tensor<2x8x64xbf16>) -> tensor<2x8x64xbf16> {
  %g = transformer.get_weight @g : tensor<64xbf16>
  %b = transformer.get_weight @b : tensor<64xbf16>
  %two = transformer.splat {value = 2.0 : f64} : tensor<bf16>
  %eps = transformer.splat {value = 1.0e-05 : f64} : tensor<bf16>
  %mean = transformer.reduce_mean %x {axes = array<i64: 2>, keep} : tensor<2x8x64xbf16> -> tensor<2x8x1xbf16>
  %d = transformer.sub %x, %mean : tensor<2x8x64xbf16>, tensor<2x8x1xbf16> -> tensor<2x8x64xbf16>
  %p = transformer.pow %d, %two : tensor<2x8x64xbf16>, tensor<bf16> -> tensor<2x8x64xbf16>
  %v = transformer.reduce_mean %p {axes = array<i64: 2>, keep} : tensor<2x8x64xbf16> -> tensor<2x8x1xbf16>
  %e = transformer.add %v, %eps : tensor<2x8x1xbf16>, tensor<bf16> -> tensor<2x8x1xbf16>
  %s = transformer.sqrt %e : tensor<2x8x1xbf16> -> tensor<2x8x1xbf16>
  %n = transformer.div %d, %s : tensor<2x8x64xbf16>, tensor<2x8x1xbf16> -> tensor<2x8x64xbf16>
  %m = transformer.mul %n, %g : tensor<2x8x64xbf16>, tensor<64xbf16> -> tensor<2x8x64xbf16>
  %y = transformer.add %m, %b : tensor<2x8x64xbf16>, tensor<64xbf16> -> tensor<2x8x64xbf16>
  func.return %y : tensor<2x8x64xbf16>
}
