// Packed arithmetic: broadcasts become replicating forms, fma accumulates in place.
// RUN: softex-opt %s -p convert-to-riscv,allocate-registers -t asm | filecheck %s

// CHECK-LABEL: packed:
// CHECK-NEXT: li a0, 268443648
// CHECK-NEXT: flw fa0, 0(a0)
// CHECK-NEXT: flw fa1, 4(a0)
// CHECK-NEXT: flh fa2, 8(a0)
// CHECK-NEXT: vfmul.r.ah fa2, fa0, fa2
// CHECK-NEXT: fmv.s fa3, fa0
// CHECK-NEXT: vfmac.ah fa3, fa2, fa1
// CHECK-NEXT: vfmax.ah fa0, fa3, fa0
// CHECK-NEXT: fsw fa0, 0(a0)
// CHECK-NEXT: li a1, 1069547520
// CHECK-NEXT: fmv.w.x fa0, a1
// CHECK-NEXT: fmv.x.w a1, fa3
// CHECK-NEXT: fmv.h.x fa1, a1
// CHECK-NEXT: li a2, -65536
// CHECK-NEXT: and a1, a1, a2
// CHECK-NEXT: fmv.w.x fa2, a1
// CHECK-NEXT: fmul.s fa0, fa2, fa0
// CHECK-NEXT: vfcpka.ah.s fa0, fa0, fa2
// CHECK-NEXT: fsw fa0, 4(a0)
// CHECK-NEXT: fsh fa1, 8(a0)
// CHECK-NEXT: ret
func.func @packed() {
  %a = arith.constant 0x10002000 : i32
  %x = cluster.view %a : memref<8xbf16, #cluster.tcdm>
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %u = vector.load %x[%c0] : memref<8xbf16, #cluster.tcdm>, vector<2xbf16>
  %v = vector.load %x[%c2] : memref<8xbf16, #cluster.tcdm>, vector<2xbf16>
  %s = memref.load %x[%c4] : memref<8xbf16, #cluster.tcdm>
  %both = vector.broadcast %s : bf16 to vector<2xbf16>
  %scaled = arith.mulf %u, %both : vector<2xbf16>
  %sum = vector.fma %scaled, %v, %u : vector<2xbf16>
  %most = arith.maxnumf %sum, %u : vector<2xbf16>
  vector.store %most, %x[%c0] : memref<8xbf16, #cluster.tcdm>, vector<2xbf16>
  %f = arith.constant 1.5 : f32
  %low = vector.extract %sum[0] : bf16 from vector<2xbf16>
  %high = vector.extract %sum[1] : bf16 from vector<2xbf16>
  %wide = arith.extf %high : bf16 to f32
  %product = arith.mulf %wide, %f : f32
  %p = arith.truncf %product : f32 to bf16
  %q = arith.truncf %wide : f32 to bf16
  %lows = vector.broadcast %p : bf16 to vector<2xbf16>
  %pair = vector.insert %q, %lows [1] : bf16 into vector<2xbf16>
  vector.store %pair, %x[%c2] : memref<8xbf16, #cluster.tcdm>, vector<2xbf16>
  memref.store %low, %x[%c4] : memref<8xbf16, #cluster.tcdm>
  func.return
}
