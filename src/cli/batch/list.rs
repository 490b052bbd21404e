//! Lists of paths on standard input.

use std::path::PathBuf;

/// The input that means a list on standard input.
pub const LIST: &str = "-";

/// Some editors write this at the start of a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The paths of a list: one on each line, without lines that begin with #.
pub fn paths_in(list: &[u8]) -> Vec<PathBuf> {
    let list = list.strip_prefix(BYTE_ORDER_MARK).unwrap_or(list);
    let lines = list.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#")).map(path_of).collect()
}

#[cfg(unix)]
fn path_of(line: &[u8]) -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(line))
}

#[cfg(not(unix))]
fn path_of(line: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_path_on_each_line() {
        let list = b"\xef\xbb\xbf# mine\na.ckpt\r\n\n  \nwith space.ckpt\nlast";
        assert_eq!(paths_in(list), ["a.ckpt", "with space.ckpt", "last"].map(PathBuf::from));
    }
}
