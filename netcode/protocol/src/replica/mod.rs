//! A client's copy of what it may see.
//!
//! [`Replica`] holds rows by type and entity ([`store`]), and per topic the roster that says which slot of a
//! block is which entity. A row is *held* by the topics that have set it whole, and goes when the last of them lets go. That
//! is why an entity may cross between topics in one frame with the blocks in any order, and why topics may overlap. What the
//! application hears is worked out at the end of the frame ([`changes`]), from the row before and after.
//!
//! Values come on two lanes. Frames come once and in order ([`apply`]). States ([`states`]) come late, doubled, in any order
//! or never; each row remembers the number of the frame that wrote it last, and each slot that in which its entity entered, and
//! nothing older is taken.
//!
//! A frame is applied as a whole or not at all, as seen from outside: after an error the replica is *broken*
//! and says so for ever. Nothing is rolled back, because a client that was sent a bad frame has lost the
//! stream and must connect anew.

mod apply;
mod assemble;
mod changes;
mod states;
mod store;

use evertick_schema::{EntityId, ModuleDescription, Timestamp};
use hashbrown::HashMap;

pub use self::changes::{Change, ChangeKind, Changes, Event, ResultChange};
pub use self::states::StateStats;
use self::store::RowStore;
use crate::block::TopicKind;
use crate::error::{ProtocolError, SchemaError};
use crate::frame::TopicId;
use crate::limits::{REPLICA_BYTES_MAX, STATE_AGE_US_MAX};
use crate::schema::WireSchema;

/// The length of a tick until a replica is told.
const TICK_US_USUAL: u32 = 50_000;

/// What a client knows of the world.
#[derive(Clone, Debug)]
pub struct Replica {
    schema: WireSchema,
    stores: Vec<RowStore>,
    topics: HashMap<TopicId, Topic>,
    /// The newest frame: its number, tick, time.
    number: u64,
    tick: u64,
    time: Timestamp,
    /// How far a state may be from that frame, in ticks.
    state_ticks_max: u64,
    state_stats: StateStats,
    broken: Option<ProtocolError>,
    /// Frames and states applied so far.
    applied: u32,
    /// What rows and rosters take, about.
    bytes: usize,
    bytes_max: usize,
    /// Scratch, empty between frames.
    removed: HashMap<(u32, EntityId), u32>,
}

#[derive(Clone, Debug)]
struct Topic {
    kind: TopicKind,
    version: u16,
    roster: HashMap<u32, Seat>,
    /// Row types that the topic has set rows of.
    types: Vec<u32>,
}

/// Who is in a slot.
#[derive(Clone, Copy, Debug)]
struct Seat {
    entity: EntityId,
    /// The frame in which the entity entered, the low bits of its number.
    since: u32,
}

/// Whether frame `a` comes after frame `b`, by the low bits of their numbers; they are less than 2³¹ frames apart (years).
const fn after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 > 0
}

impl Replica {
    /// An empty replica of a module's rows, which holds at most [`REPLICA_BYTES_MAX`] bytes.
    pub fn new(description: &ModuleDescription) -> Result<Self, SchemaError> {
        Self::with_bytes_max(description, REPLICA_BYTES_MAX)
    }

    /// An empty replica that holds at most `bytes_max` bytes of rows, some bytes for each row and slot
    /// included.
    pub fn with_bytes_max(description: &ModuleDescription, bytes_max: usize) -> Result<Self, SchemaError> {
        description.check().map_err(|problems| {
            SchemaError(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let schema = WireSchema::new(&description.rows)?;
        let stride = |flat: bool, size: u32| flat.then_some(size as usize);
        let stores = schema.rows().iter().map(|codec| stride(codec.layout.flat, codec.layout.size));
        let stores = stores.enumerate().map(|(row, stride)| RowStore::new(row as u32, stride)).collect();
        Ok(Self {
            schema,
            stores,
            topics: HashMap::new(),
            number: 0,
            tick: 0,
            time: Timestamp::default(),
            state_ticks_max: STATE_AGE_US_MAX / u64::from(TICK_US_USUAL),
            state_stats: StateStats::default(),
            broken: None,
            applied: 0,
            bytes: 0,
            bytes_max,
            removed: HashMap::new(),
        })
    }

    /// Says how long a tick is, as the Welcome has it: states that are more than [`STATE_AGE_US_MAX`] from the newest
    /// frame are dropped. Until then it is taken to be 50 ms.
    pub fn set_tick_us(&mut self, tick_us: u32) {
        self.state_ticks_max = STATE_AGE_US_MAX.div_ceil(u64::from(tick_us.max(1)));
    }

    /// What has become of states so far.
    pub const fn state_stats(&self) -> StateStats {
        self.state_stats
    }

    /// The row types' codecs, by number.
    pub fn schema(&self) -> &WireSchema {
        &self.schema
    }

    /// The number of the newest frame.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The tick of the newest frame.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// The world's time at the newest frame.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Why the replica can't be used any more, if so. Its rows are then a mixture.
    pub fn broken(&self) -> Option<&ProtocolError> {
        self.broken.as_ref()
    }

    /// The topics that are seen.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, TopicKind)> {
        self.topics.iter().map(|(topic, known)| (*topic, known.kind))
    }

    /// The row of type number `row` that `entity` has. The bytes are valid for the type.
    pub fn get(&self, row: u32, entity: EntityId) -> Option<&[u8]> {
        let store = self.stores.get(row as usize)?;
        Some(store.row(store.find(entity)?))
    }

    /// All rows of type number `row`, in no order.
    pub fn rows(&self, row: u32) -> impl Iterator<Item = (EntityId, &[u8])> {
        self.stores.get(row as usize).into_iter().flat_map(RowStore::iter)
    }

    /// Whether a topic holds the row of type number `row` that `entity` has.
    pub fn is_held(&self, row: u32, entity: EntityId, topic: TopicId) -> bool {
        let Some(store) = self.stores.get(row as usize) else { return false };
        store.find(entity).is_some_and(|index| store.is_held(index, topic))
    }

    /// The entities whose rows of type number `row` a topic holds, in no order. Costs a look-up per entity of the topic.
    pub fn held_by(&self, topic: TopicId, row: u32) -> impl Iterator<Item = EntityId> {
        let roster = self.topics.get(&topic).into_iter().flat_map(|topic| topic.roster.values());
        roster.map(|seat| seat.entity).filter(move |entity| self.is_held(row, *entity, topic))
    }

    /// How many rows of type number `row` there are.
    pub fn len(&self, row: u32) -> usize {
        self.stores.get(row as usize).map_or(0, RowStore::len)
    }

    /// Whether there are no rows of type number `row`.
    pub fn is_empty(&self, row: u32) -> bool {
        self.len(row) == 0
    }
}
