//! Reads zip archives member by member.
//!
//! Source: sections 4.3.7 and 4.3.12 of <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use super::unpacking::Unpacking;
use super::{HEAD_BYTES, Unpacked};
use crate::error::{Error, Result};
use crate::packed::repeated_name;

/// What is in front of the name in the header of a member, and where in it the name's length is.
const HEADER_BYTES: usize = 30;
const NAME_LENGTH: usize = 26;

/// Unpacks the archive `path`, whose bytes these are.
pub(super) fn unpack(mut unpacking: Unpacking<'_>, path: &Path, bytes: &[u8]) -> Result<Unpacked> {
    let damaged = |error: ZipError| match error {
        // The library's message is about details of the format.
        ZipError::InvalidArchive(_) => {
            let problem = "the archive cannot be read: a part of it is damaged or missing";
            Error::file(path, problem).advice("download it again")
        }
        error => Error::file(path, format!("the archive cannot be read: {error}")).advice("unpack it"),
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let repeated = |name: &str| {
        let problem = format!("it has several members of the name {name}");
        Error::file(path, problem).advice("unpack it, and give the path of the model")
    };
    if let Some(name) = repeated_name(bytes, archive.central_directory_start()) {
        return Err(repeated(&name));
    }
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        // Members are checked by their checksums, and the directory at the end by nothing: it could give weights the name of others.
        if !has_name(bytes, entry.header_start(), entry.name_raw()) {
            return Err(damaged(ZipError::InvalidArchive("names differ".into())));
        }
        let name = PathBuf::from(&*entry.name().map_err(damaged)?);
        if entry.is_symlink() {
            let mut to = String::new();
            // A link to what is no path leads nowhere.
            let read = (&mut entry).take(HEAD_BYTES).read_to_string(&mut to);
            unpacking.link(&name, Path::new(read.map_or("/", |_| to.as_str())), false);
        } else if entry.is_file() {
            if unpacking.has(&name) {
                return Err(repeated(&name.display().to_string()));
            }
            let size = entry.size();
            unpacking.file(&name, Some(size), entry)?;
        }
    }
    unpacking.finish()
}

/// Whether the header of a member gives it a name.
fn has_name(archive: &[u8], header: u64, name: &[u8]) -> bool {
    let header = usize::try_from(header).ok().and_then(|start| archive.get(start..)).unwrap_or_default();
    let length =
        header.get(NAME_LENGTH..).and_then(|rest| rest.first_chunk()).map(|&bytes| u16::from_le_bytes(bytes));
    length.is_some_and(|length| usize::from(length) == name.len())
        && header.get(HEADER_BYTES..).is_some_and(|rest| rest.starts_with(name))
}
