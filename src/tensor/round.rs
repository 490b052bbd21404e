//! Rounds float32 to float16.

use half::f16;
use half::slice::HalfFloatSliceExt;

/// The number of elements that are rounded at once, with the processor's own instruction if it has one.
const RUN: usize = 1024;

/// The largest number of float16. A constant, so that the compiler clamps several elements at once.
const LARGEST: f32 = f16::MAX.to_f32_const();

/// Rounds little-endian float32 elements to the nearest float16. Writes them to the first half of `bytes`, and returns this
/// half. Finite numbers outside the range of float16 become its largest or smallest number.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "each run of elements is inside of `bytes`, before and after"
)]
pub(super) fn round_to_float16(bytes: &mut [u8]) -> &[u8] {
    let mut wide = [0.0_f32; RUN];
    let mut narrow = [f16::ZERO; RUN];
    let count = bytes.len() / 4;
    for first in (0..count).step_by(RUN) {
        let run = RUN.min(count - first);
        let (elements, _) = bytes[first * 4..][..run * 4].as_chunks();
        for (wide, &element) in wide.iter_mut().zip(elements) {
            let value = f32::from_le_bytes(element);
            *wide = if value.is_finite() { value.clamp(-LARGEST, LARGEST) } else { value };
        }
        narrow[..run].convert_from_f32_slice(&wide[..run]);
        // The output never overtakes the input.
        let (elements, _) = bytes[first * 2..][..run * 2].as_chunks_mut();
        for (element, narrow) in elements.iter_mut().zip(&narrow) {
            *element = narrow.to_le_bytes();
        }
    }
    &bytes[..count * 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(values: &[f32]) -> Vec<f16> {
        let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        round_to_float16(&mut bytes)
            .as_chunks()
            .0
            .iter()
            .map(|&element| f16::from_le_bytes(element))
            .collect()
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_clamped() {
        let values = [0.1, -2.0, 1.0 + 0.75 / 1024.0, 70000.0, -1e30, 1e-9, f32::INFINITY, f32::NAN];
        let found = rounded(&values);
        assert_eq!(found[..3], [0.1, -2.0, 1.0 + 1.0 / 1024.0].map(f16::from_f64));
        assert_eq!(found[3..7], [f16::MAX, f16::MIN, f16::ZERO, f16::INFINITY]);
        assert!(found[7].is_nan());
    }

    #[test]
    fn more_elements_than_a_run_keep_their_order() {
        let values: Vec<f32> = (0..2 * RUN + 77).map(|number| (number % 2000) as f32).collect();
        assert_eq!(rounded(&values), values.iter().map(|&value| f16::from_f32(value)).collect::<Vec<_>>());
    }
}
