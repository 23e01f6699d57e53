//! Waiting for what has to happen.

use std::time::Duration;

/// The longest that anything in these tests may take to happen.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Waits until it is so. Panics when it is not [`SOON`].
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let happens = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, happens).await.expect("what the test waits for has to happen soon");
}
