//! How the program and the Python module are linked. Both build scripts use it.

/// Lets the linker keep one of the functions that have the same instructions: generic code has many for different types, and nothing here
/// compares the addresses of functions. `kind` is what cargo calls the artifacts: `bins` or `cdylib`. Only where Rust brings LLD with it
/// and links with it, since other linkers may not know the option.
pub fn fold_identical_functions(kind: &str) {
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
        println!("cargo:rustc-link-arg-{kind}=-Wl,--icf=all");
    }
}
