// RUN: softex-opt %s | softex-opt | filecheck %s
// RUN: softex-opt %s --print-op-generic | softex-opt | filecheck %s

// CHECK: transformer.state @kept : tensor<32x64xbf16>
transformer.state @kept : tensor<32x64xbf16>
func.func @encode(%x : tensor<32x64xbf16>) -> tensor<32x64xbf16> {
  // CHECK: transformer.keep %x in @kept : tensor<32x64xbf16> -> tensor<32x64xbf16>
  %k = transformer.keep %x in @kept : tensor<32x64xbf16> -> tensor<32x64xbf16>
  func.return %k : tensor<32x64xbf16>
}
func.func @decode(%x : tensor<32x64xbf16>) -> tensor<32x64xbf16> {
  // CHECK: transformer.recall @kept : tensor<32x64xbf16>
  %k = transformer.recall @kept : tensor<32x64xbf16>
  %y = transformer.add %x, %k : tensor<32x64xbf16>, tensor<32x64xbf16> -> tensor<32x64xbf16>
  func.return %y : tensor<32x64xbf16>
}
