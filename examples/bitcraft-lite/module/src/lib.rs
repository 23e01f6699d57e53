//! A small BitCraft: a generated island, players that walk, steer, gather and talk, creatures that roam.
//!
//! Each file is one plugin; the module is their sum.

#![allow(missing_docs, reason = "a game says what is not plain from the names, not the rest")]

pub mod accounts;
pub mod chat;
pub mod creatures;
pub mod gathering;
pub mod movement;
pub mod steering;
pub mod terrain;

evertick_module::export_module! {
    name: "bitcraft",
    plugins: [
        terrain::PLUGIN,
        movement::PLUGIN,
        steering::PLUGIN,
        accounts::PLUGIN,
        gathering::PLUGIN,
        creatures::PLUGIN,
        chat::PLUGIN,
    ],
}
