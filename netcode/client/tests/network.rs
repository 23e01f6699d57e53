//! The SDK against a real gateway through a bad network.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../gateway/tests/host/mod.rs"]
mod host;

use std::time::Duration;

use evertick_client::{Client, Conditions, ConnectOptions, ConnectionState, Disconnected, InputError};
use evertick_gateway::GatewayConfig;
use host::module::{Increment, Score, Spawn};
use host::{Host, soon};

#[tokio::test]
async fn a_bad_network_makes_it_late_and_nothing_else() {
    let host = Host::start(&GatewayConfig { shards: 2, ..GatewayConfig::default() }, Vec::new());
    let conditions = Conditions {
        latency: Duration::from_millis(5),
        jitter: Duration::from_millis(10),
        loss: 0.05,
        burst: 3.0,
        seed: 7,
        ..Conditions::default()
    };
    let options = ConnectOptions { conditions: Some(conditions), ..ConnectOptions::new("ann") };
    let far = soon(Client::over(host.loopback(), options)).await.unwrap();
    let near = soon(Client::over(host.loopback(), ConnectOptions::new("bob"))).await.unwrap();
    let entity = soon(far.call(Spawn {})).await.unwrap();
    let drawn = far.interpolated::<Score>().unwrap();
    for value in 1..=40 {
        assert_eq!(soon(near.call(Increment { entity })).await.unwrap(), value);
    }
    assert_eq!(soon(far.call(Increment { entity })).await.unwrap(), 41);
    assert_eq!(far.get::<Score>(entity), Ok(Some(Score { value: 41 })));
    assert!(soon(far.ping()).await.unwrap() >= Duration::from_millis(10));
    let statistics = far.statistics();
    assert!(statistics.staleness_p99 >= statistics.staleness_p50, "{statistics:?}");
    assert!(statistics.bytes_out > 0 && statistics.bytes_in_control == statistics.bytes_in, "{statistics:?}");
    // Whole numbers are not mixed, so what is drawn comes to the last of them.
    let in_time = async {
        while drawn.get(entity) != Some(Score { value: 41 }) {
            tokio::time::sleep(Duration::from_millis(2)).await;
            host.shout("time passes");
        }
    };
    soon(in_time).await;
    assert!(matches!(far.input(Spawn {}), Err(InputError::Unknown("Spawn"))));
    assert_eq!(far.ticket().to_string().parse(), Ok(far.ticket()));
    soon(far.close()).await;
    assert_eq!(far.state(), ConnectionState::Closed(Disconnected::ByClient));
}
