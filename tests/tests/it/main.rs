//! Whole servers, real clients, real sockets and disks. One program for all: each that had the server in it would take 75 MB and a link.
#![allow(clippy::unwrap_used, reason = "tests")]

mod backup;
mod bad_clients;
mod bad_modules;
mod bevy_client;
mod bitcraft;
mod client_network;
mod crash;
mod crowd;
mod durable;
mod gather;
mod hostile;
mod loss;
mod metrics;
mod migration;
mod predict;
mod queries;
mod recovery;
mod replay;
mod replicas;
mod servers;
mod settings;
mod soon;
mod steering;
