//! The world by its public face: registration, errors, limits, transactions, replicas.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use evertick_schema::{
    EntityId, FieldDef, Identity, IndexDef, IndexKind, PLAYER, RowDef, RowKind, SessionId, Timestamp, Type,
    Visibility, player_row,
};
use evertick_world::{
    ApplyError, Caller, Cause, Config, Focus, Limits, RegisterError, RowId, SessionWish, TimerOp, World,
    WriteError,
};

const HEALTH: usize = 0;
const ACCOUNT: usize = 1;
const SEASON: usize = 2;
const PING: usize = 3;

fn def(name: &str, kind: RowKind, fields: &[(&str, Type)]) -> RowDef {
    let fields = fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect();
    RowDef {
        visible: Visibility::Everyone,
        indexes: match kind {
            RowKind::Table { key } => vec![IndexDef { field: key, kind: IndexKind::Hash, unique: true }],
            _ => vec![],
        },
        ..RowDef::new(name, kind, fields)
    }
}

fn defs() -> Vec<RowDef> {
    vec![
        def("Health", RowKind::Component, &[("points", Type::U32), ("shield", Type::U32)]),
        def("Account", RowKind::Table { key: 0 }, &[("name", Type::String), ("gold", Type::I64)]),
        def("Season", RowKind::Resource, &[("number", Type::U8)]),
        def("Ping", RowKind::Event, &[("number", Type::U8)]),
    ]
}

fn world(limits: Limits) -> (World, Vec<RowId>) {
    let mut world = World::new(Config { region: 5, limits, ..Config::default() });
    let rows = world.register("game", &defs()).unwrap();
    (world, rows)
}

fn health(points: u32, shield: u32) -> Vec<u8> {
    [points, shield].iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn account(name: &str, gold: i64) -> Vec<u8> {
    let (offset, len) = if name.is_empty() { (0, 0) } else { (16u32, name.len() as u32) };
    [&offset.to_le_bytes()[..], &len.to_le_bytes(), &gold.to_le_bytes(), name.as_bytes()].concat()
}

#[test]
fn row_types_are_registered_once_and_must_agree() {
    let (mut world, rows) = world(Limits::default());
    assert_eq!(world.row(rows[HEALTH]).name, "game.Health");
    assert_eq!(world.row_named("game.Account"), Some(rows[ACCOUNT]));
    assert_eq!(world.register("game", &defs()).unwrap(), rows, "the same again is the same");

    let foreign = RowDef { name: "game.Health".into(), ..defs()[HEALTH].clone() };
    assert_eq!(world.register("mod", &[foreign.clone(), player_row()]).unwrap()[0], rows[HEALTH]);
    assert_eq!(world.register("mod", &[player_row()]).unwrap(), [world.row_named(PLAYER).unwrap()]);
    let other = RowDef { visible: Visibility::Nobody, ..foreign };
    assert_eq!(world.register("mod", &[other]), Err(RegisterError::Differs { name: "game.Health".into() }));
    let unknown = def("evertick.Nothing", RowKind::Component, &[]);
    let error = world.register("mod", &[def("Own", RowKind::Component, &[]), unknown]).unwrap_err();
    assert!(error.to_string().contains("mod uses evertick.Nothing"), "{error}");
    assert_eq!(world.row_named("mod.Own"), None, "nothing of a failed registration remains");
    let mut indexed = def("Bad", RowKind::Component, &[("list", Type::List(Box::new(Type::U8)))]);
    indexed.indexes = vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: false }];
    let error = world.register("mod", &[indexed]).unwrap_err();
    assert_eq!(error, RegisterError::Field { name: "mod.Bad".into(), what: "an index", field: 0 });
}

#[test]
fn writes_say_what_is_wrong() {
    let (mut world, rows) = world(Limits::default());
    let mut tx = world.begin(Cause::default());
    let entity = tx.spawn();
    assert_eq!(entity, EntityId::new(5, 1));
    let text = |error: WriteError| error.to_string();
    assert!(text(tx.update(rows[HEALTH], entity, &health(1, 2)).unwrap_err()).contains("no game.Health"));
    tx.insert(rows[HEALTH], entity, &health(1, 2)).unwrap();
    assert!(text(tx.insert(rows[HEALTH], entity, &health(1, 2)).unwrap_err()).contains("already"));
    assert!(text(tx.set(rows[HEALTH], entity, &[0; 7]).unwrap_err()).contains("not a game.Health: 7 bytes"));
    assert!(
        text(tx.set(rows[HEALTH], EntityId(77), &health(1, 2)).unwrap_err()).contains("no entity e:0:77")
    );
    assert!(text(tx.set(rows[ACCOUNT], entity, &account("a", 1)).unwrap_err()).contains("is a table"));
    assert!(text(tx.insert_row(rows[HEALTH], &health(1, 2)).unwrap_err()).contains("is a component"));
    assert!(text(tx.set(rows[PING], entity, &[1]).unwrap_err()).contains("emit it"));
    assert!(text(tx.emit(rows[SEASON], &[1]).unwrap_err()).contains("no event"));
    assert!(text(tx.set(RowId(99), entity, &[]).unwrap_err()).contains("row type 99"));
    let ada = tx.insert_row(rows[ACCOUNT], &account("ada", 1)).unwrap();
    assert!(text(tx.insert_row(rows[ACCOUNT], &account("ada", 2)).unwrap_err()).contains("unique field 0"));
    assert_eq!(tx.entity_count(), 2, "the refused row left no entity behind");
    assert_eq!(tx.find(rows[ACCOUNT], 0, b"ada"), Some(ada));
    assert!(tx.remove(rows[ACCOUNT], ada));
    assert!(!tx.exists(ada), "a table's row is its entity");
}

#[test]
fn a_dropped_transaction_leaves_nothing_but_used_ids() {
    let (mut world, rows) = world(Limits::default());
    let mut tx = world.begin(Cause::default());
    let kept = tx.spawn();
    tx.set(rows[HEALTH], kept, &health(1, 2)).unwrap();
    let season = tx.insert_row(rows[SEASON], &[1]).unwrap();
    let timer = tx.after(Timestamp(9), 0, 0, &[]).unwrap();
    tx.accept().unwrap();
    world.commit(1, Timestamp(0));

    let session = SessionId(4);
    let mut tx = world.begin(Cause { caller: Caller { session, ..Caller::default() }, now: Timestamp(3) });
    assert_eq!((tx.now(), tx.caller().session), (Timestamp(3), session));
    assert_eq!(tx.insert_row(rows[SEASON], &[2]).unwrap(), season, "a resource has one row");
    let first = tx.random();
    let lost = tx.spawn();
    tx.set(rows[HEALTH], lost, &health(7, 7)).unwrap();
    tx.despawn(kept);
    tx.emit(rows[PING], &[1]).unwrap();
    tx.join(session, 8);
    tx.detached(0, 3, &[1]).unwrap();
    assert!(tx.cancel(timer));
    drop(tx);

    assert_eq!(world.get(rows[HEALTH], kept), Some(&health(1, 2)[..]));
    assert_eq!(world.get(rows[SEASON], season), Some(&[1][..]));
    assert!(!world.exists(lost));
    assert_eq!(world.timers().count(), 1);
    assert!(world.take_detached().is_empty());
    assert!(world.commit(2, Timestamp(0)).is_empty());
    world.check().unwrap();

    let mut tx = world.begin(Cause::default());
    assert_eq!(tx.random(), first);
    assert!(tx.spawn() > lost, "an id that was told to somebody is not used again");
    tx.detached(0, 3, &[1]).unwrap();
    tx.refuse();
    let detached = world.take_detached();
    assert_eq!((detached.len(), detached[0].reducer), (1, 3), "a refused call's detached calls stay");
}

#[test]
fn limits_hold_and_name_themselves() {
    let limits =
        Limits { rows_per_type: 2, tx_changes: 7, events: 1, timers: 1, detached: 1, ..Limits::default() };
    let (mut world, rows) = world(limits);
    let mut tx = world.begin(Cause::default());
    tx.emit(rows[PING], &[1]).unwrap();
    assert!(tx.emit(rows[PING], &[2]).unwrap_err().to_string().contains("over the limit of 1 events"));
    tx.after(Timestamp(1), 0, 0, &[]).unwrap();
    assert!(matches!(tx.after(Timestamp(1), 0, 0, &[]), Err(WriteError::Limit { max: 1, .. })));
    tx.detached(0, 0, &[]).unwrap();
    assert!(matches!(tx.detached(0, 0, &[]), Err(WriteError::Limit { max: 1, .. })));
    let entities: Vec<EntityId> = (0..3).map(|_| tx.spawn()).collect();
    tx.set(rows[HEALTH], entities[0], &health(1, 1)).unwrap();
    tx.set(rows[HEALTH], entities[1], &health(1, 1)).unwrap();
    let error = tx.set(rows[HEALTH], entities[2], &health(1, 1)).unwrap_err();
    assert_eq!(error, WriteError::Limit { what: "rows of one type", max: 2 });

    assert!((0..2).all(|_| tx.spawn().is_some()));
    assert!(tx.over_limit().is_none());
    assert_eq!(tx.spawn(), EntityId::NONE, "the eighth change is one too many");
    assert!(!tx.despawn(entities[0]), "and so is every other");
    assert!(tx.over_limit().is_some());
    assert!(matches!(tx.accept(), Err(WriteError::Limit { what: "changes in one transaction", max: 7 })));
    assert_eq!(world.entity_count(), 0);
    world.check().unwrap();
}

#[test]
fn a_delta_has_what_changed_and_nothing_that_came_and_went() {
    let (mut world, rows) = world(Limits::default());
    let mut tx = world.begin(Cause::default());
    let (a, b) = (tx.spawn(), tx.spawn());
    tx.set(rows[HEALTH], a, &health(1, 1)).unwrap();
    tx.set(rows[HEALTH], b, &health(1, 1)).unwrap();
    tx.focus(SessionId(1), Focus::Entity { entity: a, radius: 9.0 });
    tx.accept().unwrap();
    let delta = world.commit(1, Timestamp(1));
    assert_eq!((delta.seq, delta.tick, delta.spawned.clone()), (1, 1, vec![a, b]));
    assert!(matches!(delta.sessions[0].wish, SessionWish::Focus(Focus::Entity { .. })));
    assert_eq!(delta.rows_of(rows[HEALTH]).unwrap().inserted.entities(), [a, b]);
    world.recycle(delta);

    let mut tx = world.begin(Cause::default());
    tx.update(rows[HEALTH], a, &health(2, 3)).unwrap();
    tx.update(rows[HEALTH], b, &health(9, 9)).unwrap();
    let brief = tx.spawn();
    tx.set(rows[HEALTH], brief, &health(0, 0)).unwrap();
    let timer = tx.after(Timestamp(5), 0, 0, &[]).unwrap();
    tx.accept().unwrap();
    let mut tx = world.begin(Cause::default());
    tx.update(rows[HEALTH], a, &health(2, 1)).unwrap();
    tx.update(rows[HEALTH], b, &health(1, 1)).unwrap();
    tx.despawn(brief);
    tx.cancel(timer);
    let stays = tx.after(Timestamp(6), 0, 7, &[2]).unwrap();
    tx.accept().unwrap();
    let delta = world.commit(2, Timestamp(2));
    let rows = delta.rows_of(rows[HEALTH]).unwrap();
    let updated: Vec<_> = rows.updated.iter().collect();
    assert_eq!(updated, [(a, 1, &health(2, 1)[..])], "only the first field differs, and b is as it was");
    assert!(rows.inserted.is_empty() && rows.removed.is_empty());
    assert!(delta.spawned.is_empty() && delta.despawned.is_empty());
    assert!(matches!(&delta.timers[..], [TimerOp::Set(timer)] if timer.id == stays));
}

#[test]
fn a_replica_follows_and_says_when_it_cannot() {
    let ((mut world, rows), (mut replica, _)) = (world(Limits::default()), world(Limits::default()));
    let mut tx = world.begin(Cause::default());
    let entity = tx.spawn();
    let player = tx.row_named(PLAYER).unwrap();
    let identity = Identity([3; 32]);
    tx.set(player, entity, &identity.0).unwrap();
    let (ada, bob) = (
        tx.insert_row(rows[ACCOUNT], &account("ada", 1)).unwrap(),
        tx.insert_row(rows[ACCOUNT], &account("bob", 2)).unwrap(),
    );
    tx.accept().unwrap();
    let first = world.commit(1, Timestamp(0));
    replica.apply(&first).unwrap();
    assert_eq!(replica.player(&identity), Some(entity));
    assert!(matches!(replica.apply(&first), Err(ApplyError::Mismatch { .. })), "twice is once too often");

    // Two rows swap their unique keys within one commit.
    let (mut replica, _) = self::world(Limits::default());
    replica.apply(&first).unwrap();
    let mut tx = world.begin(Cause::default());
    for (entity, name) in [(ada, "x"), (bob, "ada"), (ada, "bob")] {
        tx.update(rows[ACCOUNT], entity, &account(name, 5)).unwrap();
    }
    tx.accept().unwrap();
    replica.apply(&world.commit(2, Timestamp(0))).unwrap();
    assert_eq!(replica.find(rows[ACCOUNT], 0, b"bob"), Some(ada));
    replica.check().unwrap();

    let mut own = replica.begin(Cause::default());
    own.spawn();
    own.accept().unwrap();
    assert_eq!(replica.apply(&world.commit(3, Timestamp(0))), Err(ApplyError::NotAReplica));
}

#[test]
fn timers_run_by_time_then_age() {
    let (mut world, _) = world(Limits::default());
    let mut tx = world.begin(Cause::default());
    for (at, reducer) in [(5, 0), (3, 1), (5, 2), (9, 3)] {
        tx.after(Timestamp(at), 0, reducer, &[]).unwrap();
    }
    tx.accept().unwrap();
    let mut due = |now, max| {
        world.due_timers(Timestamp(now), max).into_iter().map(|timer| timer.call.reducer).collect::<Vec<_>>()
    };
    assert!(due(2, 9).is_empty());
    assert_eq!(due(5, 2), [1, 0]);
    assert_eq!(due(5, 9), [2]);
    assert_eq!(due(9, 9), [3]);
}
