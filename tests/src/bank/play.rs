//! Clients at work until their server is gone.

use std::cell::RefCell;
use std::collections::HashMap;

use bank_module::accounts::{Account, rob, transfer};
use bank_module::alarms::set_alarm;
use bank_module::movers::{Odometer, build, scrap};
use bank_module::notes::{erase, roll, write};
use bank_module::progress::StepRefusal;
use evertick_client::{CallError, Client};
use evertick_schema::{Duration, EntityId, Timestamp};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::bank::book::{Answer, ClientBook, What};

/// Keeps `in_flight` calls of a client going until the connection is lost.
pub async fn play(client: &Client, book: &RefCell<ClientBook>, in_flight: usize) {
    let mut calls = FuturesUnordered::new();
    loop {
        while calls.len() < in_flight {
            let (number, at, what, step) = {
                let mut book = book.borrow_mut();
                let at = book.decide();
                (book.client, at, book.steps[at].what.clone(), book.steps[at].number)
            };
            let mut call = Box::pin(async move { (at, perform(client, number, step, &what).await) });
            // Calls are sent in the order in which they are first polled, which is to be that of the steps.
            match futures_util::poll!(&mut call) {
                std::task::Poll::Ready((_, None)) => return,
                std::task::Poll::Ready((at, Some(answer))) => book.borrow_mut().answered(at, answer),
                std::task::Poll::Pending => calls.push(call),
            }
        }
        match calls.next().await {
            Some((at, Some(answer))) => book.borrow_mut().answered(at, answer),
            // Others may have been answered before the connection was lost.
            _ => break,
        }
    }
    while let Some((at, answer)) = calls.next().await {
        if let Some(answer) = answer {
            book.borrow_mut().answered(at, answer);
        }
    }
}

/// Asks for it and waits. `None` when the connection was lost.
async fn perform(client: &Client, number: u32, step: u64, what: &What) -> Option<Answer> {
    match what {
        What::Transfer { from, to, amount } => {
            answer(client.call(transfer::call(number, step, *from, *to, *amount)).await, |_| 0)
        }
        What::Write { slot, text } => {
            answer(client.call(write::call(number, step, *slot, text.clone())).await, |()| 0)
        }
        What::Erase { slot } => answer(client.call(erase::call(number, step, *slot)).await, |()| 0),
        What::SetAlarm { delay_ms } => {
            let delay = Duration::from_millis(*delay_ms);
            answer(client.call(set_alarm::call(number, step, delay)).await, |()| 0)
        }
        What::Roll => answer(client.call(roll::call(number, step)).await, |value| value),
        What::Build => answer(client.call(build::call(number, step)).await, |entity: EntityId| entity.0),
        What::Scrap { mover } => answer(client.call(scrap::call(number, step, *mover)).await, |()| 0),
        What::Rob { from } => answer(client.call(rob::call(number, step, *from)).await, |()| 0),
    }
}

fn answer<T>(result: Result<T, CallError<StepRefusal>>, number: impl FnOnce(T) -> u64) -> Option<Answer> {
    match result {
        Ok(value) => Some(Answer::Done(number(value))),
        Err(CallError::Disconnected(_)) => None,
        Err(CallError::Refused { refusal: StepRefusal::Again { client, step }, .. }) => {
            panic!("step {step} of client {client} was sent once and run twice")
        }
        Err(_) => Some(Answer::NotDone),
    }
}

/// What a client saw of the world, which is therefore a promise.
#[derive(Clone, Debug, Default)]
pub struct Glimpse {
    /// Entries by account.
    pub entries: HashMap<u32, u32>,
    /// When the movers moved last.
    pub moved: Option<Timestamp>,
}

/// What the client sees now.
pub fn glimpse(client: &Client) -> Glimpse {
    let accounts = client.rows::<Account>().expect("it is a row type of the module");
    let odometers = client.rows::<Odometer>().expect("it is a row type of the module");
    Glimpse {
        entries: accounts.into_iter().map(|(_, account)| (account.number, account.entries)).collect(),
        moved: odometers.into_iter().map(|(_, odometer)| odometer.at).max(),
    }
}
