//! Bounds of what one session may ask for.

use evertick_schema::Duration;

/// Limits and delays of an [`crate::Interest`].
#[derive(Clone, Debug, PartialEq)]
pub struct InterestConfig {
    /// The largest radius of a focus, in world units; a larger wish is cut to this. Independent of it, a
    /// radius never exceeds [`RADIUS_CELLS_MAX`] cells.
    pub radius_max: f32,
    /// How much of its radius a session sees the details of, from 0 to 1: rows of types that are `detail`.
    pub detail_radius: f32,
    /// The most groups one session may have joined; further joins are ignored and counted.
    pub groups_max: usize,
    /// The most queries of one session at a time; further ones are refused.
    pub queries_max: usize,
    /// What new queries may cost in one frame, in rows looked at to find first results (texts are counted as if
    /// they were some); the rest waits for the next frame. A query is never cut, so a frame may cost one more.
    pub query_rows_per_frame: usize,
    /// How long a freed slot or topic number rests before somebody else gets it.
    pub rest: Duration,
}

/// A focus never reaches further than this many cells, which bounds a view to 35 × 35 cells.
pub const RADIUS_CELLS_MAX: f32 = 16.0;

impl Default for InterestConfig {
    fn default() -> Self {
        Self {
            radius_max: 256.0,
            detail_radius: 0.5,
            groups_max: 64,
            queries_max: 32,
            query_rows_per_frame: 50_000,
            rest: Duration::from_secs(2),
        }
    }
}
