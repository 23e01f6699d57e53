//! Floats as multiples of a step.
//!
//! All arithmetic is IEEE f64 in a fixed order of operations, so that every implementation gets the same
//! bits. See `docs/wire.md`.

use evertick_schema::WireDef;

const Q_MIN: f64 = i32::MIN as f64;
const Q_MAX: f64 = i32::MAX as f64;
/// Added to a number that an i32 has room for, it leaves the nearest whole number in the 32 lowest bits.
const TO_WHOLE: f64 = 1.5 * (1u64 << 52) as f64;

/// How one float field travels: see [`WireDef`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantizer {
    step: f64,
    /// Steps of the period; 0 when the value does not wrap.
    period: i32,
    /// What `v / step + 0.5` may be: from this ...
    low: f64,
    /// ... to below this.
    high: f64,
}

impl Quantizer {
    /// The quantizer that `wire` declares; `None` where the field always travels as it is, because a
    /// period has more than 2³¹ steps or the definition is not valid.
    pub fn new(wire: &WireDef) -> Option<Self> {
        if !(wire.step.is_finite() && wire.step > 0.0) {
            return None;
        }
        let Some(wrap) = wire.wrap else {
            let (low, high) = match wire.bits {
                Some(bits @ 1..=31) => {
                    let half = f64::from(1u32 << (bits - 1));
                    (-half, half)
                }
                _ => (Q_MIN, Q_MAX + 1.0),
            };
            return Some(Self { step: wire.step, period: 0, low, high });
        };
        let steps = (wrap / wire.step + 0.5).floor().max(1.0);
        if !(wrap > 0.0 && steps <= Q_MAX) {
            return None;
        }
        Some(Self { step: wrap / steps, period: steps as i32, low: Q_MIN, high: Q_MAX + 1.0 })
    }

    /// The multiple nearest to `value`; `None` when it is not finite or too far out.
    #[inline]
    pub fn quantize(&self, value: f64) -> Option<i64> {
        let (floor, fits) = self.steps(value);
        fits.then(|| self.wrap(floor).into())
    }

    /// Appends the multiples nearest to `values`; returns whether all can be quantized. If not, what is appended is of no use.
    ///
    /// Hot: without a branch for any value, so that the compiler takes several at once.
    #[inline(always)]
    pub(crate) fn quantize_all(&self, values: &[f64], multiples: &mut Vec<i32>) -> bool {
        let (start, mut all_fit) = (multiples.len(), true);
        multiples.extend(values.iter().map(|value| {
            let (floor, fits) = self.steps(*value);
            all_fit &= fits;
            floor
        }));
        if self.period != 0 {
            multiples[start..].iter_mut().for_each(|multiple| *multiple = self.wrap(*multiple));
        }
        all_fit
    }

    /// The steps to the multiple nearest to `value`, and whether that is a number within the bounds; if not, the first is of no use.
    #[inline(always)]
    fn steps(&self, value: f64) -> (i32, bool) {
        let exact = value / self.step + 0.5;
        let fits = exact >= self.low && exact < self.high;
        // floor(), which without SSE4.1 is a function call.
        let whole = exact + TO_WHOLE;
        let nearest = whole.to_bits() as i32;
        (nearest.wrapping_sub(i32::from(whole - TO_WHOLE > exact)), fits)
    }

    #[inline]
    const fn wrap(&self, steps: i32) -> i32 {
        if self.period == 0 { steps } else { steps.rem_euclid(self.period) }
    }

    /// The value that `multiple` stands for, before it is rounded to the field's type.
    #[inline]
    pub fn dequantize(&self, multiple: i64) -> f64 {
        multiple as f64 * self.step
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::f64::consts::{PI, TAU};

    use proptest::prelude::*;

    use super::*;

    fn quantizer(step: f64, bits: Option<u8>, wrap: Option<f64>) -> Quantizer {
        Quantizer::new(&WireDef { step, bits, wrap }).unwrap()
    }

    #[test]
    fn values_go_to_the_nearest_multiple() {
        let cm = quantizer(0.01, None, None);
        for (value, multiple) in [(0.0, 0), (-0.0, 0), (1.0, 100), (-1.0, -100), (0.0149, 1), (-0.0151, -2)] {
            assert_eq!(cm.quantize(value), Some(multiple), "{value}");
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2e9, -2e9] {
            assert_eq!(cm.quantize(value), None, "{value}");
        }
        let unit = quantizer(1.0, None, None);
        assert_eq!(unit.quantize(Q_MIN), Some(i32::MIN.into()));
        assert_eq!(unit.quantize(Q_MAX), Some(i32::MAX.into()));
        assert_eq!(unit.quantize(Q_MAX + 0.5), None);
        assert_eq!(unit.quantize(Q_MIN - 0.5), Some(i32::MIN.into()));
        assert_eq!(unit.quantize(Q_MIN - 0.51), None);
    }

    #[test]
    fn bits_bound_what_is_quantized() {
        let byte = quantizer(0.5, Some(8), None);
        assert_eq!(byte.quantize(63.5), Some(127));
        assert_eq!(byte.quantize(63.74), Some(127));
        assert_eq!(byte.quantize(63.75), None);
        assert_eq!(byte.quantize(-64.25), Some(-128));
        assert_eq!(byte.quantize(-64.3), None);
    }

    #[test]
    fn angles_wrap() {
        let angle = quantizer(TAU / 256.0, None, Some(TAU));
        for (value, multiple) in
            [(0.0, 0), (PI, 128), (-PI, 128), (TAU, 0), (-0.001, 0), (9.0 * TAU + PI / 2.0, 64)]
        {
            assert_eq!(angle.quantize(value), Some(multiple), "{value}");
        }
        assert_eq!(Quantizer::new(&WireDef { step: 1e-10, bits: None, wrap: Some(TAU) }), None);
    }

    proptest! {
        #[test]
        fn many_go_where_each_goes(
            values in prop::collection::vec(prop_oneof![-3e3..3e3, -3e7..3e7, any::<f64>()], 0..40),
            near in prop::collection::vec(-70..70i32, 0..40),
        ) {
            let near = near.iter().map(|half| f64::from(*half) * 0.5 * 0.25);
            let values: Vec<_> = values.into_iter().chain(near).collect();
            for quantizer in [
                quantizer(0.25, None, None),
                quantizer(0.01, Some(16), None),
                quantizer(TAU / 256.0, None, Some(TAU)),
            ] {
                let each: Vec<_> = values.iter().map(|value| quantizer.quantize(*value)).collect();
                for (value, multiple) in values.iter().zip(&each) {
                    let obvious = (value / quantizer.step + 0.5).floor();
                    let period = f64::from(quantizer.period);
                    let obvious = if period == 0.0 { obvious } else { obvious.rem_euclid(period) };
                    prop_assert!(multiple.is_none_or(|multiple| multiple as f64 == obvious), "{value}");
                }
                let mut all = vec![7];
                let fit = quantizer.quantize_all(&values, &mut all);
                prop_assert_eq!(fit, each.iter().all(Option::is_some));
                for (each, all) in each.iter().zip(&all[1..]) {
                    prop_assert!(each.is_none_or(|each| each == i64::from(*all)));
                }
            }
        }
    }

    #[test]
    fn what_was_quantized_once_stays() {
        let step = quantizer(0.02, None, None);
        for multiple in [-100_000, -3, 0, 1, 77, 1_000_000] {
            let value = step.dequantize(multiple) as f32;
            assert_eq!(step.quantize(value.into()), Some(multiple));
        }
    }
}
