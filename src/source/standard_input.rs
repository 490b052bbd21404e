//! `-`: a model that comes through a pipe. It goes to a temporary file, since models are mapped and read in any order.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use tempfile::TempDir;

use super::archive;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::temporary::Temporary;

/// What the user calls standard input.
pub const PATH: &str = "-";
/// What messages call it.
pub const NAME: &str = "standard input";

/// Copies standard input to a file in a private folder, and hands out both.
///
/// # Errors
/// Where it is a terminal, is empty, or cannot be kept.
pub fn kept() -> Result<(Temporary<TempDir>, PathBuf)> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        return Err(Error::new(NAME, "it is a terminal")
            .advice("send a frozen graph, a V1 checkpoint or an archive through a pipe, or name a file"));
    }
    let no_room = |error: io::Error| {
        Error::new(NAME, format!("it cannot be kept in a temporary file: {error}"))
            .advice("set TMPDIR to a folder with room")
    };
    let folder = Temporary::folder().map_err(no_room)?;
    let path = folder.path().join("model");
    let mut file = File::create(&path).map_err(no_room)?;
    if io::copy(&mut input, &mut file).map_err(no_room)? == 0 {
        return Err(Error::new(NAME, "it is empty").advice("see whether the command before the pipe failed"));
    }
    if Checkpoint::is_single_file(&path) || archive::Kind::of(&path).is_some() {
        return Ok((folder, path));
    }
    // What is neither is taken for a graph, which is told by its name.
    let graph = path.with_extension("pb");
    std::fs::rename(&path, &graph).map_err(no_room)?;
    Ok((folder, graph))
}
