//! Who somebody is: the seam where a studio's accounts come in.

use std::sync::Arc;

use evertick_schema::Identity;
use thiserror::Error;

/// What a token proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who it is, the same in every session.
    pub identity: Identity,
    /// What they may call beyond what everyone may.
    pub roles: Arc<[String]>,
}

/// Why a token proves nothing. The text is sent to the client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unauthorized(pub String);

/// Turns the token of a Hello into an account.
///
/// It runs on the thread of a shard, between other sessions' work, so it must not wait for anything: check a
/// signature, look into a table. Functions of the same shape implement it.
pub trait Authenticate: Send + Sync + 'static {
    /// The account that `token` proves. The token is at most 4096 bytes and otherwise whatever the client sent.
    fn authenticate(&self, token: &[u8]) -> Result<Account, Unauthorized>;
}

impl<F> Authenticate for F
where
    F: Fn(&[u8]) -> Result<Account, Unauthorized> + Send + Sync + 'static,
{
    fn authenticate(&self, token: &[u8]) -> Result<Account, Unauthorized> {
        self(token)
    }
}
