//! Queries of the Rust client to a whole server, and what becomes of a session when the server or the network goes.

use evertick_client::{Change, Client, Query, QueryError, field, near, within};
use evertick_schema::EntityId;
use glam::Vec2;
use market_module::{ItemKind, Listing, Place, Stall, offer, set_open, set_price, tear_down};

use crate::servers::market::{self, connect, connect_again, returns, server};
use crate::soon::until;

async fn stalls(client: &Client, prices: impl IntoIterator<Item = (f32, u32)>) -> Vec<EntityId> {
    let mut stalls = Vec::new();
    for (x, price) in prices {
        let kind = if price % 2 == 0 { ItemKind::Sword } else { ItemKind::Bow };
        stalls.push(client.call(offer::call(Vec2::new(x, 0.0), price, kind)).await.unwrap());
    }
    stalls
}

#[tokio::test]
async fn the_result_of_a_query_is_kept_up_to_date_and_what_others_ask_is_not_in_it() {
    let (_server, url) = server();
    let (seller, buyer) = (connect(&url, "seller").await, connect(&url, "buyer").await);
    let ids = stalls(&seller, (0..10).map(|index| (index as f32 * 100.0, index + 1))).await;
    until(async || buyer.rows::<Stall>().unwrap().len() == 10).await;
    assert_eq!(buyer.rows::<Listing>().unwrap(), [], "nobody has asked yet");

    let cheap =
        buyer.subscribe(Query::<Listing>::all().filter(field::<Listing>("price").at_most(3))).await.unwrap();
    let swords = Query::<Listing>::all().filter(field::<Listing>("kind").is(ItemKind::Sword));
    let swords = buyer.subscribe(swords).await.unwrap();
    until(async || cheap.len() == 3 && swords.len() == 5).await;
    assert_eq!(buyer.rows::<Listing>().unwrap().len(), 7, "of which one is in both");
    assert!(cheap.get(ids[1]).is_some() && swords.get(ids[1]).is_some() && cheap.get(ids[3]).is_none());

    // A row that leaves one result and stays in the other, and one that comes.
    let mut changes = cheap.changes();
    seller.call(set_price::call(ids[1], 50)).await.unwrap();
    let frame = changes.next().await.unwrap();
    let told: Vec<_> = frame.of::<Listing>().unwrap().collect();
    assert!(
        matches!(&told[..], [Change::Removed { entity, old }] if *entity == ids[1] && old.price == 2),
        "{told:?}"
    );
    assert_eq!(swords.get(ids[1]).unwrap().price, 50);
    seller.call(set_price::call(ids[9], 1)).await.unwrap();
    let frame = changes.next().await.unwrap();
    let told: Vec<_> = frame.of::<Listing>().unwrap().collect();
    assert!(
        matches!(&told[..], [Change::Inserted { entity, row }] if *entity == ids[9] && row.price == 1),
        "{told:?}"
    );
    seller.call(set_price::call(ids[9], 3)).await.unwrap();
    let frame = changes.next().await.unwrap();
    let told: Vec<_> = frame.of::<Listing>().unwrap().collect();
    assert!(
        matches!(&told[..], [Change::Updated { old, row, .. }] if (old.price, row.price) == (1, 3)),
        "{told:?}"
    );
    seller.call(tear_down::call(ids[0])).await.unwrap();
    until(async || cheap.len() == 2).await;

    drop(cheap);
    until(async || buyer.rows::<Listing>().unwrap().len() == 5).await;
    drop(swords);
    until(async || buyer.rows::<Listing>().unwrap().is_empty()).await;
}

#[tokio::test]
async fn queries_join_and_are_about_places_and_about_me() {
    let (_server, url) = server();
    let (seller, buyer) = (connect(&url, "seller").await, connect(&url, "buyer").await);
    let ids = stalls(&seller, (0..10).map(|index| (index as f32 * 100.0, index + 1))).await;
    let open = Query::<Listing>::all().join::<Stall>().filter(field::<Stall>("open").is(true));
    let here = open.clone().join::<Place>().filter(near(Vec2::new(210.0, 0.0), 120.0));
    let here = buyer.subscribe(here).await.unwrap();
    until(async || here.len() == 3).await;
    seller.call(set_open::call(ids[2], false)).await.unwrap();
    until(async || here.len() == 2 && here.get(ids[2]).is_none()).await;

    let mine = || Query::<Listing>::all().filter(field::<Listing>("seller").is_me());
    let (of_buyer, of_seller) =
        (buyer.subscribe(mine()).await.unwrap(), seller.subscribe(mine()).await.unwrap());
    until(async || of_seller.len() == 10).await;
    assert!(of_buyer.is_empty());
    let there = Query::<Listing>::all().join::<Place>().filter(within([350.0, -1.0], [650.0, 1.0]));
    let text = there.filter(field::<Listing>("note").is_null()).sql().unwrap();
    let there = buyer.subscribe(Query::<Listing>::text(text)).await.unwrap();
    until(async || there.len() == 3).await;
}

#[tokio::test]
async fn refusals_and_explanations_are_in_words() {
    let (_server, url) = server();
    let client = connect(&url, "somebody").await;
    let cheap = || Query::<Listing>::all().filter(field::<Listing>("kind").is(ItemKind::Bow));
    let plan = client.explain(cheap()).await.unwrap();
    assert!(plan.contains("hashed by Listing.kind"), "{plan}");

    let refused = |result: Result<_, QueryError>| match result {
        Err(QueryError::Refused { message, .. }) => message,
        other => panic!("{other:?}"),
    };
    let text = |text: &str| client.subscribe(Query::<Listing>::text(text));
    let message = refused(text("SELECT * FROM Listing WHERE kind = 'Axe'").await.map(|_| ()));
    assert!(message.contains("Axe") && message.contains("line 1"), "{message}");
    let message = refused(client.subscribe(Query::<Stall>::all()).await.map(|_| ()));
    assert!(message.contains("on_demand"), "{message}");
    assert!(matches!(text("EXPLAIN SELECT * FROM Listing").await, Err(QueryError::Explains(_))));
    assert!(matches!(
        client.subscribe(Query::<Listing>::all().filter(field::<Listing>("prize").is(1))).await,
        Err(QueryError::Condition(_))
    ));
    let mut all = Vec::new();
    for price in 0..32 {
        let one = Query::<Listing>::all().filter(field::<Listing>("price").is(price));
        all.push(client.subscribe(one).await.unwrap());
    }
    assert!(matches!(client.subscribe(cheap()).await, Err(QueryError::TooMany)));
    all.pop();
    client.subscribe(cheap()).await.unwrap();
}

#[tokio::test]
async fn texts_that_are_too_much_are_refused_and_good_ones_go_on() {
    let (server, url) = server();
    let (seller, buyer) = (connect(&url, "seller").await, connect(&url, "buyer").await);
    let ids = stalls(&seller, (0..4).map(|index| (index as f32 * 100.0, index))).await;
    let text = |text: String| buyer.subscribe(Query::<Listing>::text(text));
    let mine = text("SELECT * FROM Listing WHERE seller = :me".into()).await.unwrap();
    let others = text(
        "SELECT Listing.* FROM Listing JOIN Place USING (entity) JOIN Stall USING (entity) \
         WHERE NOT seller = :me AND open AND (near(0, 0, 120) OR within(290, -1, 310, 1))"
            .into(),
    );
    let others = others.await.unwrap();
    until(async || others.len() == 3 && others.get(ids[2]).is_none()).await;
    assert!(mine.is_empty());

    let many = |count: usize, join: &str| {
        let terms: Vec<String> = (0..count).map(|price| format!("price <> {price}")).collect();
        format!("SELECT * FROM Listing WHERE {}", terms.join(join))
    };
    let list: Vec<String> = (0..600).map(|price| price.to_string()).collect();
    let bad = [
        many(33, " AND "),
        format!("SELECT * FROM Listing WHERE price IN ({})", list.join(", ")),
        format!("SELECT * FROM Listing WHERE {}open", "NOT ".repeat(200)),
        format!("SELECT * FROM Listing WHERE {}price = 1{}", "(".repeat(100), ")".repeat(100)),
        "SELECT * FROM Listing; DROP TABLE Listing".into(),
        "DELETE FROM Listing".into(),
        "SELECT price FROM Listing".into(),
        "SELECT * FROM Listing JOIN Nothing USING (entity)".into(),
        "SELECT * FROM Listing WHERE near(0, 0, 120)".into(),
        String::new(),
    ];
    for bad in bad {
        let refused = text(bad.clone()).await.map(|_| ());
        assert!(
            matches!(&refused, Err(QueryError::Refused { message, .. }) if !message.is_empty()),
            "{bad}: {refused:?}"
        );
    }
    // What is longer than a message may say does not reach the server.
    let long = text(format!("SELECT * FROM Listing WHERE note = '{}'", "x".repeat(5000))).await.map(|_| ());
    assert!(long.is_err() && buyer.disconnected().is_none(), "{long:?}");
    seller.call(set_open::call(ids[0], false)).await.unwrap();
    until(async || others.len() == 2).await;
    assert_eq!(server.snapshot().host.faults, 0);
}

/// The connection is cut below the client, and then the server goes: queries are asked again, and what changed meanwhile is in them.
#[tokio::test]
async fn queries_outlive_connections_and_servers() {
    let (server, url) = server();
    let (client, cut) = connect_again(&url, "buyer").await;
    let seller = connect(&url, "seller").await;
    let ids = stalls(&seller, (0..4).map(|index| (0.0, index))).await;
    let cheap = || Query::<Listing>::all().filter(field::<Listing>("price").below(2));
    let query = client.subscribe(cheap()).await.unwrap();
    until(async || query.len() == 2).await;
    cut.cut();
    seller.call(set_price::call(ids[3], 0)).await.unwrap();
    until(async || returns(&client) == 1 && query.len() == 3).await;
    seller.call(set_price::call(ids[2], 1)).await.unwrap();
    until(async || query.len() == 4).await;

    // Another server knows nothing of the session: a new one, and the query again.
    let mut changes = query.changes();
    let (_again, other) = market::server();
    cut.lead_to(&other);
    server.stop().unwrap();
    until(async || returns(&client) == 2 && query.is_empty()).await;
    let frame = changes.next().await.unwrap();
    assert_eq!(
        frame.of::<Listing>().unwrap().filter(|change| matches!(change, Change::Removed { .. })).count(),
        4
    );
    stalls(&client, [(0.0, 1), (0.0, 2)]).await;
    until(async || query.len() == 1).await;
    drop(query);
    until(async || client.rows::<Listing>().unwrap().is_empty()).await;
}
