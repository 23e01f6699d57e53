//! The handle of a session.

use std::sync::Arc;
use std::time::Duration;

use evertick_protocol::CallOutcome;
use evertick_schema::{
    Call, EntityId, Field, Identity, ModuleDescription, Refusal, Row, RowReader, SessionId,
};
use evertick_transport::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::callbacks::Subscription;
use crate::connect;
use crate::error::{CallError, ConnectError, Disconnected, RowTypeError};
use crate::link::Command;
use crate::options::ConnectOptions;
use crate::rows::{RowSet, View};
use crate::shared::Shared;
use crate::statistics::Statistics;
use crate::streams::{Change, ChangeStream, EventStream};

/// A session with a server. Clones are handles of the same session; when the last is dropped, it ends.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

impl Client {
    /// Connects to `ws://host:port`, `wss://host:port` or `quic://host:port` and opens a session. With the first two it goes by
    /// QUIC if the server offers it and it can be reached, and by a WebSocket otherwise, unless
    /// [`ConnectOptions::websocket_only`]. Spawns a task on the current tokio runtime.
    pub async fn connect(url: &str, options: ConnectOptions) -> Result<Self, ConnectError> {
        let connection = if options.websocket_only {
            evertick_transport::connect(url, &options.transport).await?
        } else {
            evertick_transport::connect_best(url, &options.transport).await?
        };
        Self::over(connection, options).await
    }

    /// Opens a session over a connection that is there already, such as a loopback.
    pub async fn over(
        connection: Box<dyn Connection>,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let (shared, commands) = connect::open(connection, options).await?;
        Ok(Self { shared, commands })
    }

    /// The session's number.
    pub fn session(&self) -> SessionId {
        self.shared.session
    }

    /// Who the server takes this client for.
    pub fn identity(&self) -> Identity {
        self.shared.identity
    }

    /// The description of the server's module.
    pub fn module(&self) -> &ModuleDescription {
        &self.shared.types.module
    }

    /// The length of a server tick.
    pub fn tick_length(&self) -> Duration {
        Duration::from_micros(self.shared.tick_us.into())
    }

    /// Calls a reducer and waits for its result, whose effects the replica then has. Calls run in the order in which their futures
    /// are first polled. A future that is dropped does not take its call back.
    pub async fn call<C: Call>(&self, call: C) -> Result<C::Output, CallError<C::Refusal>> {
        let reducer = self.shared.types.reducer(C::NAME).ok_or(CallError::UnknownReducer(C::NAME))?;
        let mut args = Vec::new();
        call.encode(&mut args);
        match self.call_raw(reducer, args).await.map_err(CallError::Disconnected)? {
            CallOutcome::Ok(row) => C::Output::read(&RowReader::new(&row), 0).map_err(CallError::BadResult),
            CallOutcome::Refused { variant, message, fields } => {
                Err(match C::Refusal::decode(variant, &fields) {
                    Some(Ok(refusal)) => CallError::Refused { refusal, message },
                    Some(Err(error)) => CallError::BadResult(error),
                    None => CallError::UnknownRefusal { variant, message },
                })
            }
            CallOutcome::Failed { code, message, id } => Err(CallError::Failed { code, message, id }),
        }
    }

    /// Calls reducer number `reducer` of [`Client::module`] with arguments as row bytes, for callers that know types only at run time.
    pub async fn call_raw(&self, reducer: u32, args: Vec<u8>) -> Result<CallOutcome, Disconnected> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Call { reducer, args, answer }, answered).await
    }

    /// The round trip to the server and back, measured now.
    pub async fn ping(&self) -> Result<Duration, Disconnected> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Ping { answer }, answered).await
    }

    async fn ask<T>(&self, command: Command, answered: oneshot::Receiver<T>) -> Result<T, Disconnected> {
        if self.commands.send(command).await.is_ok()
            && let Ok(answer) = answered.await
        {
            return Ok(answer);
        }
        Err(self.closed().await)
    }

    /// Reads the replica: what `read` sees belongs to one moment. Frames wait meanwhile, so keep it short, and do not
    /// call other reading methods within.
    pub fn view<R>(&self, read: impl FnOnce(View<'_>) -> R) -> R {
        self.shared.read(read)
    }

    /// The row of type `T` of `entity`, if this client sees it.
    pub fn get<T: Row>(&self, entity: EntityId) -> Result<Option<T>, RowTypeError> {
        self.view(|view| view.get(entity))
    }

    /// All rows of type `T` that this client sees, in no particular order.
    pub fn rows<T: Row>(&self) -> Result<Vec<(EntityId, T)>, RowTypeError> {
        self.view(|view| Ok(view.rows::<T>()?.collect()))
    }

    /// The one row of a resource, if it has one and this client sees it.
    pub fn resource<T: Row>(&self) -> Result<Option<T>, RowTypeError> {
        self.view(|view| Ok(view.rows::<T>()?.next().map(|(_, row)| row)))
    }

    /// The entities that have all row types of the tuple `Q`, with their rows; see [`View::query`].
    pub fn query<Q: RowSet>(&self) -> Result<Vec<(EntityId, Q)>, RowTypeError> {
        self.view(|view| Ok(view.query::<Q>()?.collect()))
    }

    /// What frames change from now on.
    pub fn changes(&self) -> ChangeStream {
        ChangeStream { frames: self.shared.frames.subscribe(), closed: self.shared.closed.subscribe() }
    }

    /// The events of type `T` from now on.
    pub fn events<T: Row>(&self) -> Result<EventStream<T>, RowTypeError> {
        self.shared.types.row::<T>()?;
        Ok(EventStream::new(self.changes()))
    }

    /// Calls `function` for each row of type `T` that comes into view from now on, on the session's task, which waits for it. The replica
    /// shows the whole frame already. A panic in it ends the session.
    pub fn on_insert<T: Row>(
        &self,
        mut function: impl FnMut(EntityId, T) + Send + 'static,
    ) -> Result<Subscription, RowTypeError> {
        self.on_change(move |change| {
            if let Change::Inserted { entity, row } = change {
                function(entity, row);
            }
        })
    }

    /// Calls `function` with the old and the new row for each update of a row of type `T`; see [`Client::on_insert`].
    pub fn on_update<T: Row>(
        &self,
        mut function: impl FnMut(EntityId, T, T) + Send + 'static,
    ) -> Result<Subscription, RowTypeError> {
        self.on_change(move |change| {
            if let Change::Updated { entity, old, row } = change {
                function(entity, old, row);
            }
        })
    }

    /// Calls `function` with the last known row for each row of type `T` that goes out of view; see [`Client::on_insert`].
    pub fn on_remove<T: Row>(
        &self,
        mut function: impl FnMut(EntityId, T) + Send + 'static,
    ) -> Result<Subscription, RowTypeError> {
        self.on_change(move |change| {
            if let Change::Removed { entity, old } = change {
                function(entity, old);
            }
        })
    }

    /// Calls `function` for each change of rows of type `T`; see [`Client::on_insert`].
    pub fn on_change<T: Row>(
        &self,
        mut function: impl FnMut(Change<T>) + Send + 'static,
    ) -> Result<Subscription, RowTypeError> {
        self.shared.types.row::<T>()?;
        let each =
            move |frame: &crate::FrameChanges| frame.of::<T>().into_iter().flatten().for_each(&mut function);
        Ok(self.shared.callbacks.add(Box::new(each)))
    }

    /// Calls `function` for each event of type `T`; see [`Client::on_insert`].
    pub fn on_event<T: Row>(
        &self,
        mut function: impl FnMut(T) + Send + 'static,
    ) -> Result<Subscription, RowTypeError> {
        self.shared.types.row::<T>()?;
        let each = move |frame: &crate::FrameChanges| {
            frame.events::<T>().into_iter().flatten().for_each(&mut function);
        };
        Ok(self.shared.callbacks.add(Box::new(each)))
    }

    /// What the session has counted so far.
    pub fn statistics(&self) -> Statistics {
        self.shared.tally.read()
    }

    /// Why the session is over; `None` while it lasts.
    pub fn disconnected(&self) -> Option<Disconnected> {
        self.shared.closed.borrow().clone()
    }

    /// Waits for the end of the session.
    pub async fn closed(&self) -> Disconnected {
        let mut closed = self.shared.closed.subscribe();
        let why = closed.wait_for(Option::is_some).await;
        why.ok().and_then(|why| why.clone()).unwrap_or(Disconnected::ByClient)
    }

    /// Says goodbye and waits, two seconds at most, for the session to end. Calls that still run are answered with the end.
    pub async fn close(&self) {
        // An error means that it is over already.
        let _over = self.commands.send(Command::Close).await;
        self.closed().await;
    }
}
