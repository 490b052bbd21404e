//! Removes the temporary files and folders of processes that were killed.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use walkdir::WalkDir;

use super::owner::Owner;
use super::{HIDDEN, NAME, PARTIAL};

/// The time after the last write from which a file counts as abandoned whose process is not known, because it is that of another
/// machine. Running processes write all the time.
const FILE_ABANDONED_AFTER: Duration = Duration::from_secs(3600);
/// The same for a folder, which may be read for a long time after it was written.
const FOLDER_ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Removes what killed processes left in a folder, the first time that this process asks for it. Files and folders of living
/// processes and of other users stay.
pub fn remove_abandoned(folder: &Path) {
    static SEEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned()) {
        remove_in(folder);
    }
}

fn remove_in(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| is_temporary(name) && is_abandoned(name, &entry)) {
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // Another process may have removed it already.
            let _ = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// Whether a name is that of a temporary file or folder, also of an earlier version, which left out the process.
fn is_temporary(name: &str) -> bool {
    owner(name).is_some() || (name.starts_with(HIDDEN) && name.ends_with(PARTIAL))
}

/// The process in the name of a temporary file or folder. After it, the name has random characters.
fn owner(name: &str) -> Option<Owner> {
    let stamped = match name.strip_prefix(HIDDEN) {
        Some(rest) => rest.strip_suffix(PARTIAL)?,
        None => name.strip_prefix(NAME)?,
    };
    Owner::parse(stamped.rsplit_once('-')?.0)
}

fn is_abandoned(name: &str, entry: &DirEntry) -> bool {
    let Some(metadata) = entry.metadata().ok().filter(is_own) else { return false };
    owner(name).and_then(Owner::has_ended).unwrap_or_else(|| {
        let limit = if metadata.is_dir() { FOLDER_ABANDONED_AFTER } else { FILE_ABANDONED_AFTER };
        let age = |metadata: Metadata| metadata.modified().ok()?.elapsed().ok();
        // A folder has the time at which the last file was created in it, and not that of the last write to one.
        WalkDir::new(entry.path()).into_iter().all(|inside| {
            inside.ok().and_then(|inside| age(inside.metadata().ok()?)).is_some_and(|age| age > limit)
        })
    })
}

/// Whether a file belongs to the user.
#[cfg(unix)]
fn is_own(metadata: &Metadata) -> bool {
    // SAFETY: the call has no arguments and cannot fail.
    std::os::unix::fs::MetadataExt::uid(metadata) == unsafe { libc::geteuid() }
}

#[cfg(not(unix))]
fn is_own(_: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_abandoned_files_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let long_ago = SystemTime::now() - 2 * FILE_ABANDONED_AFTER;
        for name in
            [".tf2onnx-rs-a.partial", "a.onnx", "tf2onnx-rs-notes", ".tf2onnx-rs-00000000-1-1-a.partial"]
        {
            File::create(path(name)).unwrap().set_modified(long_ago).unwrap();
        }
        let living = format!("{NAME}{}-a", Owner::this_process());
        fs::create_dir(path(&living)).unwrap();
        let ours = format!("{HIDDEN}{}-a{PARTIAL}", Owner::this_process());
        File::create(path(&ours)).unwrap().set_modified(long_ago).unwrap();
        for name in [".tf2onnx-rs-young.partial", ".tf2onnx-rs-00000000-1-1-young.partial"] {
            File::create(path(name)).unwrap();
        }
        remove_in(folder.path());
        remove_in(&path("absent"));
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected = [
            ".tf2onnx-rs-00000000-1-1-young.partial",
            ".tf2onnx-rs-young.partial",
            "a.onnx",
            "tf2onnx-rs-notes",
            &living,
            &ours,
        ];
        expected.sort();
        assert_eq!(left, expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_an_ended_process_left_is_removed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let text = Owner::this_process().to_string();
        // The process has this number, and began at another time.
        let ended = format!("{}1", text);
        let (file, inside) = (format!("{HIDDEN}{ended}-a{PARTIAL}"), format!("{NAME}{ended}-b/model/x"));
        File::create(folder.path().join(file)).unwrap();
        fs::create_dir_all(folder.path().join(inside)).unwrap();
        remove_in(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
