//! Values and quantizers, for implementations to agree on.

use std::f64::consts::{PI, TAU};

use evertick_schema::WireDef;

/// Whether lanes are f64, the quantizer, and values.
pub fn all() -> Vec<(bool, WireDef, Vec<f64>)> {
    let wire = |step, bits, wrap| WireDef { step, bits, wrap };
    let odd =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::from(f32::MIN_POSITIVE), 1e300, -1e300];
    // A fixed sequence without a pattern, from -1 to 1.
    let noise = |scale: f64| {
        (0..40u64).map(move |n| {
            let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0) * scale
        })
    };
    let values = |scale: f64, more: &[f64]| -> Vec<f64> {
        odd.into_iter().chain(noise(scale)).chain(more.iter().copied()).collect()
    };
    let narrow = |values: Vec<f64>| values.into_iter().map(|value| f64::from(value as f32)).collect();
    let edges = [
        2_147_483_647.0,
        2_147_483_646.5,
        2_147_483_647.5,
        -2_147_483_648.0,
        -2_147_483_648.5,
        -2_147_483_648.6,
    ];
    vec![
        (false, wire(0.02, None, None), narrow(values(2_000.0, &[0.01, -0.01, 0.03, 63.99, 64.0, -64.01]))),
        (false, wire(1.0 / 64.0, None, None), narrow(values(100_000.0, &[0.0078125, -0.0078125, 0.0234375]))),
        (true, wire(1.0, None, None), values(5e9, &edges)),
        (true, wire(0.001, None, None), values(1e6, &[0.0005, -0.0005, 0.0015])),
        (
            false,
            wire(0.5, Some(8), None),
            narrow(values(100.0, &[63.5, 63.74, 63.75, 64.0, -64.0, -64.25, -64.26])),
        ),
        (false, wire(1.0, Some(1), None), narrow(values(2.0, &[-1.5, -1.0, -0.5, 0.49, 0.5]))),
        (true, wire(1.0, Some(32), None), values(5e9, &edges)),
        (
            false,
            wire(TAU / 256.0, None, Some(TAU)),
            narrow(values(20.0, &[PI, -PI, TAU, -TAU, PI / 2.0, 6.270_9])),
        ),
        (true, wire(1.0, None, Some(360.0)), values(1e5, &[359.5, 359.49, -0.5, -0.51, 360.0, 720.5])),
        (true, wire(0.7, None, Some(5.0)), values(50.0, &[5.0, 2.5, -2.5])),
        (true, wire(1.0, None, Some(1.2)), values(5.0, &[])),
    ]
}
