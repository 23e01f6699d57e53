//! Servers that several tests start, and clients of them.

pub(crate) mod bitcraft;
pub(crate) mod market;
