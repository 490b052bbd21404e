//! Reads the values of a TOML table. Errors name the expected value and the value that was found.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use crate::error::{Error, Result};
use crate::suggestion::suggesting;

/// The keys of a table. Readers take the keys that they know; the keys that are left at the end are unknown.
#[derive(Debug)]
pub struct Fields<'a> {
    document: &'a Document<'a>,
    /// What the table describes, and what its keys are called: `conv2d`, `argument`.
    what: (String, &'static str),
    /// The bytes of the table in the text.
    span: Range<usize>,
    left: Vec<Field<'a>>,
    known: Vec<&'static str>,
}

/// A value with its key.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    /// The document that contains it.
    pub document: &'a Document<'a>,
    /// Its key.
    pub key: String,
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// What its table describes.
    table: String,
    value: &'a DeValue<'a>,
}

impl<'a> Fields<'a> {
    /// The keys of a table whose bytes in the text are `span`.
    pub fn new(
        document: &'a Document<'a>,
        (what, noun): (&str, &'static str),
        span: Range<usize>,
        table: &'a DeTable<'a>,
    ) -> Self {
        let mut left: Vec<Field<'a>> = table
            .iter()
            .map(|(key, value)| Field {
                document,
                key: key.get_ref().to_string(),
                span: key.span(),
                table: what.to_owned(),
                value: value.get_ref(),
            })
            .collect();
        left.sort_unstable_by_key(|field| field.span.start);
        Self { document, what: (what.to_owned(), noun), span, left, known: vec![] }
    }

    /// Sets what the table describes, once that is known.
    pub fn describe(&mut self, what: &str, noun: &'static str) {
        self.what = (what.to_owned(), noun);
        for field in &mut self.left {
            what.clone_into(&mut field.table);
        }
    }

    /// The keys that were not taken yet, in the order of the text.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(|field| field.key.as_str())
    }

    /// Takes the value of a key, if the table has it.
    pub fn take(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let index = self.left.iter().position(|field| field.key == key)?;
        Some(self.left.remove(index))
    }

    /// Takes the value of a required key.
    pub fn require(&mut self, key: &'static str) -> Result<Field<'a>> {
        self.take(key).ok_or_else(|| {
            let (what, noun) = &self.what;
            self.error(format!("{what} needs the {noun} \"{key}\""))
        })
    }

    /// Takes all values that are left.
    pub fn take_all(&mut self) -> Vec<Field<'a>> {
        std::mem::take(&mut self.left)
    }

    /// All values that are left, without an error for unknown keys.
    pub fn into_fields(self) -> Vec<Field<'a>> {
        self.left
    }

    /// Returns an error for the first key that was not taken, if any.
    pub fn finish(self) -> Result<()> {
        match self.left.first() {
            None => Ok(()),
            Some(unknown) => Err(unknown.unknown_key(&self.what.0, self.what.1, self.known)),
        }
    }

    /// An error about the table.
    pub fn error(&self, problem: impl Display) -> Error {
        self.document.error(&self.span, problem)
    }

    /// The line where the table begins.
    pub fn line(&self) -> usize {
        self.document.line(self.span.start)
    }
}

impl<'a> Field<'a> {
    /// An error about the value.
    pub fn error(&self, problem: impl Display) -> Error {
        self.document.error(&self.span, problem)
    }

    /// The error for a value that is not as expected.
    pub fn wrong_value(&self, expected: impl Display) -> Error {
        let found = match self.value {
            DeValue::String(text) => format!("\"{}\"", text.escape_debug()),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.error(format!("{} of {} has to be {expected}, not {found}", self.key, self.table))
    }

    /// The error for a key that `what` does not have.
    pub fn unknown_key<'k>(&self, what: &str, noun: &str, known: impl IntoIterator<Item = &'k str>) -> Error {
        let error = self.error(format!("{what} has no {noun} \"{}\"", self.key.escape_debug()));
        suggesting(error, &self.key, known)
    }

    /// The value as text.
    pub fn text(&self) -> Result<&'a str> {
        self.as_text().ok_or_else(|| self.wrong_value("text in quotes"))
    }

    /// The value, if it is text.
    pub fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The meaning of a word, which has to be one of `words`.
    pub fn choice<T: Clone>(&self, words: &[(&'static str, T)]) -> Result<T> {
        let found = self.as_text().and_then(|text| words.iter().find(|(word, _)| *word == text));
        found.map(|(_, meaning)| meaning.clone()).ok_or_else(|| {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.wrong_value(match &known[..] {
                [only] => only.clone(),
                [first @ .., last] => format!("{} or {last}", first.join(", ")),
                [] => "omitted".to_owned(),
            })
        })
    }

    /// The value as it would be typed on a command line, if it is text, a number, true or false.
    pub fn as_typed(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            DeValue::Integer(_) => self.as_count().map(|count| count.to_string()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::Boolean(flag) => Some(flag.to_string()),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// The value as true or false.
    pub fn flag(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.wrong_value("true or false"))
    }

    /// The value as a whole number in this range.
    pub fn count(&self, range: RangeInclusive<usize>) -> Result<usize> {
        self.as_count().filter(|count| range.contains(count)).ok_or_else(|| {
            self.wrong_value(format!("a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// The value, if it is a whole number that is not negative.
    pub fn as_count(&self) -> Option<usize> {
        let number = self.value.as_integer()?;
        usize::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// The value as a finite number, parsed directly into the requested type.
    pub fn number<T: std::str::FromStr + Into<f64> + Copy>(&self) -> Result<T> {
        let text = match self.value {
            DeValue::Float(number) => Some(number.as_str()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
            _ => None,
        };
        let number = text.and_then(|text| text.parse().ok()).filter(|&n: &T| n.into().is_finite());
        number.ok_or_else(|| self.wrong_value("a number"))
    }

    /// The elements of a list.
    pub fn list(&self, expected: &str) -> Result<Vec<Self>> {
        self.as_list().ok_or_else(|| self.wrong_value(expected))
    }

    /// The elements of the value, if it is a list.
    pub fn as_list(&self) -> Option<Vec<Self>> {
        let element = |value: &'a Spanned<DeValue<'a>>| Self {
            document: self.document,
            key: format!("an element of {}", self.key),
            span: value.span(),
            table: self.table.clone(),
            value: value.get_ref(),
        };
        Some(self.value.as_array()?.iter().map(element).collect())
    }

    /// The keys of a table that describes `what`.
    pub fn table(&self, expected: &str, what: (&str, &'static str)) -> Result<Fields<'a>> {
        match self.value {
            DeValue::Table(table) => Ok(Fields::new(self.document, what, self.span.clone(), table)),
            _ => Err(self.wrong_value(expected)),
        }
    }
}
