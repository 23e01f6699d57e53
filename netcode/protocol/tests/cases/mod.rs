//! What the golden corpus consists of.
#![allow(unreachable_pub, reason = "modules of a test")]

pub mod frames;
pub mod malformed;
pub mod messages;
pub mod quantizer;
pub mod states;
