//! Guests on wasmtime: the game's logic, compiled, called, and contained.
//!
//! ```text
//! Engine ── load(bytes) ──► ModuleDescription + WasmGuest (implements the world's Guest)
//!   │ settings, cache of                          │ one long-lived instance, replaced after a trap
//!   │ compiled modules,                           ├─ call: header + arguments in, outcome out; imports act on the Tx
//!   └ the clock behind deadlines                  └─ run:  stale columns in, one call, changed columns out
//! ```
//!
//! The contract with guests is the ABI of `docs/abi.md`. What a guest says is never believed: pointers, lengths, numbers
//! and text are checked here, rows and outcomes by the world. Whatever a guest does wrong costs it the call, and
//! nobody else anything.
//!
//! Where things are: [`Engine`] and its settings in `engine` and `config`; `load` from bytes to guest; `guest` the
//! [`WasmGuest`] and when its instance is replaced; `calls` and `sweep` the two ways in; `imports` the way
//! out; `memory` checked access to guest memory; `mirror` copies of columns there; `fault` what a trap becomes, and `symbols` its file and line.
//! All `unsafe` is in `scope` (a transaction's lifetime while a guest runs on it) and in `cache` (native code from disk).
//!
//! This crate opens no file and no socket: module bytes come in, compiled ones go through [`CompiledCache`].

mod cache;
mod calls;
mod config;
mod engine;
mod fault;
mod guest;
mod imports;
mod instance;
mod load;
mod memory;
mod mirror;
mod outcome;
mod scope;
mod state;
mod sweep;
mod symbols;
mod ticker;

pub use cache::{CompiledCache, CompiledKey};
pub use config::{EPOCH_TICK, EngineConfig, GuestLimits};
pub use engine::{Engine, EngineError};
pub use guest::WasmGuest;
pub use load::LoadError;
