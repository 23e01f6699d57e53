//! The example of the design, the same cases as natively, through WASM.

#[path = "../../../module-api/testing/tests/cases/gather.rs"]
mod cases;

use evertick_testing::{Settings, TestWorld};
use evertick_wasm::{Engine, EngineConfig, GuestLimits};

fn new_world() -> TestWorld {
    let engine = Engine::new(EngineConfig::default(), None).unwrap();
    let wasm = evertick_test_guests::wasm("gather-module");
    let (description, guest) = engine.load(&wasm, GuestLimits::default()).unwrap();
    TestWorld::over(description, Box::new(guest), Settings::default())
}
