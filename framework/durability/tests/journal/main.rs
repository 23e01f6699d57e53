//! The journal's public face: worlds are opened, played, ended and brought back.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod damage;
mod inspecting;
mod migrating;
#[path = "../../../world/tests/native/mod.rs"]
mod native;
mod opening;
mod recordings;
mod support;
