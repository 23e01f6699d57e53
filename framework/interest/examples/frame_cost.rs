//! What a frame costs: 100,000 entities on 20,000 cells move, and 10,000 sessions look on through some of them. All are spread evenly, and
//! step by 10 cm.
//!
//! `cargo run --release -p evertick-interest --example frame_cost [entities]`

use std::time::{Duration, Instant};

use evertick_interest::{Interest, InterestConfig};
use evertick_schema::{
    FieldDef, Identity, RowDef, RowKind, SessionId, SpatialDef, Timestamp, Type, Visibility, WireDef,
};
use evertick_world::{Cause, Config, Focus, World};

const SIDE: f32 = 9_000.0;
const RADIUS: f32 = 128.0;
/// One session for so many entities.
const ENTITIES_EACH: usize = 10;
const ROUNDS: usize = 61;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse::<usize>())?;
    let mut world = World::new(Config::default());
    let rows = world.register("bench", &[position()])?;
    let mut interest = Interest::new(&world, &rows, InterestConfig::default());

    let at = |index: usize, round: usize| {
        let [x, y] = [0.754_877_666_246_6, 0.569_840_290_998].map(|step: f64| (step * index as f64).fract());
        let [x, y] = [x as f32 * SIDE + 0.1 * round as f32, y as f32 * SIDE];
        [x % SIDE, y].map(f32::to_le_bytes).concat()
    };
    let mut tx = world.begin(Cause::default());
    let entities: Vec<_> = (0..count).map(|_| tx.spawn()).collect();
    for (number, entity) in entities.iter().step_by(ENTITIES_EACH).enumerate() {
        let session = SessionId(number as u64 + 1);
        interest.open(session, Identity::default());
        tx.focus(session, Focus::Entity { entity: *entity, radius: RADIUS });
    }
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
        world.recycle(delta);
    }
    let snapshot = frames.remove(0);
    absorbs.remove(0);
    println!("{count} moved entities, {:?}", interest.stats());
    println!("absorb {:?}, frame {:?} (medians)", median(&mut absorbs), median(&mut frames));
    println!("first frame, of snapshots: {snapshot:?}; {:.2} bytes per move", bytes as f64 / count as f64);
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
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
