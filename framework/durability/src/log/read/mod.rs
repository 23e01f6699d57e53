//! What is found in a log again.
//!
//! # A torn tail and damage
//!
//! A power cut during a write leaves some of its sectors old and some new, so the end of a log may hold nonsense,
//! and that is as it should be: nobody was told that it is safe. The same nonsense one group earlier is damage,
//! because it was confirmed. The two are told apart by one rule of the writer: **a group is written only after all
//! before it was synced**. So a legible group header behind an illegible place proves that the place was synced once:
//! damage. With none behind it, it is the tail of a write that was never confirmed, and is cut.
//!
//! The first group of a segment is synced before the file gets its name, so it is never a torn tail.
//!
//! Where a segment has a successor, the successor's header says where it ends (and that all before was synced), and
//! nothing behind is looked at.

mod records;
mod scan;
mod segment;
mod unbroken;

pub use records::{Record, Records};
pub(crate) use scan::segment_files;
pub use scan::{LogEnd, Scan, SegmentInfo, TornTail};
pub(crate) use segment::{Found, SegmentReader};
pub(crate) use unbroken::{Part, Row, Unbroken};
