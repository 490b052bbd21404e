//! Output files. They are written beside their destination and then renamed, so that a failure keeps the existing file and
//! leaves no incomplete one.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

use crate::error::{Error, Result};
use crate::temporary::Temporary;

/// The beginning and the end of the names of files that are not renamed yet.
const PREFIX: &str = ".tf2onnx-rs-";
const SUFFIX: &str = ".partial";

/// The time after the last write from which a file counts as abandoned. Running processes write all the time. A lock would
/// be more precise, but locking can hang on the filesystems of clusters.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// An output file that is being written.
#[derive(Debug)]
pub struct OutputFile {
    file: Temporary<NamedTempFile>,
    path: PathBuf,
}

impl OutputFile {
    /// Creates the file for `path`. If `path` is a link, the target of the link is written.
    ///
    /// # Errors
    /// If `path` is a folder, a device or a broken link, or its folder cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let path = target_of(path)?;
        let folder = folder_of(&path)?;
        match Temporary::file(|| builder(0o666).tempfile_in(folder)) {
            Ok(file) => Ok(Self { file, path }),
            Err(error) => Err(unwritable(&path, &error)),
        }
    }

    /// The file to write to.
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Reserves disk space for the file. Writing to reserved space is faster, and a full disk is noticed before anything is
    /// written.
    ///
    /// # Errors
    /// If there is not enough space.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            use rustix::io::Errno;
            // Other errors are ignored: some filesystems cannot reserve space.
            if let Err(full @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) =
                fallocate(self.file(), FallocateFlags::empty(), 0, bytes.max(1))
            {
                return Err(self.error(&full.into()));
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
        Ok(())
    }

    /// Writes bytes at an offset in the file. Threads can call it at the same time for different parts of the file.
    ///
    /// # Errors
    /// If the disk is full or broken.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        #[cfg(unix)]
        let written = std::os::unix::fs::FileExt::write_all_at(self.file(), bytes, offset);
        #[cfg(windows)]
        let written = {
            let mut done = 0;
            loop {
                if done == bytes.len() {
                    break Ok(());
                }
                let offset = offset + done as u64;
                match std::os::windows::fs::FileExt::seek_write(self.file(), &bytes[done..], offset) {
                    Ok(count) => done += count,
                    Err(error) => break Err(error),
                }
            }
        };
        written.map_err(|error| self.error(&error))
    }

    /// The error for a failed write.
    pub fn error(&self, error: &std::io::Error) -> Error {
        unwritable(&self.path, error)
    }

    /// Renames the file to its final path.
    ///
    /// # Errors
    /// If an existing file cannot be replaced.
    pub fn persist(self) -> Result<()> {
        let Self { file, path } = self;
        file.finish(|file| file.persist(&path).map(drop)).map_err(|error| unwritable(&path, &error.error))
    }
}

/// An output folder that is being written: it does not exist yet, or is empty.
#[derive(Debug)]
pub struct FolderOutput {
    folder: Temporary<TempDir>,
    path: PathBuf,
}

impl FolderOutput {
    /// Creates the folder for `path` under a temporary name beside it.
    ///
    /// # Errors
    /// If `path` is a file or a folder that is not empty, or its parent cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        check_new_folder(path)?;
        Ok(Self { folder: folder_beside(path)?, path: path.to_owned() })
    }

    /// Its path until it is renamed.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The temporary folder itself.
    pub fn folder(&self) -> &Temporary<TempDir> {
        &self.folder
    }

    /// Renames the folder to its final path.
    ///
    /// # Errors
    /// If there is a folder with files in it by now, or renaming fails.
    pub fn persist(self) -> Result<()> {
        let Self { folder, path } = self;
        if path.is_dir() {
            // This fails if the folder is not empty.
            std::fs::remove_dir(&path).map_err(|error| unwritable(&path, &error))?;
        }
        std::fs::rename(folder.path(), &path).map_err(|error| unwritable(&path, &error))?;
        // The folder is renamed and has to stay.
        folder.finish(TempDir::keep);
        Ok(())
    }
}

/// Checks that a folder does not exist, or is empty.
fn check_new_folder(path: &Path) -> Result<()> {
    if path.file_name().is_none() {
        return Err(Error::file(path, "it has no file name").advice("name a new folder"));
    }
    match std::fs::read_dir(path) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::file(path, "is a folder that is not empty")
                .advice("name a new folder, or empty this one")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            Err(Error::file(path, "exists already, and is not a folder").advice("choose another output"))
        }
    }
}

/// The path that is written for an output: for a link, its target.
///
/// # Errors
/// If it is a folder, a device or a broken link.
pub fn target_of(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Error::file(path, "it names a folder").advice("name a file in it"));
    }
    let Ok(metadata) = path.metadata() else {
        return match path.read_link() {
            Ok(to) => {
                Err(Error::file(path, format!("it is a link to {}, which does not exist", to.display()))
                    .advice("remove the link, or choose another output"))
            }
            Err(_) => Ok(path.to_owned()),
        };
    };
    if metadata.is_dir() {
        return Err(Error::file(path, "the output is an existing folder").advice("name a file in it"));
    }
    if !metadata.is_file() {
        // Renaming would replace it by a file.
        return Err(Error::file(path, "it is a device or a pipe, not a file")
            .advice("name a file; to write a model to standard output, give - as the output of convert"));
    }
    if path.is_symlink() {
        path.canonicalize().map_err(|error| unwritable(path, &error))
    } else {
        Ok(path.to_owned())
    }
}

/// Checks that an output would not overwrite one of the inputs.
///
/// # Errors
/// If it would.
pub fn refuse_overwriting<P: AsRef<Path>>(output: &Path, inputs: impl IntoIterator<Item = P>) -> Result<()> {
    // A file that does not exist yet is not an input.
    let Ok(existing) = same_file::Handle::from_path(output) else { return Ok(()) };
    let is_output = |input: P| same_file::Handle::from_path(input).is_ok_and(|input| input == existing);
    if inputs.into_iter().any(is_output) {
        return Err(Error::file(output, "it is an input too, and would be overwritten")
            .advice("choose another output"));
    }
    Ok(())
}

/// Checks that no other output is the same file.
///
/// # Errors
/// If one is, also under another path.
pub fn refuse_same_path<P: AsRef<Path>>(output: &Path, others: impl IntoIterator<Item = P>) -> Result<()> {
    let path = resolved_path(output);
    if others.into_iter().any(|other| resolved_path(other.as_ref()) == path) {
        return Err(Error::file(output, "another output has this name").advice("choose another name"));
    }
    Ok(())
}

/// The path of an existing or future file, with all links to folders resolved. A link to a file keeps its name.
pub fn resolved_path(path: &Path) -> PathBuf {
    let parent =
        path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    match (parent.map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned()),
    }
}

/// Creates an empty temporary folder beside `path`, which can be renamed to `path`, or whose content can.
///
/// # Errors
/// If the folder of `path` cannot be written.
pub fn folder_beside(path: &Path) -> Result<Temporary<TempDir>> {
    let folder = folder_of(path)?;
    Temporary::folder_by(|| builder(0o777).tempdir_in(folder)).map_err(|error| unwritable(path, &error))
}

/// The folder of an output.
fn folder_of(path: &Path) -> Result<&Path> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::file(path, format!("the folder {} does not exist", folder.display()))
            .advice("create it, or choose another output"));
    }
    Ok(folder)
}

/// Creates a folder for outputs, and its parents.
///
/// # Errors
/// If it cannot be created.
pub fn make_folder(path: &Path) -> Result<()> {
    match std::fs::create_dir_all(path) {
        Ok(()) => Ok(()),
        Err(_) if path.exists() => {
            Err(Error::file(path, "it is a file, not a folder")
                .advice("choose another folder for the outputs"))
        }
        Err(error) => Err(Error::file(path, format!("the folder cannot be created: {error}"))
            .advice("choose another folder for the outputs")),
    }
}

/// Builds temporary files with our prefix and suffix, and with the permissions of ordinary files: by default, only the
/// owner may read temporary files.
fn builder(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// Removes incomplete files of killed processes from folders. Keeps files that a process may still write to, on this
/// machine or another one.
pub fn remove_abandoned(folders: impl IntoIterator<Item = PathBuf>) {
    let folders: BTreeSet<PathBuf> = folders.into_iter().collect();
    for entry in folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if name.starts_with(PREFIX)
            && name.ends_with(SUFFIX)
            && age().is_some_and(|age| age > ABANDONED_AFTER)
        {
            // Another process may have removed it already.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The error for an output that cannot be written.
pub fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    // Without the name of the temporary file, which the user does not know.
    let problem = match error.raw_os_error() {
        Some(_) => error.to_string(),
        None => error.kind().to_string(),
    };
    Error::file(path, format!("it cannot be written: {problem}"))
        .advice("choose another output")
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn an_output_that_is_an_input_too_is_refused_under_any_path() {
        let folder = tempfile::tempdir().unwrap();
        let [model, other] = ["model.ckpt", "other"].map(|name| folder.path().join(name));
        File::create(&model).unwrap();
        File::create(&other).unwrap();
        let again = folder.path().join(".").join("model.ckpt");
        assert!(refuse_overwriting(&other, [&model]).is_ok());
        assert!(refuse_overwriting(&folder.path().join("new.onnx"), [&model]).is_ok());
        let error = refuse_overwriting(&again, [&other, &model]).unwrap_err().to_string();
        assert!(error.contains("it is an input too"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("models")).unwrap();
        std::fs::write(path("models/real.onnx"), "old").unwrap();
        std::os::unix::fs::symlink("models/real.onnx", path("link.onnx")).unwrap();
        let output = OutputFile::create(&path("link.onnx")).unwrap();
        output.write_at(0, b"new").unwrap();
        output.persist().unwrap();
        assert!(path("link.onnx").is_symlink());
        assert_eq!(std::fs::read(path("models/real.onnx")).unwrap(), b"new");

        std::os::unix::fs::symlink("nowhere", path("dangling.onnx")).unwrap();
        let message = |path: &Path| OutputFile::create(path).unwrap_err().to_string();
        assert!(message(&path("dangling.onnx")).contains("it is a link to nowhere, which does not exist"));
        assert!(message(Path::new("/dev/null")).contains("it is a device or a pipe"));
        assert!(message(&path("models/")).contains("it names a folder"));
    }

    #[test]
    fn only_abandoned_files_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let long_ago = SystemTime::now() - 2 * ABANDONED_AFTER;
        for name in [".tf2onnx-rs-a.partial", "a.onnx"] {
            File::create(path(name)).unwrap().set_modified(long_ago).unwrap();
        }
        File::create(path(".tf2onnx-rs-young.partial")).unwrap();
        let open = OutputFile::create(&path("b.onnx")).unwrap();
        remove_abandoned([folder.path().to_owned(), path("absent")]);
        assert!(!path(".tf2onnx-rs-a.partial").exists());
        assert!(path("a.onnx").exists() && path(".tf2onnx-rs-young.partial").exists());
        open.persist().unwrap();
        assert!(path("b.onnx").exists());
    }
}
