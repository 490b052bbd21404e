//! `-`: reads a model from standard input into temporary files, because models are mapped and read in any order.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::archive::{self, Kind, Unpacked};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::temporary::Temporary;

/// The path of standard input on the command line.
pub const PATH: &str = "-";
/// The name of standard input in messages.
pub const NAME: &str = "standard input";

/// What came through the pipe.
pub enum Stored {
    /// A file in a private folder.
    File(Temporary<TempDir>, PathBuf),
    /// An archive, which was unpacked while it was read.
    Archive(Unpacked),
}

/// Copies standard input to a private folder.
///
/// # Errors
/// If it is a terminal, empty or a damaged archive, or the folder cannot be written.
pub fn store() -> Result<Stored> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        return Err(Error::new(NAME, "it is a terminal")
            .advice("send a frozen graph, a V1 checkpoint, or an archive of any model through a pipe (`tar c model.ckpt.*`), or name a file"));
    }
    let mut head = vec![];
    let read = (&mut input).take(archive::HEAD_BYTES).read_to_end(&mut head);
    read.map_err(|error| Error::new(NAME, format!("it cannot be read: {error}")))?;
    if head.is_empty() {
        return Err(
            Error::new(NAME, "it is empty").advice("check whether the command before the pipe failed")
        );
    }
    let kind = archive::Kind::of_head(&head);
    let mut input = head.chain(input);
    // A zip archive has its directory at its end, and is read in any order.
    if let Some(kind @ (Kind::Tar | Kind::Gz)) = kind {
        let mut unpacked = archive::unpack_stream(Path::new(NAME), input, kind)?;
        if let Some(file) = unpacked.single_file.take() {
            unpacked.single_file = Some(named(file).map_err(unwritable)?);
        }
        return Ok(Stored::Archive(unpacked));
    }
    let folder = Temporary::folder().map_err(unwritable)?;
    let path = folder.path().join("model");
    io::copy(&mut input, &mut File::create(&path).map_err(unwritable)?).map_err(unwritable)?;
    let path = named(path).map_err(unwritable)?;
    Ok(Stored::File(folder, path))
}

fn unwritable(error: io::Error) -> Error {
    Error::new(NAME, format!("it cannot be written to a temporary file: {error}"))
        .advice("set TMPDIR to a folder with enough space")
}

/// Gives a file the name of what it contains: everything but a checkpoint and an archive is opened as a graph, which needs the name
/// of one.
fn named(path: PathBuf) -> io::Result<PathBuf> {
    if Checkpoint::is_single_file(&path) || Kind::of(&path).is_some() {
        return Ok(path);
    }
    let graph = path.with_extension("pb");
    std::fs::rename(&path, &graph)?;
    Ok(graph)
}
