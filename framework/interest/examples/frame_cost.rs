//! What a frame costs: every one of so many entities in 256 cells moves, one session sees them all.
//!
//! `cargo run --release -p evertick-interest --example frame_cost [entities]`

use std::time::Instant;

use evertick_interest::{Interest, InterestConfig};
use evertick_schema::{
    FieldDef, Identity, RowDef, RowKind, SessionId, SpatialDef, Timestamp, Type, Visibility, WireDef,
};
use evertick_world::{Cause, Config, Focus, Place, World};

const CELLS: usize = 16;
const ROUNDS: usize = 61;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(10_000), |count| count.parse::<usize>())?;
    let mut world = World::new(Config::default());
    let rows = world.register("bench", &[position()])?;
    let config = InterestConfig { radius_max: 1024.0, ..InterestConfig::default() };
    let mut interest = Interest::new(&world, &rows, config);
    let session = SessionId(1);
    interest.open(session, Identity([1; 32]));

    let side = 64.0 * CELLS as f32;
    let at = |index: usize, round: usize| {
        // Spread evenly, and step by 10 cm.
        let [x, y] = [0.754_877_7, 0.569_840_3].map(|step: f32| (step * index as f32).fract() * side);
        [(x + 0.1 * round as f32) % side, y].map(f32::to_le_bytes).concat()
    };
    let mut tx = world.begin(Cause::default());
    let entities: Vec<_> = (0..count).map(|_| tx.spawn()).collect();
    tx.focus(session, Focus::Point { place: Place { space: 0, at: [side / 2.0; 2] }, radius: 800.0 });
    tx.accept()?;

    let (mut absorbs, mut frames, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let mut tx = world.begin(Cause::default());
        for (index, entity) in entities.iter().enumerate() {
            tx.set(rows[0], *entity, &at(index, round))?;
        }
        tx.accept()?;
        let now = Timestamp(round as i64 * 50_000);
        let delta = world.commit(round as u64, now);
        let start = Instant::now();
        interest.absorb(&world, &delta);
        absorbs.push(start.elapsed());
        let start = Instant::now();
        let frame = interest.frame(&world, now, 0);
        frames.push(start.elapsed());
        bytes = frame.topics.bytes();
    }
    let snapshot = frames.remove(0);
    absorbs.sort_unstable();
    frames.sort_unstable();
    println!("{count} moved entities, {:?}", interest.stats());
    println!("absorb {:?}, frame {:?} (medians)", absorbs[absorbs.len() / 2], frames[frames.len() / 2]);
    println!("first frame, of snapshots: {snapshot:?}; {:.2} bytes per move", bytes as f64 / count as f64);
    Ok(())
}

fn position() -> RowDef {
    let mut at = FieldDef::new("at", Type::Vec2);
    at.wire = Some(WireDef { step: 0.01, bits: None, wrap: None });
    RowDef {
        visible: Visibility::Near,
        spatial: Some(SpatialDef { at: 0, space: None }),
        ..RowDef::new("Position", RowKind::Component, vec![at])
    }
}
