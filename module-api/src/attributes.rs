//! The macros, with what they mean.

/// Makes a struct a component: a row type keyed by entity. An entity has any number of components of different
/// types; rows of one type are a column.
///
/// | argument | |
/// | --- | --- |
/// | `visible = nobody` | only the server's logic; the default |
/// | `visible = owner` | the identity of the entity's [`Owner`](crate::Owner) row |
/// | `visible = owner(field)` | the identity in that field |
/// | `visible = near` | sessions whose focus is near the entity |
/// | `visible = group(field)` | sessions that joined the group of that number |
/// | `visible = everyone` | everyone who is connected |
/// | `spatial` | places the entity in space: by its first `Vec2` or `Vec3` (x and z count), and a `space: u32` if it has one |
/// | `spatial(at = field, space = field)` | the same, by these fields |
/// | `latest`, `ordered` | whether changes travel on the latest lane, where only the newest values matter and what is lost is not sent again; by default those of `spatial` components do |
/// | `detail` | of what is `near`: only sessions whose focus is close get it, within half the radius |
/// | `on_demand` | rows go only to sessions that ask for them by a query |
/// | `durable` | a change is on the disk before clients are shown it; the default |
/// | `checkpoint`, `checkpoint = "5s"` | inserts and removals are stored as if durable; updates every 5 seconds, or as often as it says |
/// | `transient` | rows live in memory only, and are gone after a restart |
/// | `was = "Old"` | the row type's former name, also as `#[was("Old")]` below the attribute |
/// | `module = "name"` | another module's component of this name and these fields |
///
/// Fields take `#[index]`, `#[index(ordered)]`, `#[index(dense)]` and `#[unique]` (see [`Index`](crate::Index)), and floats
/// `#[wire(step = 0.01, bits = 16, wrap = 6.28)]`: clients are sent multiples of `step`, in so many bits, and a `wrap`ping
/// value modulo its period (given `wrap` alone, the period that the bits fill).
///
/// When a server starts on rows that another version of the module stored, `#[was("old")]` on a field says what it was
/// called in them, and `#[default(expression)]` what it is in those from before there was the field; `#[default]` alone
/// is the type's own default.
///
/// The struct becomes `repr(C)` and gets `Clone`, `Debug` and `PartialEq` unless it derives them. When all its fields are of
/// fixed size it may have no padding: the compiler's error names the order of fields that has none.
///
/// ```
/// # use evertick_module::prelude::*;
/// #[component(visible = near, spatial)]
/// pub struct Position {
///     #[wire(step = 0.01)]
///     pub at: Vec2,
/// }
///
/// #[component(visible = group(guild), was = "Guildmate")]
/// pub struct Member {
///     #[index]
///     pub guild: u32,
///     #[was("level")]
///     pub rank: u32,
///     #[default(100)]
///     pub honor: u32,
/// }
///
/// #[component(checkpoint = "10s")]
/// pub struct Mood {
///     pub joy: f32,
/// }
/// # fn main() {}
/// ```
pub use evertick_module_macros::component;

/// Makes a struct a table: a row type keyed by the field `key = field`, which has a unique index. Each row is an entity
/// with that one component, so all that works on components works on it too.
///
/// It takes `visible`, `latest`, `ordered`, `on_demand`, the storage classes, `was` and `module` as [`#[component]`](macro@crate::component) does; nothing in
/// a table is `near`, and its `owner` is named by a field.
///
/// ```
/// # use evertick_module::prelude::*;
/// #[table(visible = everyone, key = kind)]
/// pub struct ItemDef {
///     pub kind: u32,
///     pub weight: f32,
///     pub name: String,
/// }
/// # fn main() {}
/// ```
pub use evertick_module_macros::table;

/// Makes a struct a resource: a row type with one row. It takes `visible`, `latest`, `ordered`, the storage classes, `was` and `module` as
/// [`#[component]`](macro@crate::component) does.
///
/// ```
/// # use evertick_module::prelude::*;
/// #[resource(visible = everyone)]
/// pub struct Weather {
///     pub rain: f32,
/// }
/// # fn main() {}
/// ```
pub use evertick_module_macros::resource;

/// Makes a struct an event: a row that is sent, when the transaction is committed, and never stored.
///
/// `to` says to whom: `near`, `everyone`, `group(field)`, or `owner(field)` with an identity, or an entity whose owner is
/// meant. What goes to those near happens at the field `at = field`, an entity or a point; without it, at the first such field.
///
/// ```
/// # use evertick_module::prelude::*;
/// #[event(to = near)]
/// pub struct Gathered {
///     pub by: EntityId,
///     pub node: EntityId,
/// }
/// # fn main() {}
/// ```
pub use evertick_module_macros::event;

/// Makes a function a reducer: a transaction. Its first parameter is `ctx: &mut Ctx`, the others are the caller's arguments,
/// and it returns `Result<Output, Refusal>`. When it refuses or panics, nothing of it remains.
///
/// | argument | |
/// | --- | --- |
/// | `input` | runs at the tick that a client means it for, at most once a session and tick, before timers and systems; a client sends it by `input`, not by `call`; its arguments have a fixed size and it returns `()` |
/// | `init` | runs once, when the world is made |
/// | `connect` | runs when a session opens; a refusal turns it away |
/// | `disconnect` | runs when a session has closed |
/// | `upgrade` | runs once, after stored rows of another version of the module were brought to this one's shape |
/// | `private` | only timers and other reducers may call it |
/// | `role = Admin` | the caller must have this role |
/// | `rate = "5/s"` | how often a session may call it, with bursts up to that many: calls per time, as in `"10/2min"` |
///
/// Beside the function there is a module of the same name: `name::call(arguments)` is the call as a value, for
/// [`Ctx::after`](crate::Ctx::after), [`Ctx::detached`](crate::Ctx::detached), clients and tests.
///
/// ```
/// # use evertick_module::prelude::*;
/// # #[component] pub struct Door { pub open: u32 }
/// # #[derive(Debug, Refusal)] pub enum DoorRefusal { #[refusal("there is no door", missing)] NoDoor }
/// #[reducer]
/// fn open(ctx: &mut Ctx, door: EntityId) -> Result<(), DoorRefusal> {
///     ctx.update(door, |door: &mut Door| door.open = 1)?;
///     ctx.after(10.seconds(), close::call(door));
///     Ok(())
/// }
///
/// #[reducer(private)]
/// fn close(ctx: &mut Ctx, door: EntityId) -> Result<(), DoorRefusal> {
///     ctx.update(door, |door: &mut Door| door.open = 0)?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
pub use evertick_module_macros::reducer;

/// Makes a function a prediction: `fn(row: &mut Row, .., seconds: f32)`, with arguments of the reducer `input = name` by their
/// names. Clients run it at once for their own inputs, and again from each newer row that the server sends; a server's
/// system that calls it too does the same with the same numbers.
///
/// It changes the row and does nothing else: there is no [`Ctx`](crate::Ctx), and in a browser whatever would need the server
/// traps, random numbers and the log included. The row is a component of fixed size.
///
/// ```
/// # use evertick_module::prelude::*;
/// # #[component(visible = near, spatial)] pub struct Body { pub at: Vec2 }
/// # #[component] pub struct Steering { pub toward: Vec2 }
/// # #[derive(Debug, Refusal)] pub enum SteerRefusal { #[refusal("you are not in the world", missing)] NotHere }
/// #[reducer(input)]
/// fn steer(ctx: &mut Ctx, toward: Vec2) -> Result<(), SteerRefusal> {
///     let player = ctx.player()?;
///     ctx.set(player, Steering { toward });
///     Ok(())
/// }
///
/// #[predict(input = steer)]
/// pub fn walk(body: &mut Body, toward: Vec2, seconds: f32) {
///     body.at += toward.clamp_length_max(1.0) * 4.0 * seconds;
/// }
///
/// #[system]
/// fn travel(now: Now, mut walkers: Query<(&mut Body, &Steering)>) {
///     let seconds = now.delta().as_secs_f32();
///     walkers.for_each(|(body, steering)| walk(body, steering.toward, seconds));
/// }
///
/// pub const PLUGIN: Plugin =
///     plugin! { rows: [Body, Steering], reducers: [steer], systems: [travel], predictions: [walk] };
/// # fn main() {}
/// ```
pub use evertick_module_macros::predict;

/// Makes a function a system: code that sweeps columns. Its parameters say what it reads and writes; they are written
/// without lifetimes.
///
/// | argument | |
/// | --- | --- |
/// | `every = "1s"` | the time between two runs: a whole number of us, ms, s, min or h; without it, every tick |
/// | `before = other`, `before = [one, two]` | those run after it; `"module.system"` names another module's |
/// | `after = other` | those run before it |
///
/// Nothing that a system does is visible before its run is over, and nothing remains of a run that panics.
pub use evertick_module_macros::system;

/// Makes an enum the refusal of reducers: each variant with `#[refusal("words for the player")]`, which may name the
/// variant's fields as `format!` does.
///
/// One variant without fields may stand for a [`Missing`](crate::Missing) row: `#[refusal("..", missing)]`; one for a
/// [`Duplicate`](crate::Duplicate): `#[refusal("..", duplicate)]`. `?` turns these errors into them.
///
/// ```
/// # use evertick_module::prelude::*;
/// #[derive(Debug, PartialEq, Refusal)]
/// pub enum BuyRefusal {
///     #[refusal("that is sold already", missing)]
///     Gone,
///     #[refusal("you are {short} gold short")]
///     TooPoor { short: u64 },
/// }
///
/// assert_eq!(BuyRefusal::TooPoor { short: 3 }.to_string(), "you are 3 gold short");
/// ```
pub use evertick_module_macros::Refusal;

/// Makes a type one that may stand in rows, arguments and results: a C-like enum with `#[repr(u8)]` (or `u16`, `u32`),
/// or a struct of fields of fixed size with `#[repr(C)]`, whose fields take `#[wire]`, `#[was]` and `#[default]` as those
/// of a [component](macro@crate::component) do. (Beside a derived `Default` there can be no `#[default]`, which the standard
/// library claims; write that `impl` by hand.)
///
/// ```
/// # use evertick_module::prelude::*;
/// #[derive(Clone, Copy, Debug, PartialEq, Field)]
/// #[repr(u8)]
/// pub enum Mood { Calm, Angry }
///
/// #[derive(Clone, Copy, Debug, PartialEq, Field)]
/// #[repr(C)]
/// pub struct Stack { pub item: u32, pub count: u32 }
///
/// #[component(visible = owner)]
/// pub struct Bag { pub stacks: [Stack; 16] }
/// # fn main() {}
/// ```
pub use evertick_module_macros::Field;

/// Lists what one file adds to its module, as a [`Plugin`](crate::Plugin): `rows`, `reducers`, `systems` and `predictions`, each a
/// list of names. What is not listed is "never used", says the compiler.
pub use evertick_module_macros::plugin;

/// Puts plugins together to a module: `export_module! { name: "game", plugins: [gather::PLUGIN, movement::PLUGIN] }`, once,
/// in the crate's root. The module's name is an identifier.
///
/// It makes `pub fn module() -> Module`, for tests, clients and code generators, and in WebAssembly the exports of the ABI.
pub use evertick_module_macros::export_module;
