//! Clients of the bank module that remember what they were promised, and an audit of what is left after a crash.

mod audit;
mod book;
mod play;
mod read;

pub use audit::{audit, consistent};
pub use book::{Answer, Books, ClientBook, Step, What};
pub use play::{Glimpse, glimpse, play};
pub use read::{all, resource};
