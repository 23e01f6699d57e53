//! The lists of plugins and modules.
use evertick_module::prelude::*;

fn plain() {}

pub const UNKNOWN: Plugin = plugin! { tables: [] };
pub const NOT_A_REDUCER: Plugin = plugin! { reducers: [plain] };

mod no_name {
    evertick_module::export_module! { plugins: [] }
}

mod bad_name {
    evertick_module::export_module! { name: "my game", plugins: [] }
}

fn main() {}
