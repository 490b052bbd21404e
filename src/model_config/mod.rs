//! The file beside a checkpoint that describes its model: `pipeline.config` of the Object Detection API, in the text form of
//! protocol buffers, or a JSON file such as BERT's `bert_config.json`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod text_format;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::toml_text::document;

/// The names that such a file has beside a checkpoint.
const NAMES: [&str; 3] = ["pipeline.config", "bert_config.json", "albert_config.json"];

/// The maximum length of such a file. Published ones have some thousand bytes.
const MAX_BYTES: usize = 1 << 20;

/// The description of a model: a tree of fields.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    path: PathBuf,
    root: Value,
}

impl ModelConfig {
    /// Reads a file: JSON if its name ends in `.json`, the text form of protocol buffers otherwise.
    ///
    /// # Errors
    /// If the file cannot be read, or there is a mistake in it. The error names the line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = document::read(path, MAX_BYTES, "the description of a model")?;
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        Self::parse(path, &text, is_json)
    }

    /// The path of the file that describes the model in this folder, if there is one.
    pub fn beside(checkpoint: &Path) -> Option<PathBuf> {
        let folder = checkpoint.parent()?;
        NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file())
    }

    /// Reads the text form of protocol buffers. Errors name the path.
    ///
    /// # Errors
    /// If there is a mistake in the text.
    pub fn of_text(path: &Path, text: &str) -> Result<Self> {
        Self::parse(path, text, false)
    }

    fn parse(path: &Path, text: &str, is_json: bool) -> Result<Self> {
        let mistake = |line: usize, problem: String| {
            Error::new(document::location(&path.display().to_string(), line), problem)
        };
        let root: Value = if is_json {
            serde_json::from_str(text).map_err(|error| mistake(error.line(), error.to_string()))?
        } else {
            text_format::parse(text).map_err(|found| mistake(found.line, found.problem))?
        };
        if !root.is_object() {
            return Err(Error::file(path, "describes no model: it is not a list of fields"));
        }
        Ok(Self { path: path.to_owned(), root })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The description with its fields at the top.
    pub fn root(&self) -> Field<'_> {
        Field { value: Some(&self.root) }
    }

    /// The field at a path such as `model.ssd.num_classes`.
    pub fn field(&self, path: &str) -> Field<'_> {
        self.root().field(path)
    }

    /// An error about the field at a path.
    pub fn error(&self, path: &str, problem: impl std::fmt::Display) -> Error {
        Error::new(format!("{} in {}", path, self.path.display()), problem)
    }
}

/// A field of a description. It may be missing, and then has no fields and no value.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    /// The field at a path below this one. Of a field that occurs more than once, the last one, as protocol buffers read it.
    #[must_use]
    pub fn field(self, path: &str) -> Self {
        let value = path.split('.').fold(self.value, |value, name| single(value?)?.get(name));
        Self { value }
    }

    /// Whether the file has the field.
    pub fn is_present(self) -> bool {
        self.value.is_some()
    }

    /// The values of a field that may occur any number of times.
    pub fn all(self) -> impl Iterator<Item = Self> {
        let values = match self.value {
            Some(Value::Array(values)) => &values[..],
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        values.iter().map(|value| Field { value: Some(value) })
    }

    /// The names of the fields of this message.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        let fields = self.value.and_then(single).and_then(Value::as_object);
        fields.into_iter().flat_map(|fields| fields.keys().map(String::as_str))
    }

    /// The value of a flag.
    pub fn flag(self) -> Option<bool> {
        single(self.value?)?.as_bool()
    }

    /// The value of a number.
    pub fn number(self) -> Option<f64> {
        single(self.value?)?.as_f64()
    }

    /// The value of a whole number that is not negative.
    pub fn count(self) -> Option<usize> {
        single(self.value?)?.as_u64()?.try_into().ok()
    }

    /// The field in words, for messages: `the text "4"`.
    pub fn described(self) -> String {
        match self.value.and_then(single) {
            None => "missing".to_owned(),
            Some(Value::Null) => "null".to_owned(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(Value::Number(number)) => format!("the number {number}"),
            Some(Value::String(text)) => format!("the text \"{text}\""),
            Some(Value::Array(_)) => "a list".to_owned(),
            Some(Value::Object(_)) => "a list of fields".to_owned(),
        }
    }

    /// The value of a text or of an enum.
    pub fn word(self) -> Option<&'a str> {
        single(self.value?)?.as_str()
    }
}

/// The value of a field that occurs once: the last one.
fn single(value: &Value) -> Option<&Value> {
    match value {
        Value::Array(values) => values.last(),
        value => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_into_the_same_tree() {
        let path = Path::new("a/config");
        let text = ModelConfig::parse(path, "model { size: 3 size: 4 act: 'gelu' on: true }", false).unwrap();
        let json = r#"{"model": {"size": [3, 4], "act": "gelu", "on": true}}"#;
        let json = ModelConfig::parse(path, json, true).unwrap();
        assert_eq!(text, json);
        assert_eq!(text.field("model.size").count(), Some(4));
        let sizes: Vec<_> = text.field("model.size").all().filter_map(Field::number).collect();
        assert_eq!(sizes, [3.0, 4.0]);
        assert_eq!(
            (text.field("model.act").word(), text.field("model.on").flag()),
            (Some("gelu"), Some(true))
        );
        assert_eq!(text.field("model").names().collect::<Vec<_>>(), ["act", "on", "size"]);
        assert!(!text.field("model.size.more").is_present());
        assert_eq!(text.field("other").all().count(), 0);
    }

    #[test]
    fn mistakes_name_file_and_line() {
        let said = |text: &str, is_json| {
            ModelConfig::parse(Path::new("a/config"), text, is_json).unwrap_err().to_string()
        };
        assert!(said("a: 1\nb: '", false).starts_with("a/config, line 2: a string is not closed"));
        assert!(said("{\n\"a\": }", true).starts_with("a/config, line 2: expected value"));
        assert!(said("[1]", true).contains("describes no model"));
    }
}
