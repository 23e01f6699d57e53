//! Which topics fall behind, and which of them are sent anew first.

use evertick_protocol::{Entered, Square, TopicId};

use super::grade::distance;
use super::{Content, View, cost};

/// When a snapshot that was asked for has not come after so many ticks, it is asked for again.
const ASK_AGAIN_TICKS: u32 = 100;
/// Topics that are asked for at once.
const ASKED_MAX: usize = 64;

impl View {
    /// Which of these are sent now, when snapshots may take `budget` bytes (the last may take more); `slow`: those of topics with a place are not.
    pub(crate) fn admit(&self, entered: &[Entered], budget: usize, slow: bool) -> Vec<bool> {
        let mut admitted = vec![true; entered.len()];
        if budget == usize::MAX && !slow {
            return admitted;
        }
        let mut spent = 0;
        let mut placed = Vec::new();
        for (index, entered) in entered.iter().enumerate() {
            let promised = self
                .find(entered.topic)
                .is_ok_and(|at| self.topics[at].content == Content::Behind && self.details[at].promised);
            if entered.square.is_none() || promised && !slow {
                spent += cost(entered);
            } else {
                placed.push((self.away(entered.square), index));
            }
        }
        placed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        for (_, index) in placed {
            admitted[index] = !slow && spent < budget;
            spent += cost(&entered[index]);
        }
        admitted
    }

    /// All topics fall behind, those with a place alone if `placed`. Returns how many did.
    pub(crate) fn fall_behind(&mut self, placed: bool) -> usize {
        let mut fallen = 0;
        for (at, topic) in self.topics.iter_mut().enumerate() {
            if topic.content != Content::Behind && (!placed || self.squares[at].is_some()) {
                topic.content = Content::Behind;
                (self.details[at].asked, self.details[at].promised) = (None, false);
                fallen += 1;
            }
        }
        self.behind |= fallen > 0;
        self.unplanned |= fallen > 0;
        fallen
    }

    /// The host was asked for everything.
    pub(crate) fn asked_for_all(&mut self, tick: u64) {
        for (topic, details) in self.topics.iter().zip(&mut self.details) {
            if topic.content == Content::Behind {
                (details.asked, details.promised) = (Some(tick as u32), false);
            }
        }
    }

    /// Whether a topic was behind when that was last looked at.
    pub(crate) fn seems_behind(&self) -> bool {
        self.behind
    }

    /// Whether a topic is behind.
    pub(crate) fn is_behind(&mut self) -> bool {
        self.behind = self.behind && self.topics.iter().any(|topic| topic.content == Content::Behind);
        self.behind
    }

    /// Adds the topics behind that the host is to be asked for now, when there are `budget` bytes: those without a place, and the nearest that
    /// fit; one at least. None while others are on their way.
    pub(crate) fn wanted(&mut self, tick: u64, budget: usize, wanted: &mut Vec<TopicId>) {
        if !self.is_behind() {
            return;
        }
        let mut candidates = Vec::new();
        for (at, topic) in self.topics.iter().enumerate() {
            if topic.content != Content::Behind {
                continue;
            }
            let details = &mut self.details[at];
            if let Some(asked) = details.asked {
                if (tick as u32).wrapping_sub(asked) < ASK_AGAIN_TICKS {
                    return;
                }
                (details.asked, details.promised) = (None, false);
            }
            candidates.push((self.away(self.squares[at]), at));
        }
        candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut spent = 0;
        for (away, at) in candidates.into_iter().take(ASKED_MAX) {
            if spent >= budget && away >= 0.0 {
                break;
            }
            let details = &mut self.details[at];
            spent += details.cost as usize;
            (details.asked, details.promised) = (Some(tick as u32), true);
            wanted.push(self.topics[at].id);
        }
    }

    /// The host could not be asked for these.
    pub(crate) fn not_asked(&mut self, wanted: &[TopicId]) {
        for topic in wanted {
            if let Ok(at) = self.find(*topic) {
                self.topics[at].content = Content::Behind;
                (self.details[at].asked, self.details[at].promised) = (None, false);
                self.behind = true;
                self.unplanned = true;
            }
        }
    }

    /// How far a topic is from the viewpoint: without a place it is nearer than any, in another space farther.
    fn away(&self, square: Option<Square>) -> f32 {
        match (square, &self.viewpoint) {
            (None, _) => -1.0,
            (Some(square), Some(viewpoint)) if square.space == viewpoint.space => {
                distance(&square, 1, 0, viewpoint)
            }
            _ => f32::MAX,
        }
    }

    /// The topics that are behind.
    #[cfg(test)]
    pub(crate) fn topics_behind(&self) -> impl Iterator<Item = TopicId> {
        self.topics.iter().filter(|topic| topic.content == Content::Behind).map(|topic| topic.id)
    }
}
