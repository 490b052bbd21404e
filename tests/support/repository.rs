//! Files of this repository.

use std::path::{Path, PathBuf};

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn fixture(path: &str) -> PathBuf {
    repository("tests/fixtures").join(path)
}

/// A V1 checkpoint of a small Inception v3.
pub fn example() -> PathBuf {
    repository("examples/inception_v3_tiny/inception_v3_tiny.ckpt")
}
