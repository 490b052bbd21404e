#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use tf2onnx_rs::proto::GraphDef;
use tf2onnx_rs_fuzz::mutation::mutate_in_place;

fuzz_target!(|bytes: &[u8]| tf2onnx_rs_fuzz::targets::graph(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_in_place::<GraphDef>(data, size, max_size, seed)
        .unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, max_size))
});
