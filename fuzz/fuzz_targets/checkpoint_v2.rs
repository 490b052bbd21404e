//! Reads any bytes as the index of a V2 checkpoint whose data file has 256 bytes.
//!
//!     mkdir -p fuzz/corpus/checkpoint_v2
//!     cp tests/fixtures/checkpoints/partitioned_v2/model.ckpt.index fuzz/corpus/checkpoint_v2/a
//!     cargo +nightly fuzz run checkpoint_v2
#![no_main]

use libfuzzer_sys::fuzz_target;
use tf2onnx_rs::checkpoint::Checkpoint;
use tf2onnx_rs::tensor::ElementSource;

fuzz_target!(|index: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for the files");
    let prefix = folder.path().join("model");
    std::fs::write(folder.path().join("model.index"), index).expect("the index can be written");
    let data: Vec<u8> = (0..=255).collect();
    std::fs::write(folder.path().join("model.data-00000-of-00001"), data).expect("the data can be written");
    let Ok(checkpoint) = Checkpoint::open(&prefix) else { return };
    for tensor in checkpoint.tensors() {
        let _ = tensor.bytes();
        let _ = tensor.strings();
    }
    let _ = checkpoint.object_names();
});
