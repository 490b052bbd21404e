//! Renames several files, or none.

use std::fs;
use std::path::Path;

use tempfile::NamedTempFile;

use super::target::folder_of;
use super::unwritable;
use crate::error::Result;
use crate::temporary::Temporary;

/// Renames files, in this order: each from its first to its second path. If one cannot be renamed, those before it are undone.
///
/// # Errors
/// If one cannot be renamed.
pub fn rename_all<'a>(files: impl IntoIterator<Item = (&'a Path, &'a Path)>) -> Result<()> {
    let mut files = files.into_iter().peekable();
    let mut renamed: Vec<(&Path, Before)> = vec![];
    while let Some((from, to)) = files.next() {
        // Nothing follows the last one that could fail.
        let before = if files.peek().is_some() { Before::of(to) } else { Before::Unknown };
        if let Err(error) = fs::rename(from, to) {
            for (path, before) in renamed.into_iter().rev() {
                before.restore(path);
            }
            return Err(unwritable(to, &error));
        }
        renamed.push((to, before));
    }
    Ok(())
}

/// What was at a path before.
enum Before {
    Nothing,
    /// A file, which has a second name now.
    File(Temporary<NamedTempFile<()>>),
    /// The filesystem has no second names for files.
    Unknown,
}

impl Before {
    fn of(path: &Path) -> Self {
        if !path.exists() {
            return Self::Nothing;
        }
        let linked = folder_of(path).ok().and_then(|folder| Temporary::link_in(folder, path).ok());
        linked.map_or(Self::Unknown, Self::File)
    }

    fn restore(self, path: &Path) {
        // There is already an error to report.
        let _ = match self {
            Self::Nothing => fs::remove_file(path),
            Self::File(file) => fs::rename(file.path(), path),
            Self::Unknown => Ok(()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_renamed_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let names = ["a", "b", "c"].map(|name| (path(&format!("new {name}")), path(name)));
        let write_all = || {
            for (from, to) in &names {
                fs::write(from, "new").unwrap();
                fs::write(to, "old").unwrap();
            }
        };
        let content = |name: &str| fs::read_to_string(path(name)).ok();
        write_all();
        rename_all(names.iter().map(|(from, to)| (&**from, &**to))).unwrap();
        assert!(["a", "b", "c"].iter().all(|name| content(name).as_deref() == Some("new")));
        write_all();
        fs::remove_file(path("a")).unwrap();
        fs::remove_file(path("new c")).unwrap();
        rename_all(names.iter().map(|(from, to)| (&**from, &**to))).unwrap_err();
        assert_eq!(content("a"), None);
        assert_eq!(content("b").as_deref(), Some("old"));
        assert_eq!(content("c").as_deref(), Some("old"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
