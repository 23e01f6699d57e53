//! Modules that must not start a server, and what the server says about them.

use evertick::Server;
use evertick_tests::text_guest::text_guest as guest;

fn message(wasm: Vec<u8>) -> String {
    let server = Server::builder().module_bytes("game", wasm).websocket("127.0.0.1:0").start();
    server.err().expect("such a module must not start").to_string()
}

fn description(rows: &str, reducers: &str) -> String {
    format!(r#"{{"abi":1,"name":"game","rows":[{rows}],"reducers":[{reducers}],"systems":[]}}"#)
}

const INIT: &str = r#"{"name":"set_up","kind":"init","params":[]}"#;

#[test]
fn a_module_that_is_well_starts() {
    let wasm = guest(1, &description("", INIT), "i64.const 0");
    Server::builder().module_bytes("game", wasm).websocket("127.0.0.1:0").start().unwrap().stop().unwrap();
}

#[test]
fn a_schema_problem_names_module_row_and_field() {
    let row = r#"{"name":"Position","kind":"component","fields":[{"name":"at","type":"u32","wire":{"step":0.1}}],"visible":"near"}"#;
    let said = message(guest(1, &description(row, ""), "i64.const 0"));
    assert!(said.contains("game.Position.at: only float fields can be quantized"), "{said}");
}

#[test]
fn another_abi_says_to_rebuild() {
    let said = message(guest(9, &description("", ""), "i64.const 0"));
    assert!(said.contains("ABI 9") && said.contains("rebuild"), "{said}");
}

#[test]
fn a_trap_in_init_names_the_reducer() {
    let said = message(guest(1, &description("", INIT), "unreachable"));
    assert!(said.contains("game.set_up") && said.contains("can't start"), "{said}");
}

#[test]
fn what_is_no_module_is_said_to_be_none() {
    let said = message(b"#!/bin/sh\n".to_vec());
    assert!(said.contains("not a WebAssembly module"), "{said}");
    let said = message(wat::parse_str("(module)").unwrap());
    assert!(said.contains("export_module!"), "{said}");
    let missing = Server::builder().module("game", "no/such.wasm").websocket("127.0.0.1:0").start();
    assert!(missing.err().unwrap().to_string().contains("no/such.wasm"));
}

#[test]
fn a_builder_says_what_it_lacks() {
    let error = |server: evertick::ServerBuilder| server.start().err().unwrap().to_string();
    assert!(error(Server::builder()).contains(".websocket(address)"));
    assert!(error(Server::builder().websocket("127.0.0.1:0")).contains(".module(name, path)"));
    let wasm = guest(1, &description("", ""), "i64.const 0");
    assert!(error(Server::builder().module_bytes("other", wasm).websocket("127.0.0.1:0")).contains("`game`"));
}
