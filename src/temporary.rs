//! Temporary files and folders, known by their paths, so that they can be removed when a signal ends the program and
//! nothing is dropped any more.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, TempDir};

static PATHS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A set of paths is whole whatever became of the thread that held it.
fn paths() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    PATHS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is removed when it is dropped, and when a signal ends the program.
#[derive(Debug)]
pub struct Temporary<T> {
    // Dropped, and with that removed, before it is forgotten.
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
        // Held from before there is anything to remove.
        let mut paths = paths();
        let inner = make()?;
        let path = path(&inner).to_owned();
        paths.insert(path.clone());
        Ok(Self { inner, registered: Registered(path) })
    }

    /// Gives it to a function that makes something lasting of it, or drops it.
    pub fn finish<R>(self, make_lasting: impl FnOnce(T) -> R) -> R {
        let Self { inner, registered } = self;
        let made = make_lasting(inner);
        drop(registered);
        made
    }
}

impl Temporary<NamedTempFile> {
    /// Makes a file.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn file(make: impl FnOnce() -> io::Result<NamedTempFile>) -> io::Result<Self> {
        Self::create(make, NamedTempFile::path)
    }
}

impl Temporary<TempDir> {
    /// Makes a private folder among the system's temporary ones.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn folder() -> io::Result<Self> {
        Self::folder_by(|| tempfile::Builder::new().prefix("tf2onnx-rs-").tempdir())
    }

    /// Makes the folders between this one and a file in it. This one itself is not made: where it has gone, a signal is
    /// ending the program, and nothing is to stay behind.
    ///
    /// # Errors
    /// Where there is no room for them, or no folder any more.
    pub fn make_folders_of(&self, file: &Path) -> io::Result<()> {
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

    /// Makes a folder.
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

/// Removes everything that is temporary. For the end of the program alone: nothing temporary can be made from here on.
pub fn remove_all() {
    let paths = paths();
    for path in paths.iter() {
        // Another thread may still be writing into a folder.
        for _ in 0..ATTEMPTS {
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            if removed.is_ok() || !path.exists() {
                break;
            }
        }
    }
    std::mem::forget(paths);
}

/// How often a folder is removed in which something appears again.
const ATTEMPTS: usize = 100;
