//! What clients did, what they were told, and what therefore has to be there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bank_module::accounts::ACCOUNTS;
use evertick_schema::EntityId;

use crate::dice::Dice;

/// Notes that a client writes over and over.
const SLOTS: u64 = 8;

/// Something that a client asks for.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the reducers' own parameters")]
pub enum What {
    Transfer { from: u32, to: u32, amount: i64 },
    Write { slot: u32, text: String },
    Erase { slot: u32 },
    SetAlarm { delay_ms: i64 },
    Roll,
    Build,
    Scrap { mover: EntityId },
    Rob { from: u32 },
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// It is done and stays done. A roll's number, a new entity's id, or nothing of interest.
    Done(u64),
    /// Nothing of it is done: refused, failed, or not even tried.
    NotDone,
}

/// One call of a client.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number: ascending for each client.
    pub number: u64,
    /// What it asks for.
    pub what: What,
    /// What came of it; `None` when the connection was lost first.
    pub answer: Option<Answer>,
}

/// One client, over all its connections.
#[derive(Debug)]
pub struct ClientBook {
    /// Its number, which is also its account's name.
    pub client: u32,
    /// The last step that is in the books for certain.
    pub settled: u64,
    /// The steps since the last audit, in the order in which they were sent.
    pub steps: Vec<Step>,
    /// Its notes at the last audit.
    pub notes: BTreeMap<u32, String>,
    /// Its movers at the last audit, by the step that built them.
    pub movers: BTreeMap<u64, EntityId>,
    /// Movers that may still be scrapped: an order is given once.
    pub(crate) scrappable: BTreeSet<EntityId>,
    next: u64,
    dice: Dice,
}

impl ClientBook {
    /// A client that has done nothing yet.
    pub fn new(client: u32, dice: Dice) -> Self {
        Self {
            client,
            settled: 0,
            steps: Vec::new(),
            notes: BTreeMap::new(),
            movers: BTreeMap::new(),
            scrappable: BTreeSet::new(),
            next: 1,
            dice,
        }
    }

    /// Decides on the next step. Its place in [`Self::steps`].
    pub fn decide(&mut self) -> usize {
        let dice = &mut self.dice;
        let mut account = || dice.below(ACCOUNTS.into()) as u32;
        let (from, to) = (account(), account());
        let slot = dice.below(SLOTS) as u32;
        let what = match dice.below(100) {
            0..50 => What::Transfer { from, to, amount: dice.below(400) as i64 },
            50..65 => {
                let text = format!("{:x}", dice.any()).repeat(dice.below(12) as usize);
                What::Write { slot, text }
            }
            65..75 => What::Erase { slot },
            75..80 => What::SetAlarm { delay_ms: dice.below(300) as i64 },
            80..87 => What::Roll,
            87..93 => What::Build,
            93..99 => match self.scrappable.pop_first() {
                Some(mover) => What::Scrap { mover },
                None => What::Build,
            },
            // Now and then only: a guest that panicked is replaced, which takes a while.
            _ if dice.once_in(8) => What::Rob { from },
            _ => What::Roll,
        };
        let number = self.next;
        self.next += 1;
        self.steps.push(Step { number, what, answer: None });
        self.steps.len() - 1
    }

    /// Writes down what came of a step.
    pub fn answered(&mut self, at: usize, answer: Answer) {
        let step = &mut self.steps[at];
        assert_eq!(step.answer.replace(answer), None, "a call is answered once");
        if let (What::Build, Answer::Done(entity)) = (&step.what, answer) {
            self.scrappable.insert(EntityId(entity));
        }
    }

    /// The last step that was answered with success, or that an audit has found.
    pub fn last_confirmed(&self) -> u64 {
        let confirmed = |step: &&Step| matches!(step.answer, Some(Answer::Done(_)));
        self.steps.iter().rfind(confirmed).map_or(self.settled, |step| step.number)
    }

    /// Steps that were answered with success since the last audit.
    pub fn confirmed(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.answer, Some(Answer::Done(_)))).count()
    }
}

/// All that has to be there.
#[derive(Debug, Default)]
pub struct Books {
    /// The clients.
    pub clients: Vec<ClientBook>,
    /// The ledger at the last audit: id to (from, to, amount).
    pub entries: HashMap<u64, (u32, u32, i64)>,
    /// Random numbers that were given out.
    pub rolls: HashMap<u64, u64>,
    /// Alarms that were set.
    pub alarms: HashSet<u64>,
    /// Every entity that a client was told of or that an audit has seen.
    pub entities: HashSet<EntityId>,
    /// What clients saw last.
    pub seen: crate::bank::Glimpse,
}

impl Books {
    /// Books of a new bank with this many clients.
    pub fn new(clients: u32, dice: &mut Dice) -> Self {
        let clients = (1..=clients).map(|client| ClientBook::new(client, dice.fork())).collect();
        Self { clients, ..Self::default() }
    }
}
