//! What resumes a session from elsewhere: after a restart of the program, say.

use std::fmt;
use std::str::FromStr;

use evertick_protocol::{Resume, SessionSecret};
use evertick_schema::SessionId;
use thiserror::Error;

/// A session that can be resumed, as [`Client::ticket`](crate::Client::ticket) gives it and
/// [`ConnectOptions::ticket`](crate::ConnectOptions::ticket) takes it. Its text can be kept. Whoever has it can take the session
/// over: it is a secret, which `Debug` does not show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) resume: Resume,
}

/// The text is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is no ticket of a session; connect without one")]
pub struct NoTicket;

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.resume.session.0)?;
        self.resume.secret.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ".{}", self.resume.results)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:?}, ..)", self.resume.session)
    }
}

impl FromStr for Ticket {
    type Err = NoTicket;

    fn from_str(text: &str) -> Result<Self, NoTicket> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(NoTicket);
        let (session, hex, results) = (next()?, next()?, next()?);
        let mut secret = SessionSecret::default();
        if hex.len() != secret.0.len() * 2 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NoTicket);
        }
        for (index, byte) in secret.0.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).map_err(|_| NoTicket)?;
        }
        let session = SessionId(session.parse().map_err(|_| NoTicket)?);
        let results = results.parse().map_err(|_| NoTicket)?;
        Ok(Self { resume: Resume { session, secret, results } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let secret = SessionSecret(std::array::from_fn(|index| index as u8 * 16));
        let ticket = Ticket { resume: Resume { session: SessionId(u64::MAX), secret, results: 7 } };
        let text = ticket.to_string();
        assert_eq!(text, "18446744073709551615.00102030405060708090a0b0c0d0e0f0.7");
        assert_eq!(text.parse(), Ok(ticket));
        assert!(!format!("{ticket:?}").contains("102030"));
        for bad in
            ["", "1", "1.00", "1.00.1", &text.replace('f', "ä"), &text.replace(".7", ".x"), &text[20..]]
        {
            assert_eq!(bad.parse::<Ticket>(), Err(NoTicket), "{bad}");
        }
    }
}
