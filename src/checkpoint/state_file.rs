//! The file `checkpoint` that TensorFlow writes beside its checkpoints: a `CheckpointState` in text form.
//!
//! Source: `tensorflow/python/training/checkpoint_state.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The name of the file.
pub(super) const NAME: &str = "checkpoint";

/// The maximum length that is read: a state file lists only a few paths.
const MAX_BYTES: u64 = 1 << 20;

/// The `model_checkpoint_path` of this file; `None` if it is not a state file.
pub(super) fn latest_checkpoint(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut text = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut text).ok()?;
    parse(&String::from_utf8(text).ok()?)
}

fn parse(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let value = line.trim_start().strip_prefix("model_checkpoint_path")?;
        let value = value.trim_start().strip_prefix(':')?.trim();
        let quote = value.chars().next().filter(|&c| c == '"' || c == '\'')?;
        unescape(value.strip_prefix(quote)?.strip_suffix(quote)?)
    })
}

/// Decodes the escapes of protobuf's text format: backslashes, and octal numbers for bytes beyond ASCII.
fn unescape(text: &str) -> Option<String> {
    let (mut out, mut bytes) = (vec![], text.bytes().peekable());
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next()? {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            first @ b'0'..=b'7' => {
                let number = |digit: u8| u32::from(digit).saturating_sub(u32::from(b'0'));
                let mut value = number(first);
                for _ in 0..2 {
                    let Some(digit) = bytes.next_if(|digit| (b'0'..=b'7').contains(digit)) else { break };
                    value = value.saturating_mul(8).saturating_add(number(digit));
                }
                out.push(u8::try_from(value).ok()?);
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

/// Possible paths of the checkpoint that a state file in `folder` names. Training folders are moved and copied, so the
/// same name in the folder itself comes before the path on the training machine.
pub(super) fn candidates(folder: &Path, named: &str) -> Vec<PathBuf> {
    let mut candidates = vec![];
    let named_path = Path::new(named);
    if named_path.is_relative() {
        candidates.push(folder.join(named_path));
    }
    // If the prefix of a checkpoint is its folder, the name ends in a slash, or is `.` relative to the folder.
    if named.rsplit(['/', '\\']).next().is_some_and(|last| matches!(last, "" | ".")) {
        candidates.push(folder.join(""));
    }
    // The path may be a Windows path.
    if let Some(file_name) = named.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()) {
        candidates.push(folder.join(file_name));
    }
    if named_path.is_absolute() {
        candidates.push(named_path.to_path_buf());
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_latest_checkpoint_is_read() {
        let text =
            "model_checkpoint_path: \"run \\\"1\\\"/m\\303\\266del-7\"\nall_model_checkpoint_paths: \"a\"\n";
        assert_eq!(parse(text).unwrap(), "run \"1\"/mödel-7");
        assert_eq!(parse("model_checkpoint_path:'a'").unwrap(), "a");
        assert_eq!(parse("all_model_checkpoint_paths: \"a\""), None);
        assert_eq!(parse("model_checkpoint_path: \"a"), None);
        assert_eq!(parse("model_checkpoint_path: \"\\777\""), None);
    }

    #[test]
    fn the_folder_itself_is_searched_first() {
        let folder = Path::new("/copied");
        assert_eq!(
            candidates(folder, "/trained/model-7"),
            [Path::new("/copied/model-7"), Path::new("/trained/model-7")]
        );
        assert_eq!(candidates(folder, "C:\\trained\\model-7").last().unwrap(), Path::new("/copied/model-7"));
        assert_eq!(candidates(folder, "a/b")[0], Path::new("/copied/a/b"));
        for named in [".", "/trained/"] {
            let slashed = candidates(folder, named).iter().any(|path| path.as_os_str() == "/copied/");
            assert!(slashed, "{named}");
        }
    }
}
