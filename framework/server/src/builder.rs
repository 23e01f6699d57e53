//! From a builder's calls to running threads.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evertick_durability::{DurabilityConfig, Storage};
use evertick_gateway::{Authenticate, Gateway, GatewayConfig, GatewayHandle, ServerDescription};
use evertick_host::{Host, HostConfig, Release};
use evertick_interest::{Interest, InterestConfig};
use evertick_schema::{ModuleDescription, Timestamp};
use evertick_transport::tls::ServerConfig;
use evertick_transport::{Listener, ListenerOptions};
use evertick_wasm::{CompiledCache, Engine, EngineConfig, GuestLimits, WasmGuest};
use evertick_world::{Config as WorldConfig, Module, Simulation};

use crate::admin::Admin;
use crate::auth::Secrets;
use crate::cache::DirectoryCache;
use crate::check::check;
use crate::error::{Error, Result};
use crate::listeners::Ports;
use crate::metrics::ServerMetrics;
use crate::open::{Home, open};
use crate::running::RunningServer;

/// A game server.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// A server that has nothing yet.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}

/// What a server is made of. Every setting but the module and a listener has a default.
#[must_use = "a builder does nothing until `run` or `start`"]
pub struct ServerBuilder {
    module: Option<(String, Source)>,
    pub(crate) ports: Ports,
    pub(crate) connection: ListenerOptions,
    auth: Arc<dyn Authenticate>,
    cache: Option<PathBuf>,
    engine: EngineConfig,
    guest: GuestLimits,
    world: WorldConfig,
    interest: InterestConfig,
    pub(crate) host: HostConfig,
    pub(crate) gateway: GatewayConfig,
    home: Home,
    durability: DurabilityConfig,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            module: None,
            ports: Ports::default(),
            connection: ListenerOptions::default(),
            auth: Arc::new(Secrets::new()),
            cache: None,
            engine: EngineConfig::default(),
            guest: GuestLimits::default(),
            world: WorldConfig { seed: now().0 as u64, ..WorldConfig::default() },
            interest: InterestConfig::default(),
            host: HostConfig::default(),
            gateway: GatewayConfig::default(),
            home: Home::Memory,
            durability: DurabilityConfig::default(),
        }
    }
}

impl ServerBuilder {
    /// The module to run: its name, which must be that of its `export_module!`, and its `.wasm` file.
    pub fn module(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.module = Some((name.into(), Source::File(path.into())));
        self
    }

    /// The module to run, from its bytes: for a server that carries its module inside, by `include_bytes!`.
    pub fn module_bytes(mut self, name: impl Into<String>, wasm: impl Into<Vec<u8>>) -> Self {
        self.module = Some((name.into(), Source::Bytes(wasm.into())));
        self
    }

    /// Keeps the world in this directory, which is made if there is none, and goes on with what is there. Without it the world
    /// is in memory only. The directory is held locked; the [admin socket](crate#the-admin-socket) is in it.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.home = Home::Directory(path.into());
        self
    }

    /// Keeps the world in a storage of your own instead of a directory. There is no admin socket then.
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.home = Home::Storage(storage);
        self
    }

    /// How the log and the snapshots are written.
    pub fn durability(mut self, config: DurabilityConfig) -> Self {
        self.durability = config;
        self
    }

    /// Listens for WebSocket clients at `host:port`; port 0 lets the system choose. May be called again for more.
    pub fn websocket(mut self, address: impl Into<String>) -> Self {
        self.ports.websocket.push(address.into());
        self
    }

    /// Listens for QUIC clients, and for browsers by WebTransport, at `host:port` (UDP; `[::]:port` is for IPv4 too). Clients that
    /// know the WebSocket's address find it by themselves. Without [`tls`](Self::tls) it has a self-signed certificate, for
    /// development. May be called again: each port and its connections have one of the gateway's threads.
    pub fn quic(mut self, address: impl Into<String>) -> Self {
        self.ports.quic.push(address.into());
        self
    }

    /// Encrypts all listeners. Without it WebSockets are plaintext: for loopback, or behind a proxy that does TLS.
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.ports.tls = Some(config);
        self
    }

    /// Bounds of each connection: message size, handshake time, connections at once.
    pub fn connections(mut self, options: ListenerOptions) -> Self {
        self.connection = options;
        self
    }

    /// Who a token is. The default is [`Secrets`].
    pub fn auth(mut self, auth: impl Authenticate) -> Self {
        self.auth = Arc::new(auth);
        self
    }

    /// Keeps compiled modules in this directory, which nobody else should be able to write: what is in it is
    /// run as native code.
    pub fn compiled_cache(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache = Some(directory.into());
        self
    }

    /// The time between two ticks; 50 ms by default.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.host.tick = tick;
        self
    }

    /// The seed of a new world's random numbers; the clock's by default. A stored world goes on with its own.
    pub fn seed(mut self, seed: u64) -> Self {
        self.world.seed = seed;
        self
    }

    /// The world's bounds, its cells and its seed.
    pub fn world(mut self, config: WorldConfig) -> Self {
        self.world = config;
        self
    }

    /// Who sees how far.
    pub fn interest(mut self, config: InterestConfig) -> Self {
        self.interest = config;
        self
    }

    /// The loop's bounds.
    pub fn host(mut self, config: HostConfig) -> Self {
        self.host = config;
        self
    }

    /// Bounds of sessions and shards.
    pub fn gateway(mut self, config: GatewayConfig) -> Self {
        self.gateway = config;
        self
    }

    /// The WASM engine: how many instances, how much native stack.
    pub fn engine(mut self, config: EngineConfig) -> Self {
        self.engine = config;
        self
    }

    /// Time, memory and output of the module.
    pub fn guest(mut self, limits: GuestLimits) -> Self {
        self.guest = limits;
        self
    }

    /// What the module says about itself, without running it. Needs no listener.
    pub fn describe(&self) -> Result<ModuleDescription> {
        Ok(self.load()?.0)
    }

    /// Starts, and runs until Ctrl-C or SIGTERM; then sees clients off and stops.
    pub async fn run(self) -> Result<()> {
        self.start()?.run_until_signal().await
    }

    /// Loads the module, recovers the world or runs `init`, and starts the threads. Returns when clients can connect. A setting that is out of
    /// its bounds is an [`Error::Setting`] before anything else happens.
    pub fn start(self) -> Result<RunningServer> {
        self.ports.check()?;
        self.check()?;
        let (description, guest) = self.load()?;
        let listeners = self.ports.bind(&self.connection)?;
        let urls = listeners.iter().map(Listener::url).collect();

        let tick_us = u32::try_from(self.host.tick.as_micros()).unwrap_or(u32::MAX);
        let module = Module { description: description.clone(), guest: Box::new(guest) };
        let tick = evertick_schema::Duration::from_micros(i64::from(tick_us));
        let mut simulation = Simulation::new(self.world, tick, vec![module])?;
        let gateway = Arc::new(Mutex::new(None::<GatewayHandle>));
        let release = {
            let (to, behind) = (Arc::clone(&gateway), Arc::clone(&gateway));
            let publish = Box::new(move |frame, audience| {
                if let Ok(gateway) = to.lock()
                    && let Some(gateway) = gateway.as_ref()
                {
                    gateway.publish(&frame, audience);
                }
            });
            let backlog =
                move || behind.lock().map_or(0, |gateway| gateway.as_ref().map_or(0, GatewayHandle::backlog));
            Release::new(publish, Box::new(backlog))
        };
        let opened = open(&self.home, self.durability, &mut simulation, now(), release.on_synced())?;
        let interest = Interest::new(simulation.world(), simulation.rows(0), self.interest);

        let mut gateway_config = self.gateway;
        if let Some((_, opened)) = &opened {
            gateway_config.first_session = gateway_config.first_session.max(opened.next_session);
        }
        let (sender, inbox) = Host::inbox(&self.host);
        let server_description = Arc::new(ServerDescription::new(&description, tick_us));
        let mut host = Host::new(self.host, simulation, interest, &description, inbox, release)?;
        if let Some((journal, opened)) = opened {
            host.keep(journal, opened);
        }
        let metrics = ServerMetrics { host: host.metrics(), gateway: Arc::default() };
        let admin = match &self.home {
            Home::Directory(path) => Admin::start(path, host.control(), metrics.clone())
                .inspect_err(|error| {
                    tracing::warn!(path = %path.display(), %error, "there is no admin socket in the data directory");
                })
                .ok(),
            _ => None,
        };
        let started = Gateway::start(
            &gateway_config,
            listeners,
            self.auth,
            server_description,
            sender,
            Arc::clone(&metrics.gateway),
        )?;
        *gateway.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
        RunningServer::start(urls, host, gateway, metrics, admin)
    }

    /// Whether all settings are within their bounds.
    pub(crate) fn check(&self) -> Result<()> {
        self.ports.check_settings()?;
        check(&self.host, &self.gateway, &self.connection)
    }

    fn load(&self) -> Result<(ModuleDescription, WasmGuest)> {
        let (name, source) = self.module.as_ref().ok_or(Error::NoModule)?;
        let wasm = source.read()?;
        let cache = self
            .cache
            .as_ref()
            .map(|directory| -> Arc<dyn CompiledCache> { Arc::new(DirectoryCache::new(directory.clone())) });
        let engine = Engine::new(self.engine.clone(), cache)?;
        let loaded = engine.load(&wasm, self.guest.clone());
        let (description, guest) =
            loaded.map_err(|error| Error::Load { module: source.to_string(), error })?;
        if description.name != *name {
            let (wanted, found) = (name.clone(), description.name);
            return Err(Error::Name { module: source.to_string(), wanted, found });
        }
        Ok((description, guest))
    }
}

/// Where a module comes from.
enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Source {
    fn read(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::File(path) => match std::fs::read(path) {
                Ok(wasm) => Ok(wasm.into()),
                Err(error) => Err(Error::Read { path: path.clone(), error }),
            },
            Self::Bytes(wasm) => Ok(wasm.into()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Bytes(wasm) => write!(f, "({} bytes given to the builder)", wasm.len()),
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
