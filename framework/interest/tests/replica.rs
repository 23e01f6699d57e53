//! Whatever happens to a world, its sessions and their foci: after every frame a client's replica is what a
//! filter over the world says it may see, and it has heard the events it may hear.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::rows::{
    BAG, BODY, BOOM, CHEER, CLOCK, GEAR, GUILD, HIT, LETTER, NAME, NEWS, NOTE, NOTICE, NUDGE, OWNER, PLAYER,
    POSITION, SECRET, TEAM, WHISPER, addressed, boom, identity, letter, marked, name, position, words,
};
use common::{Server, unsigned};
use evertick_protocol::{Replica, ResyncTopics};
use evertick_schema::{Duration, EntityId, SessionId, Type, Visibility};
use evertick_world::{Cell, Delta, Focus, Place};
use proptest::prelude::*;
use proptest::sample::select;

/// Sessions and identities are few, so that they meet.
const SESSIONS: u64 = 4;
const IDENTITIES: u8 = 3;
const GROUPS: u32 = 3;
const CELL: f32 = 64.0;
/// Ticks without a change after which a row rests, and one more.
const REST_TICKS: usize = 5;

#[derive(Clone, Debug)]
enum Op {
    Spawn {
        at: [f32; 2],
        body: bool,
    },
    Despawn(usize),
    Step {
        which: usize,
        by: [f32; 2],
    },
    Teleport {
        which: usize,
        space: u32,
        at: [f32; 2],
    },
    Set {
        which: usize,
        row: usize,
        value: u32,
    },
    Remove {
        which: usize,
        row: usize,
    },
    Table {
        row: usize,
        key: u32,
        value: u32,
    },
    Emit {
        row: usize,
        which: usize,
        at: [f32; 2],
        value: u32,
    },
    Open {
        session: u64,
        who: u8,
    },
    Close(u64),
    LookAt {
        session: u64,
        which: usize,
        radius: f32,
    },
    Look {
        session: u64,
        at: [f32; 2],
        radius: f32,
    },
    LookAway(u64),
    /// A client loses all it has and is brought it again.
    Resync(u64),
    Join {
        session: u64,
        group: u64,
    },
    Leave {
        session: u64,
        group: u64,
    },
    Commit,
    Frame {
        later_ms: i64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let at = || [-150.0..150.0f32, -150.0..150.0f32];
    let by = [-20.0..20.0f32, -20.0..20.0f32];
    let which = || 0..12usize;
    let session = || 0..SESSIONS;
    let radius = || 0.0..120.0f32;
    let group = || (0..GROUPS).prop_map(u64::from);
    let component = || select(vec![BODY, NAME, GEAR, SECRET, BAG, NOTE, GUILD, TEAM, OWNER, PLAYER]);
    let removable = select(vec![
        POSITION, BODY, NAME, GEAR, SECRET, BAG, NOTE, GUILD, TEAM, OWNER, PLAYER, LETTER, NOTICE,
    ]);
    let event = select(vec![BOOM, HIT, WHISPER, NUDGE, CHEER, NEWS]);
    prop_oneof![
        3 => (at(), any::<bool>()).prop_map(|(at, body)| Op::Spawn { at, body }),
        1 => which().prop_map(Op::Despawn),
        6 => (which(), by).prop_map(|(which, by)| Op::Step { which, by }),
        2 => (which(), 0..2u32, at()).prop_map(|(which, space, at)| Op::Teleport { which, space, at }),
        8 => (which(), component(), 0..6u32).prop_map(|(which, row, value)| Op::Set { which, row, value }),
        2 => (which(), removable).prop_map(|(which, row)| Op::Remove { which, row }),
        2 => (select(vec![LETTER, NOTICE, CLOCK]), 0..4u32, 0..6u32)
            .prop_map(|(row, key, value)| Op::Table { row, key, value }),
        3 => (event, which(), at(), 0..6u32).prop_map(|(row, which, at, value)| Op::Emit { row, which, at, value }),
        2 => (session(), 0..IDENTITIES).prop_map(|(session, who)| Op::Open { session, who }),
        1 => session().prop_map(Op::Close),
        3 => (session(), which(), radius())
            .prop_map(|(session, which, radius)| Op::LookAt { session, which, radius }),
        2 => (session(), at(), radius()).prop_map(|(session, at, radius)| Op::Look { session, at, radius }),
        1 => session().prop_map(Op::LookAway),
        2 => session().prop_map(Op::Resync),
        2 => (session(), group()).prop_map(|(session, group)| Op::Join { session, group }),
        1 => (session(), group()).prop_map(|(session, group)| Op::Leave { session, group }),
        4 => Just(Op::Commit),
        8 => select(vec![0, 50, 1_000, 3_000]).prop_map(|later_ms| Op::Frame { later_ms }),
    ]
}

/// The server with what the test remembers of it.
struct Run {
    server: Server,
    /// All entities ever made by [`Op::Spawn`].
    entities: Vec<EntityId>,
    /// Where each session last wished to look, as of the last commit.
    foci: BTreeMap<SessionId, Focus>,
    /// Since the last frame.
    events: Vec<Emitted>,
    mark: u32,
}

struct Emitted {
    row: usize,
    bytes: Vec<u8>,
    /// Where, of one for those nearby.
    cell: Option<Cell>,
    /// Who must hear it, unless they look away before the frame.
    hear: Vec<SessionId>,
}

impl Run {
    fn new() -> Self {
        let (entities, events) = (Vec::new(), Vec::new());
        Self { server: Server::new(), entities, foci: BTreeMap::new(), events, mark: 0 }
    }

    fn entity(&self, which: usize) -> EntityId {
        // Mostly one of the latest, so that there is life in them.
        let from = self.entities.len().saturating_sub(12);
        self.entities[from..].get(which).copied().unwrap_or(EntityId(77))
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Spawn { at: [x, y], body } => {
                let mut with = vec![(POSITION, position(0, x, y))];
                with.extend(body.then(|| (BODY, words(&[1, 2, 3]))));
                self.entities.push(self.server.spawn(&with));
            }
            Op::Despawn(which) => {
                let entity = self.entity(which);
                self.server.write(|tx, _| tx.despawn(entity));
            }
            Op::Step { which, by } => {
                let entity = self.entity(which);
                if let Some(place) = self.server.world.place(entity) {
                    self.put(
                        entity,
                        POSITION,
                        position(place.space, place.at[0] + by[0], place.at[1] + by[1]),
                    );
                }
            }
            Op::Teleport { which, space, at: [x, y] } => {
                self.put(self.entity(which), POSITION, position(space, x, y));
            }
            Op::Set { which, row, value } => self.put(self.entity(which), row, row_of(row, value)),
            Op::Remove { which, row } => {
                let entity = self.entity(which);
                let table = || self.server.world.scan(self.server.rows[row]).next().map(|(entity, _)| entity);
                let entity = if matches!(row, LETTER | NOTICE) { table() } else { Some(entity) };
                if let Some(entity) = entity {
                    self.server.write(|tx, rows| tx.remove(rows[row], entity));
                }
            }
            Op::Table { row, key, value } => {
                let bytes = match row {
                    LETTER => letter(key, (value % 3) as u8, value),
                    NOTICE => words(&[key, value]),
                    _ => words(&[value]),
                };
                let id = self.server.rows[row];
                match self.server.world.find(id, 0, &key.to_le_bytes()).filter(|_| row != CLOCK) {
                    Some(entity) => self.put(entity, row, bytes),
                    None => drop(self.server.write(|tx, rows| tx.insert_row(rows[row], &bytes)).unwrap()),
                }
            }
            Op::Emit { row, which, at, value } => self.emit(row, self.entity(which), at, value),
            Op::Open { session, who } => {
                if !self.server.clients.contains_key(&SessionId(session + 1)) {
                    let id = self.server.open(session + 1, who);
                    self.server.clients.get_mut(&id).unwrap().takes_one_in = session + 1;
                }
            }
            Op::Close(session) => {
                self.server.close(SessionId(session + 1));
                self.foci.remove(&SessionId(session + 1));
                for event in &mut self.events {
                    event.hear.retain(|id| *id != SessionId(session + 1));
                }
            }
            Op::LookAt { session, which, radius } => {
                self.server.look_at(SessionId(session + 1), self.entity(which), radius);
            }
            Op::Look { session, at: [x, y], radius } => {
                self.server.look(SessionId(session + 1), x, y, radius);
            }
            Op::LookAway(session) => self.server.focus(SessionId(session + 1), Focus::None),
            Op::Resync(session) => {
                let id = SessionId(session + 1);
                let description = &self.server.description;
                if let Some(client) = self.server.clients.get_mut(&id) {
                    client.replica = Replica::new(description).unwrap();
                }
                self.server.interest.resync(id, ResyncTopics::All);
            }
            Op::Join { session, group } => self.server.join(SessionId(session + 1), group),
            Op::Leave { session, group } => self.server.leave(SessionId(session + 1), group),
            Op::Commit => self.commit(),
            Op::Frame { later_ms } => {
                self.server.now += Duration::from_millis(later_ms);
                self.commit();
                self.server.frame();
                self.server.check_ordered();
                self.check_heard();
                self.check_views();
            }
        }
    }

    /// Sets a row, unless the entity is gone or the row would break a key.
    fn put(&mut self, entity: EntityId, row: usize, bytes: Vec<u8>) {
        let _refused = self.server.write(|tx, rows| tx.set(rows[row], entity, &bytes));
    }

    fn emit(&mut self, row: usize, entity: EntityId, [x, y]: [f32; 2], value: u32) {
        self.mark += 1;
        let mark = self.mark;
        let bytes = match row {
            BOOM => boom(x, y, mark),
            HIT | NUDGE => marked(entity, mark.into()),
            WHISPER => addressed((value % 3) as u8, &[mark]),
            CHEER => words(&[value % GROUPS, mark]),
            _ => words(&[mark]),
        };
        self.server.emit(row, bytes);
    }

    fn commit(&mut self) {
        let delta = self.server.commit();
        for op in &delta.sessions {
            if let evertick_world::SessionWish::Focus(focus) = op.wish
                && self.server.clients.contains_key(&op.session)
            {
                self.foci.insert(op.session, focus);
            }
        }
        for focus in self.foci.values_mut() {
            if matches!(*focus, Focus::Entity { entity, .. } if !self.server.world.exists(entity)) {
                *focus = Focus::None;
            }
        }
        for event in &delta.events {
            let row = self.server.rows.iter().position(|row| *row == event.row).unwrap();
            let cell = self.event_cell(row, &event.bytes, &delta);
            let hear = |id: &SessionId| self.may_hear(*id, row, &event.bytes, cell);
            let hear = self.server.clients.keys().copied().filter(hear).collect();
            self.events.push(Emitted { row, bytes: event.bytes.to_vec(), cell, hear });
        }
    }

    fn event_cell(&self, row: usize, bytes: &[u8], delta: &Delta) -> Option<Cell> {
        let field = self.server.def(row).origin?;
        if self.server.def(row).fields[usize::from(field)].ty == Type::EntityId {
            let entity = EntityId(unsigned(&bytes[..8]));
            let gone = || delta.moved.iter().find(|entry| entry.entity == entity)?.from;
            return self.server.world.cell(entity).or_else(gone);
        }
        let line =
            |at: usize| (f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) / CELL).floor() as i32;
        Some(Cell { space: 0, x: line(0), y: line(4) })
    }

    /// The rule for events: whom they are for, as the world is now.
    fn may_hear(&self, id: SessionId, row: usize, bytes: &[u8], cell: Option<Cell>) -> bool {
        let client = &self.server.clients[&id];
        match self.server.def(row).visible {
            Visibility::Near => cell.is_some_and(|cell| self.server.sees_cell(id, cell)),
            Visibility::Owner { .. } if row == NUDGE => {
                self.server.world.owner(EntityId(unsigned(&bytes[..8]))) == Some(client.identity)
            }
            Visibility::Owner { .. } => bytes[..32] == client.identity.0,
            Visibility::Group { .. } => client.groups.contains(&unsigned(&bytes[..4])),
            visible => visible == Visibility::Everyone,
        }
    }

    /// Nobody hears what is not for them, or something twice; nobody misses what was for them all along.
    fn check_heard(&mut self) {
        let events = std::mem::take(&mut self.events);
        for (id, client) in &self.server.clients {
            for heard in &client.heard {
                let times = client.heard.iter().filter(|other| *other == heard).count();
                let event = events.iter().find(|event| (event.row, &event.bytes) == (heard.0, &heard.1));
                let event = event.expect("what is heard has happened");
                // An owner may have changed since.
                let may = event.hear.contains(id) || self.may_hear_now(*id, event);
                assert!(may && times == 1, "{id:?} heard {heard:?} {times} times");
            }
            for event in events.iter().filter(|event| event.hear.contains(id)) {
                if event.row == NUDGE || self.may_hear_now(*id, event) {
                    let heard = client.heard.contains(&(event.row, event.bytes.clone()));
                    assert!(heard, "{id:?} missed {} {:?}", event.row, event.bytes);
                }
            }
        }
    }

    fn may_hear_now(&self, id: SessionId, event: &Emitted) -> bool {
        self.may_hear(id, event.row, &event.bytes, event.cell)
    }

    /// A view has all cells that are inside the radius and none that is half a cell beyond, give or take the
    /// eighth of a cell that a focus may move unnoticed.
    fn check_views(&self) {
        for (id, focus) in &self.foci {
            let (place, radius, home) = match *focus {
                Focus::None => continue,
                Focus::Point { place, radius } => (place, radius, None),
                Focus::Entity { entity, radius } => match self.server.world.place(entity) {
                    Some(place) => (place, radius, self.server.world.cell(entity)),
                    None => continue,
                },
            };
            let interest = &self.server.interest;
            for (view, radius) in [(interest.view(*id), radius), (interest.details(*id), radius / 2.0)] {
                assert!(view.is_sorted());
                let blur = if home.is_some() { CELL / 8.0 } else { 0.0 } + 1e-3;
                for (x, y) in (-6..6).flat_map(|x| (-6..6).map(move |y| (x, y))) {
                    let cell = Cell { space: place.space, x, y };
                    let gap = distance(place, cell);
                    assert!(gap > radius - blur || view.contains(&cell), "{id:?} does not see {cell:?}");
                }
                for cell in view {
                    let near = distance(place, *cell) <= radius + CELL / 2.0 + blur;
                    let near = near && cell.space == place.space;
                    assert!(near || Some(*cell) == home, "{id:?} sees {cell:?} from {place:?}");
                }
            }
        }
    }
}

/// The distance to the nearest point of a cell.
fn distance(place: Place, cell: Cell) -> f32 {
    let gap = |at: f32, line: i32| (line as f32 * CELL - at).max(at - (line + 1) as f32 * CELL).max(0.0);
    gap(place.at[0], cell.x).hypot(gap(place.at[1], cell.y))
}

/// A row of a component, one of six.
fn row_of(row: usize, value: u32) -> Vec<u8> {
    let who = (value % u32::from(IDENTITIES)) as u8;
    match row {
        BODY => words(&[value % 2, value, 9]),
        NAME => name(["", "a", "bob", "eve", "mallory", "ö"][value as usize]),
        SECRET | BAG | GEAR => words(&[value]),
        NOTE => addressed(who, &[value]),
        GUILD => words(&[value % GROUPS, value]),
        TEAM => vec![(value % GROUPS) as u8],
        _ => identity(who).0.to_vec(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn a_replica_is_what_its_session_may_see(ops in prop::collection::vec(op(), 1..160)) {
        let mut run = Run::new();
        for op in &ops {
            run.apply(op);
        }
        // What moved comes to rest, and then all have all, whatever they lost.
        for _ in 0..REST_TICKS {
            run.apply(&Op::Frame { later_ms: 0 });
        }
        run.server.check();
    }
}
