//! `-`: reads a model from standard input into a temporary file, because models are mapped and read in any order.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use tempfile::TempDir;

use super::archive;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::temporary::Temporary;

/// The path of standard input on the command line.
pub const PATH: &str = "-";
/// The name of standard input in messages.
pub const NAME: &str = "standard input";

/// Copies standard input to a file in a private folder, and returns both.
///
/// # Errors
/// If it is a terminal or empty, or the file cannot be written.
pub fn to_file() -> Result<(Temporary<TempDir>, PathBuf)> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        return Err(Error::new(NAME, "it is a terminal")
            .advice("send a frozen graph, a V1 checkpoint or an archive through a pipe, or name a file"));
    }
    let unwritable = |error: io::Error| {
        Error::new(NAME, format!("it cannot be written to a temporary file: {error}"))
            .advice("set TMPDIR to a folder with enough space")
    };
    let folder = Temporary::folder().map_err(unwritable)?;
    let path = folder.path().join("model");
    let mut file = File::create(&path).map_err(unwritable)?;
    if io::copy(&mut input, &mut file).map_err(unwritable)? == 0 {
        return Err(
            Error::new(NAME, "it is empty").advice("check whether the command before the pipe failed")
        );
    }
    if Checkpoint::is_single_file(&path) || archive::Kind::of(&path).is_some() {
        return Ok((folder, path));
    }
    // Everything else is opened as a graph, which needs the name of one.
    let graph = path.with_extension("pb");
    std::fs::rename(&path, &graph).map_err(unwritable)?;
    Ok((folder, graph))
}
