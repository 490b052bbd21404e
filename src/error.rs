//! The error type of this crate: one sentence for the person who ran the command.

use std::fmt;
use std::io;
use std::path::Path;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error for the user: the file, tensor or op that it is about, what is wrong, and what to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    subject: String,
    problem: String,
    advice: Option<String>,
}

impl Error {
    /// An error about `subject` (a file, a tensor, an op, an option).
    pub fn new(subject: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self { subject: subject.to_string(), problem: problem.to_string(), advice: None }
    }

    /// An error about a file.
    pub fn file(path: impl AsRef<Path>, problem: impl fmt::Display) -> Self {
        Self::new(path.as_ref().display(), problem)
    }

    /// The error for a file that cannot be read.
    pub fn unreadable(path: impl AsRef<Path>, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::file(path, "there is no such file"),
            io::ErrorKind::IsADirectory => Self::file(path, "it is a folder").advice("name a file in it"),
            io::ErrorKind::PermissionDenied => Self::file(path, "you have no permission to read it")
                .advice("ask its owner for permission, or copy it as another user"),
            _ => Self::file(path, format!("it cannot be read: {error}")),
        }
    }

    /// Adds what the user can try.
    #[must_use]
    pub fn advice(mut self, advice: impl fmt::Display) -> Self {
        self.advice = Some(advice.to_string());
        self
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
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.problem)?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

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
