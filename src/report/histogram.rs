//! The distribution of a weight's elements, together with their statistics. Each weight is opened once for both.

use rayon::prelude::*;
use serde::Serialize;

use crate::error::Result;
use crate::tensor::{Constant, DType, Elements, Statistics, for_each_number};

/// The bins of a histogram.
const BINS: usize = 32;

/// The numbers of elements in equal parts of a range.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// The start of the range.
    pub low: f64,
    /// The end of the range; the last bin includes it.
    pub high: f64,
    /// The number of elements in each bin.
    pub counts: Vec<u64>,
}

/// The statistics of all constants and the distributions of their finite elements, in the same order.
///
/// # Errors
/// If one cannot be read.
pub fn of_all(constants: &[&Constant]) -> Result<Vec<(Statistics, Option<Histogram>)>> {
    constants.par_iter().with_max_len(1).map(|constant| of(constant)).collect()
}

/// The statistics of a constant and the distribution of its finite elements; `None` if it has none.
///
/// # Errors
/// If it cannot be read.
pub fn of(constant: &Constant) -> Result<(Statistics, Option<Histogram>)> {
    let (dtype, elements) = (constant.dtype(), constant.open()?);
    let statistics = Statistics::of_elements(dtype, &elements)?;
    let histogram = match (statistics.min, statistics.max) {
        // All elements are equal: they need one bin.
        (Some(low), Some(high)) if low == high => Histogram { low, high, counts: vec![statistics.finite()] },
        (Some(low), Some(high)) => Histogram { low, high, counts: counts(dtype, &elements, low, high)? },
        _ => return Ok((statistics, None)),
    };
    Ok((statistics, Some(histogram)))
}

/// The numbers of elements in the bins from `low` to `high`.
fn counts(dtype: DType, elements: &Elements<'_>, low: f64, high: f64) -> Result<Vec<u64>> {
    // Of half of each, since their difference may overflow.
    let scale = BINS as f64 / (high / 2.0 - low / 2.0);
    let counted = elements.map_chunks(|chunk| {
        let mut counts = [0; BINS];
        for_each_number(dtype, chunk, |value| {
            if value.is_finite() {
                // The cast turns negative numbers and NaN into 0.
                let bin = ((value / 2.0 - low / 2.0) * scale) as usize;
                counts[bin.min(BINS - 1)] += 1;
            }
        });
        counts
    })?;
    let mut sums = vec![0; BINS];
    for counts in counted {
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_values(values: &[f32]) -> Option<Histogram> {
        of(&Constant::from_f32(vec![values.len()], values)).unwrap().1
    }

    #[test]
    fn every_finite_element_is_in_a_bin() {
        let mut values: Vec<f32> = (0..300_000_u64).map(|i| ((i * 7919) % 10_007) as f32 / 100.0).collect();
        values[5] = f32::NAN;
        values[7] = f32::NEG_INFINITY;
        let stored = Constant::from_f32(vec![600, 500], &values);
        for constant in [stored.clone(), stored.permuted(&[1, 0]).unwrap()] {
            let (statistics, histogram) = of(&constant).unwrap();
            assert_eq!(histogram.unwrap().counts.iter().sum::<u64>(), 299_998);
            assert_eq!(statistics.finite(), 299_998);
        }
    }

    #[test]
    fn bins_are_equal_parts_and_the_last_one_includes_the_greatest_element() {
        let histogram = of_values(&(0..=64).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
        assert_eq!((histogram.low, histogram.high), (0.0, 64.0));
        assert_eq!(histogram.counts[..3], [2, 2, 2]);
        assert_eq!(histogram.counts[BINS - 1], 3);
    }

    #[test]
    fn without_finite_elements_there_is_none() {
        assert_eq!(of_values(&[f32::NAN, f32::INFINITY]), None);
        assert_eq!(of_values(&[]), None);
    }

    #[test]
    fn elements_that_are_all_alike_make_one_bin() {
        assert_eq!(of_values(&[2.5; 7]).unwrap().counts, [7]);
    }

    #[test]
    fn a_range_wider_than_a_number_holds_has_bins_all_the_same() {
        let values =
            [f64::MIN, f64::MAX * 0.3, f64::MAX].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let source = crate::tensor::Inline::Bytes(values.into());
        let constant = Constant::new(DType::Float64, vec![3], std::sync::Arc::new(source));
        let counts = of(&constant).unwrap().1.unwrap().counts;
        assert_eq!((counts[0], counts[20], counts[BINS - 1]), (1, 1, 1));
    }
}
