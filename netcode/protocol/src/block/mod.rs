//! Blocks: what a topic has to say in a frame, encoded once for all who see it.

mod column_read;
mod column_write;
mod reader;
mod tail;
mod writer;

pub(crate) use reader::read_kind;
pub use reader::{BlockHead, BlockReader, EventsSection, RowsSection, Section};
pub(crate) use tail::{ALONE, Rebase, Tail, tail_of};
pub use writer::BlockWriter;

pub(crate) const SNAPSHOT: u8 = 1;
/// Of a snapshot: its sections are compressed.
pub(crate) const COMPRESSED: u8 = 2;

pub(crate) const LEAVE: u8 = 1;
pub(crate) const ENTER: u8 = 2;
pub(crate) const ROWS: u8 = 3;
pub(crate) const REMOVE: u8 = 4;
pub(crate) const EVENTS: u8 = 5;

pub(crate) const RAW: u8 = 0;
pub(crate) const PACKED: u8 = 1;
pub(crate) const VARINT: u8 = 2;
pub(crate) const OPAQUE: u8 = 3;

/// The widest number of a packed column, in bits.
pub(crate) const WIDTH_MAX: u32 = 32;

/// What a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicKind {
    /// A cell of a space.
    Cell {
        /// The space.
        space: u32,
        /// The cell's column.
        x: i32,
        /// The cell's row.
        y: i32,
    },
    /// What the session's own identity sees alone.
    Owner,
    /// What a group sees.
    Group(u64),
    /// What everyone sees.
    Everyone,
    /// What is sent of a cell's entities only to those who are near.
    Detail {
        /// The space.
        space: u32,
        /// The cell's column.
        x: i32,
        /// The cell's row.
        y: i32,
    },
    /// The rows of queries that mean the same.
    Query,
}
