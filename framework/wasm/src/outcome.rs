//! What `evertick_call` returns.

use evertick_world::{GuestFault, Outcome};

use crate::memory::{self, Cut};

/// Reads the outcome that a guest left in its memory; `packed` is `ptr << 32 | len`. Whether a result or a
/// refusal's fields are what the description says is the world's to check.
pub(crate) fn outcome(memory: &[u8], packed: u64, bytes_max: usize) -> Result<Outcome, GuestFault> {
    let bytes = output(memory, packed, bytes_max, "an outcome")?;
    parse(bytes).ok_or_else(|| {
        GuestFault::bad_output(format!(
            "evertick_call returned {} bytes that are neither a result (0, row) nor a refusal (1, variant, message, fields)",
            bytes.len()
        ))
    })
}

/// The bytes that a guest returned by `ptr << 32 | len`.
pub(crate) fn output<'m>(
    memory: &'m [u8],
    packed: u64,
    bytes_max: usize,
    what: &str,
) -> Result<&'m [u8], GuestFault> {
    let (ptr, len) = memory::unpack(packed);
    if len as usize > bytes_max {
        return Err(GuestFault::bad_output(format!(
            "the guest returned {what} of {len} bytes, more than the {bytes_max} it may"
        )));
    }
    memory::read(memory, ptr, len).map_err(|error| {
        GuestFault::bad_output(format!("the guest returned {what} that is not there: {error}"))
    })
}

fn parse(bytes: &[u8]) -> Option<Outcome> {
    let mut cut = Cut(bytes);
    match cut.u8()? {
        0 => Some(Outcome::Ok(cut.0.to_vec())),
        1 => {
            let variant = cut.u16()?;
            let len = cut.u32()?;
            let message = str::from_utf8(cut.bytes(len)?).ok()?.to_owned();
            Some(Outcome::Refused { variant, message, fields: cut.0.to_vec() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_refusals_are_told_apart() {
        assert_eq!(parse(&[0, 7, 8]), Some(Outcome::Ok(vec![7, 8])));
        let refused = Outcome::Refused { variant: 2, message: "no".into(), fields: vec![9] };
        assert_eq!(parse(&[1, 2, 0, 2, 0, 0, 0, b'n', b'o', 9]), Some(refused));
    }

    #[test]
    fn anything_else_is_no_outcome() {
        for bytes in [
            &[][..],
            &[2],
            &[1],
            &[1, 0, 0],
            &[1, 0, 0, 1, 0, 0, 0],
            &[1, 0, 0, 255, 255, 255, 255, 0],
            &[1, 0, 0, 1, 0, 0, 0, 0xff],
        ] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn an_outcome_outside_memory_or_over_the_limit_is_a_fault() {
        let memory = [0; 16];
        assert!(outcome(&memory, 12 << 32 | 5, 8).is_err());
        assert!(outcome(&memory, 9, 8).is_err());
        assert!(outcome(&memory, u64::MAX, usize::MAX).is_err());
        assert!(outcome(&memory, 12 << 32, 8).is_err(), "an outcome has at least one byte");
    }
}
