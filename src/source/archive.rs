//! Unpacks archives, because the slim model library publishes its checkpoints in archives; also files that were compressed alone.
//!
//! Members are unpacked into a private folder. Members with a path outside of this folder are refused.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tempfile::TempDir;
use zip::result::ZipError;

use super::GraphFile;
use crate::error::{Error, Result};
use crate::file_signature::EXPORT_FROM_KERAS;
use crate::temporary::Temporary;

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tar,
    /// A tar archive, or a single file, compressed with gzip.
    Gz,
    Zip,
}

/// The number of bytes that identify an archive.
pub const HEAD_BYTES: u64 = 512;

/// The offset and the bytes that identify a tar archive.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

impl Kind {
    /// Determines the format of a file from its first bytes; `None` if the file is not an archive.
    pub fn of(path: &Path) -> Option<Self> {
        // Checked first, because opening a named pipe would wait for a writer.
        if !path.is_file() {
            return None;
        }
        let mut head = Vec::new();
        File::open(path).ok()?.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
        Self::of_head(&head)
    }

    /// Determines the format of an archive from its first [`HEAD_BYTES`].
    pub fn of_head(head: &[u8]) -> Option<Self> {
        if head.starts_with(&[0x1f, 0x8b]) {
            Some(Self::Gz)
        } else if head.starts_with(b"PK\x03\x04") {
            Some(Self::Zip)
        } else {
            let (offset, magic) = TAR_MAGIC;
            head.get(offset..offset + magic.len()).is_some_and(|found| found == magic).then_some(Self::Tar)
        }
    }
}

/// The most bytes that are unpacked: more than any published checkpoint has, but not enough to fill a disk unnoticed.
const MAX_UNPACKED: u64 = 64 << 30;
/// The most bytes that are unpacked at once.
const CHUNK_BYTES: usize = 1 << 20;
/// The most members of an archive.
const MAX_MEMBERS: usize = 100_000;

/// A private folder with the contents of an archive.
#[derive(Debug)]
pub struct Unpacked {
    pub folder: Temporary<TempDir>,
    /// The file that was compressed alone, without an archive around it.
    pub single_file: Option<PathBuf>,
}

/// Unpacks an archive into a new private folder.
pub fn unpack(path: &Path, kind: Kind) -> Result<Unpacked> {
    let file = BufReader::new(File::open(path).map_err(|error| Error::file(path, error))?);
    match kind {
        Kind::Zip => Unpacking::of(path)?.zip(file),
        Kind::Tar | Kind::Gz => unpack_stream(path, file, kind),
    }
}

/// Unpacks a [`Kind::Tar`] or [`Kind::Gz`] while it is read. `path` is its name, in messages and for a file that was compressed alone.
pub fn unpack_stream(path: &Path, reader: impl Read, kind: Kind) -> Result<Unpacked> {
    let unpacking = Unpacking::of(path)?;
    if kind == Kind::Tar {
        return unpacking.tar(reader);
    }
    let mut unpacked = BufReader::with_capacity(CHUNK_BYTES, MultiGzDecoder::new(reader));
    let mut head = vec![];
    (&mut unpacked).take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| unpacking.damaged(error))?;
    let is_tar = Kind::of_head(&head) == Some(Kind::Tar);
    let contents = head.chain(unpacked);
    if is_tar { unpacking.tar(contents) } else { unpacking.single_file(contents) }
}

fn unwritable(archive: &Path, error: &io::Error) -> Error {
    Error::file(archive, format!("it cannot be unpacked to a temporary folder: {error}"))
        .advice("set TMPDIR to a folder with enough space")
        .caused_by(error)
}

struct Unpacking<'a> {
    archive: &'a Path,
    folder: Temporary<TempDir>,
    bytes_left: u64,
    members: usize,
}

impl<'a> Unpacking<'a> {
    fn of(archive: &'a Path) -> Result<Self> {
        let folder = Temporary::folder().map_err(|error| unwritable(archive, &error))?;
        Ok(Self { archive, folder, bytes_left: MAX_UNPACKED, members: 0 })
    }

    fn damaged(&self, error: impl std::fmt::Display) -> Error {
        Error::file(self.archive, format!("the archive cannot be read: {error}")).advice("download it again")
    }

    fn damaged_zip(&self, error: ZipError) -> Error {
        match error {
            // The library's message is about details of the format.
            ZipError::InvalidArchive(_) => self.damaged("a part of it is damaged or missing"),
            error => self.damaged(error),
        }
    }

    fn tar(mut self, reader: impl Read) -> Result<Unpacked> {
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries().map_err(|error| self.damaged(error))? {
            let mut entry = entry.map_err(|error| self.damaged(error))?;
            // Links and devices are never part of a model, and a link could lead out of the folder.
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = entry.path().map_err(|error| self.damaged(error))?.into_owned();
            self.member(&name, &mut entry)?;
        }
        // gzip's checksum is at the end, and a program that writes into a pipe is to write all of it.
        io::copy(&mut archive.into_inner().take(self.bytes_left), &mut io::sink())
            .map_err(|error| self.damaged(error))?;
        Ok(Unpacked { folder: self.folder, single_file: None })
    }

    fn zip(mut self, reader: impl Read + Seek) -> Result<Unpacked> {
        let mut archive = zip::ZipArchive::new(reader).map_err(|error| self.damaged_zip(error))?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| self.damaged_zip(error))?;
            if entry.is_file() {
                let name = PathBuf::from(&*entry.name().map_err(|error| self.damaged_zip(error))?);
                self.member(&name, &mut entry)?;
            }
        }
        Ok(Unpacked { folder: self.folder, single_file: None })
    }

    /// A file that was compressed without an archive around it has the name of the compressed file, without the last extension.
    fn single_file(mut self, mut contents: impl Read) -> Result<Unpacked> {
        let name = PathBuf::from(self.archive.file_stem().unwrap_or_default());
        self.member(&name, &mut contents)?;
        let file = self.folder.path().join(name);
        Ok(Unpacked { folder: self.folder, single_file: Some(file) })
    }

    fn member(&mut self, name: &Path, contents: &mut impl Read) -> Result<()> {
        self.members += 1;
        if self.members > MAX_MEMBERS {
            return Err(Error::file(self.archive, format!("it has more than {MAX_MEMBERS} members")));
        }
        let mut target = PathBuf::new();
        for component in name.components() {
            match component {
                Component::Normal(part) => target.push(part),
                Component::CurDir => {}
                _ => {
                    let problem =
                        format!("its member {} would be unpacked outside of its folder", name.display());
                    return Err(Error::file(self.archive, problem).advice("do not trust this archive"));
                }
            }
        }
        if target.as_os_str().is_empty() {
            return Ok(());
        }
        let written = self.write(&target, contents)?;
        self.bytes_left = self.bytes_left.checked_sub(written).ok_or_else(|| {
            Error::file(self.archive, format!("it would unpack to more than {} GiB", MAX_UNPACKED >> 30))
                .advice("unpack it by hand")
        })?;
        Ok(())
    }

    /// Writes a file below the folder, at most one byte more than `bytes_left`. Returns the number of bytes written.
    fn write(&self, target: &Path, contents: &mut impl Read) -> Result<u64> {
        let unwritable = |error| unwritable(self.archive, &error);
        self.folder.create_parents(target).map_err(unwritable)?;
        let mut file = File::create(self.folder.path().join(target)).map_err(unwritable)?;
        let mut contents = contents.take(self.bytes_left + 1);
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut written = 0;
        loop {
            // Not `io::copy`, because a full disk and a damaged archive need different errors.
            match contents.read(&mut chunk) {
                Ok(0) => return Ok(written),
                Ok(count) => {
                    file.write_all(&chunk[..count]).map(|()| written += count as u64).map_err(unwritable)?
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.damaged(error)),
            }
        }
    }
}

/// Finds the model in an unpacked archive: the outermost folder with a checkpoint or SavedModel, or else the only graph
/// file.
///
/// # Errors
/// If there is no folder or graph of this kind, or more than one.
pub fn model_in(archive: &Path, root: &Path) -> Result<PathBuf> {
    let mut level = vec![root.to_owned()];
    let mut graphs = vec![];
    while !level.is_empty() {
        let (mut with_model, mut subfolders) = (vec![], vec![]);
        for folder in level {
            let entries = fs::read_dir(&folder).map_err(|error| Error::file(archive, error))?;
            let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            if paths.iter().any(|path| path.is_file() && is_model_file(path)) {
                with_model.push(folder);
            }
            graphs.extend(paths.iter().filter(|path| path.is_file() && GraphFile::is_likely(path)).cloned());
            subfolders.extend(paths.into_iter().filter(|path| path.is_dir()));
        }
        match with_model.len() {
            0 => level = subfolders,
            1 => return Ok(with_model.remove(0)),
            _ => return Err(several(archive, root, "checkpoints", &with_model)),
        }
    }
    match graphs.len() {
        0 => Err(nothing_in(archive, root)),
        1 => Ok(graphs.remove(0)),
        _ => Err(several(archive, root, "graphs", &graphs)),
    }
}

/// The error for an archive without a model, or with a model of another program.
fn nothing_in(archive: &Path, root: &Path) -> Error {
    if root.join("model.weights.h5").is_file() {
        return Error::file(archive, "it is a model in Keras's own format").advice(EXPORT_FROM_KERAS);
    }
    let folders = fs::read_dir(root).into_iter().flatten().flatten();
    if folders.map(|entry| entry.path().join("data.pkl")).any(|pickle| pickle.is_file()) {
        return Error::file(archive, "it is a PyTorch file")
            .advice("export the model to ONNX in PyTorch, with torch.onnx.export");
    }
    Error::file(archive, "the archive contains no checkpoint or graph")
}

fn several(archive: &Path, root: &Path, what: &str, paths: &[PathBuf]) -> Error {
    let relative = paths.iter().filter_map(|path| Some(path.strip_prefix(root).ok()?.display().to_string()));
    let mut names: Vec<String> = relative.collect();
    names.sort();
    Error::file(archive, format!("it contains several {what}: {}", names.join(", ")))
        .advice("unpack it and give the path of one of them")
}

/// Whether a file has the name of a V2 index, a state file, a V1 checkpoint, or the graph of a SavedModel.
fn is_model_file(path: &Path) -> bool {
    let is_named = path.extension().is_some_and(|extension| extension == "index" || extension == "ckpt");
    let names = ["checkpoint", "saved_model.pb", "saved_model.pbtxt"];
    is_named || path.file_name().is_some_and(|name| names.iter().any(|known| name == *known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_with(name: &str, contents: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        // Written directly, because the library refuses to write names with `..`.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let mut builder = tar::Builder::new(vec![]);
        builder.append(&header, contents).unwrap();
        builder.into_inner().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> Result<Unpacked> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.tar");
        fs::write(&path, bytes).unwrap();
        unpack(&path, Kind::of(&path).unwrap_or(Kind::Tar))
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_stay_in_the_folder() {
        let folder = unpacked(&tar_with("./model/x.ckpt", b"table")).unwrap().folder;
        assert_eq!(fs::read(folder.path().join("model/x.ckpt")).unwrap(), b"table");
        for name in ["../x.ckpt", "/tmp/x.ckpt", "a/../../x.ckpt"] {
            let error = unpacked(&tar_with(name, b"table")).unwrap_err();
            assert!(error.to_string().contains("outside of its folder"), "{error}");
        }
    }

    #[test]
    fn a_truncated_archive_is_an_error() {
        let tar = tar_with("x.ckpt", &[7; 2000]);
        assert!(unpacked(&tar[..1000]).is_err());
    }

    #[test]
    fn the_checksum_after_the_last_member_is_compared() {
        let mut archive = compressed(&tar_with("x.ckpt", &[7; 2000]));
        let checksum = archive.len() - 8;
        archive[checksum] ^= 1;
        let error = unpacked(&archive).unwrap_err();
        assert!(error.to_string().contains("the archive cannot be read"), "{error}");
    }

    #[test]
    fn a_file_can_be_compressed_without_an_archive() {
        let unpacked = unpacked(&compressed(b"table")).unwrap();
        let file = unpacked.single_file.unwrap();
        assert_eq!(file, unpacked.folder.path().join("a"));
        assert_eq!(fs::read(file).unwrap(), b"table");
    }
}
