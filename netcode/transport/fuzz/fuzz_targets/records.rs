//! Records of a QUIC stream: however it is cut, they are the same, and no message is longer than allowed.
#![no_main]

use bytes::Bytes;
use framing::{Deframer, Record};

/// What `framing` knows of its crate.
#[allow(dead_code)]
mod error {
    #[derive(Debug, PartialEq, Eq)]
    pub struct CloseReason {
        pub code: Option<u16>,
        pub reason: String,
    }

    #[derive(Debug)]
    pub enum TransportError {
        TooLarge { bytes_max: usize },
        Protocol(String),
    }
}

#[allow(dead_code)]
#[path = "../../src/quic/framing.rs"]
mod framing;

const MESSAGE_BYTES_MAX: usize = 300;

fn records<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Record>, bool) {
    let mut deframer = Deframer::new(MESSAGE_BYTES_MAX);
    let mut records = Vec::new();
    for chunk in chunks {
        deframer.push(Bytes::copy_from_slice(chunk));
        loop {
            match deframer.next() {
                Ok(Some(record)) => {
                    assert!(!matches!(&record, Record::Message(message) if message.len() > MESSAGE_BYTES_MAX));
                    let last = matches!(record, Record::Close(_));
                    records.push(record);
                    // Nobody asks for what comes behind the last words.
                    if last {
                        return (records, true);
                    }
                }
                Ok(None) => break,
                Err(_) => return (records, false),
            }
        }
    }
    (records, true)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = records(std::iter::once(bytes));
    assert_eq!(records(bytes.chunks(1)), whole);
    assert_eq!(records(bytes.chunks(7)), whole);
});
