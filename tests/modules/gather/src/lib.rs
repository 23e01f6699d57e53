//! The module that the module API's own tests run, natively and in WebAssembly.
#![allow(
    missing_docs,
    reason = "modules are written for players, and one file is the design's example word for word"
)]

#[rustfmt::skip]
pub mod gather;
pub mod movement;
pub mod steering;

evertick_module::export_module! {
    name: "gathering",
    plugins: [movement::PLUGIN, gather::PLUGIN, steering::PLUGIN],
}
