//! The text of a file, and what is wrong with it.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use crate::error::{Error, Result};

/// Reads a text file of at most `max_bytes`. `nothing` is what has more, as in "no description of a network".
///
/// # Errors
/// Where it cannot be read, is longer, or is no text.
pub fn read(path: &Path, max_bytes: usize, nothing: &str) -> Result<String> {
    // Not read as a whole before its length is known: a device has no end.
    let mut bytes = vec![];
    let read = File::open(path).and_then(|file| file.take(max_bytes as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Error::unreadable(path, &error))?;
    if bytes.len() > max_bytes {
        return Err(Error::file(path, format!("{nothing} has more than {max_bytes} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Error::new(place(&path.display().to_string(), line), "it is not UTF-8 text")
    })
}

/// The text of a file with its name.
#[derive(Debug)]
pub struct Source<'a> {
    /// The file, as the user calls it.
    pub file: String,
    /// The text.
    pub text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// The text of a file.
    pub fn new(path: &Path, text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            file: path.display().to_string(),
            text,
            line_starts: std::iter::once(0).chain(after_newlines).collect(),
        }
    }

    /// The table that the text is.
    ///
    /// # Errors
    /// Where it is no TOML.
    pub fn parse(&self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|error| {
            let said: Vec<&str> = error.message().lines().map(str::trim).collect();
            self.mistake(&error.span().unwrap_or(0..0), format!("it is no TOML: {}", said.join("; ")))
        })
    }

    /// The line that a place in the text is on, counted from 1.
    pub fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= at)
    }

    /// What to call a line of the text.
    pub fn place(&self, line: usize) -> String {
        place(&self.file, line)
    }

    /// An error about a part of the text.
    pub fn mistake(&self, at: &Range<usize>, problem: impl std::fmt::Display) -> Error {
        Error::new(self.place(self.line(at.start)), problem)
    }
}

/// What to call a line of a file: `my_net.toml, line 12`.
pub fn place(file: &str, line: usize) -> String {
    format!("{file}, line {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let source = Source::new(Path::new("net.toml"), "a\nb\n");
        assert_eq!([0, 1, 2, 3, 4].map(|at| source.line(at)), [1, 1, 2, 2, 3]);
    }
}
