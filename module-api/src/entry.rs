//! What the generated entry of a reducer calls.

use evertick_schema::{Field, Refusal, Row, RowError, RowReader, RowWriter, Type};

/// How a reducer ended, as the ABI's first byte.
const OK: u8 = 0;
const REFUSED: u8 = 1;

/// A reader of a row with a fixed part of `size` bytes; of exactly those when it is flat.
#[inline]
pub fn row_reader(bytes: &[u8], size: usize, flat: bool) -> Result<RowReader<'_>, RowError> {
    if bytes.len() < size || (flat && bytes.len() != size) {
        return Err(RowError::Length { want: size, got: bytes.len() });
    }
    Ok(RowReader::new(bytes))
}

/// The described result of a reducer: none for `()`.
pub fn returns<T: Field>() -> Option<Type> {
    (T::SIZE > 0).then(T::ty)
}

/// Encodes how a reducer ended; `Ok(())` is no bytes.
#[inline]
pub fn finish<T: Field, R: Refusal>(result: Result<T, R>, out: &mut Vec<u8>) {
    match result {
        Ok(value) if T::SIZE > 0 => {
            out.push(OK);
            // The row counts its offsets from its own first byte, behind the one above.
            value.write(&mut RowWriter::new(out, T::SIZE), 0);
        }
        Ok(_) => {}
        Err(refusal) => refused(&refusal, out),
    }
}

#[cold]
fn refused(refusal: &impl Refusal, out: &mut Vec<u8>) {
    let refusal = refusal.encode();
    out.push(REFUSED);
    out.extend_from_slice(&refusal.variant.to_le_bytes());
    out.extend_from_slice(&(refusal.message.len() as u32).to_le_bytes());
    out.extend_from_slice(refusal.message.as_bytes());
    out.extend_from_slice(&refusal.fields);
}

/// Changes a flat row in place: reads it, runs `change`, and writes it back.
#[inline]
pub fn predict_row<T: Row>(bytes: &mut [u8], change: impl FnOnce(&mut T)) -> Result<(), RowError> {
    let mut row = T::decode(bytes)?;
    change(&mut row);
    let mut changed = Vec::with_capacity(T::SIZE);
    row.encode(&mut changed);
    bytes.copy_from_slice(&changed);
    Ok(())
}
