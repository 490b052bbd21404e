//! Compiles the messages of `proto/` without an installed `protoc`.

mod linking;

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
    linking::fold_identical_functions("bins");
    Ok(())
}
