//! The face of the crate.

use evertick_protocol::{CallReply, Close, CloseCode, Frame, ResyncTopics};
use evertick_schema::{EntityId, Identity, SessionId, Timestamp};
use evertick_world::{Cell, Delta, RowId, SessionWish, World};

use crate::absorb::{Homes, mark_moves, mark_rows};
use crate::config::InterestConfig;
use crate::encode::Encoder;
use crate::focus::is_far;
use crate::moving::{Lanes, Moving};
use crate::query::Queries;
use crate::reconcile::{Changes, Reconcile, forget_homes};
use crate::route::Events;
use crate::rules::Rules;
use crate::sessions::Sessions;
use crate::tell::Tell;
use crate::topics::Topics;

/// Knows who sees what, and what has changed of it since the last frame.
///
/// Lives on the world's thread, beside one [`World`], which every method is given. Use: [`open`](Self::open)
/// a session before its first call runs; [`absorb`](Self::absorb) every delta right after its commit, in
/// order; then [`frame`](Self::frame) whenever clients are to hear of it, before anything further is written
/// to the world.
#[derive(Debug)]
pub struct Interest {
    config: InterestConfig,
    rules: Rules,
    topics: Topics,
    sessions: Sessions,
    homes: Homes,
    queries: Queries,
    events: Events,
    changes: Changes,
    encoder: Encoder,
    lanes: Lanes,
    /// Entities that sessions look through and that a delta has moved far; kept for its room.
    watched: Vec<EntityId>,
    stats: InterestStats,
    /// Of the last frame.
    number: u64,
    /// Of the last absorbed delta.
    tick: u64,
    seq: u64,
}

/// Counts for operators. All but the first three are since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterestStats {
    /// Open sessions.
    pub sessions: usize,
    /// Topics with subscribers.
    pub topics: usize,
    /// Different queries that sessions have.
    pub queries: usize,
    /// Blocks of changes encoded.
    pub blocks: u64,
    /// States encoded.
    pub states: u64,
    /// Snapshots encoded.
    pub snapshots: u64,
    /// Rows encoded, in blocks and snapshots.
    pub rows: u64,
    /// Joins ignored because the session was in as many groups as it may be.
    pub joins_ignored: u64,
    /// Rows that no client is shown, because their topic has no slot left (there are 2²⁰).
    pub rows_slotless: u64,
}

impl Interest {
    /// Interest in `world`, whose row types are all registered. `wire_rows` are the row types that clients may
    /// be sent, by their number on the wire.
    ///
    /// # Panics
    /// When a row type is not of `world`, or was registered from a description that fails its own check.
    pub fn new(world: &World, wire_rows: &[RowId], config: InterestConfig) -> Self {
        let rules = Rules::new(world, wire_rows, config.detail_radius);
        let moving = Moving::new(rules.latest_types().iter().map(|row| world.row(*row).layout.size as usize));
        let topics = Topics::new(config.rest, world.config().region, moving);
        Self {
            rules,
            encoder: Encoder::new(world, wire_rows),
            config,
            topics,
            sessions: Sessions::default(),
            homes: Homes::new(),
            queries: Queries::new(world, wire_rows),
            events: Events::default(),
            changes: Changes::default(),
            lanes: Lanes::default(),
            watched: Vec::new(),
            stats: InterestStats::default(),
            number: 0,
            tick: 0,
            seq: 0,
        }
    }

    /// A client is connected as `identity`: it sees what everyone sees and what that identity owns. A session
    /// that is open already starts anew.
    pub fn open(&mut self, session: SessionId, identity: Identity) {
        self.sessions.unsubscribe_all(session, &mut self.topics, &mut self.queries);
        self.sessions.open(session, identity, &mut self.topics, &self.rules);
    }

    /// A client is gone. What was still to be sent to it is dropped.
    pub fn close(&mut self, session: SessionId) {
        self.sessions.unsubscribe_all(session, &mut self.topics, &mut self.queries);
        self.sessions.close(session, &mut self.topics);
    }

    /// The server ends a session, or turns it away before it was open: the next frame carries the replies that
    /// it still had, then the close. If it was open, it is closed here at once.
    pub fn reject(&mut self, session: SessionId, code: CloseCode, message: String) {
        self.sessions.unsubscribe_all(session, &mut self.topics, &mut self.queries);
        self.sessions.reject(session, Close { code, message }, &mut self.topics);
    }

    /// The answer to a call of a session, for the next frame; replies keep their order. Give it after the
    /// delta with the call's effects, so that both are in one frame. Dropped if the session is not open.
    pub fn reply(&mut self, session: SessionId, reply: CallReply) {
        self.sessions.reply(session, reply);
    }

    /// A client asks for rows by a query's text, which nobody has checked, and gives it a number; one that it has
    /// given before ends the query it was for. The answer comes with a frame: what is wrong, how it would be
    /// matched, or the topics that hold the result. Ignored if the session is not open.
    ///
    /// Cost: a copy of the text. It is looked at in a frame, when its turn comes:
    /// [`InterestConfig::query_rows_per_frame`].
    pub fn subscribe(&mut self, session: SessionId, number: u32, text: &str) {
        let Self { config, topics, sessions, queries, .. } = self;
        sessions.subscribe(session, number, text, config.queries_max, topics, queries);
    }

    /// A client does not want the rows of a query any more. Ignored if it has none of that number.
    pub fn unsubscribe(&mut self, session: SessionId, number: u32) {
        self.sessions.unsubscribe(session, number, &mut self.topics, &mut self.queries);
    }

    /// What a session has of these topics is out of date: the next frame brings it snapshots of those that it is still
    /// subscribed to, and with all of them its viewpoint. Others are ignored, and so is a session that is not open.
    ///
    /// Cost: for a list, its length times the session's topics, plus the snapshots, each shared by all who need it in
    /// that frame.
    pub fn resync(&mut self, session: SessionId, topics: ResyncTopics<'_>) {
        self.sessions.resync(session, topics, &mut self.topics);
    }

    /// Takes in what one commit changed; `world` is as that commit left it. Returns whether there is something
    /// to tell anybody, so that the next frame would not be empty.
    ///
    /// Cost: a look-up per changed row that somebody may see, a few more where it is in an observed topic, and
    /// for each session whose focus has moved by an eighth of a cell the cells in its reach.
    pub fn absorb(&mut self, world: &World, delta: &Delta) -> bool {
        let Self { config, rules, topics, sessions, homes, queries, events, watched, .. } = self;
        topics.moving.begin_delta();
        for op in &delta.sessions {
            match op.wish {
                SessionWish::Focus(focus) => {
                    sessions.focus(op.session, focus, config, world, topics, rules);
                }
                SessionWish::Join(group) => sessions.join(op.session, group, config, topics, rules),
                SessionWish::Leave(group) => sessions.leave(op.session, group, topics, rules),
            }
        }
        if sessions.have_foci() {
            for rows in &delta.rows {
                let spatial = rules.spatial(rows.row);
                if spatial == 0 {
                    continue;
                }
                for changes in [&rows.inserted, &rows.updated] {
                    // Most that somebody looks through are near where the cells were selected from.
                    let (mut spots, cell_size) = (topics.spots.reader(), world.config().cell_size);
                    let entities = changes.entities().iter().enumerate();
                    watched.extend(entities.filter_map(|(index, entity)| {
                        if !spots.get(*entity).is_watched() || changes.masks()[index] & spatial == 0 {
                            return None;
                        }
                        let (place, from) =
                            (world.place_in(rows.row, changes.row(index))?, spots.from(*entity));
                        from.is_none_or(|from| is_far(from, place, cell_size)).then_some(*entity)
                    }));
                    for entity in watched.drain(..) {
                        sessions.look_through(entity, world, topics, rules);
                    }
                }
            }
            for moved in &delta.moved {
                if topics.spots.get(moved.entity).is_watched() {
                    sessions.look_through(moved.entity, world, topics, rules);
                }
            }
            for entity in &delta.despawned {
                sessions.despawned(*entity, topics);
            }
        }
        if topics.len() > 0 {
            mark_moves(topics, rules, &delta.moved);
            for rows in &delta.rows {
                mark_rows(topics, homes, rules, world, rows);
            }
            queries.absorb(topics, rules, world, delta);
            events.absorb(topics, rules, world, delta);
        }
        (self.tick, self.seq) = (delta.tick, delta.seq);
        topics.has_news() || sessions.have_news()
    }

    /// What to tell the clients: all that the absorbed deltas changed of what they see, with the values that
    /// `world` holds now, and the tick and number of the last absorbed delta. `now` is the world's time, which
    /// never goes back; `tick_cost_us` is passed on.
    ///
    /// Each changed topic is encoded once, and once more as a snapshot if sessions have entered it; both are
    /// shared by all who get them. Cost: the changed rows of observed topics, and the sessions with something
    /// of their own.
    pub fn frame(&mut self, world: &World, now: Timestamp, tick_cost_us: u32) -> Frame {
        self.number += 1;
        let Self { number, tick, seq, .. } = *self;
        let mut frame = Frame { number, tick, time: now, seq, tick_cost_us, ..Frame::default() };
        self.topics.now = now;
        let rest = self.config.rest;
        let Self { config, rules, topics, sessions, homes, queries, events, changes, encoder, stats, .. } =
            self;
        sessions.answer_queries(config.query_rows_per_frame, world, topics, rules, queries);
        let queue = topics.take_queue();
        let reconcile = Reconcile { world, rules, homes, queries, now, rest, changes, slotless: 0 };
        let encode = encoder.begin(world, rules, &events.bytes);
        let lanes = &mut self.lanes;
        let mut tell = Tell { world, rules, reconcile, encode, tick, now, lanes, dirty: Vec::new() };
        tell.all(topics, &queue);
        let Tell { reconcile, encode, .. } = tell;
        stats.rows_slotless += reconcile.slotless;
        stats.blocks += encode.counts.blocks;
        stats.states += encode.counts.states;
        stats.snapshots += encode.counts.snapshots;
        stats.rows += encode.counts.rows;
        frame.topics = encode.told.finish();
        frame.sessions = sessions.end_frame(topics, world.config().cell_size);
        topics.end_frame(queue, |id, topic| forget_homes(homes, queries, rules, id, topic));
        queries.end_frame();
        events.bytes.clear();
        frame
    }

    /// The cells that a session sees, in order; none if it is not open.
    pub fn view(&self, session: SessionId) -> &[Cell] {
        self.sessions.get(session).map_or(&[], |session| session.view.cells.as_slice())
    }

    /// The cells of which a session sees the details too, in order; none if it is not open.
    pub fn details(&self, session: SessionId) -> &[Cell] {
        self.sessions.get(session).map_or(&[], |session| session.view.details.as_slice())
    }

    /// Counts for operators.
    pub fn stats(&self) -> InterestStats {
        InterestStats {
            sessions: self.sessions.len(),
            topics: self.topics.len(),
            queries: self.queries.len(),
            joins_ignored: self.sessions.joins_ignored,
            ..self.stats
        }
    }
}
