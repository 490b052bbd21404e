//! Compiles the messages of `proto/` without an installed `protoc`.

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["proto/tensorflow.proto"], ["proto"])?;
    // Graphs in text form are read by their descriptors.
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("tensorflow.descriptors"), descriptors.encode_to_vec())?;
    // Weights stored inside messages are sliced out of one buffer, never copied.
    // The same graph is written as the same bytes: maps are in the order of their keys.
    prost_build::Config::new()
        .bytes([".tensorflow.TensorProto.tensor_content"])
        .btree_map([".tensorflow"])
        // Each node has attributes, and most are a few bytes. src/proto/node_def.rs has what prost would need much memory for.
        .boxed(".tensorflow.AttrValue.value.func")
        .boxed(".tensorflow.AttrValue.value.list")
        .boxed(".tensorflow.AttrValue.value.tensor")
        .extern_path(".tensorflow.NodeDef", "crate::proto::NodeDef")
        .compile_fds(descriptors)?;
    prost_build::Config::new().compile_fds(protox::compile(["proto/xla.proto"], ["proto"])?)?;
    let onnx = protox::compile(["proto/onnx.proto"], ["proto"])?;
    prost_build::Config::new().bytes([".onnx.TensorProto.raw_data"]).compile_fds(onnx)?;
    fold_identical_functions();
    Ok(())
}

/// Lets the linker keep one of the functions that have the same instructions. Generic code has many for different types, and nothing here
/// compares the addresses of functions. LLD folds them, which Rust links with on this platform unless it is told otherwise.
fn fold_identical_functions() {
    let is_target = |part: &str, value: &str| {
        std::env::var(format!("CARGO_CFG_TARGET_{part}")).is_ok_and(|target| target == value)
    };
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let chooses_linker = std::env::vars()
        .any(|(name, _)| name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER"))
        || ["linker", "fuse-ld"].iter().any(|word| flags.contains(word));
    if is_target("ARCH", "x86_64") && is_target("OS", "linux") && is_target("ENV", "gnu") && !chooses_linker {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
}
