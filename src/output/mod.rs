//! Output files. They are written beside their destination and then renamed, so that a failure keeps the existing file and
//! leaves no incomplete one.

mod archive;
mod rename;
mod target;

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::error::{Error, Result};
use crate::file_state::FileState;
use crate::temporary::Temporary;
pub use archive::ArchiveOutput;
pub use rename::rename_all;
use target::folder_of;
pub use target::{
    keep_owner, keep_permissions, make_folder, refuse_overwriting, refuse_same_path, resolved_path, target_of,
};

/// An output file that is being written.
#[derive(Debug)]
pub struct OutputFile {
    file: Temporary<NamedTempFile>,
    path: PathBuf,
}

impl OutputFile {
    /// Creates the file for `path`. If `path` is a link, the target of the link is written. If there is a file already, the new one
    /// gets its permissions and, as far as the user may set them, its owner and group.
    ///
    /// # Errors
    /// If `path` is a folder, a device, a broken link or a file that the user may not write, or its folder cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let path = target_of(path)?;
        let file = Temporary::file_in(folder_of(&path)?).map_err(|error| unwritable(&path, &error))?;
        keep_permissions(file.as_file(), &path)?;
        Ok(Self { file, path })
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
            use std::os::fd::AsRawFd;
            let bytes = libc::off64_t::try_from(bytes.max(1)).unwrap_or(libc::off64_t::MAX);
            // SAFETY: the call has no pointers.
            if unsafe { libc::fallocate64(self.file().as_raw_fd(), 0, 0, bytes) } != 0 {
                let error = std::io::Error::last_os_error();
                // Other errors are ignored: some filesystems cannot reserve space.
                if let Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) = error.raw_os_error() {
                    return Err(self.error(&error));
                }
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

    /// Renames the file to its final path, if the files that it was made of are as they were when they were opened.
    ///
    /// # Errors
    /// If one of `sources` was written to or could not be read, or an existing file cannot be replaced.
    pub fn persist(self, sources: &[FileState]) -> Result<()> {
        Self::persist_all([self], sources)
    }

    /// The same for several files, in this order. On an error, all existing files stay as they are.
    ///
    /// # Errors
    /// Those of [`OutputFile::persist`].
    pub fn persist_all(files: impl IntoIterator<Item = Self>, sources: &[FileState]) -> Result<()> {
        sources.iter().try_for_each(FileState::check)?;
        let mut complete = vec![];
        for Self { file, path } in files {
            keep_owner(file.as_file(), &path);
            // Some filesystems write only when a file is closed.
            let closed = file.try_map(|file| {
                let (file, path) = file.into_parts();
                close(file).map(|()| path)
            });
            complete.push((closed.map_err(|error| unwritable(&path, &error))?, path));
        }
        rename_all(complete.iter().map(|(from, to)| (&**from as &Path, to.as_path())))?;
        for (renamed, _) in complete {
            // There is nothing left to remove.
            let _ = renamed.finish(tempfile::TempPath::keep);
        }
        Ok(())
    }
}

/// Closes a file, which may be when the system notices that the disk is full or broken.
///
/// # Errors
/// If it is.
#[cfg_attr(not(unix), allow(clippy::unnecessary_wraps))]
pub fn close(file: File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        // SAFETY: the file was its owner, and it is gone.
        if unsafe { libc::close(std::os::fd::IntoRawFd::into_raw_fd(file)) } != 0 {
            let error = std::io::Error::last_os_error();
            // After an interruption, the file is closed all the same.
            if error.kind() != std::io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
    #[cfg(not(unix))]
    drop(file);
    Ok(())
}

/// An output folder that is being written: it does not exist yet, or is empty.
#[derive(Debug)]
pub struct FolderOutput {
    folder: Temporary<TempDir>,
    path: PathBuf,
}

impl FolderOutput {
    /// Creates the folder for `path` under a temporary name beside it. If `path` is a link to an empty folder, that folder is
    /// written.
    ///
    /// # Errors
    /// If `path` is a file or a folder that is not empty, or its parent cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let path = target::new_folder(path)?;
        let folder = folder_beside(&path)?;
        if let Ok(existing) = path.metadata() {
            std::fs::set_permissions(folder.path(), existing.permissions())
                .map_err(|error| unwritable(&path, &error))?;
        }
        Ok(Self { folder, path })
    }

    /// Its path until it is renamed.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The temporary folder itself.
    pub fn folder(&self) -> &Temporary<TempDir> {
        &self.folder
    }

    /// Renames the folder to its final path, if the files that it was made of are as they were when they were opened.
    ///
    /// # Errors
    /// If one of `sources` was written to or could not be read, there is a folder with files in it by now, or renaming fails.
    pub fn persist(self, sources: &[FileState]) -> Result<()> {
        sources.iter().try_for_each(FileState::check)?;
        let Self { folder, path } = self;
        // Elsewhere, renaming replaces an empty folder, and no other.
        if cfg!(windows) && path.is_dir() {
            std::fs::remove_dir(&path).map_err(|error| unwritable(&path, &error))?;
        }
        std::fs::rename(folder.path(), &path).map_err(|error| unwritable(&path, &error))?;
        // The folder is renamed and has to stay.
        folder.finish(TempDir::keep);
        Ok(())
    }
}

/// Creates an empty temporary folder beside `path`, which can be renamed to `path`, or whose content can.
///
/// # Errors
/// If the folder of `path` cannot be written.
pub fn folder_beside(path: &Path) -> Result<Temporary<TempDir>> {
    Temporary::folder_in(folder_of(path)?).map_err(|error| unwritable(path, &error))
}

/// The error for an output that cannot be written.
pub fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    // What was to be written is a part of a mapped file.
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EFAULT) {
        let problem = "it cannot be written, because a part of the input cannot be read";
        let advice = "copy the input to another disk, which tells whether this one is broken";
        return Error::file(path, problem).advice(advice).caused_by(error);
    }
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
    use super::*;

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
        output.persist(&[]).unwrap();
        assert!(path("link.onnx").is_symlink());
        assert_eq!(std::fs::read(path("models/real.onnx")).unwrap(), b"new");

        std::os::unix::fs::symlink("nowhere", path("dangling.onnx")).unwrap();
        std::os::unix::fs::symlink("circle.onnx", path("circle.onnx")).unwrap();
        let message = |path: &Path| OutputFile::create(path).unwrap_err().to_string();
        assert!(message(&path("dangling.onnx")).contains("it is a link to nowhere, which does not exist"));
        assert!(
            message(&path("circle.onnx")).contains("it is a link to circle.onnx, which cannot be followed")
        );
        let error = FolderOutput::create(&path("dangling.onnx")).unwrap_err().to_string();
        assert!(error.contains("it is a link to nowhere, which does not exist"), "{error}");
        assert!(message(Path::new("/dev/null")).contains("it is a device or a pipe"));
        assert!(message(&path("models/")).contains("it names a folder"));
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        let (file, models) = (folder.path().join("model.onnx"), folder.path().join("models"));
        std::fs::write(&file, "old").unwrap();
        std::fs::create_dir(&models).unwrap();
        for mode in [0o600, 0o666, 0o755] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file, permissions.clone()).unwrap();
            let output = OutputFile::create(&file).unwrap();
            assert_eq!(output.file().metadata().unwrap().mode() & 0o777, mode, "before anything is written");
            output.persist(&[]).unwrap();
            assert_eq!(file.metadata().unwrap().mode() & 0o777, mode);
        }
        std::fs::set_permissions(&models, std::fs::Permissions::from_mode(0o700)).unwrap();
        FolderOutput::create(&models).unwrap().persist(&[]).unwrap();
        assert_eq!(models.metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_an_empty_folder_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("real")).unwrap();
        std::os::unix::fs::symlink("real", path("link")).unwrap();
        for name in ["link", "link/"] {
            let output = FolderOutput::create(&path(name)).unwrap();
            std::fs::write(output.path().join("file"), "new").unwrap();
            output.persist(&[]).unwrap();
            assert!(path("link").is_symlink());
            std::fs::remove_file(path("real/file")).unwrap();
        }
    }

    #[test]
    fn a_file_made_of_one_that_changed_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let [source, output] = ["source", "output"].map(|name| folder.path().join(name));
        std::fs::write(&source, "before").unwrap();
        std::fs::write(&output, "old").unwrap();
        let state = FileState::new(&source, &source.metadata().unwrap());
        std::fs::write(&source, "longer than before").unwrap();
        let file = OutputFile::create(&output).unwrap();
        file.write_at(0, b"new").unwrap();
        let error = file.persist(&[state]).unwrap_err().to_string();
        assert!(error.contains("written to while it was read"), "{error}");
        assert_eq!(std::fs::read(&output).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
