//! Compiles the TensorFlow messages of `proto/` without an installed `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["proto/tensorflow.proto"], ["proto"])?;
    // Weights stored inside messages are sliced out of one buffer, never copied.
    prost_build::Config::new().bytes([".tensorflow.TensorProto.tensor_content"]).compile_fds(descriptors)?;
    Ok(())
}
