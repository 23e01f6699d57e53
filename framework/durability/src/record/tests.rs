//! Records come back as they were written, and nothing but records is read.

use evertick_schema::{
    EntityId, FieldDef, Identity, RowDef, RowKind, SessionId, StorageClass, Timestamp, Type,
};
use evertick_world::{
    Call, Caller, Cause, Config, Counters, Delta, DueTimer, RandomState, RowId, TimedCall, TimerId, TimerOp,
    TraceEntry, World,
};
use proptest::prelude::*;

use super::write::SessionChange;
use super::*;

/// What a reader was told, in order.
#[derive(Debug, Default, PartialEq)]
struct Told(Vec<String>);

#[derive(Debug, PartialEq)]
struct Bad;

impl From<Malformed> for Bad {
    fn from(_: Malformed) -> Self {
        Self
    }
}

macro_rules! tell {
    ($told:ident, $($args:tt)*) => {{
        $told.0.push(format!($($args)*));
        Ok(())
    }};
}

impl Visit for Told {
    type Error = Bad;

    fn header(&mut self, header: Header) -> Result<(), Bad> {
        tell!(self, "{header:?}")
    }
    fn cause(&mut self, time: Timestamp, cause: CauseRef<'_>) -> Result<(), Bad> {
        tell!(self, "{time:?} {cause:?}")
    }
    fn put(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), Bad> {
        tell!(self, "put {row:?} {entity} {bytes:?}")
    }
    fn patch(&mut self, row: RowId, entity: EntityId, mask: u64, fields: &[u8]) -> Result<(), Bad> {
        tell!(self, "patch {row:?} {entity} {mask:b} {fields:?}")
    }
    fn remove(&mut self, row: RowId, entity: EntityId) -> Result<(), Bad> {
        tell!(self, "remove {row:?} {entity}")
    }
    fn timer(&mut self, op: TimerOp) -> Result<(), Bad> {
        tell!(self, "{op:?}")
    }
    fn opened(&mut self, caller: &Caller) -> Result<(), Bad> {
        tell!(self, "opened {caller:?}")
    }
    fn closed(&mut self, session: SessionId) -> Result<(), Bad> {
        tell!(self, "closed {session:?}")
    }
    fn random(&mut self, state: RandomState) -> Result<(), Bad> {
        tell!(self, "{state:?}")
    }
    fn numbers(&mut self, numbers: Numbers) -> Result<(), Bad> {
        tell!(self, "{numbers:?}")
    }
    fn generation(&mut self, generation: u64) -> Result<(), Bad> {
        tell!(self, "generation {generation}")
    }
    fn check_delta(&mut self, checksum: u32) -> Result<(), Bad> {
        tell!(self, "delta {checksum}")
    }
    fn check_run(&mut self, name: &str, checksum: u32) -> Result<(), Bad> {
        tell!(self, "{name} {checksum}")
    }
}

fn caller(number: u8) -> Caller {
    let roles: Vec<String> = (0..number % 3).map(|role| format!("role {role}")).collect();
    Caller {
        identity: Identity([number / 2; 32]),
        session: SessionId(u64::from(number / 4)),
        roles: roles.into(),
    }
}

fn timer(number: u64, args: &[u8]) -> DueTimer {
    let call = TimedCall { module: number as u16, reducer: number as u32 / 3, args: args.to_vec() };
    DueTimer { id: TimerId(number), at: Timestamp(number as i64 - 100), call }
}

const HEADER: Header =
    Header { kind: RecordKind::Commit, commit: 77, tick: 1 << 40, time: Timestamp(1_700_000_000_000_000) };

#[derive(Clone, Debug)]
enum Asked {
    Init,
    Upgrade,
    Tick,
    Connect(u8),
    Disconnect(u8),
    /// Whether it is an input, who, module, reducer, arguments.
    Call(bool, u8, u16, u32, Vec<u8>),
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        Just(Asked::Init),
        Just(Asked::Upgrade),
        Just(Asked::Tick),
        any::<u8>().prop_map(Asked::Connect),
        any::<u8>().prop_map(Asked::Disconnect),
        (any::<bool>(), any::<u8>(), any::<u16>(), any::<u32>(), any::<Vec<u8>>())
            .prop_map(|(input, who, module, reducer, args)| Asked::Call(input, who, module, reducer, args)),
    ]
}

proptest! {
    #[test]
    fn causes_sessions_and_timers_come_back(
        causes in prop::collection::vec((any::<i32>(), asked()), 0..20),
        sessions in prop::collection::vec((any::<bool>(), any::<u8>()), 0..8),
        timers in prop::collection::vec((any::<bool>(), any::<u64>(), any::<Vec<u8>>()), 0..8),
        random: Option<[u8; 32]>,
        numbers: Option<[u64; 5]>,
        trace in prop::collection::vec(("[a-z.]{0,9}", any::<u32>()), 0..5),
    ) {
        let mut want = Told::default();
        let mut buffer = CauseBuffer::default();
        want.header(HEADER).unwrap();
        for (offset, cause) in &causes {
            let time = Timestamp(HEADER.time.0 + i64::from(*offset));
            let mut push = |cause: CauseRef<'_>| {
                buffer.push(time, cause);
                want.cause(time, cause).unwrap();
            };
            match cause {
                Asked::Init => push(CauseRef::Init),
                Asked::Upgrade => push(CauseRef::Upgrade),
                Asked::Tick => push(CauseRef::Tick),
                Asked::Connect(who) => push(CauseRef::Connect(&caller(*who))),
                Asked::Disconnect(who) => push(CauseRef::Disconnect(&caller(*who))),
                Asked::Call(input, who, module, reducer, args) => {
                    let caller = caller(*who);
                    let call = Call { module: *module, reducer: *reducer, args, caller: &caller };
                    push(if *input { CauseRef::Input(call) } else { CauseRef::Call(call) });
                }
            }
        }
        let changes: Vec<SessionChange> = sessions
            .iter()
            .map(|(opened, number)| match opened {
                true => SessionChange::Opened { caller: buffer.caller(&caller(*number)) },
                false => SessionChange::Closed(SessionId(u64::from(*number))),
            })
            .collect();
        let ops: Vec<TimerOp> = timers
            .iter()
            .map(|(set, number, args)| match set {
                true => TimerOp::Set(timer(*number, args)),
                false => TimerOp::Gone(TimerId(*number)),
            })
            .collect();
        let trace: Vec<TraceEntry> =
            trace.into_iter().map(|(name, checksum)| TraceEntry { name: name.into(), checksum }).collect();

        let mut out = Vec::new();
        let record = RecordWriter::start(&mut out, HEADER);
        buffer.write(record.out, HEADER.time);
        let mut record = record;
        record.timers(&ops);
        record.sessions(&changes);
        random.iter().for_each(|state| record.random(RandomState(*state)));
        numbers.iter().for_each(|fields| record.numbers(Numbers::from_fields(*fields)));
        record.generation(3);
        record.checks(9, &trace);

        ops.into_iter().try_for_each(|op| want.timer(op)).unwrap();
        for (opened, number) in sessions {
            match opened {
                true => want.opened(&caller(number)).unwrap(),
                false => want.closed(SessionId(u64::from(number))).unwrap(),
            }
        }
        random.iter().try_for_each(|state| want.random(RandomState(*state))).unwrap();
        numbers.iter().try_for_each(|fields| want.numbers(Numbers::from_fields(*fields))).unwrap();
        want.generation(3).unwrap();
        want.check_delta(9).unwrap();
        trace.iter().try_for_each(|entry| want.check_run(&entry.name, entry.checksum)).unwrap();

        let mut told = Told::default();
        prop_assert_eq!(read(&out, &Shapes::default(), &mut told), Ok(()));
        prop_assert_eq!(told, want);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>, kind in 0..5u8, section in 0..10u8, rest: Vec<u8>) {
        let shapes = shapes();
        let _ = read(&bytes, &shapes, &mut Told::default());
        let _ = read(&[&[kind, 0, 0, 0, section][..], &rest].concat(), &shapes, &mut Told::default());
        let _ = read_chunk(&bytes, &shapes, &mut Chunks::default());
        let _ = read_chunk(&[&[kind][..], &rest].concat(), &shapes, &mut Chunks::default());
        let _ = Preamble::from_bytes(&bytes);
        let _ = Preamble::from_bytes(&[&[preamble::FORMAT as u8][..], &rest].concat());
    }

    #[test]
    fn damaged_records_are_read_without_panic(at: prop::sample::Index, byte: u8, seed in 0..50u64) {
        let model = Model::new();
        let mut out = Vec::new();
        model.write(&model.clone_step(seed), &mut out);
        let at = at.index(out.len());
        out[at] = byte;
        let _ = read(&out, &shapes(), &mut Told::default());
    }

    #[test]
    fn redo_of_records_makes_the_same_rows(seeds in prop::collection::vec(any::<u64>(), 1..12)) {
        let mut model = Model::new();
        let mut records = Vec::new();
        for seed in seeds {
            let delta = model.step(seed);
            let mut out = Vec::new();
            model.write(&delta, &mut out);
            records.push(out);
        }
        let mut replica = world();
        let mut restore = replica.restore().unwrap();
        for record in &records {
            read(record, &shapes(), &mut Redo(&mut restore)).unwrap();
        }
        restore.finish().unwrap();
        replica.check().unwrap();
        for row in [0, 1, 2] {
            let rows = |world: &World| {
                let mut rows: Vec<(EntityId, Vec<u8>)> =
                    world.scan(RowId(2 + row)).map(|(entity, row)| (entity, row.to_vec())).collect();
                rows.sort();
                rows
            };
            match row {
                0 | 1 => prop_assert_eq!(rows(&model.0), rows(&replica)),
                _ => prop_assert!(rows(&replica).is_empty(), "transient rows are not in records"),
            }
        }
    }
}

// ---- a world that changes, for rows ----

fn rows() -> Vec<RowDef> {
    let component = |name: &str, fields| RowDef::new(name, RowKind::Component, fields);
    vec![
        component(
            "Flat",
            vec![
                FieldDef::new("a", Type::U32),
                FieldDef::new("b", Type::U32),
                FieldDef::new("c", Type::U64),
                FieldDef::new("d", Type::U8),
                FieldDef::new("pad", Type::Array(Box::new(Type::U8), 7)),
            ],
        ),
        component("Label", vec![FieldDef::new("text", Type::String)]),
        RowDef {
            storage: StorageClass::Transient,
            ..component("Scratch", vec![FieldDef::new("a", Type::U32)])
        },
    ]
}

fn world() -> World {
    let mut world = World::new(Config::default());
    assert_eq!(world.register("game", &rows()).unwrap(), [RowId(2), RowId(3), RowId(4)]);
    world
}

fn shapes() -> Shapes {
    Shapes::of(world().row_types())
}

struct Model(World);

impl Model {
    fn new() -> Self {
        Self(world())
    }

    fn clone_step(&self, seed: u64) -> Delta {
        Self::new().step(seed)
    }

    /// Some changes that follow from `seed`.
    fn step(&mut self, mut seed: u64) -> Delta {
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut tx = self.0.begin(Cause::default());
        for _ in 0..next(12) {
            let known: Vec<EntityId> = tx.scan(RowId(2)).map(|(entity, _)| entity).collect();
            let entity = match known.get(next(known.len() as u64 + 3) as usize) {
                Some(entity) => *entity,
                None => tx.spawn(),
            };
            let mut flat = tx.get(RowId(2), entity).map_or(vec![0; 24], <[u8]>::to_vec);
            match next(6) {
                0 => drop(tx.despawn(entity)),
                1 => drop(tx.remove(RowId(3), entity)),
                2 => tx.set(RowId(3), entity, &label(next(20) as usize)).unwrap(),
                3 => tx.set(RowId(4), entity, &[1; 4]).unwrap(),
                _ => {
                    flat[next(17) as usize] = next(256) as u8;
                    tx.set(RowId(2), entity, &flat).unwrap();
                }
            }
        }
        tx.accept().unwrap();
        self.0.commit(1, Timestamp(5))
    }

    fn write(&self, delta: &Delta, out: &mut Vec<u8>) {
        let (shapes, mut spans) = (shapes(), Vec::new());
        let record = RecordWriter::start(out, HEADER);
        delta.rows.iter().for_each(|rows| put_rows(record.out, &shapes, rows, &mut spans));
    }
}

/// A row with one string.
fn label(len: usize) -> Vec<u8> {
    let offset = if len == 0 { 0 } else { 8u32 };
    [&offset.to_le_bytes()[..], &(len as u32).to_le_bytes(), &vec![b'x'; len]].concat()
}

struct Redo<'r, 'w>(&'r mut evertick_world::Restore<'w>);

impl Visit for Redo<'_, '_> {
    type Error = Malformed;

    fn put(&mut self, row: RowId, entity: EntityId, bytes: &[u8]) -> Result<(), Malformed> {
        self.0.put(row, entity, bytes).unwrap();
        Ok(())
    }
    fn patch(&mut self, row: RowId, entity: EntityId, mask: u64, fields: &[u8]) -> Result<(), Malformed> {
        assert!(self.0.patch(row, entity, mask, fields).unwrap(), "nothing was missed");
        Ok(())
    }
    fn remove(&mut self, row: RowId, entity: EntityId) -> Result<(), Malformed> {
        assert!(self.0.remove(row, entity).unwrap(), "nothing was missed");
        Ok(())
    }
}

// ---- snapshots and preambles ----

#[derive(Debug, Default, PartialEq)]
struct Chunks(Vec<String>);

impl SnapshotVisit for Chunks {
    type Error = Malformed;

    fn head(&mut self, head: SnapshotHead) -> Result<(), Malformed> {
        tell!(self, "{head:?}")
    }
    fn entity(&mut self, entity: EntityId, rows: &[(RowId, &[u8])]) -> Result<(), Malformed> {
        tell!(self, "{entity} {rows:?}")
    }
    fn timer(&mut self, timer: DueTimer) -> Result<(), Malformed> {
        tell!(self, "{timer:?}")
    }
    fn session(&mut self, caller: Caller) -> Result<(), Malformed> {
        tell!(self, "{caller:?}")
    }
    fn end(&mut self, end: SnapshotEnd) -> Result<(), Malformed> {
        tell!(self, "{end:?}")
    }
}

#[test]
fn chunks_of_snapshots_come_back() {
    let numbers = Numbers::from_fields([1, 2, 3, 4, 5]);
    let Counters { random, .. } = world().counters();
    let head = SnapshotHead { numbers, commit: 4, tick: 9, time: Timestamp(-1), random };
    let end = SnapshotEnd { rows: 3 };
    let (shapes, flat, text) = (shapes(), [7; 24], label(3));
    let (mut write, mut chunks) = (SnapshotWrite::default(), Vec::new());
    write.head(&head);
    chunks.push(write.chunk.clone());
    write.begin_rows();
    write.row(&shapes, EntityId(5), RowId(2), &flat);
    write.row(&shapes, EntityId(5), RowId(3), &text);
    write.row(&shapes, EntityId(9), RowId(3), &text);
    write.end_rows();
    chunks.push(write.chunk.clone());
    write.timers([timer(1, &[4]), timer(2, &[])].into_iter());
    chunks.push(write.chunk.clone());
    write.sessions([caller(1), caller(99)].iter());
    chunks.push(write.chunk.clone());
    write.end(end);
    chunks.push(write.chunk.clone());

    let (mut told, mut want) = (Chunks::default(), Chunks::default());
    chunks.iter().try_for_each(|chunk| read_chunk(chunk, &shapes, &mut told)).unwrap();
    want.head(head).unwrap();
    want.entity(EntityId(5), &[(RowId(2), &flat), (RowId(3), &text)]).unwrap();
    want.entity(EntityId(9), &[(RowId(3), &text)]).unwrap();
    want.timer(timer(1, &[4])).unwrap();
    want.timer(timer(2, &[])).unwrap();
    want.session(caller(1)).unwrap();
    want.session(caller(99)).unwrap();
    want.end(end).unwrap();
    assert_eq!(told, want);
    // Neither more nor less than a chunk is one; rows may end after any entity.
    for chunk in chunks.iter().filter(|chunk| chunk[0] != 1) {
        let more = [&chunk[..], &[0xff]].concat();
        assert!(read_chunk(&more, &shapes, &mut Chunks::default()).is_err());
        assert!(read_chunk(&chunk[..chunk.len() - 1], &shapes, &mut Chunks::default()).is_err());
    }
}
