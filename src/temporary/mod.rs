//! Temporary files and folders. Their paths are registered, so that they can be removed when a signal ends the program
//! and no destructors run. Their names have the process that they belong to, so that another one can remove them if this one is
//! killed.

mod abandoned;
mod owner;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, TempDir};

pub use abandoned::remove_abandoned;
use owner::Owner;

use crate::interruption::Interruption;

/// The beginning of the names of temporary folders in the system's folder for them.
const NAME: &str = "tf2onnx-rs-";
/// The beginning and the end of the names of files and folders that are renamed to an output when they are complete.
const HIDDEN: &str = ".tf2onnx-rs-";
const PARTIAL: &str = ".partial";

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
    /// Creates it in a folder with `make`. Removes what killed processes left there and in the system's temporary folder.
    fn create(
        folder: &Path,
        make: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> &Path,
    ) -> io::Result<Self> {
        remove_abandoned(folder);
        remove_abandoned(&std::env::temp_dir());
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

    /// Turns it into something else that removes the same file or folder when it is dropped.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn try_map<U>(self, change: impl FnOnce(T) -> io::Result<U>) -> io::Result<Temporary<U>> {
        let Self { inner, registered } = self;
        Ok(Temporary { inner: change(inner)?, registered })
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
    /// Creates a file beside an output, with the permissions of ordinary files: by default, only the owner may read temporary
    /// files.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn file_in(folder: &Path) -> io::Result<Self> {
        let prefix = prefix(HIDDEN);
        let open = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        Self::create(folder, || builder(&prefix).make_in(folder, open), NamedTempFile::path)
    }
}

impl Temporary<NamedTempFile<()>> {
    /// Gives an existing file a second name in a folder.
    ///
    /// # Errors
    /// If the filesystem cannot.
    pub fn link_in(folder: &Path, file: &Path) -> io::Result<Self> {
        let prefix = prefix(HIDDEN);
        let link = || builder(&prefix).make_in(folder, |path| std::fs::hard_link(file, path));
        Self::create(folder, link, NamedTempFile::path)
    }
}

impl Temporary<TempDir> {
    /// Creates a private folder in the system's temporary folder.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn folder() -> io::Result<Self> {
        let (folder, prefix) = (std::env::temp_dir(), prefix(NAME));
        Self::create(&folder, || tempfile::Builder::new().prefix(&prefix).tempdir_in(&folder), TempDir::path)
    }

    /// Creates a folder beside an output, with the permissions of ordinary folders.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn folder_in(folder: &Path) -> io::Result<Self> {
        let prefix = prefix(HIDDEN);
        let make = || {
            let mut builder = builder(&prefix);
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
            builder.tempdir_in(folder)
        };
        Self::create(folder, make, TempDir::path)
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
}

/// The beginning of the name of a temporary file of this process.
fn prefix(name: &str) -> String {
    format!("{name}{}-", Owner::this_process())
}

/// Makes files and folders that are renamed when they are complete.
fn builder(prefix: &str) -> tempfile::Builder<'_, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(PARTIAL);
    builder
}

impl<T> std::ops::Deref for Temporary<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

/// Whether a file is a temporary file of this process, or in a temporary folder: nobody else writes to it.
pub fn contains(path: &Path) -> bool {
    paths().keys().any(|temporary| path.starts_with(temporary))
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
