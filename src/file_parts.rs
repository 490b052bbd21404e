//! Parts of files that are read like files: the members of an archive, which need not be copied. An empty file stands for each part;
//! at its path, [`MappedFile`](crate::mapped::MappedFile) maps the part.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A part of a file.
#[derive(Debug, Clone)]
pub(crate) struct FilePart {
    pub(crate) file: Arc<File>,
    pub(crate) range: Range<u64>,
}

/// The parts by the paths that stand for them.
static PARTS: Mutex<BTreeMap<PathBuf, FilePart>> = Mutex::new(BTreeMap::new());

/// Locks the parts. A panic of another thread leaves the map consistent.
fn parts() -> MutexGuard<'static, BTreeMap<PathBuf, FilePart>> {
    PARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part that a path stands for.
pub(crate) fn part_at(path: &Path) -> Option<FilePart> {
    parts().get(path).cloned()
}

/// The parts of one file. Their paths stand for them until it is dropped.
#[derive(Debug)]
pub(crate) struct FileParts {
    file: Arc<File>,
    paths: Vec<PathBuf>,
}

impl FileParts {
    pub(crate) fn of(file: File) -> Self {
        Self { file: Arc::new(file), paths: vec![] }
    }

    /// Lets a path stand for a part.
    pub(crate) fn add(&mut self, path: PathBuf, range: Range<u64>) {
        parts().insert(path.clone(), FilePart { file: self.file.clone(), range });
        self.paths.push(path);
    }

    /// Lets a path stand for itself again.
    pub(crate) fn remove(&mut self, path: &Path) {
        parts().remove(path);
        self.paths.retain(|other| other != path);
    }
}

impl Drop for FileParts {
    fn drop(&mut self) {
        let mut parts = parts();
        for path in &self.paths {
            parts.remove(path);
        }
    }
}
