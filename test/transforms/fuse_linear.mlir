// A product with a parameter on flattened rows, its bias, activation and residual: one linear.
// RUN: softex-opt %s -p flatten-rows,canonicalize-transformer,fuse-linear,fuse-epilogue,canonicalize-transformer | filecheck %s

transformer.weight @w : tensor<64x64xbf16>
transformer.weight @b : tensor<64xbf16>

// CHECK: %[[X:.*]] = transformer.reshape %x : tensor<2x8x64xbf16> -> tensor<16x64xbf16>
// CHECK: %[[Y:.*]] = transformer.linear %[[X]], %{{.*}} bias %{{.*}} : tensor<64xbf16> residual %[[X]] : tensor<16x64xbf16> {activation = "relu"}
// CHECK-NEXT: transformer.reshape %[[Y]] : tensor<16x64xbf16> -> tensor<2x8x64xbf16>
// CHECK-NEXT: func.return
func.func @main(%x : tensor<2x8x64xbf16>) -> tensor<2x8x64xbf16> {
  %w = transformer.get_weight @w : tensor<64x64xbf16>
  %b = transformer.get_weight @b : tensor<64xbf16>
  %p = transformer.matmul %x, %w : tensor<2x8x64xbf16>, tensor<64x64xbf16> -> tensor<2x8x64xbf16>
  %y = transformer.add %b, %p : tensor<64xbf16>, tensor<2x8x64xbf16> -> tensor<2x8x64xbf16>
  %a = transformer.relu %y : tensor<2x8x64xbf16> -> tensor<2x8x64xbf16>
  %r = transformer.add %a, %x : tensor<2x8x64xbf16>, tensor<2x8x64xbf16> -> tensor<2x8x64xbf16>
  func.return %r : tensor<2x8x64xbf16>
}
