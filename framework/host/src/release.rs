//! Frames on their way out: what tells of changes that the disk does not have yet waits for it.
//!
//! ```text
//!  world thread                                    log thread
//!  submit(frame, seq) ──► Unconfirmed, at once     "synced up to seq"
//!        └──────────────► held ──────────────────────► Confirmed
//! ```
//!
//! A frame that needs no disk goes to everyone at once, unless frames are held before it: order is kept. The log's thread itself hands
//! the held frames on, so that a confirmed call's answer is one hop away from the end of the sync.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use evertick_protocol::{Audience, Frame, SessionFrame};
use evertick_schema::{SessionId, Timestamp};
use hashbrown::HashMap;
use tokio::sync::Notify;

use crate::metrics::HostMetrics;

/// Where frames go out, and to whom. Must not block: it is called by the world's thread and by the log's.
pub type Publish = Box<dyn FnMut(Arc<Frame>, Audience) + Send>;

/// How many published frames wait for the slowest of those who take them. Must not block.
pub type Backlog = Box<dyn Fn() -> usize + Send>;

/// Frames that may wait for the disk, and for those who take them; when so many do, changes are gathered for one larger frame instead. They may all come out at
/// once, so a shard's queue must have room for them.
pub const FRAMES_HELD_MAX: usize = 16;

/// Frames that wait for the disk, or for those who take them, before another one is no more made at once, but at the pace of a busy loop: one waits for the sync that is
/// under way, one for the sync after it, and further ones would only be smaller.
pub(crate) const FRAMES_PROMPT_MAX: usize = 2;

/// The way out of a host. Clones are handles of the same.
#[derive(Clone)]
pub struct Release(Arc<Shared>);

struct Shared {
    metrics: Arc<HostMetrics>,
    state: Mutex<State>,
    /// Told when frames are prompt again.
    prompt: Notify,
}

struct State {
    publish: Publish,
    backlog: Backlog,
    /// The last commit that the disk has.
    synced: u64,
    /// In the order in which they were made; `seq` never falls. At most [`FRAMES_HELD_MAX`].
    held: VecDeque<Held>,
    /// What the last frame said that everybody has.
    confirmed: Clock,
    /// What the last frame said that was made.
    unconfirmed: Clock,
}

struct Held {
    /// It waits until the disk has this commit.
    seq: u64,
    frame: Arc<Frame>,
    /// When a tick was due that it is the first to tell of.
    due: Option<Instant>,
    since: Instant,
}

/// What a frame says about time.
#[derive(Clone, Copy, Default)]
struct Clock {
    tick: u64,
    time: Timestamp,
    seq: u64,
    tick_cost_us: u32,
}

impl Clock {
    fn of(frame: &Frame) -> Self {
        Self { tick: frame.tick, time: frame.time, seq: frame.seq, tick_cost_us: frame.tick_cost_us }
    }
}

impl Release {
    /// The way out through `publish`; `backlog` says how far behind it those are who take the frames.
    pub fn new(publish: Publish, backlog: Backlog) -> Self {
        let state = State {
            publish,
            backlog,
            synced: 0,
            held: VecDeque::with_capacity(FRAMES_HELD_MAX),
            confirmed: Clock::default(),
            unconfirmed: Clock::default(),
        };
        Self(Arc::new(Shared { metrics: Arc::default(), state: Mutex::new(state), prompt: Notify::new() }))
    }

    /// What the log is to call with the number of the last commit that the disk has.
    pub fn on_synced(&self) -> Box<dyn FnMut(u64) + Send> {
        let release = self.clone();
        Box::new(move |seq| release.synced(seq))
    }

    /// The counters of the host whose way out this is.
    pub(crate) fn metrics(&self) -> Arc<HostMetrics> {
        Arc::clone(&self.0.metrics)
    }

    /// Sends a frame out: to everyone, or to those without patience and, once the disk has commit `seq`, to the others. To be
    /// called when fewer than [`FRAMES_HELD_MAX`] [are held](Self::held). `due` is when the first tick was due that it is the first to tell
    /// of.
    pub(crate) fn submit(&self, frame: Frame, seq: Option<u64>, due: Option<Instant>) {
        let frame = Arc::new(frame);
        let mut state = self.lock();
        let state = &mut *state;
        state.unconfirmed = Clock::of(&frame);
        let before = state.held.back().map(|held| held.seq);
        match seq.filter(|seq| *seq > state.synced).max(before) {
            None => {
                state.confirmed = state.unconfirmed;
                (state.publish)(frame, Audience::Everyone);
                self.count_published(due);
            }
            Some(seq) => {
                debug_assert!(state.held.len() < FRAMES_HELD_MAX, "the caller looks for room first");
                (state.publish)(Arc::clone(&frame), Audience::Unconfirmed);
                state.held.push_back(Held { seq, frame, due, since: Instant::now() });
            }
        }
    }

    /// Tells single sessions something at once, ahead of what is held. It must not tell of the world: it is not in order with
    /// frames, and says no newer time than the session knows.
    pub(crate) fn tell(&self, sessions: HashMap<SessionId, SessionFrame>) {
        let mut state = self.lock();
        let frame = |clock: Clock, sessions| {
            let Clock { tick, time, seq, tick_cost_us } = clock;
            Arc::new(Frame { tick, time, seq, tick_cost_us, sessions, ..Frame::default() })
        };
        if state.held.is_empty() {
            let frame = frame(state.confirmed, sessions);
            return (state.publish)(frame, Audience::Everyone);
        }
        let (early, late) = (frame(state.unconfirmed, sessions.clone()), frame(state.confirmed, sessions));
        (state.publish)(early, Audience::Unconfirmed);
        (state.publish)(late, Audience::Confirmed);
    }

    /// How many frames wait for the disk.
    pub(crate) fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// How many frames wait for the disk, or for those who take them. The host makes fewer and larger ones then, so that a flood of
    /// calls does not bury a gateway in frames.
    pub(crate) fn waiting_frames(&self) -> usize {
        let state = self.lock();
        state.held.len() + (state.backlog)()
    }

    /// Waits until fewer than [`FRAMES_PROMPT_MAX`] frames are held, if more are now. May also return for no reason.
    pub(crate) async fn prompt(&self) {
        self.0.prompt.notified().await;
    }

    /// How long the first frame that waits for the disk does so.
    pub(crate) fn waiting(&self) -> Duration {
        self.lock().held.front().map_or(Duration::ZERO, |held| held.since.elapsed())
    }

    fn count_published(&self, due: Option<Instant>) {
        if let Some(due) = due {
            self.0.metrics.phases.published.record_time(due.elapsed());
        }
    }

    fn synced(&self, seq: u64) {
        let mut state = self.lock();
        let state = &mut *state;
        state.synced = state.synced.max(seq);
        let before = state.held.len();
        while let Some(Held { frame, due, .. }) = state.held.pop_front_if(|held| held.seq <= state.synced) {
            state.confirmed = Clock::of(&frame);
            (state.publish)(frame, Audience::Confirmed);
            self.count_published(due);
        }
        if before >= FRAMES_PROMPT_MAX && state.held.len() < FRAMES_PROMPT_MAX {
            self.0.prompt.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is half done when `publish` panics but the sending of one frame.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Sent = Arc<Mutex<Vec<(u64, Audience)>>>;

    /// A release, and the ticks of what it has published.
    fn release() -> (Release, Sent) {
        let sent = Sent::default();
        let log = Arc::clone(&sent);
        (
            Release::new(
                Box::new(move |frame, audience| log.lock().unwrap().push((frame.tick, audience))),
                Box::new(|| 0),
            ),
            sent,
        )
    }

    fn frame(tick: u64) -> Frame {
        Frame { tick, time: Timestamp(tick as i64), ..Frame::default() }
    }

    fn taken(sent: &Sent) -> Vec<(u64, Audience)> {
        std::mem::take(&mut *sent.lock().unwrap())
    }

    #[test]
    fn what_needs_no_disk_goes_to_everyone_at_once() {
        let (release, sent) = release();
        let mut synced = release.on_synced();
        release.submit(frame(1), None, None);
        synced(5);
        release.submit(frame(2), Some(5), None); // the disk was faster than the frame
        assert_eq!(taken(&sent), [(1, Audience::Everyone), (2, Audience::Everyone)]);
    }

    #[test]
    fn a_frame_waits_for_its_commit_and_those_behind_it_wait_with_it() {
        let (release, sent) = release();
        let mut synced = release.on_synced();
        release.submit(frame(1), Some(7), None);
        release.submit(frame(2), None, None);
        release.submit(frame(3), Some(9), None);
        assert_eq!(taken(&sent), [1, 2, 3].map(|tick| (tick, Audience::Unconfirmed)));
        assert_eq!(release.held(), 3);
        synced(6);
        assert_eq!(taken(&sent), []);
        synced(8);
        assert_eq!(taken(&sent), [(1, Audience::Confirmed), (2, Audience::Confirmed)]);
        synced(9);
        release.submit(frame(4), None, None);
        assert_eq!(taken(&sent), [(3, Audience::Confirmed), (4, Audience::Everyone)]);
        assert_eq!((release.held(), release.waiting()), (0, Duration::ZERO));
    }

    #[test]
    fn what_is_told_aside_comes_first_and_at_a_time_that_the_session_knows() {
        let (release, sent) = release();
        release.submit(frame(1), None, None);
        release.tell(HashMap::new());
        assert_eq!(taken(&sent), [(1, Audience::Everyone), (1, Audience::Everyone)]);
        release.submit(frame(2), Some(7), None);
        release.tell(HashMap::new());
        let expected = [(2, Audience::Unconfirmed), (2, Audience::Unconfirmed), (1, Audience::Confirmed)];
        assert_eq!(taken(&sent), expected);
        release.on_synced()(7);
        assert_eq!(taken(&sent), [(2, Audience::Confirmed)]);
    }

    #[test]
    fn it_is_said_when_frames_are_prompt_again() {
        let (release, sent) = release();
        for tick in 1..=4 {
            release.submit(frame(tick), Some(tick), None);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let log = std::thread::spawn({
            let mut synced = release.on_synced();
            move || synced(3)
        });
        runtime.block_on(release.prompt());
        log.join().unwrap();
        assert_eq!(release.held(), 1);
        assert_eq!(taken(&sent)[4..], [1, 2, 3].map(|tick| (tick, Audience::Confirmed)));
    }

    proptest! {
        /// Both kinds of sessions get every frame once, in order, and the patient ones never before the disk has it.
        #[test]
        fn every_session_gets_every_frame_in_order(steps in prop::collection::vec(0_u8..4, 0..200)) {
            let (release, sent) = release();
            let mut on_synced = release.on_synced();
            let (mut needs, mut seq, mut synced) = (vec![0_u64], 0, 0);
            let mut got = [vec![], vec![]];
            for step in steps {
                match step {
                    0 if release.held() < FRAMES_HELD_MAX => {
                        needs.push(needs[needs.len() - 1]);
                        release.submit(frame(needs.len() as u64 - 1), None, None);
                    }
                    1 | 2 if release.held() < FRAMES_HELD_MAX => {
                        seq += 1;
                        needs.push(seq);
                        release.submit(frame(needs.len() as u64 - 1), Some(seq), None);
                    }
                    _ => {
                        synced = (synced + u64::from(step)).min(seq);
                        on_synced(synced);
                    }
                }
                for (tick, audience) in taken(&sent) {
                    for unconfirmed in [false, true] {
                        if audience.has(unconfirmed) {
                            got[usize::from(unconfirmed)].push(tick);
                            prop_assert!(unconfirmed || needs[tick as usize] <= synced);
                        }
                    }
                }
            }
            on_synced(seq);
            got[0].extend(taken(&sent).iter().map(|(tick, _)| *tick));
            let all: Vec<u64> = (1..needs.len() as u64).collect();
            prop_assert_eq!(&got, &[all.clone(), all]);
        }
    }
}
