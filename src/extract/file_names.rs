//! The file of a tensor: scopes become folders, and no name leads out of the output folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::setting::Setting;

/// Characters that some system does not allow in file names. They are written as `%` and two digits.
const UNSAFE: &str = "<>:\"\\|?*%";

/// The path of a tensor's file, relative to the folder. Different names have different paths.
pub(super) fn file_name(name: &str) -> PathBuf {
    // A slash beside an empty part is escaped.
    let mut parts: Vec<String> = vec![];
    let mut part = String::new();
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if !part.is_empty() && rest.peek().is_some_and(|&next| next != '/') => {
                parts.push(std::mem::take(&mut part));
            }
            c if c == '/' || c.is_control() || UNSAFE.contains(c) => part += &escaped(c),
            c => part.push(c),
        }
    }
    parts.push(part);
    let last = parts.len() - 1;
    let safe = parts.iter().enumerate().map(|(index, part)| {
        // Folders named `.` or `..` lead elsewhere, and some systems remove dots and spaces at the end of a name.
        let kept = part.trim_end_matches(['.', ' ']);
        let end: String = part[kept.len()..].chars().map(escaped).collect();
        if index == last { format!("{kept}{end}.npy") } else { format!("{kept}{end}") }
    });
    safe.collect()
}

fn escaped(c: char) -> String {
    let mut bytes = [0; 4];
    c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The files of tensors, in the same order.
///
/// # Errors
/// If two of them are the same file on a system that ignores case, or one is inside of another.
pub(super) fn file_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<PathBuf>> {
    let mut taken: BTreeMap<PathBuf, &str> = BTreeMap::new();
    let mut files = vec![];
    for name in names {
        let file = file_name(name);
        if let Some(other) = taken.insert(lowercase(&file), name) {
            return Err(clash(name, other));
        }
        files.push(file);
    }
    for (file, name) in &taken {
        if let Some(other) = file.ancestors().skip(1).find_map(|folder| taken.get(folder)) {
            return Err(clash(name, other));
        }
    }
    Ok(files)
}

fn lowercase(path: &Path) -> PathBuf {
    path.to_string_lossy().to_lowercase().into()
}

fn clash(name: &str, other: &str) -> Error {
    Error::new(format!("tensor \"{name}\""), format!("its file has the same path as that of \"{other}\""))
        .advice(format!("write .npz or .safetensors, or choose one of them with {}", Setting::Match))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Component;

    #[test]
    fn scopes_are_folders_and_unsafe_characters_are_escaped() {
        for (name, file) in [
            ("InceptionV3/Conv2d_1a_3x3/weights", "InceptionV3/Conv2d_1a_3x3/weights.npy"),
            ("global_step", "global_step.npy"),
            ("net/w:0", "net/w%3A0.npy"),
            ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd.npy"),
            ("/model/w", "%2Fmodel/w.npy"),
            ("a//b", "a%2F/b.npy"),
            ("a/", "a%2F.npy"),
            ("a/..", "a/%2E%2E.npy"),
            ("C:\\x", "C%3A%5Cx.npy"),
            ("", ".npy"),
            ("50%", "50%25.npy"),
        ] {
            assert_eq!(file_name(name), PathBuf::from(file), "{name}");
        }
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let parts = ["..", ".", "", "/", "a", "\0", "\\", "%2E%2E", " "];
        for first in parts {
            for second in parts {
                for third in parts {
                    let name = format!("{first}/{second}/{third}");
                    let file = file_name(&name);
                    let stays = file.components().all(|part| matches!(part, Component::Normal(_)));
                    assert!(stays, "{name:?} is {file:?}");
                }
            }
        }
    }

    #[test]
    fn names_that_would_share_a_file_are_refused() {
        let files = |names: &[&str]| file_names(names.iter().copied());
        assert_eq!(files(&["a", "a/b", "A/c"]).unwrap().len(), 3);
        assert!(files(&["net/W", "net/w"]).unwrap_err().to_string().contains("the same path"));
        assert!(files(&["a", "a.npy/b"]).is_err(), "a.npy cannot be a file and a folder");
    }
}
