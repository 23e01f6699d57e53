//! Copies of a running server's data, and servers on them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bank_module::notes::write;
use bank_module::progress::Progress;
use evertick_client::{Client, ConnectOptions};
use evertick_tests::bank::{self, Books, all, play};
use evertick_tests::dice::Dice;
use evertick_tests::disk::{contents, overwrite, places};
use evertick_tests::process::run;
use evertick_tests::reopen::reopen;
use evertick_tests::rig::Rig;

const TOOL: &str = env!("CARGO_BIN_EXE_evertick-tool");

fn rig() -> Rig {
    let wasm = evertick_test_guests::wasm("bank-module");
    Rig::new(env!("CARGO_TARGET_TMPDIR"), env!("CARGO_BIN_EXE_test-server"), "bank", &wasm)
}

#[tokio::test]
async fn a_running_server_is_backed_up_and_restored_elsewhere() {
    let rig = rig();
    let (data, backup, elsewhere) = (rig.data(), rig.folder.file("backup"), rig.folder.file("elsewhere"));
    let (mut server, url) = rig.start();
    let mut books = Books::new(2, &mut Dice::new(5));
    let mut clients = Vec::new();
    for name in ["the secret of one", "the secret of another"] {
        clients.push(
            Client::connect(&url, ConnectOptions { reconnect: None, ..ConnectOptions::new(name) })
                .await
                .unwrap(),
        );
    }
    let playing: Vec<_> = books.clients.drain(..).map(RefCell::new).collect();
    let mut promised = HashMap::new();
    let operator = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        for book in &playing {
            let book = book.borrow();
            promised.insert(book.client, book.last_confirmed());
        }
        let arguments = [String::from("backup"), backup.clone(), "--data".into(), data.clone()];
        let copied = tokio::task::spawn_blocking(move || run(TOOL, arguments)).await.unwrap();
        assert_eq!(copied.code, 0, "{copied:?}");
        assert!(copied.out.contains("verified"), "{copied:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.kill();
    };
    let plays = clients.iter().zip(&playing).map(|(client, book)| play(client, book, 8));
    tokio::join!(futures_util::future::join_all(plays), operator);

    let restored = run(TOOL, ["restore", &backup, "--data", &elsewhere]);
    assert_eq!(restored.code, 0, "{restored:?}");
    // The original is as if nothing had been copied.
    books.clients = playing.into_iter().map(RefCell::into_inner).collect();
    let original = reopen(&data, bank_module::module()).unwrap();
    bank::audit(original.simulation.world(), &original.sessions, &mut books).unwrap();
    // The copy is whole, of some moment after the command was given.
    let copy = reopen(&elsewhere, bank_module::module()).unwrap();
    let world = copy.simulation.world();
    bank::consistent(world).unwrap();
    let there: HashMap<u32, u64> =
        all::<Progress>(world).into_iter().map(|(_, row)| (row.client, row.step)).collect();
    for (client, step) in promised {
        assert!(
            step > 0 && there[&client] >= step,
            "client {client} was at {step}, the copy is at {there:?}"
        );
    }
    drop(copy);
    let (mut server, url) = rig.start_on(&elsewhere);
    let client =
        Client::connect(&url, ConnectOptions { reconnect: None, ..ConnectOptions::new("the secret of one") })
            .await
            .unwrap();
    client.call(write::call(50, 1, 1, "a new life".into())).await.unwrap();
    assert!(server.stop().success());
}

#[tokio::test]
async fn nothing_is_overwritten_and_no_bad_copy_is_made() {
    let rig = rig();
    let (data, backup) = (rig.data(), rig.folder.file("backup"));
    let (mut server, url) = rig.start();
    let client =
        Client::connect(&url, ConnectOptions { reconnect: None, ..ConnectOptions::new("the secret of one") })
            .await
            .unwrap();
    client.call(write::call(1, 1, 1, "a text to be found again".into())).await.unwrap();
    server.kill();

    std::fs::create_dir(&backup).unwrap();
    std::fs::write(Path::new(&backup).join("holiday.jpg"), "beach").unwrap();
    let refused = run(TOOL, ["backup", &backup, "--data", &data]);
    assert!(refused.code == 2 && refused.err.contains("empty"), "{refused:?}");
    let left = contents(Path::new(&backup));
    assert_eq!(left[&Path::new(&backup).join("holiday.jpg")], b"beach", "what was there is left alone");

    std::fs::remove_dir_all(&backup).unwrap();
    assert_eq!(run(TOOL, ["backup", &backup, "--data", &data]).code, 0);
    let place = places(Path::new(&backup), b"a text to be found again").pop().unwrap();
    overwrite(&place.0, place.1, b"A");
    let elsewhere = rig.folder.file("elsewhere");
    let refused = run(TOOL, ["restore", &backup, "--data", &elsewhere]);
    assert_eq!(refused.code, 1, "the last record of all is damaged: {refused:?}");
    assert!(refused.err.contains("at byte") || refused.err.contains("from byte"), "{refused:?}");
    assert!(!Path::new(&elsewhere).exists(), "nothing is made of a bad backup");
}
