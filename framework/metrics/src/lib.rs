//! What the parts of a server count with: [`Counter`]s, and the [`Spread`] of [`Recent`] values.

mod counter;
mod recent;

pub use counter::Counter;
pub use recent::{RECENT_TIME, Recent, Spread};
