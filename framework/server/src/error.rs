//! Why a server does not start.

use std::path::PathBuf;

use thiserror::Error;

/// What a server's `main` returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a server did not start. Each text says what to do.
#[derive(Debug, Error)]
pub enum Error {
    /// No module was given.
    #[error("a server needs a module: call `.module(name, path)` before starting it")]
    NoModule,
    /// Nobody could connect.
    #[error("a server needs a listener: call `.websocket(address)` before starting it")]
    NoListener,
    /// A setting is out of its bounds.
    #[error("the setting {name} is {value}: it must be {bounds}")]
    Setting {
        /// Which one: the layer that it is of, and the field.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be.
        bounds: String,
    },
    /// The module's file could not be read.
    #[error("can't read the module {}: {error}; build it with `cargo build --target wasm32-unknown-unknown` and check the path", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The module calls itself something else.
    #[error(
        "the module {module} calls itself `{found}`, not `{wanted}`: give the name that its `export_module!` has"
    )]
    Name {
        /// Where it came from.
        module: String,
        /// What the builder was told.
        wanted: String,
        /// What the module says.
        found: String,
    },
    /// The WASM engine could not be set up.
    #[error(transparent)]
    Engine(#[from] evertick_wasm::EngineError),
    /// The module can't be loaded.
    #[error("can't load the module {module}: {error}")]
    Load {
        /// Where it came from.
        module: String,
        /// What is wrong with it.
        error: evertick_wasm::LoadError,
    },
    /// The module does not fit the world, or its `init` did not succeed.
    #[error("the module can't run: {0}")]
    Simulation(#[from] evertick_world::SimulationError),
    /// The data directory can't be used at all.
    #[error("can't open the data directory {}: {error}; check its path and who owns it", path.display())]
    DataDir {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The stored world can't be gone on with.
    #[error(transparent)]
    Open(#[from] evertick_durability::OpenError),
    /// The server has ended, and the disk does not have the last changes. Clients were not shown them, but for those who
    /// take unconfirmed frames.
    #[error("the server has stopped, but its disk does not have all: {0}")]
    Unsynced(evertick_durability::LogError),
    /// An address could not be listened on.
    #[error(transparent)]
    Listen(#[from] evertick_transport::ListenError),
    /// The gateway's threads could not be started.
    #[error(transparent)]
    Gateway(#[from] evertick_gateway::GatewayError),
    /// A bug: the thread that owns the world is gone.
    #[error("the world's thread panicked; the log has the place. Please report it")]
    WorldPanicked,
    /// A thread could not be started or the runtime failed.
    #[error("the system refused a thread or a signal handler: {0}")]
    System(#[from] std::io::Error),
}
