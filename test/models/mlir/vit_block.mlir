#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#map2 = affine_map<(d0, d1, d2) -> (d2)>
#map3 = affine_map<(d0, d1) -> (d0, d1)>
#map4 = affine_map<(d0, d1) -> (d1)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map7 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
module {
  func.func @main(%arg0: tensor<1x9x16xf32>) -> tensor<1x9x16xf32> {
    %c0_i64 = arith.constant 0 : i64
    %cst = arith.constant 0.000000e+00 : f64
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant 0xFF800000 : f32
    %true = arith.constant true
    %cst_2 = arith.constant 1.000000e+00 : f32
    %cst_3 = arith.constant 5.000000e-01 : f32
    %cst_4 = arith.constant dense<0.000000e+00> : tensor<1x2x9x9xf32>
    %cst_5 = arith.constant dense_resource<torch_tensor_16_torch.float32_5> : tensor<16xf32>
    %cst_6 = arith.constant dense_resource<torch_tensor_16_32_torch.float32> : tensor<16x32xf32>
    %cst_7 = arith.constant dense_resource<torch_tensor_32_torch.float32> : tensor<32xf32>
    %cst_8 = arith.constant dense_resource<torch_tensor_32_16_torch.float32> : tensor<32x16xf32>
    %cst_9 = arith.constant dense_resource<torch_tensor_16_torch.float32_4> : tensor<16xf32>
    %cst_10 = arith.constant dense_resource<torch_tensor_16_torch.float32_3> : tensor<16xf32>
    %cst_11 = arith.constant dense_resource<torch_tensor_16_torch.float32_2> : tensor<16xf32>
    %cst_12 = arith.constant dense_resource<torch_tensor_16_16_torch.float32> : tensor<16x16xf32>
    %cst_13 = arith.constant 0xFFF0000000000000 : f64
    %cst_14 = arith.constant 0.59460355750136051 : f64
    %cst_15 = arith.constant dense_resource<torch_tensor_48_torch.float32> : tensor<48xf32>
    %cst_16 = arith.constant dense_resource<torch_tensor_48_16_torch.float32> : tensor<48x16xf32>
    %cst_17 = arith.constant dense_resource<torch_tensor_16_torch.float32_1> : tensor<16xf32>
    %cst_18 = arith.constant dense_resource<torch_tensor_16_torch.float32> : tensor<16xf32>
    %cst_19 = arith.constant 9.9999999999999995E-7 : f64
    %cst_20 = arith.constant 1.600000e+01 : f64
    %cst_21 = arith.constant 1.600000e+01 : f32
    %cst_22 = arith.constant 1.41421354 : f32
    %0 = tensor.empty() : tensor<1x9x16xf64>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0 : tensor<1x9x16xf32>) outs(%0 : tensor<1x9x16xf64>) {
    ^bb0(%in: f32, %out: f64):
      %90 = arith.extf %in : f32 to f64
      linalg.yield %90 : f64
    } -> tensor<1x9x16xf64>
    %2 = tensor.empty() : tensor<1x9x1xf64>
    %3 = linalg.fill ins(%cst : f64) outs(%2 : tensor<1x9x1xf64>) -> tensor<1x9x1xf64>
    %4 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "reduction"]} ins(%1 : tensor<1x9x16xf64>) outs(%3 : tensor<1x9x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %90 = arith.addf %in, %out : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x1xf64>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%4 : tensor<1x9x1xf64>) outs(%2 : tensor<1x9x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %90 = arith.divf %in, %cst_20 : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x1xf64>
    %6 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1, %5 : tensor<1x9x16xf64>, tensor<1x9x1xf64>) outs(%0 : tensor<1x9x16xf64>) {
    ^bb0(%in: f64, %in_46: f64, %out: f64):
      %90 = arith.subf %in, %in_46 : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x16xf64>
    %7 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%6, %6 : tensor<1x9x16xf64>, tensor<1x9x16xf64>) outs(%0 : tensor<1x9x16xf64>) {
    ^bb0(%in: f64, %in_46: f64, %out: f64):
      %90 = arith.mulf %in, %in_46 : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x16xf64>
    %8 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "reduction"]} ins(%7 : tensor<1x9x16xf64>) outs(%3 : tensor<1x9x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %90 = arith.addf %in, %out : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x1xf64>
    %9 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%8 : tensor<1x9x1xf64>) outs(%2 : tensor<1x9x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %90 = arith.divf %in, %cst_20 : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x1xf64>
    %10 = tensor.empty() : tensor<1x9x1xf32>
    %11 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%9 : tensor<1x9x1xf64>) outs(%10 : tensor<1x9x1xf32>) {
    ^bb0(%in: f64, %out: f32):
      %90 = arith.truncf %in : f64 to f32
      linalg.yield %90 : f32
    } -> tensor<1x9x1xf32>
    %12 = linalg.fill ins(%cst_0 : f32) outs(%10 : tensor<1x9x1xf32>) -> tensor<1x9x1xf32>
    %13 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0 : tensor<1x9x16xf32>) outs(%12 : tensor<1x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.addf %in, %out : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x1xf32>
    %14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%13 : tensor<1x9x1xf32>) outs(%10 : tensor<1x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.divf %in, %cst_21 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x1xf32>
    %15 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%11 : tensor<1x9x1xf32>) outs(%10 : tensor<1x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.truncf %cst_19 : f64 to f32
      %91 = arith.addf %in, %90 : f32
      linalg.yield %91 : f32
    } -> tensor<1x9x1xf32>
    %16 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%15 : tensor<1x9x1xf32>) outs(%10 : tensor<1x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = math.rsqrt %in : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x1xf32>
    %17 = tensor.empty() : tensor<1x9x16xf32>
    %18 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0, %14 : tensor<1x9x16xf32>, tensor<1x9x1xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.subf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %19 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%18, %16 : tensor<1x9x16xf32>, tensor<1x9x1xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.mulf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %20 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%19, %cst_18 : tensor<1x9x16xf32>, tensor<16xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.mulf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %21 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%20, %cst_17 : tensor<1x9x16xf32>, tensor<16xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.addf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %collapsed = tensor.collapse_shape %21 [[0, 1], [2]] : tensor<1x9x16xf32> into tensor<9x16xf32>
    %22 = tensor.empty() : tensor<16x48xf32>
    %transposed = linalg.transpose ins(%cst_16 : tensor<48x16xf32>) outs(%22 : tensor<16x48xf32>) permutation = [1, 0] 
    %23 = tensor.empty() : tensor<9x48xf32>
    %24 = linalg.fill ins(%cst_0 : f32) outs(%23 : tensor<9x48xf32>) -> tensor<9x48xf32>
    %25 = linalg.matmul ins(%collapsed, %transposed : tensor<9x16xf32>, tensor<16x48xf32>) outs(%24 : tensor<9x48xf32>) -> tensor<9x48xf32>
    %26 = linalg.generic {indexing_maps = [#map3, #map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%25, %cst_15 : tensor<9x48xf32>, tensor<48xf32>) outs(%23 : tensor<9x48xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.addf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<9x48xf32>
    %expanded = tensor.expand_shape %26 [[0, 1], [2, 3, 4]] output_shape [1, 9, 3, 2, 8] : tensor<9x48xf32> into tensor<1x9x3x2x8xf32>
    %27 = tensor.empty() : tensor<3x1x2x9x8xf32>
    %transposed_23 = linalg.transpose ins(%expanded : tensor<1x9x3x2x8xf32>) outs(%27 : tensor<3x1x2x9x8xf32>) permutation = [2, 0, 3, 1, 4] 
    %extracted_slice = tensor.extract_slice %transposed_23[0, 0, 0, 0, 0] [1, 1, 2, 9, 8] [1, 1, 1, 1, 1] : tensor<3x1x2x9x8xf32> to tensor<1x1x2x9x8xf32>
    %extracted_slice_24 = tensor.extract_slice %transposed_23[1, 0, 0, 0, 0] [1, 1, 2, 9, 8] [1, 1, 1, 1, 1] : tensor<3x1x2x9x8xf32> to tensor<1x1x2x9x8xf32>
    %extracted_slice_25 = tensor.extract_slice %transposed_23[2, 0, 0, 0, 0] [1, 1, 2, 9, 8] [1, 1, 1, 1, 1] : tensor<3x1x2x9x8xf32> to tensor<1x1x2x9x8xf32>
    %collapsed_26 = tensor.collapse_shape %extracted_slice [[0, 1], [2], [3], [4]] : tensor<1x1x2x9x8xf32> into tensor<1x2x9x8xf32>
    %collapsed_27 = tensor.collapse_shape %extracted_slice_24 [[0, 1], [2], [3], [4]] : tensor<1x1x2x9x8xf32> into tensor<1x2x9x8xf32>
    %28 = tensor.empty() : tensor<1x2x9x8xf32>
    %29 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_26 : tensor<1x2x9x8xf32>) outs(%28 : tensor<1x2x9x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.truncf %cst_14 : f64 to f32
      %91 = arith.mulf %in, %90 : f32
      linalg.yield %91 : f32
    } -> tensor<1x2x9x8xf32>
    %30 = tensor.empty() : tensor<1x2x8x9xf32>
    %transposed_28 = linalg.transpose ins(%collapsed_27 : tensor<1x2x9x8xf32>) outs(%30 : tensor<1x2x8x9xf32>) permutation = [0, 1, 3, 2] 
    %31 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_28 : tensor<1x2x8x9xf32>) outs(%30 : tensor<1x2x8x9xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.truncf %cst_14 : f64 to f32
      %91 = arith.mulf %in, %90 : f32
      linalg.yield %91 : f32
    } -> tensor<1x2x8x9xf32>
    %collapsed_29 = tensor.collapse_shape %29 [[0, 1], [2], [3]] : tensor<1x2x9x8xf32> into tensor<2x9x8xf32>
    %collapsed_30 = tensor.collapse_shape %31 [[0, 1], [2], [3]] : tensor<1x2x8x9xf32> into tensor<2x8x9xf32>
    %32 = tensor.empty() : tensor<2x9x9xf32>
    %33 = linalg.fill ins(%cst_0 : f32) outs(%32 : tensor<2x9x9xf32>) -> tensor<2x9x9xf32>
    %34 = linalg.batch_matmul ins(%collapsed_29, %collapsed_30 : tensor<2x9x8xf32>, tensor<2x8x9xf32>) outs(%33 : tensor<2x9x9xf32>) -> tensor<2x9x9xf32>
    %expanded_31 = tensor.expand_shape %34 [[0, 1], [2], [3]] output_shape [1, 2, 9, 9] : tensor<2x9x9xf32> into tensor<1x2x9x9xf32>
    %35 = tensor.empty() : tensor<1x2x9xi64>
    %36 = linalg.fill ins(%c0_i64 : i64) outs(%35 : tensor<1x2x9xi64>) -> tensor<1x2x9xi64>
    %37 = tensor.empty() : tensor<1x2x9xf32>
    %38 = linalg.fill ins(%cst_1 : f32) outs(%37 : tensor<1x2x9xf32>) -> tensor<1x2x9xf32>
    %39:2 = linalg.generic {indexing_maps = [#map5, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%expanded_31 : tensor<1x2x9x9xf32>) outs(%38, %36 : tensor<1x2x9xf32>, tensor<1x2x9xi64>) {
    ^bb0(%in: f32, %out: f32, %out_46: i64):
      %90 = linalg.index 3 : index
      %91 = arith.index_cast %90 : index to i64
      %92 = arith.maximumf %in, %out : f32
      %93 = arith.cmpf ogt, %in, %out : f32
      %94 = arith.select %93, %91, %out_46 : i64
      linalg.yield %92, %94 : f32, i64
    } -> (tensor<1x2x9xf32>, tensor<1x2x9xi64>)
    %expanded_32 = tensor.expand_shape %39#0 [[0], [1], [2, 3]] output_shape [1, 2, 9, 1] : tensor<1x2x9xf32> into tensor<1x2x9x1xf32>
    %40 = tensor.empty() : tensor<1x2x9x9xf32>
    %41 = linalg.generic {indexing_maps = [#map5, #map7, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_31, %expanded_32 : tensor<1x2x9x9xf32>, tensor<1x2x9x1xf32>) outs(%40 : tensor<1x2x9x9xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.subf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x2x9x9xf32>
    %42 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%41 : tensor<1x2x9x9xf32>) outs(%40 : tensor<1x2x9x9xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = math.exp %in : f32
      linalg.yield %90 : f32
    } -> tensor<1x2x9x9xf32>
    %43 = tensor.empty() : tensor<1x2x9x1xf32>
    %44 = linalg.fill ins(%cst_0 : f32) outs(%43 : tensor<1x2x9x1xf32>) -> tensor<1x2x9x1xf32>
    %45 = linalg.generic {indexing_maps = [#map5, #map7], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%42 : tensor<1x2x9x9xf32>) outs(%44 : tensor<1x2x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.addf %in, %out : f32
      linalg.yield %90 : f32
    } -> tensor<1x2x9x1xf32>
    %46 = linalg.generic {indexing_maps = [#map5, #map7, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%42, %45 : tensor<1x2x9x9xf32>, tensor<1x2x9x1xf32>) outs(%40 : tensor<1x2x9x9xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.divf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x2x9x9xf32>
    %47 = tensor.empty() : tensor<1x2x9x9xi1>
    %48 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_31 : tensor<1x2x9x9xf32>) outs(%47 : tensor<1x2x9x9xi1>) {
    ^bb0(%in: f32, %out: i1):
      %90 = arith.extf %in : f32 to f64
      %91 = arith.cmpf oeq, %90, %cst_13 : f64
      linalg.yield %91 : i1
    } -> tensor<1x2x9x9xi1>
    %49 = tensor.empty() : tensor<1x2x9x1xi1>
    %50 = linalg.fill ins(%true : i1) outs(%49 : tensor<1x2x9x1xi1>) -> tensor<1x2x9x1xi1>
    %51 = linalg.generic {indexing_maps = [#map5, #map7], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%48 : tensor<1x2x9x9xi1>) outs(%50 : tensor<1x2x9x1xi1>) {
    ^bb0(%in: i1, %out: i1):
      %90 = arith.andi %in, %out : i1
      linalg.yield %90 : i1
    } -> tensor<1x2x9x1xi1>
    %52 = linalg.generic {indexing_maps = [#map7, #map5, #map5, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%51, %cst_4, %46 : tensor<1x2x9x1xi1>, tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>) outs(%40 : tensor<1x2x9x9xf32>) {
    ^bb0(%in: i1, %in_46: f32, %in_47: f32, %out: f32):
      %90 = arith.select %in, %in_46, %in_47 : f32
      linalg.yield %90 : f32
    } -> tensor<1x2x9x9xf32>
    %collapsed_33 = tensor.collapse_shape %52 [[0, 1], [2], [3]] : tensor<1x2x9x9xf32> into tensor<2x9x9xf32>
    %collapsed_34 = tensor.collapse_shape %extracted_slice_25 [[0, 1, 2], [3], [4]] : tensor<1x1x2x9x8xf32> into tensor<2x9x8xf32>
    %53 = tensor.empty() : tensor<2x9x8xf32>
    %54 = linalg.fill ins(%cst_0 : f32) outs(%53 : tensor<2x9x8xf32>) -> tensor<2x9x8xf32>
    %55 = linalg.batch_matmul ins(%collapsed_33, %collapsed_34 : tensor<2x9x9xf32>, tensor<2x9x8xf32>) outs(%54 : tensor<2x9x8xf32>) -> tensor<2x9x8xf32>
    %expanded_35 = tensor.expand_shape %55 [[0, 1], [2], [3]] output_shape [1, 2, 9, 8] : tensor<2x9x8xf32> into tensor<1x2x9x8xf32>
    %56 = tensor.empty() : tensor<1x9x2x8xf32>
    %transposed_36 = linalg.transpose ins(%expanded_35 : tensor<1x2x9x8xf32>) outs(%56 : tensor<1x9x2x8xf32>) permutation = [0, 2, 1, 3] 
    %collapsed_37 = tensor.collapse_shape %transposed_36 [[0, 1], [2, 3]] : tensor<1x9x2x8xf32> into tensor<9x16xf32>
    %57 = tensor.empty() : tensor<16x16xf32>
    %transposed_38 = linalg.transpose ins(%cst_12 : tensor<16x16xf32>) outs(%57 : tensor<16x16xf32>) permutation = [1, 0] 
    %58 = tensor.empty() : tensor<9x16xf32>
    %59 = linalg.fill ins(%cst_0 : f32) outs(%58 : tensor<9x16xf32>) -> tensor<9x16xf32>
    %60 = linalg.matmul ins(%collapsed_37, %transposed_38 : tensor<9x16xf32>, tensor<16x16xf32>) outs(%59 : tensor<9x16xf32>) -> tensor<9x16xf32>
    %61 = linalg.generic {indexing_maps = [#map3, #map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%60, %cst_11 : tensor<9x16xf32>, tensor<16xf32>) outs(%58 : tensor<9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.addf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<9x16xf32>
    %expanded_39 = tensor.expand_shape %61 [[0, 1], [2]] output_shape [1, 9, 16] : tensor<9x16xf32> into tensor<1x9x16xf32>
    %62 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0, %expanded_39 : tensor<1x9x16xf32>, tensor<1x9x16xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.addf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %63 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%62 : tensor<1x9x16xf32>) outs(%0 : tensor<1x9x16xf64>) {
    ^bb0(%in: f32, %out: f64):
      %90 = arith.extf %in : f32 to f64
      linalg.yield %90 : f64
    } -> tensor<1x9x16xf64>
    %64 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "reduction"]} ins(%63 : tensor<1x9x16xf64>) outs(%3 : tensor<1x9x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %90 = arith.addf %in, %out : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x1xf64>
    %65 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%64 : tensor<1x9x1xf64>) outs(%2 : tensor<1x9x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %90 = arith.divf %in, %cst_20 : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x1xf64>
    %66 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%63, %65 : tensor<1x9x16xf64>, tensor<1x9x1xf64>) outs(%0 : tensor<1x9x16xf64>) {
    ^bb0(%in: f64, %in_46: f64, %out: f64):
      %90 = arith.subf %in, %in_46 : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x16xf64>
    %67 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%66, %66 : tensor<1x9x16xf64>, tensor<1x9x16xf64>) outs(%0 : tensor<1x9x16xf64>) {
    ^bb0(%in: f64, %in_46: f64, %out: f64):
      %90 = arith.mulf %in, %in_46 : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x16xf64>
    %68 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "reduction"]} ins(%67 : tensor<1x9x16xf64>) outs(%3 : tensor<1x9x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %90 = arith.addf %in, %out : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x1xf64>
    %69 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%68 : tensor<1x9x1xf64>) outs(%2 : tensor<1x9x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %90 = arith.divf %in, %cst_20 : f64
      linalg.yield %90 : f64
    } -> tensor<1x9x1xf64>
    %70 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%69 : tensor<1x9x1xf64>) outs(%10 : tensor<1x9x1xf32>) {
    ^bb0(%in: f64, %out: f32):
      %90 = arith.truncf %in : f64 to f32
      linalg.yield %90 : f32
    } -> tensor<1x9x1xf32>
    %71 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "reduction"]} ins(%62 : tensor<1x9x16xf32>) outs(%12 : tensor<1x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.addf %in, %out : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x1xf32>
    %72 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%71 : tensor<1x9x1xf32>) outs(%10 : tensor<1x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.divf %in, %cst_21 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x1xf32>
    %73 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%70 : tensor<1x9x1xf32>) outs(%10 : tensor<1x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.truncf %cst_19 : f64 to f32
      %91 = arith.addf %in, %90 : f32
      linalg.yield %91 : f32
    } -> tensor<1x9x1xf32>
    %74 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%73 : tensor<1x9x1xf32>) outs(%10 : tensor<1x9x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = math.rsqrt %in : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x1xf32>
    %75 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%62, %72 : tensor<1x9x16xf32>, tensor<1x9x1xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.subf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %76 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%75, %74 : tensor<1x9x16xf32>, tensor<1x9x1xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.mulf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %77 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%76, %cst_10 : tensor<1x9x16xf32>, tensor<16xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.mulf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %78 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%77, %cst_9 : tensor<1x9x16xf32>, tensor<16xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.addf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    %collapsed_40 = tensor.collapse_shape %78 [[0, 1], [2]] : tensor<1x9x16xf32> into tensor<9x16xf32>
    %79 = tensor.empty() : tensor<16x32xf32>
    %transposed_41 = linalg.transpose ins(%cst_8 : tensor<32x16xf32>) outs(%79 : tensor<16x32xf32>) permutation = [1, 0] 
    %80 = tensor.empty() : tensor<9x32xf32>
    %81 = linalg.fill ins(%cst_0 : f32) outs(%80 : tensor<9x32xf32>) -> tensor<9x32xf32>
    %82 = linalg.matmul ins(%collapsed_40, %transposed_41 : tensor<9x16xf32>, tensor<16x32xf32>) outs(%81 : tensor<9x32xf32>) -> tensor<9x32xf32>
    %83 = linalg.generic {indexing_maps = [#map3, #map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%82, %cst_7 : tensor<9x32xf32>, tensor<32xf32>) outs(%80 : tensor<9x32xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.addf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<9x32xf32>
    %expanded_42 = tensor.expand_shape %83 [[0, 1], [2]] output_shape [1, 9, 32] : tensor<9x32xf32> into tensor<1x9x32xf32>
    %84 = tensor.empty() : tensor<1x9x32xf32>
    %85 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_42 : tensor<1x9x32xf32>) outs(%84 : tensor<1x9x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %90 = arith.divf %in, %cst_22 : f32
      %91 = math.erf %90 : f32
      %92 = arith.addf %91, %cst_2 : f32
      %93 = arith.mulf %92, %cst_3 : f32
      %94 = arith.mulf %in, %93 : f32
      linalg.yield %94 : f32
    } -> tensor<1x9x32xf32>
    %collapsed_43 = tensor.collapse_shape %85 [[0, 1], [2]] : tensor<1x9x32xf32> into tensor<9x32xf32>
    %86 = tensor.empty() : tensor<32x16xf32>
    %transposed_44 = linalg.transpose ins(%cst_6 : tensor<16x32xf32>) outs(%86 : tensor<32x16xf32>) permutation = [1, 0] 
    %87 = linalg.matmul ins(%collapsed_43, %transposed_44 : tensor<9x32xf32>, tensor<32x16xf32>) outs(%59 : tensor<9x16xf32>) -> tensor<9x16xf32>
    %88 = linalg.generic {indexing_maps = [#map3, #map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%87, %cst_5 : tensor<9x16xf32>, tensor<16xf32>) outs(%58 : tensor<9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.addf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<9x16xf32>
    %expanded_45 = tensor.expand_shape %88 [[0, 1], [2]] output_shape [1, 9, 16] : tensor<9x16xf32> into tensor<1x9x16xf32>
    %89 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%62, %expanded_45 : tensor<1x9x16xf32>, tensor<1x9x16xf32>) outs(%17 : tensor<1x9x16xf32>) {
    ^bb0(%in: f32, %in_46: f32, %out: f32):
      %90 = arith.addf %in, %in_46 : f32
      linalg.yield %90 : f32
    } -> tensor<1x9x16xf32>
    return %89 : tensor<1x9x16xf32>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.float32_5: "0x0400000059B218BE79E1F13DD05316BEADA8F23DE08D343E8A23E2BAE1931E3E2D4A13BE2F630C3E6B320C3EE992313E870F3F3D158DDC3D1E86E1BD3596CC3C86B0723D",
      torch_tensor_16_32_torch.float32: "0x04000000D7E1A93D32E8703D2B1598BDAB642EBE4A38593BA016C23D54DCEC3D8550F9BC487B93BDE12197BBE9D20D3EDF2015BCA453203ECAB680BD67212A3D1719E8BD028CFC3B6A4E0A3EDE1C16BE9C831E3E8309093EF2680A3E5DAF93BD1836F83DFABCD23CD0D3E3BD163A2D3E317E34BEB33F203E3D10533D8C49EC3D1E33663D416726BE275E943D561802BEFBA18BBD04A529BD7C3CC7BD54A3EEBC735EFB3DCCFEBA3D92CCF3BD909EEB3DDAAB133D67ECAB3C197E7A3C7501B3BD4F1A16BE18F9253DD9A41C3EC99F14BEEB05213EEE94BC3D27FAED3D1719DD3DB5CA083E7D4AB93CF425AEBD61E9D0BD480813BEA638083CF840BD3CD9E60B3DDD9CECBD620CFB3DE637C5BD27B21EBE86F2313E6858293DDDA5113E190F3C3C20AA253E7FDCB3BB840090BDA651AF3DF4C6083D3F0B8BBDA9E222BD1838A43D630FF93DB3500DBEC276F9BD01B9E43D5C1F023E959CC5BC9A0286BDD785793DD58B123E1A41EDBDB1792C3D1C05C93DB9D14A3D7C90293E208728BE53A9CF3D817885BC78C0B2BD25032B3DB05125BD65541F3E3562FFBDF924C13CF53985BD0E8FC43DC962093E1869F63D3A4C693DFDD326BE35DDC33C6635CCBD65E6613D86C9CA3C816818BE4AF800BE8AD3B6BDC93120BEEBB38CBD8DDF88BDBD23CB3D4771AD3D03DC07BE9C36C4BCEF1B2C3DC9BF38BDCCE22E3DFF7F7FBC500220BEEB65163E8B6F02BE8990A0BD10AB9A3C97465D3DEA036B3D8953443D7E6311BE6E5213BE97F2183E397616BE295D57BD1C58D53D92B5093E79E9F73D828884BD9D338E3D1E879B3DA98CF8BD4B31F7BD74BA573C8996203E6FFB6DBD83B2613DC687063E9BDACE3D85F38F3D627E5DBDA9CED13DD4542CBEF0454E3C0644C03C0DA626BD7A09283EB3F02ABE7A9DE5BD3011183E949F47BDF191FA3CD132903CF080143E6B761C3B80445BBDC81A87BDF3FB68BD12E7FCBDBE997E3DF63E34BC4D35E5BDD42B44BD5F7618BDEA6E723DD308F9BD87642F3E8BF926BE74F52F3EDE27C53AB153893DFF16753D983D1BBED8B822BE7410E53C37A822BD9520A2BD004D9DBD78DCF1BD485A9B3D6AD212BEC592B5BD29A3BE3D3CD9983D0BC883BD942A2DBE1C06AF3D78D6143E6B84AEBDCEC61E3E3DE9B4BD4411FB3D87759F3D068710BE41C93A3D241BBABDB47646BD07FAB93B8C8802BEA30B8A3D3372FE3DB66419BD990AA63D13531FBEB2DD8C3CA418BDBDFDE1AC3B216C6EBD2CB7C4BD009634BD028726BEC559A2BD1723A6BDB47D2F3E8A1EB5BDC1CA95BBE40A4FBDD17D0EBE548B4D3DBE3B05BE33CC893D1DE692BD05EF9F3D72F9ED3DAE230B3EBD4A2A3E66E91ABDCA6E33BEAAA56BBDC9A82EBE6775F03C698023BE0FD6EBBC3F1D153E3167CABB9F75463BD6F2273E8075B3BD88D227BE2616C03DCA15F63D5CC972BC20260FBE49081C3D58B45D3D1027FBBDB3ADA3BDA111833A5179D63D8ED364BA99352B3E51FB293E790C373DAF43DDBD7742AFBD5A7D3EBDA41A7E3C3A64DEBD32602CBEF40E58BDFD4D03BE7939703D658FC0BD65D259BD26EB993D1853163DCE24003B22FECD3DAB7700BE2A413D3D4A3B563C87092DBEBF8C553DF7D3F2BD33AC3ABD6E45AABD67EA29BE3319EA3D2A2ED63D2868AA3C693FEBBD1540223E1B3F81BD42ADF9BD28AA04BEDC3DCC3C2D9FD0BDA6F9CFBC95E12FBE88E03DBDFE8029BE583A01BEE9A613BEE133E6BD6C22123E3F8F61BDBD13F3BD2E6A2C3E59DC793C7AF713BED8AA0CBE1F059D3C2972FFBD0C80943D4C5E1ABE3F1822BE456FCC3D2D729CBB48A3663DBE504ABD2AC8FDBD4993F03D3499F3BC1081073E6A2C46BDBE4B19BD041025BDA5E4CFBD03890D3D4C6F363D410091BD03BEDDBDB2FD0E3E888202BC8B34E43C52EAD2BD9358013EF12C153EAEB11C3D76B0203E70CBD23DC3E4113E156FB7BDF03783BD0760E9BCC6C7B6BD3558BA3D6F9BC7BD647D763DA7B9C53D130B06BD32B8243E6BE3A9BD8E049F3DCBA6F53DBDA0DABDF8D212BB1F360C3ECA0310BEB085BBBDC15132BEC106FC3DC175F43D963BF23CC200013DAF632EBEDEFDA33DB148AEBDE628C23DDCD2E8BDBA7FF5BD2D47FE3D97B84C3DC56752BD9EF2E9BD0FA11EBEF2EDFE3D24F076BD97C51C3D1B84D73D43DF32BD1320AABD7ECCC9BD9180773C49D69ABCE4C6943AEF353A3D984322BEF608B73DE48FE4BCC31B1CBEA70B83BD1C053C3BF3F31D3EC7F72F3E96DD87BDE3CAF6BD192F0D3E75AA123EBECBD13D904B27BE76D9F33CE1BE233D5BDA583D9D9FF9BDD5CF6E3C3BDB8EBD4975E23DC50EEEBD3B2D193EDAA24B3D6F902F3D6150A4BD5BDB29BC7833343D0B6909BEE600C33C7D72C33D699A903D7DA6173EBF03B7BDDC3334BEA4A18DBD7C27CDBD6A1CCF3D98415D3D2B5F2CBEAB7EFFBD47EB22BEDB276D3D7B3B363D9E045B3C74F74CBDC61B1E3E15CD0A3ED79723BE5565E4BDFD15413D4E96F6BDB16FD83C3F781D3DC37704BE03A5FA3DD074ECBD2507E2BD0E36EFBC7C7EA2BD2F7D6B3CD49FE1BD55E4E33DFA1B2BBEB2A367BD03663B3D77C55A3DE41FB43D634E44BD9537053DA76716BE100B6DBD6AF9C93B282623BEE2D5C7BD11D5403DC7AF1EBE9840043E6CE5ADBDDEAC8FBD4F30D63D4DFF50BD74213E3DD1921E3E6F0B0B3E3290123EDEF71CBE9826293E2942743D974F683D72EB3DBDA9EAD0BD1BD102BEDD3F3D3C1C900BBEA3E72DBEC423023E54D786BD4C251CBECBDD2EBE2EC4173DE818EDBD9A1F5ABD9152E5BD56E6A9BDAA54C63DFCF8343E8ED2BD3D23D6363C74B4813C22000DBE4D7056BD8AAECB3DB8FEF5BD7F5EC63D99FDD4BD65F524BE11D77D3DE4402A3EB303293E18FFF3BD",
      torch_tensor_32_torch.float32: "0x04000000F447D33D024C4DBE360C4DBEB028A7BCA2E3153EB8D50FBE80E619BDF4E9E7BD66571E3E2CBEFABD681813BD9039EE3D34F8D4BD6053753EFACA09BEA09AAFBD90338B3CC0E3F0BD52017BBE821942BE548F66BE2A18653E00878A3C7C67FCBD78D5BF3DE0A3523CF082FABD4CA9273E727326BE364F33BE8A39353E98B9FD3D",
      torch_tensor_32_16_torch.float32: "0x04000000A6B346BE0E4D32BE8ECA54BE28B510BE7087813C509FEE3CCC22EABDF057193EA4D0C1BD6036B7BC3E62063EE2346B3E7467593E02A770BED26F33BE28C92E3D00EB35BBBA65433EDA420C3E4EA33ABEA2796C3E80A7983D34F1023E907E3CBDDAFC3A3EDC582EBE60F4E13D4EA57D3E2CF7943D6467B2BDC010073CD4D2393E789F14BE4096FFBD3881233D485BDEBDACA38BBDF4BAB7BD92100C3E38565CBED0975BBE8E81473E003F0FBDE8E560BE58BDF43D7E5023BE20AF64BC04761B3E383A10BE40D844BEA0500F3DF449FBBD586D6FBDBC883A3E182D573D447C923DDE2967BE92441EBEAA3A31BE68A5793E8466C0BD32A2763ECE207C3E4E961CBE743EDA3D34B5CABD8628763E5EB9383EE077903D2843053E087C0CBDC8D903BD88F109BDE027EBBDD22457BE701C07BD10219BBD7022513E12D9693EA44F64BE88104BBEFCB2FBBD10037ABEB04895BCF872863DB08ED9BC6838783D50F32CBDCAD177BECEBC10BE123178BEDE6C11BE3A3C15BE400D3B3E8CDCB1BDC0CC4FBDE45D46BEACB0A8BDA0A1093DC8BC603DE017683EBCF3D33D40A4AEBCA60A3D3E141211BEC063C5BC60C74D3D642B913DA00FABBDD0DEE53CE470CF3D208876BCD085A6BDDCC768BE3AA91ABECC0F7FBE982944BDCE954BBE0010E6BD2C7B493EE40F70BE94472A3E4056D4BB6A180ABE26126F3E1245553E3A840FBEE028233C2C55D3BD304E6EBE84CC043E363E0B3EB08B5A3EFC7D1ABEE48089BDAAE3063E06070FBE26785F3E8023A83B6808343D8465B93DFA4C193E4849843DD44816BE7A90653E1C58E2BD107DFE3CEAAE7EBE902DDBBDD8793A3EC07AF53C20F8B83CF497C4BDEC0B50BE3EE03F3E06E22EBED82C393E4ADF12BEC0ED513EC04C183C1C9F23BE3AB27B3E6E324E3EC64508BEBEAF14BE5C578FBD40A59BBB82A6303E2E6F1CBEC422F83D3258633E54D5B03D4081C0BD6AE9713E4CA0BEBD80B5273D003C31BE98CCD13DF2F97ABE5464B83DF68139BEE27372BE24D6C3BD9AFB3B3E407DED3D828C52BEEE9B063E7C3A82BD382CF2BDC41A73BE7042FEBD4081703E70F11DBE586D323E60B5B2BD7A956CBED0F217BE38BDB13D0C7FE43D90D9543DC0EA8D3D7441ACBDA09111BCD096853D08B704BD02C24A3E80EB5E3ED4A7633E3EAB663EDC6378BEF864A0BD1E1E293ECCA4273EB0AAC63C9C929E3DA0E8083D08F41C3D009EB1BD3075C2BCE259023EFE93713E70116EBD3AA3293ED814773EC0C3783D3431523EF472053EF2A25FBE98E61BBEF079C83DF415C9BDAC779CBDB4AE8FBD627551BE40C853BC283A373DE88126BD04BC25BEF0E92FBE90CB553E56FC5B3E54F0F5BD0A2B2FBE08AD58BD160514BE4EE879BE68AF3BBE90885B3E30CA7FBD884E423EE8F0CA3DF0A293BC04A1BBBDB87B2F3E60367EBDB6C929BEBC70C53D34F1EBBD5CFCF23D18BB883D00EA5EBEA4E1F5BD4847283DC032013CB8523F3DA0B869BCC06F69BDF0971ABD4876F63DF47DCCBD6C78AABDE422693E1C316E3E9EF83A3E86355C3EBC2F28BEBC0A8BBD80C03BBE58E0DCBD5893053E54146F3EBC7273BE9CE0303E5442CCBD58934C3EE0C9593D7A2B22BE5489283ED4AC1EBE5C45D4BD783601BEB0B1E33D9CF5BD3D0E2907BEAEB618BE38852A3D401BEB3DE873F73DAC0C50BE0C0DAE3D062C67BEF0504BBD301FA2BCCE2B68BE4C38153E6A223BBE983F403DF65101BEC873F63DD465913D7079ED3DA006D0BC6483E5BDDC7EC6BD1C003A3E78C1723DE4A6E9BDFE5E01BEF83263BDE8BCC2BD1007C0BDCE8D6F3EDAF805BE1EF67D3EE252543E0C1F18BE8409E33D226A68BE7046D13C3C7927BE964726BE1415973D507EDB3D74D981BDA03DFFBCC418B63D5E2A75BE4097203CE88277BED406ABBD6A7D5E3EA0B7B6BD84B4E1BDD45F6FBEDA8C783E848AB73DD0A045BE10436FBDAE7B4E3E001176BE70D5B63C32B33CBE261641BEE87A5BBDE8E3C93DA6527DBE82600DBEF0AD4CBEB8EA53BD5854EEBD1C990A3E00D6313AC0F004BD84C75FBE80E2EB3BC64078BEC47A65BE944AD13D3EA37EBEA04D403C3809763DC0EE78BC86E82B3E503E5FBD9AFC313E0C5311BEA6124BBE6E8228BE88C30B3EC026B93C50D8F9BC8051DFBCA4ADCFBD8842503D00EC84BC9089D7BCBC3ADBBD5EF327BE00E1033DA03B723CE4D061BE3C605E3E98D6E73DF4681D3E8015973DA45489BDE4B5AE3D9C91ED3D000EC93D6CF5A5BD7CE605BE00C314BC54414A3E86B30BBEB8F3CDBD003AFDBDA60656BE4879C53D104113BD705CCC3C8CAE793E007F223DE281473EA859253D90E8D9BC00FB1B3EA8769C3D80EDEEBCA07C093C640BF9BD808EA3BC50D9293EB8EF583E90A46B3EC2C83ABE00BFD9BB7460CD3D46E52D3EBA400DBEA0174CBE78CEAD3DA23D13BE009A7F3E1A2C20BE3C1DFC3DE4B59DBD986C52BEEE9979BE6060DE3D34239CBD56BD24BEB6A27C3EE624163E968E283EC809E6BDE0954BBCE88D623D80ADEBBC30FCF53D281F79BDA0D264BD9050D6BC0082C9BD94842FBE00DCE5BCC02DB7BD24CCA1BD98D2DFBD4416ED3D286A26BDB431453EE00D963D2468AABDBEB87E3E6CF79FBD70E457BEA6072C3E22D111BEA2CF2E3E4E31443E5429A4BDE882CABD6847B33D5CFCFF3D3CC6473E2417833DF04B9D3CB40D603E80C96C3DA8A74FBE884886BD003E70BCEC2AAE3D4CAB75BE128B7EBEA8D411BEA80B033DAAAF2D3EA04155BE4430D43DC0DC553C66FA613EA0E70EBEE8939FBD3003A63D0CDA73BED672223E0C24D1BD10B6483D1AB61FBEAC634D3E8C429C3DC04AFE3C280CF8BD64083ABE206EA23C005430BE60B12BBCCEF65E3EEC05903D68DD8CBDB8BDB9BD",
      torch_tensor_16_torch.float32_4: "0x0400000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
      torch_tensor_16_torch.float32_3: "0x040000000000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F",
      torch_tensor_16_torch.float32_2: "0x04000000E07EAABCC87A9BBD046B73BE5CA62E3E406666BCF24D38BE8C6F923D1058A0BDCC428ABDF0684BBEB43F7ABEC428993D147964BE1C10263E281068BE782703BD",
      torch_tensor_16_16_torch.float32: "0x0400000076C44FBE68B1B1BD9441383E20D829BC709104BE184E5B3E2E5D6FBE78A185BD30E8533E306DC93C7484B9BDBC6C0ABEA84F80BD4EB00DBE80D58CBCAED26E3ECCDB0B3ED478A5BD9A101F3EB4E46DBE80E5273B2A5C583E7804673D921250BE2046383DA4C91D3EC0E3A0BC16BE163E2A7C58BE48B12E3E8E9679BE6C00E03D628E5BBEFC099CBD4057C1BCF8FB1ABD8047E4BC4EA043BE822E37BEB49B213E306B743DF0B8D53C68C031BD54F1843DF0275F3D80C95CBDB067943C40459F3C3695613E46026ABEF23E28BEC8EBE5BD2C5DDE3DE82B2EBE04B4F7BD0C1FE1BD7069AFBCD8496FBE2855383D7C4C413E8429203EBEC447BE1C639ABD94CF053E2053B73D1454E43DF849D63D08BC76BD003C293E04AA6F3EA45BBD3DE0CB28BDB49FDE3D80A0313E8E7C4ABE8C408D3D8859F4BD8010503C08CD29BEA8953DBD00D87B3A60A31EBEE41B39BE08C8EE3D3061FBBDE227313E0858EFBD6C0E563EE071073C40F814BE00E538BC24C2AFBD0024373DEC14D73D846E6ABE08081C3DB6F9073EF492E7BDC0FD9C3BDE3C093E08EF46BEA26E3E3E0A6E56BE5CF19ABD4CBDA13DA0DE29BD1EFF78BE3E7A2EBE40CF53BCA4C0BEBD408235BDE2DB2A3E3C93E1BDF0A2C03C70C55CBE146FDBBDBAB84E3E4829D53D00AC8FBB7840CFBD488D44BEE48D003E6050E2BD400B0ABCEC4219BEA4AABABD2068243C98EC1ABD10FA91BC400145BDEC96C73D4802463DBE0E663EB0DD8D3CBC5166BEC09950BC66C6503E6C3CC6BD80B4FA3B407A5C3C9A6232BEB6B7733E40BB76BD921E3EBE78D135BE7E581ABE28DC76BEFA91443E4AF8643E8EF352BE0A4410BE844BF83DA4E688BDE249793EA88B02BE1C75C7BD064152BE5CF99EBD408B2D3E285723BD14026BBE6E640D3E82EF0EBE4003983DB6DF793E302FEC3D7080553ECCD63FBE30B840BE846C79BE6A542B3E20313ABD5866C43D203E25BE30BF973C4CA16C3E80722C3C7409583EAA432EBE9046C93C684F63BD246169BE369402BE30E5C7BC6A7375BE4A2A363E585C10BEC0AB59BC801430BB022F76BE1887E7BD08A4243D609B92BDAAE7163E9416923DE81AC13D0E53103EC0682C3DD0FE60BEA81FDF3D24868FBD9846523DE8B3AC3DA456923DBC82393EDA5F6D3ECA1D3CBE8069EEBD384ADA3DC099B0BB68AC673D645D64BE7045D0BD00FA84BB06DF503E90133CBEE8CE693DF0A1FD3C90EDDDBDF04BDD3D98AE613E0471543E202669BDA0383BBC00972ABC50F9153EE22E0ABE28F17E3D0E3B133EE24F123EB8F4CDBD4C37123EA28059BE10ED9DBDF0564E3E70DEEDBD8067183C60EF713E2085F93C00F8C7BAA86A783D783C36BEB2617CBEA413F23D10A4DBBCD84EE83D605E51BC7A6C393EB0E234BE6E3703BE6C8E62BE785253BED607463E40FF5ABDCED900BE7CEFA2BD",
      torch_tensor_48_torch.float32: "0x0400000034B05CBE1C1CB5BDE0CD8C3C30C9C3BC38FDC5BDC0B5973DFCBB2DBE6469D63DC0C32CBE0E6B4E3EB2614D3EAABE7D3EB8F67ABEF8CEBBBD38384DBD6E756CBE2C08E63D7499CFBD809596BB9C0EF53D98F347BE98F30C3D8C64E0BDA8A1333EF6D95F3E603370BD6EF824BE0EC5153E982836BEDCFD723E8A7D4C3EE492DB3D0839F1BDB2383E3EEEF3413E683144BDE06818BE00E7EA3B5A0F483EA4125F3E5EE86CBEE833663E087F25BE201E3D3DF4C6E3BD864010BEB87C1FBD602A083C",
      torch_tensor_48_16_torch.float32: "0x04000000703C5ABD7071173EFC9E283E1A7D273EF459203EEA0D46BE989875BED0D6E43C08AD943DD6EA44BEA23C513E60D8D8BC440716BEFC9A2F3E4437603EE8551D3D9448A3BD5045DE3C1AB63CBE78C81D3EC6B5203E68B83FBD48F44ABEC40A3E3E4A6D51BE6C6E06BE10B5183ED474FEBD8806433D366D523E387301BD50A167BD484D6D3E70EC2E3D0C96B23D903EA8BD58DB5CBE404E203DAA5517BE3A6604BEF0FD51BE6E515B3EDED22BBECC1F943D70B3523D78D0303EE8CE0B3EC03A33BE88F5E23D5A0902BE6053163C8478B9BD982C5BBEC838993D60D12ABEB67D7A3EA857CE3D101AB1BD24E915BE62F46BBECC1101BEB60327BE8039DC3CB81B753D70015E3E40A5093D600250BD6845E4BD680B10BD5852073ED8D676BE82636ABE5402CA3DFCF29DBDF08897BD48F624BE16752ABEDCB63FBE78CF1BBEE0106ABE0C9EF0BD9C624D3E8AA70DBE7095423EA88557BE307AED3C90ADA9BC045241BE803BC73B7A3C553E8053E7BD861A6B3EB06CD7BC08E5A1BD2CBDFC3DEA1F483E10F55C3E448A173EBECF64BE909050BDC0CDDE3C9C57E9BD0C41EF3DF86F61BD3C8C5CBEE071E2BD221E25BE6415C43DCA493ABE081081BD90A7D23C74C6DC3D4EE444BEF899303E664924BEEC2D44BEF436D13DE03616BE9EB4393E28AFDC3DD082F8BDF8C860BD000EEABD2076C2BC00FA1DBAC00BC7BB804A27BEB47D55BE0CB723BE18E22C3DB0FFD13CC4DE00BE58F725BD80F9CDBBBE2E373EEC0B66BEEC12E4BDF88211BDE02E28BDEE3607BED0E5FE3D4874C0BD0098D23C32A211BE6EB07D3E2A1C17BE98CC56BD8A1C4D3E140A0B3E18C266BE06B2223EB2A308BE3063FBBC9420D13D0029843C3202453E5414C1BD0AC932BEE0F2813C1C26B03D56BB403E001302BE8044E5BCE4EC13BE92BB39BE922948BE983635BE64821ABE8473A83D90980CBD6AE6203E782F443E085E46BE0000463D1C090C3E04264FBE10D393BD84FE393E3A273DBEBEBA643E7012B03C38523A3D0EAE553EE0226FBE84675A3E868664BE1431F33D400334BC64E5483E00E34EBB1A437BBE786E043D1C0F2B3EC0844ABD66E771BEA08310BD508EA13C58907C3D3CE9A33D083908BD407256BC781057BD8856C43D30386A3DA869CF3DB013BBBC60B0BEBCAA313C3E585B003DA80A6ABE30064F3D90D26C3EA08346BDDCF6193EA44838BE70951CBD0E2A2B3EC60000BE109182BD00A90B3BB8CD1ABD48E38FBDAC9F303E60F93ABD7C928ABD5EEF3F3EB813643DA0EEF1BD929F193ED044FBBDAE277F3EF291543ED052C33C90AA8D3D08B2CEBD52E045BEB21C36BE9484A23D1876FA3D80EA47BB1875A7BD28A6A6BDFEA90DBE5A991ABE3AE5283E0CF95CBE60F03A3E6E510D3E4CAF8BBDC0AF04BD78CBABBDC62757BE00D0A43C62DE43BEC0C4EA3BF02BB2BD720D46BE14C06CBE0213643E10F3463E342B6A3EA054BF3D6465E43D801CF93D8C7C3C3E001B203D7050D33CE8B13A3E9840E63D5E861BBEF62B2C3E3A29773E3818C2BD342673BEE8CF32BD6C3027BE64197E3E28ED58BDE07C02BEEA97233EC41AC43DE4CD963DD632663E24B17CBEA890F73DE826F0BD2080AC3D84E5B7BD32DC693EF09244BD6097C63C0E4C49BE6C5F1B3E3E667DBEC0D70C3ED8EA343E8C9E4B3E0A021C3E0429A3BDA093513D94A1813D449774BE30400A3EA47E4EBE5068B83D2C38773E004E8EBD28FE0B3D2C2C6D3E3615533ECE87553E361E31BEC8B8493D20F755BE20CF3B3D804372BED042EC3C4CA8013E8E0A64BE60DE1BBD30B3D3BD404A523EB003CBBC9E391F3EF6CC3CBE08E50E3D8093393EA036633C2C67B3BD2C89D1BD18C12E3EF8F7C93D0055893CEC4C173E403305BEBE6342BE682667BD6E893B3E149977BEC040FEBDB051783DA4F1C03D181E003E54F59A3DECE961BEBCA6A6BDF66B1D3E7062303D8E7F0C3EFCD53F3EA866123E8CC7D4BDD06BF5BD082E33BD40DEFBBBA03BB2BC700544BDF849093DFC17213E800330BED4FD013EA8287DBE50948A3C183B69BE962B773E22A859BE500D0FBEFA1E293E446B073E1C56493EEC4A8C3D342566BE507C33BED4452F3EBE4779BE308E663E28602DBD18203B3DE09A2FBC880981BDC8247BBD58A6983D58DA33BD302B2D3DD286563E0066B83C4A0149BE4AD141BEA4C4223E84FFB23DB073443D7075FFBD28A551BE0C3A5C3E1A8F70BE6805FFBDB417C83DE0415D3E780CB1BDC28278BEF0416E3DC0A1B8BB88461CBD84D463BE4498333E38FA143DA830943D28DB193EE2765E3E989E81BD202BB43CD48D21BEFC3F41BE820C01BE481B193D000F22BEB82C113E9C95B23DEC1BA8BD20A3FC3D68873F3EDC8FAABDBC720E3EC2A21F3E1610703E3CE73BBE50B24C3E00B0FD38C0B4883C005237BA2A5425BE0CFDBABD305550BEF02B05BDB0EC7E3D5CE935BE7473C53D2E2A7BBE882BF73DA2557BBE60FC01BCF4903C3E424168BE3CC449BEC0FEF6BD24FACBBD02DB0ABEE24E603E023538BE04BAE73D6AA537BEFC9FA5BD98164DBE48C474BE1EBB0ABE0028093C96E5093E944FC83D386BCC3DD6F6583E40E82CBC98807A3EA0575FBE70BFEFBD9EC34DBEE46930BE6E7B3EBED68872BEE682703E003D443D8ED8003E00E2A5BD70BD693DD04109BE60837DBE509ABA3C20F71C3E60CA22BD10D5A13D7091D73DB43B3A3E34EB71BEE48BD3BDC0EB873C1278763E4449773E827D2DBE7CB528BEFAD5723EC01B98BC0E0F15BEE64603BE84D7143EB6FB1E3EC674573E00EC4FBD78EF99BD40E73FBC20E0603EB6B263BE229A013EB44632BE1098DBBCA4B4573EC8BFB6BD6C35D3BD404811BC0086E13DF6554E3E2E4274BE427D493E3CD5AEBD68D6103D3A5B0DBE7C5A813D8ECC79BE8C0624BE1086E8BD92F9203E3025863DC8D534BE601E143D6AD2783E8C4A77BE3E6F5F3EBC95473EA021613C2EF801BE98E0E83D6C69F23DA426C7BD26FC10BE0A2729BE148FC2BDB04B553DDCAFDB3D80D4A3BB7C1E5D3E58DF923DF416963D64F3FDBDE47A95BD04BF2A3E76F3023E70FEF0BC8ECC2BBEC0D16FBEA0EF563CC4E223BE604221BD608C2ABD4AD96FBE5219313E90D13DBD8E0A7CBE18AB69BEA6FE4BBE3CC4C8BD60557EBC6424D33DE03609BC6CF674BEF4464CBEFCED02BE3C00493E60F63ABC648E6CBE9462D6BD40B93ABE50390C3DE06EAEBC68A921BDB297463E50E21ABE805BD83C58E5B9BD20FC323DEA104BBEA047C6BDC8EBF13DD4C22ABE30E2E9BDD01307BDF81848BE62EC24BE90FDA5BDB05CF0BC102B5CBDE04C673C208F6ABE90A825BDD6CF60BE36A1063E0A15693EBA344ABE705A38BEA43C783EDCE1463EC080EB3D28B621BE9457A03DA00902BCF8BD403EBC421F3E80BEE7BC3097C73D2CBF5FBE4025303D2AEE1BBEAA434B3EC8DC39BEB08E5EBEA2F659BEA43192BD80B35E3C40A0EABC5023D23D4E4163BEB67016BED8D70DBD006202BC48FF5DBDC405EB3D8885043E60FB37BD60AE47BC40D21FBDD041C83C38AAD6BD20AB1FBD1CDE3BBEB61B563E6C012F3EC8F02DBEF0AB973C327A16BE78714EBD880B63BEB01388BCB40CE9BD700C66BE9E4E7B3E90A9823D60A72F3EA061283D800B533C90DAE9BD8069CC3DD430243E60A36EBC8EE703BEBC234D3E909DB3BC4C2928BE9C84113E7A987B3ED430713EDC71523E723A683EF6767DBE30D3AF3D32FD5D3E62E025BEFCBB873D18DEA1BD303A94BC945CED3DC0BA973C1039B7BD88EB40BD70FDC13DAE8301BE7E262A3EF2C56DBEFCCE2EBEB8AA8D3DC092C93B6885113E0809DB3D2033483C203F1C3DE0113B3E22B870BE6C35AFBD062F253ECE1B48BEDCADF43DA81A2A3ED885A43D80B227BE00670FBEA0C16C3DBC72E4BDB84EC93D8CFF923DA06E393D22C3673E94E376BE02C375BE46912A3EC8E2ABBD882974BE380DABBDC8C4423E905210BDC8F5F93DD430153E68F49CBD2EE5043E04039E3D009A23BE00674EBD18471B3EA021C73DD07A0E3D504BFBBC364934BE3816B9BD32F8253E20E95DBC767319BE28F0073DE40553BE90D2FCBCC0BF27BC4A0772BE80232CBE107A2DBE3A0032BEC4C1503E5C59C73D8C1035BEA03FDABDE6103C3E5A7F5F3EE030C83C80A65A3B16E042BEE0AD173EA8C88FBD0012C13C288550BD2027B13D88D76E3DB8046CBDD05224BD005A42BAD8DA4ABE000D73BC72AA3FBE3631463E4A3D023E70E1D8BCBEB5303E50D6B43CA4EB693E80884D3DD85CF13D00971C3D140211BE982170BE2C7CCBBD924B483E0AE2023E4846A7BD7C3F1FBEFC177C3E00FDDD3C",
      torch_tensor_16_torch.float32_1: "0x0400000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
      torch_tensor_16_torch.float32: "0x040000000000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F0000803F"
    }
  }
#-}
