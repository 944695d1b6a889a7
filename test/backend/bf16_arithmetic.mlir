// One BF16 operation is one instruction with one rounding.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers -t asm | filecheck %s

// CHECK-LABEL: scalar:
// CHECK-NEXT: li a0, 268443648
// CHECK-NEXT: flh fa0, 0(a0)
// CHECK-NEXT: flh fa1, 2(a0)
// CHECK-NEXT: li a1, 16128
// CHECK-NEXT: fmv.h.x fa2, a1
// CHECK-NEXT: fadd.ah fa3, fa0, fa1
// CHECK-NEXT: fsub.ah fa2, fa3, fa2
// CHECK-NEXT: fmul.ah fa2, fa2, fa1
// CHECK-NEXT: fdiv.ah fa2, fa2, fa0
// CHECK-NEXT: fmadd.ah fa2, fa2, fa0, fa1
// CHECK-NEXT: fsgnjn.ah fa2, fa2, fa2
// CHECK-NEXT: fsgnjx.ah fa2, fa2, fa2
// CHECK-NEXT: fsgnj.ah fa2, fa2, fa0
// CHECK-NEXT: fmax.ah fa2, fa2, fa1
// CHECK-NEXT: fcvt.s.bf16 fa2, fa2
// CHECK-NEXT: fsqrt.s fa2, fa2
// CHECK-NEXT: fcvt.bf16.s fa2, fa2
// CHECK-NEXT: flt.ah a1, fa2, fa0
// CHECK-NEXT: fmv.x.w a2, fa2
// CHECK-NEXT: fmv.x.w a3, fa1
// CHECK-NEXT: sub a1, zero, a1
// CHECK-NEXT: xor a2, a2, a3
// CHECK-NEXT: and a1, a2, a1
// CHECK-NEXT: xor a1, a3, a1
// CHECK-NEXT: fmv.w.x fa0, a1
// CHECK-NEXT: fsh fa0, 0(a0)
// CHECK-NEXT: ret
func.func @scalar() {
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<8xbf16, #cluster.tcdm>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %u = memref.load %x[%c0] : memref<8xbf16, #cluster.tcdm>
  %v = memref.load %x[%c1] : memref<8xbf16, #cluster.tcdm>
  %half = arith.constant 0.5 : bf16
  %sum = arith.addf %u, %v : bf16
  %difference = arith.subf %sum, %half : bf16
  %product = arith.mulf %difference, %v : bf16
  %quotient = arith.divf %product, %u : bf16
  %fused = math.fma %quotient, %u, %v : bf16
  %negative = arith.negf %fused : bf16
  %absolute = math.absf %negative : bf16
  %signed = math.copysign %absolute, %u : bf16
  %most = arith.maxnumf %signed, %v : bf16
  %wide = arith.extf %most : bf16 to f32
  %root = math.sqrt %wide : f32
  %narrow = arith.truncf %root : f32 to bf16
  %less = arith.cmpf olt, %narrow, %u : bf16
  %chosen = arith.select %less, %narrow, %v : bf16
  memref.store %chosen, %x[%c0] : memref<8xbf16, #cluster.tcdm>
  func.return
}
