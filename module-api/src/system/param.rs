//! The parameters of systems.

use evertick_schema::{Duration, EntityId, ParamDef, Timestamp};

use crate::assemble::Numbers;
use crate::ctx::near;
use crate::rng::Rng;
use crate::rows::Component;
use crate::space::Place;
use crate::sys;
use crate::system::view::View;

/// What may stand in a system's parameter list: [`Query`](crate::Query), [`Table`](crate::Table), [`Res`](crate::Res),
/// [`ResMut`](crate::ResMut), `Option` of these two, [`Commands`](crate::Commands), [`Near`], [`Now`] and [`Rng`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a system's parameter",
    label = "not a system's parameter",
    note = "parameters are `Query<..>`, `Table<T>`, `Res<T>`, `ResMut<T>`, `Commands`, `Near`, `Now` and `Rng`; what a caller gives is for a `#[reducer]`"
)]
pub trait SystemParam<'run>: Sized {
    /// What the host is told of it.
    #[doc(hidden)]
    fn describe(numbers: &Numbers<'_>) -> ParamDef;

    /// Takes it from a run's view, as parameter number `param`.
    #[doc(hidden)]
    fn from_view(view: &'run View<'_>, param: usize) -> Self;
}

/// The time of the run.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    time: Timestamp,
    delta: Duration,
    tick: u64,
}

impl Now {
    /// The time of the tick.
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// The time since the system's last run.
    pub const fn delta(&self) -> Duration {
        self.delta
    }

    /// The number of the tick.
    pub const fn tick(&self) -> u64 {
        self.tick
    }

    /// Whether `time` has come.
    pub fn is_past(&self, time: Timestamp) -> bool {
        self.time >= time
    }

    /// How long ago `time` was; negative when it is yet to come.
    pub const fn since(&self, time: Timestamp) -> Duration {
        self.time.since(time)
    }
}

impl<'run> SystemParam<'run> for Now {
    fn describe(_numbers: &Numbers<'_>) -> ParamDef {
        ParamDef::Now
    }

    fn from_view(view: &'run View<'_>, _param: usize) -> Self {
        Self { time: view.now(), delta: view.delta(), tick: view.tick() }
    }
}

impl<'run> SystemParam<'run> for Rng {
    fn describe(_numbers: &Numbers<'_>) -> ParamDef {
        ParamDef::Rng
    }

    fn from_view(_view: &'run View<'_>, _param: usize) -> Self {
        Self::from_seed(sys::random())
    }
}

/// Asks what is near, by the world's grid, as things stood when the run began.
#[derive(Debug)]
pub struct Near<'run> {
    _view: &'run View<'run>,
}

impl Near<'_> {
    /// The entities within `radius` meters of a point, nearest first.
    pub fn within(&self, place: impl Into<Place>, radius: f32) -> Vec<EntityId> {
        near(place.into(), radius, None)
    }

    /// Those that have a `T`, which another parameter must name.
    pub fn within_with<T: Component>(&self, place: impl Into<Place>, radius: f32) -> Vec<EntityId> {
        near(place.into(), radius, Some(sys::row_number::<T>()))
    }
}

impl<'run> SystemParam<'run> for Near<'run> {
    fn describe(_numbers: &Numbers<'_>) -> ParamDef {
        ParamDef::Near
    }

    fn from_view(view: &'run View<'_>, _param: usize) -> Self {
        Self { _view: view }
    }
}
