//! What a replica holds, and whether what it reports is what changed.

use std::collections::BTreeMap;

use evertick_protocol::{ChangeKind, Changes, Replica};
use evertick_schema::EntityId;

/// Rows by type and entity.
pub type Rows = BTreeMap<(u32, EntityId), Vec<u8>>;

/// All that a replica holds.
pub fn contents(replica: &Replica) -> Rows {
    let types = 0..replica.schema().rows().len() as u32;
    types
        .flat_map(|row| replica.rows(row).map(move |(entity, bytes)| ((row, entity), bytes.to_vec())))
        .collect()
}

/// The old contents and the reported changes give the new contents.
pub fn check_report(old: &Rows, new: &Rows, changes: &Changes) {
    let mut told = old.clone();
    for change in changes.iter() {
        let key = (change.row, change.entity);
        assert_eq!(change.old, told.get(&key).map(Vec::as_slice));
        match change.kind {
            ChangeKind::Removed => drop(told.remove(&key)),
            kind => {
                assert_eq!(kind == ChangeKind::Inserted, change.old.is_none());
                assert_ne!(change.old, Some(new[&key].as_slice()), "nothing changed");
                told.insert(key, new[&key].clone());
            }
        }
    }
    assert_eq!(told, *new);
}
