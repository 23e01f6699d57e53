//! Spans of time, as one says them.

use evertick_schema::Duration;

/// `30.seconds()`: spans of time from whole numbers. They saturate at the longest span, 292,000 years.
///
/// ```
/// use evertick_module::prelude::*;
/// assert_eq!(90.seconds(), 1.minutes() + 30_000.millis());
/// ```
pub trait TimeUnits {
    /// So many milliseconds.
    fn millis(self) -> Duration;
    /// So many seconds.
    fn seconds(self) -> Duration;
    /// So many minutes.
    fn minutes(self) -> Duration;
    /// So many hours.
    fn hours(self) -> Duration;
}

const SECOND_US: i64 = 1_000_000;

fn times(number: i64, unit_us: i64) -> Duration {
    Duration(number.saturating_mul(unit_us))
}

macro_rules! units {
    ($($number:ty),*) => {$(
        impl TimeUnits for $number {
            fn millis(self) -> Duration {
                times(i64::try_from(self).unwrap_or(i64::MAX), SECOND_US / 1000)
            }

            fn seconds(self) -> Duration {
                times(i64::try_from(self).unwrap_or(i64::MAX), SECOND_US)
            }

            fn minutes(self) -> Duration {
                times(i64::try_from(self).unwrap_or(i64::MAX), 60 * SECOND_US)
            }

            fn hours(self) -> Duration {
                times(i64::try_from(self).unwrap_or(i64::MAX), 3600 * SECOND_US)
            }
        }
    )*};
}

units!(u8, i8, u16, i16, u32, i32, u64, i64, usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_saturate() {
        assert_eq!(2.seconds(), Duration(2_000_000));
        assert_eq!(2u64.hours(), 120u8.minutes());
        assert_eq!((-1).millis(), Duration(-1000));
        assert_eq!(u64::MAX.seconds(), Duration(i64::MAX));
    }
}
