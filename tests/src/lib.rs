//! Tests of all crates together, in `tests/`: a real server on a real socket, with real WebAssembly in it.
//!
//! The code in the guides is compiled, and run where it can be, by this crate's documentation tests.

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
