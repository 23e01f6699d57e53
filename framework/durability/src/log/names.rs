//! What the files are called.

/// A segment that is ready to become part of the log.
pub(crate) const SPARE: &str = "spare";
/// A spare segment that is being filled.
pub(crate) const SPARE_UNFINISHED: &str = "spare.tmp";
/// What unfinished files end with. They are removed at the next start.
pub(crate) const UNFINISHED: &str = ".tmp";

/// The name of a segment.
pub(crate) fn segment(index: u64) -> String {
    format!("log-{index:010}")
}

/// The number of the segment that a file is.
pub(crate) fn segment_index(name: &str) -> Option<u64> {
    number(name, "log-", 10)
}

/// The name of a snapshot.
pub(crate) fn snapshot(seq: u64) -> String {
    format!("snapshot-{seq:020}")
}

/// The record at which the snapshot that a file is was begun.
pub(crate) fn snapshot_seq(name: &str) -> Option<u64> {
    number(name, "snapshot-", 20)
}

fn number(name: &str, prefix: &str, digits: usize) -> Option<u64> {
    let text = name.strip_prefix(prefix)?;
    if text.len() < digits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The name under which a file is kept that a repair has cut away. `taken` tells which names there are.
pub(crate) fn cut(name: &str, taken: impl Fn(&str) -> bool) -> String {
    (1..)
        .map(|n| if n == 1 { format!("{name}.cut") } else { format!("{name}.{n}.cut") })
        .find(|name| !taken(name))
        .expect("a name is free")
}

/// Whether a file was being made when its writer ended.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name == SPARE_UNFINISHED
        || name
            .strip_suffix(UNFINISHED)
            .is_some_and(|name| segment_index(name).is_some() || snapshot_seq(name).is_some())
}
