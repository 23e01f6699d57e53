//! A guest made of closures, and a small game for it.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each suite uses its own part; a test that can't go on fails"
)]

use std::sync::{Arc, Mutex};

use evertick_schema::{
    ABI_VERSION, Access, Duration, EntityId, FieldDef, Identity, IndexDef, IndexKind, ModuleDescription,
    ParamDef, ReducerDef, ReducerKind, RefusalDef, RowDef, RowKind, SessionId, SpatialDef, SystemDef,
    TermDef, Timestamp, Type, Visibility,
};
use evertick_world::{
    Call, CallResult, Caller, Config, Delta, Guest, GuestFault, Module, Outcome, RowId, Simulation,
    SystemView, Tx,
};

pub type ReducerFn = Box<dyn FnMut(&mut Tx<'_>, &[RowId], &[u8]) -> Result<Outcome, GuestFault> + Send>;
pub type SystemFn = Box<dyn FnMut(&mut SystemView<'_>) -> Result<(), GuestFault> + Send>;

/// The module's row numbers.
pub const POSITION: usize = 0;
pub const VELOCITY: usize = 1;
pub const LABEL: usize = 2;
pub const HEALTH: usize = 3;
pub const ACCOUNT: usize = 4;
pub const SEASON: usize = 5;
pub const PING: usize = 6;

/// A module under construction.
pub struct Game {
    description: ModuleDescription,
    guest: NativeGuest,
}

#[derive(Default)]
struct NativeGuest {
    reducers: Vec<ReducerFn>,
    systems: Vec<SystemFn>,
}

impl Guest for NativeGuest {
    fn call(
        &mut self,
        tx: &mut Tx<'_>,
        rows: &[RowId],
        reducer: u32,
        args: &[u8],
    ) -> Result<Outcome, GuestFault> {
        self.reducers[reducer as usize](tx, rows, args)
    }

    fn run(&mut self, system: u32, view: &mut SystemView<'_>) -> Result<(), GuestFault> {
        self.systems[system as usize](view)
    }
}

impl Game {
    /// A module with the rows above and nothing that runs.
    pub fn new(name: &str) -> Self {
        let description = ModuleDescription {
            abi: ABI_VERSION,
            name: name.into(),
            rows: rows(),
            reducers: vec![],
            systems: vec![],
            predictions: vec![],
        };
        Self { description, guest: NativeGuest::default() }
    }

    pub fn reducer(
        mut self,
        def: ReducerDef,
        run: impl FnMut(&mut Tx<'_>, &[RowId], &[u8]) -> Result<Outcome, GuestFault> + Send + 'static,
    ) -> Self {
        self.description.reducers.push(def);
        self.guest.reducers.push(Box::new(run));
        self
    }

    pub fn system(
        mut self,
        def: SystemDef,
        run: impl FnMut(&mut SystemView<'_>) -> Result<(), GuestFault> + Send + 'static,
    ) -> Self {
        self.description.systems.push(def);
        self.guest.systems.push(Box::new(run));
        self
    }

    pub fn module(self) -> Module {
        Module { description: self.description, guest: Box::new(self.guest) }
    }
}

fn rows() -> Vec<RowDef> {
    let component = |name: &str, fields| RowDef::new(name, RowKind::Component, fields);
    vec![
        RowDef {
            spatial: Some(SpatialDef { at: 0, space: None }),
            visible: Visibility::Near,
            ..component("Position", vec![FieldDef::new("at", Type::Vec2)])
        },
        component("Velocity", vec![FieldDef::new("by", Type::Vec2)]),
        component("Label", vec![FieldDef::new("text", Type::String)]),
        component(
            "Health",
            vec![
                FieldDef::new("points", Type::U32),
                FieldDef::new("alive", Type::Bool),
                FieldDef::new("pad", Type::Array(Box::new(Type::U8), 3)),
            ],
        ),
        RowDef {
            kind: RowKind::Table { key: 0 },
            indexes: vec![
                IndexDef { field: 0, kind: IndexKind::Hash, unique: true },
                IndexDef { field: 1, kind: IndexKind::Ordered, unique: false },
            ],
            ..component("Account", vec![FieldDef::new("id", Type::U64), FieldDef::new("balance", Type::I64)])
        },
        RowDef { kind: RowKind::Resource, ..component("Season", vec![FieldDef::new("day", Type::U32)]) },
        RowDef { kind: RowKind::Event, ..component("Ping", vec![FieldDef::new("number", Type::U32)]) },
    ]
}

/// A public reducer with these parameters.
pub fn call(name: &str, params: &[(&str, Type)]) -> ReducerDef {
    ReducerDef {
        name: name.into(),
        kind: ReducerKind::Call,
        private: false,
        role: None,
        rate: None,
        params: params.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect(),
        returns: None,
        refusals: vec![RefusalDef { name: "No".into(), fields: vec![FieldDef::new("why", Type::U32)] }],
    }
}

/// A system that runs each tick.
pub fn system(name: &str, params: Vec<ParamDef>) -> SystemDef {
    SystemDef { name: name.into(), every_us: None, before: vec![], after: vec![], params }
}

pub fn query(terms: &[(usize, Access)]) -> ParamDef {
    let terms = terms.iter().map(|&(row, access)| TermDef { row: row as u32, access }).collect();
    ParamDef::Query { terms }
}

/// A player with these roles.
pub fn player(number: u8, roles: &[&str]) -> Caller {
    Caller {
        identity: Identity([number; 32]),
        session: SessionId(u64::from(number)),
        roles: roles.iter().map(ToString::to_string).collect(),
    }
}

pub fn done() -> Result<Outcome, GuestFault> {
    Ok(Outcome::Ok(vec![]))
}

pub fn refused(why: u32) -> Result<Outcome, GuestFault> {
    Ok(Outcome::Refused { variant: 0, message: "no".into(), fields: why.to_le_bytes().to_vec() })
}

/// What systems saw or did, for the test to look at afterwards.
pub type Seen<T> = Arc<Mutex<Vec<T>>>;

pub fn seen<T>() -> Seen<T> {
    Arc::new(Mutex::new(Vec::new()))
}

pub fn vec2(x: f32, y: f32) -> Vec<u8> {
    [x.to_le_bytes(), y.to_le_bytes()].concat()
}

pub fn read_vec2(bytes: &[u8]) -> (f32, f32) {
    let lane = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    (lane(0), lane(4))
}

pub fn read_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"))
}

pub fn health(points: u32, alive: bool) -> Vec<u8> {
    [&points.to_le_bytes()[..], &[u8::from(alive), 0, 0, 0]].concat()
}

pub fn account(id: u64, balance: i64) -> Vec<u8> {
    [id.to_le_bytes(), balance.to_le_bytes()].concat()
}

/// A row with one string.
pub fn label(text: &str) -> Vec<u8> {
    let (offset, len) = if text.is_empty() { (0, 0) } else { (8u32, text.len() as u32) };
    [&offset.to_le_bytes()[..], &len.to_le_bytes(), text.as_bytes()].concat()
}

/// Command buffers, as a guest writes them.
#[derive(Default)]
pub struct CommandBytes(pub Vec<u8>);

impl CommandBytes {
    pub fn spawn(mut self, rows: &[(usize, Vec<u8>)]) -> Self {
        self.0.push(0);
        self.u32(rows.len());
        for (row, bytes) in rows {
            self.u32(*row);
            self.blob(bytes);
        }
        self
    }

    pub fn set(mut self, entity: EntityId, row: usize, bytes: &[u8]) -> Self {
        self.0.push(1);
        self.entity(entity);
        self.u32(row);
        self.blob(bytes);
        self
    }

    pub fn remove(mut self, entity: EntityId, row: usize) -> Self {
        self.0.push(2);
        self.entity(entity);
        self.u32(row);
        self
    }

    pub fn despawn(mut self, entity: EntityId) -> Self {
        self.0.push(3);
        self.entity(entity);
        self
    }

    pub fn emit(mut self, row: usize, bytes: &[u8]) -> Self {
        self.0.push(4);
        self.u32(row);
        self.blob(bytes);
        self
    }

    pub fn insert(mut self, row: usize, bytes: &[u8]) -> Self {
        self.0.push(5);
        self.u32(row);
        self.blob(bytes);
        self
    }

    pub fn after(mut self, at_us: i64, reducer: usize, args: &[u8]) -> Self {
        self.0.push(6);
        self.0.extend_from_slice(&at_us.to_le_bytes());
        self.u32(reducer);
        self.blob(args);
        self
    }

    pub fn detached(mut self, reducer: usize, args: &[u8]) -> Self {
        self.0.push(7);
        self.u32(reducer);
        self.blob(args);
        self
    }

    fn u32(&mut self, value: usize) {
        self.0.extend_from_slice(&(value as u32).to_le_bytes());
    }

    fn entity(&mut self, entity: EntityId) {
        self.0.extend_from_slice(&entity.0.to_le_bytes());
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.u32(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

pub const TICK: Duration = Duration::from_millis(50);

pub fn start(modules: Vec<Module>) -> Simulation {
    Simulation::new(Config::default(), TICK, modules).unwrap()
}

pub fn run(sim: &mut Simulation, reducer: u32, args: &[u8]) -> CallResult {
    let caller = player(1, &[]);
    sim.call(&Call { module: 0, reducer, args, caller: &caller }, Timestamp(0))
}

pub fn row(sim: &Simulation, row: usize) -> RowId {
    sim.rows(0)[row]
}

pub fn get(sim: &Simulation, kind: usize, entity: EntityId) -> Option<Vec<u8>> {
    sim.world().get(row(sim, kind), entity).map(<[u8]>::to_vec)
}

pub fn entities(sim: &Simulation, kind: usize) -> Vec<EntityId> {
    let mut found: Vec<EntityId> = sim.world().scan(row(sim, kind)).map(|(entity, _)| entity).collect();
    found.sort();
    found
}

/// A reducer that spawns an entity with the rows it is made with.
pub fn spawner(game: Game, name: &str, rows: Vec<(usize, Vec<u8>)>) -> Game {
    game.reducer(call(name, &[]), move |tx, ids, _| {
        let entity = tx.spawn();
        for (row, bytes) in &rows {
            tx.set(ids[*row], entity, bytes).unwrap();
        }
        done()
    })
}

/// `position += velocity` for all that have both.
pub fn movement(game: Game) -> Game {
    let params = vec![query(&[(POSITION, Access::Write), (VELOCITY, Access::Read)])];
    game.system(system("movement", params), |view| {
        let tables = view.params()[0].tables();
        for (number, table) in tables.iter().enumerate() {
            let position = table.columns()[0].as_ref().unwrap().flat().unwrap();
            let velocity = table.columns()[1].as_ref().unwrap().flat().unwrap();
            let mut moved = Vec::new();
            for (position, velocity) in position.chunks(8).zip(velocity.chunks(8)) {
                let ((x, y), (dx, dy)) = (read_vec2(position), read_vec2(velocity));
                moved.extend(vec2(x + dx, y + dy));
            }
            view.write_back(0, number, 0, &moved)?;
        }
        Ok(())
    })
}

pub fn updated(delta: &Delta, row: RowId) -> Vec<(EntityId, u64, Vec<u8>)> {
    let rows = delta.rows.iter().filter(|change| change.row == row);
    rows.flat_map(|change| change.updated.iter().map(|(entity, mask, bytes)| (entity, mask, bytes.to_vec())))
        .collect()
}
