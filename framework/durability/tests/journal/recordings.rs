//! Recordings, and running them again.

use std::sync::Arc;

use evertick_durability::storage::simulated::SimulatedStorage;
use evertick_durability::{CauseRef, RecordingError, ReplayError, ReplayReport, describe, replay};
use evertick_world::Simulation;

use crate::native::*;
use crate::support::*;

/// Plays, records, and plays on; what is recorded and the disk it is on.
fn record() -> (Server, SimulatedStorage, u64) {
    let (mut server, _) = boot(&disk(), vec![game(1.0)]).unwrap();
    server.call(SPAWN, &[3]);
    server.tick();
    let disk = SimulatedStorage::new(2);
    server.journal.start_recording(&mut server.simulation, Arc::new(disk.another_process())).unwrap();
    let caller = somebody(8);
    server.journal.cause(server.now, CauseRef::Connect(&caller));
    let _ = server.simulation.connect(&caller, server.now);
    server.journal.opened(&caller);
    server.commit();
    for round in 0..50 {
        server.call(TRANSFER, &[round % 4, 1]);
        server.call(SPAWN, &[round]);
        server.call(LATER, &[round * 10_000]);
        server.call(DRAW, &[]);
        server.tick();
    }
    server.journal.cause(server.now, CauseRef::Disconnect(&caller));
    server.simulation.disconnect(&caller, server.now);
    server.journal.closed(caller.session);
    server.commit();
    let stats = server.journal.stop_recording(&mut server.simulation).unwrap();
    (server, disk, stats.commits)
}

fn run(disk: &SimulatedStorage, mut simulation: Simulation) -> Result<ReplayReport, ReplayError> {
    replay(disk, &mut simulation, &mut |_| {})
}

#[test]
fn a_replay_does_what_was_recorded() {
    let (server, disk, commits) = record();
    assert_eq!(commits, 252);
    let mut again = simulation(vec![game(1.0)]);
    let report = replay(&disk, &mut again, &mut |_| {}).unwrap();
    assert_eq!((report.commits, report.seq), (commits, report.last_seq));
    assert_eq!(report.causes, commits);
    assert!(report.runs >= 250, "{report:?}");
    assert_eq!(again.world().counters(), server.simulation.world().counters());
    let described = describe(&disk).unwrap();
    assert_eq!(described.modules, again.modules());
    assert_eq!((described.tick, described.config), (TICK, evertick_world::Config::default()));
}

#[test]
fn a_replay_names_the_first_that_did_something_else() {
    let (_, disk, _) = record();
    let Err(ReplayError::Diverged(divergence)) = run(&disk, simulation(vec![game(2.0)])) else {
        panic!("movers move twice as far");
    };
    assert_eq!(divergence.name.as_deref(), Some("game.movement"));
    // The session, four calls, and then the tick, with a timer's call before the system.
    assert_eq!((divergence.seq, divergence.run), (6, 1));
    let text = divergence.to_string();
    assert!(text.starts_with("the replay differs at record 6, tick 2: game.movement"), "{text}");
}

#[test]
fn other_modules_are_refused() {
    let (_, disk, _) = record();
    let mut other = game(1.0);
    other.description.rows[LABEL].fields[0].name = "words".into();
    let error = run(&disk, simulation(vec![other])).unwrap_err();
    assert!(matches!(&error, ReplayError::Description { module } if module == "game"), "{error}");
    let mut other = game(1.0);
    other.description.name = "play".into();
    let error = run(&disk, simulation(vec![other])).unwrap_err();
    assert!(matches!(error, ReplayError::Modules { .. }), "{error}");
    let error = run(&SimulatedStorage::new(1), simulation(vec![game(1.0)])).unwrap_err();
    assert!(matches!(error, ReplayError::NotARecording { .. }), "{error}");
}

#[test]
fn a_recording_starts_once_and_in_an_empty_directory() {
    let (mut server, disk, _) = record();
    let error =
        server.journal.start_recording(&mut server.simulation, Arc::new(disk.another_process())).unwrap_err();
    assert!(matches!(error, RecordingError::NotEmpty(_)), "{error}");
    let empty = Arc::new(SimulatedStorage::new(3));
    server.journal.start_recording(&mut server.simulation, empty.clone()).unwrap();
    assert!(server.journal.recording().is_some());
    let again = server.journal.start_recording(&mut server.simulation, empty);
    assert!(matches!(again, Err(RecordingError::Recording)));
    server.journal.stop_recording(&mut server.simulation).unwrap();
    let error = server.journal.stop_recording(&mut server.simulation).unwrap_err();
    assert!(matches!(error, RecordingError::NotRecording { ended: None }), "{error}");
}
