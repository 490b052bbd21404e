//! Files that were written long ago, as far as the program can tell.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Writes a file whose time of modification is an hour ago. The program waits for some milliseconds before it reads a file that was
/// written just now, which for thousands of damaged files would be minutes.
pub fn write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}
