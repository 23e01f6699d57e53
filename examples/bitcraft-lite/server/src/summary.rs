//! The counters that the demo judges the world by.

use evertick::ServerSnapshot;
use serde_json::{Value, json};

/// The summary's JSON.
pub(crate) fn of(snapshot: &ServerSnapshot) -> Value {
    let ServerSnapshot { host, gateway } = snapshot;
    json!({
        "ticks": host.ticks,
        "ticks_late": host.ticks_late,
        "ticks_dropped": host.ticks_dropped,
        "tick_ms_p50": host.tick_ms_p50,
        "tick_ms_p99": host.tick_ms_p99,
        "tick_ms_max": host.tick_ms_max,
        "calls_ok": host.calls_ok,
        "calls_refused": host.calls_refused,
        "calls_failed": host.calls_failed,
        "faults": host.faults,
        "commands_skipped": host.commands_skipped,
        "timers": host.timers,
        "commits": host.commits,
        "frames": host.frames,
        "log_records": host.storage.log_records,
        "log_bytes": host.storage.log_bytes,
        "syncs": host.storage.syncs,
        "sync_ms_p50": host.storage.sync_ms_p50,
        "sync_ms_p99": host.storage.sync_ms_p99,
        "disk_bytes": host.storage.disk_bytes,
        "sessions_opened": gateway.sessions_opened,
        "bytes_out": gateway.bytes_out,
        "bytes_in": gateway.bytes_in,
        "frames_lost": gateway.frames_lost,
    })
}
