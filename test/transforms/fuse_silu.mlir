// x * sigmoid(x) is SiLU.
// RUN: softex-opt %s -p fuse-gelu,dce | filecheck %s

// CHECK: transformer.silu %x
// CHECK-NOT: transformer.sigmoid
func.func @main(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %s = transformer.sigmoid %x : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %y = transformer.mul %x, %s : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  func.return %y : tensor<8x64xbf16>
}
