;; A guest written by hand, against docs/abi.md alone: every export, every import, one result of each kind.
;; `golden.rs` runs it; the other files of this folder hold what must come out, byte by byte.
;;
;; Memory: 0 scratch, 512 constants, 4096 the description, 16384 what a call or run gives back,
;; from 65536 on what `evertick_alloc` gave away.
(module
  (import "evertick_1" "get" (func $get (param $row i32) (param $entity i64) (param $out i32) (param $cap i32) (result i32)))
  (import "evertick_1" "find" (func $find (param $row i32) (param $field i32) (param $key i32) (param $key_len i32) (param $out i32) (param $cap i32) (result i32)))
  (import "evertick_1" "scan" (func $scan (param $row i32) (param $field i32) (param $lo i32) (param $lo_len i32) (param $hi i32) (param $hi_len i32) (param $cursor i32) (param $out i32) (param $cap i32) (result i32)))
  (import "evertick_1" "near" (func $near (param $space i32) (param $x f32) (param $y f32) (param $radius f32) (param $row i32) (param $out i32) (param $cap i32) (result i32)))
  (import "evertick_1" "put" (func $put (param $row i32) (param $entity i64) (param $ptr i32) (param $len i32) (param $mode i32) (result i32)))
  (import "evertick_1" "insert" (func $insert (param $row i32) (param $ptr i32) (param $len i32) (result i64)))
  (import "evertick_1" "remove" (func $remove (param $row i32) (param $entity i64) (result i32)))
  (import "evertick_1" "spawn" (func $spawn (result i64)))
  (import "evertick_1" "despawn" (func $despawn (param $entity i64) (result i32)))
  (import "evertick_1" "emit" (func $emit (param $row i32) (param $ptr i32) (param $len i32)))
  (import "evertick_1" "after" (func $after (param $at_us i64) (param $reducer i32) (param $ptr i32) (param $len i32) (result i64)))
  (import "evertick_1" "cancel" (func $cancel (param $timer i64) (result i32)))
  (import "evertick_1" "detached" (func $detached (param $reducer i32) (param $ptr i32) (param $len i32)))
  (import "evertick_1" "focus" (func $focus (param $kind i32) (param $entity i64) (param $space i32) (param $x f32) (param $y f32) (param $radius f32)))
  (import "evertick_1" "join" (func $join (param $group i64) (param $on i32)))
  (import "evertick_1" "log" (func $log (param $level i32) (param $ptr i32) (param $len i32)))
  (import "evertick_1" "random" (func $random (result i64)))

  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 65536))
  ;; Where the next noted byte goes.
  (global $end (mut i32) (i32.const 16384))

  ;; A refusal: 1, variant 2, "sorry", fields why = 42.
  (data (i32.const 512) "\01" "\02\00" "\05\00\00\00" "sorry" "\2a\00")
  ;; Position (1, 2).
  (data (i32.const 544) "\00\00\80\3f" "\00\00\00\40")
  ;; Mark { name: "ab", tags: [7, 8], at: 5 }: the example of docs/abi.md.
  (data (i32.const 560) "\14\00\00\00\02\00\00\00" "\16\00\00\00\02\00\00\00" "\05\00\00\00" "ab" "\07\00\08\00")
  ;; Items (5, 1, 10), (6, 1, 20), (7, 2, 30).
  (data (i32.const 592) "\05\00\00\00" "\01\00\00\00" "\0a\00\00\00\00\00\00\00")
  (data (i32.const 608) "\06\00\00\00" "\01\00\00\00" "\14\00\00\00\00\00\00\00")
  (data (i32.const 624) "\07\00\00\00" "\02\00\00\00" "\1e\00\00\00\00\00\00\00")
  ;; Rules { speed: 1.5 }.
  (data (i32.const 640) "\00\00\c0\3f")
  ;; Ping { bytes: [1, 2, 3] }.
  (data (i32.const 656) "\08\00\00\00\03\00\00\00" "\01\02\03")
  ;; Arguments of echo: n = 9, text = "hi".
  (data (i32.const 672) "\09\00\00\00" "\0c\00\00\00\02\00\00\00" "hi")
  ;; A line for the log.
  (data (i32.const 688) "golden")
  ;; Commands behind the one that the system makes up: spawn with a position and a mark; set the mark of entity 1; remove
  ;; entity 2's position and despawn entity 999, neither of which is there; emit; insert item (8, 3, 40); echo in the year 2224;
  ;; refuse, right after the run.
  (data (i32.const 1024)
    "\00" "\02\00\00\00" "\00\00\00\00" "\08\00\00\00" "\00\00\40\40\00\00\80\40"
      "\01\00\00\00" "\14\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\0b\00\00\00"
    "\01" "\01\00\00\00\00\00\00\00" "\01\00\00\00" "\14\00\00\00" "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\0c\00\00\00"
    "\02" "\02\00\00\00\00\00\00\00" "\00\00\00\00"
    "\03" "\e7\03\00\00\00\00\00\00"
    "\04" "\04\00\00\00" "\08\00\00\00" "\00\00\00\00\00\00\00\00"
    "\05" "\02\00\00\00" "\10\00\00\00" "\08\00\00\00\03\00\00\00\28\00\00\00\00\00\00\00"
    "\06" "\00\80\bb\c0\0d\92\1c\00" "\00\00\00\00" "\0e\00\00\00" "\09\00\00\00\0c\00\00\00\02\00\00\00hi"
    "\07" "\01\00\00\00" "\00\00\00\00")
  (global $commands_len i32 (i32.const 190))

  (data (i32.const 4096)
    "{\"abi\":1,\"name\":\"golden\",\"rows\":[{\"name\":\"Position\",\"kind\":\"component\",\"fields\":[{"
    "\"name\":\"at\",\"type\":\"vec2\"}],\"visible\":\"near\",\"spatial\":{\"at\":0}},{\"name\":\"Mark\","
    "\"kind\":\"component\",\"fields\":[{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"tags\",\"type"
    "\":{\"list\":\"u16\"}},{\"name\":\"at\",\"type\":\"u32\"}],\"visible\":\"nobody\"},{\"name\":\"Item"
    "\",\"kind\":{\"table\":{\"key\":0}},\"fields\":[{\"name\":\"id\",\"type\":\"u32\"},{\"name\":\"group"
    "\",\"type\":\"u32\"},{\"name\":\"count\",\"type\":\"i64\"}],\"visible\":\"everyone\",\"indexes\":[{"
    "\"field\":0,\"kind\":\"ordered\",\"unique\":true},{\"field\":1,\"kind\":\"hash\",\"unique\":false}]}"
    ",{\"name\":\"Rules\",\"kind\":\"resource\",\"fields\":[{\"name\":\"speed\",\"type\":\"f32\"}],\"visi"
    "ble\":\"nobody\"},{\"name\":\"Ping\",\"kind\":\"event\",\"fields\":[{\"name\":\"bytes\",\"type\":{\""
    "list\":\"u8\"}}],\"visible\":\"everyone\"}],\"reducers\":[{\"name\":\"echo\",\"kind\":\"call\",\"pri"
    "vate\":false,\"params\":[{\"name\":\"n\",\"type\":\"u32\"},{\"name\":\"text\",\"type\":\"string\"}],"
    "\"returns\":{\"list\":\"u8\"}},{\"name\":\"refuse\",\"kind\":\"call\",\"private\":false,\"params\":["
    "],\"refusals\":[{\"name\":\"No\",\"fields\":[]},{\"name\":\"Never\",\"fields\":[]},{\"name\":\"Sorry"
    "\",\"fields\":[{\"name\":\"why\",\"type\":\"u16\"}]}]},{\"name\":\"acts\",\"kind\":\"call\",\"privat"
    "e\":false,\"params\":[],\"returns\":{\"list\":\"u8\"}},{\"name\":\"reads\",\"kind\":\"call\",\"priva"
    "te\":false,\"params\":[],\"returns\":{\"list\":\"u8\"}},{\"name\":\"steer\",\"kind\":\"input\",\"pri"
    "vate\":false,\"params\":[{\"name\":\"toward\",\"type\":\"vec2\"}]}],\"systems\":[{\"name\":\"sweep\""
    ",\"params\":[{\"query\":{\"terms\":[{\"row\":0,\"access\":\"write\"},{\"row\":1,\"access\":\"optiona"
    "l_read\"}]}},{\"res\":{\"row\":3}},\"commands\",\"near\",\"now\",\"rng\"]}],\"predictions\":[{\"name"
    "\":\"walk\",\"row\":0,\"reducer\":4}]}")

  (func (export "evertick_abi") (result i32) (i32.const 1))

  (func (export "evertick_describe") (result i64)
    (call $packed (i32.const 4096) (i32.const 1580)))

  (func (export "evertick_alloc") (param $len i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.and (i32.add (i32.add (local.get $at) (local.get $len)) (i32.const 15)) (i32.const -16)))
    (if (i32.gt_u (global.get $heap) (i32.const 131072)) (then (unreachable)))
    (local.get $at))

  ;; walk: at += toward * seconds. Anything else than that prediction, with a row and arguments of eight bytes, is misuse.
  (func (export "evertick_predict")
    (param $prediction i32) (param $row i32) (param $row_len i32) (param $args i32) (param $args_len i32) (param $seconds f32)
    (if (local.get $prediction) (then (unreachable)))
    (if (i32.ne (local.get $row_len) (i32.const 8)) (then (unreachable)))
    (if (i32.ne (local.get $args_len) (i32.const 8)) (then (unreachable)))
    (f32.store (local.get $row)
      (f32.add (f32.load (local.get $row)) (f32.mul (f32.load (local.get $args)) (local.get $seconds))))
    (f32.store offset=4 (local.get $row)
      (f32.add (f32.load offset=4 (local.get $row)) (f32.mul (f32.load offset=4 (local.get $args)) (local.get $seconds)))))

  (func (export "evertick_call") (param $reducer i32) (param $ptr i32) (param $len i32) (result i64)
    ;; 0: done. Then the result's row, whose one field is a list: offset 8, and a length that is filled in below.
    (global.set $end (i32.const 16384))
    (call $note8 (i32.const 0))
    (call $note32 (i32.const 8))
    (call $note32 (i32.const 0))
    (if (i32.eq (local.get $reducer) (i32.const 0)) (then (call $note (local.get $ptr) (local.get $len))))
    (if (i32.eq (local.get $reducer) (i32.const 1)) (then (return (call $packed (i32.const 512) (i32.const 14)))))
    (if (i32.eq (local.get $reducer) (i32.const 2)) (then (call $acts)))
    (if (i32.eq (local.get $reducer) (i32.const 3)) (then (call $reads)))
    (i32.store (i32.const 16389) (i32.sub (global.get $end) (i32.const 16393)))
    (call $noted))

  (func $acts
    (local $e i64) (local $timer i64)
    (local.set $e (call $spawn))
    (call $note64 (local.get $e))
    ;; insert, insert again (present), set, update; update of what is absent; an entity that is not there
    (call $note32 (call $put (i32.const 0) (local.get $e) (i32.const 544) (i32.const 8) (i32.const 1)))
    (call $note32 (call $put (i32.const 0) (local.get $e) (i32.const 544) (i32.const 8) (i32.const 1)))
    (call $note32 (call $put (i32.const 0) (local.get $e) (i32.const 544) (i32.const 8) (i32.const 0)))
    (call $note32 (call $put (i32.const 0) (local.get $e) (i32.const 544) (i32.const 8) (i32.const 2)))
    (call $note32 (call $put (i32.const 1) (local.get $e) (i32.const 560) (i32.const 26) (i32.const 2)))
    (call $note32 (call $put (i32.const 0) (i64.const 999) (i32.const 544) (i32.const 8) (i32.const 0)))
    (call $note32 (call $put (i32.const 1) (local.get $e) (i32.const 560) (i32.const 26) (i32.const 0)))
    ;; table rows, one of them twice; a resource
    (call $note64 (call $insert (i32.const 2) (i32.const 592) (i32.const 16)))
    (call $note64 (call $insert (i32.const 2) (i32.const 592) (i32.const 16)))
    (call $note64 (call $insert (i32.const 2) (i32.const 608) (i32.const 16)))
    (call $note64 (call $insert (i32.const 2) (i32.const 624) (i32.const 16)))
    (call $note64 (call $insert (i32.const 3) (i32.const 640) (i32.const 4)))
    ;; remove and despawn, each a second time in vain
    (call $note32 (call $remove (i32.const 1) (local.get $e)))
    (call $note32 (call $remove (i32.const 1) (local.get $e)))
    (drop (call $put (i32.const 1) (local.get $e) (i32.const 560) (i32.const 26) (i32.const 1)))
    (local.set $e (call $spawn))
    (call $note64 (local.get $e))
    (call $note32 (call $despawn (local.get $e)))
    (call $note32 (call $despawn (local.get $e)))
    (call $emit (i32.const 4) (i32.const 656) (i32.const 11))
    ;; a timer that is cancelled, one that stays, a call for right after this one
    (local.set $timer (call $after (i64.const 1000000) (i32.const 0) (i32.const 672) (i32.const 14)))
    (call $note64 (local.get $timer))
    (call $note32 (call $cancel (local.get $timer)))
    (call $note32 (call $cancel (local.get $timer)))
    (call $note64 (call $after (i64.const 2000000) (i32.const 0) (i32.const 672) (i32.const 14)))
    (call $detached (i32.const 1) (i32.const 0) (i32.const 0))
    (call $focus (i32.const 2) (i64.const 0) (i32.const 3) (f32.const 4) (f32.const 5) (f32.const 6))
    (call $join (i64.const 7) (i32.const 1))
    (call $join (i64.const 7) (i32.const 0))
    (call $log (i32.const 2) (i32.const 688) (i32.const 6)))

  (func $reads
    (local $count i32) (local $e i64)
    ;; near (2, 2): the entity of `acts`; with room for none, it is counted all the same
    (call $note32 (call $near (i32.const 0) (f32.const 2) (f32.const 2) (f32.const 3) (i32.const -1) (i32.const 0) (i32.const 0)))
    (call $note32 (call $near (i32.const 0) (f32.const 2) (f32.const 2) (f32.const 3) (i32.const 1) (i32.const 0) (i32.const 4)))
    (call $note (i32.const 0) (i32.const 8))
    (local.set $e (i64.load (i32.const 0)))
    (call $note32 (call $near (i32.const 1) (f32.const 2) (f32.const 2) (f32.const 3) (i32.const -1) (i32.const 0) (i32.const 4)))
    ;; get: no room, room, no row
    (i64.store (i32.const 0) (i64.const 0x5555555555555555))
    (call $note32 (call $get (i32.const 1) (local.get $e) (i32.const 0) (i32.const 25)))
    (call $note (i32.const 0) (i32.const 8))
    (call $note32 (call $get (i32.const 1) (local.get $e) (i32.const 0) (i32.const 26)))
    (call $note (i32.const 0) (i32.const 26))
    (call $note32 (call $get (i32.const 2) (local.get $e) (i32.const 0) (i32.const 26)))
    ;; find item 6, and 9, which is not there
    (i32.store (i32.const 256) (i32.const 6))
    (call $note32 (call $find (i32.const 2) (i32.const 0) (i32.const 256) (i32.const 4) (i32.const 0) (i32.const 64)))
    (call $note (i32.const 0) (i32.const 24))
    (i32.store (i32.const 256) (i32.const 9))
    (call $note32 (call $find (i32.const 2) (i32.const 0) (i32.const 256) (i32.const 4) (i32.const 0) (i32.const 64)))
    ;; all items, with room for two at a time
    (call $scan_all (i32.const -1) (i32.const -1) (i32.const -1) (i32.const 56))
    ;; items of group 1, by the hash index
    (i32.store (i32.const 256) (i32.const 1))
    (i32.store (i32.const 260) (i32.const 1))
    (call $scan_all (i32.const 1) (i32.const 4) (i32.const 4) (i32.const 64))
    ;; items from 6 on, ordered; up to 6, ordered
    (i32.store (i32.const 256) (i32.const 6))
    (i32.store (i32.const 260) (i32.const 6))
    (call $scan_all (i32.const 0) (i32.const 4) (i32.const -1) (i32.const 128))
    (call $scan_all (i32.const 0) (i32.const -1) (i32.const 4) (i32.const 128))
    ;; no room for one
    (memory.fill (i32.const 272) (i32.const 0) (i32.const 16))
    (call $note32 (call $scan (i32.const 2) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const -1) (i32.const 272) (i32.const 0) (i32.const 27)))
    (call $note64 (call $random)))

  ;; Notes the batches of a scan, each with what `scan` returned in front. Bounds are at 256 and 260, the cursor at 272.
  (func $scan_all (param $field i32) (param $lo_len i32) (param $hi_len i32) (param $cap i32)
    (local $count i32)
    (memory.fill (i32.const 272) (i32.const 0) (i32.const 16))
    (loop $batch
      (local.set $count (call $scan (i32.const 2) (local.get $field) (i32.const 256) (local.get $lo_len)
        (i32.const 260) (local.get $hi_len) (i32.const 272) (i32.const 0) (local.get $cap)))
      (call $note32 (local.get $count))
      ;; a record is 12 bytes and the item's 16
      (call $note (i32.const 0) (i32.mul (local.get $count) (i32.const 28)))
      (br_if $batch (local.get $count))))

  (func (export "evertick_run") (param $system i32) (param $view i32) (result i64)
    (local $param i32) (local $params i32) (local $table i32) (local $tables i32) (local $column i32) (local $columns i32)
    (global.set $end (i32.const 16384))
    ;; emit a ping with all that the view shows; its length is filled in below
    (call $note8 (i32.const 4))
    (call $note32 (i32.const 4))
    (call $note64 (i64.const 0x0000000800000000))
    (call $note32 (i32.const 0))
    ;; the view's head, its parameters; each table with its entities; each column with its rows and its blob
    (call $note (local.get $view) (i32.const 32))
    (local.set $param (i32.load offset=28 (local.get $view)))
    (local.set $params (i32.load offset=24 (local.get $view)))
    (call $note (local.get $param) (i32.mul (local.get $params) (i32.const 8)))
    (block $params_done (loop $each_param
      (br_if $params_done (i32.eqz (local.get $params)))
      (local.set $tables (i32.load (local.get $param)))
      (local.set $table (i32.load offset=4 (local.get $param)))
      (block $tables_done (loop $each_table
        (br_if $tables_done (i32.eqz (local.get $tables)))
        (call $note (local.get $table) (i32.const 16))
        (call $note (i32.load offset=4 (local.get $table)) (i32.mul (i32.load (local.get $table)) (i32.const 8)))
        (local.set $columns (i32.load offset=8 (local.get $table)))
        (local.set $column (i32.load offset=12 (local.get $table)))
        (block $columns_done (loop $each_column
          (br_if $columns_done (i32.eqz (local.get $columns)))
          (call $note (local.get $column) (i32.const 16))
          (call $note (i32.load (local.get $column)) (i32.load offset=4 (local.get $column)))
          (call $note (i32.load offset=8 (local.get $column)) (i32.load offset=12 (local.get $column)))
          (local.set $column (i32.add (local.get $column) (i32.const 16)))
          (local.set $columns (i32.sub (local.get $columns) (i32.const 1)))
          (br $each_column)))
        ;; of parameter 0, the query: write x of the table's first position, where the column is
        (if (i32.and (i32.eq (local.get $params) (i32.const 6)) (i32.ne (i32.load (local.get $table)) (i32.const 0)))
          (then (f32.store (i32.load (i32.load offset=12 (local.get $table))) (f32.const 10))))
        (local.set $table (i32.add (local.get $table) (i32.const 16)))
        (local.set $tables (i32.sub (local.get $tables) (i32.const 1)))
        (br $each_table)))
      (local.set $param (i32.add (local.get $param) (i32.const 8)))
      (local.set $params (i32.sub (local.get $params) (i32.const 1)))
      (br $each_param)))
    ;; lengths: of the row, and of its list
    (i32.store (i32.const 16389) (i32.sub (global.get $end) (i32.const 16393)))
    (i32.store (i32.const 16397) (i32.sub (global.get $end) (i32.const 16401)))
    (call $note (i32.const 1024) (global.get $commands_len))
    (call $noted))

  (func $packed (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))

  (func $noted (result i64)
    (call $packed (i32.const 16384) (i32.sub (global.get $end) (i32.const 16384))))

  (func $note (param $ptr i32) (param $len i32)
    (memory.copy (global.get $end) (local.get $ptr) (local.get $len))
    (global.set $end (i32.add (global.get $end) (local.get $len))))

  (func $note8 (param $value i32)
    (i32.store8 (global.get $end) (local.get $value))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))

  (func $note32 (param $value i32)
    (i32.store (global.get $end) (local.get $value))
    (global.set $end (i32.add (global.get $end) (i32.const 4))))

  (func $note64 (param $value i64)
    (i64.store (global.get $end) (local.get $value))
    (global.set $end (i32.add (global.get $end) (i32.const 8)))))
