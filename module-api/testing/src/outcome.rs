//! The ABI's outcome of a call, read.

use evertick_world::{FaultKind, GuestFault, Outcome};

/// Reads what a reducer's entry gives back. The world checks the rows inside.
pub(crate) fn read(bytes: Vec<u8>) -> Result<Outcome, GuestFault> {
    let malformed = || GuestFault::new(FaultKind::BadOutput, "the outcome is malformed");
    match bytes.split_first() {
        None => Ok(Outcome::Ok(Vec::new())),
        Some((0, row)) => Ok(Outcome::Ok(row.to_vec())),
        Some((1, rest)) => {
            let (variant, rest) = rest.split_first_chunk().ok_or_else(malformed)?;
            let (len, rest) = rest.split_first_chunk().ok_or_else(malformed)?;
            let (text, fields) =
                rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or_else(malformed)?;
            Ok(Outcome::Refused {
                variant: u16::from_le_bytes(*variant),
                message: String::from_utf8(text.to_vec()).map_err(|_| malformed())?,
                fields: fields.to_vec(),
            })
        }
        Some(_) => Err(malformed()),
    }
}
