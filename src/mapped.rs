//! A file seen as a slice of bytes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::{Error, Result};

/// A file mapped into memory: its pages are read when they are looked at, and belong to the system's cache.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
}

impl MappedFile {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::unreadable(path, &error);
        // Looked at before it is opened: opening a named pipe would wait for somebody to write.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(Error::file(path, "is not a regular file"));
        }
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let map = if length == 0 {
            None
        } else {
            // SAFETY: the map is read-only and private to this struct, which hands out shared slices that
            // live no longer than it. What the type system cannot rule out is another process that
            // truncates the file meanwhile: reading past its new end then ends this process (SIGBUS). A
            // checkpoint is not written to while it is converted; TensorFlow itself writes a new file and
            // renames it. Every other change of the bytes can only make wrong values, which the checksums
            // and bounds checks of this module take for damage.
            Some(unsafe { Mmap::map(&file) }.map_err(failed)?)
        };
        Ok(Self { path: path.to_path_buf(), map })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// Has all pages of a part of the file mapped at once, which costs a fraction of a fault for every few of them. For
    /// what is about to be read as a whole.
    pub(crate) fn expect(&self, part: &[u8]) {
        let start = (part.as_ptr() as usize).checked_sub(self.bytes().as_ptr() as usize);
        #[cfg(target_os = "linux")]
        if let (Some(map), Some(start)) = (&self.map, start)
            && start + part.len() <= map.len()
        {
            // An older kernel knows no such advice, and the faults come as they come.
            let _ = map.advise_range(memmap2::Advice::PopulateRead, start, part.len());
        }
        #[cfg(not(target_os = "linux"))]
        let _ = start;
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}
