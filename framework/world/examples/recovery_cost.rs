//! What recovery and snapshots cost, of so many entities with a place of 12 bytes and a body of 16.
//!
//! `cargo run --release -p evertick-world --example recovery_cost [entities]`

use std::time::Instant;

use evertick_schema::{EntityId, FieldDef, IndexDef, IndexKind, RowDef, RowKind, SpatialDef, Type};
use evertick_world::{Cause, Config, RowId, World};

/// Rows in a slice of a snapshot.
const SLICE_ROWS: usize = 8192;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse::<u32>())?;
    let mut world = World::new(Config::default());
    let rows = world.register("bench", &defs())?;

    let start = Instant::now();
    let mut restore = world.restore()?;
    for number in 0..count {
        let (mut place, mut body) = ([0; 12], [0; 16]);
        place[..4].copy_from_slice(&(number as f32 % 1021.0).to_le_bytes());
        place[4..8].copy_from_slice(&((number / 1021) as f32).to_le_bytes());
        body[..8].copy_from_slice(&u64::from(number).to_le_bytes());
        restore.put_all(EntityId::new(0, u64::from(number) + 1), &[(rows[0], &place), (rows[1], &body)])?;
    }
    println!("put {count} entities of 2 rows: {:?}", start.elapsed());
    let middle = Instant::now();
    restore.finish()?;
    println!("finish, a unique index and a grid: {:?}; together {:?}", middle.elapsed(), start.elapsed());

    for name in ["in order", "after shuffling tables"] {
        let mut cursor = world.snapshot_cursor();
        let (mut slices, mut bytes, mut chunk) = (Vec::new(), 0, Vec::<u8>::new());
        loop {
            chunk.clear();
            let start = Instant::now();
            let done =
                world.snapshot_slice(&mut cursor, SLICE_ROWS, |_, _, row| chunk.extend_from_slice(row));
            bytes += chunk.len();
            slices.push(start.elapsed());
            if done {
                break;
            }
        }
        slices.sort_unstable();
        let (median, longest) = (slices[slices.len() / 2], slices[slices.len() - 1]);
        println!(
            "slices of {SLICE_ROWS} rows, {name}: {median:?} (median), {longest:?} (longest); {bytes} bytes"
        );
        shuffle(&mut world, rows[2], count)?;
    }
    Ok(())
}

/// Moves entities to another table in an order that has nothing to do with their ids.
fn shuffle(world: &mut World, mark: RowId, count: u32) -> Result<(), Box<dyn std::error::Error>> {
    for number in 0..count {
        let number = u64::from(number) * 7_919 % u64::from(count);
        let mut tx = world.begin(Cause::default());
        tx.set(mark, EntityId::new(0, number + 1), &[])?;
        tx.accept()?;
    }
    world.commit(1, evertick_schema::Timestamp(0));
    Ok(())
}

fn defs() -> [RowDef; 3] {
    let fields = |fields: &[(&str, Type)]| {
        fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect::<Vec<_>>()
    };
    let place = fields(&[("at", Type::Vec2), ("space", Type::U32)]);
    let body = fields(&[("number", Type::U64), ("weight", Type::U64)]);
    [
        RowDef {
            spatial: Some(SpatialDef { at: 0, space: Some(1) }),
            ..RowDef::new("Place", RowKind::Component, place)
        },
        RowDef {
            indexes: vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: true }],
            ..RowDef::new("Body", RowKind::Component, body)
        },
        RowDef::new("Mark", RowKind::Component, Vec::new()),
    ]
}
