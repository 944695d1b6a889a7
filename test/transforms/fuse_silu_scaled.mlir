// x * sigmoid(1.702 x), a cheap GELU, is SiLU with factors that weights can take.
// RUN: softex-opt %s -p fuse-gelu,dce | filecheck %s

// CHECK: %[[S:.*]] = transformer.mul %x
// CHECK-NEXT: %[[Y:.*]] = transformer.silu %[[S]]
// CHECK: transformer.mul %[[Y]]
// CHECK-NOT: transformer.sigmoid
func.func @main(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %c = transformer.splat {value = 1.702 : f64} : tensor<bf16>
  %m = transformer.mul %x, %c : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %s = transformer.sigmoid %m : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %y = transformer.mul %x, %s : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  func.return %y : tensor<8x64xbf16>
}
