//! The example of the design, native.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "cases/gather.rs"]
mod cases;

fn new_world() -> evertick_testing::TestWorld {
    evertick_testing::TestWorld::new(gather_module::module())
}
