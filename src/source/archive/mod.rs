//! Unpacks archives, because the slim model library publishes its checkpoints in archives; also files that were compressed alone.
//!
//! Archives come from the internet. What can belong to a model is unpacked into a private folder, and nothing else; members with a path
//! outside of this folder are refused. A checkpoint in an uncompressed tar archive is read in place.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod gzip;
mod kind;
mod model;
mod names;
mod tar;
mod unpacking;
mod zip;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use self::gzip::Decompressed;
use self::tar::{Input, Member, MemberKind, Members, Stream};
use self::unpacking::{PACK_FILES, Unpacking, damaged, first_of};
use crate::checkpoint::is_part_of_checkpoint;
use crate::error::{Error, Result};
use crate::file_parts::FileParts;
use crate::mapped::MappedFile;
use crate::packed::Growth;
use crate::temporary::Temporary;
pub use kind::{HEAD_BYTES, Kind};
pub use model::model_in;

/// A private folder with the files of an archive that can belong to a model.
#[derive(Debug)]
pub struct Unpacked {
    pub folder: Temporary<TempDir>,
    /// The file that was compressed alone, without an archive around it.
    pub single_file: Option<PathBuf>,
    /// The parts of the archive that files in the folder stand for.
    pub in_place: Option<FileParts>,
    /// Members that are links.
    links: Vec<PathBuf>,
    /// Members that are not unpacked.
    others: Vec<PathBuf>,
}

impl Unpacked {
    /// Whether some files of the archive are not unpacked.
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// An error of opening the model. A link may be why a file is missing.
    pub fn error(&self, error: Error) -> Error {
        if self.links.is_empty() {
            return error;
        }
        let links = first_of(&self.links);
        error.advice(format!("the archive has links, which are not followed ({links}): {PACK_FILES}"))
    }
}

/// Unpacks an archive into a new private folder.
pub fn unpack(path: &Path, kind: Kind) -> Result<Unpacked> {
    let file = File::open(path).map_err(|error| Error::unreadable(path, &error))?;
    let size = file.metadata().ok().map(|metadata| metadata.len());
    let growth = Growth::of(path, size);
    match kind {
        Kind::Zip => zip::unpack(Unpacking::of(path, growth)?, path, MappedFile::open(path)?.bytes()),
        Kind::Tar => {
            let mapped = MappedFile::open(path)?;
            let place = Place { bytes: mapped.bytes(), file: &file };
            tar(Unpacking::of(path, growth)?, mapped.bytes(), Some(&place)).map(|(unpacked, _)| unpacked)
        }
        Kind::Gz => gz(path, file, growth),
    }
}

/// Unpacks a [`Kind::Tar`] or [`Kind::Gz`] while it is read. `path` is its name, in messages and for a file that was compressed alone.
pub fn unpack_stream(path: &Path, reader: impl Read, kind: Kind) -> Result<Unpacked> {
    let growth = Growth::of(path, None);
    if kind == Kind::Gz {
        return gz(path, reader, growth);
    }
    // Its members are not larger than the archive.
    let unpacking = Unpacking::of(path, Growth::of(path, Some(u64::MAX)))?;
    let (unpacked, rest) = tar(unpacking, Stream(reader), None)?;
    // A program that writes into a pipe is to write all of it.
    drain(path, rest)?;
    Ok(unpacked)
}

fn gz(path: &Path, reader: impl Read, growth: Growth) -> Result<Unpacked> {
    let mut contents = Decompressed::of(reader, growth);
    let mut head = vec![];
    (&mut contents).take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| damaged(path, &error))?;
    let is_tar = Kind::of_head(&head) == Some(Kind::Tar);
    let contents = io::Cursor::new(head).chain(contents);
    // What is decompressed is measured already.
    let mut unpacking = Unpacking::of(path, Growth::of(path, Some(u64::MAX)))?;
    if is_tar {
        let (unpacked, rest) = tar(unpacking, Stream(contents), None)?;
        // The checksum is at the end.
        drain(path, rest)?;
        return Ok(unpacked);
    }
    // A file that was compressed without an archive around it has the name of the compressed file, without the last extension.
    let name = PathBuf::from(path.file_stem().unwrap_or_default());
    unpacking.write(name.clone(), None, contents)?;
    let unpacked = unpacking.finish()?;
    let file = unpacked.folder.path().join(name);
    Ok(Unpacked { single_file: Some(file), ..unpacked })
}

/// Reads what is left.
fn drain(path: &Path, mut rest: impl Read) -> Result<()> {
    io::copy(&mut rest, &mut io::sink()).map(drop).map_err(|error| damaged(path, &error))
}

/// An uncompressed archive, whose members can be read where they are.
struct Place<'a> {
    bytes: &'a [u8],
    file: &'a File,
}

impl Place<'_> {
    /// Whether a member is a file of a checkpoint, which is mapped wherever it is read. Others are small.
    fn has(&self, member: &Member) -> bool {
        let range = usize::try_from(member.range.start).ok().zip(usize::try_from(member.range.end).ok());
        let contents = range.and_then(|(start, end)| self.bytes.get(start..end));
        contents.is_some_and(|contents| is_part_of_checkpoint(&member.name, contents))
    }
}

/// Unpacks a tar archive. Returns what follows the members, too.
fn tar<R: Input>(mut unpacking: Unpacking<'_>, input: R, place: Option<&Place<'_>>) -> Result<(Unpacked, R)> {
    let mut members = Members::of(input);
    while let Some(member) = members.next().map_err(|error| unpacking.damaged(&error))? {
        let size = member.range.end.saturating_sub(member.range.start);
        match &member.kind {
            MemberKind::Other => {}
            MemberKind::Link(to, is_hard) => unpacking.link(&member.name, to, *is_hard),
            MemberKind::Sparse => unpacking.sparse(&member.name)?,
            MemberKind::File => match place.filter(|place| place.has(&member)) {
                Some(place) => unpacking.stand_in(&member.name, member.range, place.file)?,
                None => unpacking.file(&member.name, Some(size), &mut members)?,
            },
        }
    }
    Ok((unpacking.finish()?, members.into_input()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    /// The end of a table, which makes a file one of a checkpoint.
    const TABLE: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();

    fn member(name: &str, contents: &[u8]) -> Vec<u8> {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_entry_type(::tar::EntryType::Regular);
        // Written directly, because the library refuses to write names with `..`.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let mut block = contents.to_vec();
        block.resize(contents.len().next_multiple_of(512), 0);
        [header.as_bytes().to_vec(), block].concat()
    }

    fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
        let members: Vec<Vec<u8>> = members.iter().map(|(name, contents)| member(name, contents)).collect();
        [members.concat(), vec![0; 1024]].concat()
    }

    fn in_file<T>(bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.tar");
        fs::write(&path, bytes).unwrap();
        read(&path)
    }

    fn unpacked(bytes: &[u8]) -> Result<Unpacked> {
        in_file(bytes, |path| unpack(path, Kind::of(path).unwrap_or(Kind::Tar)))
    }

    fn problem(bytes: &[u8]) -> String {
        unpacked(bytes).unwrap_err().to_string()
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = ::zip::ZipWriter::new(io::Cursor::new(vec![]));
        for (name, contents) in members {
            archive.start_file(*name, ::zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(contents).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn members_stay_in_the_folder() {
        let folder = unpacked(&tar_of(&[("./model/x.ckpt", b"table")])).unwrap().folder;
        assert_eq!(fs::read(folder.path().join("model/x.ckpt")).unwrap(), b"table");
        for name in ["../x.ckpt", "/tmp/x.ckpt", "a/../../x.ckpt"] {
            for archive in
                [tar_of(&[(name, b"table")]), tar_of(&[(name, &TABLE)]), zip_of(&[(name, b"table")])]
            {
                let error = problem(&archive);
                assert!(error.contains("outside of its folder"), "{error}");
            }
        }
    }

    #[test]
    fn a_truncated_archive_is_an_error() {
        let tar = tar_of(&[("x.ckpt", &[7; 2000])]);
        assert!(unpacked(&tar[..1000]).is_err());
        assert!(unpacked(&tar[..3072]).is_ok());
        let table = tar_of(&[("x.ckpt", &[&[7; 2000][..], &TABLE].concat())]);
        assert!(unpacked(&table[..1000]).is_err());
    }

    #[test]
    fn the_checksum_after_the_last_member_is_compared() {
        let mut archive = compressed(&tar_of(&[("x.ckpt", &[7; 2000])]));
        let checksum = archive.len() - 8;
        archive[checksum] ^= 1;
        assert!(problem(&archive).contains("the archive cannot be read"));
        let followed = [compressed(&tar_of(&[("x.ckpt", b"table")])), b"more".to_vec()].concat();
        assert!(problem(&followed).contains("other data follow its end"));
    }

    #[test]
    fn a_file_can_be_compressed_without_an_archive() {
        let unpacked = unpacked(&compressed(b"table")).unwrap();
        let file = unpacked.single_file.unwrap();
        assert_eq!(file, unpacked.folder.path().join("a"));
        assert_eq!(fs::read(file).unwrap(), b"table");
    }

    #[test]
    fn only_what_can_belong_to_a_model_is_unpacked() {
        let members: [(&str, &[u8]); 3] =
            [("x.ckpt", b"table"), ("cat.jpg", b"\xff\xd8"), ("._x.ckpt", b"mac")];
        for archive in [tar_of(&members), compressed(&tar_of(&members)), zip_of(&members)] {
            let unpacked = unpacked(&archive).unwrap();
            assert_eq!(fs::read_dir(unpacked.folder.path()).unwrap().count(), 1);
            assert!(unpacked.has_others());
        }
    }

    #[test]
    fn files_of_a_checkpoint_are_read_where_they_are() {
        let table = [&[7; 2000][..], &TABLE].concat();
        let data = "m/x.data-00000-of-00001";
        let archive = tar_of(&[("m/x.index", &table), (data, b"weights"), ("m/checkpoint", b"state")]);
        in_file(&archive, |path| {
            let unpacked = unpack(path, Kind::Tar).unwrap();
            let file = |name: &str| unpacked.folder.path().join(name);
            for (name, contents) in [("m/x.index", &table[..]), (data, b"weights")] {
                assert_eq!(fs::read(file(name)).unwrap(), b"", "not copied");
                assert_eq!(MappedFile::open(&file(name)).unwrap().bytes(), contents);
            }
            assert_eq!(fs::read(file("m/checkpoint")).unwrap(), b"state");
            let index = file("m/x.index");
            drop(unpacked.in_place);
            assert_eq!(MappedFile::open(&index).unwrap().bytes(), b"");
        });
    }

    #[test]
    fn of_several_members_of_a_name_the_last_counts() {
        let read = |members: &[(&str, &[u8])]| {
            in_file(&tar_of(members), |path| {
                let unpacked = unpack(path, Kind::Tar).unwrap();
                MappedFile::open(&unpacked.folder.path().join("x.ckpt")).unwrap().bytes().to_vec()
            })
        };
        assert_eq!(read(&[("x.ckpt", b"longer"), ("./x.ckpt", b"new")]), b"new");
        assert_eq!(read(&[("x.ckpt", &TABLE), ("x.ckpt", b"new")]), b"new");
        assert_eq!(read(&[("x.ckpt", b"old"), ("x.ckpt", &TABLE)]), TABLE);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        // Members of gzip follow each other.
        let zeros = compressed(&vec![0; 8 << 20]).repeat(12);
        let mut header = member("x.ckpt", b"");
        header.truncate(512);
        let mut header = ::tar::Header::from_byte_slice(&header).clone();
        header.set_size(96 << 20);
        header.set_cksum();
        for archive in [zeros.clone(), [compressed(header.as_bytes()), zeros].concat()] {
            assert!(problem(&archive).contains("times its size"));
        }
    }

    #[test]
    fn a_member_that_is_larger_than_the_disk_is_refused_at_once() {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(1 << 60);
        header.set_path("x.ckpt").unwrap();
        header.set_cksum();
        let error = in_file(header.as_bytes(), |path| {
            unpack_stream(path, fs::File::open(path).unwrap(), Kind::Tar).unwrap_err().to_string()
        });
        let expected = if cfg!(target_os = "linux") { "set TMPDIR" } else { "its end is missing" };
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn names_that_no_folder_can_have_are_not_a_full_disk() {
        for (members, said) in [
            (vec!["x.ckpt", "x.ckpt/y.ckpt"], "x.ckpt/y.ckpt is a file and a folder at the same time"),
            (vec!["x.ckpt/y.ckpt", "x.ckpt"], "x.ckpt is a file and a folder at the same time"),
        ] {
            let members: Vec<(&str, &[u8])> = members.into_iter().map(|name| (name, &b"table"[..])).collect();
            for archive in [tar_of(&members), zip_of(&members)] {
                let error = problem(&archive);
                assert!(error.contains(said) && !error.contains("TMPDIR"), "{error}");
            }
        }
        let long = format!("{}.ckpt", "x".repeat(300));
        let error = problem(&zip_of(&[(&long, b"table")]));
        assert!(error.contains("has a longer name than files can have") && error.len() < 300, "{error}");
    }

    #[test]
    fn links_and_sparse_files_are_named() {
        let linked = |to: &str| {
            let mut builder = ::tar::Builder::new(vec![]);
            let mut header = ::tar::Header::new_gnu();
            header.set_size(0);
            header.set_entry_type(::tar::EntryType::Symlink);
            builder.append_link(&mut header, "latest/x.ckpt", to).unwrap();
            [builder.into_inner().unwrap()[..512].to_vec(), tar_of(&[("old/x.ckpt", b"table")])].concat()
        };
        for outside in ["/etc/passwd", "../../old/x.ckpt", "nothing"] {
            let error = problem(&linked(outside));
            assert!(
                error.contains("its member latest/x.ckpt is a link, and links are not followed"),
                "{error}"
            );
        }
        let unpacked = unpacked(&linked("../old/x.ckpt")).unwrap();
        assert_eq!(fs::read_dir(unpacked.folder.path()).unwrap().count(), 1);
        let error = unpacked.error(Error::new("a.tar", "it contains no checkpoint")).to_string();
        assert!(error.contains("links, which are not followed (latest/x.ckpt)"), "{error}");
        let mut sparse = tar_of(&[("x.ckpt", b"part")]);
        let mut header = ::tar::Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&sparse[..512]);
        header.set_entry_type(::tar::EntryType::GNUSparse);
        header.set_cksum();
        sparse[..512].copy_from_slice(header.as_bytes());
        assert!(problem(&sparse).contains("its member x.ckpt is stored as a sparse file; pack it again"));
    }

    #[test]
    fn an_archive_in_an_archive_is_named() {
        let archive = tar_of(&[("models/a.tar.gz", b"\x1f\x8b"), ("README.md", b"")]);
        let error = in_file(&archive, |path| model_in(path, &unpack(path, Kind::Tar).unwrap()).unwrap_err());
        assert!(
            error.to_string().contains("another archive: unpack it, and give models/a.tar.gz"),
            "{error}"
        );
    }

    #[test]
    fn many_small_members_are_counted() {
        let archive = compressed(&member("m", b"").repeat(50_000));
        assert_eq!(unpacked(&archive).unwrap().others.len(), 50_000);
    }

    #[test]
    fn a_wrong_length_in_a_zip_archive_is_an_error() {
        let mut archive = zip_of(&[("x.ckpt", &[7; 1000])]);
        // In the directory at the end, where the length is in front of those of the name, extra field and comment.
        let place = archive.windows(4).rposition(|bytes| bytes == 1000u32.to_le_bytes()).unwrap();
        archive[place..place + 4].copy_from_slice(&9_000u32.to_le_bytes());
        assert!(unpacked(&archive).is_err());
    }

    #[test]
    fn another_name_in_the_directory_of_a_zip_archive_is_an_error() {
        let mut archive = zip_of(&[("a.ckpt", b"table")]);
        let place = archive.windows(6).rposition(|bytes| bytes == b"a.ckpt").unwrap();
        archive[place] = b'b';
        assert!(problem(&archive).contains("a part of it is damaged"));
    }

    #[test]
    fn members_of_one_name_in_a_zip_archive_are_an_error() {
        let mut archive = zip_of(&[("a.ckpt", b"table"), ("b.ckpt", &TABLE)]);
        while let Some(place) = archive.windows(6).position(|bytes| bytes == b"b.ckpt") {
            archive[place] = b'a';
        }
        let other_spelling = zip_of(&[("a.ckpt", b"table"), ("./a.ckpt", &TABLE)]);
        for (archive, name) in [(archive, "a.ckpt"), (other_spelling, "./a.ckpt")] {
            let error = problem(&archive);
            assert!(error.contains(&format!("it has several members of the name {name}")), "{error}");
        }
    }
}
