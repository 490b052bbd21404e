//! Statistics of the elements of a tensor, computed in parallel in one pass.

use serde::Serialize;

use super::{Constant, DType, Elements, for_each_number};
use crate::error::Result;

/// Statistics of the elements of a tensor of numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Statistics {
    /// The number of elements.
    pub count: u64,
    /// The smallest finite element; `None` if there is no finite element.
    pub min: Option<f64>,
    /// The greatest finite element.
    pub max: Option<f64>,
    /// The mean of the finite elements.
    pub mean: Option<f64>,
    /// The population standard deviation of the finite elements.
    pub std: Option<f64>,
    /// The number of zeros.
    pub zeros: u64,
    /// The number of NaNs.
    pub nan: u64,
    /// The number of infinite elements.
    pub inf: u64,
    /// The number of negative elements.
    pub negative: u64,
}

impl Statistics {
    /// Reads the elements of a constant; `None` if they are not real numbers.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn of(constant: &Constant) -> Result<Option<Self>> {
        if !constant.dtype().is_real() {
            return Ok(None);
        }
        Self::of_elements(constant.dtype(), &constant.open()?).map(Some)
    }

    /// Reads elements of this type. If they are not real numbers, the count is 0.
    ///
    /// # Errors
    /// If no type has elements of this size.
    pub fn of_elements(dtype: DType, elements: &Elements<'_>) -> Result<Self> {
        let sums = elements.map_chunks(|chunk| Sums::of(dtype, chunk))?;
        // Combined in order, so that the result does not depend on the order of the threads.
        Ok(sums.into_iter().fold(Sums::NONE, Sums::and).statistics())
    }

    /// The number of finite elements.
    pub fn finite(&self) -> u64 {
        self.count.saturating_sub(self.nan).saturating_sub(self.inf)
    }

    /// The share of elements that are zero.
    pub fn zero_share(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.zeros as f64 / self.count as f64 }
    }
}

/// Counts and sums over a part of the elements.
#[derive(Debug, Clone, Copy)]
struct Sums {
    finite: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of the squared distances to the mean.
    squares: f64,
    zeros: u64,
    nan: u64,
    inf: u64,
    negative: u64,
}

#[expect(clippy::arithmetic_side_effects, reason = "a tensor has fewer elements than a `u64` counts")]
impl Sums {
    const NONE: Self = Self {
        finite: 0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        mean: 0.0,
        squares: 0.0,
        zeros: 0,
        nan: 0,
        inf: 0,
        negative: 0,
    };

    /// Computes the sums of a chunk. Reads it twice, because the sum of squares needs the mean. The second time, the chunk is
    /// in the cache.
    fn of(dtype: DType, chunk: &[u8]) -> Self {
        let mut sums = Self::NONE;
        let mut total = 0.0;
        for_each_number(dtype, chunk, |value| {
            sums.zeros += u64::from(value == 0.0);
            sums.negative += u64::from(value < 0.0);
            if value.is_finite() {
                sums.finite += 1;
                sums.min = sums.min.min(value);
                sums.max = sums.max.max(value);
                total += value;
            } else {
                sums.nan += u64::from(value.is_nan());
                sums.inf += u64::from(value.is_infinite());
            }
        });
        let mean = total / sums.finite.max(1) as f64;
        let mut squares = 0.0;
        for_each_number(dtype, chunk, |value| {
            if value.is_finite() {
                squares += (value - mean) * (value - mean);
            }
        });
        Self { mean, squares, ..sums }
    }

    /// The sums over two parts.
    ///
    /// Source: T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", 1983,
    /// <https://doi.org/10.1080/00031305.1983.10483115>.
    fn and(self, other: Self) -> Self {
        let finite = self.finite + other.finite;
        let distance = other.mean - self.mean;
        let share = other.finite as f64 / finite.max(1) as f64;
        Self {
            finite,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            mean: self.mean + distance * share,
            squares: self.squares + other.squares + distance * distance * self.finite as f64 * share,
            zeros: self.zeros + other.zeros,
            nan: self.nan + other.nan,
            inf: self.inf + other.inf,
            negative: self.negative + other.negative,
        }
    }

    fn statistics(self) -> Statistics {
        let of_finite = |value: f64| (self.finite > 0).then_some(value);
        Statistics {
            count: self.finite + self.nan + self.inf,
            min: of_finite(self.min),
            max: of_finite(self.max),
            mean: of_finite(self.mean),
            std: of_finite((self.squares / self.finite.max(1) as f64).sqrt()),
            zeros: self.zeros,
            nan: self.nan,
            inf: self.inf,
            negative: self.negative,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(constant: &Constant) -> Statistics {
        Statistics::of(constant).unwrap().unwrap()
    }

    fn of_values(values: &[f32]) -> Statistics {
        of(&Constant::from_f32(vec![values.len()], values))
    }

    #[test]
    fn elements_that_are_not_finite_are_only_counted() {
        let found = of_values(&[1.0, f32::NAN, -3.0, f32::INFINITY, 0.0, -0.0]);
        assert_eq!((found.min, found.max, found.mean), (Some(-3.0), Some(1.0), Some(-0.5)));
        // The distances are 1.5, -2.5, 0.5 and 0.5.
        assert_eq!(found.std, Some((9.0_f64 / 4.0).sqrt()));
        assert_eq!((found.zeros, found.nan, found.inf, found.negative), (2, 1, 1, 1));
        assert_eq!((found.count, found.finite(), found.zero_share()), (6, 4, 2.0 / 6.0));
        assert_eq!(of_values(&[f32::NAN]).min, None);
    }

    #[test]
    fn the_number_of_chunks_does_not_change_the_result() {
        let values: Vec<f32> =
            (0..300_000_u64).map(|i| ((i * 7919) % 10_007) as f32 / 100.0 + 1000.0).collect();
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / 3e5;
        let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / 3e5;
        let stored = Constant::from_f32(vec![3, 100, 1000], &values);
        for constant in [stored.clone(), stored.permuted(&[2, 0, 1]).unwrap()] {
            let found = of(&constant);
            assert!((found.mean.unwrap() - mean).abs() < 1e-9, "{found:?}");
            assert!((found.std.unwrap() - variance.sqrt()).abs() < 1e-9, "{found:?}");
            assert_eq!(found.count, 300_000);
            // To the last bit, in any order of the threads.
            assert!((0..8).all(|_| of(&constant) == found));
        }
    }

    #[test]
    fn statistics_are_those_of_the_written_numbers() {
        let values = Constant::from_f32(vec![2, 2], &[1.0, 1e-9, -70000.0, 4.0]);
        let found = of(&values.scaled(1, [2.0, 1.0].into()).unwrap().permuted(&[1, 0]).unwrap().to_float16());
        // The second is too small for float16. The third becomes the smallest number of float16.
        assert_eq!((found.min, found.max, found.zeros), (Some(-65504.0), Some(4.0), 1));
    }

    #[test]
    fn a_tensor_without_elements_has_no_minimum() {
        assert_eq!(of_values(&[]), Statistics::default());
        let nothing = Constant::filled(vec![0, 4], 1.0).permuted(&[1, 0]).unwrap();
        assert_eq!(of(&nothing), Statistics::default());
    }

    #[test]
    fn complex_numbers_have_no_statistics() {
        let source = std::sync::Arc::new(crate::tensor::Inline::Bytes(vec![0; 16].into()));
        assert_eq!(Statistics::of(&Constant::new(DType::Complex64, vec![2], source)).unwrap(), None);
    }
}
