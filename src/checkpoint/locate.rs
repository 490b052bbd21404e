//! Finds the files of a checkpoint from the path that the user gave.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf, is_separator};
use std::time::SystemTime;

use super::{listing, state_file, table};
use crate::error::{Error, Result};
use crate::file_signature;
use crate::mapped::MappedFile;
use crate::setting::Command;
use crate::suggestion::{did_you_mean, first_of};

/// The most checkpoints that an error lists.
const LISTED: usize = 8;
/// The number of bytes from which files of other formats are recognized.
const HEAD_BYTES: usize = 4096;
/// The placeholder for the number of any shard.
const ANY_SHARD: &str = "?????";

/// A checkpoint that was found but not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Located {
    /// The path of the file, or the common prefix of the shards, and the files.
    V1(PathBuf, Vec<PathBuf>),
    /// The prefix.
    V2(PathBuf),
}

impl Located {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::V1(path, _) | Self::V2(path) => path,
        }
    }
}

/// The beginning of the names of a checkpoint's files: empty if the prefix is a folder that ends in a slash, as in
/// `saver.save(session, "model/")`.
pub(super) fn file_prefix(prefix: &Path) -> Option<&str> {
    let ends_as_folder =
        prefix.as_os_str().as_encoded_bytes().last().is_none_or(|&byte| is_separator(byte.into()));
    if ends_as_folder { Some("") } else { prefix.file_name()?.to_str() }
}

/// The path of the index of a V2 checkpoint.
pub(super) fn index_path(prefix: &Path) -> PathBuf {
    with_suffix(prefix, ".index")
}

/// Appends a suffix to the last component of a path.
pub(crate) fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(prefix);
    path.push(suffix);
    path.into()
}

/// The error for a missing file of a checkpoint.
pub(super) fn missing_part(path: &Path) -> Error {
    Error::file(path, "is missing, but is part of the checkpoint")
        .advice("put all files of the checkpoint side by side in one folder")
}

/// Finds the checkpoint that `path` names.
pub(super) fn locate(path: &Path) -> Result<Located> {
    if path.is_dir() {
        return in_folder(path);
    }
    if let Some(located) = by_name(path)? {
        return Ok(located);
    }
    if path.exists() {
        return not_a_checkpoint(path);
    }
    Err(missing(path))
}

/// The error for a path that does not exist. Suggests similar names.
fn missing(path: &Path) -> Error {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Error::file(path, format_args!("the folder {} does not exist", folder.display()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let files = file_names(&folder);
    let data = format!("{name}.data-");
    if files.iter().any(|file| file.starts_with(&data)) {
        return missing_part(&index_path(path));
    }
    if let Ok(to) = path.read_link() {
        return Error::file(path, format!("it is a link to {}, which does not exist", to.display()))
            .advice("repair the link, or give the path of the file itself");
    }
    let error = Error::file(path, "the file or checkpoint does not exist")
        .caused_by(&std::io::ErrorKind::NotFound.into());
    let checkpoints = checkpoints_in(&folder);
    let prefixes = checkpoints.iter().filter_map(|located| located.path().file_name()?.to_str());
    // Suggests checkpoints instead of their files, which have similar names.
    let others = files.iter().map(String::as_str).filter(|file| {
        let is_part = |located: &Located| {
            let prefix = located.path().file_name().unwrap_or_default().to_string_lossy();
            file.starts_with(&*prefix)
        };
        !checkpoints.iter().any(is_part)
    });
    let has = format!("its folder has {}", listed(&checkpoints));
    match (did_you_mean(&name, prefixes.chain(others)), checkpoints.len()) {
        // A single checkpoint is in the question already.
        (Some(question), 0 | 1) => error.advice(question),
        (Some(question), _) => error.advice(format_args!("{question} {has}")),
        (None, 0) => error,
        (None, _) => error.advice(has),
    }
}

fn not_a_checkpoint(path: &Path) -> Result<Located> {
    if path.file_name().is_some_and(|name| name == state_file::NAME)
        && let Some(named) = state_file::latest_checkpoint(path)
    {
        return by_state_file(&folder_of(path), &named);
    }
    if path.is_file() {
        let file = MappedFile::open(path)?;
        let head = &file.bytes()[..file.bytes().len().min(HEAD_BYTES)];
        return Err(file_signature::not_a_checkpoint(path, head));
    }
    Err(Error::file(path, "is neither a file nor a folder")
        .advice("to read from a pipe, give - as the input"))
}

pub(super) fn folder_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_path_buf()
}

/// Splits `model-00000-of-00002` into `model` and the number of shards. State files write `model-?????-of-00002` for all
/// shards of a V1 checkpoint.
pub(super) fn without_shard(name: &str) -> Option<(&str, usize)> {
    let (rest, count) = name.rsplit_once("-of-")?;
    let (base, id) = rest.rsplit_once('-')?;
    let is_number = |digits: &str| digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    ((is_number(id) || id == ANY_SHARD) && is_number(count)).then_some((base, count.parse().ok()?))
}

fn by_name(path: &Path) -> Result<Option<Located>> {
    Ok(match by_suffix(path)? {
        Some(located) => Some(located),
        None => by_prefix(path)?,
    })
}

/// The checkpoint that has a file of this name.
fn by_suffix(path: &Path) -> Result<Option<Located>> {
    let is_file = path.is_file();
    // Checked first, because names that are not UTF-8 can have this extension too.
    if is_file && path.extension().is_some_and(|end| end == "index") {
        return Ok(Some(Located::V2(path.with_extension(""))));
    }
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    // A folder that ends in a slash can be a prefix too.
    let sibling =
        |base: &str| if base.is_empty() { folder_of(path).join("") } else { path.with_file_name(base) };
    if is_file && name == ".index" {
        return Ok(Some(Located::V2(sibling(""))));
    }
    if let Some((base, _)) = without_shard(name) {
        if let Some(base) = base.strip_suffix(".data") {
            return match by_prefix(&sibling(base))? {
                None if is_file => Err(missing_part(&index_path(&sibling(base)))),
                located => Ok(located),
            };
        }
        let is_shard = is_file || name.contains(ANY_SHARD);
        return if is_shard { v1_shards(&sibling(base)) } else { Ok(None) };
    }
    if let Some(base) = name.strip_suffix(".meta").filter(|_| is_file) {
        let located = by_prefix(&sibling(base))?;
        return located.map(Some).ok_or_else(|| {
            Error::file(path, "is a graph, but its checkpoint is not beside it")
                .advice(format_args!("put {} and its data files there", index_path(&sibling(base)).display()))
        });
    }
    Ok(None)
}

/// The checkpoint with this prefix.
fn by_prefix(path: &Path) -> Result<Option<Located>> {
    if path.is_file() && is_table(path) {
        return Ok(Some(Located::V1(path.to_path_buf(), vec![path.to_path_buf()])));
    }
    if index_path(path).is_file() {
        return Ok(Some(Located::V2(path.to_path_buf())));
    }
    v1_shards(path)
}

/// The V1 checkpoint whose shards are named `PREFIX-00000-of-00002` and so on.
///
/// Source: `ShardedFilename` in `tensorflow/core/kernels/save_restore_tensor.cc` and `sharded_filename_op.cc`.
fn v1_shards(prefix: &Path) -> Result<Option<Located>> {
    let Some(base) = prefix.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    let names = file_names(&folder_of(prefix));
    let mut counts = names.iter().filter_map(|name| match without_shard(name)? {
        (shard_of, count) if shard_of == base => Some(count),
        _ => None,
    });
    let Some(count) = counts.next() else { return Ok(None) };
    if counts.any(|other| other != count) {
        return Err(Error::file(prefix, "the folder contains files of two checkpoints with this name")
            .advice("move the files of one of them to another folder"));
    }
    let mut files = vec![];
    // Stops at the first missing file, however large the count in the name is.
    for id in 0..count {
        let file = with_suffix(prefix, &format!("-{id:05}-of-{count:05}"));
        if !file.is_file() {
            return Err(missing_part(&file));
        }
        files.push(file);
    }
    Ok((!files.is_empty()).then(|| Located::V1(prefix.to_path_buf(), files)))
}

/// Whether a file of this name and content is one of a checkpoint, which is only read by being mapped: a data file of V2, or a table.
pub(crate) fn is_part_of_checkpoint(path: &Path, contents: &[u8]) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_data = without_shard(name).is_some_and(|(base, _)| base.ends_with(".data"));
    is_data || contents.ends_with(&table::MAGIC)
}

/// Mapped and not opened, because a path can stand for a part of an archive.
pub(super) fn is_table(path: &Path) -> bool {
    MappedFile::open(path).is_ok_and(|file| file.bytes().ends_with(&table::MAGIC))
}

pub(super) fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

fn in_folder(folder: &Path) -> Result<Located> {
    if let Some(named) = state_file::latest_checkpoint(&folder.join(state_file::NAME)) {
        return by_state_file(folder, &named);
    }
    let mut found = checkpoints_in(folder);
    if let Some(damaged) = newer_damaged(folder, &found) {
        return Err(damaged);
    }
    match found.len() {
        0 => Err(none_in(folder)),
        1 => Ok(found.remove(0)),
        count => Err(Error::file(folder, format_args!("there are {count} checkpoints: {}", listed(&found)))
            .advice(match newest(&found) {
                Some(newest) => {
                    let newest = unambiguous(newest);
                    format!("give the path of one of them; the newest is {}", newest.display())
                }
                None => "give the path of one of them".into(),
            })),
    }
}

/// The error for a damaged checkpoint that is newer than the others in a folder. The others are not used instead, because
/// an earlier step is another model.
fn newer_damaged(folder: &Path, found: &[Located]) -> Option<Error> {
    let listed_all = listing::list(folder);
    let is_whole = |path: &Path| found.iter().any(|located| located.path() == path);
    let damaged = listed_all.iter().find(|listed| !listed.is_superseded && !is_whole(&listed.path))?;
    let others =
        (!found.is_empty()).then(|| format!("or give the path of another one: {}", listed(found)))?;
    let error = locate(&damaged.path).err()?;
    let problem = format!("its checkpoint cannot be read, {error}");
    Some(Error::file(folder, problem).advice(others))
}

/// The error for a folder without a checkpoint. Lists other models in it.
fn none_in(folder: &Path) -> Error {
    if let Err(error) = fs::read_dir(folder) {
        return Error::unreadable(folder, &error);
    }
    let error = Error::file(folder, "there is no checkpoint in this folder");
    let names = file_names(folder);
    let saved_models = names.iter().filter(|name| folder.join(name).join("saved_model.pb").is_file());
    if let Some(newest) = saved_models.max() {
        return error.advice(format_args!(
            "its folder {newest} is a SavedModel: give {}",
            folder.join(newest).display()
        ));
    }
    let model_files = names.iter().filter(|name| {
        [".pb", ".pbtxt", ".meta", ".onnx"].iter().any(|ending| name.ends_with(ending))
            || name.contains(".data-")
    });
    let model_files: Vec<String> = model_files.cloned().collect();
    match &model_files[..] {
        [] => error
            .advice(format_args!("`{}` converts all models in a folder and its subfolders", Command::Batch)),
        some => error.advice(format_args!("give the path of a file in it: {}", first_of(some, LISTED))),
    }
}

fn by_state_file(folder: &Path, named: &str) -> Result<Located> {
    for candidate in state_file::candidates(folder, named) {
        if let Some(located) = by_name(&candidate)? {
            return Ok(located);
        }
    }
    let error = Error::file(
        folder.join(state_file::NAME),
        format_args!("it names the checkpoint {named}, which does not exist"),
    );
    Err(match checkpoints_in(folder) {
        found if found.is_empty() => error.advice("put its files into the folder"),
        found => error.advice(format_args!("give the path of an existing one: {}", listed(&found))),
    })
}

/// The checkpoints in a folder.
pub(super) fn checkpoints_in(folder: &Path) -> Vec<Located> {
    let mut found = BTreeMap::new();
    for name in file_names(folder) {
        let path = folder.join(&name);
        let located = if let Some(base) = name.strip_suffix(".index") {
            Located::V2(folder.join(base))
        } else if !path.is_file() || !is_table(&path) {
            continue;
        } else if let Some((base, _)) = without_shard(&name) {
            match v1_shards(&folder.join(base)) {
                Ok(Some(located)) => located,
                _ => continue,
            }
        } else {
            Located::V1(path.clone(), vec![path])
        };
        found.insert(located.path().to_path_buf(), located);
    }
    found.into_values().collect()
}

fn listed(found: &[Located]) -> String {
    let names = found.iter().take(LISTED).map(|located| unambiguous(located.path()));
    let names = names.map(|path| path.file_name().unwrap_or_default().display().to_string());
    let mut list = names.collect::<Vec<_>>().join(", ");
    if found.len() > LISTED {
        list.push_str(", …");
    }
    list
}

/// A path of a checkpoint that cannot be confused with its folder.
fn unambiguous(prefix: &Path) -> PathBuf {
    if file_prefix(prefix) == Some("") { index_path(prefix) } else { prefix.to_path_buf() }
}

/// The checkpoint of the highest training step. If no name contains a step, the one that was written last.
fn newest(found: &[Located]) -> Option<&Path> {
    let age = |located: &&Located| {
        let name = located.path().to_str().unwrap_or_default();
        let step = name.rsplit_once('-').and_then(|(_, step)| step.parse::<u64>().ok());
        let file = match located {
            Located::V1(_, files) => files.first().cloned(),
            Located::V2(prefix) => Some(index_path(prefix)),
        };
        let written = file.and_then(|file| fs::metadata(file).ok()?.modified().ok());
        (step, written.unwrap_or(SystemTime::UNIX_EPOCH))
    };
    found.iter().max_by_key(age).map(Located::path)
}
