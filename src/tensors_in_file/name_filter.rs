//! Choosing tensors by patterns of their names.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};
use crate::setting::Setting;

/// Patterns such as `*/BatchNorm/gamma`. A name has to match one of them. `*` is any text, including slashes.
#[derive(Debug, Clone, Default)]
pub struct NameFilter {
    /// `None` accepts every name.
    patterns: Option<GlobSet>,
}

impl NameFilter {
    /// A filter with these patterns. Without patterns, it accepts every name.
    ///
    /// # Errors
    /// If the patterns are too large together.
    pub fn new(patterns: &[Glob]) -> Result<Self> {
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            builder.add(pattern.clone());
        }
        let patterns = builder.build().map_err(|error| Error::new(Setting::Match, error.kind()))?;
        Ok(Self { patterns: Some(patterns) })
    }

    /// Whether the filter accepts a name.
    pub fn accepts(&self, name: &str) -> bool {
        self.patterns.as_ref().is_none_or(|patterns| patterns.is_match(name))
    }

    /// Whether the filter accepts every name.
    pub fn accepts_all(&self) -> bool {
        self.patterns.is_none()
    }
}

/// Reads a pattern.
///
/// # Errors
/// If it is invalid.
pub fn parse_pattern(pattern: &str) -> Result<Glob, String> {
    Glob::new(pattern).map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(patterns: &[&str]) -> NameFilter {
        NameFilter::new(&patterns.iter().map(|pattern| parse_pattern(pattern).unwrap()).collect::<Vec<_>>())
            .unwrap()
    }

    #[test]
    fn a_name_has_to_match_one_of_the_patterns() {
        let norms = filter(&["*/gamma", "net/Conv_?/{weights,biases}"]);
        for name in ["a/b/gamma", "net/Conv_1/weights", "net/Conv_2/biases"] {
            assert!(norms.accepts(name), "{name}");
        }
        for name in ["gamma", "a/gamma/Adam", "net/Conv_10/weights"] {
            assert!(!norms.accepts(name), "{name}");
        }
        assert!(filter(&[]).accepts("anything"));
    }

    #[test]
    fn an_invalid_pattern_is_refused() {
        let problem = parse_pattern("a[").unwrap_err();
        assert!(problem.contains("unclosed character class"), "{problem}");
    }
}
