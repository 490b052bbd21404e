//! Stateless random numbers of a seed, one after the other.
//!
//! Sources: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), and
//! `tensorflow/core/lib/random/random_distributions.h`.

use ndarray::ArrayD;

use super::lower::stateless::Distribution;
use crate::graph::Node;
use crate::ops::array::eval::basic::lengths;
use crate::tensor::{DType, Tensor, element_count};

/// Four random words of a counter and a key.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let [first, second] = [(0xD251_1F53_u64, counter[0]), (0xCD9E_8D57, counter[2])]
            .map(|(factor, word)| factor * u64::from(word));
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// Words of a generator, from a group on.
struct Words {
    key: [u32; 2],
    /// The upper half of the counter. The lower half is the number of the group.
    nonce: [u32; 2],
    group: u64,
    left: Vec<u32>,
}

impl Words {
    fn new(seed: &Tensor) -> Option<Self> {
        let &[first, second] = &seed.integers()?[..] else { return None };
        let words = [first, first >> 32, second, second >> 32].map(|word| word as u32);
        let mixed = philox(words, [0x3EC8_F720, 0x0246_1E29]);
        Some(Self { key: [mixed[0], mixed[1]], nonce: [mixed[2], mixed[3]], group: 0, left: vec![] })
    }

    fn start_at(&mut self, group: u64) {
        self.group = group;
        self.left.clear();
    }

    fn next(&mut self) -> u32 {
        if self.left.is_empty() {
            let counter = [self.group as u32, (self.group >> 32) as u32, self.nonce[0], self.nonce[1]];
            self.left = philox(counter, self.key).into_iter().rev().collect();
            self.group += 1;
        }
        self.left.pop().unwrap_or_default()
    }

    fn next_long(&mut self) -> u64 {
        let low = u64::from(self.next());
        low | u64::from(self.next()) << 32
    }

    fn fraction(&mut self) -> f32 {
        (self.next() & 0x7F_FFFF) as f32 * 2f32.powi(-23)
    }

    /// Two normal numbers.
    fn normal(&mut self) -> [f32; 2] {
        let radius = (-2.0 * self.fraction().max(1.0e-7).ln()).sqrt();
        let angle = (2.0 * std::f64::consts::PI * f64::from(self.fraction())) as f32;
        [angle.sin() * radius, angle.cos() * radius]
    }
}

/// Draws float32 and the integers of `int32` and `int64`.
pub fn draw(node: &Node, inputs: &[&Tensor], distribution: Distribution) -> Option<Vec<Tensor>> {
    let (shape, mut words) = (lengths(inputs.first()?)?, Words::new(inputs.get(1)?)?);
    let count = element_count(&shape)?;
    let dtype = node.dtype("dtype").unwrap_or(match distribution {
        Distribution::AllIntegers => DType::UInt64,
        _ => DType::Float32,
    });
    let floats = |numbers: Vec<f32>| ArrayD::from_shape_vec(shape.clone(), numbers).ok().map(Tensor::Float32);
    let drawn = match (distribution, dtype) {
        (Distribution::Uniform, DType::Float32) => floats((0..count).map(|_| words.fraction()).collect())?,
        (Distribution::Normal, DType::Float32) => {
            floats((0..count.div_ceil(2)).flat_map(|_| words.normal()).take(count).collect())?
        }
        (Distribution::TruncatedNormal, DType::Float32) => {
            let mut numbers = vec![];
            for group in 0..count.div_ceil(4) {
                words.start_at(256 * group as u64);
                let kept =
                    std::iter::repeat_with(|| words.normal()).flatten().filter(|number| number.abs() < 2.0);
                numbers.extend(kept.take(4));
            }
            numbers.truncate(count);
            floats(numbers)?
        }
        (Distribution::AllIntegers, DType::Int32) => {
            let numbers: Vec<i64> = (0..count).map(|_| i64::from(words.next() as i32)).collect();
            Tensor::from_integers(dtype, &shape, &numbers)?
        }
        (Distribution::AllIntegers, DType::Int64) => {
            let numbers: Vec<i64> = (0..count).map(|_| words.next_long() as i64).collect();
            Tensor::from_integers(dtype, &shape, &numbers)?
        }
        (Distribution::Integers(first), DType::Int32 | DType::Int64) => {
            let [least, end] = [inputs.get(first)?.integer()?, inputs.get(first + 1)?.integer()?];
            let range = end.wrapping_sub(least) as u64;
            let mut offset = || match dtype {
                DType::Int32 => u64::from(words.next()).checked_rem(range),
                _ => words.next_long().checked_rem(range),
            };
            let numbers: Option<Vec<i64>> =
                (0..count).map(|_| Some(least.wrapping_add(offset()? as i64))).collect();
            Tensor::from_integers(dtype, &shape, &numbers?)?
        }
        _ => return None,
    };
    Some(vec![drawn])
}

#[cfg(test)]
mod tests {
    use super::philox;

    /// The known answers of Random123, the library of the paper's authors (`examples/kat_vectors`).
    #[test]
    fn philox_has_the_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
    }
}
