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

/// Lets the linker keep one of the functions that have the same instructions: generic code has many for different types, and nothing here
/// compares the addresses of functions. Only where Rust brings LLD with it and links with it, since other linkers may not know the option.
fn fold_identical_functions() {
    for variable in ["RUSTC_LINKER", "CARGO_ENCODED_RUSTFLAGS"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    let chooses_linker = std::env::var_os("RUSTC_LINKER").is_some()
        || ["linker", "fuse-ld", "link-self-contained"].iter().any(|flag| flags.contains(flag));
    let target = "x86_64-unknown-linux-gnu";
    if variable("TARGET") != target || chooses_linker {
        return;
    }
    let sysroot = std::process::Command::new(variable("RUSTC")).args(["--print", "sysroot"]).output();
    let sysroot = sysroot.ok().and_then(|printed| String::from_utf8(printed.stdout).ok()).unwrap_or_default();
    let lld = std::path::Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("bin/gcc-ld/ld.lld");
    if lld.exists() {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
}
