//! The text of a description, and what is wrong with it: every mistake is said with its file and line.

use std::ops::Range;
use std::path::Path;

use crate::error::Error;

/// The text of a description with the name of its file.
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

/// The error with the known word that comes nearest to `word`, or else with all of them.
pub fn suggesting<'k>(error: Error, word: &str, known: impl IntoIterator<Item = &'k str>) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, &known) {
        Some(meant) => error.advice(format!("did you mean \"{meant}\"?")),
        None if known.is_empty() => error,
        None => error.advice(format!("choose one of {}", known.join(", "))),
    }
}

/// The known word that somebody may have mistyped; at most a third of its letters are wrong.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |known: &str| strsim::osa_distance(&word.to_lowercase(), known);
    let (distance, meant) = known.iter().map(|known| (distance(known), *known)).min()?;
    (distance <= (meant.len() / 3).max(1)).then_some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let source = Source::new(Path::new("net.toml"), "a\nb\n");
        assert_eq!([0, 1, 2, 3, 4].map(|at| source.line(at)), [1, 1, 2, 2, 3]);
    }

    #[test]
    fn a_mistyped_word_is_answered_with_the_one_that_was_meant() {
        let said = |word| suggesting(Error::new("x", "y"), word, ["stride", "rate"]).to_string();
        assert_eq!(said("strid"), "x: y; did you mean \"stride\"?");
        assert_eq!(said("kernel"), "x: y; choose one of stride, rate");
    }
}
