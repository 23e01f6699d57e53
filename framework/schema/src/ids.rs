//! Scalars of the domain: who, what and when.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// Names one entity of a world, for ever: ids are never reused. The top 16 bits are the region that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[repr(transparent)]
pub struct EntityId(pub u64);

impl EntityId {
    /// No entity. Never assigned.
    pub const NONE: Self = Self(0);

    /// The id of the `sequence`th entity (48 bits) of `region`.
    pub const fn new(region: u16, sequence: u64) -> Self {
        Self((region as u64) << 48 | (sequence & ((1 << 48) - 1)))
    }

    /// The region that made this entity.
    pub const fn region(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The entity's number within its region.
    pub const fn sequence(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }

    /// Whether this names an entity at all.
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e:{}:{}", self.region(), self.sequence())
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who somebody is, across sessions: 32 bytes that the server's authentication derives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[repr(transparent)]
pub struct Identity(pub [u8; 32]);

impl Identity {
    /// Nobody: the server itself, in timers and `init`.
    pub const NONE: Self = Self([0; 32]);

    /// Whether this is somebody.
    pub fn is_some(&self) -> bool {
        *self != Self::NONE
    }
}

impl fmt::Display for Identity {
    /// The first eight bytes as hex: enough to tell identities apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One connected client, whatever its transport.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
#[repr(transparent)]
pub struct SessionId(pub u64);

impl SessionId {
    /// No session: a call by a timer or the server.
    pub const NONE: Self = Self(0);
}

/// A moment: microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
#[repr(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time from `earlier` to `self`; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

/// A span of time in microseconds; may be negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
#[repr(transparent)]
pub struct Duration(pub i64);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// A span of whole milliseconds.
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds.saturating_mul(1_000))
    }

    /// A span of microseconds.
    pub const fn from_micros(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// A span of `seconds`, to the microsecond; saturates, and NaN is zero.
    pub fn from_secs_f32(seconds: f32) -> Self {
        Self((f64::from(seconds) * 1e6) as i64)
    }

    /// The span in seconds.
    pub fn as_secs_f32(self) -> f32 {
        (self.0 as f64 / 1e6) as f32
    }

    /// The span in microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl Add for Duration {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
