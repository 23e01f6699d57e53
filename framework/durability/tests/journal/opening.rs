//! Opening what was stored by the same modules.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use evertick_durability::{CauseRef, DirectoryStorage, OpenError, Progress, open};
use evertick_schema::Timestamp;
use evertick_world::Simulation;

use crate::native::*;
use crate::support::*;

#[test]
fn a_new_world_is_made_by_its_init_reducers() {
    let disk = disk();
    let (server, opened) = boot(&disk, vec![game(1.0)]).unwrap();
    assert!(opened.fresh && opened.sessions.is_empty());
    assert_eq!((opened.next_session, opened.time), (1, START));
    assert_eq!(server.balances(), [100; 4]);
    drop(server);

    let (server, opened) = boot(&disk.kill(), vec![game(1.0)]).unwrap();
    assert!(!opened.fresh, "it is made once");
    assert_eq!(server.balances(), [100; 4]);
}

#[test]
fn what_was_confirmed_outlives_a_power_cut() {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    for _ in 0..10 {
        let commit = server.call(TRANSFER, &[2, 3]);
        server.wait(commit);
    }
    let disk = disk.crash();
    drop(server);
    let (server, opened) = boot(&disk, vec![game(1.0)]).unwrap();
    assert_eq!(server.balances(), [100, 100, 90, 110]);
    assert!(opened.records > 10, "{opened:?}");
    server.simulation.world().check().unwrap();
}

#[test]
fn a_clean_end_keeps_everything_and_goes_on_exactly_there() {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    server.call(SPAWN, &[5]);
    server.call(LATER, &[1_000_000]);
    server.call(DRAW, &[]);
    for _ in 0..3 {
        server.tick();
    }
    let counters = server.simulation.world().counters();
    let (tick, now) = (server.simulation.tick_number(), server.now);
    let mover = entities(&server.simulation, POSITION)[0];
    server.close();

    let (mut server, opened) = boot(&disk, vec![game(1.0)]).unwrap();
    assert_eq!(server.simulation.world().counters(), counters);
    assert_eq!(server.simulation.tick_number(), tick);
    assert_eq!(opened.time, now, "the clock was set back and the world's time was not");
    // The place as it was, although its period was not over; the velocity is gone.
    assert_eq!(get(&server.simulation, POSITION, mover), Some(vec2(8.0, 0.0)));
    assert_eq!(get(&server.simulation, VELOCITY, mover), None);
    // The timer runs when its time has come, on the books that are still there.
    while server.now.0 <= START.0 + 1_000_000 {
        server.tick();
    }
    assert_eq!(server.balances(), [99, 101, 100, 100]);
}

#[test]
fn who_shows_nothing_durable_waits_for_nothing() {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    let commit = server.call(SPAWN, &[0]);
    server.wait(commit);
    for _ in 0..20 {
        assert_eq!(server.tick(), None, "movers change checkpoint rows only");
    }
    assert!(server.call(TRANSFER, &[0, 1]).is_some());
}

#[test]
fn sessions_that_were_open_are_told_until_they_are_closed() {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    for number in [3, 9] {
        let caller = somebody(number);
        server.journal.cause(server.now, CauseRef::Connect(&caller));
        let _ = server.simulation.connect(&caller, server.now);
        server.journal.opened(&caller);
    }
    let commit = server.call(TRANSFER, &[0, 1]);
    server.wait(commit);
    let disk = disk.crash();
    drop(server);
    for _ in 0..2 {
        let (_, opened) = boot(&disk.kill(), vec![game(1.0)]).unwrap();
        assert_eq!(opened.sessions, [somebody(3), somebody(9)], "nobody has closed them yet");
        assert!(opened.next_session > 9);
    }
    let (mut server, opened) = boot(&disk.kill(), vec![game(1.0)]).unwrap();
    for caller in &opened.sessions {
        server.simulation.disconnect(caller, server.now);
        server.journal.closed(caller.session);
    }
    server.commit();
    server.close();
}

#[test]
fn old_segments_go_when_two_snapshots_are_there() {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    for round in 1..=4 {
        for _ in 0..40 {
            let commit = server.call(TRANSFER, &[0, 1]);
            server.wait(commit);
        }
        server.journal.snapshot();
        while server.journal.stats().snapshots.finished < round {
            server.tick();
            std::thread::yield_now();
        }
        // What is old is removed by a thread.
        while files(&disk).iter().filter(|(name, _)| name.starts_with("snapshot")).count() > 2 {
            server.tick();
            std::thread::yield_now();
        }
    }
    let stats = server.journal.stats();
    assert_eq!((stats.snapshots.failed, &stats.snapshots.error), (0, &None));
    let disk = disk.crash();
    drop(server);
    let (server, opened) = boot(&disk, vec![game(1.0)]).unwrap();
    assert_eq!(server.balances(), [100 - 160, 100 + 160, 100, 100]);
    assert!(opened.records < 100, "only what came behind the last snapshot is redone: {opened:?}");
}

#[test]
fn another_server_is_kept_out() {
    let disk = disk();
    let (_server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    let Err(error) = boot(&disk, vec![game(1.0)]) else { panic!("two servers on one disk") };
    assert!(matches!(error, OpenError::Directory { .. } | OpenError::Log(_)), "{error}");
}

#[test]
fn a_world_of_another_region_is_refused() {
    let disk = disk();
    boot(&disk, vec![game(1.0)]).unwrap().0.close();
    let config = evertick_world::Config { region: 4, ..Default::default() };
    let mut other = Simulation::new(config, TICK, vec![game(1.0)]).unwrap();
    let storage = Arc::new(disk.another_process());
    let opened = open(storage, crate::support::config(), &mut other, START, &mut |_| {}, Box::new(|_| {}));
    assert!(matches!(opened, Err(OpenError::Region { stored: 0, configured: 4 })));
}

#[test]
fn real_files_and_threads() {
    let path = std::env::temp_dir().join(format!("evertick-journal-{}", std::process::id()));
    let storage = || Arc::new(DirectoryStorage::open(&path).unwrap());
    let synced = Arc::new(AtomicU64::new(0));
    {
        let mut simulation = simulation(vec![game(1.0)]);
        let told = Arc::clone(&synced);
        let on_synced = Box::new(move |seq| told.store(seq, Ordering::Release));
        let (journal, opened) =
            open(storage(), config(), &mut simulation, START, &mut |_| {}, on_synced).unwrap();
        let mut server = Server { simulation, journal, now: opened.time };
        for _ in 0..100 {
            let commit = server.call(TRANSFER, &[0, 1]);
            while synced.load(Ordering::Acquire) < commit.unwrap() {
                std::thread::yield_now();
            }
            assert_eq!(server.journal.synced(), synced.load(Ordering::Acquire));
        }
        // Ends as a crash does, but for what the operating system still knows.
        drop(server);
    }
    let mut simulation = simulation(vec![game(1.0)]);
    let mut progress = Vec::new();
    let mut tell = |step: Progress| progress.push(step);
    let (journal, opened) =
        open(storage(), config(), &mut simulation, Timestamp(0), &mut tell, Box::new(|_| {})).unwrap();
    assert!(!opened.fresh && opened.time == START);
    assert!(matches!(progress[..], [.., Progress::Building { rows: 4 }]), "{progress:?}");
    let server = Server { simulation, journal, now: START };
    assert_eq!(server.balances(), [0, 200, 100, 100]);
    server.close();
    std::fs::remove_dir_all(path).unwrap();
}
