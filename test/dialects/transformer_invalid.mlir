// The verifiers say what does not fit.
// RUN: softex-opt %s --split-input-file --verify-diagnostics

func.func @main(%x : tensor<8x64xbf16>, %w : tensor<32x96xbf16>) {
  // expected-error@below {{inner dimensions differ: x is (8, 64), w is (32, 96)}}
  %y = transformer.linear %x, %w : tensor<8x64xbf16>, tensor<32x96xbf16> -> tensor<8x96xbf16>
  func.return
}

// -----

func.func @main(%x : tensor<8x64xbf16>, %w : tensor<64x96xbf16>) {
  // expected-error@below {{activation must be one of none, gelu, gelu_tanh, relu, tanh, silu, sigmoid, exp, found 'mish'}}
  %y = transformer.linear %x, %w {activation = "mish"} : tensor<8x64xbf16>, tensor<64x96xbf16> -> tensor<8x96xbf16>
  func.return
}

// -----

func.func @main(%q : tensor<40x64xbf16>, %bias : tensor<1x40xbf16>) {
  // expected-error@below {{bias must be (1, 64) (all), with rows of queries or (1, 128), found (1, 40)}}
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64} : tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<1x40xbf16> -> tensor<40x64xbf16>
  func.return
}

// -----

func.func @main(%q : tensor<40x64xbf16>, %bias : tensor<1x64xbf16>) {
  // expected-error@below {{key_chunk must be a positive multiple of 32, found 48}}
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64, key_chunk = 48 : i64} : tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<1x64xbf16> -> tensor<40x64xbf16>
  func.return
}

// -----

func.func @main(%q : tensor<40x64xbf16>, %bias : tensor<1x64xbf16>) {
  // expected-error@below {{value_chunk must be a positive multiple of 32, found 16}}
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64, value_chunk = 16 : i64} : tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<1x64xbf16> -> tensor<40x64xbf16>
  func.return
}

// -----

func.func @main(%q : tensor<40x64xbf16>, %bias : tensor<1x64xbf16>) {
  // expected-error@below {{whole_keys is for a cache that goes by chunks: a position, and a key_chunk}}
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64, key_chunk = 32 : i64, whole_keys = 64 : i64} : tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<1x64xbf16> -> tensor<40x64xbf16>
  func.return
}

// -----

func.func @main(%q : tensor<40x64xbf16>, %bias : tensor<1x64xbf16>) {
  // expected-error@below {{value_chunk must divide key_chunk, found 64 and 32}}
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64, key_chunk = 32 : i64, value_chunk = 64 : i64} : tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<1x64xbf16> -> tensor<40x64xbf16>
  func.return
}

// -----

func.func @main(%x : tensor<8x64xbf16>, %y : tensor<3x64xbf16>) {
  // expected-error@below {{shapes (8, 64) and (3, 64) do not broadcast}}
  %z = transformer.add %x, %y : tensor<8x64xbf16>, tensor<3x64xbf16> -> tensor<8x64xbf16>
  func.return
}

// -----

func.func @main(%image : tensor<1x3x16x16xbf16>) {
  // expected-error@below {{patches of 5x5 do not divide an image of 16x16}}
  %f = transformer.patchify %image {patch = array<i64: 5, 5>} : tensor<1x3x16x16xbf16> -> tensor<9x75xbf16>
  func.return
}

// -----

func.func @main(%x : tensor<8x64xbf16>, %w : tensor<64x96xbf16>) {
  // expected-error@below {{sum_chunk must be a multiple of 32 that divides 64, found 48}}
  %y = transformer.linear %x, %w {sum_chunk = 48 : i64} : tensor<8x64xbf16>, tensor<64x96xbf16> -> tensor<8x96xbf16>
  func.return
}

// -----

func.func @main(%x : tensor<8x64xbf16>, %mask : tensor<8x1xbf16>) {
  // expected-error@below {{(8, 64) and (8, 1) do not broadcast to (8, 1)}}
  %z = transformer.mask_fill %x, %mask {fill = -1.0 : f64} : tensor<8x64xbf16>, tensor<8x1xbf16> -> tensor<8x1xbf16>
  func.return
}

// -----

func.func @main(%q : tensor<40x64xbf16>, %bias : tensor<1x128xbf16>) {
  // expected-error@below {{bias must be (1, 64) (all), with rows of queries or (1, 128), found (1, 128)}}
  %a = transformer.attention %q, %q, %q, %bias {heads = 2 : i64, batch = 1 : i64} : tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<40x64xbf16>, tensor<1x128xbf16> -> tensor<40x64xbf16>
  func.return
}

// -----

func.func @main(%ids : tensor<8xi32>, %v : tensor<64xbf16>) {
  // expected-error@below {{64 elements hold no window of 65}}
  %w = transformer.windows %ids, %v : tensor<8xi32>, tensor<64xbf16> -> tensor<8x65xbf16>
  func.return
}

// -----

func.func @main(%x : tensor<8x64xbf16>, %y : tensor<8x64xf32>) {
  // expected-error@below {{moves elements as they are, found ['bf16', 'f32']}}
  %z = transformer.concat %x, %y {axis = 0 : i64} : tensor<8x64xbf16>, tensor<8x64xf32> -> tensor<16x64xbf16>
  func.return
}

// -----

func.func @main(%x : tensor<8x64xbf16>) {
  // expected-error@below {{moves elements as they are, found ['bf16', 'f32']}}
  %z = transformer.reshape %x : tensor<8x64xbf16> -> tensor<512xf32>
  func.return
}

// -----

func.func @main(%x : tensor<8x64xbf16>, %table : tensor<4x64xbf16>) {
  // expected-error@below {{table must have 8 rows, found 4}}
  %y = transformer.rotary %x, %table : tensor<8x64xbf16>, tensor<4x64xbf16> -> tensor<8x64xbf16>
  func.return
}

// -----

func.func @main(%x : tensor<8x60xbf16>, %table : tensor<8x30xbf16>) {
  // expected-error@below {{table must have the cosines and sines of two halves, found 30 columns}}
  %y = transformer.rotary %x, %table : tensor<8x60xbf16>, tensor<8x30xbf16> -> tensor<8x60xbf16>
  func.return
}

// -----

func.func @main(%x : tensor<8x64xbf16>, %table : tensor<8x48xbf16>) {
  // expected-error@below {{x must have heads of 24 columns, found 64 columns}}
  %y = transformer.rotary %x, %table : tensor<8x64xbf16>, tensor<8x48xbf16> -> tensor<8x64xbf16>
  func.return
}
