//! The input of a native run: columns in memory of our own, checked, and the view over them.

use evertick_schema::{Duration, EntityId, RowLayout, SystemDef, Timestamp, check_row};

use crate::native::columns;
use crate::system::View;
use crate::system::view::{RawColumn, RawParam, RawTable, RawView};

/// What one run of a system is shown.
#[derive(Clone, Debug, Default)]
pub struct RunInput {
    /// The tick's time.
    pub now: Timestamp,
    /// The time since the system's last run.
    pub delta: Duration,
    /// The tick's number.
    pub tick: u64,
    /// The tables of each parameter; none for those without columns.
    pub params: Vec<Vec<TableInput>>,
}

/// Some entities and their rows.
#[derive(Clone, Debug, Default)]
pub struct TableInput {
    /// The entities.
    pub entities: Vec<EntityId>,
    /// Columns in term order; `None` where an optional row type is not in this table.
    pub columns: Vec<Option<ColumnInput>>,
}

/// Sixteen bytes, aligned as the ABI aligns columns.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
struct Block([u8; 16]);

/// Rows of one type.
#[derive(Clone, Debug)]
pub enum ColumnInput {
    /// Rows without variable fields.
    Flat(FlatColumn),
    /// The bytes of each row.
    Variable(VariableColumn),
}

/// Bytes of flat rows, one behind the other.
#[derive(Clone, Debug)]
pub struct FlatColumn {
    blocks: Vec<Block>,
    len: usize,
}

/// Rows of any length, one behind the other, and where each is.
#[derive(Clone, Debug, Default)]
pub struct VariableColumn {
    spans: Vec<[u32; 2]>,
    blob: Vec<u8>,
}

impl ColumnInput {
    /// Flat rows.
    pub fn flat(bytes: &[u8]) -> Self {
        // One block more, so that rows of no size have an address too.
        let mut column = FlatColumn { blocks: vec![Block([0; 16]); bytes.len() / 16 + 1], len: bytes.len() };
        column.bytes_mut().copy_from_slice(bytes);
        Self::Flat(column)
    }

    /// Rows with variable fields.
    pub fn variable<'a>(rows: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut column = VariableColumn::default();
        for row in rows {
            column.spans.push([column.blob.len() as u32, row.len() as u32]);
            column.blob.extend_from_slice(row);
        }
        Self::Variable(column)
    }

    /// The bytes of flat rows.
    pub fn as_flat(&self) -> Option<&[u8]> {
        match self {
            Self::Flat(column) => Some(column.bytes()),
            Self::Variable(_) => None,
        }
    }
}

impl FlatColumn {
    fn bytes(&self) -> &[u8] {
        // SAFETY: `blocks` has at least `len` initialized bytes, and any byte is a `u8`.
        unsafe { std::slice::from_raw_parts(self.blocks.as_ptr().cast(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; any byte is valid in a block too.
        unsafe { std::slice::from_raw_parts_mut(self.blocks.as_mut_ptr().cast(), self.len) }
    }
}

impl RunInput {
    /// Makes sure that this is what `system` asks for: a query's references must be to valid rows.
    pub(crate) fn check(&self, system: &SystemDef, layouts: &[RowLayout]) {
        assert_eq!(self.params.len(), system.params.len(), "as many parameters as `{}` has", system.name);
        for (param, tables) in system.params.iter().zip(&self.params) {
            let rows = columns(param);
            for table in tables {
                assert_eq!(table.columns.len(), rows.len(), "as many columns as `{}` asks for", system.name);
                for (row, column) in rows.iter().zip(&table.columns) {
                    let Some(column) = column else { continue };
                    column.check(&layouts[*row as usize], table.entities.len());
                }
            }
        }
    }

    /// Calls `run` with a view of this. Gives back its commands.
    pub(crate) fn with_view(&mut self, run: impl FnOnce(&View<'_>)) -> Vec<u8> {
        let columns: Vec<Vec<Vec<RawColumn>>> = self
            .params
            .iter_mut()
            .map(|tables| tables.iter_mut().map(TableInput::raw_columns).collect())
            .collect();
        let tables: Vec<Vec<RawTable>> = self
            .params
            .iter()
            .zip(&columns)
            .map(|(tables, columns)| tables.iter().zip(columns).map(|(table, raw)| table.raw(raw)).collect())
            .collect();
        let params: Vec<RawParam> = tables
            .iter()
            .map(|tables| RawParam { tables: tables.len() as u32, tables_ptr: tables.as_ptr() })
            .collect();
        let raw = RawView {
            now_us: self.now.0,
            delta_us: self.delta.0,
            tick: self.tick,
            params: params.len() as u32,
            params_ptr: params.as_ptr(),
        };
        // SAFETY: all of it lives in this function's variables and in `self`, which is borrowed exclusively and not
        // touched until the view is gone. `check` has looked at every row, and `Instance::new` has made sure that no
        // column is given twice to be written.
        let view = unsafe { View::new(&raw, Vec::new()) };
        run(&view);
        view.finish()
    }
}

impl TableInput {
    fn raw_columns(&mut self) -> Vec<RawColumn> {
        let absent = RawColumn { ptr: std::ptr::null_mut(), len: 0, blob_ptr: std::ptr::null(), blob_len: 0 };
        let raw = |column: &mut Option<ColumnInput>| match column {
            None => absent,
            Some(ColumnInput::Flat(column)) => {
                RawColumn { ptr: column.blocks.as_mut_ptr().cast(), len: column.len as u32, ..absent }
            }
            Some(ColumnInput::Variable(column)) => RawColumn {
                ptr: column.spans.as_mut_ptr().cast(),
                len: (column.spans.len() * 8) as u32,
                blob_ptr: column.blob.as_ptr(),
                blob_len: column.blob.len() as u32,
            },
        };
        self.columns.iter_mut().map(raw).collect()
    }

    fn raw(&self, columns: &[RawColumn]) -> RawTable {
        RawTable {
            rows: self.entities.len() as u32,
            entities_ptr: self.entities.as_ptr(),
            columns: columns.len() as u32,
            columns_ptr: columns.as_ptr(),
        }
    }
}

impl ColumnInput {
    fn check(&self, layout: &RowLayout, rows: usize) {
        match self {
            Self::Flat(column) => {
                let size = layout.size as usize;
                assert!(layout.flat && column.len == rows * size, "a flat column of {rows} rows");
                for row in 0..if layout.plain { 0 } else { rows } {
                    let valid = check_row(layout, &column.bytes()[row * size..(row + 1) * size]);
                    assert!(valid.is_ok(), "a column with an invalid row: {valid:?}");
                }
            }
            Self::Variable(column) => {
                assert!(!layout.flat && column.spans.len() == rows, "a column of {rows} variable rows");
                for [offset, len] in &column.spans {
                    let valid = check_row(layout, &column.blob[*offset as usize..(offset + len) as usize]);
                    assert!(valid.is_ok(), "a column with an invalid row: {valid:?}");
                }
            }
        }
    }
}
