//! The module of the test of whole replicas: rows of every visibility, and rows that belong together.
#![allow(missing_docs, reason = "modules are written for players")]

pub mod players;
pub mod props;

evertick_module::export_module! {
    name: "scene",
    plugins: [props::PLUGIN, players::PLUGIN],
}
