//! The formats of archives, and how they are told apart.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tar,
    /// A tar archive, or a single file, compressed with gzip.
    Gz,
    Zip,
}

/// The number of bytes that identify an archive.
pub const HEAD_BYTES: u64 = 512;

/// The first bytes of gzip.
pub(super) const MAGIC_OF_GZIP: [u8; 2] = [0x1f, 0x8b];

/// The offset and the bytes that identify a tar archive.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

impl Kind {
    /// Determines the format of a file from its first bytes; `None` if the file is not an archive.
    pub fn of(path: &Path) -> Option<Self> {
        // Checked first, because opening a named pipe would wait for a writer.
        if !path.is_file() {
            return None;
        }
        let mut head = Vec::new();
        File::open(path).ok()?.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
        Self::of_head(&head)
    }

    /// Determines the format of an archive from its first [`HEAD_BYTES`].
    pub fn of_head(head: &[u8]) -> Option<Self> {
        if head.starts_with(&MAGIC_OF_GZIP) {
            Some(Self::Gz)
        } else if head.starts_with(b"PK\x03\x04") {
            Some(Self::Zip)
        } else {
            let (offset, magic) = TAR_MAGIC;
            head.get(offset..).is_some_and(|found| found.starts_with(magic)).then_some(Self::Tar)
        }
    }
}
