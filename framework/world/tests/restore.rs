//! Recovery: what a restore accepts, what it refuses and how it says so; snapshots of sparse worlds.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use evertick_schema::{
    EntityId, FieldDef, IndexDef, IndexKind, RowDef, RowKind, SpatialDef, StorageClass, Timestamp, Type,
};
use evertick_world::{
    Cause, Cell, Config, Counters, DueTimer, Restore, RestoreError, RowId, TimedCall, TimerId, TimerOp, World,
};

const BODY: usize = 0;
const LABEL: usize = 1;
const ACCOUNT: usize = 2;
const SEASON: usize = 3;
const PING: usize = 4;
const AT: usize = 5;
const BERTH: usize = 6;
const NOTE: usize = 7;

fn world() -> (World, Vec<RowId>) {
    let row = |name: &str, kind, fields: &[(&str, Type)]| {
        RowDef::new(name, kind, fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect())
    };
    let unique = |field| IndexDef { field, kind: IndexKind::Hash, unique: true };
    let component = RowKind::Component;
    let spatial = Some(SpatialDef { at: 0, space: None });
    let defs = [
        row(
            "Body",
            component,
            &[("weight", Type::U32), ("alive", Type::Bool), ("pad", Type::Array(Box::new(Type::U8), 3))],
        ),
        RowDef { indexes: vec![unique(0)], ..row("Label", component, &[("text", Type::String)]) },
        RowDef {
            indexes: vec![unique(0), IndexDef { field: 1, kind: IndexKind::Ordered, unique: false }],
            ..row("Account", RowKind::Table { key: 0 }, &[("id", Type::I16), ("level", Type::U16)])
        },
        row("Season", RowKind::Resource, &[("day", Type::U32)]),
        row("Ping", RowKind::Event, &[("number", Type::U32)]),
        RowDef { spatial, ..row("At", component, &[("at", Type::Vec2)]) },
        RowDef { spatial, ..row("Berth", component, &[("at", Type::Vec2)]) },
        RowDef { storage: StorageClass::Transient, ..row("Note", component, &[("word", Type::U32)]) },
    ];
    let mut world = World::new(Config { region: 2, ..Config::default() });
    let rows = world.register("game", &defs).unwrap();
    (world, rows)
}

fn own(sequence: u64) -> EntityId {
    EntityId::new(2, sequence)
}

fn body(weight: u32) -> Vec<u8> {
    [&weight.to_le_bytes()[..], &[1, 0, 0, 0]].concat()
}

fn label(text: &str) -> Vec<u8> {
    [&8u32.to_le_bytes()[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn account(id: i16, level: u16) -> Vec<u8> {
    [id.to_le_bytes(), level.to_le_bytes()].concat()
}

fn place(x: f32) -> Vec<u8> {
    [x.to_le_bytes(), 1f32.to_le_bytes()].concat()
}

fn counters(entities: u64, world: &World) -> Counters {
    Counters { entities, timers: 9, seq: 70, ..world.counters() }
}

#[test]
fn rows_may_come_twice_change_late_and_go_before_they_come() {
    let (mut world, rows) = world();
    let random = { world.begin(Cause::default()).random() };
    let at = counters(500, &world);
    let mut restore = world.restore().unwrap();
    assert_eq!(restore.remove(rows[BODY], own(3)), Ok(false));
    assert_eq!(restore.patch(rows[BODY], own(3), 1, &[0; 4]), Ok(false));
    restore.put_all(own(3), &[(rows[BODY], &body(1)), (rows[LABEL], &label("a"))]).unwrap();
    // Out of order, and of an entity that is there: still right.
    restore.put_all(own(4), &[(rows[LABEL], &label("b")), (rows[BODY], &body(2))]).unwrap();
    restore.put_all(own(3), &[(rows[LABEL], &label("c")), (rows[AT], &place(70.0))]).unwrap();
    restore.put(rows[ACCOUNT], own(5), &account(-7, 1)).unwrap();
    restore.put(rows[NOTE], own(6), &[0; 4]).unwrap();
    assert_eq!(restore.remove(rows[NOTE], own(6)), Ok(true));
    assert_eq!(restore.patch(rows[BODY], own(3), 0b11, &[7, 0, 0, 0, 0]), Ok(true));
    assert_eq!(restore.patch(rows[NOTE], own(3), 1, &[0; 4]), Ok(false));
    let timer = |id, at| DueTimer {
        id: TimerId(id),
        at: Timestamp(at),
        call: TimedCall { module: 0, reducer: 1, args: vec![1] },
    };
    restore.timer(&TimerOp::Gone(TimerId(1)));
    restore.timer(&TimerOp::Set(timer(2, 5)));
    restore.timer(&TimerOp::Set(timer(2, 6)));
    restore.counters(at);
    restore.finish().unwrap();

    world.check().unwrap();
    assert_eq!((world.entity_count(), world.exists(own(6))), (3, false), "an entity without rows is gone");
    assert_eq!(world.get(rows[BODY], own(3)), Some(&[7, 0, 0, 0, 0, 0, 0, 0][..]));
    assert_eq!(world.cell(own(3)), Some(Cell { space: 0, x: 1, y: 0 }));
    assert_eq!(world.find(rows[LABEL], 0, b"c"), Some(own(3)));
    assert_eq!((world.find(rows[LABEL], 0, b"a"), world.row_count(rows[LABEL])), (None, 2));
    assert_eq!(world.timers().map(|(id, at, _)| (id.0, at.0)).collect::<Vec<_>>(), [(2, 6)]);
    assert_eq!(world.counters(), at);
    // Nothing is told of it, and nothing that may have been used is used again.
    let mut tx = world.begin(Cause::default());
    assert_eq!((tx.random(), tx.spawn()), (random, own(500)));
    assert_eq!(tx.after(Timestamp(0), 0, 0, &[]), Ok(TimerId(9)));
    tx.accept().unwrap();
    let delta = world.commit(1, Timestamp(1));
    assert_eq!((delta.seq, &delta.spawned[..], delta.rows.len()), (71, &[own(500)][..], 0));
}

/// What a world says to what `fill` does, or at the end of it.
fn refused(fill: impl Fn(&mut Restore<'_>, &[RowId]) -> Result<(), RestoreError>) -> String {
    let (mut world, rows) = world();
    let mut restore = world.restore().unwrap();
    match fill(&mut restore, &rows) {
        Ok(()) => restore.finish().unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_can_not_be_is_refused_by_name() {
    let says = |error: String, words: &[&str]| {
        assert!(words.iter().all(|word| error.contains(word)), "{error:?} does not say {words:?}");
    };
    let two = |row: usize, a: Vec<u8>, b: Vec<u8>| {
        refused(|restore, rows| {
            restore.put(rows[row], own(1), &a)?;
            restore.put(rows[row], own(2), &b)
        })
    };
    let [first, second] = [own(1), own(2)].map(|entity| entity.to_string());
    says(two(ACCOUNT, account(-3, 0), account(-3, 1)), &["game.Account", " id ", "-3,", &first, &second]);
    says(two(LABEL, label("mine"), label("mine")), &["game.Label", "text", "\"mine\"", &first, &second]);
    says(two(SEASON, vec![0; 4], vec![0; 4]), &["game.Season", "has 2 rows"]);
    says(
        refused(|restore, rows| {
            restore.put_all(own(1), &[(rows[AT], &place(0.0)), (rows[BERTH], &place(0.0))])
        }),
        &[&first, "game.At", "game.Berth"],
    );
    says(refused(|restore, rows| restore.put(rows[PING], own(1), &[0; 4])), &["game.Ping", "event"]);
    says(refused(|restore, _| restore.put(RowId(99), own(1), &[])), &["type 99", "not registered"]);
    says(refused(|restore, rows| restore.put(rows[BODY], EntityId::NONE, &body(1))), &["of no entity"]);
    says(
        refused(|restore, rows| restore.put_all(own(1), &[(rows[BODY], &[0; 7])])),
        &["game.Body", "7 bytes"],
    );
    let patch = |row: usize, mask, fields: &[u8]| {
        refused(|restore, rows| {
            restore.put_all(own(1), &[(rows[BODY], &body(1)), (rows[LABEL], &label("x"))])?;
            restore.patch(rows[row], own(1), mask, fields).map(drop)
        })
    };
    says(patch(BODY, 1, &[0; 3]), &["game.Body", "too few"]);
    says(patch(BODY, 1, &[0; 5]), &["too many"]);
    says(patch(BODY, 8, &[]), &["field that is not there"]);
    says(patch(BODY, 2, &[2]), &["not a bool"]);
    says(patch(LABEL, 1, &label("y")), &["game.Label", "variable length"]);

    let (mut world, _) = world();
    world.begin(Cause::default()).accept().unwrap();
    let mut tx = world.begin(Cause::default());
    tx.spawn();
    tx.accept().unwrap();
    assert!(matches!(world.restore(), Err(RestoreError::NotEmpty)));
}

/// Ids that lie far apart, of other regions, and of a long past.
#[test]
fn a_sparse_world_is_visited_in_order_and_in_bounded_slices() {
    let (mut world, rows) = world();
    let last = 3_000_000_000;
    let foreign = [EntityId::new(1, 77), EntityId::new(9, 1)];
    let mut expected: Vec<EntityId> = (0..2000).map(|number| own(last - 150_000 * number)).collect();
    expected.extend(foreign);
    expected.sort();
    let at = counters(last + 1, &world);
    let mut restore = world.restore().unwrap();
    restore.counters(at);
    for entity in &expected {
        restore.put_all(*entity, &[(rows[BODY], &body(entity.0 as u32))]).unwrap();
    }
    restore.put(rows[NOTE], own(5), &[0; 4]).unwrap();
    restore.finish().unwrap();
    world.check().unwrap();

    let mut cursor = world.snapshot_cursor();
    let mut tx = world.begin(Cause::default());
    assert!(tx.despawn(expected[1000]));
    assert_eq!(tx.spawn(), own(last + 1));
    tx.accept().unwrap();
    world.commit(1, Timestamp(0));
    let (mut seen, mut slices) = (Vec::new(), 0);
    loop {
        slices += 1;
        let before = seen.len();
        let done = world.snapshot_slice(&mut cursor, 10, |entity, row, bytes| {
            assert_eq!((row, bytes), (rows[BODY], &body(entity.0 as u32)[..]));
            seen.push(entity);
        });
        assert!(seen.len() <= before + 10);
        if done {
            break;
        }
    }
    assert!(slices > 2000, "ids without an entity count as well");
    expected.remove(1000);
    assert_eq!(seen, expected);
    assert!(world.snapshot_slice(&mut cursor, 10, |_, _, _| panic!("it was done")));
}

#[test]
#[should_panic(expected = "right after a commit")]
fn a_slice_of_what_is_not_committed_is_a_mistake() {
    let (mut world, _) = world();
    let mut cursor = world.snapshot_cursor();
    let mut tx = world.begin(Cause::default());
    tx.spawn();
    tx.accept().unwrap();
    world.snapshot_slice(&mut cursor, 1, |_, _, _| ());
}
