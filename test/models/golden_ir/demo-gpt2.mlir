builtin.module {
  transformer.weight @wte : tensor<200x64xbf16>
  transformer.weight @wpe : tensor<24x64xbf16>
  transformer.weight @h.0.ln_1.weight : tensor<64xbf16>
  transformer.weight @h.0.ln_1.bias : tensor<64xbf16>
  transformer.weight @h.0.attn.qkv.weight : tensor<64x192xbf16>
  transformer.weight @h.0.attn.qkv.bias : tensor<192xbf16>
  transformer.weight @attention_bias.query.24 : tensor<24x32xbf16>
  transformer.weight @h.0.attn.c_proj.weight : tensor<64x64xbf16>
  transformer.weight @h.0.attn.c_proj.bias : tensor<64xbf16>
  transformer.weight @h.0.ln_2.weight : tensor<64xbf16>
  transformer.weight @h.0.ln_2.bias : tensor<64xbf16>
  transformer.weight @h.0.mlp.c_fc.weight : tensor<64x256xbf16>
  transformer.weight @h.0.mlp.c_fc.bias : tensor<256xbf16>
  transformer.weight @h.0.mlp.c_proj.weight : tensor<256x64xbf16>
  transformer.weight @h.0.mlp.c_proj.bias : tensor<64xbf16>
  transformer.weight @h.1.ln_1.weight : tensor<64xbf16>
  transformer.weight @h.1.ln_1.bias : tensor<64xbf16>
  transformer.weight @h.1.attn.qkv.weight : tensor<64x192xbf16>
  transformer.weight @h.1.attn.qkv.bias : tensor<192xbf16>
  transformer.weight @h.1.attn.c_proj.weight : tensor<64x64xbf16>
  transformer.weight @h.1.attn.c_proj.bias : tensor<64xbf16>
  transformer.weight @h.1.ln_2.weight : tensor<64xbf16>
  transformer.weight @h.1.ln_2.bias : tensor<64xbf16>
  transformer.weight @h.1.mlp.c_fc.weight : tensor<64x256xbf16>
  transformer.weight @h.1.mlp.c_fc.bias : tensor<256xbf16>
  transformer.weight @h.1.mlp.c_proj.weight : tensor<256x64xbf16>
  transformer.weight @h.1.mlp.c_proj.bias : tensor<64xbf16>
  transformer.weight @ln_f.weight : tensor<64xbf16>
  transformer.weight @ln_f.bias : tensor<64xbf16>
  transformer.weight @lm_head.weight : tensor<64x200xbf16>
  func.func @main(%0: tensor<1x24xi32> {transformer.name = "input_ids", transformer.dtype = "int64", transformer.shape = array<i64: 1, 24>}) -> (tensor<1x24x200xbf16> {transformer.name = "logits", transformer.dtype = "float32", transformer.shape = array<i64: 1, 24, 200>}) {
    %1 = transformer.reshape %0 {layer = "embeddings", unit = "none"} : tensor<1x24xi32> -> tensor<24xi32>
    %2 = transformer.get_weight @wte : tensor<200x64xbf16>
    %3 = transformer.embedding %1, %2 {layer = "embeddings", unit = "dma"} : tensor<24xi32>, tensor<200x64xbf16> -> tensor<24x64xbf16>
    %4 = transformer.get_weight @wpe : tensor<24x64xbf16>
    %5 = transformer.add %3, %4 {layer = "embeddings", unit = "cores"} : tensor<24x64xbf16>, tensor<24x64xbf16> -> tensor<24x64xbf16>
    %6 = transformer.get_weight @h.0.ln_1.weight : tensor<64xbf16>
    %7 = transformer.get_weight @h.0.ln_1.bias : tensor<64xbf16>
    %8 = transformer.layer_norm %5, %6, %7 {eps = 1.000000e-05 : f64, layer = "h.0.ln_1", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %9 = transformer.get_weight @h.0.attn.qkv.weight : tensor<64x192xbf16>
    %10 = transformer.get_weight @h.0.attn.qkv.bias : tensor<192xbf16>
    %11 = transformer.linear %8, %9 bias %10 : tensor<192xbf16> {layer = "h.0.attn.qkv", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x192xbf16> -> tensor<24x192xbf16>
    %12 = transformer.slice %11 {offsets = array<i64: 0, 0>, sizes = array<i64: 24, 64>, layer = "h.0.attn.qkv", unit = "none"} : tensor<24x192xbf16> -> tensor<24x64xbf16>
    %13 = transformer.slice %11 {offsets = array<i64: 0, 64>, sizes = array<i64: 24, 64>, layer = "h.0.attn.qkv", unit = "none"} : tensor<24x192xbf16> -> tensor<24x64xbf16>
    %14 = transformer.slice %11 {offsets = array<i64: 0, 128>, sizes = array<i64: 24, 64>, layer = "h.0.attn.qkv", unit = "none"} : tensor<24x192xbf16> -> tensor<24x64xbf16>
    %15 = transformer.get_weight @attention_bias.query.24 : tensor<24x32xbf16>
    %16 = transformer.attention %12, %13, %14, %15 {heads = 2 : i64, batch = 1 : i64, bias_rows = "query", layer = "h.0.attn", unit = "redmule+softex"} : tensor<24x64xbf16>, tensor<24x64xbf16>, tensor<24x64xbf16>, tensor<24x32xbf16> -> tensor<24x64xbf16>
    %17 = transformer.get_weight @h.0.attn.c_proj.weight : tensor<64x64xbf16>
    %18 = transformer.get_weight @h.0.attn.c_proj.bias : tensor<64xbf16>
    %19 = transformer.linear %16, %17 bias %18 : tensor<64xbf16> residual %5 : tensor<24x64xbf16> {layer = "h.0.attn.c_proj", unit = "redmule+cores"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %20 = transformer.get_weight @h.0.ln_2.weight : tensor<64xbf16>
    %21 = transformer.get_weight @h.0.ln_2.bias : tensor<64xbf16>
    %22 = transformer.layer_norm %19, %20, %21 {eps = 1.000000e-05 : f64, layer = "h.0.ln_2", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %23 = transformer.get_weight @h.0.mlp.c_fc.weight : tensor<64x256xbf16>
    %24 = transformer.get_weight @h.0.mlp.c_fc.bias : tensor<256xbf16>
    %25 = transformer.linear %22, %23 bias %24 : tensor<256xbf16> {activation = "gelu_tanh", layer = "h.0.mlp.c_fc", unit = "redmule+softex+cores"} : tensor<24x64xbf16>, tensor<64x256xbf16> -> tensor<24x256xbf16>
    %26 = transformer.get_weight @h.0.mlp.c_proj.weight : tensor<256x64xbf16>
    %27 = transformer.get_weight @h.0.mlp.c_proj.bias : tensor<64xbf16>
    %28 = transformer.linear %25, %26 bias %27 : tensor<64xbf16> residual %19 : tensor<24x64xbf16> {layer = "h.0.mlp.c_proj", unit = "redmule+cores"} : tensor<24x256xbf16>, tensor<256x64xbf16> -> tensor<24x64xbf16>
    %29 = transformer.get_weight @h.1.ln_1.weight : tensor<64xbf16>
    %30 = transformer.get_weight @h.1.ln_1.bias : tensor<64xbf16>
    %31 = transformer.layer_norm %28, %29, %30 {eps = 1.000000e-05 : f64, layer = "h.1.ln_1", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %32 = transformer.get_weight @h.1.attn.qkv.weight : tensor<64x192xbf16>
    %33 = transformer.get_weight @h.1.attn.qkv.bias : tensor<192xbf16>
    %34 = transformer.linear %31, %32 bias %33 : tensor<192xbf16> {layer = "h.1.attn.qkv", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x192xbf16> -> tensor<24x192xbf16>
    %35 = transformer.slice %34 {offsets = array<i64: 0, 0>, sizes = array<i64: 24, 64>, layer = "h.1.attn.qkv", unit = "none"} : tensor<24x192xbf16> -> tensor<24x64xbf16>
    %36 = transformer.slice %34 {offsets = array<i64: 0, 64>, sizes = array<i64: 24, 64>, layer = "h.1.attn.qkv", unit = "none"} : tensor<24x192xbf16> -> tensor<24x64xbf16>
    %37 = transformer.slice %34 {offsets = array<i64: 0, 128>, sizes = array<i64: 24, 64>, layer = "h.1.attn.qkv", unit = "none"} : tensor<24x192xbf16> -> tensor<24x64xbf16>
    %38 = transformer.attention %35, %36, %37, %15 {heads = 2 : i64, batch = 1 : i64, bias_rows = "query", layer = "h.1.attn", unit = "redmule+softex"} : tensor<24x64xbf16>, tensor<24x64xbf16>, tensor<24x64xbf16>, tensor<24x32xbf16> -> tensor<24x64xbf16>
    %39 = transformer.get_weight @h.1.attn.c_proj.weight : tensor<64x64xbf16>
    %40 = transformer.get_weight @h.1.attn.c_proj.bias : tensor<64xbf16>
    %41 = transformer.linear %38, %39 bias %40 : tensor<64xbf16> residual %28 : tensor<24x64xbf16> {layer = "h.1.attn.c_proj", unit = "redmule+cores"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %42 = transformer.get_weight @h.1.ln_2.weight : tensor<64xbf16>
    %43 = transformer.get_weight @h.1.ln_2.bias : tensor<64xbf16>
    %44 = transformer.layer_norm %41, %42, %43 {eps = 1.000000e-05 : f64, layer = "h.1.ln_2", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %45 = transformer.get_weight @h.1.mlp.c_fc.weight : tensor<64x256xbf16>
    %46 = transformer.get_weight @h.1.mlp.c_fc.bias : tensor<256xbf16>
    %47 = transformer.linear %44, %45 bias %46 : tensor<256xbf16> {activation = "gelu_tanh", layer = "h.1.mlp.c_fc", unit = "redmule+softex+cores"} : tensor<24x64xbf16>, tensor<64x256xbf16> -> tensor<24x256xbf16>
    %48 = transformer.get_weight @h.1.mlp.c_proj.weight : tensor<256x64xbf16>
    %49 = transformer.get_weight @h.1.mlp.c_proj.bias : tensor<64xbf16>
    %50 = transformer.linear %47, %48 bias %49 : tensor<64xbf16> residual %41 : tensor<24x64xbf16> {layer = "h.1.mlp.c_proj", unit = "redmule+cores"} : tensor<24x256xbf16>, tensor<256x64xbf16> -> tensor<24x64xbf16>
    %51 = transformer.get_weight @ln_f.weight : tensor<64xbf16>
    %52 = transformer.get_weight @ln_f.bias : tensor<64xbf16>
    %53 = transformer.layer_norm %50, %51, %52 {eps = 1.000000e-05 : f64, layer = "ln_f", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %54 = transformer.get_weight @lm_head.weight : tensor<64x200xbf16>
    %55 = transformer.linear %53, %54 {layer = "lm_head", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x200xbf16> -> tensor<24x200xbf16>
    %56 = transformer.reshape %55 {layer = "output", unit = "none"} : tensor<24x200xbf16> -> tensor<1x24x200xbf16>
    func.return %56 : tensor<1x24x200xbf16>
  }
}
