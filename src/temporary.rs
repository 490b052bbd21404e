//! Temporary files and folders. Their paths are registered, so that they can be removed when a signal ends the program
//! and no destructors run.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, TempDir};

use crate::interruption::Interruption;

/// The paths, each with the interruption of the work that it belongs to.
static PATHS: Mutex<BTreeMap<PathBuf, Interruption>> = Mutex::new(BTreeMap::new());

/// Locks the paths. A panic of another thread leaves the map consistent.
fn paths() -> MutexGuard<'static, BTreeMap<PathBuf, Interruption>> {
    PATHS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file or folder that is removed when it is dropped, or when a signal ends the program.
#[derive(Debug)]
pub struct Temporary<T> {
    // The first field, because it has to be dropped (and so removed) before `registered`.
    inner: T,
    registered: Registered,
}

#[derive(Debug)]
struct Registered(PathBuf);

impl Drop for Registered {
    fn drop(&mut self) {
        paths().remove(&self.0);
    }
}

impl<T> Temporary<T> {
    fn create(make: impl FnOnce() -> io::Result<T>, path: impl FnOnce(&T) -> &Path) -> io::Result<Self> {
        // Locked before the file exists, so that it cannot remain unregistered.
        let mut paths = paths();
        let interruption = Interruption::current();
        // The files of interrupted work may be removed already.
        interruption.check().map_err(io::Error::other)?;
        let inner = make()?;
        let path = path(&inner).to_owned();
        paths.insert(path.clone(), interruption);
        Ok(Self { inner, registered: Registered(path) })
    }

    /// Passes the file or folder to `persist`, which keeps or drops it, and unregisters it.
    pub fn finish<R>(self, persist: impl FnOnce(T) -> R) -> R {
        let Self { inner, registered } = self;
        let result = persist(inner);
        drop(registered);
        result
    }
}

impl Temporary<NamedTempFile> {
    /// Creates a file.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn file(make: impl FnOnce() -> io::Result<NamedTempFile>) -> io::Result<Self> {
        Self::create(make, NamedTempFile::path)
    }
}

impl Temporary<TempDir> {
    /// Creates a private folder in the system's temporary folder.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn folder() -> io::Result<Self> {
        Self::folder_by(|| tempfile::Builder::new().prefix("tf2onnx-rs-").tempdir())
    }

    /// Creates the folders between this one and a file in it. Does not create this folder again: if it is gone, a signal is
    /// ending the program, and no files may remain.
    ///
    /// # Errors
    /// If they cannot be created.
    pub fn create_parents(&self, file: &Path) -> io::Result<()> {
        let mut folder = self.path().to_owned();
        for part in file.parent().into_iter().flatten() {
            folder.push(part);
            match std::fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Creates a folder.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn folder_by(make: impl FnOnce() -> io::Result<TempDir>) -> io::Result<Self> {
        Self::create(make, TempDir::path)
    }
}

impl<T> std::ops::Deref for Temporary<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

/// Removes all temporary files and folders, at the end of the program. No others can be created afterwards.
pub fn remove_all() {
    let paths = paths();
    paths.keys().for_each(|path| remove(path));
    std::mem::forget(paths);
}

/// Removes the temporary files and folders of interrupted work that has not ended. It cannot create others.
pub fn remove_of(interruption: &Interruption) {
    let paths = paths();
    paths.iter().filter(|(_, other)| other.is_same(interruption)).for_each(|(path, _)| remove(path));
}

fn remove(path: &Path) {
    // Another thread may still be writing into a folder.
    for _ in 0..ATTEMPTS {
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        if removed.is_ok() || !path.exists() {
            break;
        }
    }
}

/// The number of attempts to remove a folder that other threads still write to.
const ATTEMPTS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_work_loses_its_files_and_makes_no_others() {
        let (interrupted, other) = (Interruption::default(), Interruption::default());
        let make = || Temporary::<TempDir>::folder();
        let (lost, kept) = (interrupted.run(make).unwrap(), other.run(make).unwrap());
        interrupted.interrupt();
        remove_of(&interrupted);
        assert!(!lost.path().exists() && kept.path().exists());
        assert!(interrupted.run(make).is_err() && other.run(make).is_ok());
    }
}
