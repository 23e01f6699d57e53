//! Opening what was stored by another version of the modules.

use evertick_durability::storage::simulated::{Faults, SimulatedStorage};
use evertick_durability::{OpenError, describe};
use evertick_schema::{FieldDef, ReducerKind, StorageClass, Type};
use evertick_world::{Module, Outcome};

use crate::native::*;
use crate::support::*;

/// A closed world of the first version, with a timer that waits.
fn played() -> SimulatedStorage {
    let disk = disk();
    let (mut server, _) = boot(&disk, vec![game(1.0)]).unwrap();
    server.call(TRANSFER, &[0, 1]);
    server.call(SPAWN, &[7]);
    server.call(LATER, &[500_000]);
    server.close();
    disk
}

/// The second version: an account has a limit, its balance comes last; a label is called a name; reducers stand in
/// another order.
fn second() -> Module {
    let mut module = game(1.0);
    let rows = &mut module.description.rows;
    let mut limit = FieldDef::new("limit", Type::U32);
    limit.default = Some(7u32.to_le_bytes().to_vec());
    let pad = FieldDef { default: Some(vec![0; 4]), ..FieldDef::new("pad", Type::U32) };
    rows[ACCOUNT].fields.extend([limit, pad]);
    rows[LABEL].name = "Name".into();
    rows[LABEL].was = Some("Label".into());
    module
}

fn accounts(server: &Server) -> Vec<Vec<u8>> {
    entities(&server.simulation, ACCOUNT)
        .into_iter()
        .map(|entity| get(&server.simulation, ACCOUNT, entity).unwrap())
        .collect()
}

#[test]
fn rows_are_brought_to_their_new_shape() {
    let disk = played();
    let (server, opened) = boot(&disk, vec![second()]).unwrap();
    assert!(!opened.fresh);
    let [migration] = &opened.migrations[..] else { panic!("{:?}", opened.migrations) };
    assert!(migration.to_string().contains("limit"), "{migration}");
    let expected: Vec<Vec<u8>> = [99, 101, 100, 100]
        .iter()
        .zip(0..)
        .map(|(balance, id)| [account(id, *balance), vec![7, 0, 0, 0, 0, 0, 0, 0]].concat())
        .collect();
    assert_eq!(accounts(&server), expected);
    let mover = entities(&server.simulation, LABEL)[0];
    assert_eq!(get(&server.simulation, LABEL, mover), Some(label("mover")));
    assert_eq!(server.simulation.world().timers().count(), 1);
    server.simulation.world().check().unwrap();

    // It happens once, and stays.
    let disk = disk.crash();
    drop(server);
    let (mut server, opened) = boot(&disk, vec![second()]).unwrap();
    assert!(opened.migrations.is_empty());
    assert_eq!(accounts(&server), expected);
    server.tick();
    server.close();
}

#[test]
fn the_upgrade_reducer_runs_in_the_same_commit() {
    let disk = played();
    let upgraded = || {
        let mut module = second();
        module.description.reducers.push(lifecycle("upgrade", ReducerKind::Upgrade));
        let inner = module.guest;
        let number = module.description.reducers.len() as u32 - 1;
        module.guest = Box::new(WithUpgrade { inner, number });
        module
    };
    let (server, _) = boot(&disk, vec![upgraded()]).unwrap();
    let season = entities(&server.simulation, SEASON);
    assert_eq!(season.len(), 1, "the upgrade reducer made it");
    let disk = disk.crash();
    drop(server);
    let (server, _) = boot(&disk, vec![upgraded()]).unwrap();
    assert_eq!(entities(&server.simulation, SEASON), season, "it ran once");
}

#[test]
fn the_upgrade_reducer_runs_when_all_rows_stay_as_they_are() {
    let disk = played();
    let mut module = game(1.0);
    module.description.reducers.push(lifecycle("upgrade", ReducerKind::Upgrade));
    let number = module.description.reducers.len() as u32 - 1;
    module.guest = Box::new(WithUpgrade { inner: module.guest, number });
    let (server, opened) = boot(&disk, vec![module]).unwrap();
    assert!(opened.migrations[0].is_empty());
    assert_eq!(entities(&server.simulation, SEASON).len(), 1, "the upgrade reducer made it");
}

struct WithUpgrade {
    number: u32,
    inner: Box<dyn evertick_world::Guest>,
}

impl evertick_world::Guest for WithUpgrade {
    fn call(
        &mut self,
        tx: &mut evertick_world::Tx<'_>,
        rows: &[evertick_world::RowId],
        reducer: u32,
        args: &[u8],
    ) -> Result<Outcome, evertick_world::GuestFault> {
        if reducer == self.number {
            tx.insert_row(rows[SEASON], &[9, 0, 0, 0]).unwrap();
            return done();
        }
        self.inner.call(tx, rows, reducer, args)
    }

    fn run(
        &mut self,
        system: u32,
        view: &mut evertick_world::SystemView<'_>,
    ) -> Result<(), evertick_world::GuestFault> {
        self.inner.run(system, view)
    }
}

fn refusal(disk: &SimulatedStorage, modules: Vec<Module>) -> OpenError {
    let before = files(disk);
    let Err(error) = boot(disk, modules) else { panic!("it is not refused") };
    assert!(before == files(disk), "a refusal changes nothing");
    let (server, _) = boot(disk, vec![game(1.0)]).unwrap();
    assert_eq!(server.balances(), [99, 101, 100, 100], "the old module still runs on the old data");
    server.close();
    error
}

#[test]
fn what_loses_something_is_refused() {
    let disk = played();
    let mut other = game(1.0);
    other.description.rows[ACCOUNT].fields[1].ty = Type::F64;
    let error = refusal(&disk, vec![other]);
    assert!(matches!(error, OpenError::Refused(_)), "{error}");
    assert!(error.to_string().contains("upgrade"), "{error}");

    let mut other = game(1.0);
    other.description.name = "other".into();
    let error = refusal(&disk, vec![other]);
    assert!(matches!(&error, OpenError::ModuleGone { module } if module == "game"), "{error}");
}

#[test]
fn waiting_timers_keep_what_they_call() {
    let disk = played();
    let mut renamed = second();
    renamed.description.reducers[TRANSFER as usize].name = "send".into();
    let error = refusal(&disk, vec![renamed]);
    let OpenError::Timers { module, reducers } = &error else { panic!("{error}") };
    assert_eq!((module.as_str(), &reducers[..]), ("game", &[("transfer".to_owned(), 1)][..]));

    let mut other = second();
    other.description.reducers[TRANSFER as usize].params.pop();
    assert!(matches!(refusal(&disk, vec![other]), OpenError::Timers { .. }));
}

#[test]
fn modules_move_and_come() {
    let disk = played();
    // Another module comes first, so every number of the old one's rows and reducers is another.
    let shop = || {
        let mut module = Game::new("shop").reducer(lifecycle("init", ReducerKind::Init), |tx, rows, _| {
            tx.insert_row(rows[ACCOUNT], &account(77, 7)).unwrap();
            done()
        });
        module = module.reducer(call("nothing", &[]), |_, _, _| done());
        module.module()
    };
    let (mut server, opened) = boot(&disk, vec![shop(), game(1.0)]).unwrap();
    assert_eq!(opened.added, ["shop"]);
    let of = |server: &Server, module: u16| -> Vec<Vec<u8>> {
        let row = server.simulation.rows(module)[ACCOUNT];
        let mut rows: Vec<Vec<u8>> =
            server.simulation.world().scan(row).map(|(_, bytes)| bytes.to_vec()).collect();
        rows.sort();
        rows
    };
    assert_eq!(of(&server, 0), [account(77, 7)]);
    assert_eq!(of(&server, 1), [account(0, 99), account(1, 101), account(2, 100), account(3, 100)]);
    // The timer calls the old module under its new number.
    while server.now.0 <= START.0 + 500_000 {
        server.tick();
    }
    assert_eq!(of(&server, 1)[..2], [account(0, 98), account(1, 102)]);
    server.close();
}

#[test]
fn rows_that_are_no_longer_stored_go() {
    let disk = played();
    let mut module = game(1.0);
    module.description.rows[LABEL].storage = StorageClass::Transient;
    let (server, _) = boot(&disk, vec![module]).unwrap();
    assert!(entities(&server.simulation, LABEL).is_empty());
    assert_eq!(entities(&server.simulation, POSITION).len(), 1);
}

#[test]
fn a_power_cut_at_any_moment_leaves_the_old_world_or_the_new() {
    let old = played().kill();
    let saved = files(&old);
    let (mut before, mut after) = (0, 0);
    for operations in 0.. {
        let disk = disk_with(&saved);
        disk.set_faults(Faults { power_off_after: Some(operations), ..Faults::default() });
        let opened = boot(&disk, vec![second()]);
        let is_through = opened.is_ok() && !disk.is_off();
        let disk = disk.crash();
        drop(opened);
        // The old module runs on the old world, or the migration is complete.
        if describe(&disk).unwrap().generation == 0 {
            before += 1;
            let (server, _) = boot(&disk, vec![game(1.0)]).unwrap();
            assert_eq!(server.balances(), [99, 101, 100, 100]);
            server.close();
        } else {
            after += 1;
        }
        let (server, _) = boot(&disk, vec![second()]).unwrap();
        assert_eq!(accounts(&server).len(), 4);
        assert_eq!(accounts(&server)[0][..16], account(0, 99));
        server.close();
        if is_through {
            break;
        }
    }
    assert!(before > 5 && after > 0, "{before} {after}");
}
