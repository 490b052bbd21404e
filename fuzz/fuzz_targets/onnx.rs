//! Reads any bytes as an ONNX model, with everything that `inspect` reads.
//!
//!     mkdir -p fuzz/corpus/onnx
//!     cargo run -- convert tests/fixtures/graphs/containers/frozen.pb fuzz/corpus/onnx/a.onnx
//!     cargo +nightly fuzz run onnx
#![no_main]

use libfuzzer_sys::fuzz_target;
use tf2onnx_rs::convert::ConvertOptions;
use tf2onnx_rs::inspect::{Parts, identify, inspect_tensors};
use tf2onnx_rs::source::OpenOptions;
use tf2onnx_rs::tensors_in_file::TensorFile;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for the file");
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes).expect("the file can be written");
    let Ok(file) = TensorFile::open(&path, &OpenOptions::default()) else { return };
    let tensors = file.tensors();
    let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let _ = identify(&file, &tensors, &ConvertOptions::default());
    inspect_tensors(tensors, &names, &Parts::of(&file), None, true, &|_| ());
});
