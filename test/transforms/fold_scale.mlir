// Without a producer to fold it into, the scale of attention becomes a multiplication of q.
// RUN: softex-opt %s -p fold-scale | filecheck %s

// CHECK: %[[C:.*]] = transformer.splat {value = 2.500000e-01 : f64} : tensor<64xbf16>
// CHECK-NEXT: %[[Q:.*]] = transformer.mul %q, %[[C]] : tensor<40x64xbf16>, tensor<64xbf16> -> tensor<40x64xbf16>
// CHECK-NEXT: transformer.attention %[[Q]], %q, %q, %bias {heads = 2 : i64, batch = 1 : i64} :
func.func @main(%q : tensor<40x64xbf16>, %bias : tensor<1x64xbf16>) -> tensor<40x64xbf16> {
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64, scale = 0.25 : f64} : tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<1x64xbf16> -> tensor<40x64xbf16>
  func.return %a : tensor<40x64xbf16>
}
