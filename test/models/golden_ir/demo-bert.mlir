builtin.module {
  transformer.weight @embeddings.word : tensor<200x64xbf16>
  transformer.weight @embeddings.position : tensor<24x64xbf16>
  transformer.weight @embeddings.LayerNorm.weight : tensor<64xbf16>
  transformer.weight @embeddings.LayerNorm.bias : tensor<64xbf16>
  transformer.weight @attention_bias.all.24 : tensor<1x32xbf16>
  transformer.weight @encoder.layer.0.attention.query.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.0.attention.query.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.key.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.0.attention.key.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.value.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.0.attention.value.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.output.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.0.attention.output.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.LayerNorm.weight : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.LayerNorm.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.intermediate.weight : tensor<64x256xbf16>
  transformer.weight @encoder.layer.0.intermediate.bias : tensor<256xbf16>
  transformer.weight @encoder.layer.0.output.weight : tensor<256x64xbf16>
  transformer.weight @encoder.layer.0.output.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.output.LayerNorm.weight : tensor<64xbf16>
  transformer.weight @encoder.layer.0.output.LayerNorm.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.query.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.1.attention.query.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.key.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.1.attention.key.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.value.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.1.attention.value.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.output.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.1.attention.output.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.LayerNorm.weight : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.LayerNorm.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.intermediate.weight : tensor<64x256xbf16>
  transformer.weight @encoder.layer.1.intermediate.bias : tensor<256xbf16>
  transformer.weight @encoder.layer.1.output.weight : tensor<256x64xbf16>
  transformer.weight @encoder.layer.1.output.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.output.LayerNorm.weight : tensor<64xbf16>
  transformer.weight @encoder.layer.1.output.LayerNorm.bias : tensor<64xbf16>
  transformer.weight @pooler.weight : tensor<64x64xbf16>
  transformer.weight @pooler.bias : tensor<64xbf16>
  func.func @main(%0: tensor<1x24xi32> {transformer.name = "input_ids", transformer.dtype = "int64", transformer.shape = array<i64: 1, 24>}) -> (tensor<1x24x64xbf16> {transformer.name = "last_hidden_state", transformer.dtype = "float32", transformer.shape = array<i64: 1, 24, 64>}, tensor<1x64xbf16> {transformer.name = "pooler_output", transformer.dtype = "float32", transformer.shape = array<i64: 1, 64>}) {
    %1 = transformer.reshape %0 {layer = "embeddings", unit = "none"} : tensor<1x24xi32> -> tensor<24xi32>
    %2 = transformer.get_weight @embeddings.word : tensor<200x64xbf16>
    %3 = transformer.embedding %1, %2 {layer = "embeddings", unit = "dma"} : tensor<24xi32>, tensor<200x64xbf16> -> tensor<24x64xbf16>
    %4 = transformer.get_weight @embeddings.position : tensor<24x64xbf16>
    %5 = transformer.add %3, %4 {layer = "embeddings", unit = "cores"} : tensor<24x64xbf16>, tensor<24x64xbf16> -> tensor<24x64xbf16>
    %6 = transformer.get_weight @embeddings.LayerNorm.weight : tensor<64xbf16>
    %7 = transformer.get_weight @embeddings.LayerNorm.bias : tensor<64xbf16>
    %8 = transformer.layer_norm %5, %6, %7 {eps = 1.000000e-12 : f64, layer = "embeddings.LayerNorm", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %9 = transformer.get_weight @attention_bias.all.24 : tensor<1x32xbf16>
    %10 = transformer.get_weight @encoder.layer.0.attention.query.weight : tensor<64x64xbf16>
    %11 = transformer.get_weight @encoder.layer.0.attention.query.bias : tensor<64xbf16>
    %12 = transformer.linear %8, %10 bias %11 : tensor<64xbf16> {layer = "encoder.layer.0.attention.query", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %13 = transformer.get_weight @encoder.layer.0.attention.key.weight : tensor<64x64xbf16>
    %14 = transformer.get_weight @encoder.layer.0.attention.key.bias : tensor<64xbf16>
    %15 = transformer.linear %8, %13 bias %14 : tensor<64xbf16> {layer = "encoder.layer.0.attention.key", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %16 = transformer.get_weight @encoder.layer.0.attention.value.weight : tensor<64x64xbf16>
    %17 = transformer.get_weight @encoder.layer.0.attention.value.bias : tensor<64xbf16>
    %18 = transformer.linear %8, %16 bias %17 : tensor<64xbf16> {layer = "encoder.layer.0.attention.value", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %19 = transformer.attention %12, %15, %18, %9 {heads = 2 : i64, batch = 1 : i64, layer = "encoder.layer.0.attention", unit = "redmule+softex"} : tensor<24x64xbf16>, tensor<24x64xbf16>, tensor<24x64xbf16>, tensor<1x32xbf16> -> tensor<24x64xbf16>
    %20 = transformer.get_weight @encoder.layer.0.attention.output.weight : tensor<64x64xbf16>
    %21 = transformer.get_weight @encoder.layer.0.attention.output.bias : tensor<64xbf16>
    %22 = transformer.linear %19, %20 bias %21 : tensor<64xbf16> residual %8 : tensor<24x64xbf16> {layer = "encoder.layer.0.attention.output", unit = "redmule+cores"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %23 = transformer.get_weight @encoder.layer.0.attention.LayerNorm.weight : tensor<64xbf16>
    %24 = transformer.get_weight @encoder.layer.0.attention.LayerNorm.bias : tensor<64xbf16>
    %25 = transformer.layer_norm %22, %23, %24 {eps = 1.000000e-12 : f64, layer = "encoder.layer.0.attention.LayerNorm", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %26 = transformer.get_weight @encoder.layer.0.intermediate.weight : tensor<64x256xbf16>
    %27 = transformer.get_weight @encoder.layer.0.intermediate.bias : tensor<256xbf16>
    %28 = transformer.linear %25, %26 bias %27 : tensor<256xbf16> {activation = "gelu", layer = "encoder.layer.0.intermediate", unit = "redmule+softex+cores"} : tensor<24x64xbf16>, tensor<64x256xbf16> -> tensor<24x256xbf16>
    %29 = transformer.get_weight @encoder.layer.0.output.weight : tensor<256x64xbf16>
    %30 = transformer.get_weight @encoder.layer.0.output.bias : tensor<64xbf16>
    %31 = transformer.linear %28, %29 bias %30 : tensor<64xbf16> residual %25 : tensor<24x64xbf16> {layer = "encoder.layer.0.output", unit = "redmule+cores"} : tensor<24x256xbf16>, tensor<256x64xbf16> -> tensor<24x64xbf16>
    %32 = transformer.get_weight @encoder.layer.0.output.LayerNorm.weight : tensor<64xbf16>
    %33 = transformer.get_weight @encoder.layer.0.output.LayerNorm.bias : tensor<64xbf16>
    %34 = transformer.layer_norm %31, %32, %33 {eps = 1.000000e-12 : f64, layer = "encoder.layer.0.output.LayerNorm", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %35 = transformer.get_weight @encoder.layer.1.attention.query.weight : tensor<64x64xbf16>
    %36 = transformer.get_weight @encoder.layer.1.attention.query.bias : tensor<64xbf16>
    %37 = transformer.linear %34, %35 bias %36 : tensor<64xbf16> {layer = "encoder.layer.1.attention.query", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %38 = transformer.get_weight @encoder.layer.1.attention.key.weight : tensor<64x64xbf16>
    %39 = transformer.get_weight @encoder.layer.1.attention.key.bias : tensor<64xbf16>
    %40 = transformer.linear %34, %38 bias %39 : tensor<64xbf16> {layer = "encoder.layer.1.attention.key", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %41 = transformer.get_weight @encoder.layer.1.attention.value.weight : tensor<64x64xbf16>
    %42 = transformer.get_weight @encoder.layer.1.attention.value.bias : tensor<64xbf16>
    %43 = transformer.linear %34, %41 bias %42 : tensor<64xbf16> {layer = "encoder.layer.1.attention.value", unit = "redmule"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %44 = transformer.attention %37, %40, %43, %9 {heads = 2 : i64, batch = 1 : i64, layer = "encoder.layer.1.attention", unit = "redmule+softex"} : tensor<24x64xbf16>, tensor<24x64xbf16>, tensor<24x64xbf16>, tensor<1x32xbf16> -> tensor<24x64xbf16>
    %45 = transformer.get_weight @encoder.layer.1.attention.output.weight : tensor<64x64xbf16>
    %46 = transformer.get_weight @encoder.layer.1.attention.output.bias : tensor<64xbf16>
    %47 = transformer.linear %44, %45 bias %46 : tensor<64xbf16> residual %34 : tensor<24x64xbf16> {layer = "encoder.layer.1.attention.output", unit = "redmule+cores"} : tensor<24x64xbf16>, tensor<64x64xbf16> -> tensor<24x64xbf16>
    %48 = transformer.get_weight @encoder.layer.1.attention.LayerNorm.weight : tensor<64xbf16>
    %49 = transformer.get_weight @encoder.layer.1.attention.LayerNorm.bias : tensor<64xbf16>
    %50 = transformer.layer_norm %47, %48, %49 {eps = 1.000000e-12 : f64, layer = "encoder.layer.1.attention.LayerNorm", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %51 = transformer.get_weight @encoder.layer.1.intermediate.weight : tensor<64x256xbf16>
    %52 = transformer.get_weight @encoder.layer.1.intermediate.bias : tensor<256xbf16>
    %53 = transformer.linear %50, %51 bias %52 : tensor<256xbf16> {activation = "gelu", layer = "encoder.layer.1.intermediate", unit = "redmule+softex+cores"} : tensor<24x64xbf16>, tensor<64x256xbf16> -> tensor<24x256xbf16>
    %54 = transformer.get_weight @encoder.layer.1.output.weight : tensor<256x64xbf16>
    %55 = transformer.get_weight @encoder.layer.1.output.bias : tensor<64xbf16>
    %56 = transformer.linear %53, %54 bias %55 : tensor<64xbf16> residual %50 : tensor<24x64xbf16> {layer = "encoder.layer.1.output", unit = "redmule+cores"} : tensor<24x256xbf16>, tensor<256x64xbf16> -> tensor<24x64xbf16>
    %57 = transformer.get_weight @encoder.layer.1.output.LayerNorm.weight : tensor<64xbf16>
    %58 = transformer.get_weight @encoder.layer.1.output.LayerNorm.bias : tensor<64xbf16>
    %59 = transformer.layer_norm %56, %57, %58 {eps = 1.000000e-12 : f64, layer = "encoder.layer.1.output.LayerNorm", unit = "cores"} : tensor<24x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<24x64xbf16>
    %60 = transformer.reshape %59 {layer = "output", unit = "none"} : tensor<24x64xbf16> -> tensor<1x24x64xbf16>
    %61 = transformer.slice %60 {offsets = array<i64: 0, 0, 0>, sizes = array<i64: 1, 1, 64>, layer = "pooler", unit = "dma"} : tensor<1x24x64xbf16> -> tensor<1x1x64xbf16>
    %62 = transformer.reshape %61 {layer = "pooler", unit = "none"} : tensor<1x1x64xbf16> -> tensor<1x64xbf16>
    %63 = transformer.get_weight @pooler.weight : tensor<64x64xbf16>
    %64 = transformer.get_weight @pooler.bias : tensor<64xbf16>
    %65 = transformer.linear %62, %63 bias %64 : tensor<64xbf16> {activation = "tanh", layer = "pooler", unit = "redmule+cores"} : tensor<1x64xbf16>, tensor<64x64xbf16> -> tensor<1x64xbf16>
    func.return %60, %65 : tensor<1x24x64xbf16>, tensor<1x64xbf16>
  }
}
