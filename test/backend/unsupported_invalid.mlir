// What has no instructions is named.
// RUN: softex-opt %s -p convert-to-riscv --verify-diagnostics --split-input-file

// expected-error@below {{functions without arguments and results}}
func.func @arguments(%a: i32) {
  func.return
}

// -----

func.func @wide() {
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<4xf64, #cluster.tcdm>
  %zero = arith.constant 0 : index
  // expected-error@below {{the cores compute in f32, bf16 and vector<2xbf16>, found f64}}
  %u = memref.load %x[%zero] : memref<4xf64, #cluster.tcdm>
  %v = arith.addf %u, %u : f64
  func.return
}

// -----

func.func @call() {
  // expected-error@below {{no instructions for test.op}}
  "test.op"() : () -> ()
  func.return
}
