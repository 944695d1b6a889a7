// Rows through the layer-norm unit, by hand: the leader of the team loads them, programs a job,
// sleeps until it is done and stores them.
builtin.module attributes {cluster.machine = "MACHINE"} {
  cluster.global input @input.x tensor "x" shape [12, 96] : memref<12x96xbf16, #cluster.l2>
  cluster.global output @output.y tensor "y" shape [12, 96] : memref<12x96xbf16, #cluster.l2>
  cluster.entries @layer_norm functions {compute = @layer_norm_compute} buffers {rows = [8192 : i32, 2304 : i32], result = [16384 : i32, 2304 : i32]} arguments [memref<12x96xbf16, #cluster.l2>, memref<12x96xbf16, #cluster.l2>]
  func.func @layer_norm_compute() attributes {cluster.stream = #cluster<stream compute>} {
    %core = cluster.core_id : i32
    %leader = arith.constant 3 : i32
    %leads = arith.cmpi eq, %core, %leader : i32
    scf.if %leads {
      %source = cluster.launch_word 8 : i32
      %target = cluster.launch_word 9 : i32
      %rows = arith.constant 268443648 : i32
      %result = arith.constant 268451840 : i32
      %bytes = arith.constant 2304 : i32
      %zero = arith.constant 0 : i32
      %one = arith.constant 1 : i32
      %events = arith.constant 16640 : i32
      hwpe.write event_unit "MASK", %events
      hwpe.write dma "SRC_ADDR", %source
      hwpe.write dma "DST_ADDR", %rows
      hwpe.write dma "LENGTH", %bytes
      hwpe.write dma "REPS_2", %one
      hwpe.write dma "REPS_3", %one
      %in = hwpe.read dma "NEXT_ID_0"
      scf.while () : () -> () {
        %done = hwpe.read dma "DONE_ID_0"
        %waits = arith.cmpi slt, %done, %in : i32
        scf.condition(%waits)
      } do {
        %woken = hwpe.wait event_unit "EVENT_WAIT_CLEAR"
        scf.yield
      }
      %job = hwpe.read layernorm "ACQUIRE"
      %shape = arith.constant 786528 : i32
      hwpe.write layernorm "IN_ADDR", %rows
      hwpe.write layernorm "OUT_ADDR", %result
      hwpe.write layernorm "SHAPE", %shape
      hwpe.write layernorm "TRIGGER", %zero
      scf.while () : () -> () {
        %status = hwpe.read layernorm "STATUS"
        %busy = arith.cmpi ne, %status, %zero : i32
        scf.condition(%busy)
      } do {
        %woken = hwpe.wait event_unit "EVENT_WAIT_CLEAR"
        scf.yield
      }
      hwpe.write dma "SRC_ADDR", %result
      hwpe.write dma "DST_ADDR", %target
      %out = hwpe.read dma "NEXT_ID_1"
      scf.while () : () -> () {
        %done = hwpe.read dma "DONE_ID_1"
        %waits = arith.cmpi slt, %done, %out : i32
        scf.condition(%waits)
      } do {
        %woken = hwpe.wait event_unit "EVENT_WAIT_CLEAR"
        scf.yield
      }
    }
    func.return
  }
  cluster.schedule cycles 300 {
    cluster.launch @layer_norm args [@input.x, @output.y] bases [0, 0, 0, 0] {layer = "norm", operation = "layer_norm", cycles = array<i64: 0, 0, 0, 300>}
  }
}
