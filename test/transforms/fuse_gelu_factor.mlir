// A simplifier may move GELU's 0.5 elsewhere: what is left is a multiple of GELU.
// RUN: softex-opt %s -p fuse-gelu,dce | filecheck %s

// CHECK: %[[G:.*]] = transformer.gelu %x
// CHECK: %[[C:.*]] = transformer.splat {value = 2.000000e+00 : f64}
// CHECK: transformer.mul %[[G]], %[[C]]
// CHECK-NOT: transformer.erf
func.func @main(%x : tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  %root = transformer.splat {value = 0.70710678 : f64} : tensor<bf16>
  %one = transformer.splat {value = 1.0 : f64} : tensor<bf16>
  %s = transformer.mul %x, %root : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %e = transformer.erf %s : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %p = transformer.add %e, %one : tensor<8x64xbf16>, tensor<bf16> -> tensor<8x64xbf16>
  %y = transformer.mul %x, %p : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  func.return %y : tensor<8x64xbf16>
}
