#map = affine_map<(d0, d1, d2) -> (d0, d1)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#map3 = affine_map<(d0, d1, d2) -> (d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1, d2, d3) -> ()>
#map6 = affine_map<(d0, d1) -> (d0, d1)>
#map7 = affine_map<(d0, d1) -> (d1)>
#map8 = affine_map<(d0, d1, d2, d3) -> (d0, 0, 0, d3)>
#map9 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map10 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
module {
  func.func @main(%arg0: tensor<1x12xi64>, %arg1: tensor<1x12xi64>, %arg2: tensor<1x12xi64>) -> (tensor<1x12x16xf32>, tensor<1x16xf32>) {
    %c16 = arith.constant 16 : index
    %c24 = arith.constant 24 : index
    %c2 = arith.constant 2 : index
    %cst = arith.constant 0.000000e+00 : f64
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant 0xFF800000 : f32
    %cst_2 = arith.constant 1.000000e+00 : f32
    %cst_3 = arith.constant 5.000000e-01 : f32
    %cst_4 = arith.constant dense<1.000000e+00> : tensor<f32>
    %cst_5 = arith.constant dense_resource<torch_tensor_16_torch.float32_11> : tensor<16xf32>
    %cst_6 = arith.constant dense_resource<torch_tensor_16_16_torch.float32_5> : tensor<16x16xf32>
    %cst_7 = arith.constant dense_resource<torch_tensor_16_torch.float32_10> : tensor<16xf32>
    %cst_8 = arith.constant dense_resource<torch_tensor_16_torch.float32_9> : tensor<16xf32>
    %cst_9 = arith.constant dense_resource<torch_tensor_16_torch.float32_8> : tensor<16xf32>
    %cst_10 = arith.constant dense_resource<torch_tensor_16_32_torch.float32> : tensor<16x32xf32>
    %cst_11 = arith.constant dense_resource<torch_tensor_32_torch.float32> : tensor<32xf32>
    %cst_12 = arith.constant dense_resource<torch_tensor_32_16_torch.float32> : tensor<32x16xf32>
    %cst_13 = arith.constant dense_resource<torch_tensor_16_torch.float32_7> : tensor<16xf32>
    %cst_14 = arith.constant dense_resource<torch_tensor_16_torch.float32_6> : tensor<16xf32>
    %cst_15 = arith.constant dense_resource<torch_tensor_16_torch.float32_5> : tensor<16xf32>
    %cst_16 = arith.constant dense_resource<torch_tensor_16_16_torch.float32_4> : tensor<16x16xf32>
    %cst_17 = arith.constant dense_resource<torch_tensor_16_torch.float32_4> : tensor<16xf32>
    %cst_18 = arith.constant dense_resource<torch_tensor_16_16_torch.float32_3> : tensor<16x16xf32>
    %cst_19 = arith.constant dense_resource<torch_tensor_16_torch.float32_3> : tensor<16xf32>
    %cst_20 = arith.constant dense_resource<torch_tensor_16_16_torch.float32_2> : tensor<16x16xf32>
    %cst_21 = arith.constant dense_resource<torch_tensor_16_torch.float32_2> : tensor<16xf32>
    %cst_22 = arith.constant dense_resource<torch_tensor_16_16_torch.float32_1> : tensor<16x16xf32>
    %cst_23 = arith.constant dense_resource<torch_tensor_16_torch.float32_1> : tensor<16xf32>
    %cst_24 = arith.constant dense_resource<torch_tensor_16_torch.float32> : tensor<16xf32>
    %cst_25 = arith.constant 9.9999999999999998E-13 : f64
    %cst_26 = arith.constant dense_resource<torch_tensor_16_16_torch.float32> : tensor<16x16xf32>
    %cst_27 = arith.constant dense_resource<torch_tensor_2_16_torch.float32> : tensor<2x16xf32>
    %cst_28 = arith.constant dense_resource<torch_tensor_24_16_torch.float32> : tensor<24x16xf32>
    %cst_29 = arith.constant 1.600000e+01 : f64
    %cst_30 = arith.constant 1.600000e+01 : f32
    %cst_31 = arith.constant -3.40282347E+38 : f32
    %cst_32 = arith.constant 4.000000e+00 : f32
    %cst_33 = arith.constant 1.41421354 : f32
    %c0_i64 = arith.constant 0 : i64
    %cst_34 = arith.constant dense_resource<torch_tensor_1_16_torch.int64> : tensor<1x16xi64>
    %0 = tensor.empty() : tensor<1x12x16xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0 : tensor<1x12xi64>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: i64, %out: f32):
      %114 = arith.index_cast %in : i64 to index
      %115 = linalg.index 2 : index
      %116 = arith.cmpi slt, %114, %c24 : index
      cf.assert %116, "index must be smaller than dim size"
      %117 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %117, "index must be larger or equal to 0"
      %extracted = tensor.extract %cst_28[%114, %115] : tensor<24x16xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x12x16xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<1x12xi64>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: i64, %out: f32):
      %114 = arith.index_cast %in : i64 to index
      %115 = linalg.index 2 : index
      %116 = arith.cmpi slt, %114, %c2 : index
      cf.assert %116, "index must be smaller than dim size"
      %117 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %117, "index must be larger or equal to 0"
      %extracted = tensor.extract %cst_27[%114, %115] : tensor<2x16xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x12x16xf32>
    %3 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1, %2 : tensor<1x12x16xf32>, tensor<1x12x16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %extracted_slice = tensor.extract_slice %cst_34[0, 0] [1, 12] [1, 1] : tensor<1x16xi64> to tensor<1x12xi64>
    %4 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%extracted_slice : tensor<1x12xi64>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: i64, %out: f32):
      %114 = arith.index_cast %in : i64 to index
      %115 = linalg.index 2 : index
      %116 = arith.cmpi slt, %114, %c16 : index
      cf.assert %116, "index must be smaller than dim size"
      %117 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %117, "index must be larger or equal to 0"
      %extracted = tensor.extract %cst_26[%114, %115] : tensor<16x16xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x12x16xf32>
    %5 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%3, %4 : tensor<1x12x16xf32>, tensor<1x12x16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %6 = tensor.empty() : tensor<1x12x16xf64>
    %7 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<1x12x16xf32>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f32, %out: f64):
      %114 = arith.extf %in : f32 to f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %8 = tensor.empty() : tensor<1x12x1xf64>
    %9 = linalg.fill ins(%cst : f64) outs(%8 : tensor<1x12x1xf64>) -> tensor<1x12x1xf64>
    %10 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%7 : tensor<1x12x16xf64>) outs(%9 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.addf %in, %out : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %11 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%10 : tensor<1x12x1xf64>) outs(%8 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.divf %in, %cst_29 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %12 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%7, %11 : tensor<1x12x16xf64>, tensor<1x12x1xf64>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f64, %in_63: f64, %out: f64):
      %114 = arith.subf %in, %in_63 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %13 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%12, %12 : tensor<1x12x16xf64>, tensor<1x12x16xf64>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f64, %in_63: f64, %out: f64):
      %114 = arith.mulf %in, %in_63 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %14 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%13 : tensor<1x12x16xf64>) outs(%9 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.addf %in, %out : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %15 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%14 : tensor<1x12x1xf64>) outs(%8 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.divf %in, %cst_29 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %16 = tensor.empty() : tensor<1x12x1xf32>
    %17 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%15 : tensor<1x12x1xf64>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f64, %out: f32):
      %114 = arith.truncf %in : f64 to f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %18 = linalg.fill ins(%cst_0 : f32) outs(%16 : tensor<1x12x1xf32>) -> tensor<1x12x1xf32>
    %19 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%5 : tensor<1x12x16xf32>) outs(%18 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.addf %in, %out : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %20 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%19 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.divf %in, %cst_30 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %21 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%17 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.truncf %cst_25 : f64 to f32
      %115 = arith.addf %in, %114 : f32
      linalg.yield %115 : f32
    } -> tensor<1x12x1xf32>
    %22 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%21 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = math.rsqrt %in : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %23 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5, %20 : tensor<1x12x16xf32>, tensor<1x12x1xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.subf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %24 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%23, %22 : tensor<1x12x16xf32>, tensor<1x12x1xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.mulf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %25 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%24, %cst_24 : tensor<1x12x16xf32>, tensor<16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.mulf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %26 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%25, %cst_23 : tensor<1x12x16xf32>, tensor<16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %expanded = tensor.expand_shape %arg1 [[0], [1, 2, 3]] output_shape [1, 1, 1, 12] : tensor<1x12xi64> into tensor<1x1x1x12xi64>
    %27 = tensor.empty() : tensor<1x1x1x12xf32>
    %28 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded : tensor<1x1x1x12xi64>) outs(%27 : tensor<1x1x1x12xf32>) {
    ^bb0(%in: i64, %out: f32):
      %114 = arith.sitofp %in : i64 to f32
      linalg.yield %114 : f32
    } -> tensor<1x1x1x12xf32>
    %29 = linalg.generic {indexing_maps = [#map5, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_4, %28 : tensor<f32>, tensor<1x1x1x12xf32>) outs(%27 : tensor<1x1x1x12xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.subf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x1x1x12xf32>
    %30 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%29 : tensor<1x1x1x12xf32>) outs(%27 : tensor<1x1x1x12xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.mulf %in, %cst_31 : f32
      linalg.yield %114 : f32
    } -> tensor<1x1x1x12xf32>
    %collapsed = tensor.collapse_shape %26 [[0, 1], [2]] : tensor<1x12x16xf32> into tensor<12x16xf32>
    %31 = tensor.empty() : tensor<16x16xf32>
    %transposed = linalg.transpose ins(%cst_22 : tensor<16x16xf32>) outs(%31 : tensor<16x16xf32>) permutation = [1, 0] 
    %32 = tensor.empty() : tensor<12x16xf32>
    %33 = linalg.fill ins(%cst_0 : f32) outs(%32 : tensor<12x16xf32>) -> tensor<12x16xf32>
    %34 = linalg.matmul ins(%collapsed, %transposed : tensor<12x16xf32>, tensor<16x16xf32>) outs(%33 : tensor<12x16xf32>) -> tensor<12x16xf32>
    %35 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%34, %cst_21 : tensor<12x16xf32>, tensor<16xf32>) outs(%32 : tensor<12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<12x16xf32>
    %expanded_35 = tensor.expand_shape %35 [[0, 1], [2, 3]] output_shape [1, 12, 2, 8] : tensor<12x16xf32> into tensor<1x12x2x8xf32>
    %36 = tensor.empty() : tensor<1x2x12x8xf32>
    %transposed_36 = linalg.transpose ins(%expanded_35 : tensor<1x12x2x8xf32>) outs(%36 : tensor<1x2x12x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_37 = linalg.transpose ins(%cst_20 : tensor<16x16xf32>) outs(%31 : tensor<16x16xf32>) permutation = [1, 0] 
    %37 = linalg.matmul ins(%collapsed, %transposed_37 : tensor<12x16xf32>, tensor<16x16xf32>) outs(%33 : tensor<12x16xf32>) -> tensor<12x16xf32>
    %38 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%37, %cst_19 : tensor<12x16xf32>, tensor<16xf32>) outs(%32 : tensor<12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<12x16xf32>
    %expanded_38 = tensor.expand_shape %38 [[0, 1], [2, 3]] output_shape [1, 12, 2, 8] : tensor<12x16xf32> into tensor<1x12x2x8xf32>
    %39 = tensor.empty() : tensor<1x2x8x12xf32>
    %transposed_39 = linalg.transpose ins(%expanded_38 : tensor<1x12x2x8xf32>) outs(%39 : tensor<1x2x8x12xf32>) permutation = [0, 2, 3, 1] 
    %collapsed_40 = tensor.collapse_shape %transposed_36 [[0, 1], [2], [3]] : tensor<1x2x12x8xf32> into tensor<2x12x8xf32>
    %collapsed_41 = tensor.collapse_shape %transposed_39 [[0, 1], [2], [3]] : tensor<1x2x8x12xf32> into tensor<2x8x12xf32>
    %40 = tensor.empty() : tensor<2x12x12xf32>
    %41 = linalg.fill ins(%cst_0 : f32) outs(%40 : tensor<2x12x12xf32>) -> tensor<2x12x12xf32>
    %42 = linalg.batch_matmul ins(%collapsed_40, %collapsed_41 : tensor<2x12x8xf32>, tensor<2x8x12xf32>) outs(%41 : tensor<2x12x12xf32>) -> tensor<2x12x12xf32>
    %expanded_42 = tensor.expand_shape %42 [[0, 1], [2], [3]] output_shape [1, 2, 12, 12] : tensor<2x12x12xf32> into tensor<1x2x12x12xf32>
    %43 = tensor.empty() : tensor<1x2x12x12xf32>
    %44 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_42 : tensor<1x2x12x12xf32>) outs(%43 : tensor<1x2x12x12xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.divf %in, %cst_32 : f32
      linalg.yield %114 : f32
    } -> tensor<1x2x12x12xf32>
    %45 = linalg.generic {indexing_maps = [#map4, #map8, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%44, %30 : tensor<1x2x12x12xf32>, tensor<1x1x1x12xf32>) outs(%43 : tensor<1x2x12x12xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x2x12x12xf32>
    %46 = tensor.empty() : tensor<1x2x12xi64>
    %47 = linalg.fill ins(%c0_i64 : i64) outs(%46 : tensor<1x2x12xi64>) -> tensor<1x2x12xi64>
    %48 = tensor.empty() : tensor<1x2x12xf32>
    %49 = linalg.fill ins(%cst_1 : f32) outs(%48 : tensor<1x2x12xf32>) -> tensor<1x2x12xf32>
    %50:2 = linalg.generic {indexing_maps = [#map4, #map9, #map9], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%45 : tensor<1x2x12x12xf32>) outs(%49, %47 : tensor<1x2x12xf32>, tensor<1x2x12xi64>) {
    ^bb0(%in: f32, %out: f32, %out_63: i64):
      %114 = linalg.index 3 : index
      %115 = arith.index_cast %114 : index to i64
      %116 = arith.maximumf %in, %out : f32
      %117 = arith.cmpf ogt, %in, %out : f32
      %118 = arith.select %117, %115, %out_63 : i64
      linalg.yield %116, %118 : f32, i64
    } -> (tensor<1x2x12xf32>, tensor<1x2x12xi64>)
    %expanded_43 = tensor.expand_shape %50#0 [[0], [1], [2, 3]] output_shape [1, 2, 12, 1] : tensor<1x2x12xf32> into tensor<1x2x12x1xf32>
    %51 = linalg.generic {indexing_maps = [#map4, #map10, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%45, %expanded_43 : tensor<1x2x12x12xf32>, tensor<1x2x12x1xf32>) outs(%43 : tensor<1x2x12x12xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.subf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x2x12x12xf32>
    %52 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%51 : tensor<1x2x12x12xf32>) outs(%43 : tensor<1x2x12x12xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = math.exp %in : f32
      linalg.yield %114 : f32
    } -> tensor<1x2x12x12xf32>
    %53 = tensor.empty() : tensor<1x2x12x1xf32>
    %54 = linalg.fill ins(%cst_0 : f32) outs(%53 : tensor<1x2x12x1xf32>) -> tensor<1x2x12x1xf32>
    %55 = linalg.generic {indexing_maps = [#map4, #map10], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%52 : tensor<1x2x12x12xf32>) outs(%54 : tensor<1x2x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.addf %in, %out : f32
      linalg.yield %114 : f32
    } -> tensor<1x2x12x1xf32>
    %56 = linalg.generic {indexing_maps = [#map4, #map10, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%52, %55 : tensor<1x2x12x12xf32>, tensor<1x2x12x1xf32>) outs(%43 : tensor<1x2x12x12xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.divf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x2x12x12xf32>
    %transposed_44 = linalg.transpose ins(%cst_18 : tensor<16x16xf32>) outs(%31 : tensor<16x16xf32>) permutation = [1, 0] 
    %57 = linalg.matmul ins(%collapsed, %transposed_44 : tensor<12x16xf32>, tensor<16x16xf32>) outs(%33 : tensor<12x16xf32>) -> tensor<12x16xf32>
    %58 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%57, %cst_17 : tensor<12x16xf32>, tensor<16xf32>) outs(%32 : tensor<12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<12x16xf32>
    %expanded_45 = tensor.expand_shape %58 [[0, 1], [2, 3]] output_shape [1, 12, 2, 8] : tensor<12x16xf32> into tensor<1x12x2x8xf32>
    %transposed_46 = linalg.transpose ins(%expanded_45 : tensor<1x12x2x8xf32>) outs(%36 : tensor<1x2x12x8xf32>) permutation = [0, 2, 1, 3] 
    %collapsed_47 = tensor.collapse_shape %56 [[0, 1], [2], [3]] : tensor<1x2x12x12xf32> into tensor<2x12x12xf32>
    %collapsed_48 = tensor.collapse_shape %transposed_46 [[0, 1], [2], [3]] : tensor<1x2x12x8xf32> into tensor<2x12x8xf32>
    %59 = tensor.empty() : tensor<2x12x8xf32>
    %60 = linalg.fill ins(%cst_0 : f32) outs(%59 : tensor<2x12x8xf32>) -> tensor<2x12x8xf32>
    %61 = linalg.batch_matmul ins(%collapsed_47, %collapsed_48 : tensor<2x12x12xf32>, tensor<2x12x8xf32>) outs(%60 : tensor<2x12x8xf32>) -> tensor<2x12x8xf32>
    %expanded_49 = tensor.expand_shape %61 [[0, 1], [2], [3]] output_shape [1, 2, 12, 8] : tensor<2x12x8xf32> into tensor<1x2x12x8xf32>
    %62 = tensor.empty() : tensor<1x12x2x8xf32>
    %transposed_50 = linalg.transpose ins(%expanded_49 : tensor<1x2x12x8xf32>) outs(%62 : tensor<1x12x2x8xf32>) permutation = [0, 2, 1, 3] 
    %collapsed_51 = tensor.collapse_shape %transposed_50 [[0, 1], [2, 3]] : tensor<1x12x2x8xf32> into tensor<12x16xf32>
    %transposed_52 = linalg.transpose ins(%cst_16 : tensor<16x16xf32>) outs(%31 : tensor<16x16xf32>) permutation = [1, 0] 
    %63 = linalg.matmul ins(%collapsed_51, %transposed_52 : tensor<12x16xf32>, tensor<16x16xf32>) outs(%33 : tensor<12x16xf32>) -> tensor<12x16xf32>
    %64 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%63, %cst_15 : tensor<12x16xf32>, tensor<16xf32>) outs(%32 : tensor<12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<12x16xf32>
    %expanded_53 = tensor.expand_shape %64 [[0, 1], [2]] output_shape [1, 12, 16] : tensor<12x16xf32> into tensor<1x12x16xf32>
    %65 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%26, %expanded_53 : tensor<1x12x16xf32>, tensor<1x12x16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %66 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%65 : tensor<1x12x16xf32>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f32, %out: f64):
      %114 = arith.extf %in : f32 to f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %67 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%66 : tensor<1x12x16xf64>) outs(%9 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.addf %in, %out : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %68 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%67 : tensor<1x12x1xf64>) outs(%8 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.divf %in, %cst_29 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %69 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%66, %68 : tensor<1x12x16xf64>, tensor<1x12x1xf64>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f64, %in_63: f64, %out: f64):
      %114 = arith.subf %in, %in_63 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %70 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%69, %69 : tensor<1x12x16xf64>, tensor<1x12x16xf64>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f64, %in_63: f64, %out: f64):
      %114 = arith.mulf %in, %in_63 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %71 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%70 : tensor<1x12x16xf64>) outs(%9 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.addf %in, %out : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %72 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%71 : tensor<1x12x1xf64>) outs(%8 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.divf %in, %cst_29 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %73 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%72 : tensor<1x12x1xf64>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f64, %out: f32):
      %114 = arith.truncf %in : f64 to f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %74 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%65 : tensor<1x12x16xf32>) outs(%18 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.addf %in, %out : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %75 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%74 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.divf %in, %cst_30 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %76 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%73 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.truncf %cst_25 : f64 to f32
      %115 = arith.addf %in, %114 : f32
      linalg.yield %115 : f32
    } -> tensor<1x12x1xf32>
    %77 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%76 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = math.rsqrt %in : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %78 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%65, %75 : tensor<1x12x16xf32>, tensor<1x12x1xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.subf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %79 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%78, %77 : tensor<1x12x16xf32>, tensor<1x12x1xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.mulf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %80 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%79, %cst_14 : tensor<1x12x16xf32>, tensor<16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.mulf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %81 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%80, %cst_13 : tensor<1x12x16xf32>, tensor<16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %collapsed_54 = tensor.collapse_shape %81 [[0, 1], [2]] : tensor<1x12x16xf32> into tensor<12x16xf32>
    %82 = tensor.empty() : tensor<16x32xf32>
    %transposed_55 = linalg.transpose ins(%cst_12 : tensor<32x16xf32>) outs(%82 : tensor<16x32xf32>) permutation = [1, 0] 
    %83 = tensor.empty() : tensor<12x32xf32>
    %84 = linalg.fill ins(%cst_0 : f32) outs(%83 : tensor<12x32xf32>) -> tensor<12x32xf32>
    %85 = linalg.matmul ins(%collapsed_54, %transposed_55 : tensor<12x16xf32>, tensor<16x32xf32>) outs(%84 : tensor<12x32xf32>) -> tensor<12x32xf32>
    %86 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%85, %cst_11 : tensor<12x32xf32>, tensor<32xf32>) outs(%83 : tensor<12x32xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<12x32xf32>
    %expanded_56 = tensor.expand_shape %86 [[0, 1], [2]] output_shape [1, 12, 32] : tensor<12x32xf32> into tensor<1x12x32xf32>
    %87 = tensor.empty() : tensor<1x12x32xf32>
    %88 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_56 : tensor<1x12x32xf32>) outs(%87 : tensor<1x12x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.divf %in, %cst_33 : f32
      %115 = math.erf %114 : f32
      %116 = arith.addf %115, %cst_2 : f32
      %117 = arith.mulf %116, %cst_3 : f32
      %118 = arith.mulf %in, %117 : f32
      linalg.yield %118 : f32
    } -> tensor<1x12x32xf32>
    %collapsed_57 = tensor.collapse_shape %88 [[0, 1], [2]] : tensor<1x12x32xf32> into tensor<12x32xf32>
    %89 = tensor.empty() : tensor<32x16xf32>
    %transposed_58 = linalg.transpose ins(%cst_10 : tensor<16x32xf32>) outs(%89 : tensor<32x16xf32>) permutation = [1, 0] 
    %90 = linalg.matmul ins(%collapsed_57, %transposed_58 : tensor<12x32xf32>, tensor<32x16xf32>) outs(%33 : tensor<12x16xf32>) -> tensor<12x16xf32>
    %91 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%90, %cst_9 : tensor<12x16xf32>, tensor<16xf32>) outs(%32 : tensor<12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<12x16xf32>
    %expanded_59 = tensor.expand_shape %91 [[0, 1], [2]] output_shape [1, 12, 16] : tensor<12x16xf32> into tensor<1x12x16xf32>
    %92 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%81, %expanded_59 : tensor<1x12x16xf32>, tensor<1x12x16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %93 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%92 : tensor<1x12x16xf32>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f32, %out: f64):
      %114 = arith.extf %in : f32 to f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %94 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%93 : tensor<1x12x16xf64>) outs(%9 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.addf %in, %out : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %95 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%94 : tensor<1x12x1xf64>) outs(%8 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.divf %in, %cst_29 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %96 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%93, %95 : tensor<1x12x16xf64>, tensor<1x12x1xf64>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f64, %in_63: f64, %out: f64):
      %114 = arith.subf %in, %in_63 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %97 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%96, %96 : tensor<1x12x16xf64>, tensor<1x12x16xf64>) outs(%6 : tensor<1x12x16xf64>) {
    ^bb0(%in: f64, %in_63: f64, %out: f64):
      %114 = arith.mulf %in, %in_63 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x16xf64>
    %98 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%97 : tensor<1x12x16xf64>) outs(%9 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.addf %in, %out : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %99 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%98 : tensor<1x12x1xf64>) outs(%8 : tensor<1x12x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %114 = arith.divf %in, %cst_29 : f64
      linalg.yield %114 : f64
    } -> tensor<1x12x1xf64>
    %100 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%99 : tensor<1x12x1xf64>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f64, %out: f32):
      %114 = arith.truncf %in : f64 to f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %101 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%92 : tensor<1x12x16xf32>) outs(%18 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.addf %in, %out : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %102 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%101 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.divf %in, %cst_30 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %103 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%100 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = arith.truncf %cst_25 : f64 to f32
      %115 = arith.addf %in, %114 : f32
      linalg.yield %115 : f32
    } -> tensor<1x12x1xf32>
    %104 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%103 : tensor<1x12x1xf32>) outs(%16 : tensor<1x12x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = math.rsqrt %in : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x1xf32>
    %105 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%92, %102 : tensor<1x12x16xf32>, tensor<1x12x1xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.subf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %106 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%105, %104 : tensor<1x12x16xf32>, tensor<1x12x1xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.mulf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %107 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%106, %cst_8 : tensor<1x12x16xf32>, tensor<16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.mulf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %108 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%107, %cst_7 : tensor<1x12x16xf32>, tensor<16xf32>) outs(%0 : tensor<1x12x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x12x16xf32>
    %extracted_slice_60 = tensor.extract_slice %108[0, 0, 0] [1, 1, 16] [1, 1, 1] : tensor<1x12x16xf32> to tensor<1x1x16xf32>
    %collapsed_61 = tensor.collapse_shape %extracted_slice_60 [[0, 1], [2]] : tensor<1x1x16xf32> into tensor<1x16xf32>
    %transposed_62 = linalg.transpose ins(%cst_6 : tensor<16x16xf32>) outs(%31 : tensor<16x16xf32>) permutation = [1, 0] 
    %109 = tensor.empty() : tensor<1x16xf32>
    %110 = linalg.fill ins(%cst_0 : f32) outs(%109 : tensor<1x16xf32>) -> tensor<1x16xf32>
    %111 = linalg.matmul ins(%collapsed_61, %transposed_62 : tensor<1x16xf32>, tensor<16x16xf32>) outs(%110 : tensor<1x16xf32>) -> tensor<1x16xf32>
    %112 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%111, %cst_5 : tensor<1x16xf32>, tensor<16xf32>) outs(%109 : tensor<1x16xf32>) {
    ^bb0(%in: f32, %in_63: f32, %out: f32):
      %114 = arith.addf %in, %in_63 : f32
      linalg.yield %114 : f32
    } -> tensor<1x16xf32>
    %113 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%112 : tensor<1x16xf32>) outs(%109 : tensor<1x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      %114 = math.tanh %in : f32
      linalg.yield %114 : f32
    } -> tensor<1x16xf32>
    return %108, %113 : tensor<1x12x16xf32>, tensor<1x16xf32>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.float32_11: "0x0400000014A60ABE704FE93DFCF9493E12FC103E5490C2BD3CB2A9BD4CAB1ABEA818643DE8A730BEE01F703D2088B1BC301DE5BC7CC69ABD18103FBE28A646BEEA261C3E",
      torch_tensor_16_16_torch.float32_5: "0x0400000082BD1BBE56D6163E2C48A0BD0C974FBE740DD13DAE943DBE2E664B3E841AF23D80FDC13CB87ABB3DCECB11BE5A8B5F3EC0B3293C44CB48BEB09A413D26F340BE383711BD40FC3BBEB69D7DBE18D4863DD4C751BE3AC81E3EA6DC443E7C8AA73D48BD01BD7C7A95BD2CC3B4BD004B75BBD41B1D3E1E9A253EA8199A3DF4485B3E5A8266BE00F3933ADA55633E50D925BD28408BBDF080963CC83A9BBD4627643EF4E375BE189524BEFCBBACBDC03F09BD5C340DBE16265A3E00CA70BB9C466C3E60D119BE908ABBBDB2C854BE1804CB3DEC35C83D306257BE22E27FBE342B2C3E48AE263D305D963D00F87BBCBCB84ABE98059ABD5482F3BDC04516BC9876CA3D6C89F13DF0D085BC10387BBE808F93BC24652A3E6036A13D9CD3E23D286F64BEF6626CBE92E40ABE986E77BDFC7749BEC0884C3D88E63DBD805C6C3B4036BDBBD04EA93CC4E09ABDB64476BE9801683DC07DA4BBB6DE05BEF0BC5EBE0045C03AE2695EBE404612BD0809DE3D502A823C2CC41E3ED2365D3EA8852EBD2C8428BEDC9B6EBE60B8DD3C54DE9DBD9ACF673EC8B547BD0091133BA022F33DD0288A3D408B68BD6294043E225112BEF45248BE40352D3EF0F53DBD4017AEBC309E7EBDA840BCBDC0BE1CBEB0DF9F3DC024A23D24BE5ABE5AD6753E923204BEC0F660BE70FB513D982191BDE22154BE1C0342BE8A074FBE8054D5BCC41556BE106A7B3D168432BE3690653EBAA3603E60E701BD6073483E4C9D413ED05E4D3ED48854BE80F10F3E80E145BB58752ABEB8E2133D86A81F3EFADA7F3EEC6EC8BDF8BE6C3EF01D16BD1CEE933DC4D3BDBD9C89E9BDE4FA0A3EBC18243E1E9245BE840810BE94D5A7BD46F605BE4886F73D30012FBDB042D6BD480A603D389D64BEDC05593E627E64BE181E47BEE08E4CBD00F170BE60CC463D201D20BC1086A93CB85B56BD5C7E413E5881A03D2C79AE3D6CA979BE0A793F3ED89D52BDAC3A17BEF4C997BD08894D3DC6294C3E68463DBE60077CBD721A433EFEA23ABE0887B93D78FA723DE8B82CBD660B6EBEF4969D3D9A4A253EECDA333E9C8B5F3E98C1D13D54CBA33D6434233E20394ABE541DCC3D80B0163D0238453E165B1EBE24C31ABECCABA13D5C26ECBD2AEF7C3EE4D0A03DA0789DBCD4CD18BEE05401BEF4A0ACBD4AFE273E10C39BBD9CC1523E60415CBE4C3271BE001D7A3E4AC7243E1CFF61BE68212ABEF803763E363925BE00A5D93C44C5983D202F60BC401488BCC0758A3CB8447FBDF2871B3E207D69BC181E6B3ED09B613E90ED2E3DA0F7F63DE067D93CF070C83CF82F333E0A0A12BE7EA66A3E80D0A03CFC5F6BBE548F0A3E22E10B3E640E97BDC437D1BD9C447ABEDC9F443E9CC3F1BD825924BE34BFD4BD28EBA0BD28E735BDA84961BE1899E6BD881947BDF8B958BE5844743D20F1D9BC2091133DAC9D95BD",
      torch_tensor_16_torch.float32_10: "0x0400000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
      torch_tensor_16_torch.float32_9: "0x040000000000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F",
      torch_tensor_16_torch.float32_8: "0x040000003FC5D33DDBCF1C3EC37D853BF17633BE503B0A3D21DB19BDD6FC673DDCCE013DCAA41DBE6798DF3DD33902BECBB222BE061E1DBD72F82E3E124DEABD61C9EEBA",
      torch_tensor_16_32_torch.float32: "0x04000000A088C2BD301F833D8206BB3DF42F93BBD66BD23DF17B253E6053783C406D053E7FA62A3EB6BF1A3EB04C333E53EA05BE658ABBBD8AF695BDBE134C3D399D023C24736DBBA77B533D6652C2BDD680343EBBA32ABE4AADD23D1C8F083E4DB46E3D58281E3EAD3F153E83DD913C4393A53D2B5467BDA1E7923DB88FCA3D54D9EF3DB3EFF8BD9A39003E04A3A7BCC0BEFF3D6F9B193E107BB4BB72F1B9BD9C6CF8BC37A7A73DB002EB3D1A63EABDD52D1DBEC64516BE86628C3D69ABDA3D372B1A3EF356C6BC8DFB703DE07AD83C3B5AE6BCF6840ABE695CA03C6B3785BD282E123E9680093ECC37FC3DB685053E507677BC2FD614BC9B63E73D1CAF18BEF9BFAE3DE503F13DB31B2ABC6C71313D457C0DBE938E1D3E770C02BD84590CBEFEB3F0BD763006BD155B20BCC214D3BD976998BDC6E7EC3D502378BD977210BE4206AE3D83AA913BD9C7E73C6D2006BED81E18BE72DE0C3B210201BBE4C511BE4967E9BDE93BB43CDF732E3D94FD693C06FB523DB9F730BEF5A2AEBC898E0D3E61D9C2BD478D223DB478443DE7B6E0BDE1A2E93DC9AEDB3D1189303E5970133E2D91A03B897E293E568F0C3D03A0DEBD97D4AEBDA683A3BD3340A7BCDE9A31BEA5C592BD692C33BE8BC4A43DA6A32CBE1968873CF675ADBD21471CBCF079C73D440D403DA2DE33BEC2F800BE7BCDCABD1F1D4F3DB8A051BC2429D7BB0028043E95A8D6BD03E3C6BD82C6F43D48A1103EFCF9093E873C1F3E0FD8B4BDBAB85CBC654A2F3E20F6053E5CC5C2BD97400BBEE0FDDF3D39E8CB3D36C70FBE10DAF0BD2205E63DA7D92ABE4E54DE3CAD7EC13D11882A3CBC0E533B7867B73DDBCF913DBA707BBC915C8FBDA05EB2BDF3E8A83D00B6A93D94B3E23D4D9A533D2F9BE0BDDDA4853D0CF926BDC4CA80BD9B32FC3DA885AE3B28CB2D3A361E993D7E6B0EBE3104693DA9B7A6BD62D2BC3D2F4F183E09BC0D3C59DCF7BDC1989CBCDD9603BE6CCC7C3DCAC1B53D3399463D9F082CBEA787ABBDB75993BCC820F63DB94321B9102BA13D5E9E87BC9CD3E2BCF30D5EBD50C2B93D2A9B22BE169E5A3B482A1D3E2E0D25BEDE98DD3D72421BBEECBC063E8A7411BEC738083E98B40E3EDB051BBE0C952FBE07EA893DB35897BD3A13BF3DA814C0BDD347163DBFB4FE3C87E199BD43FBE0B9BF73D83DED32433DC4C4CEBD6F7431BE3DD6013DCE97073E59DFB73DF4EC0EBE8C5F0BBD28F2E2BDC53C3DBCD73AC93D7EE903BE55EB03BC1A2638BCFEE9493D8C36F2BCE59991BDD9E20D3E3591A3BD84C3C8BD842AF4BCF474B23D9D88CABD9F48183EF4611CBDCBBCA53D83870E3E7D4B20BEA0540F3E61A637BD0F43DC3DA11D4F3D66970DBDBA9BC8BDBFFEE53CF723BF3D8C8BF13DD0D70C3E61CE073E2B972BBE0CA52D3E7F331E3D324EE4BDC4A919BEA1CF333E265BADBD24CE3E3D1E42BDBDD36133BE9039CE3D28590EBEFC46AB3C6735343EE701183E018F3F3DA115A9BDD4C421BEAACDA9BD5C5299BD60872D3E71B681BDB90632BEB088C7BBBC1810BE71248ABCF372CCBD9C500C3EA6CA8EBD7D2494BD7C76303EA0A3013ED0A54FBB51871ABEBDC65B3D5C2B0C3E77D4003E8892C5BDD01A2ABE3A26CCBD21251FBEC777E33D0515DABD2682BA3CC73D1D3E4F9D633D451D13BEBAE661BBEFDC263E27A1DB3C5FF5B0BCEE54123EEF7020BE29B4A8BD2F15CB3C0EA80B3E0B0973BD27A3D7BD107E2BBE159F26BE6020BB3D9289CFBDB6FBB43C37806A3DD5A18A3DF9A930BE5594A33D8B016CBD495281BDEB2008BD10012BBE9D4FDBBCEBE03F3D2A2230BEC42DB0BD2472FFBDD7A7EBBD6955C9BD2FF30A3EB696403D9994A33D816314BE3C0CACBD703C0FBE47DEDA3DF88731BE521025BE941F24BCC6E62E3DAFB66A3D0F3EEABCC0F4B03C1F8BD73C9AB0283D5E8352BD8D76F23D65F0F03B4EC1B93DB89C403D1169D1BD2F7AABBDA869DDBDA77BD7BC7040523C4B07F4BB2B72163E39771E3E0F48243DD4867E3B8341E0BDAE0AE83D13CAA9BD89F015BE558DAF3DD5FED93D6D71AE3DEAFD943C11F6B6BD1F38E23D6DD5263E4169A53DCD98CC3D88BCA4BDC7B5903D51B19CBD031B40BDDBD58D3D864D7F3D5F2BD13D92CC98BC625036BD2C3E263D5C5FB93DC37D053D7ED204BEA8A1243E03F6A13D942B7C3D739215BD406B253EB7DB563BA2CE82BB1C9B9C3DB63543BCBBBAFF3C79A4F339C18E2B3D0919783BBAEAE5BD594254BD99F61D3EF393EC3D5A6797BC8006673C8324ECBD3338043E40B62DBECE13B43DAA44023EED16223D2DCCA23D0CFA24BEA3EA6ABD78E2A9BDB6BF963D94B21EBE1694E1BDED848D3D3100323D27D22ABEA1F5033EFFE5DD3D3492013DCF71403C6B0D11BEB7BD32BE3F0A0BBE590D02BEEB89ECBD317FBDBDFB842A3E9B7A32BE094B1C3E9F1C1B3E89E7D23CB9900D3C5744713D5F9CA63C9AC90CBE980212BEF4392B3EA31A7FBD8725C03DEBBB863DD45BB6BDC36878BC5A0609BD01F8293EF5DE833CC2A0673DB1DEDBBD87EBB8BD1D9107BEBE24A53DBD1214BE82E0AE3D9580B53D7E0BF43C388F62BD9643D63D249907BED886F53DA1F8BF3BBEBC11BEE236713DBA0FB0BD2D18103EF6B513BE05ABF03DD62F143DB31E34BEAFF2763D9B8973BDDA9F7C3DD452893C1FF9C0BD020E203DF35BC9BDF95F12BD082789BB5E36AD3D2F90B13CA82E2EBEBFDE903D5AEFD7BC6CA9DEBDB5052A3EC454413DF37CAC3D4BCCD1BAA19122BEBF9AF23DA61F5E3D872A99BD8DF41D3E52BA16BE8442053E4919B43DDC06F23DB2E4373C06F3E3BD5A73B03C410EE7BDE8E817BDADB98EBDA29106BEB6A8143E777D1DBE6131FA3D8F7758BDCA29EFBDB4137E3D8F38ACBD70F70B3E",
      torch_tensor_32_torch.float32: "0x040000004AF6713EE00C3CBE129047BEC653593E1C44F63D604E5FBE78E848BEE892793E3CE0FA3D2A3F7FBEC4CD98BDE042EBBCD88F04BEF002EF3CB073F7BDE8482BBDB0DF2D3D747B663EEE2100BE00971F3D92226DBE28BE60BDC026003D4C10CABDE060613C32972C3E12A3283ED8DFAEBDB81F12BE4ED2323E203F4D3CD8C868BE",
      torch_tensor_32_16_torch.float32: "0x04000000587BBD3D142E823D16362ABEA078F9BCEE403EBE40541EBC60F22FBE381B1BBD60F95BBC72A718BE8204543E482641BD7E65033E3838143D585EE1BD88AE0B3EA04AB8BC64D5ECBD380202BD6E8749BE98D933BD308D7D3D3EB82E3ED0E0E9BD8AA270BE5E5E06BE94E7F6BD4096CD3B1858BFBD4EA4603EE017A3BDE88F69BDE4DD59BEC40C473E12C3313E6A9267BE20FB89BC44BDEA3D0085FF3D1C210DBE4052C53B98861A3D125945BEE28770BEE853A63D26744DBE00AF903DA0AC73BD80560F3CF07AF73C60FEC3BC308488BD582A15BD80CF72BD9039D93C0E706D3EFC843E3E404732BD081B2C3E2462F43D32610C3EE0DA60BD26370CBEE404133E6451AD3D600F67BED076E53DECB0C6BD50260CBDC854473DB04FF63DB0E3863DAE6211BEB85191BD4099C1BC168B443E40579A3DCC31763E06E02F3EFC73A5BD488C91BDBC919DBDE2315B3E40166B3CCC346E3E6867F53DD220163E489CEA3D4C2BF2BDB0F4B83D403FEABD36AE10BE2808533E4A2F4CBEF4D8053E2085073ED00DFEBCC038C2BB1CA6B13D20BB16BDF4E867BE3A31243E08936E3D8007D63DBCB80E3E042C323EE0AD833D50AE30BEB4907B3E887242BE287E143D24269DBD00E84B3EAC601E3EC8DBE1BD88B2593E9279243EE27D74BEACC8113E386D33BD0C4F21BE58CA7B3E86387B3EC083FD3B9CC864BE00D1543B68BE073E70982C3D3AFD77BE8CE8713EE0D9BA3C90038EBD48A65ABE90DF073ED027DF3D44031B3E76082A3EB807913DE49049BE602733BEDE15713E3072CB3D542565BE82BF2CBEAAE6513E6CE4F5BD388FB23DF0E765BD2448CD3D586065BD2C99903DC4CE16BEE66A333E8093E9BDDA5F7CBE18127A3D3033B93D345411BE888B9DBD8CC7503EC03F38BDCCE7123EE87B6B3E44BEF03DD6501C3E6C083BBE7C4C1DBE804245BDFC5E81BDE08261BC20BD1F3E305178BE406E203E2260673E9A3C213EFEF8363E741F523EA87F2EBDF8BAA0BD362C50BE4219383E389C5F3D00FAEA3AF4560CBE20480B3D841C22BE00C079BEACC7B2BDD40D823DD8555EBE4A70653EC8BA8A3D18E3F2BD601E183CBCBCACBD9CCB333EF47043BE5C60563E20B309BE183E5F3E288B25BE86C048BE3C31D2BDD024A3BC94C9C3BD8A9B67BEE41B58BE2ACC6B3E529471BEA8B92B3DE66062BE9437693E0E6724BE44C4693EC617453E347E63BE3C33EBBDE866CFBD2E440C3E58FE3CBD98EB033D3481F1BDD00B84BD8CC7373E203050BE40314D3C88FBD93DC017EABC8003B53DD421EFBD6C9904BE4AC1363EE0F3063CAC3EF53D44062CBEB69A7EBE6CA4D9BDFA736D3EACBD373E003D583EB43A75BE325E213ED4E41BBE58BC2C3E18B95EBDDC78693E16E818BEA4F926BEACACD9BD40A3F13B381009BD3E51353E5C2F333EBC6A88BDF4B1A33D08DDEC3DD4B3B33D801B78BC988115BEFE0C2B3E446D6F3EC2A503BE1AAE553E10FDA2BC9014273D38133DBDC0D9C53BF829013D544B0CBE14989A3DC8F3D93D2EC53F3E26A9173E88F1C6BD18DB7FBE20901A3D085C26BD0EA45B3EE889653EFC38423EDC286A3E9871553D20F6F33C7C5241BE00960FBD6C7A923D381279BED0C0123EBEF6043E92E24FBE003C393D566F033E56276C3E94E3903D98C0D1BD7C58293E80063DBEF0EBF3BD3028613DA0EFF7BD2E561B3E6C42DF3D4814C8BDC4146CBE2EDF55BE40D7933C4034A73CE81F103DCEEC59BE74EFCF3D2AD84BBE90893D3DE80548BD1C5708BE1476CABDF88582BDF08061BD561B01BE2A1567BE905028BE48D6BC3D18601E3ED0B33ABEB63F1EBEEC58B5BD0059A6BD40E7183C007EAB3D80AE2C3E98E318BDD6D727BEB6B828BE8895803DE8FB2A3DC8DFEDBD0093CEBA2274553EB454663E38C106BD2CDC313E8021BEBB20E935BEA0943E3D8053B3BB407E0D3DA0D12ABE8022DC3BD2012ABEC0E9743E309E35BE7E1361BE3080C73D002D263C609B57BDAAB7043E2A06473E5C5B5D3E207C4BBCC02C36BC44531E3EDC407E3E90F036BD905C46BD80F885BCD09D2C3D1CDF1DBEE2E5723E60AABFBC481FD63D8AD4673E389EE43D6C8EAFBD9EAA573EC073823D7038CABDF03E593E5AA463BE9C73033E2ACA33BE7C014C3ECE065FBEF422AABDFA673F3E44C2803DDA4F7BBE94E069BEB6F740BE0076123E0E0A50BE005633BC864E13BE7A6C473E06201B3E2C3CC1BDC03FC3BD961C09BECC4AF4BD4C32E0BD404B0FBDF40E2D3E802F57BE4C5CAF3D720E7DBE0861BBBD2C0DF9BD088E073EA8F5A93DF051A2BD720D59BE5AF71CBE762C7EBEE0590D3C78B0123EA0A00EBDC2680A3E2CCFAEBD80DE843D527C0FBEE8DB9DBD04FA303E50CB583E14129A3D58F71FBDE88B08BDEA3159BE881102BDF43CB6BD0CC4053E22F84FBE2C63C43D70C9243DE05578BE0441C7BD08C6253E68476EBDEE140E3E50A55F3EB6E72CBEC819AE3DEA461E3E085BF9BD1E2E1FBEE8CAEC3DEC6D82BD10B3EEBC50C48ABD54296CBED063563D503A4D3D58D6203EB0BB68BD0C256D3EC03847BEA0CABF3DE4A76C3EF84DE13D4018213DF85892BD20A453BC90CA733E1C5F83BD305D353E08513DBE78D1A73DBE540CBEA2C649BEBCCC633E309981BD282D20BDA01E4DBC4897353EF4E516BE108FBBBDA0830C3CC017BC3C9E7849BE8CD9E43D18F665BEFAC2793EF8F9393EB8DD313D0C94473EB0EE70BE7E20093EF2935FBEEC085D3ED48AE1BD340A1B3E7073C53CC2860CBEB878B3BDDCC7623E84EAF9BDD8F4AE3D9A41483EA02931BD40FF49BC7C95903DB4D8253E381B903D20F7763CE64940BE5A0D3FBEA43B95BDD8E027BEF80D5DBDB4D1163EB070FABD6C3A2B3E7C6951BEA6C5223EA420EFBD",
      torch_tensor_16_torch.float32_7: "0x0400000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
      torch_tensor_16_torch.float32_6: "0x040000000000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F",
      torch_tensor_16_torch.float32_5: "0x04000000F86844BD4CCAC63DC4F8FA3D080ADEBD20C875BD0C589EBD2CEAD0BD7CBE5BBE0CC9BABD70AA03BDCEA34FBEB0A148BE30BD573E6E8A273E32074DBEFCD223BE",
      torch_tensor_16_16_torch.float32_4: "0x040000002463A03DDE06473E6E273ABED42E943DD48AB9BD662159BE88BD4FBED06B123DCC6131BEC6C20A3EA0CFE6BC60B164BD7A1346BE3499E13DBE7412BEB618383EA03909BCB87438BE4223433EA698433EB0A65EBEE6CD13BE1C04E0BD80AF31BEF06ED43C9A133BBE9286063E18B852BEF42865BE002ED73BC03A93BBD8095C3D10E152BE3C79633EA64A4FBE885D423EDC1B693EE454853D4823683DDAD80BBE484F9E3D3E9F533E743A5BBE78115B3ED462EBBD08756D3D44F0FA3DA09C473C2EDF17BE64E817BE00FC4C3C00D20CBE5CE242BEAECB70BEF01E7C3E7A6269BE56D731BEE8C1D13D7C33253EC8D4753E882CCD3D301F643E3E360FBE20BBB23D6070153D9C1D68BEFAD9623EFC78AB3D005BFF3D428B0C3EEC2EA33DBA2305BE26141C3E6090993CA4F1FCBDC0B5113E809811BC9084363DFA2D293EC09D433E20849EBC2021053C7009883CA0A0F63D3085C13DC268213EE88D9ABDC43AEFBDF0166EBDA000153EE88D4F3E745EDABD0C3B033E4035773E1885353E609CAF3C08CD3FBD666D7A3EB4B0AC3DBC9BBFBDD89B623D52160FBE54D309BEA82A593E0CA3083E326832BE388E31BD7014D1BCB432FEBD70420DBE0C0D183EAE9A263EB8CFB4BDC48776BEEE853D3E26711EBEA0C796BC52BC02BECCAFCABDC6AD273EEC5A503E2C87F7BD7A793F3EB07119BE14CE52BEE8D1883D90B885BC4C08043E2024383E4413BEBD30914D3D84F1B53D00201C3CB8BC1DBD04318D3D362E57BE00C598BC760E1EBEC2A771BE8232553E004228BED4D4D2BD983F573EDAAC1BBE60BD14BDA40E553EF48DE13D7E41073E9872A43DA024CDBCAC8F453E18D9583EB056CBBCB845ABBD34C2DABDD062DC3C8A7E45BE882260BEE85C7BBEACBDE83DE048423DB491DE3D408353BCEA6218BED050F93C40ACF0BC68FA98BDA4F91F3E14B9C7BD80D6EB3CA456FBBD8041E4BB806D453C5A6018BED4EBE53DF0C33EBDBEC434BEFEFD293E3054EEBDB6656B3EB80B57BDF654653EFCF830BED090A1BD56AD723ED05018BDBC36DCBDB8B5BA3DDE4A32BEB07F1C3E2CBFB0BD648F5A3EDCD6313EC8185A3EA8AD39BD608828BDA0BFB5BC90ECF83D3A5E7FBEBC140C3E200D523ED01EE2BDC45F3B3EDC043E3EF872F53D6049843CF27B453E18B1D23D28D804BDDA3C4A3E2A5C55BEEC16C8BD5CC76DBE1E3B1A3EBEE12A3ED0C3753EDC857ABE54CA903DEE9902BEF8C7FCBD64B421BE64ED7ABEE80D99BDC0180D3E809D713B70DFEDBD381F20BDF69E0ABE0CBFCFBDF040583E2C1B43BE2032C93DF47561BE0094B73AE0D0AB3D60FE67BCBA9C4D3E1818793D906141BDF6C45CBE5E6C25BE68A3FF3DF8E7273E4EBE333EF0B87BBDF24233BECC68643EC0DF57BE2884C03D8829043EEC65CA3D5878563E202D5C3C3C884EBE78ED00BDF0DC9D3C",
      torch_tensor_16_torch.float32_4: "0x04000000882276BE00938CBA40206D3E4CB40BBEB0BA163DE8B78C3DDCB917BEEEB240BE74CCF63D6C7D03BEE099A43C74ED5C3E9CECD33DD4B60F3EBC1C3C3E9C0DF5BD",
      torch_tensor_16_16_torch.float32_3: "0x04000000EA3B52BEE8FE22BE6017543CB0A186BC68AC103DE417A73DB2721A3E7C0AFE3D4C76833D9C51A1BD00A4B8BCA80EA6BD7C2339BEE08EF9BC54376EBEB603403EC6A5343EE09F743C3C3C2ABE782099BD2081793D60BC4C3E1CFC543EA0929F3DB494E63DC8C881BD82122CBE00E101BE2859B6BD9077063D000A493BD468293EA882603ED2AD34BEB493D73D349EB6BDDC80F83D8A6E71BE60EB9CBD4A860F3EF0A75FBD28DE00BEE24B3C3EBC3C21BE76232CBEA06A70BCD227053E4C6C27BED6AF2C3EB0D077BEDA8F453E5A343EBE80BE5C3C880C2CBEA65357BE24CB7B3EBCDDD43D780857BECCB560BE80A85ABC5AAA243E745C0E3EA04E343CB8D8043DFE623DBE50191C3EC0D8DBBCE6264EBE66603CBE10F252BD9A3F21BE8808A5BD5ECA793EA017303C8EF10ABE8095473EC29F6D3E7001C73CC063CDBB10C0F23CF0634EBD401B3E3D0C8D9F3DFA39413E4CF7F03D6033493DC0379ABC1080433E34B7CF3DB045A23D1C562F3E686C533D78128FBDE0C1823DE873FEBDC8EC1C3E8448A3BDD07B693DAC818F3D78AC3FBE3EBD55BEE6F22F3E54B77CBE7036B3BDFE2E123E90837E3D3847753E6E257BBE88E8B13DB458C2BDE8B0D53D60723B3E12622D3EE4C87DBE8435B5BDDE37333EB89FBF3D281A50BE306B1D3EF6F8313EA085F8BDA8C798BD6C6E38BECECD41BEB493ECBD00856FBD803FC53B94981B3E7A7D653E501DE03C0ED1173E6A9A183EC867483DA072F2BDF4ACCD3D58B61F3D78284BBEBC15A1BD28B6C8BDAC5AB33D90EFECBD44CAD63D803963BC80EA2EBD6C95C53DBC631C3EBC819D3DD8F12E3D605D7BBC50DD36BDDC23FA3DC81951BDB80B423E12AC213E088877BE5010403D60732ABD4C43A33D1EB1473EC0353A3CB4C100BE681B27BD0858DCBD78CE0C3E0C310A3EE0B2043C168955BE003E6A3AB693793E00F045BCD857A13D2C5641BE98027F3DF482313E408F7B3CC80D12BDB48B933DEEB164BE00F486B9FC9697BDFCB6733EF0A726BDE8DB483E5852A2BDFCE0F6BDBC46CF3DC0359E3D341A6DBE2C0CFEBD50253FBD3232113E26CB0E3E06D408BEF8C866BE68CB603EE8C6BDBD104CEB3DD4A25EBE7069DCBCF846803D76D0473EB00A1FBE76C039BE70E0D9BDDEA6313E3C4CFEBD74EA79BEA48BC5BD98B75F3E18D772BE7CD8883DC6DC543EC6C21B3EC895663E18CF9FBD36D12D3E709359BE3C16033E487EE03D7058173E5839253E4867373E76B9353E50C755BE685B563D906261BEAC8BA53D70CACFBDB458F0BD00641CBB08400B3DA0C71FBEF0256ABE6C675D3ED451813D2E34773EA8F58D3DBA31213E963562BE00E4473A8CB2713E405A8BBB589DCEBD20AE373D140537BE02B524BE86700EBEF02C5C3D700057BE3472063E7417FABD1EED5ABE50DC2ABEE0158C3CE4E8013E584723BD",
      torch_tensor_16_torch.float32_3: "0x0400000050C51BBE3E40283E5A1B14BEC0501EBDAA4E24BE00641B3D9AEF1BBEEC510FBE40FA3C3D20CB0EBC80B983BCD090F9BD1A7C143E8AD06A3E8AAB183E9E8347BE",
      torch_tensor_16_16_torch.float32_2: "0x0400000028B3CE3D96B6653E50441BBDCA37653E761F303E481408BD44A70B3E8A0E573E2053913C3E4457BE70138B3DD62565BEA03A633C22152BBE96CC6D3EAA3614BEF40BEEBDA878283EF49D25BEEC707A3E08CC223D8252063E40B718BEC04D13BCD476EB3D0E84003E00D99FBC8C7A603EB86EDE3D54CC91BD38C378BE329C4F3ED8BB3F3E20380BBE004E433C88FAEE3DF60D423E240BC8BD1C2BE33D0EC811BE0037AD3C089A57BDF03E4F3D163B103E00DDCFBB6264433EC42EC6BD7AC411BEFCE9523E806DCE3BECCE8EBD44AF803D482D753D08AB20BD5C8E04BEBEFA01BEB8A93DBD90A8EA3C50F26BBED063463E00D888B9000835B938F36B3D08001F3D98E8773D00EA35BA800BECBCAE7C2ABE5C54F13DD4B16B3E46C0263E8C976FBE3AC62C3E3832A93D349A67BE02366E3E62C64F3EBCB6633EB23A61BE3CE896BDB0B99C3C8EE90ABEA09D14BC005744BD2C84A23D22E728BED0C4CDBCD037563EAECF283EA8EE6B3D801008BE687C16BE785D623E7027E43C802793BCB25554BEB01EABBD34B175BE8401E83D2029E03CE8174ABDB8C6A53D40A52E3DF8E05F3DBE33433EACA80CBE20CCB2BC2EFC583E00C7A7BC0036DC3B3EDC1D3E105EB63C507B9EBCA67A093EACC9B23DF4B978BE4820C63D981E42BD0002323D50D3843CAAA1293EAA7E5EBEC065D43DF2F4063E9C713CBE6005DFBCDA1C073E6894203D0E47283E003F4E3E0A2F5C3EDC777C3EF485763E986312BDC0075EBDB46339BEF03960BDECAE913DEC44043E10FE963CE6DA1C3EDC6C623E848C283E28285D3D00B33ABCCE1429BEB001153EE8E7DCBD40BCABBB94B4463E761B7E3E30E1E1BC26BF353E64F74E3ED46721BEF08312BDA837AF3D96F7253E326A3EBE3C14BDBDF80F3C3E96EF453E38C1DBBD5248183E80F0B13C443DE3BD4C7BE93D366C463EEEF43ABE74ED2ABE24B7403EC0294B3C8A5B053E1A194FBE86C449BEA6C5363EC008BF3B3062813C2023CFBD6A66183EB090743DE61C78BE6091003E50C9F83C2040CABD0E96383EC411C23DE87DD43D027F41BEFEDE0C3EF4A459BECC12CFBD70569C3DAA4706BEA89B153E8C530F3EC8F7373DC217393E805C24BC1090A2BD92CB2B3E009CDCB9F42B17BE2C39D3BD348E9E3D10E0BBBCC0453EBDA451B93D943871BE9CBEBABD9CD974BE00D63F3C989A943DC8652F3D201AD23C10BB8B3D08FE373D98D16E3DA08BBABDCC2F5E3E6490A5BDECF3F73DAA70743ED02F0D3DA2420EBE784C79BDB45D67BE58BC30BE60CAD23C3E9B573E90152EBD409660BC8078963CB87406BE8496F7BD700341BE605B74BC3413933DF4C0363EBC057CBE4E50023EDA3654BE0C37F73DC2D431BE740D24BE80A453BE6EB2583E8A9054BE70822E3E34625C3E287E26BEB2B7393E9AF86A3EC48E76BE32FB25BE6889413E",
      torch_tensor_16_torch.float32_2: "0x04000000C40E29BE7A2676BE40DF7B3D629669BEB4A7CD3D7A3D733E7094F6BCF811FB3DF2404BBEA822A13DD077F8BC6ADA133EB2097F3EE8D439BEE8AC15BD1C541ABE",
      torch_tensor_16_16_torch.float32_1: "0x04000000B4E44C3EA038F2BD7C4FC1BD442E243E32DC3E3E641552BE2648553EB433FF3D4C57993D205894BD60F205BD96191C3EA04A273DCAFC4A3E1A741EBE0491B4BD00F2EBBC3C71CF3DFC59B23DC4D3073EAEDD0DBED0D235BD9C50C73DE83FE2BDC8FC363E1070343E00DA0D3EAE90083E54871A3EDCD858BE504B9CBD56DB3F3E8C72D4BD5086AB3CEC19AEBDC06F22BC103230BD600093BD20BD353DBC1E6B3E409F9C3B140D93BDA64A513EB4A1E9BD5CB4843D003F973B7876963D22D5153E8895873D901591BCDC88DB3DB888143D804730BD48EC5C3D4AD901BEE081B73CA0F217BEC49AE63D4A78783E34BFA6BDD60A65BE00DB523EC21204BEBA80293E246D313E643BB4BD008BCF3B3CD7D8BD580F563ED24B38BE4012E43C5EF50FBEFAB1493E64ADF83D8A305D3E54FAEABD281FAD3D56435ABE881C183E30F8A9BDF4B0AA3DACB0F83DA48A20BEDAD80F3E2C61D1BD286BC53DD0D7AEBD60D4343C1031D03C16AD5C3E1044923DB81E323D30373DBD7E007FBEC093E3BDD440AEBD94CDBF3D308894BCE865A03DCECC04BE82D17EBEE495BB3D30310A3E2047073E9E41543E2EAE79BE5043983D70484B3EDAC902BEDAB60E3EEC59043E78FB593DBEDA74BE0409F03DF0E4653E186F0CBD9824CC3DA611433E96223FBE762F6EBE6CA5C73D00D82BBCB4B1F0BD942F6FBE30D71EBE2C5B8A3DD8653CBD74765EBEC030CFBC60244FBC3AE16EBE2C7A193EEEC77F3EA2AA353EC82066BE3E7A1DBE6E0E48BE72A4573E38ADF2BD28BD3E3E8C09D5BDBC27C93DF2F3343E808BF9BDAC32E13D6CBFFA3D78FD6A3D4879C1BD160345BE709B553D8EA467BE44D0A8BD78AA253D02EA1D3EEE94433EE8B756BE64C5E2BDD00EB8BC4012A0BB708C75BD8A4C22BE585063BD682455BD8E451BBE08D3A53D50B737BE066E5BBEC899393D2C6DFDBDEA62613E92AA27BE06492EBE04C06E3E08E13A3D582B753E6AF8613E4A137E3EDC8D443E7CE5163E6E8E1ABE108B90BDB0DBD4BC003074B99023483E58259B3D5CB46DBE3064813D00966A3C20A6E73DB4C8DABD80B7563ECCD934BE6838483E22F7653ECABF4FBEACF42CBE604F283E10ED4BBE60597EBC48BF12BECC74063EEAC1723E1CB9503EA8C65C3E5A0C0C3EC84C5BBE3CC68A3D424A6A3EB222103E742520BE381ADC3D9047643D4CAA1FBE287260BE621410BE7E2947BECC97AABD701EC13CCC6801BE34CB88BDA4E7ACBD7437E73DECDA4ABE90DA733EDE117A3ED2945A3E66DB433E30BEE8BCDA9801BE04EC703EB82A76BED4EC74BE7092513E78AAC6BDBC87293E8C0E13BED6DB2DBEBC7D36BEC066F3BB802C6CBB28C1BCBDE0CC513D16F3163E4832EABD7640133EF897C0BDFC17983DF4E5A7BD54C108BE149C773ECACB27BE08E4753D86FF72BE8CE7073ED681293EE85C73BE",
      torch_tensor_16_torch.float32_1: "0x0400000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
      torch_tensor_16_torch.float32: "0x040000000000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F",
      torch_tensor_16_16_torch.float32: "0x040000002C22923F1D13663F27D0933F9EC7373E4BE3D8BE21139E3F34D29E3F43A0093F4EA4B3BE64A32BC0FF0EC4BDF67353BF3C9E933EF72F2DBF98ACE53F36171FBFF7A38F3E822E0E4018A6363F6291E83EE622FFBD860274BEA05BA53E0885AF3DFBFBAF3F8066B9BE965A90BD96F4623D4F6A843FD98E88BF7468F3BE643698BDF0E8A3BE413B153E7FAE20BF14063E3FF8D7EBBFF58641BF11E109C0AABA843FF23D56BE4536E43FF253F93E661AB1BC29ABB93F76E8B6BFEA9AC03F5550113FF3E6B13E6B63643F5BE9353F72B0CBBE3511F9BDE039CCBFA3B69DBF94809FBFDBFB913E92E35640FEB3EF3E61FAD0BEECD4DD3E4B23A73F1C98A9BD388B083EAEFF63BFF707033F6EFB0D3F89BB513FB57E9D3FDE06D4BE4C76813F1A51EEBE2B5176BF917D3A3FB2F2D1BE0B2BF5BE09104D3F7F0AA0BE1C95BA3D87A815BFC8BBA83FB523ADBD8B14963F82BE46BF72383E3FDA7A4E3F6C9EC5BBE19F4D3EFF9DC9BFCA338CBF26F3AABF61A2D63EF46F67BE984396BF8E2A17BF46A754BFF4370EBE76BD5EBC8D40973FDF3BB7BE6C5328C0D008DABF420AF73E9C8281BFFD69B8BE3AE8383FB861E53CB4E5A4BFF52DAEBF2B1FCFBF2D8B28BF1745C83FF3F0AD3EDBC28ABF1548493DB4C31ABFA32335BD58EE8B3E727D8C3F6DF4ED3F7F68483F64E041BFE4875ABF02D59DBE10DF8E3BD4C7A1BEBB0B2C3ED0D789BF456D0540AAB1A63F4219CFBEB7646EBE6927ECBE08D81BBF71D9C5BEC921C13EDF113E3FA7D0F4BF680DFEBF55738C3FC33F1A3C6ED045BEB396B8BCFD3607BF8D1DC4BF65AEF23E9F7EE63FA832293FA8FB513FC05E6FC0A2D40CBF89BC9A3E4F65DFBEA07E1B3E9F5AFFBFF03D08BF5E3FF03D92D9F63F1C6BAFBE9E586CBF4D21C13F8C8A80BF9BF6EDBF3A7E0F3FDBE4873FB76E173FAF8E0DBE6570223F629FD43EC1A3E53ED6FCB8BFA49D533F33BF1A3F280762BE03602D3F4686303F597C573FE4D2483FEF2D4B3E57E5263EB66A04BF3A91053F5300C93FA36494BF185AF5BE81D30B3C33A0A7BD4DCE86BF6A651B3F3C4642BF20CEA2BEC33ABFBE2FDDA1BFA476373F7856873FF9B42BBF9EB463BD7F04AA3F39073E3F79E579BFCF7529BF4FB91C3FF931B5BE29056BBFB92A40BF71A3233D16EDB4BEFDA3AEBFED7D8D3F9D3B0B3F68E1A5BF2681863EA567683F698FA33FEDACBEBCAC9946BE8363ECBD731694BEFA1FC03E5836C1BFAF1A91BF69F2C3BF1B98993E1336E33E9175673D1EAE1C3F8E7C0D40AFEE4EBC26E1DABE916A59BFD821BC3FBD6E99BFF1843C3F32F339BFD833BB3FF07F94BF4BDE2D3ED006EF3FC5D8F33EC9D80CBFFF83143F0D9F22BF76EDBCBDA06F11BF0B25284028DFB0BEB1DCDABF0C2EA2BFE3E8063F6DA10F3F4746DF3F7681893E75D0113F83380940F239843F4C0867B9",
      torch_tensor_2_16_torch.float32: "0x0400000073085A3F3812ADBF625AA73D7B2992BE734171BE81871CC07EDA9FBF273F883EA317E63E6FC22D3E93BA363FEAF903BF49E3F83EC0F643BF9E2CA33F61BC653EAAA47C3F9A7A1FC07E39E2BFA047123FC985B6BE9670743FDA9D553F9E336F3FC723F7BE6154E7BDEA8E903F5D4A10BEF360B3BF6949084018B966BFA7B412BF",
      torch_tensor_24_16_torch.float32: "0x04000000884AC0BF26AB8E3F3B62D13F7EB080BF35A959BF12E4C23FD63B05C05A266C3F68F62CBFE92A973D522871BF41E381BEAD0DC1BF301EF33EC7BF8D3F38FF02BFB2CB30BF204F5E3FE821DE3F879BB83F980AA53EE5C8313F1BA0A93E8713903C5231B53E6C73913FD82CBC3EF86870BF769823409A1B9CBE9F16EC3E47D7B7BF524BFFBEB78D8C3FC7E84CBE3D477C3FAC1719BFB6C071BFC475993E90D544BF689133BFD491D3BF84E93340BC6202C03D3BE93EB36888BD5B170F3F04FD32BFDADC493FEDDE493FDB5A83BFE87E0AC0481104BF6FC37F3C271FABBF4CEC0140E01A82BF46CFD8BFBB6DD83F771C91BE43BDD83FF96994BFDF77983FDD0DA83D94AC06BEB6AC0C3E5117563F4458A03F77F009BF747E473F8C6C9C3ED356E5BE45214EBFC8CEF5BECF108A3F46CFC5BF28FF7FBF958BA03EA8C45DBFBF7BC83DE9EC433E976459BF3BD73CBF0EF9653FDBCA264079A4B23F3DDA8EBF2528AA3E71E8363FD24FB5BF26D2ECBC065A80BFB0A183BFE57884BF1777BEBF4FFF223F456FA93DD84AF93DDC9786BEEB2B7ABF69BCC93E704DC9BEC66B653FBFF7EF3D22559EBF8E53A43F399C1ABF95FCE43E713B9D3F7ADDD0BE541F683F928C98BEB2528E3FDA4E85BF56FDEABFD329A03F1D94B33FAFBED6BF46DC5E3D6A0A1D3F78C90A3F4A6563BF91D4FCBD7E69B6BFA24AD1BFF132603F0286863F92227FBFB322A93E776A3B3FBFFE50BBD86779BDB254A6BF12C7B33FFFD28DBFD732B0BFDCA9A93F9CA8CCBD4A0E1FBF37BDC8BD0D41743F2CA3173FEED167BF569D7ABF7F4F423F3F25C6BE6A2ADEBD6F6626C09536983F9DA302BE15109A3E7E85A23FFC198ABFE762CD3F50BA463FDAFFAE3E57A73B3E9D7A8B3E57533D3FBD2814BF0D69C23E9715A33E171F03C0D20B823F593B23BFD95973BE412AFB3D2574CFBE761B043F5DA187BF2DEB3B3EEA059E3C067D07C04665343FC4848C3F283293BF92D18CBF5C8DA3BEF4018CBFF78E7C3F3ACF543F9E39B9BF2ED6033EE8F851BECBDA5E3F32C512BF537C85BFFC4B53BFF0A0B93EAA5E9D3F1E2399BF76B6CB3F3AF0A4BED496C4BF5CBFD33F49239E3FC0A0BDBF2107733FB1B1EABE26DCF9BE0DEFDCBE772A863F939294BE9C380FC01A29D4BE8547CEBDF4F329BEBB74C7BE08AC32C0109689BFA90C9FBE5DD98BBE8FE71E40297AAE3F111517BF4F6F9E3ED64894BF87880F3C5A4CB6BF44D58BBF652C2F3FE84A543FE1E02E3FF4DD163E9DD809BF1C3504BE4349903F0B5A34BF562AA4BE2D3B273F372B0C3F711A9FBF41148C3F3B57E43FA7CD25C0381F63BF9731C33EE54CE7BF73BC5C3EF905C03F46E607BF6A94B43E4F0189BEBF51923E412AACBF1F7A1FBF7C1FBEBED15E67BF3609F8BE4E59CBBE22CA6FBED3FE123F35F5253FE376B83E050E1C401493EBBE83AEF9BE20BEABBFFF1BF83B9F52C0BD7713483FA2FCBA3DC7C547BEE3CACB3D10B806BEAC136FBE734E163FF35F0740F8723E3F1170A93E4BF4F03E6AABA63EE0EAA43FE705C2BF3954253D1DD8813F1C9B67BFEF315DBF47561ABF90C0683F6C8B41BFF5DF8ABEB2614DBF2AC223BF5BEC40BE6C8ABDBE905A66BFCAC2A7BE6CDD6F3E8ECE3C3D8A3E1DBF169A8A3EB6BC5C3F6B240D40CBA9D4BE6DB597BEFDF3C83EB32EAABFA354A2BF92F0C6BFE6D167BFAD0B7BBEC97117C01C4CE9BDEACE10401BDC99BB963282BFA03161BEAC67D63FE7B8053F6A02A23E97F439C0103B5D3FBD1F8CBFDBA1113DD93808BFB810F5BF816BE4BE11767DBF2CCBA23BECBF333FAD4FE9BF151EC33EE87494BF47B0823F67834D3FFB8F6F3E08EFB6BECEB2B63E788137BF2327CD3F01E883BE5D59533FE219A0BFA83B02BF0E9EAD3E67C0E13E45D665BF60D9A5BDE9B2F5BFCCD5AF3FA1963B3F49208EBE9CDEBA3E112EA1BFBC06293F66B881BFBDD532BFFB74024066E3EC3FE088B23E3AD1FBBF480C37BFAE2AA2BD84A525C05EFAB8BF84B9933FA1EF9D3E836EAC3F4E2D7BBFF697633F6F124E3FD1AF6C3BA8ACA03F807A73BF9C637BBD75B347BF4A2E3540D8E20A3F6ACCD33E09E8FF3E84EA6BBF58291C3F76CB723EA914FB3F83E4E13FBB1B87BD18BD91BF169B7D3D51B626BFE3DCDDBEB5D4CCBF002EC73FA64DAF3D",
      torch_tensor_1_16_torch.int64: "0x0800000000000000000000000100000000000000020000000000000003000000000000000400000000000000050000000000000006000000000000000700000000000000080000000000000009000000000000000A000000000000000B000000000000000C000000000000000D000000000000000E000000000000000F00000000000000"
    }
  }
#-}
