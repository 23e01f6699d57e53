//! The island: heights and biomes, the same for the same seed wherever they are computed.

use evertick_module::prelude::*;

use crate::creatures;
use crate::gathering;
use crate::movement::Position;

/// The edge of a chunk in metres: that of a cell, so that a chunk comes and goes with its cell.
pub const CHUNK_METERS: f32 = 64.0;
/// Chunks along one edge of the world.
pub const WORLD_CHUNKS: i32 = 16;
/// The edge of the world in metres.
pub const WORLD_METERS: f32 = CHUNK_METERS * WORLD_CHUNKS as f32;
/// Samples along one edge of a chunk.
pub const SAMPLES: u32 = 16;
/// Heights below this are under water.
pub const SEA_LEVEL: f32 = 0.32;

/// What the world is: one row.
#[resource(visible = everyone)]
pub struct WorldInfo {
    pub seed: u64,
    /// Edge in metres.
    pub size: f32,
    /// Height (0 to 1) of the sea.
    pub sea_level: f32,
}

/// The ground of one square of the world: `size` × `size` samples, row by row.
#[component(visible = near)]
pub struct Chunk {
    pub x: i32,
    pub y: i32,
    /// Samples along an edge.
    pub size: u32,
    /// 0 is the deepest sea, 255 the highest peak.
    pub heights: Vec<u8>,
    /// [`Biome`] numbers.
    pub biomes: Vec<u8>,
}

/// What grows somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Biome {
    Water = 0,
    Beach = 1,
    Meadow = 2,
    Forest = 3,
    Rock = 4,
    Snow = 5,
}

/// The ground under every point of the world, computed from the seed.
#[derive(Clone, Copy, Debug)]
pub struct Terrain {
    seed: u64,
}

impl Terrain {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// What [`Self::new`] was given.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Height from 0 to 1. The world's edge is sea.
    pub fn height(&self, at: Vec2) -> f32 {
        let hills = fractal(self.seed, at / 180.0, 5);
        let from_center = (at - Vec2::splat(WORLD_METERS / 2.0)).length() / (WORLD_METERS / 2.0);
        let falloff = (1.25 - from_center * from_center * 1.35).clamp(0.0, 1.0);
        (hills * falloff + 0.12 * falloff).clamp(0.0, 1.0)
    }

    pub fn biome(&self, at: Vec2) -> Biome {
        let height = self.height(at);
        let moisture = fractal(self.seed ^ 0x5eed, at / 240.0, 3);
        match height {
            h if h < SEA_LEVEL => Biome::Water,
            h if h < SEA_LEVEL + 0.035 => Biome::Beach,
            h if h > 0.78 => Biome::Snow,
            h if h > 0.66 => Biome::Rock,
            _ if moisture > 0.52 => Biome::Forest,
            _ => Biome::Meadow,
        }
    }

    /// Whether one can stand there.
    pub fn is_land(&self, at: Vec2) -> bool {
        in_world(at) && self.height(at) >= SEA_LEVEL
    }

    /// Whether one can walk straight from `from` to `to` with dry feet. Cost: a sample every 2 m.
    pub fn is_walkable(&self, from: Vec2, to: Vec2) -> bool {
        let steps = (from.distance(to) / 2.0).ceil().max(1.0) as u32;
        (1..=steps).all(|step| self.is_land(from.lerp(to, step as f32 / steps as f32)))
    }

    /// A place on land near the middle of the world: the first that a spiral meets.
    pub fn shore(&self) -> Vec2 {
        let center = Vec2::splat(WORLD_METERS / 2.0);
        (0..4096)
            .map(|step| {
                let (angle, radius) =
                    (step as f32 * 0.618 * std::f32::consts::TAU, (step as f32).sqrt() * 6.0);
                center + Vec2::from_angle(angle) * radius
            })
            .find(|at| matches!(self.biome(*at), Biome::Meadow | Biome::Beach))
            .unwrap_or(center)
    }
}

/// Whether a point is within the world's edges.
pub fn in_world(at: Vec2) -> bool {
    at.is_finite() && at.cmpge(Vec2::ZERO).all() && at.cmple(Vec2::splat(WORLD_METERS)).all()
}

/// Makes the world.
#[reducer(init)]
fn generate(ctx: &mut Ctx) -> Result<(), NoRefusal> {
    let seed = ctx.rng().u64();
    ctx.set_resource(WorldInfo { seed, size: WORLD_METERS, sea_level: SEA_LEVEL });
    let terrain = Terrain::new(seed);
    for y in 0..WORLD_CHUNKS {
        for x in 0..WORLD_CHUNKS {
            let corner = Vec2::new(x as f32, y as f32) * CHUNK_METERS;
            let chunk = sample_chunk(&terrain, x, y, corner);
            ctx.spawn((chunk, Position { at: corner + CHUNK_METERS / 2.0 }));
            gathering::scatter(ctx, &terrain, corner);
            creatures::scatter(ctx, &terrain, corner);
        }
    }
    gathering::define(ctx);
    Ok(())
}

fn sample_chunk(terrain: &Terrain, x: i32, y: i32, corner: Vec2) -> Chunk {
    let count = (SAMPLES * SAMPLES) as usize;
    let (mut heights, mut biomes) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for row in 0..SAMPLES {
        for column in 0..SAMPLES {
            let at = corner + (Vec2::new(column as f32, row as f32) + 0.5) * (CHUNK_METERS / SAMPLES as f32);
            heights.push((terrain.height(at) * 255.0) as u8);
            biomes.push(terrain.biome(at) as u8);
        }
    }
    Chunk { x, y, size: SAMPLES, heights, biomes }
}

/// The terrain of the world that `ctx` is in.
pub fn terrain(ctx: &Ctx) -> Terrain {
    Terrain::new(ctx.resource::<WorldInfo>().map_or(0, |info| info.seed))
}

/// Value noise in octaves, from 0 to 1.
fn fractal(seed: u64, at: Vec2, octaves: u32) -> f32 {
    let (mut sum, mut weight, mut total, mut at) = (0.0, 1.0, 0.0, at);
    for octave in 0..octaves {
        sum += weight * noise(seed.wrapping_add(u64::from(octave)), at);
        total += weight;
        weight *= 0.5;
        at = at * 2.03 + 17.0;
    }
    sum / total
}

fn noise(seed: u64, at: Vec2) -> f32 {
    let corner = at.floor();
    let (x, y) = (corner.x as i32, corner.y as i32);
    let part = at - corner;
    let smooth = part * part * (Vec2::splat(3.0) - 2.0 * part);
    let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
    let top = mix(lattice(seed, x, y), lattice(seed, x + 1, y), smooth.x);
    let bottom = mix(lattice(seed, x, y + 1), lattice(seed, x + 1, y + 1), smooth.x);
    mix(top, bottom, smooth.y)
}

fn lattice(seed: u64, x: i32, y: i32) -> f32 {
    (hash(seed, x, y) >> 40) as f32 / (1u64 << 24) as f32
}

/// A number that depends on a grid point and nothing else: SplitMix64's finisher.
pub fn hash(seed: u64, x: i32, y: i32) -> u64 {
    let mut z = seed ^ (u64::from(x as u32) << 32 | u64::from(y as u32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub const PLUGIN: Plugin = plugin! {
    rows: [WorldInfo, Chunk],
    reducers: [generate],
    systems: [],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_island() {
        let (one, two, other) = (Terrain::new(7), Terrain::new(7), Terrain::new(8));
        let points = || (0..200).map(|i| Vec2::new((i * 37 % 1024) as f32, (i * 91 % 1024) as f32));
        assert!(points().all(|at| one.height(at) == two.height(at)));
        assert!(points().any(|at| one.height(at) != other.height(at)));
    }

    #[test]
    fn the_edge_is_sea_and_the_shore_is_land() {
        for seed in 0..20 {
            let terrain = Terrain::new(seed);
            assert!(terrain.is_land(terrain.shore()), "seed {seed}");
            assert!(!terrain.is_land(Vec2::new(1.0, 1.0)));
            assert!(!terrain.is_land(Vec2::new(f32::NAN, 1.0)));
            assert!(!terrain.is_walkable(terrain.shore(), Vec2::new(1.0, 1.0)));
        }
    }
}
