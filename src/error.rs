//! The error type of this crate: one sentence for the person who ran the command.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error for the user: the file, tensor or op that it is about, what is wrong, and what to try.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    subject: String,
    problem: String,
    advice: Option<String>,
    example: Option<String>,
    cause: Option<Arc<io::Error>>,
}

/// The kind of an error, for programs that act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file, an option or a graph is wrong.
    Invalid,
    /// The system cannot read or write a file; [`std::error::Error::source`] returns its error.
    Io,
    /// The model has ops or types that cannot be converted.
    Unsupported,
}

impl Error {
    /// An error about `subject` (a file, a tensor, an op, an option).
    pub fn new(subject: impl fmt::Display, problem: impl fmt::Display) -> Self {
        let (subject, problem) = (subject.to_string(), problem.to_string());
        Self { kind: ErrorKind::Invalid, subject, problem, advice: None, example: None, cause: None }
    }

    /// An error about a file.
    pub fn file(path: impl AsRef<Path>, problem: impl fmt::Display) -> Self {
        Self::new(path.as_ref().display(), problem)
    }

    /// The error for a file that cannot be read.
    pub fn unreadable(path: impl AsRef<Path>, error: &io::Error) -> Self {
        let described = match error.kind() {
            io::ErrorKind::NotFound => Self::file(path, "the file does not exist"),
            io::ErrorKind::IsADirectory => Self::file(path, "it is a folder").advice("name a file in it"),
            io::ErrorKind::PermissionDenied => Self::file(path, "you have no permission to read it")
                .advice("ask its owner for permission, or copy it as another user"),
            _ => Self::file(path, format!("it cannot be read: {error}")),
        };
        described.caused_by(error)
    }

    /// Adds the system's error that caused this one.
    #[must_use]
    pub fn caused_by(self, error: &io::Error) -> Self {
        let cause = match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        Self { kind: ErrorKind::Io, cause: Some(Arc::new(cause)), ..self }
    }

    /// Says that the error is about something that cannot be converted.
    #[must_use]
    pub fn unsupported(self) -> Self {
        Self { kind: ErrorKind::Unsupported, ..self }
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Adds what the user can try.
    #[must_use]
    pub fn advice(mut self, advice: impl fmt::Display) -> Self {
        self.advice = Some(advice.to_string());
        self
    }

    /// Adds a text of several lines that the advice is about, such as a file to be corrected.
    #[must_use]
    pub fn with_example(self, text: String) -> Self {
        Self { example: Some(text), ..self }
    }

    /// Adds what the subject is part of, such as the file of a tensor or the graph of a node.
    #[must_use]
    pub fn within(mut self, outer: impl fmt::Display) -> Self {
        self.subject = format!("{outer}: {}", self.subject);
        self
    }

    /// Replaces a path by another one everywhere in the error.
    #[must_use]
    pub fn with_path_replaced(mut self, from: &Path, to: &Path) -> Self {
        let (from, to) = (from.display().to_string(), to.display().to_string());
        for text in
            [Some(&mut self.subject), Some(&mut self.problem), self.advice.as_mut()].into_iter().flatten()
        {
            *text = text.replace(&from, &to);
        }
        self
    }

    /// What the error is about: a file, tensor, op or option.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What is wrong.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What the user can try, if there is advice.
    pub fn advised(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// The text that the advice is about, if there is one.
    pub fn example(&self) -> Option<&str> {
        self.example.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = self.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
        let sentence = format!("{}: {}{advice}", self.subject, self.problem);
        // A name in it could begin a line that looks like another message.
        f.write_str(&sentence.replace('\n', "\u{fffd}"))?;
        match &self.example {
            Some(example) => write!(f, "\n\n{example}"),
            None => Ok(()),
        }
    }
}

/// Errors are equal if they read the same.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.to_string() == other.to_string()
    }
}

impl Eq for Error {}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|error| error as _)
    }
}

/// A text from a file, which may be too long for a sentence.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        text.to_owned()
    } else {
        text.chars().take(LONGEST).chain("…".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_the_system_is_kept() {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        let error = Error::unreadable("model.ckpt", &missing).within("train");
        assert_eq!(error.kind(), ErrorKind::Io);
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::NotFound));
    }

    #[test]
    fn an_error_is_one_sentence_from_the_outside_in() {
        let error = Error::new("tensor \"w\"", "its checksum does not match")
            .within("model.ckpt")
            .advice("download it again");
        assert_eq!(
            error.to_string(),
            "model.ckpt: tensor \"w\": its checksum does not match; download it again"
        );
    }
}
