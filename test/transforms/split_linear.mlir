// A linear layer whose columns are read in parts becomes a layer a part, where that lets an epilogue
// take an activation or a product, or the cores work on one part beside the product of the next.
// RUN: softex-opt %s -p split-linear,fuse-epilogue,dce | filecheck %s
// RUN: softex-opt %s -p split-linear,fuse-epilogue,split-linear,dce | filecheck %s

// CHECK: func.func @geglu
// CHECK: %[[W:.*]] = transformer.slice %w {offsets = array<i64: 0, 0>, sizes = array<i64: 64, 128>}
// CHECK: %[[B:.*]] = transformer.slice %b {offsets = array<i64: 0>, sizes = array<i64: 128>}
// CHECK: %[[V:.*]] = transformer.slice %w {offsets = array<i64: 0, 128>, sizes = array<i64: 64, 144>}
// CHECK: %[[UP:.*]] = transformer.linear %x, %[[V]] bias
// CHECK: %[[PART:.*]] = transformer.slice %[[UP]] {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 128>}
// CHECK: %[[GATE:.*]] = transformer.linear %x, %[[W]] bias %[[B]] : tensor<128xbf16> {activation = "gelu", layer = "Wi"}
// CHECK: transformer.mul %[[GATE]], %[[PART]]
func.func @geglu(%x : tensor<8x64xbf16>, %w : tensor<64x272xbf16>, %b : tensor<272xbf16>) -> (tensor<8x128xbf16>, tensor<8x96xbf16>) {
  %y = transformer.linear %x, %w bias %b : tensor<272xbf16> {layer = "Wi"} : tensor<8x64xbf16>, tensor<64x272xbf16> -> tensor<8x272xbf16>
  %g = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 128>} : tensor<8x272xbf16> -> tensor<8x128xbf16>
  %u = transformer.slice %y {offsets = array<i64: 0, 128>, sizes = array<i64: 8, 128>} : tensor<8x272xbf16> -> tensor<8x128xbf16>
  %overlapping = transformer.slice %y {offsets = array<i64: 0, 176>, sizes = array<i64: 8, 96>} : tensor<8x272xbf16> -> tensor<8x96xbf16>
  %a = transformer.gelu %g : tensor<8x128xbf16> -> tensor<8x128xbf16>
  %m = transformer.mul %a, %u : tensor<8x128xbf16>, tensor<8x128xbf16> -> tensor<8x128xbf16>
  func.return %m, %overlapping : tensor<8x128xbf16>, tensor<8x96xbf16>
}

// Neighbours that nobody works on stay together.
// CHECK: func.func @rotated
// CHECK: %[[Q:.*]] = transformer.linear {{.*}} -> tensor<8x128xbf16>
// CHECK: %[[KV:.*]] = transformer.linear {{.*}} -> tensor<8x256xbf16>
// CHECK: transformer.slice %[[KV]] {offsets = array<i64: 0, 0>
// CHECK: transformer.slice %[[KV]] {offsets = array<i64: 0, 128>
// CHECK: transformer.mul
func.func @rotated(%x : tensor<8x64xbf16>, %w : tensor<64x384xbf16>, %t : tensor<8x128xbf16>, %bias : tensor<8x32xbf16>) -> tensor<8x128xbf16> {
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<64x384xbf16> -> tensor<8x384xbf16>
  %q = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 128>} : tensor<8x384xbf16> -> tensor<8x128xbf16>
  %k = transformer.slice %y {offsets = array<i64: 0, 128>, sizes = array<i64: 8, 128>} : tensor<8x384xbf16> -> tensor<8x128xbf16>
  %v = transformer.slice %y {offsets = array<i64: 0, 256>, sizes = array<i64: 8, 128>} : tensor<8x384xbf16> -> tensor<8x128xbf16>
  %heads = transformer.reshape %q : tensor<8x128xbf16> -> tensor<16x64xbf16>
  %back = transformer.reshape %heads : tensor<16x64xbf16> -> tensor<8x128xbf16>
  %turned = transformer.mul %back, %t : tensor<8x128xbf16>, tensor<8x128xbf16> -> tensor<8x128xbf16>
  %a = transformer.attention %turned, %k, %v, %bias {heads = 2 : i64, batch = 1 : i64, bias_rows = "query"} : tensor<8x128xbf16>, tensor<8x128xbf16>, tensor<8x128xbf16>, tensor<8x32xbf16> -> tensor<8x128xbf16>
  func.return %a : tensor<8x128xbf16>
}

// Attention reads all parts as they are.
// CHECK: func.func @attention_alone
// CHECK: transformer.linear %x, %w : {{.*}} -> tensor<8x384xbf16>
func.func @attention_alone(%x : tensor<8x64xbf16>, %w : tensor<64x384xbf16>, %bias : tensor<8x32xbf16>) -> tensor<8x128xbf16> {
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<64x384xbf16> -> tensor<8x384xbf16>
  %q = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 128>} : tensor<8x384xbf16> -> tensor<8x128xbf16>
  %k = transformer.slice %y {offsets = array<i64: 0, 128>, sizes = array<i64: 8, 128>} : tensor<8x384xbf16> -> tensor<8x128xbf16>
  %v = transformer.slice %y {offsets = array<i64: 0, 256>, sizes = array<i64: 8, 128>} : tensor<8x384xbf16> -> tensor<8x128xbf16>
  %a = transformer.attention %q, %k, %v, %bias {heads = 2 : i64, batch = 1 : i64, bias_rows = "query"} : tensor<8x128xbf16>, tensor<8x128xbf16>, tensor<8x128xbf16>, tensor<8x32xbf16> -> tensor<8x128xbf16>
  func.return %a : tensor<8x128xbf16>
}

// Somebody reads all columns; columns with steps; one row; narrow parts; an activation of all.
// CHECK: func.func @all_read
// CHECK: transformer.linear %x, %w : {{.*}} -> tensor<8x256xbf16>
func.func @all_read(%x : tensor<8x64xbf16>, %w : tensor<64x256xbf16>) -> (tensor<8x128xbf16>, tensor<8x256xbf16>) {
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<64x256xbf16> -> tensor<8x256xbf16>
  %g = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 128>} : tensor<8x256xbf16> -> tensor<8x128xbf16>
  %u = transformer.slice %y {offsets = array<i64: 0, 128>, sizes = array<i64: 8, 128>} : tensor<8x256xbf16> -> tensor<8x128xbf16>
  %a = transformer.silu %g : tensor<8x128xbf16> -> tensor<8x128xbf16>
  %m = transformer.mul %a, %u : tensor<8x128xbf16>, tensor<8x128xbf16> -> tensor<8x128xbf16>
  func.return %m, %y : tensor<8x128xbf16>, tensor<8x256xbf16>
}

// CHECK: func.func @interleaved
// CHECK: transformer.linear %x, %w : {{.*}} -> tensor<8x256xbf16>
func.func @interleaved(%x : tensor<8x64xbf16>, %w : tensor<64x256xbf16>) -> tensor<8x128xbf16> {
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<64x256xbf16> -> tensor<8x256xbf16>
  %g = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 128>, strides = array<i64: 1, 2>} : tensor<8x256xbf16> -> tensor<8x128xbf16>
  %u = transformer.slice %y {offsets = array<i64: 0, 1>, sizes = array<i64: 8, 128>, strides = array<i64: 1, 2>} : tensor<8x256xbf16> -> tensor<8x128xbf16>
  %a = transformer.gelu %g : tensor<8x128xbf16> -> tensor<8x128xbf16>
  %m = transformer.mul %a, %u : tensor<8x128xbf16>, tensor<8x128xbf16> -> tensor<8x128xbf16>
  func.return %m : tensor<8x128xbf16>
}

// CHECK: func.func @one_row
// CHECK: transformer.linear %x, %w : {{.*}} -> tensor<1x256xbf16>
func.func @one_row(%x : tensor<1x64xbf16>, %w : tensor<64x256xbf16>) -> tensor<1x128xbf16> {
  %y = transformer.linear %x, %w : tensor<1x64xbf16>, tensor<64x256xbf16> -> tensor<1x256xbf16>
  %g = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 1, 128>} : tensor<1x256xbf16> -> tensor<1x128xbf16>
  %u = transformer.slice %y {offsets = array<i64: 0, 128>, sizes = array<i64: 1, 128>} : tensor<1x256xbf16> -> tensor<1x128xbf16>
  %a = transformer.gelu %g : tensor<1x128xbf16> -> tensor<1x128xbf16>
  %m = transformer.mul %a, %u : tensor<1x128xbf16>, tensor<1x128xbf16> -> tensor<1x128xbf16>
  func.return %m : tensor<1x128xbf16>
}

// CHECK: func.func @narrow
// CHECK: transformer.linear %x, %w : {{.*}} -> tensor<8x192xbf16>
func.func @narrow(%x : tensor<8x64xbf16>, %w : tensor<64x192xbf16>) -> tensor<8x96xbf16> {
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<64x192xbf16> -> tensor<8x192xbf16>
  %g = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 96>} : tensor<8x192xbf16> -> tensor<8x96xbf16>
  %u = transformer.slice %y {offsets = array<i64: 0, 96>, sizes = array<i64: 8, 96>} : tensor<8x192xbf16> -> tensor<8x96xbf16>
  %a = transformer.gelu %g : tensor<8x96xbf16> -> tensor<8x96xbf16>
  %m = transformer.mul %a, %u : tensor<8x96xbf16>, tensor<8x96xbf16> -> tensor<8x96xbf16>
  func.return %m : tensor<8x96xbf16>
}

// CHECK: func.func @activated
// CHECK: transformer.linear %x, %w {activation = "tanh"} : {{.*}} -> tensor<8x256xbf16>
func.func @activated(%x : tensor<8x64xbf16>, %w : tensor<64x256xbf16>) -> tensor<8x128xbf16> {
  %y = transformer.linear %x, %w {activation = "tanh"} : tensor<8x64xbf16>, tensor<64x256xbf16> -> tensor<8x256xbf16>
  %g = transformer.slice %y {offsets = array<i64: 0, 0>, sizes = array<i64: 8, 128>} : tensor<8x256xbf16> -> tensor<8x128xbf16>
  %u = transformer.slice %y {offsets = array<i64: 0, 128>, sizes = array<i64: 8, 128>} : tensor<8x256xbf16> -> tensor<8x128xbf16>
  %m = transformer.mul %g, %u : tensor<8x128xbf16>, tensor<8x128xbf16> -> tensor<8x128xbf16>
  func.return %m : tensor<8x128xbf16>
}
