//! What the elements of a tensor are like: read once, in pieces, by all cores.

use half::{bf16, f16};
use rayon::prelude::*;
use serde::Serialize;

use crate::error::Result;
use crate::tensor::{Constant, DType};

/// What the elements of a tensor of numbers are like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// The least finite element; `None` where there is none.
    pub min: Option<f64>,
    /// The greatest finite element.
    pub max: Option<f64>,
    /// The mean of the finite elements.
    pub mean: Option<f64>,
    /// Their standard deviation, that of the elements themselves and no estimate for others.
    pub std: Option<f64>,
    /// How many elements are zero.
    pub zeros: u64,
    /// How many are not a number.
    pub nan: u64,
    /// How many are infinite.
    pub inf: u64,
    /// How many are negative.
    pub negative: u64,
}

/// Bytes that a core takes at once.
const PIECE_BYTES: usize = 1 << 18;

impl Statistics {
    /// Reads the elements of a constant; `None` where they are no real numbers.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn of(constant: &Constant) -> Result<Option<Self>> {
        let Some(read) = reader(constant.dtype()) else { return Ok(None) };
        let elements = constant.open()?;
        let sums: Vec<Sums> = match elements.in_order() {
            // A piece has whole elements: its size is a multiple of all their sizes.
            Some(bytes) => bytes.par_chunks(PIECE_BYTES).map(read).collect(),
            None => vec![read(&constant.bytes()?)],
        };
        // In their order, so that the result does not depend on which core was first.
        let all = sums.into_iter().fold(Sums::default(), Sums::and);
        Ok(Some(all.statistics()))
    }

    /// The share of elements that are zero, of `count`.
    pub fn zero_share(&self, count: usize) -> f64 {
        if count == 0 { 0.0 } else { self.zeros as f64 / count as f64 }
    }
}

/// What is counted and summed over a part of the elements.
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

impl Default for Sums {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { finite: 0, min, max, mean: 0.0, squares: 0.0, zeros: 0, nan: 0, inf: 0, negative: 0 }
    }
}

impl Sums {
    /// Twice over the values, which lie in the cache the second time: distances are to be taken from the mean itself.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let mut sums = Self::default();
        let mut total = 0.0;
        for value in values.clone() {
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
        }
        if sums.finite > 0 {
            sums.mean = total / sums.finite as f64;
        }
        let distances = values.filter(|value| value.is_finite()).map(|value| value - sums.mean);
        sums.squares = distances.map(|distance| distance * distance).sum();
        sums
    }

    /// The sums over two parts together.
    ///
    /// Source: T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    /// variances", 1979.
    fn and(self, other: Self) -> Self {
        let finite = self.finite + other.finite;
        let distance = other.mean - self.mean;
        let share = if finite == 0 { 0.0 } else { other.finite as f64 / finite as f64 };
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
            min: of_finite(self.min),
            max: of_finite(self.max),
            mean: of_finite(self.mean),
            std: of_finite((self.squares / self.finite as f64).sqrt()),
            zeros: self.zeros,
            nan: self.nan,
            inf: self.inf,
            negative: self.negative,
        }
    }
}

/// Sums over the elements in these bytes.
type Reader = fn(&[u8]) -> Sums;

fn reader(dtype: DType) -> Option<Reader> {
    /// A reader of elements of `$size` bytes.
    macro_rules! elements {
        ($size:literal, $value:expr) => {
            |bytes| {
                let (elements, _) = bytes.as_chunks::<$size>();
                Sums::of(elements.iter().map(|&element| f64::from($value(element))))
            }
        };
    }
    Some(match dtype {
        DType::Float32 => elements!(4, f32::from_le_bytes),
        DType::Float64 => elements!(8, f64::from_le_bytes),
        DType::Float16 => elements!(2, f16::from_le_bytes),
        DType::BFloat16 => elements!(2, bf16::from_le_bytes),
        DType::Int8 | DType::QInt8 => elements!(1, i8::from_le_bytes),
        DType::UInt8 | DType::QUInt8 | DType::Bool => elements!(1, u8::from_le_bytes),
        DType::Int16 | DType::QInt16 => elements!(2, i16::from_le_bytes),
        DType::UInt16 | DType::QUInt16 => elements!(2, u16::from_le_bytes),
        DType::Int32 | DType::QInt32 => elements!(4, i32::from_le_bytes),
        DType::UInt32 => elements!(4, u32::from_le_bytes),
        DType::Int64 => elements!(8, |bytes| i64::from_le_bytes(bytes) as f64),
        DType::UInt64 => elements!(8, |bytes| u64::from_le_bytes(bytes) as f64),
        DType::Complex64 | DType::Complex128 | DType::String | DType::Resource | DType::Variant => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tensor::Inline;

    fn of(dtype: DType, shape: &[usize], bytes: Vec<u8>) -> Statistics {
        let constant = Constant::new(dtype, shape.to_vec(), Arc::new(Inline::Bytes(bytes.into())));
        Statistics::of(&constant).unwrap().unwrap()
    }

    #[test]
    fn what_is_not_finite_is_counted_and_left_out_of_the_rest() {
        let constant = Constant::from_f32(vec![6], &[1.0, f32::NAN, -3.0, f32::INFINITY, 0.0, -0.0]);
        let found = Statistics::of(&constant).unwrap().unwrap();
        assert_eq!((found.min, found.max, found.mean), (Some(-3.0), Some(1.0), Some(-0.5)));
        // The distances are 1.5, -2.5, 0.5 and 0.5.
        assert_eq!(found.std, Some((9.0_f64 / 4.0).sqrt()));
        assert_eq!((found.zeros, found.nan, found.inf, found.negative), (2, 1, 1, 1));
    }

    #[test]
    fn many_pieces_give_what_one_gives() {
        let values: Vec<f32> = (0..300_000).map(|place| 1000.0 + (place % 7) as f32).collect();
        let found = Statistics::of(&Constant::from_f32(vec![300_000], &values)).unwrap().unwrap();
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / 3e5;
        let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / 3e5;
        assert!((found.mean.unwrap() - mean).abs() < 1e-9, "{found:?}");
        assert!((found.std.unwrap() - variance.sqrt()).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn half_precision_and_integers_are_read_too() {
        // 1.0 and -2.0 in both.
        assert_eq!(of(DType::Float16, &[2], vec![0x00, 0x3c, 0x00, 0xc0]).mean, Some(-0.5));
        assert_eq!(of(DType::BFloat16, &[2], vec![0x80, 0x3f, 0x00, 0xc0]).mean, Some(-0.5));
        assert_eq!(of(DType::BFloat16, &[1], vec![0xc0, 0x7f]).nan, 1);
        let found = of(DType::QInt8, &[3], vec![0xff, 0, 3]);
        assert_eq!((found.min, found.max, found.zeros), (Some(-1.0), Some(3.0), 1));
        assert_eq!(of(DType::Int64, &[1], (-5_i64).to_le_bytes().to_vec()).min, Some(-5.0));
    }

    #[test]
    fn without_elements_there_is_no_least_one() {
        let found = of(DType::Float32, &[0], vec![]);
        assert_eq!((found.min, found.mean, found.std, found.zeros), (None, None, None, 0));
    }
}
