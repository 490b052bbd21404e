//! Lists the checkpoints in a folder without opening them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::locate::{
    self, Located, checkpoints_in, file_names, file_prefix, index_path, is_table, without_shard,
};
use super::state_file;

/// A checkpoint in a folder, which was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path, as in [`Checkpoint::path`](super::Checkpoint::path).
    pub path: PathBuf,
    /// Its existing files.
    pub files: Vec<PathBuf>,
    /// Whether the folder contains a later step of the same training. The latest step is the one that the file
    /// `checkpoint` names, or else the highest.
    pub is_superseded: bool,
}

/// Lists the checkpoints of a folder, sorted by name. The list includes incomplete checkpoints, and other files with the
/// name of a checkpoint: opening them gives an error that explains what is wrong.
pub fn list(folder: &Path) -> Vec<Listed> {
    let names = file_names(folder);
    let mut found: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for located in checkpoints_in(folder) {
        let files = files_of(&located, &names, folder);
        found.insert(located.path().to_path_buf(), files);
    }
    let claimed: BTreeSet<PathBuf> = found.values().flatten().cloned().collect();
    for name in &names {
        let path = folder.join(name);
        if let Some(stem) = incomplete(&path, name).filter(|_| !claimed.contains(&path)) {
            found.entry(folder.join(stem)).or_default().push(path);
        }
    }
    let latest = latest_of_each(folder, found.keys());
    let is_superseded = |path: &Path| match (base_and_step(path), file_name(path)) {
        (Some((base, _)), Some(name)) => latest.get(base).is_some_and(|(_, latest)| latest != name),
        _ => false,
    };
    let superseded: Vec<bool> = found.keys().map(|path| is_superseded(path)).collect();
    let listed = found.into_iter().zip(superseded);
    listed.map(|((path, files), is_superseded)| Listed { path, files, is_superseded }).collect()
}

/// The checkpoint that `path` names, if its files are found.
pub fn named(path: &Path) -> Option<Listed> {
    let located = locate::locate(path).ok()?;
    let path = located.path().to_path_buf();
    let folder = locate::folder_of(&index_path(&path));
    let files = files_of(&located, &file_names(&folder), &folder);
    Some(Listed { path, files, is_superseded: false })
}

/// The name of the checkpoint that an incomplete set of files belongs to: a data file without its index, a shard without
/// the others, or a file with the name of a checkpoint that does not end like one.
fn incomplete<'n>(path: &Path, name: &'n str) -> Option<&'n str> {
    if let Some((base, _)) = without_shard(name) {
        let data_of = base.strip_suffix(".data");
        return data_of.or_else(|| (path.is_file() && is_table(path)).then_some(base));
    }
    let (unnumbered, _) = split_step(name).unwrap_or((name, 0));
    (unnumbered.ends_with(".ckpt") && path.is_file()).then_some(name)
}

fn files_of(located: &Located, names: &[String], folder: &Path) -> Vec<PathBuf> {
    match located {
        Located::V1(_, files) => files.clone(),
        Located::V2(prefix) => {
            let is_data = |name: &&String| match (without_shard(name), file_prefix(prefix)) {
                (Some((base, _)), Some(prefix)) => base.strip_suffix(".data") == Some(prefix),
                _ => false,
            };
            let data = names.iter().filter(is_data).map(|name| folder.join(name));
            std::iter::once(index_path(prefix)).chain(data).collect()
        }
    }
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// Splits `model.ckpt-1000` into `model.ckpt` and 1000.
fn split_step(name: &str) -> Option<(&str, u64)> {
    let (base, step) = name.rsplit_once('-')?;
    let is_number = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    Some((base, is_number.then(|| step.parse().ok())??))
}

fn base_and_step(path: &Path) -> Option<(&str, u64)> {
    split_step(file_name(path)?)
}

/// The latest checkpoint of each training: its step and its name, by the part of the name before the step.
fn latest_of_each<'p>(
    folder: &Path,
    paths: impl Iterator<Item = &'p PathBuf>,
) -> BTreeMap<String, (u64, String)> {
    let named = state_file::latest_checkpoint(&folder.join(state_file::NAME));
    // Only the name is compared, because the folder may have been moved.
    let named = named.as_deref().and_then(|named| named.rsplit(['/', '\\']).next());
    let mut latest: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for path in paths {
        let (Some((base, step)), Some(name)) = (base_and_step(path), file_name(path)) else { continue };
        let rank = if named == Some(name) { u64::MAX } else { step };
        let best = latest.entry(base.to_owned()).or_insert_with(|| (rank, name.to_owned()));
        if rank > best.0 {
            *best = (rank, name.to_owned());
        }
    }
    latest
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn listed(files: &[&str], state: Option<&str>) -> Vec<(String, usize, bool)> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), b"contents").unwrap();
        }
        if let Some(named) = state {
            let text = format!("model_checkpoint_path: \"{named}\"\n");
            fs::write(folder.path().join("checkpoint"), text).unwrap();
        }
        let name = |path: &Path| file_name(path).unwrap().to_owned();
        let all = list(folder.path()).into_iter();
        all.map(|found| (name(&found.path), found.files.len(), found.is_superseded)).collect()
    }

    fn expect(found: &[(String, usize, bool)], expected: &[(&str, usize, bool)]) {
        let found: Vec<(&str, usize, bool)> = found.iter().map(|(n, f, s)| (n.as_str(), *f, *s)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_files_of_a_checkpoint_are_listed_as_one() {
        let files = ["a.index", "a.data-00000-of-00002", "a.data-00001-of-00002", "a.meta", "labels.txt"];
        expect(&listed(&files, None), &[("a", 3, false)]);
    }

    #[test]
    fn damaged_files_with_the_name_of_a_checkpoint_are_listed() {
        let files = ["x.ckpt", "y.ckpt-12", "z.data-00000-of-00001", "readme.md"];
        expect(&listed(&files, None), &[("x.ckpt", 1, false), ("y.ckpt-12", 1, false), ("z", 1, false)]);
    }

    #[test]
    fn the_latest_step_is_that_of_the_state_file_or_else_the_highest() {
        let files = ["m.ckpt-5.index", "m.ckpt-10.index", "m.ckpt-9.index", "m.ckpt.index", "other-7.index"];
        let highest = [
            ("m.ckpt", 1, false),
            ("m.ckpt-10", 1, false),
            ("m.ckpt-5", 1, true),
            ("m.ckpt-9", 1, true),
            ("other-7", 1, false),
        ];
        expect(&listed(&files, None), &highest);
        let named = highest.map(|(name, files, _)| (name, files, ["m.ckpt-5", "m.ckpt-10"].contains(&name)));
        expect(&listed(&files, Some("/elsewhere/m.ckpt-9")), &named);
        expect(&listed(&files, Some("m.ckpt-8")), &highest);
    }
}
