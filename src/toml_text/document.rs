//! The text of a TOML file, and errors that name a line of it.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use crate::error::{Error, Result};

/// Reads a text file of at most `max_bytes`. `what` describes the file in the error for a longer one, as in "the
/// description of a network".
///
/// # Errors
/// If the file cannot be read, is longer, or is not text.
pub fn read(path: &Path, max_bytes: usize, what: &str) -> Result<String> {
    // Limited while reading, because a device has no end.
    let mut bytes = vec![];
    let read = File::open(path)
        .and_then(|file| file.take((max_bytes as u64).saturating_add(1)).read_to_end(&mut bytes));
    read.map_err(|error| Error::unreadable(path, &error))?;
    if bytes.len() > max_bytes {
        return Err(Error::file(path, format!("{what} can have at most {max_bytes} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.utf8_error().valid_up_to();
        let newlines = error.as_bytes().iter().take(before).filter(|&&byte| byte == b'\n').count();
        let line = newlines.saturating_add(1);
        Error::new(location(&path.display().to_string(), line), "it is not UTF-8 text")
    })
}

/// The text of a file, with the name of the file.
#[derive(Debug)]
pub struct Document<'a> {
    /// The name of the file, as the user gave it.
    pub file: String,
    /// The text.
    pub text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Document<'a> {
    /// The text of a file.
    pub fn new(path: &Path, text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(offset, _)| offset.saturating_add(1));
        Self {
            file: path.display().to_string(),
            text,
            line_starts: std::iter::once(0).chain(after_newlines).collect(),
        }
    }

    /// Parses the text.
    ///
    /// # Errors
    /// If it is not valid TOML.
    pub fn parse(&self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|error| {
            let message: Vec<&str> = error.message().lines().map(str::trim).collect();
            let problem = format!("it is not valid TOML: {}", message.join("; "));
            self.error(&error.span().unwrap_or(0..0), problem)
        })
    }

    /// The number of the line that contains a byte offset, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    /// The location of a line, for errors: `my_net.toml, line 12`.
    pub fn location(&self, line: usize) -> String {
        location(&self.file, line)
    }

    /// An error about a part of the text.
    pub fn error(&self, span: &Range<usize>, problem: impl std::fmt::Display) -> Error {
        Error::new(self.location(self.line(span.start)), problem)
    }
}

/// The location of a line, for errors: `my_net.toml, line 12`.
pub fn location(file: &str, line: usize) -> String {
    format!("{file}, line {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let document = Document::new(Path::new("net.toml"), "a\nb\n");
        assert_eq!([0, 1, 2, 3, 4].map(|offset| document.line(offset)), [1, 1, 2, 2, 3]);
    }
}
