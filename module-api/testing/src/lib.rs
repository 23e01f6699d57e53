//! Tests of modules: a [`TestWorld`] runs a module natively, on the real world, in milliseconds, where a debugger
//! can step through it.
//!
//! ```
//! # mod game {
//! #     use evertick_module::prelude::*;
//! #     #[component] pub struct Bag { pub count: u32 }
//! #     #[derive(Debug, PartialEq, Refusal)]
//! #     pub enum TakeRefusal {
//! #         #[refusal("you are not in the world", missing)] NotHere,
//! #         #[refusal("{count} is too much")] TooMuch { count: u32 },
//! #     }
//! #     #[reducer(connect)]
//! #     fn arrive(ctx: &mut Ctx) -> Result<(), NoRefusal> {
//! #         ctx.spawn((Player { identity: ctx.sender() }, Bag { count: 0 }));
//! #         Ok(())
//! #     }
//! #     #[reducer]
//! #     fn take(ctx: &mut Ctx, count: u32) -> Result<u32, TakeRefusal> {
//! #         ensure!(count < 100, TakeRefusal::TooMuch { count });
//! #         let player = ctx.player()?;
//! #         Ok(ctx.update(player, |bag: &mut Bag| { bag.count += count; bag.count })?)
//! #     }
//! #     pub const PLUGIN: Plugin = plugin! { rows: [Bag], reducers: [arrive, take] };
//! #     export_module! { name: "game", plugins: [PLUGIN] }
//! # }
//! # fn main() {
//! use evertick_testing::{CallFailure, TestWorld};
//! use game::{Bag, TakeRefusal, take};
//!
//! let mut world = TestWorld::new(game::module());
//! let alice = world.connect();
//!
//! assert_eq!(world.call(alice, take::call(3)), Ok(3));
//! assert_eq!(world.call(alice, take::call(500)), Err(CallFailure::Refused(TakeRefusal::TooMuch { count: 500 })));
//!
//! let player = world.player(alice).expect("the module spawns one");
//! assert_eq!(world.get(player), Some(Bag { count: 3 }));
//! # }
//! ```
//!
//! Everything but the compiler is as on the server: checks of arguments, roles, transactions, timers, the order of
//! systems. Rate limits and visibility are the host's and not part of it. [`TestWorld::restart`] shows what a crash
//! leaves, and [`TestWorld::upgrade_to`] what another version of the module makes of it.
//! [`Recording`] runs again what happened on a server.

mod failure;
mod guest;
mod host;
mod input;
mod outcome;
mod panics;
mod replay;
mod restart;
mod run;
mod scans;
mod setup;
mod world;

pub use evertick_durability::{Divergence, ReplayError, ReplayReport};
pub use evertick_schema::{Migration, MigrationRefused};
pub use evertick_world::{Fault, Focus};
pub use failure::CallFailure;
pub use guest::NativeGuest;
pub use replay::{Recording, RecordingError};
pub use world::{Settings, TestPlayer, TestWorld};
