//! The module that the module API's own tests run, natively and in WebAssembly.

#[rustfmt::skip]
#[allow(missing_docs, reason = "this file is the design's example, word for word")]
pub mod gather;
pub mod movement;

evertick_module::export_module! {
    name: "gathering",
    plugins: [movement::PLUGIN, gather::PLUGIN],
}
