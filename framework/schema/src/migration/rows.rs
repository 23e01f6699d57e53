//! Planning one row type.

use super::convert::Fields;
use super::fields::{self, Notes};
use crate::description::{IndexDef, RowDef, RowKind, StorageClass};

/// Plans the way from rows of `old` to rows of `new`. `None` when they stay as they are, or when it is impossible,
/// which is noted.
pub(super) fn plan(old: &RowDef, new: &RowDef, notes: &mut Notes) -> Option<Fields> {
    let place = &new.name;
    if old.name != new.name {
        notes.change(format!("~ {place}: was called {}", old.name));
    }
    if kind(old) != kind(new) {
        notes.problem(format!("{place}: was a {} and is a {}", kind(old), kind(new)));
        return None;
    }
    let fields = fields::plan(place, &old.fields, &new.fields, notes);
    let sources = fields::sources(&old.fields, &new.fields);
    if let (RowKind::Table { key: old_key }, RowKind::Table { key }) = (old.kind, new.kind)
        && sources[usize::from(key)] != Some(usize::from(old_key))
    {
        notes.problem(format!(
            "{place}: was a table by {} and is one by {}",
            old.fields[usize::from(old_key)].name,
            new.fields[usize::from(key)].name
        ));
    }
    in_memory(old, new, &sources, notes);
    fields.filter(|fields| !fields.is_same())
}

const fn kind(row: &RowDef) -> &'static str {
    match row.kind {
        RowKind::Component => "component",
        RowKind::Table { .. } => "table",
        RowKind::Resource => "resource",
        RowKind::Event => "event",
    }
}

/// Notes what changes without touching a row.
fn in_memory(old: &RowDef, new: &RowDef, sources: &[Option<usize>], notes: &mut Notes) {
    let place = &new.name;
    if old.storage != new.storage {
        let dropped = if new.storage.is_stored() { "" } else { ": rows are no longer stored" };
        let (was, is) = (class(old.storage), class(new.storage));
        notes.change(format!("~ {place}: {is}, was {was}{dropped}"));
    }
    // Numbers of fields may be others now; what they stand for is compared.
    let source = |field: u16| sources.get(usize::from(field)).copied().flatten();
    let before =
        |index: &IndexDef| old.indexes.iter().find(|old| source(index.field) == Some(old.field.into()));
    for index in &new.indexes {
        let name = format!("{place}.{}", new.fields[usize::from(index.field)].name);
        let unique = if index.unique { "unique " } else { "" };
        match before(index) {
            Some(old) if (old.kind, old.unique) == (index.kind, index.unique) => {}
            Some(_) => notes.change(format!("~ {name}: the index is now {unique}{:?}", index.kind)),
            None => notes.change(format!("~ {name}: gets a {unique}{:?} index", index.kind)),
        }
    }
    for index in &old.indexes {
        let stays = new.indexes.iter().any(|new| source(new.field) == Some(index.field.into()));
        let field = usize::from(index.field);
        if !stays && sources.contains(&Some(field)) {
            notes.change(format!("~ {place}: no index on what was {} any more", old.fields[field].name));
        }
    }
    if old.visible != new.visible {
        notes.change(format!("~ {place}: visible to {:?}, was {:?}", new.visible, old.visible));
    }
    if old.spatial.is_some() != new.spatial.is_some() {
        let what = if new.spatial.is_some() { "places" } else { "no longer places" };
        notes.change(format!("~ {place}: {what} its entities in space"));
    }
}

fn class(storage: StorageClass) -> String {
    match storage {
        StorageClass::Durable => "durable".to_owned(),
        StorageClass::Transient => "transient".to_owned(),
        StorageClass::Checkpoint { every_us } => {
            format!("checkpoint every {} s", every_us as f64 / 1e6)
        }
    }
}
