// Address arithmetic is reassociated: what does not change in a loop is summed before it.
// RUN: softex-opt %s -p convert-to-riscv | filecheck %s

// CHECK: rv32.li 268443396
// CHECK: rv32.slli
// CHECK: riscv.add
// CHECK: riscv_cf.bge
// CHECK: xpulp.cv.setup
// CHECK: xpulp.cv.lw %{{.*}}, -4
// CHECK: xpulp.cv.sw %{{.*}}, %{{.*}}, 8
// CHECK: xpulp.loop_end
func.func @address() {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %word = cluster.launch_word 8 : i32
  %n = arith.index_cast %word : i32 to index
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<4x64xf32, #cluster.tcdm>
  scf.for %i = %zero to %n step %one {
    %j = arith.addi %i, %one : index
    %row = arith.subi %n, %one : index
    %u = memref.load %x[%row, %j] : memref<4x64xf32, #cluster.tcdm>
    memref.store %u, %x[%row, %i] : memref<4x64xf32, #cluster.tcdm>
  }
  func.return
}
