//! What can go wrong.

use evertick_client::RowTypeError;
use thiserror::Error;

/// Why rows can't be replicated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReplicated {
    /// The app has no client.
    #[error("the app has no `EvertickPlugin`; add it before what is to be replicated")]
    NoPlugin,
    /// The row type is not the server's.
    #[error(transparent)]
    Row(#[from] RowTypeError),
}
