//! The handle of a session.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use evertick_protocol::{CallOutcome, INPUT_BYTES_MAX, ProtocolError};
use evertick_schema::{
    Call, EntityId, Field, Identity, ModuleDescription, Refusal, Row, RowReader, SessionId,
};
use evertick_transport::{Connection, Lane};
use tokio::sync::{mpsc, oneshot};

use crate::callbacks::Subscription;
use crate::connect::{self, Greeting, Way};
use crate::error::{
    CallError, ConnectError, ConnectionState, Disconnected, InputError, PredictError, QueryError,
    RowTypeError,
};
use crate::interpolated::Interpolated;
use crate::link::{COMMANDS_WAITING_MAX, Command, Link};
use crate::options::ConnectOptions;
use crate::predicted::Predicted;
use crate::query::Query;
use crate::query_handle::QueryHandle;
use crate::rows::{RowSet, View};
use crate::shared::Shared;
use crate::statistics::Statistics;
use crate::streams::{Change, ChangeStream, EventStream};
use crate::ticket::Ticket;
use crate::types::ModuleTypes;

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
        let (url, transport, websocket_only) =
            (url.to_owned(), options.transport.clone(), options.websocket_only);
        let dial = move || {
            let (url, transport) = (url.clone(), transport.clone());
            async move {
                Ok(if websocket_only {
                    evertick_transport::connect(&url, &transport).await?
                } else {
                    evertick_transport::connect_best(&url, &transport).await?
                })
            }
        };
        Self::connect_with(dial, options).await
    }

    /// Opens a session over a connection that `dial` makes, which is called again when that is lost; see
    /// [`ConnectOptions::reconnect`].
    pub async fn connect_with<F>(
        dial: impl Fn() -> F + Send + Sync + 'static,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError>
    where
        F: Future<Output = Result<Box<dyn Connection>, ConnectError>> + Send + 'static,
    {
        let way = Way::new(dial, options);
        let (schema, ticket) = (connect::schema(&way.options), way.options.ticket);
        let resume = ticket.map(|ticket| ticket.resume);
        let (connection, greeting) = match Box::pin(way.go(schema, resume)).await {
            Err(error) if connect::is_expired(&error) && resume.is_some() => {
                Box::pin(way.go(schema, None)).await?
            }
            connected => connected?,
        };
        let options = way.options.clone();
        Self::start(connection, greeting, options, Some(way))
    }

    /// Opens a session over a connection that is there already, such as a loopback. It ends with the connection.
    pub async fn over(
        connection: Box<dyn Connection>,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let resume = options.ticket.map(|ticket| ticket.resume);
        let schema = connect::schema(&options);
        let (connection, greeting) = Box::pin(connect::greet(connection, &options, schema, resume)).await?;
        Self::start(connection, greeting, options, None)
    }

    fn start(
        connection: Box<dyn Connection>,
        mut greeting: Greeting,
        options: ConnectOptions,
        way: Option<Arc<Way>>,
    ) -> Result<Self, ConnectError> {
        let unknown =
            || ConnectError::Refused(ProtocolError::Malformed("a Welcome without the description").into());
        let early = std::mem::take(&mut greeting.early);
        let resumed = options.ticket.filter(|_| greeting.resumed);
        let results = resumed.map_or(0, |ticket| ticket.resume.results);
        let module = greeting.module.take().or(options.module.clone()).ok_or_else(unknown)?;
        let shared = Arc::new(Shared::new(ModuleTypes::new(module), &greeting, results, &options)?);
        shared.tally.message(Lane::Control, greeting.bytes);
        shared.tally.clock(greeting.tick, greeting.time);
        let (commands, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
        let (ping, calls) = (options.ping_interval, greeting.calls);
        let link = Link::new(connection, way, Arc::clone(&shared), receiver, ping, calls);
        tokio::spawn(link.run(early));
        Ok(Self { shared, commands })
    }

    /// The session's number. It changes when a new session takes the place of one that was lost.
    pub fn session(&self) -> SessionId {
        self.shared.resume().session
    }

    /// What another client, of this program or a later one, goes on with this session by
    /// ([`ConnectOptions::ticket`]). Take it as late as possible: results of calls that came after it come again.
    pub fn ticket(&self) -> Ticket {
        Ticket { resume: self.shared.resume() }
    }

    /// Whether the client is connected.
    pub fn state(&self) -> ConnectionState {
        self.shared.state.borrow().clone()
    }

    /// Waits until [`Client::state`] is another than `from`, and returns it.
    pub async fn state_changed(&self, from: &ConnectionState) -> ConnectionState {
        let mut state = self.shared.state.subscribe();
        let other = state.wait_for(|state| state != from).await;
        other.map_or(ConnectionState::Closed(Disconnected::ByClient), |state| state.clone())
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
        self.ask(Command::Call { reducer, args, answer }, answered).await?
    }

    /// Does what `call` of a `#[reducer(input)]` says in the coming tick. To be called once per tick, for as long as the player wants
    /// something: it neither waits nor is answered, and may get lost where the network loses much. It goes so early that the server
    /// has it when it makes the tick, and again with the next ones. Predictions by it are brought forward at once.
    ///
    /// Returns the tick; `None` when the input was skipped, because the coming ticks have theirs or there is no connection.
    pub fn input<C: Call + 'static>(&self, call: C) -> Result<Option<u64>, InputError> {
        let reducer = self.shared.types.input::<C>()?;
        let mut args = Vec::new();
        call.encode(&mut args);
        if args.len() > INPUT_BYTES_MAX {
            return Err(InputError::TooLong(args.len()));
        }
        match &*self.shared.state.borrow() {
            ConnectionState::Connected => {}
            ConnectionState::Reconnecting => return Ok(None),
            ConnectionState::Closed(why) => return Err(InputError::Disconnected(why.clone())),
        }
        let tick = self.shared.timing().input(reducer, args, self.shared.now());
        if let Some(tick) = tick {
            self.shared.watchers(|watcher| watcher.input(reducer, tick, &call));
            self.shared.inputs.notify_one();
        }
        Ok(tick)
    }

    /// Shows at once what inputs of type `C` do to the row of type `T` of `entity`. `step` does to the row what one of them does in a tick of so
    /// many seconds; it is the function that the module has for it (`#[predict]`), and is called again and again for the same input, as
    /// news comes. It may depend on nothing else, and must not use the client: the replica is locked. A panic in it ends the session.
    ///
    /// ```ignore
    /// let body = client.predict(me, |body: &mut Body, input: &steer::Call, seconds| walk(body, input.toward, seconds))?;
    /// client.input(steer::call(toward))?;   // each tick
    /// draw(body.get());                     // each picture
    /// ```
    pub fn predict<T: Row + Send, C: Call + Clone + Send + 'static>(
        &self,
        entity: EntityId,
        step: impl FnMut(&mut T, &C, f32) + Send + 'static,
    ) -> Result<Predicted<T, C>, PredictError> {
        Predicted::new(&self.shared, entity, Box::new(step))
    }

    /// Rows of type `T` as they are to be drawn, between ticks.
    pub fn interpolated<T: Row>(&self) -> Result<Interpolated<T>, RowTypeError> {
        Interpolated::new(&self.shared)
    }

    /// The tick, with its fraction, that [`Interpolated`] rows are drawn at now: so far in the past that the rows around it have
    /// arrived. It runs evenly.
    pub fn render_tick(&self) -> f64 {
        self.shared.timing().render_tick(self.shared.now())
    }

    /// Asks for rows of an `on_demand` type, and waits until the replica has them. They are kept up to date as long as the handle lives.
    /// At most 32 queries at once; what one costs says docs/queries.md.
    pub async fn subscribe<T: Row>(&self, query: Query<T>) -> Result<QueryHandle<T>, QueryError> {
        let row = self.shared.types.row::<T>()?;
        let (handle, explained) = self.ask_query(query.sql()?, row).await?;
        match explained {
            None => Ok(handle),
            Some(_) => Err(QueryError::Explains(handle.text().to_owned())),
        }
    }

    /// How the server would match a query, in words: by a hash, by cells, by ranges or by looking at every change.
    pub async fn explain<T: Row>(&self, query: Query<T>) -> Result<String, QueryError> {
        let row = self.shared.types.row::<T>()?;
        let (handle, explained) = self.ask_query::<T>(format!("EXPLAIN {}", query.sql()?), row).await?;
        explained.ok_or_else(|| QueryError::Refused {
            text: handle.text().to_owned(),
            message: "the server sends rows instead of an explanation".to_owned(),
        })
    }

    async fn ask_query<T: Row>(
        &self,
        text: String,
        row: u32,
    ) -> Result<(QueryHandle<T>, Option<String>), QueryError> {
        let shared = Arc::clone(&self.shared);
        let (asked, answered) = shared.queries.add(text, row, shared.stream_frames_max)?;
        // Ends the query, should nobody wait for the answer any more.
        let handle = QueryHandle { shared, asked, row: PhantomData };
        self.shared.requests.notify_one();
        tokio::select! {
            biased;
            Ok(answer) = answered => match answer {
                Ok(explained) => Ok((handle, explained)),
                Err(message) => Err(QueryError::Refused { text: handle.text().to_owned(), message }),
            },
            why = self.closed() => Err(QueryError::Disconnected(why)),
        }
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
        ChangeStream { frames: self.shared.frames.subscribe(), state: self.shared.state.subscribe() }
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

    /// What the client has counted so far.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.shared.tally.read();
        let timing = self.shared.timing();
        statistics.jitter = timing.jitter();
        statistics.input_lead_ticks = timing.lead().ticks();
        statistics.input_slack_us = timing.lead().slack_us();
        statistics
    }

    /// Why the session is over; `None` while it lasts, or may yet.
    pub fn disconnected(&self) -> Option<Disconnected> {
        self.shared.closed()
    }

    /// Waits for the end of the session.
    pub async fn closed(&self) -> Disconnected {
        let mut state = self.shared.state.subscribe();
        let over = state.wait_for(ConnectionState::is_closed).await;
        over.ok().and_then(|state| state.closed().cloned()).unwrap_or(Disconnected::ByClient)
    }

    /// Says goodbye and waits, two seconds at most, for the session to end. Calls that still run are answered with the end.
    pub async fn close(&self) {
        // An error means that it is over already.
        let _over = self.commands.send(Command::Close).await;
        self.closed().await;
    }
}
