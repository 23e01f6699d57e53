use std::sync::Arc;
use std::time::Duration;

use evertick_protocol::{Entered, ServerMessage, Snapshot, Square, TopicFramesWriter, TopicId, Viewpoint};
use evertick_schema::Timestamp;

use super::*;
use crate::metrics::Metrics;

const SESSION: SessionId = SessionId(1);
const CELLS: u32 = 20;
/// Its length, then as many bytes.
const STATE: [u8; 100] = [99; 100];
const TICK: Duration = Duration::from_millis(50);

/// Frame 1 lets the session see the cells; each has a state in each frame.
fn frame(number: u64) -> Frame {
    let mut topics = TopicFramesWriter::new();
    for cell in 0..CELLS {
        topics.states(TopicId(cell), 1);
        topics.state(0, 5, &STATE);
    }
    let topics = topics.finish();
    let time = Timestamp(number as i64 * TICK.as_micros() as i64);
    let mut frame = Frame { number, tick: number, time, topics, ..Frame::default() };
    if number == 1 {
        let entered = (0..CELLS).map(|cell| Entered {
            topic: TopicId(cell),
            square: Some(Square { space: 0, min: [0.0, cell as f32], size: 1.0 }),
            snapshot: Arc::new(Snapshot::new(Bytes::from_static(&[9; 10]))),
            followed: Vec::new(),
        });
        let viewpoint = Some(Viewpoint { space: 0, at: [0.5, 0.5], radius: 100.0 });
        let own = SessionFrame { entered: entered.collect(), viewpoint, ..SessionFrame::default() };
        frame.sessions.insert(SESSION, own);
    }
    frame
}

/// Packs frames 1 and up, a tick apart, and returns how many bytes each frame's messages on the ordered lane, and
/// those on the latest lane, have.
fn run(bytes_per_second: u32, room: Room, frames: u64, metrics: &Metrics) -> Vec<(usize, Vec<usize>)> {
    let limits = SessionLimits { bytes_per_second, bytes_burst: 2000, ..SessionLimits::default() };
    let start = Instant::now();
    let mut stream = Stream::new(SESSION, &limits, start);
    let mut sent = Vec::new();
    for number in 1..=frames {
        let frame = frame(number);
        let mut packer = Packer::new(&frame);
        let now = start + TICK * number as u32;
        let own = frame.sessions.get(&SESSION);
        let bytes = stream.pack(&frame, own, room, now, &mut packer);
        packer.tally.tell(metrics);
        let world = packer.world.concat();
        assert!(world.is_empty() || matches!(ServerMessage::decode(&world), Ok(ServerMessage::Frame(_))));
        for datagram in &packer.datagrams {
            assert!(matches!(ServerMessage::decode(datagram), Ok(ServerMessage::State(_))));
        }
        let lens: Vec<_> = packer.datagrams.iter().map(Bytes::len).collect();
        assert_eq!(bytes, world.len() + lens.iter().sum::<usize>());
        sent.push((world.len(), lens));
    }
    sent
}

#[test]
fn a_session_stays_within_its_budget_over_time() {
    let metrics = Metrics::default();
    let room = Room { datagrams: None, pace: Pace::Good };
    // All would be 40,000 bytes a second.
    let sent = run(10_000, room, 200, &metrics);
    let bytes: usize = sent.iter().map(|sent| sent.0).sum();
    // What a message has beside states was not counted before it was sent.
    assert!((80_000..=102_000 + 64 + STATE.len()).contains(&bytes), "{bytes}");
    let metrics = metrics.snapshot();
    let states = metrics.bytes_states_full + metrics.bytes_states_half + metrics.bytes_states_quarter;
    assert_eq!(metrics.bytes_snapshots, 10 * u64::from(CELLS));
    assert_eq!(states + metrics.bytes_ordered + metrics.bytes_snapshots, bytes as u64);
    assert!(metrics.states_over_budget > 0);
}

#[test]
fn without_a_limit_everything_is_sent() {
    let metrics = Metrics::default();
    let sent = run(0, Room { datagrams: None, pace: Pace::Good }, 100, &metrics);
    assert!(sent.iter().all(|sent| sent.0 >= 2000), "{sent:?}");
    assert_eq!(metrics.snapshot().states_over_budget, 0);
}

#[test]
fn states_go_as_datagrams_that_fit_and_a_beat_keeps_them_valid() {
    let metrics = Metrics::default();
    let datagrams = Some(Datagrams { bytes_max: 1200, room: 1500 });
    let sent = run(0, Room { datagrams, pace: Pace::Good }, 100, &metrics);
    assert!(sent[0].0 > 200);
    let beats: Vec<_> = (1..100).filter(|frame| sent[*frame].0 > 0).collect();
    assert_eq!(beats, [18, 36, 54, 72, 90]);
    for (_, lens) in &sent {
        assert_eq!(lens.len(), 2, "{lens:?}");
        assert!(lens.iter().all(|len| *len <= 1200) && lens.iter().sum::<usize>() <= 1500 + 2 * 8);
    }
    let metrics = metrics.snapshot();
    assert_eq!((metrics.datagrams_out, metrics.states_without_room), (200, 500));
}

#[test]
fn who_reads_too_slowly_gets_no_states_but_what_is_ordered() {
    let metrics = Metrics::default();
    let sent = run(0, Room { datagrams: None, pace: Pace::Slow }, 3, &metrics);
    assert!(sent[0].0 > 200);
    assert_eq!(sent[1..], [(0, vec![]), (0, vec![])]);
    assert_eq!(metrics.snapshot().states_over_budget, 60);
}
