//! What clients asked for, step by step: there up to one of them, and nothing of those beyond it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bank_module::accounts::Entry;
use bank_module::alarms::Alarm;
use bank_module::movers::Mover;
use bank_module::notes::{Note, Roll};
use bank_module::progress::{Progress, id};
use evertick_schema::EntityId;
use evertick_world::World;

use super::hold;
use crate::bank::book::{Answer, Books, ClientBook, Step, What};
use crate::bank::read::all;

/// The rows that steps leave, by the ids that steps give them.
pub(super) struct Traces {
    progress: HashMap<u32, u64>,
    ledger: HashMap<u64, (u32, u32, i64)>,
    notes: BTreeMap<u64, Note>,
    rolls: HashMap<u64, u64>,
    alarms: BTreeSet<u64>,
    movers: HashMap<u64, EntityId>,
}

impl Traces {
    pub(super) fn of(world: &World) -> Self {
        Self {
            progress: by(world, |row: Progress| (row.client, row.step)),
            ledger: by(world, |row: Entry| (row.id, (row.from, row.to, row.amount))),
            notes: by(world, |row: Note| (row.id, row)).into_iter().collect(),
            rolls: by(world, |row: Roll| (row.id, row.value)),
            alarms: by(world, |row: Alarm| (row.id, ())).into_keys().collect(),
            movers: all(world).into_iter().map(|(entity, row): (_, Mover)| (row.number, entity)).collect(),
        }
    }

    /// Whether they are what the clients' steps leave; the books then have them.
    pub(super) fn compare(&self, books: &mut Books) -> Result<(), String> {
        for at in 0..books.clients.len() {
            let client = books.clients[at].client;
            let (before, steps) = (books.clients[at].settled, std::mem::take(&mut books.clients[at].steps));
            let settled = self.progress.get(&client).copied().unwrap_or(0);
            let sent = steps.last().map_or(before, |step| step.number);
            hold!(
                (before..=sent).contains(&settled),
                "client {client} is at step {settled}: it had {before} and sent {sent}"
            );
            for step in &steps {
                self.step(books, at, settled, step)
                    .map_err(|why| format!("client {client}, settled up to {settled}, {step:?}: {why}"))?;
            }
            let book = &mut books.clients[at];
            book.settled = settled;
            let alive: BTreeSet<EntityId> = book.movers.values().copied().collect();
            book.scrappable.retain(|mover| alive.contains(mover));
            self.notes_of(book)?;
        }
        hold!(
            self.ledger == books.entries,
            "the ledger has {} entries and should have {}, or they differ",
            self.ledger.len(),
            books.entries.len()
        );
        hold!(
            self.rolls == books.rolls,
            "there are {} rolls and should be {}, or they differ",
            self.rolls.len(),
            books.rolls.len()
        );
        let distinct: BTreeSet<u64> = self.rolls.values().copied().collect();
        hold!(distinct.len() == self.rolls.len(), "the same random number came twice");
        Ok(())
    }

    fn step(&self, books: &mut Books, at: usize, settled: u64, step: &Step) -> Result<(), String> {
        let id = id(books.clients[at].client, step.number);
        let told = match step.answer {
            Some(Answer::Done(value)) => Some(value),
            _ => None,
        };
        hold!(told.is_none() || step.number <= settled, "it was confirmed and is not there");
        // Without an answer it is there if the last step is not before it, unless it would have been refused.
        let done = step.number <= settled && step.answer != Some(Answer::NotDone);
        match &step.what {
            What::Transfer { from, to, amount } => {
                let entry = self.ledger.get(&id);
                hold!(told.is_none() || entry.is_some(), "it was confirmed and is not in the ledger");
                hold!(done || entry.is_none(), "it is in the ledger and should not be");
                if let Some(entry) = entry {
                    hold!(*entry == (*from, *to, *amount), "the ledger has {entry:?}");
                    books.entries.insert(id, *entry);
                }
            }
            What::Write { slot, text } if done => drop(books.clients[at].notes.insert(*slot, text.clone())),
            What::Erase { slot } if done => drop(books.clients[at].notes.remove(slot)),
            What::Write { .. } | What::Erase { .. } => {}
            What::SetAlarm { .. } => {
                hold!(self.alarms.contains(&id) == done, "set {done}, there {}", !done);
                books.alarms.extend(done.then_some(id));
            }
            What::Roll => {
                let value = self.rolls.get(&id).copied();
                hold!(value.is_some() == done, "done {done}, there {}", !done);
                hold!(told.is_none() || told == value, "the books say {value:?}");
                books.rolls.extend(value.map(|value| (id, value)));
            }
            What::Build => self.build(books, at, step.number, done, told.map(EntityId))?,
            What::Scrap { mover } if done => books.clients[at].movers.retain(|_, entity| entity != mover),
            What::Scrap { mover } => drop(books.clients[at].scrappable.insert(*mover)),
            What::Rob { .. } => hold!(told.is_none(), "a panic was confirmed"),
        }
        Ok(())
    }

    fn build(
        &self,
        books: &mut Books,
        at: usize,
        step: u64,
        done: bool,
        told: Option<EntityId>,
    ) -> Result<(), String> {
        let there = self.movers.get(&id(books.clients[at].client, step)).copied();
        hold!(done || there.is_none(), "the mover is there and should not be");
        if done {
            // One that was told of may have been scrapped since.
            let Some(entity) = told.or(there) else { return Err("the mover is lost".to_owned()) };
            hold!(there.is_none_or(|there| there == entity), "the mover is {there:?}");
            hold!(books.entities.insert(entity), "two entities have the id {entity}");
            books.clients[at].movers.insert(step, entity);
        }
        Ok(())
    }

    fn notes_of(&self, book: &ClientBook) -> Result<(), String> {
        let client = book.client;
        let notes = || self.notes.range(id(client, 0)..id(client + 1, 0));
        let there: BTreeMap<u32, String> =
            notes().map(|(id, note)| (*id as u32, note.text.clone())).collect();
        hold!(there == book.notes, "client {client} has the notes {there:?} instead of {:?}", book.notes);
        let whole = notes().all(|(_, note)| note.tags.len() == note.text.len() % 4);
        hold!(whole, "a note of client {client} has text and tags of different times");
        Ok(())
    }
}

fn by<T: evertick_schema::Row, K: Eq + std::hash::Hash, V>(
    world: &World,
    entry: impl Fn(T) -> (K, V),
) -> HashMap<K, V> {
    all(world).into_iter().map(|(_, row)| entry(row)).collect()
}
