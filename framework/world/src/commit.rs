//! From the log and what systems swept to a [`Delta`].
//!
//! Three cases, by row type:
//!
//! * Point writes only: each row's first record since the last commit has the bytes to compare with. Which is
//!   the first, bevy's change tick of the row says, as it was before: older than the last commit. So nothing
//!   is hashed.
//! * One sweep only, of rows that nobody else touched: what it appended is the delta as it is.
//! * Anything else (rows came or went, or were both swept and touched): [`Merge`] puts together per row what
//!   was and what is.

use evertick_schema::{EntityId, Timestamp};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::delta::{CellMove, Delta, RowDelta};
use crate::diff::changed_fields;
use crate::log::{Change, Mark};
use crate::merge::Merge;
use crate::place::Cell;
use crate::reads::Reads;
use crate::store::Store;
use crate::world::World;

impl World {
    /// Everything accepted and swept since the last commit, as one delta.
    ///
    /// Cost: per point write about as much as the write itself; per row that came or went, or was both swept
    /// and written, a hash map entry; per swept row nothing.
    pub fn commit(&mut self, tick: u64, now: Timestamp) -> Delta {
        let mut delta = std::mem::take(&mut self.store.spare);
        self.store.seq += 1;
        (delta.seq, delta.tick, delta.time) = (self.store.seq, tick, now);
        std::mem::swap(&mut delta.events, &mut self.store.events);
        std::mem::swap(&mut delta.sessions, &mut self.store.sessions);
        self.store.timers.commit(&mut delta.timers);

        let mut merge = Merge::default();
        let mut moves = Moves::default();
        self.read_log(&mut delta, &mut merge, &mut moves);
        moves.finish(self.reads(), &mut delta.moved);
        self.add_sweeps(&mut merge);
        merge.finish(&self.ecs, &mut self.store);
        for state in &mut self.store.rows {
            if !state.building.is_empty() {
                let row = state.building.row;
                delta.rows.push(std::mem::replace(&mut state.building, RowDelta::new(row, state.stride)));
            }
        }
        self.close_period();
        delta
    }

    /// Takes back a delta that is done with, to use its memory again.
    pub fn recycle(&mut self, mut delta: Delta) {
        for mut rows in delta.rows.drain(..) {
            if let Some(state) = self.store.rows.get_mut(rows.row.index())
                && state.building.is_empty()
            {
                rows.clear(state.stride);
                state.building = rows;
            }
        }
        delta.spawned.clear();
        delta.despawned.clear();
        delta.moved.clear();
        delta.events.clear();
        delta.sessions.clear();
        delta.timers.clear();
        self.store.spare = delta;
    }

    /// Whether anything is to be committed.
    pub(crate) fn is_settled(&self) -> bool {
        let store = &self.store;
        store.log.is_empty()
            && store.events.is_empty()
            && store.sessions.is_empty()
            && store.rows.iter().all(|state| state.pending.is_plain())
    }

    /// Begins to collect the changes of the next commit.
    pub(crate) fn close_period(&mut self) {
        // Also forgets bevy's own notes of removed components, which would pile up.
        self.ecs.clear_trackers();
        self.ecs.check_change_ticks();
        let store = &mut self.store;
        store.period = self.ecs.change_tick().get();
        store.first_sequence = store.ids.next_sequence();
        store.log.clear();
        store.start = Mark::default();
        for state in &mut store.rows {
            state.pending.swept.reset(state.stride);
            state.pending.again.clear();
            state.pending.structural = false;
        }
    }

    fn read_log(&mut self, delta: &mut Delta, merge: &mut Merge, moves: &mut Moves) {
        let now = self.ecs.change_tick().get();
        let Store { rows, registry, ids, log, period, first_sequence, config, .. } = &mut self.store;
        for record in log.records() {
            let entity = record.entity;
            match record.change {
                Change::Spawned => delta.spawned.extend(ids.entity(entity).map(|_| entity)),
                Change::Despawned => {
                    let is_new = entity.region() == config.region && entity.sequence() >= *first_sequence;
                    delta.despawned.extend((!is_new).then_some(entity));
                }
                Change::Placed => moves.note(entity, None),
                Change::Left(cell) => moves.note(entity, Some(cell)),
                Change::Inserted { row } => merge.inserted(row, entity),
                Change::Removed { row, old } => {
                    merge.changed(row, entity, old, !touched(old.changed, now, *period));
                }
                Change::Updated { row, old } => {
                    let is_first = !touched(old.changed, now, *period);
                    let state = &mut rows[row.index()];
                    if !state.pending.is_plain() {
                        merge.changed(row, entity, old, is_first);
                    } else if is_first
                        && let Some(at) = ids.locate(entity)
                        && let Some(bytes) = state.column.get(&self.ecs, at)
                        && let Some(of) = registry.get(row)
                    {
                        let mask = changed_fields(&of.layout, log.old(old), bytes);
                        if mask != 0 {
                            state.building.updated.push(entity, mask, bytes);
                        }
                    }
                }
            }
        }
    }

    /// Moves what systems changed into the rows' deltas, but for rows that others touched as well.
    fn add_sweeps(&mut self, merge: &mut Merge) {
        let Store { rows, registry, ids, tables, log, .. } = &mut self.store;
        for (state, of) in rows.iter_mut().zip(registry.types()) {
            for (entity, mask) in state.pending.again.drain(..) {
                merge.swept_again(of.id, entity, mask);
            }
            if state.pending.swept.is_empty() {
                continue;
            }
            if merge.has(of.id) && !merge.overwrite_swept(&self.ecs, (of, state), (ids, tables, log)) {
                state.pending.swept.changes.retain(|entity, mask| !merge.swept(of.id, entity, mask));
            }
            // Nothing was pushed there: the row type's changes are not plain.
            std::mem::swap(&mut state.building.updated, &mut state.pending.swept.changes);
        }
    }
}

/// Whether a row that bevy says changed at tick `changed` was touched since the last commit, at tick
/// `period`.
#[inline]
pub(crate) fn touched(changed: u32, now: u32, period: u32) -> bool {
    now.wrapping_sub(changed) <= now.wrapping_sub(period)
}

/// Entities that changed cell, each with the first it was in.
#[derive(Default)]
struct Moves {
    first: Vec<(EntityId, Option<Cell>)>,
    known: HashMap<EntityId, ()>,
}

impl Moves {
    fn note(&mut self, entity: EntityId, from: Option<Cell>) {
        if let Entry::Vacant(entry) = self.known.entry(entity) {
            entry.insert(());
            self.first.push((entity, from));
        }
    }

    fn finish(self, reads: Reads<'_>, out: &mut Vec<CellMove>) {
        let moves =
            self.first.into_iter().map(|(entity, from)| CellMove { entity, from, to: reads.cell(entity) });
        out.extend(moves.filter(|entry| entry.from != entry.to));
    }
}
