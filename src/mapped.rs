//! Files that are mapped into memory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};

use crate::error::{Error, Result};
use crate::file_parts::part_at;

/// A file that is mapped into memory: its pages are read on demand, and belong to the system's cache.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
}

/// The minimum length of a part for which releasing pages is worth a system call.
const RELEASED_BYTES: usize = 1 << 20;

impl MappedFile {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::unreadable(path, &error);
        // Checked before the file is opened, because opening a named pipe would wait for a writer.
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        if !metadata.is_file() {
            return Err(Error::file(path, "it is a device or a pipe, not a file").advice("copy it to a file"));
        }
        let part = part_at(path);
        let file = match &part {
            Some(part) => part.file.clone(),
            None => Arc::new(File::open(path).map_err(failed)?),
        };
        let in_file = file.metadata().map_err(failed)?.len();
        let range = part.map_or(0..in_file, |part| part.range.start..part.range.end.min(in_file));
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let map = if length == 0 {
            None
        } else {
            // SAFETY: the map is read-only and private to this struct, which returns shared slices that do not outlive
            // it. The type system cannot exclude that another process truncates the file: reading beyond the new end
            // then ends this process (SIGBUS). Checkpoints are not written to while they are converted: TensorFlow
            // writes a new file and renames it. Any other change of the bytes only gives wrong values, which
            // checksums and bounds checks detect as damage.
            Some(unsafe { MmapOptions::new().offset(range.start).len(length).map(&*file) }.map_err(failed)?)
        };
        Ok(Self { path: path.to_path_buf(), map })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// Maps all pages of a part of the file at once, which is faster than many page faults. For parts that will be read
    /// completely.
    #[cfg_attr(not(target_os = "linux"), allow(unused))]
    pub(crate) fn expect(&self, part: &[u8]) {
        #[cfg(target_os = "linux")]
        if let Some((map, start)) = self.offset_of(part) {
            // Older kernels do not have this advice. Then the pages are mapped on demand.
            let _ = map.advise_range(memmap2::Advice::PopulateRead, start, part.len());
        }
    }

    /// Unmaps the pages of a part of the file that will probably not be read again. At the end of the process, a single core
    /// would have to do this. The pages stay in the system's cache and can be read again.
    #[cfg_attr(not(unix), allow(unused))]
    pub(crate) fn release(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Some((map, start)) = self.offset_of(part).filter(|_| part.len() >= RELEASED_BYTES) {
            // SAFETY: this advice discards only changes of private pages, and this map is never written to.
            let _ =
                unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, part.len()) };
        }
    }

    /// The map, and the offset of a part of the file in it.
    #[cfg_attr(not(unix), allow(unused))]
    fn offset_of(&self, part: &[u8]) -> Option<(&Mmap, usize)> {
        let map = self.map.as_ref()?;
        let start = (part.as_ptr() as usize).checked_sub(map.as_ptr() as usize)?;
        (start + part.len() <= map.len()).then_some((map, start))
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}
