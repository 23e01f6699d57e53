//! Scans in pages, as the ABI gives them.

use evertick_schema::EntityId;

/// The scans of one call: each a list of entities, taken when it began.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    lists: Vec<Vec<EntityId>>,
}

impl Scans {
    /// Writes the next rows to `out`. `list` gives the entities when the scan begins, `row` their rows as they are now.
    pub(crate) fn page<'w>(
        &mut self,
        cursor: &mut [u8; 16],
        out: &mut [u8],
        list: impl FnOnce() -> Vec<EntityId>,
        row: impl Fn(EntityId) -> Option<&'w [u8]>,
    ) -> i32 {
        // The number of the scan, counted from 1 as 0 is a new one, and the entities that were given.
        let (number, given) = cursor.split_at_mut(8);
        let mut scan = read(number);
        if scan == 0 {
            self.lists.push(list());
            scan = self.lists.len();
            number.copy_from_slice(&(scan as u64).to_le_bytes());
        }
        let entities = &self.lists[scan - 1];
        let (mut at, mut used, mut rows) = (read(given), 0, 0);
        while let Some(entity) = entities.get(at) {
            if let Some(bytes) = row(*entity) {
                let len = 12 + bytes.len();
                let Some(room) = out.get_mut(used..used + len) else {
                    if rows == 0 {
                        return -(len as i32);
                    }
                    break;
                };
                room[..8].copy_from_slice(&entity.0.to_le_bytes());
                room[8..12].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
                room[12..].copy_from_slice(bytes);
                (used, rows) = (used + len, rows + 1);
            }
            at += 1;
        }
        given.copy_from_slice(&(at as u64).to_le_bytes());
        rows
    }
}

fn read(bytes: &[u8]) -> usize {
    let bytes = bytes.first_chunk().expect("a cursor is two numbers of eight bytes");
    u64::from_le_bytes(*bytes) as usize
}
