//! What the files are called.

/// A segment that is ready to become part of the log.
pub(crate) const SPARE: &str = "spare";
/// A spare segment that is being filled.
pub(crate) const SPARE_UNFINISHED: &str = "spare.tmp";
/// What unfinished files end with. They are removed at the next start.
pub(crate) const UNFINISHED: &str = ".tmp";
/// What files end with that a repair has put aside.
pub(crate) const CUT: &str = ".cut";
/// The file that a process holds locked while a directory is its own.
pub(crate) const LOCK: &str = "lock";

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

/// The number behind `prefix`; none when it is not written as we write it, so that one number has one name.
fn number(name: &str, prefix: &str, digits: usize) -> Option<u64> {
    let text = name.strip_prefix(prefix)?;
    let is_ours = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == digits || (text.len() > digits && !text.starts_with('0')));
    if is_ours { text.parse().ok() } else { None }
}

/// Whether a file was being made when its writer ended.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let of_ours = |name| segment_index(name).is_some() || snapshot_seq(name).is_some();
    name == SPARE_UNFINISHED || name.strip_suffix(UNFINISHED).is_some_and(of_ours)
}

/// The name under which a repair puts a file aside. `is_taken` tells which names there are already.
pub(crate) fn cut(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut aside = format!("{name}{CUT}");
    let mut number = 1;
    while is_taken(&aside) {
        number += 1;
        aside = format!("{name}.{number}{CUT}");
    }
    aside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_both_ways() {
        for number in [0, 1, 9_999_999_999, 10_000_000_000, u64::MAX] {
            assert_eq!(segment_index(&segment(number)), Some(number));
            assert_eq!(snapshot_seq(&snapshot(number)), Some(number));
        }
        for other in
            ["log-1", "log-00000000001", "log-000000000x", "log-0000000001.tmp", "log-0000000001.cut"]
        {
            assert_eq!(segment_index(other), None, "{other}");
        }
        assert!(is_unfinished("log-0000000001.tmp") && is_unfinished(SPARE_UNFINISHED));
        assert!(is_unfinished("snapshot-00000000000000000001.tmp"));
        assert!(!is_unfinished("log-0000000001") && !is_unfinished("notes.tmp") && !is_unfinished(SPARE));
    }

    #[test]
    fn names_of_what_is_put_aside_are_free() {
        assert_eq!(cut("log-0000000001", |_| false), "log-0000000001.cut");
        assert_eq!(cut("log-0000000001", |name| name == "log-0000000001.cut"), "log-0000000001.2.cut");
    }
}
