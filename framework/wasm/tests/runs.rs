//! Systems in WebAssembly on a real schedule: what they see, what becomes of what they write.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::sim::Sim;
use common::{ACCOUNT, FLAG, NOTE, POSITION, RULES, VELOCITY, description, guest, query, reducer, system};
use evertick_schema::{Access, EntityId, ParamDef, Type};
use evertick_world::CallResult;

/// Reducer `put(row, entity, bytes)`: writes any row; entity 0 is a new one.
const PUT: &str = r#"
    (func $arg (param $ptr i32) (param $at i32) (result i32)
        (i32.load (i32.add (local.get $ptr) (i32.add (i32.const 48) (local.get $at)))))
    (func (export "evertick_call") (param $reducer i32) (param $ptr i32) (param $len i32) (result i64)
        (local $entity i64) (local $bytes i32)
        (local.set $entity (i64.load offset=52 (local.get $ptr)))
        (local.set $bytes (i32.add (i32.add (local.get $ptr) (i32.const 48)) (call $arg (local.get $ptr) (i32.const 12))))
        (if (i32.eq (call $arg (local.get $ptr) (i32.const 0)) (i32.const 6))
            (then (drop (call $insert (i32.const 6) (local.get $bytes) (call $arg (local.get $ptr) (i32.const 16)))) (return (i64.const 0))))
        (if (i64.eqz (local.get $entity)) (then (local.set $entity (call $spawn))))
        (if (call $put (call $arg (local.get $ptr) (i32.const 0)) (local.get $entity) (local.get $bytes)
                (call $arg (local.get $ptr) (i32.const 16)) (i32.const 0))
            (then unreachable))
        i64.const 0)
"#;

/// `$entry view param table column`: where the entry of a column is.
const VIEW: &str = "
    (func $param (param $view i32) (param $param i32) (result i32)
        (i32.add (i32.load offset=28 (local.get $view)) (i32.mul (local.get $param) (i32.const 8))))
    (func $tables (param $view i32) (param $param i32) (result i32)
        (i32.load (call $param (local.get $view) (local.get $param))))
    (func $table (param $view i32) (param $param i32) (param $table i32) (result i32)
        (i32.add (i32.load offset=4 (call $param (local.get $view) (local.get $param))) (i32.mul (local.get $table) (i32.const 16))))
    (func $column (param $table i32) (param $column i32) (result i32)
        (i32.add (i32.load offset=12 (local.get $table)) (i32.mul (local.get $column) (i32.const 16))))
";

/// Adds column 1 to column 0, as f32s, in all tables of parameter 0.
const MOVE: &str = r#"
    (func $move (param $view i32) (local $t i32) (local $table i32) (local $at i32) (local $by i32) (local $end i32)
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $t) (call $tables (local.get $view) (i32.const 0))))
            (local.set $table (call $table (local.get $view) (i32.const 0) (local.get $t)))
            (local.set $at (i32.load (call $column (local.get $table) (i32.const 0))))
            (local.set $by (i32.load (call $column (local.get $table) (i32.const 1))))
            (local.set $end (i32.add (local.get $at) (i32.load offset=4 (call $column (local.get $table) (i32.const 0)))))
            (block $rows_done (loop $row
                (br_if $rows_done (i32.ge_u (local.get $at) (local.get $end)))
                (f32.store (local.get $at) (f32.add (f32.load (local.get $at)) (f32.load (local.get $by))))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (local.set $by (i32.add (local.get $by) (i32.const 4)))
                (br $row)))
            (local.set $t (i32.add (local.get $t) (i32.const 1)))
            (br $next))))
"#;

/// A guest with reducer `put` and one system with these parameters.
fn with_system(params: Vec<ParamDef>, run: &str) -> Vec<u8> {
    let mut description = description();
    let bytes = Type::List(Box::new(Type::U8));
    description.reducers =
        vec![reducer("put", &[("row", Type::U32), ("entity", Type::EntityId), ("bytes", bytes)])];
    description.systems = vec![system("sweep", params)];
    let run =
        format!(r#"(func (export "evertick_run") (param $system i32) (param $view i32) (result i64) {run})"#);
    guest(&description, &format!("{PUT}{VIEW}{MOVE}{run}"))
}

fn put(sim: &mut Sim, row: u32, entity: EntityId, bytes: &[u8]) {
    let mut args = row.to_le_bytes().to_vec();
    args.extend(entity.0.to_le_bytes());
    args.extend(20u32.to_le_bytes());
    args.extend((bytes.len() as u32).to_le_bytes());
    args.extend(bytes);
    assert_eq!(sim.call(0, &args), CallResult::Ok(vec![]));
}

fn vec2(x: f32, y: f32) -> Vec<u8> {
    [x.to_le_bytes(), y.to_le_bytes()].concat()
}

/// A new entity that has a position, and maybe a velocity.
fn place(sim: &mut Sim, at: [f32; 2], by: Option<[f32; 2]>) -> EntityId {
    let before: Vec<_> = sim.rows(POSITION).into_iter().map(|(entity, _)| entity).collect();
    put(sim, POSITION, EntityId::NONE, &vec2(at[0], at[1]));
    let entity =
        sim.rows(POSITION).into_iter().map(|(entity, _)| entity).find(|new| !before.contains(new)).unwrap();
    if let Some(by) = by {
        put(sim, VELOCITY, entity, &vec2(by[0], by[1]));
    }
    entity
}

fn at(sim: &Sim, entity: EntityId) -> [f32; 2] {
    let bytes = sim.simulation.world().get(sim.row(POSITION), entity).unwrap();
    let float = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    [float(0), float(4)]
}

#[test]
fn a_sweep_moves_what_moves_and_nothing_else() {
    let params = vec![query(&[(POSITION, Access::Write), (VELOCITY, Access::Read)])];
    let mut sim = Sim::new(&with_system(params, "(call $move (local.get $view)) i64.const 0"));
    sim.tick();
    let a = place(&mut sim, [1.0, 2.0], Some([0.5, 0.0]));
    let b = place(&mut sim, [5.0, 5.0], Some([0.0, 0.0]));
    let c = place(&mut sim, [9.0, 9.0], None);
    sim.simulation.commit(sim.now);
    sim.tick();
    assert_eq!([at(&sim, a), at(&sim, b), at(&sim, c)], [[1.5, 2.0], [5.0, 5.0], [9.0, 9.0]]);
    let position = sim.row(POSITION);
    let delta = sim.simulation.commit(sim.now);
    let updated = &delta.rows_of(position).unwrap().updated;
    assert_eq!(updated.iter().map(|(entity, mask, _)| (entity, mask)).collect::<Vec<_>>(), [(a, 1)]);
}

#[test]
fn copies_in_guest_memory_follow_the_world() {
    let params = vec![query(&[(POSITION, Access::Write), (VELOCITY, Access::Read)])];
    let mut sim = Sim::new(&with_system(params, "(call $move (local.get $view)) i64.const 0"));
    let mut model: Vec<(EntityId, [f32; 2], [f32; 2])> = Vec::new();
    for step in 0u32..40 {
        let number = (step * 7 % 5) as f32;
        match step % 4 {
            // New ones; some with another set of rows, so in another table.
            0 | 1 => {
                let entity = place(&mut sim, [number, 1.0], Some([1.0, number]));
                if step % 3 == 0 {
                    put(&mut sim, FLAG, entity, &[1, 7]);
                }
                model.push((entity, [number, 1.0], [1.0, number]));
            }
            // Rows written between two runs, of the column that the guest writes and of the one that it reads.
            2 => {
                let index = step as usize * 3 % model.len();
                let (entity, at, _) = &mut model[index];
                *at = [-number, 0.25];
                put(&mut sim, POSITION, *entity, &vec2(at[0], at[1]));
            }
            _ => {
                let index = step as usize * 5 % model.len();
                let (entity, _, by) = &mut model[index];
                *by = [0.5, -number];
                put(&mut sim, VELOCITY, *entity, &vec2(by[0], by[1]));
            }
        }
        if step % 5 != 4 {
            sim.tick();
            for (_, at, by) in &mut model {
                *at = [at[0] + by[0], at[1] + by[1]];
            }
        }
        for (entity, expected, _) in &model {
            assert_eq!(at(&sim, *entity), *expected, "step {step}");
        }
    }
}

#[test]
fn an_optional_column_that_is_absent_has_no_pointer() {
    // Counts, per table, 1 for a present velocity and 100 for an absent one, into every position's x.
    let run = "(local $t i32) (local $table i32) (local $seen f32) (local $at i32)
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $t) (call $tables (local.get $view) (i32.const 0))))
            (local.set $table (call $table (local.get $view) (i32.const 0) (local.get $t)))
            (local.set $seen (select (f32.const 1) (f32.const 100) (i32.load (call $column (local.get $table) (i32.const 1)))))
            (f32.store (i32.load (call $column (local.get $table) (i32.const 0))) (local.get $seen))
            (local.set $t (i32.add (local.get $t) (i32.const 1)))
            (br $next)))
        i64.const 0";
    let params = vec![query(&[(POSITION, Access::Write), (VELOCITY, Access::OptionalRead)])];
    let mut sim = Sim::new(&with_system(params, run));
    let with = place(&mut sim, [0.0, 0.0], Some([0.0, 0.0]));
    let without = place(&mut sim, [0.0, 0.0], None);
    sim.tick();
    assert_eq!([at(&sim, with)[0], at(&sim, without)[0]], [1.0, 100.0]);
}

#[test]
fn variable_rows_are_read_in_place_and_changed_by_commands() {
    // Writes a `set` command for the first note's entity, with the note's own bytes and an upper-case first letter.
    let run = "(local $table i32) (local $column i32) (local $row i32) (local $len i32)
        (local.set $table (call $table (local.get $view) (i32.const 0) (i32.const 0)))
        (if (i32.eqz (call $tables (local.get $view) (i32.const 0))) (then (return (i64.const 0))))
        (if (i32.eqz (i32.load (local.get $table))) (then (return (i64.const 0))))
        (local.set $column (call $column (local.get $table) (i32.const 0)))
        (local.set $row (i32.add (i32.load offset=8 (local.get $column)) (i32.load (i32.load (local.get $column)))))
        (local.set $len (i32.load offset=4 (i32.load (local.get $column))))
        (i32.store8 (i32.const 0) (i32.const 1))
        (i64.store offset=1 (i32.const 0) (i64.load (i32.load offset=4 (local.get $table))))
        (i32.store offset=9 (i32.const 0) (i32.const 4))
        (i32.store offset=13 (i32.const 0) (local.get $len))
        (memory.copy (i32.const 17) (local.get $row) (local.get $len))
        (i32.store8 (i32.const 25) (i32.sub (i32.load8_u (i32.const 25)) (i32.const 32)))
        (i64.extend_i32_u (i32.add (i32.const 17) (local.get $len)))";
    let mut sim = Sim::new(&with_system(vec![query(&[(NOTE, Access::Write)])], run));
    sim.tick();
    let note = |text: &str| [&[8, 0, 0, 0, text.len() as u8, 0, 0, 0], text.as_bytes()].concat();
    put(&mut sim, NOTE, EntityId::NONE, &note("hello"));
    sim.tick();
    assert_eq!(sim.rows(NOTE)[0].1, note("Hello"));
}

#[test]
fn a_resource_is_a_table_of_one_row() {
    // speed += delta time in seconds (50 ms).
    let run = "(local $at i32)
        (if (i32.eqz (call $tables (local.get $view) (i32.const 0))) (then (return (i64.const 0))))
        (if (i32.eqz (i32.load (call $table (local.get $view) (i32.const 0) (i32.const 0)))) (then (return (i64.const 0))))
        (local.set $at (i32.load (call $column (call $table (local.get $view) (i32.const 0) (i32.const 0)) (i32.const 0))))
        (f32.store (local.get $at) (f32.add (f32.load (local.get $at))
            (f32.div (f32.convert_i64_s (i64.load offset=8 (local.get $view))) (f32.const 1000000))))
        i64.const 0";
    let mut sim = Sim::new(&with_system(vec![ParamDef::ResMut { row: RULES }, ParamDef::Now], run));
    sim.tick();
    put(&mut sim, RULES, EntityId::NONE, &1f32.to_le_bytes());
    sim.tick();
    assert_eq!(sim.rows(RULES)[0].1, 1.05f32.to_le_bytes());
}

#[test]
fn a_system_looks_up_what_it_declares() {
    // Reads account 5's balance through `find` and puts it into the first position's x, as a float.
    let run = "
        (i32.store (i32.const 0) (i32.const 5))
        (if (i32.ne (call $find (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 64) (i32.const 64)) (i32.const 24))
            (then unreachable))
        (f32.store (i32.load (call $column (call $table (local.get $view) (i32.const 0) (i32.const 0)) (i32.const 0)))
            (f32.convert_i64_s (i64.load (i32.const 80))))
        (if (i64.eq (call $random) (call $random)) (then unreachable))
        (call $log (i32.const 3) (i32.const 0) (i32.const 0))
        i64.const 0";
    let params = vec![query(&[(POSITION, Access::Write)]), ParamDef::Table { row: ACCOUNT }, ParamDef::Rng];
    let mut description = description();
    description.reducers = vec![reducer("fill", &[])];
    description.systems = vec![system("sweep", params)];
    let body = format!(
        r#"{VIEW}
        (func (export "evertick_call") (param i32 i32 i32) (result i64)
            (i32.store (i32.const 0) (i32.const 5)) (i64.store (i32.const 8) (i64.const 77))
            (drop (call $insert (i32.const 3) (i32.const 0) (i32.const 16)))
            (drop (call $put (i32.const 0) (call $spawn) (i32.const 128) (i32.const 8) (i32.const 1)))
            i64.const 0)
        (func (export "evertick_run") (param $system i32) (param $view i32) (result i64) {run})"#
    );
    let mut sim = Sim::new(&guest(&description, &body));
    assert_eq!(sim.call(0, &[]), CallResult::Ok(vec![]));
    sim.tick();
    assert_eq!(sim.rows(POSITION)[0].1, vec2(77.0, 0.0));
}
