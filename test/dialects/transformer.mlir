// Operations of the fused form round-trip.
// RUN: softex-opt %s | softex-opt | filecheck %s

// CHECK: transformer.weight @w : tensor<64x96xbf16>
transformer.weight @w : tensor<64x96xbf16>

func.func @main(%x : tensor<8x64xbf16>, %ids : tensor<8xi32>, %mask : tensor<2x40xi32>, %q : tensor<80x64xbf16>, %v : tensor<64xbf16>, %image : tensor<1x3x16x16xbf16>) {
  // CHECK: %[[W:.*]] = transformer.get_weight @w : tensor<64x96xbf16>
  %w = transformer.get_weight @w : tensor<64x96xbf16>
  // CHECK-NEXT: %[[Y:.*]] = transformer.linear %x, %[[W]] : tensor<8x64xbf16>, tensor<64x96xbf16> -> tensor<8x96xbf16>
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<64x96xbf16> -> tensor<8x96xbf16>
  // CHECK-NEXT: transformer.linear %x, %[[W]] residual %[[Y]] : tensor<8x96xbf16> {activation = "gelu", layer = "mlp.fc1", unit = "redmule"} : tensor<8x64xbf16>, tensor<64x96xbf16> -> tensor<8x96xbf16>
  %z = transformer.linear %x, %w residual %y : tensor<8x96xbf16> {activation = "gelu", layer = "mlp.fc1", unit = "redmule"} : tensor<8x64xbf16>, tensor<64x96xbf16> -> tensor<8x96xbf16>
  // CHECK-NEXT: %[[B:.*]] = transformer.mask_to_bias %mask : tensor<2x40xi32> -> tensor<2x64xbf16>
  %bias = transformer.mask_to_bias %mask : tensor<2x40xi32> -> tensor<2x64xbf16>
  // CHECK-NEXT: transformer.mask_to_bias %mask {inverted} : tensor<2x40xi32> -> tensor<2x64xbf16>
  %hidden = transformer.mask_to_bias %mask {inverted} : tensor<2x40xi32> -> tensor<2x64xbf16>
  // CHECK-NEXT: transformer.position_ids %mask {padding = 1 : i64, offset = 1 : i64, fill = 1 : i64} : tensor<2x40xi32> -> tensor<2x40xi32>
  %positions = transformer.position_ids %mask {padding = 1 : i64, offset = 1 : i64, fill = 1 : i64} : tensor<2x40xi32> -> tensor<2x40xi32>
  // CHECK-NEXT: transformer.attention %q, %q, %q, %[[B]] {heads = 2 : i64, batch = 2 : i64, bias_rows = "batch"} : tensor<80x64xbf16>, tensor<80x64xbf16>, tensor<80x64xbf16>, tensor<2x64xbf16> -> tensor<80x64xbf16>
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 2 : i64, bias_rows = "batch"} : tensor<80x64xbf16>, tensor<80x64xbf16>, tensor<80x64xbf16>, tensor<2x64xbf16> -> tensor<80x64xbf16>
  // CHECK-NEXT: transformer.attention %q, %q, %q, %[[B]] {heads = 2 : i64, batch = 2 : i64, bias_rows = "batch", key_chunk = 32 : i64}
  %h = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 2 : i64, bias_rows = "batch", key_chunk = 32 : i64} : tensor<80x64xbf16>, tensor<80x64xbf16>, tensor<80x64xbf16>, tensor<2x64xbf16> -> tensor<80x64xbf16>
  // CHECK-NEXT: transformer.layer_norm %x, %v, %v {eps = 1.000000e-05 : f64}
  %n = transformer.layer_norm %x, %v, %v {eps = 1.000000e-05 : f64} : tensor<8x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  // CHECK-NEXT: transformer.rms_norm %x, %v {eps = 1.000000e-05 : f64}
  %r = transformer.rms_norm %x, %v {eps = 1.000000e-05 : f64} : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  // CHECK-NEXT: transformer.add %x, %v : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  %s = transformer.add %x, %v : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  // CHECK-NEXT: transformer.mul %q, %x : tensor<80x64xbf16>, tensor<8x64xbf16> -> tensor<80x64xbf16>
  %m = transformer.mul %q, %x : tensor<80x64xbf16>, tensor<8x64xbf16> -> tensor<80x64xbf16>
  // CHECK-NEXT: transformer.rotary %x, %x : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  %o = transformer.rotary %x, %x : tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  // CHECK-NEXT: transformer.softmax %x : tensor<8x64xbf16> -> tensor<8x64xbf16>
  %p = transformer.softmax %x : tensor<8x64xbf16> -> tensor<8x64xbf16>
  // CHECK-NEXT: transformer.embedding %ids, %x : tensor<8xi32>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  %e = transformer.embedding %ids, %x : tensor<8xi32>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  // CHECK-NEXT: transformer.windows %ids, %v : tensor<8xi32>, tensor<64xbf16> -> tensor<8x32xbf16>
  %win = transformer.windows %ids, %v : tensor<8xi32>, tensor<64xbf16> -> tensor<8x32xbf16>
  // CHECK-NEXT: transformer.attention %x, %x, %x, %x {heads = 2 : i64, batch = 1 : i64, bias_rows = "query"} : {{.*}}, tensor<8x64xbf16> -> tensor<8x64xbf16>
  %byhead = transformer.attention %x, %x, %x, %x {heads = 2 : i64, batch = 1 : i64, bias_rows = "query"} : tensor<8x64xbf16>, tensor<8x64xbf16>, tensor<8x64xbf16>, tensor<8x64xbf16> -> tensor<8x64xbf16>
  // CHECK-NEXT: transformer.patchify %image {patch = array<i64: 8, 8>} : tensor<1x3x16x16xbf16> -> tensor<4x192xbf16>
  %f = transformer.patchify %image {patch = array<i64: 8, 8>} : tensor<1x3x16x16xbf16> -> tensor<4x192xbf16>
  // CHECK-NEXT: transformer.slice %x {offsets = array<i64: 0, 32>, sizes = array<i64: 8, 32>} : tensor<8x64xbf16> -> tensor<8x32xbf16>
  %c = transformer.slice %x {offsets = array<i64: 0, 32>, sizes = array<i64: 8, 32>} : tensor<8x64xbf16> -> tensor<8x32xbf16>
  // CHECK-NEXT: transformer.concat %x, %q {axis = 0 : i64} : tensor<8x64xbf16>, tensor<80x64xbf16> -> tensor<88x64xbf16>
  %d = transformer.concat %x, %q {axis = 0 : i64} : tensor<8x64xbf16>, tensor<80x64xbf16> -> tensor<88x64xbf16>
  // CHECK-NEXT: transformer.transpose %x {permutation = array<i64: 1, 0>} : tensor<8x64xbf16> -> tensor<64x8xbf16>
  %g = transformer.transpose %x {permutation = array<i64: 1, 0>} : tensor<8x64xbf16> -> tensor<64x8xbf16>
  // CHECK-NEXT: transformer.mask_fill %x, %v {fill = -1.000000e+09 : f64} : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  %i = transformer.mask_fill %x, %v {fill = -1.000000e+09 : f64} : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  func.return
}
