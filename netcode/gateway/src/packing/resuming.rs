//! What a session keeps for a client that loses its connection, and sends when it comes back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use evertick_protocol::{CallReply, Frame, FramePacker, QueryReply, SessionFrame, TopicId};

use super::Stream;
use crate::clock::Clock;

/// A client that has come back gets its results with the snapshots, so that their effects are there. It does not wait for them for longer.
const SNAPSHOTS_TIME_MAX: Duration = Duration::from_secs(1);

impl Stream {
    /// Takes a frame in while there is no connection to send it over.
    pub(crate) fn follow(&mut self, frame: &Frame, own: Option<&SessionFrame>) {
        self.view.fall_behind(false);
        let Some(own) = own else { return };
        for topic in &own.left {
            self.view.leave(*topic);
            self.departed.add(*topic, frame.time.0);
        }
        own.entered.iter().for_each(|entered| self.view.enter(entered, false, frame.tick));
        if let Some(viewpoint) = own.viewpoint {
            self.view.look_from(viewpoint);
        }
        own.results.iter().for_each(|reply| self.results.push(reply.clone()));
        self.results.trim();
        own.queries.iter().for_each(|reply| self.answers.remember(reply));
    }

    /// Answers of the gateway's own.
    pub(crate) fn answer(&mut self, failed: impl Iterator<Item = CallReply>) {
        failed.for_each(|reply| self.results.push(reply));
    }

    /// Packs the gateway's own answers; `None` while they wait for snapshots, or when there are none. Their effects are none, so they may overtake frames.
    pub(crate) fn pack_answers(&mut self, refused: &[QueryReply], clock: Clock) -> Vec<Bytes> {
        let mut packer = FramePacker::new(clock.number, clock.tick, clock.time);
        refused.iter().for_each(|reply| packer.query(reply));
        if self.awaiting.is_none() {
            self.results.send(&mut packer);
            self.results.trim();
        }
        let mut parts = Vec::new();
        packer.finish(&mut parts);
        parts
    }

    /// The client has got so many results.
    pub(crate) fn acknowledge(&mut self, results: u64) {
        self.results.acknowledge(results);
    }

    /// A query is asked, or over.
    pub(crate) fn forget_query(&mut self, query: u32) {
        self.answers.forget(query);
    }

    /// Whether a client that has got so many results can go on; then it waits for snapshots of all that it sees.
    pub(crate) fn resume(&mut self, results: u64, now: Instant) -> bool {
        let resumed = self.departed.topics().is_some() && self.results.resume(results);
        if resumed {
            self.view.fall_behind(false);
            self.awaiting = Some(now);
        }
        resumed
    }

    /// The message that tells a client which topics are gone; empty when it can't have any.
    pub(crate) fn pack_departed(&self, clock: Clock) -> Vec<Bytes> {
        let mut packer = FramePacker::new(clock.number, clock.tick, clock.time);
        let departed = self.departed.topics().unwrap_or_default();
        departed.into_iter().filter(|topic| !self.view.has(*topic)).for_each(|topic| packer.left(topic));
        let mut parts = Vec::new();
        packer.finish(&mut parts);
        parts
    }

    /// The host was asked for everything.
    pub(crate) fn asked_for_all(&mut self, tick: u64) {
        self.view.asked_for_all(tick);
    }

    /// The host could not be asked for these topics.
    pub(crate) fn not_asked(&mut self, wanted: &[TopicId]) {
        self.view.not_asked(wanted);
    }

    /// Adds results and answers, those that were not sent yet and those of this frame.
    pub(super) fn pack_results(
        &mut self,
        own: Option<&SessionFrame>,
        packer: &mut FramePacker,
        now: Instant,
    ) {
        if let Some(own) = own {
            own.results.iter().for_each(|reply| self.results.push(reply.clone()));
            own.queries.iter().for_each(|reply| self.answers.remember(reply));
        }
        match self.awaiting {
            None => own.iter().flat_map(|own| &own.queries).for_each(|reply| packer.query(reply)),
            Some(since) => {
                let there = own.is_some_and(|own| !own.entered.is_empty());
                let long = now.saturating_duration_since(since) >= SNAPSHOTS_TIME_MAX;
                if !there && !long && !self.results.is_too_much() {
                    return;
                }
                self.awaiting = None;
                self.answers.send(packer);
            }
        }
        self.results.send(packer);
        self.results.trim();
    }
}
