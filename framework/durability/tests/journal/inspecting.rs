//! Records as people read them.

use evertick_durability::{InspectFilter, InspectedRecord, describe, inspect};
use evertick_schema::EntityId;

use crate::native::*;
use crate::support::*;

fn all(disk: &dyn evertick_durability::Storage, filter: InspectFilter) -> Vec<InspectedRecord> {
    let mut inspection = inspect(disk, 0, u64::MAX, filter).unwrap();
    std::iter::from_fn(|| inspection.next().unwrap()).collect()
}

#[test]
fn records_are_shown_with_names() {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    server.call(TRANSFER, &[0, 1]);
    server.call(SPAWN, &[7]);
    server.call(LATER, &[50]);
    server.close();

    let records = all(&disk, InspectFilter::default());
    let kinds: Vec<&str> = records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, ["start", "commit", "commit", "commit", "close"]);
    let who = "0303030303030303 (session 3)";
    let lines = |record: &InspectedRecord| record.lines.join("\n");
    assert_eq!(
        lines(&records[1]),
        format!(
            "because 1000000 µs {who} called game.transfer{{a: 0, b: 1}}\n\
             set e:0:1 game.Account{{balance: 99}}\n\
             set e:0:2 game.Account{{balance: 101}}"
        )
    );
    assert_eq!(
        lines(&records[2]),
        format!(
            "because 1000000 µs {who} called game.spawn{{a: 7}}\n\
             put e:0:5 game.Position{{at: [7, 0]}}\n\
             put e:0:5 game.Label{{text: \"mover\"}}"
        )
    );
    assert_eq!(
        lines(&records[3]),
        format!(
            "because 1000000 µs {who} called game.later{{a: 50}}\n\
             timer 1 at 1000050 µs calls game.transfer{{a: 0, b: 1}}"
        )
    );
    assert_eq!(lines(&records[4]), "numbers: commit 5, tick 1, entity 6, timer 2, session 1");
    assert!(records[1].to_string().starts_with("2 commit 2 tick 0 time 1000000 µs, "));
    assert_eq!(describe(&disk).unwrap().modules[0].name, "game");
}

#[test]
fn a_filter_leaves_what_it_asks_for() {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    server.call(TRANSFER, &[0, 1]);
    server.call(TRANSFER, &[2, 3]);
    server.call(SPAWN, &[7]);
    server.close();
    let lines =
        |filter| -> Vec<String> { all(&disk, filter).into_iter().flat_map(|record| record.lines).collect() };
    let entity = InspectFilter { entity: Some(EntityId(3)), ..InspectFilter::default() };
    assert_eq!(lines(entity), ["set e:0:3 game.Account{balance: 99}"]);
    let row = InspectFilter { row: Some("game.Label".into()), ..InspectFilter::default() };
    assert_eq!(lines(row), ["put e:0:5 game.Label{text: \"mover\"}"]);
    let reducer = InspectFilter { reducer: Some("game.transfer".into()), ..InspectFilter::default() };
    assert_eq!(lines(reducer).len(), 2);
    let part = inspect(&disk, 2, 2, InspectFilter::default()).unwrap().next().unwrap().unwrap();
    assert_eq!(part.seq, 2);
}

#[test]
fn a_place_is_written_once_a_period() {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    server.call(SPAWN, &[0]);
    for _ in 0..40 {
        server.tick();
    }
    drop(server);
    let checkpoints: Vec<InspectedRecord> = all(&disk.kill(), InspectFilter::default())
        .into_iter()
        .filter(|record| record.kind == "checkpoint")
        .collect();
    // Forty ticks of 50 ms with a period of 200 ms.
    assert!((8..=10).contains(&checkpoints.len()), "{}", checkpoints.len());
    let place = &checkpoints[3].lines[0];
    assert!(place.starts_with("put e:0:5 game.Position{at: ["), "{place}");
    let _ = TICK;
}
