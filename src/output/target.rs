//! Where outputs go: which files they replace, and which they do not.
//!
//! As with `cp`, a link is followed, an existing file has to be writable, and its permissions stay. Unlike with `cp`, a device or a
//! pipe is not written to: a file is renamed to the output, which would replace it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::unwritable;
use crate::error::{Error, Result};

/// The path that is written for an output: for a link, its target.
///
/// # Errors
/// If it is a folder, a device, a broken link or a file that the user may not write.
pub fn target_of(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Error::file(path, "it names a folder").advice("name a file in it"));
    }
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return broken_link(path, &error).map_or_else(|| Ok(path.to_owned()), Err),
    };
    if metadata.is_dir() {
        return Err(Error::file(path, "the output is an existing folder").advice("name a file in it"));
    }
    if !metadata.is_file() {
        // Renaming would replace it by a file.
        return Err(Error::file(path, "it is a device or a pipe, not a file")
            .advice("name a file; to write a model to standard output, give - as the output of convert"));
    }
    check_writable(path)?;
    if path.is_symlink() {
        path.canonicalize().map_err(|error| unwritable(path, &error))
    } else {
        Ok(path.to_owned())
    }
}

/// The error for a link that cannot be followed; `None` if the path is no link.
fn broken_link(path: &Path, error: &io::Error) -> Option<Error> {
    let to = path.read_link().ok()?;
    let problem = match error.kind() {
        io::ErrorKind::NotFound => format!("it is a link to {}, which does not exist", to.display()),
        _ => format!("it is a link to {}, which cannot be followed: {error}", to.display()),
    };
    Some(Error::file(path, problem).advice("remove the link, or choose another output"))
}

/// Checks that the user may write to an existing file. Renaming would replace it without.
fn check_writable(path: &Path) -> Result<()> {
    let mut options = File::options();
    options.write(true);
    // If somebody replaces the file by a pipe now, opening does not wait for its reader.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Error::file(path, "it exists, and you have no permission to write it")
                .advice("remove it, or choose another output")
                .caused_by(&error))
        }
        Err(error) => Err(unwritable(path, &error)),
    }
}

/// Gives a new file the permissions of the file that it will replace.
///
/// # Errors
/// If they cannot be set: the new file could be readable by others.
pub fn keep_permissions(new: &File, target: &Path) -> Result<()> {
    let Ok(old) = target.metadata() else { return Ok(()) };
    // Some filesystems have the same permissions for all files, and cannot set them.
    let set = || match new.metadata()?.permissions() == old.permissions() {
        true => Ok(()),
        false => new.set_permissions(old.permissions()),
    };
    set().map_err(|error| unwritable(target, &error))
}

/// Gives a complete file the owner and the group of the file that it will replace, as far as the user may set them: root both, and
/// others a group that they are in.
#[cfg(unix)]
pub fn keep_owner(new: &File, target: &Path) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (Ok(own), Ok(old)) = (new.metadata(), target.metadata()) else { return };
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        let both = fchown(new, Some(old.uid()), Some(old.gid()));
        let _ = both.or_else(|_| fchown(new, None, Some(old.gid())));
    }
}

#[cfg(not(unix))]
pub fn keep_owner(_: &File, _: &Path) {}

/// The path that is written for an output that is a folder: for a link, its target.
///
/// # Errors
/// If it exists and is not an empty folder.
pub(super) fn new_folder(path: &Path) -> Result<PathBuf> {
    if path.file_name().is_none() {
        return Err(Error::file(path, "it has no file name").advice("name a new folder"));
    }
    // A slash at its end would follow the link.
    let path = &path.components().collect::<PathBuf>();
    if let Err(error) = path.metadata() {
        return broken_link(path, &error).map_or_else(|| Ok(path.to_owned()), Err);
    }
    match std::fs::read_dir(path) {
        Ok(mut entries) => match entries.next() {
            None if path.is_symlink() => path.canonicalize().map_err(|error| unwritable(path, &error)),
            None => Ok(path.to_owned()),
            Some(_) => Err(Error::file(path, "is a folder that is not empty")
                .advice("name a new folder, or empty this one")),
        },
        Err(error) if path.is_dir() => Err(unwritable(path, &error)),
        Err(_) => {
            Err(Error::file(path, "exists already, and is not a folder").advice("choose another output"))
        }
    }
}

/// Checks that an output would not overwrite one of the inputs.
///
/// # Errors
/// If it would.
pub fn refuse_overwriting<P: AsRef<Path>>(output: &Path, inputs: impl IntoIterator<Item = P>) -> Result<()> {
    // Opening a pipe would wait for its other end.
    let opened = |path: &Path| path.is_file().then(|| same_file::Handle::from_path(path).ok()).flatten();
    // A file that does not exist yet is not an input.
    let Some(existing) = opened(output) else { return Ok(()) };
    let is_output = |input: P| opened(input.as_ref()).is_some_and(|input| input == existing);
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

/// The folder of an output.
pub(super) fn folder_of(path: &Path) -> Result<&Path> {
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

#[cfg(test)]
mod tests {
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
    fn a_pipe_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let [model, pipe] = ["model.ckpt", "pipe"].map(|name| folder.path().join(name));
        File::create(&model).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(refuse_overwriting(&pipe, [&model]).is_ok());
        assert!(refuse_overwriting(&model, [&pipe]).is_ok());
        assert!(target_of(&pipe).unwrap_err().to_string().contains("it is a device or a pipe"));
        assert!(new_folder(&pipe).unwrap_err().to_string().contains("is not a folder"));
    }
}
