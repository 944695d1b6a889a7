builtin.module {
  transformer.weight @embeddings.patch.projection.weight : tensor<192x64xbf16>
  transformer.weight @embeddings.patch.projection.bias : tensor<64xbf16>
  transformer.weight @embeddings.position : tensor<17x64xbf16>
  transformer.weight @embeddings.cls_token : tensor<1x64xbf16>
  transformer.weight @attention_bias.all.17 : tensor<1x32xbf16>
  transformer.weight @encoder.layer.0.layernorm_before.weight : tensor<64xbf16>
  transformer.weight @encoder.layer.0.layernorm_before.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.query.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.0.attention.query.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.key.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.0.attention.key.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.value.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.0.attention.value.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.attention.output.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.0.attention.output.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.layernorm_after.weight : tensor<64xbf16>
  transformer.weight @encoder.layer.0.layernorm_after.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.0.mlp.fc1.weight : tensor<64x256xbf16>
  transformer.weight @encoder.layer.0.mlp.fc1.bias : tensor<256xbf16>
  transformer.weight @encoder.layer.0.mlp.fc2.weight : tensor<256x64xbf16>
  transformer.weight @encoder.layer.0.mlp.fc2.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.layernorm_before.weight : tensor<64xbf16>
  transformer.weight @encoder.layer.1.layernorm_before.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.query.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.1.attention.query.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.key.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.1.attention.key.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.value.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.1.attention.value.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.attention.output.weight : tensor<64x64xbf16>
  transformer.weight @encoder.layer.1.attention.output.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.layernorm_after.weight : tensor<64xbf16>
  transformer.weight @encoder.layer.1.layernorm_after.bias : tensor<64xbf16>
  transformer.weight @encoder.layer.1.mlp.fc1.weight : tensor<64x256xbf16>
  transformer.weight @encoder.layer.1.mlp.fc1.bias : tensor<256xbf16>
  transformer.weight @encoder.layer.1.mlp.fc2.weight : tensor<256x64xbf16>
  transformer.weight @encoder.layer.1.mlp.fc2.bias : tensor<64xbf16>
  transformer.weight @layernorm.weight : tensor<64xbf16>
  transformer.weight @layernorm.bias : tensor<64xbf16>
  transformer.weight @classifier.weight : tensor<64x10xbf16>
  transformer.weight @classifier.bias : tensor<10xbf16>
  func.func @main(%0: tensor<1x3x32x32xbf16> {transformer.name = "pixel_values", transformer.dtype = "float32", transformer.shape = array<i64: 1, 3, 32, 32>}) -> (tensor<1x10xbf16> {transformer.name = "logits", transformer.dtype = "float32", transformer.shape = array<i64: 1, 10>}) attributes {transformer.unread_macs = 690176 : i64} {
    %1 = transformer.patchify %0 {patch = array<i64: 8, 8>, layer = "embeddings.patch", unit = "dma"} : tensor<1x3x32x32xbf16> -> tensor<16x192xbf16>
    %2 = transformer.get_weight @embeddings.patch.projection.weight : tensor<192x64xbf16>
    %3 = transformer.get_weight @embeddings.patch.projection.bias : tensor<64xbf16>
    %4 = transformer.linear %1, %2 bias %3 : tensor<64xbf16> {layer = "embeddings.patch.projection", unit = "redmule"} : tensor<16x192xbf16>, tensor<192x64xbf16> -> tensor<16x64xbf16>
    %5 = transformer.get_weight @embeddings.position : tensor<17x64xbf16>
    %6 = transformer.get_weight @embeddings.cls_token : tensor<1x64xbf16>
    %7 = transformer.concat %6, %4 {axis = 0 : i64, layer = "embeddings", unit = "dma"} : tensor<1x64xbf16>, tensor<16x64xbf16> -> tensor<17x64xbf16>
    %8 = transformer.add %7, %5 {layer = "embeddings", unit = "cores"} : tensor<17x64xbf16>, tensor<17x64xbf16> -> tensor<17x64xbf16>
    %9 = transformer.get_weight @attention_bias.all.17 : tensor<1x32xbf16>
    %10 = transformer.get_weight @encoder.layer.0.layernorm_before.weight : tensor<64xbf16>
    %11 = transformer.get_weight @encoder.layer.0.layernorm_before.bias : tensor<64xbf16>
    %12 = transformer.layer_norm %8, %10, %11 {eps = 1.000000e-12 : f64, layer = "encoder.layer.0.layernorm_before", unit = "cores"} : tensor<17x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<17x64xbf16>
    %13 = transformer.get_weight @encoder.layer.0.attention.query.weight : tensor<64x64xbf16>
    %14 = transformer.get_weight @encoder.layer.0.attention.query.bias : tensor<64xbf16>
    %15 = transformer.linear %12, %13 bias %14 : tensor<64xbf16> {layer = "encoder.layer.0.attention.query", unit = "redmule"} : tensor<17x64xbf16>, tensor<64x64xbf16> -> tensor<17x64xbf16>
    %16 = transformer.get_weight @encoder.layer.0.attention.key.weight : tensor<64x64xbf16>
    %17 = transformer.get_weight @encoder.layer.0.attention.key.bias : tensor<64xbf16>
    %18 = transformer.linear %12, %16 bias %17 : tensor<64xbf16> {layer = "encoder.layer.0.attention.key", unit = "redmule"} : tensor<17x64xbf16>, tensor<64x64xbf16> -> tensor<17x64xbf16>
    %19 = transformer.get_weight @encoder.layer.0.attention.value.weight : tensor<64x64xbf16>
    %20 = transformer.get_weight @encoder.layer.0.attention.value.bias : tensor<64xbf16>
    %21 = transformer.linear %12, %19 bias %20 : tensor<64xbf16> {layer = "encoder.layer.0.attention.value", unit = "redmule"} : tensor<17x64xbf16>, tensor<64x64xbf16> -> tensor<17x64xbf16>
    %22 = transformer.attention %15, %18, %21, %9 {heads = 2 : i64, batch = 1 : i64, layer = "encoder.layer.0.attention", unit = "redmule+softex"} : tensor<17x64xbf16>, tensor<17x64xbf16>, tensor<17x64xbf16>, tensor<1x32xbf16> -> tensor<17x64xbf16>
    %23 = transformer.get_weight @encoder.layer.0.attention.output.weight : tensor<64x64xbf16>
    %24 = transformer.get_weight @encoder.layer.0.attention.output.bias : tensor<64xbf16>
    %25 = transformer.linear %22, %23 bias %24 : tensor<64xbf16> residual %8 : tensor<17x64xbf16> {layer = "encoder.layer.0.attention.output", unit = "redmule+cores"} : tensor<17x64xbf16>, tensor<64x64xbf16> -> tensor<17x64xbf16>
    %26 = transformer.get_weight @encoder.layer.0.layernorm_after.weight : tensor<64xbf16>
    %27 = transformer.get_weight @encoder.layer.0.layernorm_after.bias : tensor<64xbf16>
    %28 = transformer.layer_norm %25, %26, %27 {eps = 1.000000e-12 : f64, layer = "encoder.layer.0.layernorm_after", unit = "cores"} : tensor<17x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<17x64xbf16>
    %29 = transformer.get_weight @encoder.layer.0.mlp.fc1.weight : tensor<64x256xbf16>
    %30 = transformer.get_weight @encoder.layer.0.mlp.fc1.bias : tensor<256xbf16>
    %31 = transformer.linear %28, %29 bias %30 : tensor<256xbf16> {activation = "gelu", layer = "encoder.layer.0.mlp.fc1", unit = "redmule+softex+cores"} : tensor<17x64xbf16>, tensor<64x256xbf16> -> tensor<17x256xbf16>
    %32 = transformer.get_weight @encoder.layer.0.mlp.fc2.weight : tensor<256x64xbf16>
    %33 = transformer.get_weight @encoder.layer.0.mlp.fc2.bias : tensor<64xbf16>
    %34 = transformer.linear %31, %32 bias %33 : tensor<64xbf16> residual %25 : tensor<17x64xbf16> {layer = "encoder.layer.0.mlp.fc2", unit = "redmule+cores"} : tensor<17x256xbf16>, tensor<256x64xbf16> -> tensor<17x64xbf16>
    %35 = transformer.get_weight @encoder.layer.1.layernorm_before.weight : tensor<64xbf16>
    %36 = transformer.get_weight @encoder.layer.1.layernorm_before.bias : tensor<64xbf16>
    %37 = transformer.layer_norm %34, %35, %36 {eps = 1.000000e-12 : f64, layer = "encoder.layer.1.layernorm_before", unit = "cores"} : tensor<17x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<17x64xbf16>
    %38 = transformer.get_weight @encoder.layer.1.attention.query.weight : tensor<64x64xbf16>
    %39 = transformer.get_weight @encoder.layer.1.attention.query.bias : tensor<64xbf16>
    %40 = transformer.slice %37 {offsets = array<i64: 0, 0>, sizes = array<i64: 1, 64>, layer = "encoder.layer.1.attention.query", unit = "none"} : tensor<17x64xbf16> -> tensor<1x64xbf16>
    %41 = transformer.linear %40, %38 bias %39 : tensor<64xbf16> {layer = "encoder.layer.1.attention.query", unit = "redmule"} : tensor<1x64xbf16>, tensor<64x64xbf16> -> tensor<1x64xbf16>
    %42 = transformer.get_weight @encoder.layer.1.attention.key.weight : tensor<64x64xbf16>
    %43 = transformer.get_weight @encoder.layer.1.attention.key.bias : tensor<64xbf16>
    %44 = transformer.linear %37, %42 bias %43 : tensor<64xbf16> {layer = "encoder.layer.1.attention.key", unit = "redmule"} : tensor<17x64xbf16>, tensor<64x64xbf16> -> tensor<17x64xbf16>
    %45 = transformer.get_weight @encoder.layer.1.attention.value.weight : tensor<64x64xbf16>
    %46 = transformer.get_weight @encoder.layer.1.attention.value.bias : tensor<64xbf16>
    %47 = transformer.linear %37, %45 bias %46 : tensor<64xbf16> {layer = "encoder.layer.1.attention.value", unit = "redmule"} : tensor<17x64xbf16>, tensor<64x64xbf16> -> tensor<17x64xbf16>
    %48 = transformer.attention %41, %44, %47, %9 {heads = 2 : i64, batch = 1 : i64, layer = "encoder.layer.1.attention", unit = "redmule+softex"} : tensor<1x64xbf16>, tensor<17x64xbf16>, tensor<17x64xbf16>, tensor<1x32xbf16> -> tensor<1x64xbf16>
    %49 = transformer.get_weight @encoder.layer.1.attention.output.weight : tensor<64x64xbf16>
    %50 = transformer.get_weight @encoder.layer.1.attention.output.bias : tensor<64xbf16>
    %51 = transformer.slice %34 {offsets = array<i64: 0, 0>, sizes = array<i64: 1, 64>, layer = "encoder.layer.1.attention.output", unit = "none"} : tensor<17x64xbf16> -> tensor<1x64xbf16>
    %52 = transformer.linear %48, %49 bias %50 : tensor<64xbf16> residual %51 : tensor<1x64xbf16> {layer = "encoder.layer.1.attention.output", unit = "redmule+cores"} : tensor<1x64xbf16>, tensor<64x64xbf16> -> tensor<1x64xbf16>
    %53 = transformer.get_weight @encoder.layer.1.layernorm_after.weight : tensor<64xbf16>
    %54 = transformer.get_weight @encoder.layer.1.layernorm_after.bias : tensor<64xbf16>
    %55 = transformer.layer_norm %52, %53, %54 {eps = 1.000000e-12 : f64, layer = "encoder.layer.1.layernorm_after", unit = "cores"} : tensor<1x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<1x64xbf16>
    %56 = transformer.get_weight @encoder.layer.1.mlp.fc1.weight : tensor<64x256xbf16>
    %57 = transformer.get_weight @encoder.layer.1.mlp.fc1.bias : tensor<256xbf16>
    %58 = transformer.linear %55, %56 bias %57 : tensor<256xbf16> {activation = "gelu", layer = "encoder.layer.1.mlp.fc1", unit = "redmule+softex+cores"} : tensor<1x64xbf16>, tensor<64x256xbf16> -> tensor<1x256xbf16>
    %59 = transformer.get_weight @encoder.layer.1.mlp.fc2.weight : tensor<256x64xbf16>
    %60 = transformer.get_weight @encoder.layer.1.mlp.fc2.bias : tensor<64xbf16>
    %61 = transformer.linear %58, %59 bias %60 : tensor<64xbf16> residual %52 : tensor<1x64xbf16> {layer = "encoder.layer.1.mlp.fc2", unit = "redmule+cores"} : tensor<1x256xbf16>, tensor<256x64xbf16> -> tensor<1x64xbf16>
    %62 = transformer.get_weight @layernorm.weight : tensor<64xbf16>
    %63 = transformer.get_weight @layernorm.bias : tensor<64xbf16>
    %64 = transformer.layer_norm %61, %62, %63 {eps = 1.000000e-12 : f64, layer = "layernorm", unit = "cores"} : tensor<1x64xbf16>, tensor<64xbf16>, tensor<64xbf16> -> tensor<1x64xbf16>
    %65 = transformer.get_weight @classifier.weight : tensor<64x10xbf16>
    %66 = transformer.get_weight @classifier.bias : tensor<10xbf16>
    %67 = transformer.linear %64, %65 bias %66 : tensor<10xbf16> {layer = "classifier", unit = "redmule"} : tensor<1x64xbf16>, tensor<64x10xbf16> -> tensor<1x10xbf16>
    func.return %67 : tensor<1x10xbf16>
  }
}
