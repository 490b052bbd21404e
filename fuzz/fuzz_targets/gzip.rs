#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tf2onnx_rs_fuzz::targets::gzip(bytes));
