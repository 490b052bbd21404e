//! Writes members of an archive to a private folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::names::{is_archive, is_of_checkpoint_or_graph, is_of_model, target};
use super::{HEAD_BYTES, Unpacked};
use crate::error::{Error, Result};
use crate::file_parts::FileParts;
use crate::interruption;
use crate::packed::Growth;
use crate::temporary::Temporary;

/// The most bytes that are written at once.
const CHUNK_BYTES: usize = 1 << 20;
/// The most files that are unpacked: a checkpoint has some hundred shards at most, and an archive of NumPy a file for each variable.
const MAX_FILES: usize = 10_000;
/// The most members that an error names.
const NAMED: usize = 3;

/// A folder that members are written to.
pub(super) struct Unpacking<'a> {
    archive: &'a Path,
    folder: Temporary<TempDir>,
    growth: Growth,
    unpacked: u64,
    files: BTreeSet<PathBuf>,
    in_place: Option<FileParts>,
    /// Links, and what they lead to, if that is in the archive.
    links: Vec<(PathBuf, Option<PathBuf>)>,
    others: Vec<PathBuf>,
    chunk: Vec<u8>,
}

impl<'a> Unpacking<'a> {
    pub(super) fn of(archive: &'a Path, growth: Growth) -> Result<Self> {
        let folder = Temporary::folder().map_err(|error| full(archive, &error))?;
        Ok(Self {
            archive,
            folder,
            growth,
            unpacked: 0,
            files: BTreeSet::new(),
            in_place: None,
            links: vec![],
            others: vec![],
            chunk: vec![],
        })
    }

    /// The error for an archive that cannot be read.
    pub(super) fn damaged(&self, error: &io::Error) -> Error {
        damaged(self.archive, error)
    }

    /// The path of a member in the folder, if it has one.
    ///
    /// # Errors
    /// If it would be outside.
    fn target(&self, name: &Path) -> Result<Option<PathBuf>> {
        let target = target(name).ok_or_else(|| {
            let problem = format!("its member {} would be unpacked outside of its folder", name.display());
            Error::file(self.archive, problem).advice("do not trust this archive")
        })?;
        Ok((!target.as_os_str().is_empty()).then_some(target))
    }

    /// Takes a link. `to` is a path from its folder, or from that of the archive for a hard link.
    pub(super) fn link(&mut self, name: &Path, to: &Path, is_hard: bool) {
        let Some(link) = target(name) else { return };
        let from = if is_hard { None } else { link.parent() };
        let to = target_of_link(from.unwrap_or(Path::new("")), to);
        self.links.push((link, to));
    }

    /// The error for a file whose holes are left out, if it is of a model.
    pub(super) fn sparse(&mut self, name: &Path) -> Result<()> {
        match self.target(name)? {
            Some(target) if is_of_model(&target, &[]) => {
                let problem = format!("its member {} is stored as a sparse file", target.display());
                Err(Error::file(self.archive, problem)
                    .advice("pack it again without the option of tar for sparse files"))
            }
            _ => Ok(()),
        }
    }

    /// Writes a member, if it can belong to a model. `size` is its length, as far as the archive tells.
    pub(super) fn file(&mut self, name: &Path, size: Option<u64>, mut contents: impl Read) -> Result<()> {
        let Some(target) = self.target(name)? else { return Ok(()) };
        let mut head = vec![];
        if !is_of_model(&target, &head) {
            (&mut contents).take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| self.damaged(&error))?;
            if !is_of_model(&target, &head) {
                self.others.push(target);
                return Ok(());
            }
        }
        self.write(target, size, head.chain(contents))
    }

    /// Writes a file, whatever it is.
    pub(super) fn write(
        &mut self,
        target: PathBuf,
        size: Option<u64>,
        mut contents: impl Read,
    ) -> Result<()> {
        self.check_space(&target, size)?;
        let mut file = self.create(target.clone())?;
        self.chunk.resize(CHUNK_BYTES, 0);
        let mut written = 0u64;
        loop {
            // Not `io::copy`, because a full disk and a damaged archive need different errors.
            match contents.read(&mut self.chunk) {
                Ok(0) => break,
                Ok(count) => {
                    interruption::check()?;
                    written = written.saturating_add(count as u64);
                    self.unpacked = self.unpacked.saturating_add(count as u64);
                    self.growth.check(0, self.unpacked)?;
                    #[expect(clippy::indexing_slicing, reason = "no more is read than there is room for")]
                    let chunk = &self.chunk[..count];
                    file.write_all(chunk).map_err(|error| self.unwritable(&target, &error))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.damaged(&error)),
            }
        }
        match size {
            Some(size) if size != written => {
                let problem = format!(
                    "the archive cannot be read: {} has another length than it says",
                    target.display()
                );
                Err(Error::file(self.archive, problem).advice("download it again"))
            }
            _ => Ok(()),
        }
    }

    /// Lets a file stand for a part of the archive, which is not copied.
    pub(super) fn stand_in(&mut self, name: &Path, range: Range<u64>, archive: &File) -> Result<()> {
        let Some(target) = self.target(name)? else { return Ok(()) };
        self.create(target.clone())?;
        let path = self.folder.path().join(target);
        if self.in_place.is_none() {
            let archive = archive.try_clone().map_err(|error| self.damaged(&error))?;
            self.in_place = Some(FileParts::of(archive));
        }
        if let Some(parts) = &mut self.in_place {
            parts.add(path, range);
        }
        Ok(())
    }

    /// Whether there is a file of this name already, written in whatever way.
    pub(super) fn has(&self, name: &Path) -> bool {
        target(name).is_some_and(|target| self.files.contains(&target))
    }

    /// Creates a file. As in any program that unpacks a tar archive, the last member of a name counts.
    fn create(&mut self, target: PathBuf) -> Result<File> {
        let path = self.folder.path().join(&target);
        if let Some(parts) = self.in_place.as_mut().filter(|_| self.files.contains(&target)) {
            parts.remove(&path);
        }
        let created = self.folder.create_parents(&target).and_then(|()| File::create(path));
        let file = created.map_err(|error| self.unwritable(&target, &error))?;
        self.files.insert(target);
        if self.files.len() > MAX_FILES {
            let problem = format!("it has more than {MAX_FILES} files that could belong to a model");
            return Err(
                Error::file(self.archive, problem).advice("unpack it, and give the path of the model")
            );
        }
        Ok(file)
    }

    /// Looks at the free space before a disk is filled in vain.
    fn check_space(&self, target: &Path, size: Option<u64>) -> Result<()> {
        match (size, free_space(self.folder.path())) {
            (Some(size), Some(free)) if size > free => {
                let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
                let problem = format!(
                    "its member {} has {}, and the temporary folder {} free",
                    target.display(),
                    gigabytes(size),
                    gigabytes(free)
                );
                Err(Error::file(self.archive, problem).advice("set TMPDIR to a folder with enough space"))
            }
            _ => Ok(()),
        }
    }

    /// The error for a member that cannot be written: because of its name, or else of the folder.
    fn unwritable(&self, target: &Path, error: &io::Error) -> Error {
        let of_member = |problem: &str| {
            let problem = format!("its member {} {problem}", shortened(target));
            Error::file(self.archive, problem)
                .advice("unpack it, and give the path of the model")
                .caused_by(error)
        };
        match error.kind() {
            ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
                of_member("is a file and a folder at the same time")
            }
            ErrorKind::InvalidFilename => of_member("has a longer name than files can have"),
            ErrorKind::InvalidInput => of_member("has a name that files cannot have"),
            _ => full(self.archive, error),
        }
    }

    /// What was unpacked.
    ///
    /// # Errors
    /// If a link is in place of a file of a model that is not unpacked under its own name.
    pub(super) fn finish(self) -> Result<Unpacked> {
        let is_lost = |(link, to): &&(PathBuf, Option<PathBuf>)| {
            let is_unpacked = to.as_ref().is_some_and(|to| self.files.contains(to));
            is_of_checkpoint_or_graph(link) && !is_unpacked && !self.files.contains(link)
        };
        if let Some((link, _)) = self.links.iter().find(is_lost) {
            let problem = format!("its member {} is a link, and links are not followed", shortened(link));
            return Err(Error::file(self.archive, problem).advice(PACK_FILES));
        }
        Ok(Unpacked {
            folder: self.folder,
            single_file: None,
            in_place: self.in_place,
            links: self.links.into_iter().map(|(link, _)| link).collect(),
            others: self.others,
        })
    }
}

/// What a link in a folder of the archive leads to; `None` if that is outside.
fn target_of_link(folder: &Path, to: &Path) -> Option<PathBuf> {
    let mut target = folder.to_owned();
    for component in to.components() {
        match component {
            Component::Normal(part) => target.push(part),
            Component::CurDir => {}
            Component::ParentDir if target.pop() => {}
            _ => return None,
        }
    }
    Some(target)
}

/// What to do about links.
pub(super) const PACK_FILES: &str = "pack the files themselves: tar has options to follow links";

/// The error for an archive that cannot be read. An error of this program that was passed on stays as it is.
pub(super) fn damaged(archive: &Path, error: &io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => error.clone(),
        None => {
            Error::file(archive, format!("the archive cannot be read: {error}")).advice("download it again")
        }
    }
}

/// The error for a temporary folder that cannot be written.
fn full(archive: &Path, error: &io::Error) -> Error {
    Error::file(archive, format!("it cannot be unpacked to a temporary folder: {error}"))
        .advice("set TMPDIR to a folder with enough space")
        .caused_by(error)
}

/// A path that may be too long for a sentence.
fn shortened(path: &Path) -> String {
    crate::error::shortened(&path.display().to_string())
}

/// The free space where a folder is, if the system tells it.
#[cfg(target_os = "linux")]
fn free_space(folder: &Path) -> Option<u64> {
    let state = rustix::fs::statvfs(folder).ok()?;
    state.f_bavail.checked_mul(state.f_frsize)
}

#[cfg(not(target_os = "linux"))]
fn free_space(_: &Path) -> Option<u64> {
    None
}

/// The first of several names.
pub(super) fn first_of(names: &[PathBuf]) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMED).map(|name| shortened(name)).collect();
    if names.len() > NAMED {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// The archives among the members.
pub(super) fn archives(others: &[PathBuf]) -> Vec<PathBuf> {
    others.iter().filter(|path| is_archive(path)).cloned().collect()
}
