// What has no kernel of its own becomes loop nests; rows repeated in order stay as they are.
// RUN: softex-opt %s -p convert-transformer-to-linalg | filecheck %s

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<2x5x8xbf16>, %rows: tensor<2x1x8xbf16>, %row: tensor<8xbf16>) -> (tensor<2x5x8xbf16>, tensor<2x8xbf16>) {
  // The rows of a batch element repeat: no order of rows says that.
  // CHECK: linalg.generic
  // CHECK-SAME: affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, 0, d2)>
  // CHECK: arith.mulf
  %scaled = transformer.mul %x, %rows : tensor<2x5x8xbf16>, tensor<2x1x8xbf16> -> tensor<2x5x8xbf16>
  // CHECK: transformer.add
  %shifted = transformer.add %scaled, %row : tensor<2x5x8xbf16>, tensor<8xbf16> -> tensor<2x5x8xbf16>
  // CHECK: linalg.generic
  // CHECK: math.sqrt
  %root = transformer.sqrt %shifted : tensor<2x5x8xbf16> -> tensor<2x5x8xbf16>
  // A function of several steps is one nest, rounded once.
  // CHECK: linalg.generic
  // CHECK: math.exp
  // CHECK: math.log1p
  // CHECK: arith.truncf
  %soft = transformer.softplus %root : tensor<2x5x8xbf16> -> tensor<2x5x8xbf16>
  // A mean is a sum in f32, rounded once.
  // CHECK: arith.constant 0.000000e+00 : f32
  // CHECK: tensor.splat
  // CHECK: linalg.generic
  // CHECK-SAME: iterator_types = ["parallel", "reduction", "parallel"]
  // CHECK: arith.addf
  // CHECK: arith.constant 2.000000e-01 : f32
  // CHECK: arith.truncf
  %mean = transformer.reduce_mean %soft {axes = array<i64: 1>} : tensor<2x5x8xbf16> -> tensor<2x8xbf16>
  // A mask that reaches no softmax: the fill stays finite in bf16.
  // CHECK: linalg.generic
  // CHECK: arith.constant -3.38953139e+38 : f32
  // CHECK: arith.select
  %masked = transformer.mask_fill %root, %row {fill = -3.4028235e+38 : f64} : tensor<2x5x8xbf16>, tensor<8xbf16> -> tensor<2x5x8xbf16>
  func.return %masked, %mean : tensor<2x5x8xbf16>, tensor<2x8xbf16>
}

// Long sums over tokens are float32: of a few rows wherever the model has so many tokens, of more
// rows where they are short.
// CHECK-LABEL: func.func @pool
func.func @pool(%weights: tensor<1x4x4096xbf16>, %few: tensor<1x2048x64xbf16>, %x: tensor<1x4096x512xbf16>, %y: tensor<1x64x2048xbf16>) -> (tensor<1x4x512xbf16>, tensor<1x64x64xbf16>) {
  // CHECK: linalg.generic
  // CHECK: arith.mulf
  %pooled = transformer.matmul %weights, %x : tensor<1x4x4096xbf16>, tensor<1x4096x512xbf16> -> tensor<1x4x512xbf16>
  // CHECK: transformer.matmul
  %mixed = transformer.matmul %y, %few : tensor<1x64x2048xbf16>, tensor<1x2048x64xbf16> -> tensor<1x64x64xbf16>
  func.return %pooled, %mixed : tensor<1x4x512xbf16>, tensor<1x64x64xbf16>
}
