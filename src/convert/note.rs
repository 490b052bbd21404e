//! What a conversion assumed or chose, and what may be wrong with the model: sentences for the user, with their severity.

use std::fmt;

use serde::{Serialize, Serializer};

/// How serious a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is good to know.
    #[serde(rename = "note")]
    Info,
    /// The model may be wrong, or the conversion may fail.
    Warning,
}

impl Severity {
    /// The word before the sentence: `note` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "note",
            Self::Warning => "warning",
        }
    }
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// Which signature of a SavedModel was used.
    Signature,
    /// The model's inputs: placeholders, their defaults, and where the graph was cut.
    Inputs,
    /// Which outputs were inferred.
    Outputs,
    /// The shape of an input, and its batch.
    Shapes,
    /// What only training does, and what inference does instead.
    Training,
    /// Ops that only check or print, which are left out.
    Checks,
    /// Files that the model needs or does not need.
    Files,
    /// Variables of the checkpoint.
    Variables,
    /// Public definitions of the network that differ.
    Definition,
    /// Variables that the checkpoint and the network's arg_scope disagree about.
    ArgScope,
    /// The names of inputs and outputs.
    Names,
    /// The classes: their logits, probabilities and labels.
    Classes,
    /// Element types.
    Dtype,
    /// Options that have no effect, or another one than their name says.
    Options,
}

/// Something that the user should know about a conversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How serious it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: NoteKind,
    /// The tensor, node or variable that it is about, if it is about one.
    pub subject: Option<String>,
    /// The sentence, without its severity.
    pub text: String,
}

impl Note {
    /// A note that is good to know.
    pub fn info(kind: NoteKind, text: impl Into<String>) -> Self {
        Self { severity: Severity::Info, kind, subject: None, text: text.into() }
    }

    /// A note that the model may be wrong.
    pub fn warning(kind: NoteKind, text: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::info(kind, text) }
    }

    /// The same note, about this tensor, node or variable.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// Whether it is a warning.
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warning
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity.name(), self.text)
    }
}

/// In JSON, a note is its line in the summary: `note: …` or `warning: …`.
impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
