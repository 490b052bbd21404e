//! Benchmarks of the single steps of a conversion: `cargo bench`, or `cargo bench permute` for one of them.
//!
//! Rates count the bytes that a step reads. Machines differ and are noisy: compare with `copy` in the same run. The
//! environment variable `CHECKPOINT` names the checkpoint to convert; the default is the small example.

use std::path::Path;

use divan::Bencher;
use divan::counter::BytesCount;
use tf2onnx_rs::checkpoint::Checkpoint;
use tf2onnx_rs::convert::{ConvertOptions, convert, recognize_checkpoint};
use tf2onnx_rs::onnx::{WriteOptions, write_model};
use tf2onnx_rs::source::{OpenOptions, Source};
use tf2onnx_rs::tensor::{Buffer, Constant, Permutation};

fn main() {
    divan::main();
}

/// The shapes of filters in slim, and the permutations to ONNX's order.
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
        for chunk in bytes.chunks(tile.len()) {
            tile[..chunk.len()].copy_from_slice(divan::black_box(chunk));
        }
    });
}

/// Fills blocks of a permuted weight, in float32 and rounded to float16.
#[divan::bench(args = [false, true])]
fn fill_blocks(bencher: Bencher, is_float16: bool) {
    let values = vec![0.5; 3 * 3 * 512 * 512];
    let constant = Constant::from_f32(vec![3, 3, 512, 512], &values).permuted(&[3, 2, 0, 1]).unwrap();
    let constant = if is_float16 { constant.to_float16() } else { constant };
    let elements = constant.open().unwrap();
    let mut buffer = Buffer::default();
    bencher.counter(BytesCount::new(values.len() * 4)).bench_local(|| {
        for block in elements.blocks(1 << 20, 16 << 20) {
            let layout = elements.fill(&block, &mut buffer).unwrap();
            divan::black_box(buffer.bytes(layout.length));
        }
    });
}

/// CRC-32C of data that fits the second-level cache, and of data that does not.
#[divan::bench(args = [256 << 10, 64 << 20])]
fn checksum(bencher: Bencher, bytes: usize) {
    let bytes = vec![1_u8; bytes];
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| crc32c::crc32c(divan::black_box(&bytes)));
}

fn checkpoint() -> String {
    let example = "/examples/inception_v3_tiny/inception_v3_tiny.ckpt";
    std::env::var("CHECKPOINT").unwrap_or_else(|_| format!("{}{example}", env!("CARGO_MANIFEST_DIR")))
}

fn opened() -> Source {
    Source::open(Path::new(&checkpoint()), &OpenOptions::default()).expect("the checkpoint opens")
}

/// Reads the table of a checkpoint: names, types, shapes and offsets of its tensors.
#[divan::bench]
fn read_table(bencher: Bencher) {
    let path = checkpoint();
    bencher.bench_local(|| Checkpoint::open(Path::new(&path)).unwrap().len());
}

/// Reads all values of a checkpoint and verifies their checksums, in a new mapping each time.
#[divan::bench]
fn read_values(bencher: Bencher) {
    let path = checkpoint();
    let bytes: usize = opened().weights().unwrap().tensors().filter_map(|t| t.constant().byte_len()).sum();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        let opened = Checkpoint::open(Path::new(&path)).unwrap();
        opened.tensors().filter_map(|tensor| tensor.constant().bytes().ok().map(|b| b.len())).sum::<usize>()
    });
}

/// Recognizes the network of a checkpoint, which builds and compares several networks.
#[divan::bench]
fn recognize(bencher: Bencher) {
    let source = opened();
    bencher.bench_local(|| recognize_checkpoint(&source, &ConvertOptions::default()).unwrap().found);
}

/// Converts an open checkpoint without writing the model: recognizes, builds, rewrites and lowers the network.
#[divan::bench]
fn build_and_lower(bencher: Bencher) {
    let source = opened();
    bencher.bench_local(|| convert(&source, &ConvertOptions::default()).unwrap().model.nodes.len());
}

/// Plans and writes the model's file.
#[divan::bench]
fn write(bencher: Bencher) {
    let (source, folder) = (opened(), tempfile::TempDir::new().unwrap());
    let (conversion, path) =
        (convert(&source, &ConvertOptions::default()).unwrap(), folder.path().join("m.onnx"));
    let bytes = write_model(&conversion.model, &path, &WriteOptions::default(), &|_, _| ()).unwrap().bytes;
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        write_model(&conversion.model, &path, &WriteOptions::default(), &|_, _| ()).unwrap().bytes
    });
}
