//! Servers are killed at random moments, over and over, some with a full disk, and nothing that a client was told is ever
//! lost. A killed process leaves what it has written, synced or not; what a power cut leaves is simulated in the tests of
//! `evertick-durability`.
//!
//! `EVERTICK_SEED` repeats the decisions of a run (what clients do and when the server is killed; how far it had come
//! by then is the machine's), `EVERTICK_CRASH_ROUNDS` asks for a longer one.

use std::cell::RefCell;
use std::time::Duration;

use bank_module::alarms::Alarm;
use bank_module::presence::{Door, Presence};
use evertick_client::{Client, ConnectOptions};
use evertick_tests::bank::{self, Books, ClientBook, Glimpse, glimpse, play};
use evertick_tests::dice::Dice;
use evertick_tests::disk::fill;
use evertick_tests::process::ServerProcess;
use evertick_tests::reopen::reopen;
use evertick_tests::rig::Rig;

use crate::soon::until;

/// Kills in an ordinary run.
const ROUNDS: u64 = 200;
/// Kills of one world; then the next begins, so that files stay small and the beginning is tested too.
const ROUNDS_PER_WORLD: u64 = 20;
/// Each has a connection of its own, and this many calls on their way.
const CLIENTS: u32 = 3;
const CALLS_IN_FLIGHT: usize = 8;
#[test]
fn what_was_confirmed_outlives_kills() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("EVERTICK_SEED").unwrap_or_else(|| std::process::id().into());
    let rounds = number("EVERTICK_CRASH_ROUNDS").unwrap_or(ROUNDS);
    println!(
        "seed {seed}; the same decisions again: EVERTICK_SEED={seed} cargo nextest run -p evertick-tests crash"
    );
    let wasm = evertick_test_guests::wasm("bank-module");
    let mut dice = Dice::new(seed);
    let (mut round, mut confirmed) = (0, 0_usize);
    while round < rounds {
        let rig = Rig::new(env!("CARGO_TARGET_TMPDIR"), env!("CARGO_BIN_EXE_test-server"), "bank", &wasm);
        let mut world = World { books: Books::new(CLIENTS, &mut dice), rig };
        for _ in 0..ROUNDS_PER_WORLD.min(rounds - round) {
            round += 1;
            match world.round(&mut dice) {
                Ok(steps) => confirmed += steps,
                Err(why) => panic!("seed {seed}, round {round}: {why}"),
            }
        }
        world.end().unwrap_or_else(|why| panic!("seed {seed}, after round {round}: {why}"));
    }
    println!("{round} kills, {confirmed} confirmed calls");
    assert!(confirmed as u64 > round, "so few calls prove nothing");
}

/// What happens to a server before it is killed.
struct Trouble {
    /// It plays undisturbed for so long.
    after: Duration,
    /// Then its disk is full for so long, if at all.
    full: Option<Duration>,
    /// And then it has room again, and plays on for a while.
    room_again: bool,
}

impl Trouble {
    async fn come_over(&self, server: &ServerProcess) {
        tokio::time::sleep(self.after).await;
        let Some(full) = self.full else { return };
        fill(server.id(), true);
        tokio::time::sleep(full).await;
        if self.room_again {
            fill(server.id(), false);
            tokio::time::sleep(Duration::from_millis(350)).await;
        }
    }
}

/// A world that is killed again and again.
struct World {
    rig: Rig,
    books: Books,
}

impl World {
    /// Lets clients play, kills the server, and audits what it left. How many calls were confirmed.
    fn round(&mut self, dice: &mut Dice) -> Result<usize, String> {
        let mut server = self.rig.spawn();
        if dice.once_in(8) {
            // While it starts: recovery too can be cut off anywhere.
            std::thread::sleep(Duration::from_millis(dice.below(150)));
            server.kill();
        } else {
            let url = server.url()?;
            let trouble = Trouble {
                after: Duration::from_millis(20 + dice.below(300)),
                full: dice.once_in(8).then(|| Duration::from_millis(20 + dice.below(250))),
                room_again: dice.once_in(2),
            };
            self.play(&url, &mut server, &trouble);
        }
        let confirmed = self.books.clients.iter().map(ClientBook::confirmed).sum();
        self.audit()?;
        Ok(confirmed)
    }

    /// Clients play for a while and see the server die.
    fn play(&mut self, url: &str, server: &mut ServerProcess, trouble: &Trouble) {
        let books: Vec<_> = self.books.clients.drain(..).map(RefCell::new).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        self.books.seen = runtime.block_on(async {
            let clients = connect(url).await;
            all_others_have_left(&clients[0]).await;
            let plays = clients.iter().zip(&books).map(|(client, book)| play(client, book, CALLS_IN_FLIGHT));
            let kill = async {
                trouble.come_over(server).await;
                let seen = glimpse(&clients[0]);
                server.kill();
                seen
            };
            let (_, seen) = tokio::join!(futures_util::future::join_all(plays), kill);
            seen
        });
        self.books.clients = books.into_iter().map(RefCell::into_inner).collect();
    }

    fn audit(&mut self) -> Result<(), String> {
        let reopened = reopen(&self.rig.data(), bank_module::module())?;
        bank::audit(reopened.simulation.world(), &reopened.sessions, &mut self.books)
    }

    /// The world goes on after all that: every alarm rings once, and a clean end loses nothing at all.
    fn end(mut self) -> Result<(), String> {
        let (mut server, url) = self.rig.start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        self.books.seen = runtime.block_on(async {
            let clients = connect(&url).await;
            all_others_have_left(&clients[0]).await;
            until(async || clients[0].rows::<Alarm>().unwrap().iter().all(|(_, alarm)| alarm.rung == 1))
                .await;
            glimpse(&clients[0])
        });
        assert!(server.stop().success(), "{}", server.log());
        let Glimpse { entries, .. } = &self.books.seen;
        assert!(!entries.is_empty(), "clients see accounts");
        self.audit()
    }
}

async fn connect(url: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for number in 1..=CLIENTS {
        let options = ConnectOptions {
            reconnect: None,
            ..ConnectOptions::new(format!("the secret of client {number}"))
        };
        clients.push(Client::connect(url, options).await.unwrap());
    }
    clients
}

/// Waits until those whom the last crash cut off have been seen to the door.
async fn all_others_have_left(client: &Client) {
    until(async || {
        let present = client.rows::<Presence>().unwrap().len();
        let door = client.resource::<Door>().unwrap();
        present == CLIENTS as usize && door.is_some_and(|door| door.came - door.left == u64::from(CLIENTS))
    })
    .await;
}
