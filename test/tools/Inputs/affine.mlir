transformer.weight @w : tensor<64x32xbf16>
func.func @main(%x : tensor<8x64xbf16>) -> tensor<8x32xbf16> {
  %row = transformer.splat {value = 2.0 : f64} : tensor<64xbf16>
  %w = transformer.get_weight @w : tensor<64x32xbf16>
  %scaled = transformer.mul %x, %row : tensor<8x64xbf16>, tensor<64xbf16> -> tensor<8x64xbf16>
  %y = transformer.linear %scaled, %w : tensor<8x64xbf16>, tensor<64x32xbf16> -> tensor<8x32xbf16>
  func.return %y : tensor<8x32xbf16>
}
