//! Bytes of any kind: no decoder panics, and none takes memory out of proportion.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::decoders;

/// The most that a decoder may hold at once, its replica of 1 MiB and what the test itself makes included.
const HELD_MAX: usize = 8 << 20;

/// Counts what is allocated.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(HELD.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `pointer` came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One change to a valid message.
#[derive(Clone, Debug)]
enum Damage {
    Byte(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => any::<usize>().prop_map(Damage::Cut),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (any::<usize>(), 1usize..30).prop_map(|(at, len)| Damage::Repeat(at, len)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: Damage) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    match damage {
        Damage::Byte(at, byte) => bytes[at % len] = byte,
        Damage::Cut(at) => bytes.truncate(at % len),
        Damage::Insert(at, more) => drop(bytes.splice(at % len..at % len, more)),
        Damage::Repeat(at, count) => {
            let from = at % len;
            let more = bytes[from..(from + count).min(len)].to_vec();
            bytes.splice(from..from, more);
        }
    }
}

/// Runs a decoder and measures.
fn bounded(decode: impl FnOnce(&[u8]), bytes: &[u8]) {
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    decode(bytes);
    let held = PEAK.load(Relaxed).saturating_sub(before);
    assert!(held < HELD_MAX, "{held} bytes held for a message of {}", bytes.len());
}

fn feed_all(bytes: &[u8]) {
    bounded(decoders::client_message, bytes);
    bounded(decoders::server_message, bytes);
    bounded(decoders::block, bytes);
    bounded(decoders::changed_frame, bytes);
    bounded(decoders::snapshot, bytes);
    bounded(decoders::states, bytes);
    bounded(decoders::arguments, bytes);
    bounded(decoders::description, bytes);
}

/// The golden messages, with those parts also alone that the decoders take.
fn corpus() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut corpus = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let message = std::fs::read(path).unwrap();
            // Behind kind, number (two bytes), tick (one), time, no topic left, one entered and its length: its block.
            if message[0] == 0x82 && message.len() > 20 {
                corpus.push(message[1..].to_vec());
                corpus.push(message[16..].to_vec());
            }
            // Behind kind, number (two bytes) and tick (one or two): its states.
            if message[0] == 0x85 && message.len() > 10 {
                corpus.push(message[4..].to_vec());
                corpus.push(message[5..].to_vec());
            }
            corpus.push(message);
        }
    }
    corpus.push(support::description::kinds().to_json());
    corpus.sort();
    corpus
}

// One test, so that nothing else allocates meanwhile.
#[test]
fn decoders_survive_anything() {
    let mut runner = TestRunner::new(ProptestConfig { cases: 600, ..ProptestConfig::default() });
    let anything = prop::collection::vec(prop_oneof![0u8..12, any::<u8>()], 0..400);
    runner
        .run(&anything, |bytes| {
            feed_all(&bytes);
            Ok(())
        })
        .unwrap();
    let corpus = corpus();
    corpus.iter().for_each(|message| feed_all(message));
    let damaged =
        (0..corpus.len(), prop::collection::vec(damage(), 1..5)).prop_map(move |(index, damages)| {
            let mut bytes = corpus[index].clone();
            damages.into_iter().for_each(|damage| apply(&mut bytes, damage));
            bytes
        });
    runner
        .run(&damaged, |bytes| {
            feed_all(&bytes);
            Ok(())
        })
        .unwrap();
}

/// Counts that promise more than there is.
#[test]
fn promises_take_no_memory() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for head in [&[][..], &[1, 1, 0, 0, 3, 2], &[1, 1, 0, 0, 3, 5, 6], &[1, 1, 0, 0, 3, 3, 3]] {
        let bytes = [head, &huge, &huge].concat();
        feed_all(&bytes);
    }
}
