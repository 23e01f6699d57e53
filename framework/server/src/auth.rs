//! The authentication a server has unless it is given another.

use std::sync::Arc;

use evertick_gateway::{Account, Authenticate, Unauthorized};
use evertick_schema::Identity;
use hashbrown::HashMap;
use sha2::{Digest, Sha256};

/// The shortest secret that is accepted, in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// Says what a hash is of, so that no other use of the secret gives the same one.
const DOMAIN: &[u8] = b"evertick identity\0";

/// Accounts by secret: whoever has it is that identity. A client makes one up (16 random bytes or more) and
/// keeps it. Good for development and guest accounts; the server never stores secrets, only their hashes.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    roles: HashMap<Identity, Arc<[String]>>,
}

impl Secrets {
    /// Accepts every long enough secret, with no roles.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives whoever has `secret` some roles.
    ///
    /// ```
    /// let admins = evertick::Secrets::new().with_roles(b"a long random secret", ["Admin"]);
    /// ```
    #[must_use]
    pub fn with_roles<S: Into<String>>(mut self, secret: &[u8], roles: impl IntoIterator<Item = S>) -> Self {
        self.roles.insert(Self::identity(secret), roles.into_iter().map(Into::into).collect());
        self
    }

    /// The identity of whoever has `secret`.
    pub fn identity(secret: &[u8]) -> Identity {
        Identity(Sha256::new().chain_update(DOMAIN).chain_update(secret).finalize().into())
    }
}

impl Authenticate for Secrets {
    fn authenticate(&self, token: &[u8]) -> Result<Account, Unauthorized> {
        if token.len() < SECRET_BYTES_MIN {
            return Err(Unauthorized(format!(
                "the token must be a secret of at least {SECRET_BYTES_MIN} bytes"
            )));
        }
        let identity = Self::identity(token);
        let roles = self.roles.get(&identity).cloned().unwrap_or_default();
        Ok(Account { identity, roles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_an_identity() {
        let secrets = Secrets::new().with_roles(b"0123456789abcdef", ["Admin"]);
        let admin = secrets.authenticate(b"0123456789abcdef").unwrap();
        assert_eq!(admin.identity, Secrets::identity(b"0123456789abcdef"));
        assert_eq!(&admin.roles[..], ["Admin".to_owned()]);
        let player = secrets.authenticate(b"another long secret").unwrap();
        assert!(player.identity != admin.identity && player.roles.is_empty());
        assert!(secrets.authenticate(b"short").is_err());
    }
}
