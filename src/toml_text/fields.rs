//! Readers for the values of a table: each says what it expected and what it found.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::Source;
use crate::error::{Error, Result};
use crate::suggestion::suggesting;

/// The keys of a table, taken off it one by one; what is left in the end is unknown.
#[derive(Debug)]
pub struct Fields<'a> {
    source: &'a Source<'a>,
    /// What the table describes, and what its keys are called: `conv2d`, `argument`.
    what: (String, &'static str),
    at: Range<usize>,
    left: Vec<Field<'a>>,
    known: Vec<&'static str>,
}

/// A value with the key it stands under.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    /// The text that it is from.
    pub source: &'a Source<'a>,
    /// Its key.
    pub key: String,
    /// Where in the text it is.
    pub at: Range<usize>,
    of: String,
    value: &'a DeValue<'a>,
}

impl<'a> Fields<'a> {
    /// The keys of a table that stands at `at`.
    pub fn new(
        source: &'a Source<'a>,
        (what, noun): (&str, &'static str),
        at: Range<usize>,
        table: &'a DeTable<'a>,
    ) -> Self {
        let mut left: Vec<Field<'a>> = table
            .iter()
            .map(|(key, value)| Field {
                source,
                key: key.get_ref().to_string(),
                at: key.span(),
                of: what.to_owned(),
                value: value.get_ref(),
            })
            .collect();
        left.sort_by_key(|field| field.at.start);
        Self { source, what: (what.to_owned(), noun), at, left, known: vec![] }
    }

    /// Says what the table describes, once that is known.
    pub fn describe(&mut self, what: &str, noun: &'static str) {
        self.what = (what.to_owned(), noun);
        for field in &mut self.left {
            what.clone_into(&mut field.of);
        }
    }

    /// The keys that have not been taken, in the order of the text.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(|field| field.key.as_str())
    }

    /// Takes a value.
    pub fn take(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let index = self.left.iter().position(|field| field.key == key)?;
        Some(self.left.remove(index))
    }

    /// Takes a value that has to be there.
    pub fn require(&mut self, key: &'static str) -> Result<Field<'a>> {
        self.take(key).ok_or_else(|| {
            let (what, noun) = &self.what;
            self.mistake(format!("{what} needs the {noun} \"{key}\""))
        })
    }

    /// Takes all that is left.
    pub fn take_all(&mut self) -> Vec<Field<'a>> {
        std::mem::take(&mut self.left)
    }

    /// All that has not been taken, without a word about keys that are not known.
    pub fn into_fields(self) -> Vec<Field<'a>> {
        self.left
    }

    /// Complains about the first key that nobody took.
    pub fn finish(self) -> Result<()> {
        match self.left.first() {
            None => Ok(()),
            Some(unknown) => Err(unknown.unknown(&self.what.0, self.what.1, self.known)),
        }
    }

    /// An error about the table.
    pub fn mistake(&self, problem: impl Display) -> Error {
        self.source.mistake(&self.at, problem)
    }

    /// Where in the text the table begins.
    pub fn line(&self) -> usize {
        self.source.line(self.at.start)
    }
}

impl<'a> Field<'a> {
    /// An error about the value.
    pub fn mistake(&self, problem: impl Display) -> Error {
        self.source.mistake(&self.at, problem)
    }

    /// The error of a value that is not what it has to be.
    pub fn unlike(&self, expected: impl Display) -> Error {
        let found = match self.value {
            DeValue::String(text) => format!("\"{}\"", text.escape_debug()),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.mistake(format!("{} of {} has to be {expected}, not {found}", self.key, self.of))
    }

    /// The error of a key that `what` does not have.
    pub fn unknown<'k>(&self, what: &str, noun: &str, known: impl IntoIterator<Item = &'k str>) -> Error {
        let error = self.mistake(format!("{what} has no {noun} \"{}\"", self.key.escape_debug()));
        suggesting(error, &self.key, known)
    }

    /// Text.
    pub fn text(&self) -> Result<&'a str> {
        self.as_text().ok_or_else(|| self.unlike("text in quotes"))
    }

    /// Text, where it is text.
    pub fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// One of the words of a table, with what it stands for.
    pub fn choice<T: Clone>(&self, words: &[(&'static str, T)]) -> Result<T> {
        let found = self.as_text().and_then(|text| words.iter().find(|(word, _)| *word == text));
        found.map(|(_, meaning)| meaning.clone()).ok_or_else(|| {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.unlike(match &known[..] {
                [only] => only.clone(),
                [first @ .., last] => format!("{} or {last}", first.join(", ")),
                [] => "left out".to_owned(),
            })
        })
    }

    /// A value that a command line could have, as it would be typed there: text, a number, true or false.
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

    /// True or false.
    pub fn flag(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.unlike("true or false"))
    }

    /// A whole number of this range.
    pub fn count(&self, range: RangeInclusive<usize>) -> Result<usize> {
        self.as_count()
            .filter(|count| range.contains(count))
            .ok_or_else(|| self.unlike(format!("a whole number from {} to {}", range.start(), range.end())))
    }

    /// A whole number, where it is one and not negative.
    pub fn as_count(&self) -> Option<usize> {
        let number = self.value.as_integer()?;
        usize::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// A finite number as it is written, from which the type that is wanted is parsed without a detour.
    pub fn number<T: std::str::FromStr + Into<f64> + Copy>(&self) -> Result<T> {
        let text = match self.value {
            DeValue::Float(number) => Some(number.as_str()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
            _ => None,
        };
        let number = text.and_then(|text| text.parse().ok()).filter(|&n: &T| n.into().is_finite());
        number.ok_or_else(|| self.unlike("a number"))
    }

    /// The elements of a list.
    pub fn list(&self, expected: &str) -> Result<Vec<Self>> {
        self.as_list().ok_or_else(|| self.unlike(expected))
    }

    /// The elements of a list, where it is one.
    pub fn as_list(&self) -> Option<Vec<Self>> {
        let element = |value: &'a Spanned<DeValue<'a>>| Self {
            source: self.source,
            key: format!("an element of {}", self.key),
            at: value.span(),
            of: self.of.clone(),
            value: value.get_ref(),
        };
        Some(self.value.as_array()?.iter().map(element).collect())
    }

    /// The keys of a table that describes `what`.
    pub fn table(&self, expected: &str, what: (&str, &'static str)) -> Result<Fields<'a>> {
        match self.value {
            DeValue::Table(table) => Ok(Fields::new(self.source, what, self.at.clone(), table)),
            _ => Err(self.unlike(expected)),
        }
    }
}
