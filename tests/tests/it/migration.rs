//! A changed module meets the old one's data.

use std::path::Path;

use evertick_client::{Client, ConnectOptions};
use evertick_schema::Type;
use evertick_testing::NativeGuest;
use evertick_tests::disk::contents;
use evertick_tests::rig::Rig;
use evertick_tests::text_guest::text_guest;
use shop_after_module as after;
use shop_before_module as before;

use crate::soon::until;

fn rig() -> Rig {
    let wasm = evertick_test_guests::wasm("shop-before-module");
    Rig::new(env!("CARGO_TARGET_TMPDIR"), env!("CARGO_BIN_EXE_test-server"), "shop", &wasm)
}

async fn connect(url: &str) -> Client {
    Client::connect(url, ConnectOptions { reconnect: None, ..ConnectOptions::new("the secret of somebody") })
        .await
        .unwrap()
}

/// A shop with three kinds of things, two customers and a reminder.
async fn fill(client: &Client) {
    for (number, kind) in [(1, before::Kind::Fruit), (2, before::Kind::Tool), (3, before::Kind::Fruit)] {
        client.call(before::stock::call(number, number * 10, number * 100, kind)).await.unwrap();
    }
    client.call(before::welcome::call(1, "Ada".into(), 4_000_000_000)).await.unwrap();
    client.call(before::welcome::call(2, "Bob".into(), 7)).await.unwrap();
    client.call(before::remind::call(5, evertick_schema::Duration::from_millis(1_500))).await.unwrap();
}

/// What the next season's client sees.
async fn compare(client: &Client) {
    until(async || client.resource::<after::Inventory>().unwrap().is_some()).await;
    let mut wares = client.rows::<after::Ware>().unwrap();
    wares.sort_by_key(|(_, ware)| ware.number);
    let wares: Vec<_> = wares
        .into_iter()
        .map(|(_, ware)| (ware.number, ware.stock, ware.price_coins, ware.discount, ware.kind, ware.reserved))
        .collect();
    use after::Kind::{Fruit, Tool};
    let expected =
        [(1, 10, 100, 0.5, Fruit, [0; 3]), (2, 20, 200, 0.5, Tool, [0; 3]), (3, 30, 300, 0.5, Fruit, [0; 3])];
    assert_eq!(wares, expected);
    let mut customers: Vec<_> =
        client.rows::<after::Customer>().unwrap().into_iter().map(|(_, customer)| customer).collect();
    customers.sort_by_key(|customer| customer.id);
    let customer = |id, name: &str, coins| after::Customer { id, coins, name: name.into(), wishes: vec![] };
    assert_eq!(customers, [customer(1, "Ada", 4_000_000_000), customer(2, "Bob", 7)]);
    let mut shelves: Vec<_> =
        client.rows::<after::Shelf>().unwrap().into_iter().map(|(_, shelf)| shelf).collect();
    shelves.sort_by_key(|shelf| shelf.items);
    let shelf = |items| after::Shelf { meters: f64::from(items) / 2.0, items, aisle: 9 };
    assert_eq!(shelves, [shelf(1), shelf(2), shelf(3)]);
    let inventory = client.resource::<after::Inventory>().unwrap().unwrap();
    assert_eq!(inventory, after::Inventory { upgrades: 1, stock: 60 }, "the upgrade reducer ran once");
    // The timer was set by the old module, whose reducers had other numbers.
    until(async || client.rows::<after::Reminder>().unwrap().iter().all(|(_, reminder)| reminder.rung == 1))
        .await;
}

#[tokio::test]
async fn old_data_is_carried_over_and_stays_so() {
    for killed in [false, true] {
        let rig = rig();
        let (mut server, url) = rig.start();
        fill(&connect(&url).await).await;
        if killed {
            server.kill();
        } else {
            assert!(server.stop().success());
        }

        rig.replace_module(&evertick_test_guests::wasm("shop-after-module"));
        let (mut server, url) = rig.start();
        for change in ["Ware", "price_coins", "Leaflet", "wishes"] {
            server.until_logged(change);
        }
        let client = connect(&url).await;
        compare(&client).await;
        assert_eq!(client.call(after::wish::call(1, 3)).await.unwrap(), 1);
        server.kill();

        let (mut server, url) = rig.start();
        let client = connect(&url).await;
        assert_eq!(client.call(after::wish::call(1, 1)).await.unwrap(), 2, "what came after it is kept too");
        assert_eq!(client.resource::<after::Inventory>().unwrap().unwrap().upgrades, 1);
        assert!(server.stop().success());
    }
}

#[tokio::test]
async fn what_cannot_be_carried_over_is_refused_and_nothing_changes() {
    let rig = rig();
    let (mut server, url) = rig.start();
    fill(&connect(&url).await).await;
    server.kill();
    let old = rig.module();
    let old = std::fs::read(old).unwrap();

    // The old module with one field of another type.
    let mut description = NativeGuest::new(&before::module(), 0).unwrap().instance().description().clone();
    let customer = description.rows.iter_mut().find(|row| row.name == "Customer").unwrap();
    customer.fields.iter_mut().find(|field| field.name == "name").unwrap().ty = Type::U32;
    let json = String::from_utf8(description.to_json()).unwrap();
    rig.replace_module(&text_guest(1, &json, "i64.const 0"));
    let files = contents(Path::new(&rig.data()));
    let refusal = rig.spawn().url().unwrap_err();
    for said in ["Customer", "name", "#[reducer(upgrade)]", "#[was("] {
        assert!(refusal.contains(said), "{said} is not in: {refusal}");
    }
    assert!(contents(Path::new(&rig.data())) == files, "a refusal changes nothing");

    rig.replace_module(&old);
    let (mut server, url) = rig.start();
    let client = connect(&url).await;
    until(async || client.rows::<before::Customer>().unwrap().len() == 2).await;
    client.call(before::welcome::call(3, "Cy".into(), 1)).await.unwrap();
    assert!(server.stop().success());
}
