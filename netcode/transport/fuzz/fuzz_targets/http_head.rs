//! The request before a WebSocket.
#![no_main]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What `http` knows of its crate.
mod discovery {
    pub const PATH: &str = "/evertick.json";
}

#[allow(dead_code)]
#[path = "../../src/http.rs"]
mod http;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut stream = bytes;
    // Bytes that are there keep nobody waiting.
    let Poll::Ready(read) = pin!(http::read_request(&mut stream)).poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("it waits")
    };
    if let Ok((_, read)) = read {
        assert!(bytes.starts_with(&read));
    }
});
