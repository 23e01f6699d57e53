//! The SDK against a real gateway, with a small stand-in for the host behind it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../gateway/tests/host/mod.rs"]
mod host;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evertick_client::{
    CallError, Change, Client, ClientOptions, CloseCode, ConnectError, ConnectOptions, Disconnected,
    FailCode, RowTypeError, StreamError, tls,
};
use evertick_gateway::{GatewayConfig, SessionLimits};
use evertick_protocol::{PROTOCOL_VERSION, ServerMessage, SessionSecret, Welcome};
use evertick_schema::{EntityId, Identity, SessionId, Timestamp};
use evertick_transport::{
    Connection, ConnectionExt, Discovery, Lane, Limits, Listener, ListenerOptions, QuicOptions, loopback,
};
use host::module::{
    Crash, Foreign, Increment, IncrementRefusal, Look, Said, Say, Score, Secret, Spawn, Title, Unheard,
    description, wrong,
};
use host::{Host, PATIENCE, soon};

fn start() -> Host {
    Host::start(&GatewayConfig { shards: 2, ..GatewayConfig::default() }, Vec::new())
}

async fn join(host: &Host, name: &str) -> Client {
    soon(Client::over(host.loopback(), ConnectOptions::new(name))).await.unwrap()
}

#[tokio::test]
async fn calls_are_typed_and_their_effects_are_there_with_the_result() {
    let host = start();
    let client = join(&host, "ann").await;
    let entity = soon(client.call(Spawn {})).await.unwrap();
    assert_eq!(client.get::<Score>(entity), Ok(Some(Score { value: 0 })));
    for expected in 1..=3 {
        assert_eq!(soon(client.call(Increment { entity })).await.unwrap(), expected);
        assert_eq!(client.get::<Score>(entity), Ok(Some(Score { value: expected })));
    }

    let missing = EntityId(99);
    let error = soon(client.call(Increment { entity: missing })).await.unwrap_err();
    let refusal = IncrementRefusal::NoSuch { entity: missing };
    assert_eq!(error, CallError::Refused { refusal, message: format!("{missing} is not there") });
    assert_eq!(error.to_string(), format!("refused: {missing} is not there"));

    let error = soon(client.call(Crash {})).await.unwrap_err();
    assert!(matches!(error, CallError::Failed { code: FailCode::Internal, id: 7, .. }), "{error}");
    let error = soon(client.call(Unheard {})).await.unwrap_err();
    assert_eq!(error, CallError::UnknownReducer("Unheard"));
    assert!(error.to_string().contains("same source"), "{error}");
}

/// While frames are held back, only who asked for unconfirmed ones gets them; the others get the same, in order, later.
#[tokio::test]
async fn unconfirmed_sessions_are_ahead_of_the_disk() {
    let host = start();
    let options = ConnectOptions { unconfirmed: true, ..ConnectOptions::new("eve") };
    let eager = soon(Client::over(host.loopback(), options)).await.unwrap();
    let patient = join(&host, "ann").await;
    let entity = soon(eager.call(Spawn {})).await.unwrap();
    assert_eq!(soon(patient.call(Increment { entity })).await.unwrap(), 1);

    host.hold();
    let waiting = tokio::spawn({
        let patient = patient.clone();
        async move { patient.call(Increment { entity }).await.unwrap() }
    });
    host.until("the patient call has run", |host| host.calls().len() == 3).await;
    assert_eq!(soon(eager.call(Increment { entity })).await.unwrap(), 3);
    assert_eq!(eager.get::<Score>(entity), Ok(Some(Score { value: 3 })));
    assert_eq!(patient.get::<Score>(entity), Ok(Some(Score { value: 1 })));
    // The clock that a session is told is that of what it has been shown.
    soon(patient.ping()).await.unwrap();
    soon(eager.ping()).await.unwrap();
    assert!(patient.statistics().tick < eager.statistics().tick);
    assert!(!waiting.is_finished());

    host.release();
    assert_eq!(soon(waiting).await.unwrap(), 2);
    host.until("both know the same", |_| {
        patient.get::<Score>(entity) == eager.get::<Score>(entity)
            && patient.statistics().tick == eager.statistics().tick
    })
    .await;
    assert_eq!(soon(patient.call(Increment { entity })).await.unwrap(), 4, "nothing is held any more");
}

#[tokio::test]
async fn calls_run_in_order_and_each_gets_its_own_result() {
    let host = start();
    let client = join(&host, "ann").await;
    let entity = soon(client.call(Spawn {})).await.unwrap();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call(Increment { entity }).await.unwrap() })
        })
        .collect();
    let mut results = Vec::new();
    for call in calls {
        results.push(soon(call).await.unwrap());
    }
    assert_eq!(results, (1..=100).collect::<Vec<u32>>());
    assert!(host.calls().is_sorted());
}

#[tokio::test]
async fn rows_are_read_by_type_and_by_several_types() {
    let host = start();
    let client = join(&host, "ann").await;
    let entity = soon(client.call(Spawn {})).await.unwrap();
    let mut scores = client.rows::<Score>().unwrap();
    scores.sort_by_key(|(entity, _)| *entity);
    assert_eq!(scores, [(EntityId(1), Score { value: 0 }), (entity, Score { value: 0 })]);
    let title = Title { text: "the first".to_owned() };
    assert_eq!(
        client.query::<(Title, Score)>().unwrap(),
        [(EntityId(1), (title.clone(), Score { value: 0 }))]
    );
    assert_eq!(client.query::<(Score, Title, Secret)>().unwrap(), []);
    assert_eq!(client.resource::<Title>().unwrap(), Some(title));
    assert_eq!(client.get::<Title>(entity).unwrap(), None);
    client.view(|view| {
        assert_eq!(view.rows::<Score>().unwrap().count(), 2);
        assert_eq!(view.time(), Timestamp(view.tick() as i64 * 50_000));
    });

    assert_eq!(client.rows::<Foreign>(), Err(RowTypeError::Unknown("Foreign")));
    assert_eq!(client.rows::<wrong::Score>(), Err(RowTypeError::Differs("Score")));
    assert_eq!(client.query::<(Score, Foreign)>(), Err(RowTypeError::Unknown("Foreign")));
    assert!(client.events::<Foreign>().is_err());
    assert_eq!(client.module(), &description());
    assert_eq!(client.tick_length(), Duration::from_millis(50));
    assert_eq!(&client.identity().0[..4], b"ann\0");
    assert!(host.sessions().contains(&client.session()));
}

#[tokio::test]
async fn changes_and_events_are_streamed() {
    let host = start();
    let client = join(&host, "ann").await;
    let other = join(&host, "bob").await;
    soon(client.call(Spawn {})).await.unwrap();
    let mut changes = client.changes();
    let mut said = client.events::<Said>().unwrap();
    assert!(matches!((changes.try_next(), said.try_next()), (Ok(None), Ok(None))));

    let entity = soon(other.call(Spawn {})).await.unwrap();
    let frame = soon(changes.next()).await.unwrap();
    let inserted = Change::Inserted { entity, row: Score { value: 0 } };
    assert_eq!(frame.of::<Score>().unwrap().collect::<Vec<_>>(), [inserted]);
    assert_eq!(frame.of::<Title>().unwrap().count(), 0);
    assert!(frame.of::<Foreign>().is_err());

    soon(other.call(Increment { entity })).await.unwrap();
    let frame = soon(changes.next()).await.unwrap();
    let updated = Change::Updated { entity, old: Score { value: 0 }, row: Score { value: 1 } };
    assert_eq!((frame.len(), frame.of::<Score>().unwrap().collect::<Vec<_>>()), (1, vec![updated]));

    for text in ["hello", "there"] {
        soon(other.call(Say { text: text.to_owned() })).await.unwrap();
    }
    assert_eq!(soon(said.next()).await.unwrap().text, "hello");
    assert_eq!(soon(said.next()).await.unwrap().text, "there");

    soon(client.call(Look { on: true })).await.unwrap();
    soon(client.call(Look { on: false })).await.unwrap();
    let mut secrets = Vec::new();
    while secrets.len() < 2 {
        secrets.extend(soon(changes.next()).await.unwrap().of::<Secret>().unwrap());
    }
    let (entity, row) = (EntityId(1000), Secret { value: 42 });
    assert_eq!(
        secrets,
        [Change::Inserted { entity, row: row.clone() }, Change::Removed { entity, old: row }]
    );
}

#[tokio::test]
async fn a_slow_reader_of_a_stream_is_told_what_it_missed() {
    let host = start();
    let options = ConnectOptions { stream_frames_max: 2, ..ConnectOptions::new("ann") };
    let client = soon(Client::over(host.loopback(), options)).await.unwrap();
    soon(client.call(Spawn {})).await.unwrap();
    let mut said = client.events::<Said>().unwrap();
    for number in 0..10 {
        soon(client.call(Say { text: number.to_string() })).await.unwrap();
    }
    assert_eq!(soon(said.next()).await, Err(StreamError::Lagged(8)));
    assert_eq!(soon(said.next()).await.unwrap().text, "8");
    client.close().await;
    assert_eq!(soon(said.next()).await.unwrap().text, "9", "what came before the end is given before it");
    assert_eq!(soon(said.next()).await, Err(StreamError::Disconnected(Disconnected::ByClient)));
}

#[tokio::test]
async fn callbacks_are_called_until_they_are_dropped() {
    let host = start();
    let client = join(&host, "ann").await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let log = Arc::clone(&log);
        move |entity: EntityId| log.lock().unwrap().push((what, entity.0))
    };
    let (inserted, updated, removed, secret) =
        (note("insert"), note("update"), note("remove"), note("secret"));
    let _insert = client.on_insert::<Score>(move |entity, _| inserted(entity)).unwrap();
    let update = client.on_update::<Score>(move |entity, old, new| {
        assert_eq!(old.value + 1, new.value);
        updated(entity);
    });
    let _remove = client.on_remove::<Secret>(move |entity, _| removed(entity)).unwrap();
    let _secret = client.on_insert::<Secret>(move |entity, _| secret(entity)).unwrap();
    let heard = Arc::clone(&log);
    let _said =
        client.on_event::<Said>(move |said| heard.lock().unwrap().push(("said", said.text.len() as u64)));
    assert!(client.on_insert::<Foreign>(|_, _| {}).is_err());

    let entity = soon(client.call(Spawn {})).await.unwrap();
    log.lock().unwrap().retain(|(_, entity)| *entity != 1); // which may have come before the callbacks
    soon(client.call(Increment { entity })).await.unwrap();
    drop(update);
    soon(client.call(Increment { entity })).await.unwrap();
    soon(client.call(Say { text: "four".to_owned() })).await.unwrap();
    soon(client.call(Look { on: true })).await.unwrap();
    soon(client.call(Look { on: false })).await.unwrap();
    let expected = [("insert", 2), ("update", 2), ("said", 4), ("secret", 1000), ("remove", 1000)];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_client_that_knows_the_module_is_not_sent_it() {
    let host = start();
    let described = join(&host, "ann").await;
    soon(described.call(Spawn {})).await.unwrap();
    let options = ConnectOptions { module: Some(description()), ..ConnectOptions::new("bob") };
    let knowing = soon(Client::over(host.loopback(), options)).await.unwrap();
    soon(knowing.call(Spawn {})).await.unwrap();
    let saved = described.statistics().bytes_in.saturating_sub(knowing.statistics().bytes_in);
    assert!(saved > 200, "{saved}");

    let mut other = description();
    other.reducers.clear();
    let options = ConnectOptions { module: Some(other), ..ConnectOptions::new("cid") };
    let outdated = soon(Client::over(host.loopback(), options)).await.unwrap();
    assert_eq!(outdated.module(), &description(), "the server's description counts");
    soon(outdated.call(Spawn {})).await.unwrap();
}

#[tokio::test]
async fn time_and_traffic_are_counted() {
    let host = start();
    let client = join(&host, "ann").await;
    soon(client.call(Spawn {})).await.unwrap();
    let round_trip = soon(client.ping()).await.unwrap();
    let statistics = client.statistics();
    assert!(round_trip < PATIENCE && statistics.round_trip < PATIENCE);
    assert_eq!(statistics.tick_cost, Duration::from_micros(123));
    assert_eq!(statistics.time, Timestamp(statistics.tick as i64 * 50_000));
    assert!(statistics.frames >= 1 && statistics.changes >= 2 && statistics.bytes_in > 0, "{statistics:?}");
    assert!(statistics.messages_in > statistics.frames, "the Welcome and a Pong");
}

#[tokio::test]
async fn closing_is_heard_on_both_sides() {
    let host = start();
    let client = join(&host, "ann").await;
    soon(client.call(Spawn {})).await.unwrap();
    assert_eq!(client.disconnected(), None);
    host.pause(true);
    let unanswered = tokio::spawn({
        let client = client.clone();
        async move { client.call(Spawn {}).await }
    });
    host.until("the call is on its way", |host| host.metrics().calls_forwarded == 2).await;
    soon(client.close()).await;
    let disconnected = CallError::Disconnected(Disconnected::ByClient);
    assert_eq!(soon(unanswered).await.unwrap(), Err(disconnected.clone()));
    assert_eq!(client.disconnected(), Some(Disconnected::ByClient));
    assert_eq!(soon(client.call(Spawn {})).await, Err(disconnected));
    host.pause(false);
    host.until("the host heard of it", |host| host.sessions().is_empty()).await;
    assert_eq!(host.metrics().closes[CloseCode::Normal as usize], 1);

    let dropped = join(&host, "bob").await;
    soon(dropped.call(Spawn {})).await.unwrap();
    drop(dropped);
    host.until("the host heard of that too", |host| host.sessions().is_empty()).await;
    assert_eq!(host.metrics().closes[CloseCode::Normal as usize], 2);
}

#[tokio::test]
async fn the_servers_end_has_its_reason() {
    let host = Arc::new(start());
    let client = join(&host, "ann").await;
    let mut changes = client.changes();
    let stopping = tokio::task::spawn_blocking({
        let host = Arc::clone(&host);
        move || host.shutdown(PATIENCE)
    });
    let Disconnected::ByServer(close) = soon(client.closed()).await else { panic!() };
    assert_eq!(close.code, CloseCode::Shutdown);
    assert!(client.disconnected().unwrap().to_string().contains("the server stops"));
    let end = async {
        loop {
            if let Err(error) = changes.next().await {
                break error;
            }
        }
    };
    assert_eq!(soon(end).await, StreamError::Disconnected(Disconnected::ByServer(close)));
    assert_eq!(soon(stopping).await.unwrap(), 0);
}

#[tokio::test]
async fn no_session_has_a_reason_too() {
    let host = start();
    let error = soon(Client::over(host.loopback(), ConnectOptions::new("nobody"))).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Refused(Disconnected::ByServer(close)) if close.code == CloseCode::Unauthorized)
    );
    assert!(error.to_string().contains("there is no such account"), "{error}");

    let error = soon(Client::connect("localhost:80", ConnectOptions::default())).await.unwrap_err();
    assert!(error.to_string().contains("write ws://host:port"), "{error}");
    let nobody = Listener::bind("127.0.0.1:0", ListenerOptions::default()).unwrap().url();
    let error = soon(Client::connect(&nobody, ConnectOptions::default())).await.unwrap_err();
    assert!(error.to_string().contains("is the server running?"), "{error}");

    let (_silent, client) = loopback(&Limits::SERVER, &Limits::CLIENT);
    let options = ConnectOptions { hello_time_max: Duration::from_millis(20), ..ConnectOptions::default() };
    let error = soon(Client::over(Box::new(client), options)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(_)), "{error}");
}

/// A server that says what it is told to, after the client's Hello.
async fn scripted(messages: &[&[u8]]) -> Result<Client, ConnectError> {
    let (mut server, client) = loopback(&Limits::SERVER, &Limits::CLIENT);
    let connecting = Client::over(Box::new(client), ConnectOptions::default());
    let serving = async {
        server.recv().await.unwrap();
        messages.iter().for_each(|message| server.send(Lane::World, &[message.to_vec().into()]));
        server.flush().await.unwrap();
    };
    let (client, ()) = soon(async { tokio::join!(connecting, serving) }).await;
    // The server's end must outlive what the client does next.
    std::mem::forget(server);
    client
}

fn welcome(protocol: u8, json: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let welcome = Welcome {
        protocol,
        resumed: false,
        session: SessionId(1),
        secret: SessionSecret::default(),
        identity: Identity::NONE,
        tick: 0,
        tick_us: 50_000,
        time: Timestamp(0),
        schema: description().hash(),
        calls: 0,
        bytes_per_second: 0,
        description: json,
    };
    ServerMessage::Welcome(welcome).encode(&mut bytes);
    bytes
}

#[tokio::test]
async fn a_server_that_makes_no_sense_is_an_error() {
    let json = description().to_json();
    let good = welcome(PROTOCOL_VERSION, Some(&json));
    for bad_start in [&[0x99][..], b"", &welcome(9, Some(&json)), &welcome(PROTOCOL_VERSION, None), &[0x04]] {
        let error = scripted(&[bad_start]).await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused(Disconnected::Protocol(_))), "{error}");
    }
    let error = scripted(&[&welcome(PROTOCOL_VERSION, Some(b"{}"))]).await.unwrap_err();
    assert!(matches!(error, ConnectError::Description(_)), "{error}");

    // A frame that is cut off, one that changes a topic that was never entered, a second Welcome, garbage.
    let changes = [&[0x82, 1, 1][..], &[0; 8], &[0, 0, 1, 4, 5, 0, 0, 0, 0, 0, 0]].concat();
    for bad_frame in [&[0x82, 1][..], &changes, &good, b"garbage"] {
        let client = scripted(&[&good, bad_frame]).await.unwrap();
        let why = soon(client.closed()).await;
        assert!(matches!(why, Disconnected::Protocol(_)), "{why}");
    }
}

#[tokio::test]
async fn a_panic_in_a_callback_ends_the_session_and_hangs_nobody() {
    let limits = SessionLimits { resume_time: Duration::from_millis(20), ..SessionLimits::default() };
    let host = Host::start(&GatewayConfig { limits, ..GatewayConfig::default() }, Vec::new());
    let client = join(&host, "ann").await;
    soon(client.call(Spawn {})).await.unwrap();
    let _subscription = client.on_event::<Said>(|_| panic!("on purpose")).unwrap();
    let error = soon(client.call(Say { text: "boo".to_owned() })).await.unwrap_err();
    assert!(matches!(error, CallError::Disconnected(Disconnected::Lost(_))), "{error}");
    host.until("the host heard of it", |host| host.sessions().is_empty()).await;
}

#[tokio::test]
async fn over_sockets_with_and_without_tls() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = Some(tls_server(&chain, &key));
    let listeners = [ListenerOptions::default(), ListenerOptions { tls, ..ListenerOptions::default() }];
    let listeners: Vec<_> =
        listeners.into_iter().map(|options| Listener::bind("127.0.0.1:0", options).unwrap()).collect();
    let urls: Vec<_> = listeners.iter().map(Listener::url).collect();
    let host = Host::start(&GatewayConfig { shards: 2, ..GatewayConfig::default() }, listeners);
    for url in &urls {
        let roots = tls::client_from_pem(chain.as_bytes()).unwrap();
        let transport = ClientOptions { tls: Some(roots), ..ClientOptions::default() };
        let options = ConnectOptions { transport, ..ConnectOptions::new("ann") };
        let client = soon(Client::connect(url, options)).await.unwrap();
        let entity = soon(client.call(Spawn {})).await.unwrap();
        soon(client.call(Increment { entity })).await.unwrap();
        assert_eq!(client.get::<Score>(entity), Ok(Some(Score { value: 1 })));
        soon(client.ping()).await.unwrap();
        soon(client.close()).await;
    }
    host.until("both are gone", |host| host.metrics().connections_open == 0).await;
    assert_eq!(host.metrics().closes[CloseCode::Normal as usize], 2);
}

#[tokio::test]
async fn quic_is_found_and_used_by_itself_or_named() {
    let quic = Listener::bind_quic("127.0.0.1:0", QuicOptions::default()).unwrap();
    let discovery = Discovery { quic: quic.quic_offer().cloned().into_iter().collect() };
    let websocket =
        Listener::bind("127.0.0.1:0", ListenerOptions { discovery, ..Default::default() }).unwrap();
    let urls = [websocket.url(), quic.url()];
    let host = Host::start(&GatewayConfig { shards: 2, ..GatewayConfig::default() }, vec![quic]);
    // Nobody is let in by the WebSocket.
    let mut acceptor = websocket.into_acceptor().unwrap();
    let answering = tokio::spawn(async move {
        loop {
            if let Ok(incoming) = acceptor.accept().await {
                assert!(incoming.upgrade().await.is_err(), "a WebSocket was opened");
            }
        }
    });
    for url in &urls {
        let client = soon(Client::connect(url, ConnectOptions::new("ann"))).await.unwrap();
        let entity = soon(client.call(Spawn {})).await.unwrap();
        assert_eq!(client.get::<Score>(entity), Ok(Some(Score { value: 0 })));
        soon(client.close()).await;
    }
    assert!(!answering.is_finished());
    host.until("both are gone", |host| host.metrics().connections_open == 0).await;
    assert_eq!(host.metrics().closes[CloseCode::Normal as usize], 2);
}

fn tls_server(chain: &str, key: &str) -> Arc<tls::ServerConfig> {
    tls::server_from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
}
