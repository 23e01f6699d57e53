//! A system's run: columns in, columns and commands out.

use evertick_module::Focus;
use evertick_module::native::{ColumnInput, Host, Instance, RunInput, TableInput};
use evertick_schema::{EntityId, Timestamp};
use evertick_world::{ColumnData, ColumnView, GuestFault, ParamView, RowId, SystemView, TableView};

use crate::guest::fault;
use crate::host::{Wanted, give, give_found, give_ids, place, print};
use crate::panics::catch;
use crate::scans::Scans;

/// Runs system number `system` on what `view` shows.
pub(crate) fn run(instance: &Instance, system: u32, view: &mut SystemView<'_>) -> Result<(), GuestFault> {
    let mut input = RunInput {
        now: view.now(),
        delta: view.delta_time(),
        tick: view.tick(),
        params: view.params().iter().map(|param| tables(param)).collect(),
    };
    let mut host = ViewHost { view, scans: Scans::default() };
    let commands = catch(|| instance.run(&mut host, system, &mut input)).map_err(fault)?;
    for (param, shown) in view.params().iter().enumerate() {
        for (table, shown) in shown.tables().iter().enumerate() {
            for (column, shown) in shown.columns().iter().enumerate() {
                let written = input.params[param][table].columns[column].as_ref();
                if let (Some(shown), Some(bytes)) = (shown, written.and_then(ColumnInput::as_flat))
                    && shown.is_writable()
                {
                    view.write_back(param, table, column, bytes)?;
                }
            }
        }
    }
    view.commands(&commands)
}

fn tables(param: &ParamView<'_>) -> Vec<TableInput> {
    let column = |column: &ColumnView<'_>| match column.data() {
        ColumnData::Flat { bytes, .. } => ColumnInput::flat(bytes),
        ColumnData::Variable(rows) => ColumnInput::variable(rows.iter()),
    };
    let table = |table: &TableView<'_>| TableInput {
        entities: table.entities().collect(),
        columns: table.columns().iter().map(|shown| shown.as_ref().map(column)).collect(),
    };
    param.tables().iter().map(table).collect()
}

/// The host functions of a system: reads of what it declares, as things stood when the run began.
struct ViewHost<'a, 'w> {
    view: &'a mut SystemView<'w>,
    scans: Scans,
}

impl ViewHost<'_, '_> {
    fn row(&self, row: u32) -> RowId {
        self.view.rows()[row as usize]
    }
}

/// In WebAssembly an undeclared read traps.
fn declared<T>(result: Result<T, impl std::fmt::Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn only_reducers(what: &str) -> ! {
    panic!("a system can't {what} directly: take a `Commands` parameter");
}

impl Host for ViewHost<'_, '_> {
    fn get(&mut self, row: u32, entity: EntityId, out: &mut [u8]) -> i32 {
        give(declared(self.view.get(self.row(row), entity)), out)
    }

    fn find(&mut self, row: u32, field: u32, key: &[u8], out: &mut [u8]) -> i32 {
        let row = self.row(row);
        let entity = declared(self.view.find(row, field as u16, key));
        give_found(entity.and_then(|entity| Some((entity, declared(self.view.get(row, entity))?))), out)
    }

    fn scan(
        &mut self,
        row: u32,
        field: Option<u16>,
        lo: Option<&[u8]>,
        hi: Option<&[u8]>,
        cursor: &mut [u8; 16],
        out: &mut [u8],
    ) -> i32 {
        let row = self.row(row);
        let view = &*self.view;
        let wanted = Wanted::of(field, lo, hi);
        let list = || {
            let mut entities = Vec::new();
            match wanted {
                Wanted::All => entities.extend(declared(view.scan(row)).map(|(entity, _)| entity)),
                Wanted::Equal(field, key) => declared(view.lookup(row, field, key, &mut entities)),
                Wanted::Range(field, lo, hi) => declared(view.range(row, field, lo, hi, &mut entities)),
            }
            entities
        };
        self.scans.page(cursor, out, list, |entity| declared(view.get(row, entity)))
    }

    fn near(&mut self, space: u32, at: [f32; 2], radius: f32, row: Option<u32>, out: &mut [EntityId]) -> i32 {
        let mut ids = Vec::new();
        declared(self.view.near(place(space, at), radius, row.map(|row| self.row(row)), &mut ids));
        give_ids(&ids, out)
    }

    fn log(&mut self, level: u32, text: &str) {
        print(level, text);
    }

    fn random(&mut self) -> u64 {
        self.view.random()
    }

    fn put(&mut self, _row: u32, _entity: EntityId, _bytes: &[u8], _mode: u32) -> i32 {
        only_reducers("write rows")
    }

    fn insert(&mut self, _row: u32, _bytes: &[u8]) -> i64 {
        only_reducers("insert rows")
    }

    fn remove(&mut self, _row: u32, _entity: EntityId) -> bool {
        only_reducers("remove rows")
    }

    fn spawn(&mut self) -> EntityId {
        only_reducers("spawn entities")
    }

    fn despawn(&mut self, _entity: EntityId) -> bool {
        only_reducers("despawn entities")
    }

    fn emit(&mut self, _row: u32, _bytes: &[u8]) {
        only_reducers("emit events")
    }

    fn after(&mut self, _at: Timestamp, _reducer: u32, _args: &[u8]) -> u64 {
        only_reducers("schedule calls")
    }

    fn cancel(&mut self, _timer: u64) -> bool {
        only_reducers("cancel calls")
    }

    fn detached(&mut self, _reducer: u32, _args: &[u8]) {
        only_reducers("queue calls")
    }

    fn focus(&mut self, _focus: Focus) {
        only_reducers("focus sessions")
    }

    fn join(&mut self, _group: u64, _on: bool) {
        only_reducers("join sessions to groups")
    }
}
