//! A client's copy of what it may see.
//!
//! [`Replica`] holds rows by type and entity ([`store`]), and per topic the roster that says which slot of a
//! block is which entity. Every row has one *home*, the topic that last set it whole. Only its home can
//! change or remove it, which is why an entity may cross between topics in one frame with the blocks in any
//! order: whichever comes second finds the row already gone, or already at home elsewhere. What the
//! application hears is worked out at the end of the frame ([`changes`]), from the row before and after.
//!
//! A frame is applied as a whole or not at all, as seen from outside: after an error the replica is *broken*
//! and says so for ever. Nothing is rolled back, because a client that was sent a bad frame has lost the
//! stream and must connect anew.

mod apply;
mod assemble;
mod changes;
mod store;

use evertick_schema::{EntityId, ModuleDescription, Timestamp};
use hashbrown::HashMap;

pub use self::changes::{Change, ChangeKind, Changes, Event};
use self::store::RowStore;
use crate::block::TopicKind;
use crate::error::{ProtocolError, SchemaError};
use crate::frame::TopicId;
use crate::limits::REPLICA_BYTES_MAX;
use crate::schema::WireSchema;

/// What a client knows of the world.
#[derive(Clone, Debug)]
pub struct Replica {
    schema: WireSchema,
    stores: Vec<RowStore>,
    topics: HashMap<TopicId, Topic>,
    tick: u64,
    time: Timestamp,
    broken: Option<ProtocolError>,
    /// Frames applied so far.
    frame: u64,
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
    roster: HashMap<u32, EntityId>,
    /// Row types that the topic has set rows of.
    types: Vec<u32>,
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
            tick: 0,
            time: Timestamp::default(),
            broken: None,
            frame: 0,
            bytes: 0,
            bytes_max,
            removed: HashMap::new(),
        })
    }

    /// The row types' codecs, by number.
    pub fn schema(&self) -> &WireSchema {
        &self.schema
    }

    /// The tick of the last frame.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// The world's time at the last frame.
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

    /// How many rows of type number `row` there are.
    pub fn len(&self, row: u32) -> usize {
        self.stores.get(row as usize).map_or(0, RowStore::len)
    }

    /// Whether there are no rows of type number `row`.
    pub fn is_empty(&self, row: u32) -> bool {
        self.len(row) == 0
    }
}
