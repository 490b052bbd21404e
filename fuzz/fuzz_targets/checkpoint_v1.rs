//! Reads any bytes as a V1 checkpoint: the table, its blocks, and the messages in them. Under cargo-fuzz, checksums are
//! not verified, because no fuzzed input would have the right ones.
//!
//!     mkdir -p fuzz/corpus/checkpoint_v1
//!     cp tests/fixtures/checkpoints/*_v1/model.ckpt fuzz/corpus/checkpoint_v1/a   # one name for each
//!     cargo +nightly fuzz run checkpoint_v1
#![no_main]

use libfuzzer_sys::fuzz_target;
use tf2onnx_rs::checkpoint::Checkpoint;
use tf2onnx_rs::tensor::ElementSource;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for the file");
    let path = folder.path().join("model.ckpt");
    std::fs::write(&path, bytes).expect("the file can be written");
    let Ok(checkpoint) = Checkpoint::open(&path) else { return };
    for tensor in checkpoint.tensors() {
        let _ = tensor.bytes();
        let _ = tensor.strings();
    }
});
