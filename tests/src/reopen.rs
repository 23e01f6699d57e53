//! What a server left, opened in the test's own process.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use evertick_durability::{DirectoryStorage, DurabilityConfig, LogConfig};
use evertick_module::Module;
use evertick_schema::{Duration, SessionId, Timestamp};
use evertick_testing::NativeGuest;
use evertick_world::{Config, Simulation};

/// A world as it was recovered.
#[derive(Debug)]
pub struct Reopened {
    /// It, with the module linked natively. Nothing of it has run.
    pub simulation: Simulation,
    /// Sessions that were open when the server ended.
    pub sessions: Vec<SessionId>,
}

/// The settings of the test server: small files, so that there are many segments and snapshots.
pub fn small_files() -> DurabilityConfig {
    DurabilityConfig {
        log: LogConfig {
            segment_bytes: 128 << 10,
            retry_interval: std::time::Duration::from_millis(100),
            ..LogConfig::default()
        },
        snapshot_log_bytes: 256 << 10,
        snapshot_rows_per_slice: 2_000,
        ..DurabilityConfig::default()
    }
}

/// Opens a data directory with `module`, as a server would, and lets go of it as a server does that is killed. Where no server had come as far as
/// making the world, that is done, and what was stored of it is opened.
///
/// # Errors
///
/// Why it can't be opened.
///
/// # Panics
///
/// When the module is none.
pub fn reopen(data: &str, module: Module) -> Result<Reopened, String> {
    let (reopened, fresh) = open(data, &module)?;
    // What `init` has made is there with its transient rows.
    if fresh { open(data, &module).map(|(reopened, _)| reopened) } else { Ok(reopened) }
}

/// The world, and whether it was made just now.
fn open(data: &str, module: &Module) -> Result<(Reopened, bool), String> {
    let guest = NativeGuest::new(module, 0).unwrap_or_else(|problems| panic!("{problems:?}"));
    let description = guest.instance().description().clone();
    let modules = vec![evertick_world::Module { description, guest: Box::new(guest) }];
    let mut simulation = Simulation::new(Config::default(), Duration::from_millis(50), modules)
        .map_err(|error| error.to_string())?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is not 1969");
    let now = Timestamp(since.as_micros() as i64);
    // A server that was killed at once may not have made it.
    let storage = DirectoryStorage::open(data).map_err(|error| error.to_string())?;
    let (journal, opened) = evertick_durability::open(
        Arc::new(storage),
        small_files(),
        &mut simulation,
        now,
        &mut |_| {},
        Box::new(|_| {}),
    )
    .map_err(|error| error.to_string())?;
    drop(journal);
    let sessions = opened.sessions.iter().map(|caller| caller.session).collect();
    Ok((Reopened { simulation, sessions }, opened.fresh))
}
