//! Tests of all crates together, in `tests/`: a real server on a real socket, with real WebAssembly in it.
//!
//! Beside the tests stand here: server processes and tools as tests run them, and clients of the bank module that
//! remember what they were promised.
//!
//! The code in the guides is compiled, and run where it can be, by this crate's documentation tests.

pub mod bank;
pub mod dice;
pub mod disk;
pub mod folder;
pub mod process;
pub mod reopen;
pub mod rig;
pub mod silent;
pub mod text_guest;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/studios.md")]
pub struct ForStudios;

#[cfg(doctest)]
#[doc = include_str!("../../docs/modders.md")]
pub struct ForModders;

#[cfg(doctest)]
#[doc = include_str!("../../docs/clients.md")]
pub struct ForClients;
