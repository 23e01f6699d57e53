//! Whether settings are within their bounds.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use evertick_gateway::{GatewayConfig, SessionLimits};
use evertick_host::{FRAMES_HELD_MAX, HostConfig};
use evertick_transport::ListenerOptions;

use crate::error::{Error, Result};

const MILLION: u64 = 1_000_000;
const KIB: u64 = 1024;
const GIB: u64 = 1 << 30;
const HOUR: Duration = Duration::from_hours(1);

/// Says which setting is out of its bounds, if one is.
pub(crate) fn check(host: &HostConfig, gateway: &GatewayConfig, connection: &ListenerOptions) -> Result<()> {
    let HostConfig { tick, frame_hz, inbox_batches_max, batch_len_max, .. } = *host;
    times("host.tick", tick, Duration::from_millis(1)..=Duration::from_secs(10))?;
    count("host.frame_hz", frame_hz.into(), 1..=1000)?;
    count("host.inbox_batches_max", inbox_batches_max as u64, 1..=MILLION)?;
    count("host.batch_len_max", batch_len_max as u64, 1..=MILLION)?;
    count("host.catch_up_ticks_max", host.catch_up_ticks_max.into(), 1..=1000)?;
    count("host.sessions_max", host.sessions_max as u64, 1..=MILLION)?;

    count("gateway.shards", gateway.shards as u64, 1..=256)?;
    // Frames that were held for the disk may all come at once.
    let frames = FRAMES_HELD_MAX as u64 + 1..=4096;
    count("gateway.frames_waiting_max", gateway.frames_waiting_max as u64, frames)?;
    count("gateway.batch_len_max", gateway.batch_len_max as u64, 1..=MILLION)?;
    count("gateway.arrivals_waiting_max", gateway.arrivals_waiting_max as u64, 1..=MILLION)?;
    count("gateway.parked_sessions_max", gateway.parked_sessions_max as u64, 0..=MILLION)?;
    times("gateway.spread_time", gateway.spread_time, Duration::ZERO..=Duration::from_secs(1))?;
    session(&gateway.limits)?;

    let limits = &connection.limits;
    count("connections.connections_max", connection.connections_max as u64, 1..=MILLION)?;
    count("connections.limits.message_bytes_max", limits.message_bytes_max as u64, KIB..=16 * KIB * KIB)?;
    let handshake = Duration::from_millis(100)..=Duration::from_mins(5);
    times("connections.limits.handshake_time_max", limits.handshake_time_max, handshake)?;
    let silence = limits.keep_alive.interval.saturating_mul(limits.keep_alive.silent_intervals_max);
    times("connections.limits.keep_alive", silence, Duration::from_secs(1)..=Duration::from_mins(10))
}

fn session(limits: &SessionLimits) -> Result<()> {
    let SessionLimits { bytes_per_second, outgoing_bytes_soft, outgoing_bytes_behind, .. } = *limits;
    let hello = Duration::from_millis(100)..=Duration::from_mins(5);
    times("gateway.limits.hello_time_max", limits.hello_time_max, hello)?;
    count("gateway.limits.calls_per_second", limits.calls_per_second.into(), 1..=MILLION)?;
    count("gateway.limits.calls_burst", limits.calls_burst.into(), 1..=MILLION)?;
    count("gateway.limits.calls_in_flight_max", limits.calls_in_flight_max.into(), 1..=64 * KIB)?;
    count("gateway.limits.pings_per_second", limits.pings_per_second.into(), 1..=MILLION)?;
    count("gateway.limits.inputs_per_second", limits.inputs_per_second.into(), 1..=MILLION)?;
    if bytes_per_second != 0 {
        let name = "gateway.limits.bytes_per_second";
        within(name, u64::from(bytes_per_second), &(2 * KIB..=GIB), ", or 0: no budget")?;
        count("gateway.limits.bytes_burst", limits.bytes_burst.into(), 2 * KIB..=GIB)?;
    }
    count("gateway.limits.outgoing_bytes_max", limits.outgoing_bytes_max as u64, KIB..=GIB)?;
    count("gateway.limits.outgoing_bytes_behind", outgoing_bytes_behind as u64, KIB..=GIB)?;
    let soft = KIB..=outgoing_bytes_behind as u64;
    count("gateway.limits.outgoing_bytes_soft", outgoing_bytes_soft as u64, soft)?;
    count("gateway.limits.outgoing_messages_max", limits.outgoing_messages_max as u64, 8..=MILLION)?;
    times("gateway.limits.resume_time", limits.resume_time, Duration::ZERO..=HOUR)?;
    times("gateway.limits.linger", limits.linger, Duration::ZERO..=Duration::from_mins(1))
}

/// Says so when a number is out of its bounds.
pub(crate) fn count(name: &'static str, value: u64, bounds: RangeInclusive<u64>) -> Result<()> {
    within(name, value, &bounds, "")
}

fn times(name: &'static str, value: Duration, bounds: RangeInclusive<Duration>) -> Result<()> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    Err(Error::Setting { name, value: format!("{value:?}"), bounds: format!("{least:?} to {most:?}") })
}

fn within<T: PartialOrd + Display>(
    name: &'static str,
    value: T,
    bounds: &RangeInclusive<T>,
    or: &str,
) -> Result<()> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let bounds = format!("{} to {}{or}", bounds.start(), bounds.end());
    Err(Error::Setting { name, value: value.to_string(), bounds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Server, ServerBuilder};

    fn refused(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> String {
        let builder = set(Server::builder());
        match builder.check() {
            Err(error @ Error::Setting { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_within_bounds_and_so_are_the_least_and_the_most() {
        Server::builder().check().unwrap();
        let least = Server::builder().bytes_per_second(2048).bytes_burst(2048).resume_time(Duration::ZERO);
        least.outgoing_bytes(1024, 1024, 1024).silence_max(Duration::from_secs(1)).check().unwrap();
        let most = Server::builder().bytes_per_second(1 << 30).resume_time(HOUR).shards(256);
        most.calls_per_second(1_000_000, 1_000_000).inputs_per_second(1_000_000).check().unwrap();
        Server::builder().bytes_per_second(0).bytes_burst(0).spread_time(Duration::ZERO).check().unwrap();
    }

    #[test]
    fn what_is_beyond_is_named_with_its_bounds() {
        let text = refused(|server| server.bytes_per_second(100));
        assert!(text.contains("gateway.limits.bytes_per_second is 100"), "{text}");
        assert!(text.contains("2048 to 1073741824, or 0: no budget"), "{text}");
        let text = refused(|server| server.resume_time(HOUR * 2));
        assert!(text.contains("gateway.limits.resume_time is 7200s: it must be 0ns to 3600s"), "{text}");
        for (name, text) in [
            ("shards", refused(|server| server.shards(0))),
            ("calls_burst", refused(|server| server.calls_per_second(10, 0))),
            ("inputs_per_second", refused(|server| server.inputs_per_second(u32::MAX))),
            ("bytes_burst", refused(|server| server.bytes_burst(1))),
            ("outgoing_bytes_soft", refused(|server| server.outgoing_bytes(9000, 8000, 10_000))),
            ("message_bytes_max", refused(|server| server.message_bytes_max(usize::MAX))),
            ("keep_alive", refused(|server| server.silence_max(Duration::ZERO))),
            ("connections_max", refused(|server| server.connections_max(0))),
            ("sessions_max", refused(|server| server.sessions_max(0))),
            ("parked_sessions_max", refused(|server| server.parked_sessions_max(usize::MAX))),
            ("spread_time", refused(|server| server.spread_time(Duration::from_secs(2)))),
            ("unvalidated_handshakes_max", refused(|server| server.unvalidated_handshakes_max(1 << 20))),
            ("tick", refused(|server| server.tick(Duration::ZERO))),
        ] {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
}
