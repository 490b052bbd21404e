//! The fields of a `pipeline.config`, with the defaults of their protos.
//!
//! A field that nobody reads would change the network without anybody noticing. So each message names the fields that are
//! read and those of training, and refuses all others.

use crate::error::{Error, Result};
use crate::model_config::{Field, ModelConfig};

/// A message of the file, which may be absent.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    config: &'a ModelConfig,
    path: String,
    fields: Field<'a>,
}

impl<'a> Message<'a> {
    /// The message at this path of the file.
    pub fn new(config: &'a ModelConfig, path: &str) -> Self {
        Self { config, path: path.to_owned(), fields: config.field(path) }
    }

    /// Refuses fields that are not among these.
    pub fn has_only(&self, known: &[&str]) -> Result<()> {
        match self.fields.names().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(self.refused(name, "this field is not converted")),
        }
    }

    /// The error that a field cannot be converted.
    pub fn refused(&self, name: &str, problem: &str) -> Error {
        self.wrong(name, problem)
            .advice("if it has no effect on the exported model, remove it from a copy of the file")
            .unsupported()
    }

    /// An error about the value of a field.
    pub fn wrong(&self, name: &str, problem: impl std::fmt::Display) -> Error {
        self.config.error(&self.path_of(name), problem)
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Whether the field is set.
    pub fn has(&self, name: &str) -> bool {
        self.fields.field(name).is_present()
    }

    /// The message of a field; an empty one if it is not set.
    pub fn message(&self, name: &str) -> Self {
        Self { config: self.config, path: self.path_of(name), fields: self.fields.field(name) }
    }

    /// The messages of a repeated field.
    pub fn messages(&self, name: &str) -> Vec<Self> {
        let message = |fields| Self { config: self.config, path: self.path_of(name), fields };
        self.fields.field(name).all().map(message).collect()
    }

    /// The one field of a `oneof` that is set, and its message.
    pub fn one_of(&self, known: &[&'static str]) -> Result<(&'static str, Self)> {
        self.has_only(known)?;
        match known.iter().find(|name| self.has(name)) {
            Some(name) => Ok((name, self.message(name))),
            None => Err(self.config.error(&self.path, format!("it sets none of {}", known.join(", ")))),
        }
    }

    /// The value of a field that `read` understands; the default if it is not set.
    fn value<T>(
        &self,
        name: &str,
        default: T,
        read: impl Fn(Field<'a>) -> Option<T>,
        expected: &str,
    ) -> Result<T> {
        let field = self.fields.field(name);
        if !field.is_present() {
            return Ok(default);
        }
        read(field).ok_or_else(|| self.wrong(name, format!("it is not {expected}")))
    }

    /// A float, rounded to the 32 bits of its proto.
    pub fn number(&self, name: &str, default: f64) -> Result<f64> {
        self.value(name, default, float, "a number")
    }

    /// All floats of a repeated field.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let values = self.fields.field(name).all().map(float).collect::<Option<_>>();
        values.ok_or_else(|| self.wrong(name, "it is not a list of numbers"))
    }

    /// A whole number.
    pub fn count(&self, name: &str, default: usize) -> Result<usize> {
        let count = |field: Field<'a>| field.count().filter(|&count| i32::try_from(count).is_ok());
        self.value(name, default, count, "a whole number, 0 or more")
    }

    /// True or false.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        let flag = |field: Field<'a>| {
            let of_count = || field.count().filter(|&count| count < 2).map(|count| count == 1);
            field.flag().or_else(of_count)
        };
        self.value(name, default, flag, "true or false")
    }

    /// A string, or the name of a constant.
    pub fn word(&self, name: &str, default: &'a str) -> Result<&'a str> {
        self.value(name, default, Field::word, "a word")
    }
}

fn float(field: Field<'_>) -> Option<f64> {
    field.number().map(|number| f64::from(number as f32))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> ModelConfig {
        ModelConfig::of_text(Path::new("pipeline.config"), text).unwrap()
    }

    #[test]
    fn fields_that_nobody_reads_are_refused_by_their_path() {
        let config = config("model { ssd { num_classes: 3 mask_head_config { } } }");
        let error = Message::new(&config, "model.ssd").has_only(&["num_classes"]).unwrap_err();
        assert!(error.to_string().contains("model.ssd.mask_head_config"), "{error}");
    }

    #[test]
    fn a_repeated_field_may_occur_once() {
        let config = config("a { scales: 0.5 ratios: [1.0, 2.0] is_on: 1 }");
        let message = Message::new(&config, "a");
        assert_eq!(message.numbers("scales").unwrap(), [0.5]);
        assert_eq!(message.numbers("ratios").unwrap(), [1.0, 2.0]);
        assert!(message.numbers("others").unwrap().is_empty());
        assert!(message.flag("is_on", false).unwrap());
        assert!(message.flag("scales", false).is_err());
    }

    #[test]
    fn floats_have_the_precision_of_their_proto() {
        let config = config("a { min_scale: 0.2 }");
        assert_eq!(Message::new(&config, "a").number("min_scale", 0.0).unwrap(), f64::from(0.2f32));
    }
}
