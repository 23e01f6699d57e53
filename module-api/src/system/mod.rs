//! What systems are made of: their parameters and the view that gives them.

mod commands;
mod data;
mod filter;
mod param;
mod query;
mod resource;
mod table;
pub(crate) mod view;

pub use commands::Commands;
pub use data::{QueryData, ReadOnlyData};
pub use filter::{QueryFilter, With, Without};
pub use param::{Near, Now, SystemParam};
pub use query::{Query, QueryIter};
pub use resource::{Res, ResMut};
pub use table::Table;
pub use view::View;
