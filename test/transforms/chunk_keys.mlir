// Keys go by chunks where whole rows of scores do not fit, and where there are more than 256: then values have partial sums.
// RUN: softex-opt %s -p chunk-keys | filecheck %s --check-prefix=WHOLE
// RUN: softex-opt %s -p 'chunk-keys{tcdm=65536}' | filecheck %s --check-prefix=SMALL
// RUN: softex-opt %s -p 'chunk-keys{tcdm=65536},chunk-keys' | filecheck %s --check-prefix=WHOLE
// RUN: softex-opt %s -p 'chunk-keys{tcdm=65536},convert-transformer-to-jobs{tcdm=65536}' | filecheck %s --check-prefix=JOBS

// RUN: softex-opt %s -p chunk-keys,split-values | filecheck %s --check-prefix=WHOLE

// WHOLE: transformer.attention {{.*}} key_chunk = 192 : i64, value_chunk = 64 : i64
// SMALL: transformer.attention {{.*}} key_chunk = 64 : i64, value_chunk = 64 : i64
// JOBS: cluster.kernel @transpose_380x64_by_64
// JOBS: cluster.kernel @attention_380x380_1x64_by_64_summed_by_64
// JOBS: softex.open_slots
// JOBS: softex.divide %{{.*}} length = 64 slot = %{{.*}}
// JOBS: softex.accumulate %{{.*}} length = 64 slot = %{{.*}} chunk = %{{.*}} of
func.func @main(%q : tensor<380x64xbf16>, %bias : tensor<1x384xbf16>) -> tensor<380x64xbf16> {
  %a = transformer.attention %q, %q, %q, %bias {heads = 1 : i64, batch = 1 : i64} : tensor<380x64xbf16>, tensor<380x64xbf16>, tensor<380x64xbf16>, tensor<1x384xbf16> -> tensor<380x64xbf16>
  func.return %a : tensor<380x64xbf16>
}
