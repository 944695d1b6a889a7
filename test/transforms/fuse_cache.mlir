// Attention to all places of a cache looks at those up to the position. Read with as many tokens before as fit, a single query sees
// every key; whatever else reads a cache would see places that hold no token yet.
// RUN: softex-opt %s -p fuse-cache | filecheck %s

// CHECK: %[[KEYS:.*]] = transformer.get_weight @attention_bias.keys : tensor<1x128xi32>
// CHECK: %[[BIAS:.*]] = linalg.generic
// CHECK: arith.cmpi sle
// CHECK: transformer.attention %q, %k, %v, %[[BIAS]] position %position : tensor<2xi32> {heads = 4 : i64, key_heads = 2 : i64, batch = 2 : i64, bias_rows = "batch_query", scale = 2.500000e-01 : f64}
transformer.state @key : tensor<256x32xbf16>
transformer.state @value : tensor<256x32xbf16>
func.func @main(%q : tensor<2x64xbf16>, %new : tensor<2x32xbf16>, %position : tensor<2xi32>) -> tensor<2x64xbf16> {
  %k = transformer.append %new, %position to @key : tensor<2x32xbf16>, tensor<2xi32> -> tensor<256x32xbf16>
  %v = transformer.append %new, %position to @value : tensor<2x32xbf16>, tensor<2xi32> -> tensor<256x32xbf16>
  %bias = transformer.splat {value = 0.0 : f64} : tensor<1x128xbf16>
  %a = transformer.attention %q, %k, %v, %bias {heads = 4 : i64, key_heads = 2 : i64, batch = 2 : i64, scale = 0.25 : f64} : tensor<2x64xbf16>, tensor<256x32xbf16>, tensor<256x32xbf16>, tensor<1x128xbf16> -> tensor<2x64xbf16>
  func.return %a : tensor<2x64xbf16>
}
