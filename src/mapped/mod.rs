//! Files that are mapped into memory.

#[cfg(unix)]
mod faults;

use std::fs::{self, File, Metadata};
use std::path::Path;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use memmap2::{Mmap, MmapOptions};

use crate::error::{Error, Result};
use crate::file_parts::part_at;
use crate::file_state::FileState;
use crate::temporary;

/// A file that is mapped into memory: its pages are read on demand, and belong to the system's cache.
#[derive(Debug)]
pub(crate) struct MappedFile {
    /// Dropped before the map.
    #[cfg(unix)]
    watch: Mutex<Option<faults::Watch>>,
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
    state: FileState,
}

/// The minimum length of a part for which releasing pages is worth a system call.
#[cfg(unix)]
const RELEASED_BYTES: usize = 1 << 20;

/// The longest time between two times that a file system can write down.
const TICK: Duration = Duration::from_millis(12);

/// How long to wait until another write to a file that was just written to gets another time.
fn rest_of_tick(metadata: &Metadata) -> Option<Duration> {
    TICK.checked_sub(metadata.modified().ok()?.elapsed().ok()?)
}

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
        let mut of_file = file.metadata().map_err(failed)?;
        if let Some(rest) = rest_of_tick(&of_file).filter(|_| !temporary::contains(path)) {
            std::thread::sleep(rest);
            of_file = file.metadata().map_err(failed)?;
        }
        // The state of the archive that a part is in is checked with the archive.
        let state = FileState::new(path, if part.is_some() { &metadata } else { &of_file });
        let in_file = of_file.len();
        let range = part.map_or(0..in_file, |part| part.range.start..part.range.end.min(in_file));
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let map = if length == 0 {
            None
        } else {
            // SAFETY: the map is read-only and private to this struct, which returns shared slices that do not outlive
            // it. The type system cannot exclude that another process writes to the file. Other bytes are only wrong values, which
            // checksums and bounds checks detect as damage; a part that is gone becomes zeros (see `faults`). Both are errors when
            // the state of the file is checked at the end.
            Some(unsafe { MmapOptions::new().offset(range.start).len(length).map(&*file) }.map_err(failed)?)
        };
        #[cfg(unix)]
        let watch = map.as_ref().map(|map| {
            let start = map.as_ptr() as usize;
            faults::Watch::new(start..start + map.len(), state.flag())
        });
        Ok(Self {
            #[cfg(unix)]
            watch: Mutex::new(watch),
            map,
            state,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.state.path()
    }

    /// The state of the file when it was opened.
    pub(crate) fn state(&self) -> &FileState {
        &self.state
    }

    /// An error about the contents of the file. If the file cannot be read any more or has changed, it says so instead.
    pub(crate) fn error(&self, error: Error) -> Error {
        self.state.explain(error)
    }

    /// Leaves the map to a program that reads it at any time, when nobody checks the state of the file any more. From now on, the
    /// system ends the program if the file becomes shorter, instead of showing it zeros.
    #[cfg_attr(not(unix), allow(unused))]
    pub(crate) fn leave(&self) {
        #[cfg(unix)]
        drop(self.watch.lock().unwrap_or_else(PoisonError::into_inner).take());
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn file_of(bytes: usize) -> (tempfile::TempDir, MappedFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![7; bytes]).unwrap();
        let file = MappedFile::open(&path).unwrap();
        (folder, file)
    }

    fn sum(file: &MappedFile) -> usize {
        file.bytes().iter().map(|&byte| usize::from(byte)).sum()
    }

    #[test]
    fn a_file_that_becomes_shorter_has_zeros_and_an_error() {
        const BYTES: usize = 1 << 20;
        let (_folder, file) = file_of(BYTES);
        let (_other_folder, other) = file_of(BYTES);
        assert_eq!(sum(&file), 7 * BYTES);
        File::options().write(true).open(file.path()).unwrap().set_len(1 << 16).unwrap();
        assert_eq!(sum(&file), 7 << 16);
        let error = file.error(Error::new("block", "it is damaged")).to_string();
        assert!(error.contains("it was written to while it was read"), "{error}");
        // Not even if it looks as before.
        let content = File::options().write(true).open(file.path()).unwrap();
        content.set_len(BYTES as u64).unwrap();
        assert!(file.state().check().is_err());
        assert_eq!(sum(&other), 7 * BYTES);
        assert!(other.state().check().is_ok());
    }

    #[test]
    fn a_write_shortly_after_another_one_is_noticed() {
        for _ in 0..20 {
            let (_folder, file) = file_of(1000);
            fs::write(file.path(), vec![8; 1000]).unwrap();
            assert!(file.state().check().is_err());
        }
    }

    #[test]
    fn a_part_that_cannot_be_read_is_an_error_though_the_file_is_the_same() {
        let (_folder, file) = file_of(1 << 16);
        let (_shorter_folder, shorter) = file_of(1 << 12);
        let start = file.bytes().as_ptr() as *mut libc::c_void;
        let mapped = File::open(shorter.path()).unwrap();
        // As if the disk could not read what is behind the first page.
        // SAFETY: the addresses are those of the map, which nobody else uses.
        let replaced = unsafe {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&mapped);
            libc::mmap(start, 1 << 16, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_FIXED, fd, 0)
        };
        assert_eq!(replaced, start);
        assert!(file.state().check().is_ok());
        assert_eq!(sum(&file), 7 << 12);
        let error = file.state().check().unwrap_err().to_string();
        assert!(error.contains("a part of it cannot be read"), "{error}");
    }
}
