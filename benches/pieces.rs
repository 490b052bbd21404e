//! The pieces of a conversion, each by itself: `cargo bench`, or `cargo bench permute` for one.
//!
//! Rates are of the bytes that a piece reads. Machines differ and are noisy: compare with the copy in the same run.

use divan::Bencher;
use divan::counter::BytesCount;
use tf2onnx_rs::tensor::Permutation;

fn main() {
    divan::main();
}

/// Filters as slim stores them, and the permutation that ONNX asks of them.
const FILTERS: &[(&str, &[usize], &[usize])] = &[
    ("3x3 convolution", &[3, 3, 256, 512], &[3, 2, 0, 1]),
    ("1x1 convolution", &[1, 1, 2048, 512], &[3, 2, 0, 1]),
    ("1x7 convolution", &[1, 7, 192, 192], &[3, 2, 0, 1]),
    ("1x1, few channels", &[1, 1, 192, 32], &[3, 2, 0, 1]),
    ("depthwise convolution", &[3, 3, 512, 1], &[2, 3, 0, 1]),
    ("3-D convolution", &[3, 3, 3, 64, 192], &[4, 3, 0, 1, 2]),
    ("VGG's fc6", &[7, 7, 512, 4096], &[3, 2, 0, 1]),
    ("dense", &[4096, 1000], &[1, 0]),
];

#[divan::bench(args = FILTERS.iter().map(|filter| filter.0))]
fn permute(bencher: Bencher, filter: &str) {
    let &(_, shape, perm) = FILTERS.iter().find(|known| known.0 == filter).unwrap();
    let bytes = vec![1_u8; shape.iter().product::<usize>() * 4];
    let permutation = Permutation::new(4, shape, perm);
    let blocks = permutation.blocks(1 << 20, 16 << 20);
    let mut out = vec![0; blocks.iter().map(|block| block.len() * 4).max().unwrap()];
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        for block in &blocks {
            permutation.fill(&bytes, block, &mut out[..block.len() * 4]).unwrap();
        }
    });
}

#[divan::bench(args = FILTERS.iter().map(|filter| filter.0))]
fn copy(bencher: Bencher, filter: &str) {
    let &(_, shape, _) = FILTERS.iter().find(|known| known.0 == filter).unwrap();
    let bytes = vec![1_u8; shape.iter().product::<usize>() * 4];
    let mut tile = vec![0; bytes.len().min(1 << 20)];
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        for piece in bytes.chunks(tile.len()) {
            tile[..piece.len()].copy_from_slice(divan::black_box(piece));
        }
    });
}
