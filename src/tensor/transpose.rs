//! Transposes squares of elements, if possible with vector instructions: the innermost loop of [`super::permute`].

#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "an assertion checks that all elements are inside of the slices"
)]

/// The side of a square: 16 elements of 4 bytes are one cache line.
pub const SIDE: usize = 16;

/// Transposes a square of elements: element `i` of line `k` of the result is element `k` of line `i` of the input.
///
/// Line `i` of the input begins at `starts[i]` of `input`. The lines of the result are `stride` elements apart in `out`.
///
/// # Panics
/// If the square is not inside `input` and `out`.
#[inline(always)]
pub fn transpose_square<const SIZE: usize>(
    input: &[[u8; SIZE]],
    starts: &[usize; SIDE],
    out: &mut [[u8; SIZE]],
    stride: usize,
) {
    let is_inside = starts.iter().all(|&start| start <= input.len() && input.len() - start >= SIDE);
    assert!(is_inside && stride >= SIDE && out.len() >= (SIDE - 1) * stride + SIDE, "the square is inside");
    #[cfg(target_arch = "x86_64")]
    if SIZE == 4 && is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, elements have 4 bytes, and the assertion checked that the square is inside.
        unsafe { avx2::transpose_square(input.as_ptr().cast(), starts, out.as_mut_ptr().cast(), stride) };
        return;
    }
    let mut lines = [[[0; SIZE]; SIDE]; SIDE];
    for (line, &start) in lines.iter_mut().zip(starts) {
        line.copy_from_slice(&input[start..start + SIDE]);
    }
    for (lane, out) in out.chunks_mut(stride).take(SIDE).enumerate() {
        for (element, line) in out.iter_mut().zip(&lines) {
            *element = line[lane];
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::SIDE;

    /// The elements of a vector. A square consists of four squares of 8 by 8 elements.
    const HALF: usize = SIDE / 2;

    /// # Safety
    /// The processor has AVX2; 16 elements of 4 bytes can be read from each start on, and written to each of 16
    /// lines of `out`.
    #[target_feature(enable = "avx2")]
    pub unsafe fn transpose_square(input: *const i32, starts: &[usize; SIDE], out: *mut i32, stride: usize) {
        for down in [0, HALF] {
            for across in [0, HALF] {
                let mut vectors = [_mm256_setzero_si256(); HALF];
                for (vector, &start) in vectors.iter_mut().zip(&starts[down..]) {
                    // SAFETY: 8 of the 16 elements from the start on.
                    *vector = unsafe { _mm256_loadu_si256(input.add(start + across).cast()) };
                }
                for (line, vector) in transposed(vectors).into_iter().enumerate() {
                    // SAFETY: 8 of the 16 elements of a line.
                    unsafe { _mm256_storeu_si256(out.add((across + line) * stride + down).cast(), vector) };
                }
            }
        }
    }

    /// Transposes 8 by 8 elements: first pairs, then pairs of pairs, then halves.
    #[target_feature(enable = "avx2")]
    fn transposed(a: [__m256i; HALF]) -> [__m256i; HALF] {
        let low = |k: usize| _mm256_unpacklo_epi32(a[k], a[k + 1]);
        let high = |k: usize| _mm256_unpackhi_epi32(a[k], a[k + 1]);
        let b = [low(0), high(0), low(2), high(2), low(4), high(4), low(6), high(6)];
        let low = |k: usize| _mm256_unpacklo_epi64(b[k], b[k + 2]);
        let high = |k: usize| _mm256_unpackhi_epi64(b[k], b[k + 2]);
        let c = [low(0), high(0), low(1), high(1), low(4), high(4), low(5), high(5)];
        let low = |k: usize| _mm256_permute2x128_si256::<0x20>(c[k], c[k + 4]);
        let high = |k: usize| _mm256_permute2x128_si256::<0x31>(c[k], c[k + 4]);
        [low(0), low(1), low(2), low(3), high(0), high(1), high(2), high(3)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const SIZE: usize>() {
        let element =
            |number: usize| -> [u8; SIZE] { std::array::from_fn(|byte| (number >> (byte % 2 * 8)) as u8) };
        let input: Vec<[u8; SIZE]> = (0..40 * SIDE).map(element).collect();
        let starts: [usize; SIDE] = std::array::from_fn(|line| line * 37 + 3);
        let stride = 21;
        let mut out = vec![[0; SIZE]; (SIDE - 1) * stride + SIDE];
        transpose_square(&input, &starts, &mut out, stride);
        for line in 0..SIDE {
            for column in 0..SIDE {
                assert_eq!(
                    out[line * stride + column],
                    element(starts[column] + line),
                    "{SIZE}: {line}, {column}"
                );
            }
        }
    }

    #[test]
    fn a_square_of_elements_of_any_size_is_transposed() {
        check::<1>();
        check::<2>();
        check::<4>();
        check::<8>();
        check::<16>();
    }
}
