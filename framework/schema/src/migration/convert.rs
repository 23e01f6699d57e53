//! Running a plan over the bytes of a row.

use super::value::Value;
use crate::ROW_BYTES_MAX;
use crate::codec::{RowError, RowReader, RowWriter};

/// How the fields of a row or struct come about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fields {
    /// Bytes of the old fixed part.
    pub(super) from: usize,
    /// Bytes of the new fixed part.
    pub(super) to: usize,
    /// One for each new field, in their order: so tails come out in canonical order.
    pub(super) steps: Vec<Step>,
}

/// How one field comes about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// Where it stands, counted from the start of the new fields.
    pub(super) to: usize,
    pub(super) source: Source,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// The old field that stands there, counted from the start of the old fields.
    Field(usize),
    /// The field's default: a row of that field alone.
    Default(Vec<u8>),
}

impl Fields {
    /// The number of bytes, when they all stay what they are and nothing lies behind the fixed part.
    pub(super) fn as_they_are(&self) -> Option<usize> {
        let flat = self.steps.iter().all(|step| matches!(step.value, Value::Bytes(_)));
        (flat && self.is_same()).then_some(self.to)
    }

    /// Whether no byte changes: every field is where it was, and what it was.
    pub(super) fn is_same(&self) -> bool {
        let stays = |step: &Step| step.source == Source::Field(step.to) && step.value.is_same();
        self.from == self.to && self.steps.iter().all(stays)
    }

    /// Appends the new row for `old` to `out`.
    pub(super) fn row(&self, old: &[u8], out: &mut Vec<u8>) -> Result<(), RowError> {
        if old.len() < self.from {
            return Err(RowError::Length { want: self.from, got: old.len() });
        }
        let mut new = RowWriter::new(out, self.to);
        self.convert(&RowReader::new(old), 0, &mut new, 0)?;
        if new.len() > ROW_BYTES_MAX {
            return Err(RowError::TooLong { max: ROW_BYTES_MAX });
        }
        Ok(())
    }

    /// Converts the fields that start at `at` of the old row to those that start at `to_at` of the new one.
    pub(super) fn convert(
        &self,
        old: &RowReader<'_>,
        at: usize,
        new: &mut RowWriter<'_>,
        to_at: usize,
    ) -> Result<(), RowError> {
        for Step { to, source, value } in &self.steps {
            match source {
                Source::Field(from) => value.convert(old, at + from, new, to_at + to)?,
                Source::Default(row) => value.convert(&RowReader::new(row), 0, new, to_at + to)?,
            }
        }
        Ok(())
    }
}
