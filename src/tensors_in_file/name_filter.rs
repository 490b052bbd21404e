//! Choosing tensors by patterns of their names.

use std::iter::Peekable;
use std::str::Chars;

use glob::Pattern;

/// The most alternatives that a pattern may have.
const MAX_ALTERNATIVES: usize = 1000;

/// A pattern such as `*/BatchNorm/gamma`. `*` is any text, including slashes; `?` any character; `[ab]` one of several, and `[!ab]` none
/// of them; `{a,b}` one of several texts. A backslash takes the meaning of the next character away.
#[derive(Debug, Clone)]
pub struct NamePattern {
    alternatives: Vec<Pattern>,
}

/// Patterns of names. A name has to match one of them.
#[derive(Debug, Clone, Default)]
pub struct NameFilter {
    /// Without any, every name is accepted.
    patterns: Vec<NamePattern>,
}

impl NameFilter {
    /// A filter with these patterns. Without patterns, it accepts every name.
    pub fn new(patterns: &[NamePattern]) -> Self {
        Self { patterns: patterns.to_vec() }
    }

    /// Whether the filter accepts a name.
    pub fn accepts(&self, name: &str) -> bool {
        let mut alternatives = self.patterns.iter().flat_map(|pattern| &pattern.alternatives);
        self.accepts_all() || alternatives.any(|alternative| alternative.matches(name))
    }

    /// Whether the filter accepts every name.
    pub fn accepts_all(&self) -> bool {
        self.patterns.is_empty()
    }
}

/// Reads a pattern.
///
/// # Errors
/// If it is invalid.
pub fn parse_pattern(pattern: &str) -> Result<NamePattern, String> {
    let alternatives = alternatives(&mut pattern.chars().peekable(), false)?;
    let parsed = alternatives.into_iter().map(|mut alternative| {
        // Two stars mean folders of any depth to `glob`.
        while alternative.contains("**") {
            alternative = alternative.replace("**", "*");
        }
        Pattern::new(&alternative).map_err(|error| error.msg.to_owned())
    });
    Ok(NamePattern { alternatives: parsed.collect::<Result<_, _>>()? })
}

/// The patterns without braces that a pattern stands for; inside of braces, up to the next comma or the end of the braces.
fn alternatives(rest: &mut Peekable<Chars<'_>>, is_inside: bool) -> Result<Vec<String>, String> {
    let mut found = vec![String::new()];
    while let Some(next) = rest.next_if(|&next| !(is_inside && [',', '}'].contains(&next))) {
        let parts = match next {
            '{' => texts_in_braces(rest)?,
            '}' => return Err("a } closes no {".to_owned()),
            '[' => vec![class(rest)?],
            '\\' => match rest.next() {
                Some(plain @ ('*' | '?' | '[')) => vec![format!("[{plain}]")],
                Some(plain) => vec![plain.to_string()],
                None => return Err("nothing follows the backslash at its end".to_owned()),
            },
            other => vec![other.to_string()],
        };
        if found.len().saturating_mul(parts.len()) > MAX_ALTERNATIVES {
            return Err(format!("it has more than {MAX_ALTERNATIVES} alternatives"));
        }
        found = found.iter().flat_map(|text| parts.iter().map(move |part| format!("{text}{part}"))).collect();
    }
    Ok(found)
}

fn texts_in_braces(rest: &mut Peekable<Chars<'_>>) -> Result<Vec<String>, String> {
    let mut found = vec![];
    loop {
        found.extend(alternatives(rest, true)?);
        match rest.next() {
            Some(',') => {}
            Some(_) => return Ok(found),
            None => return Err("a { is not closed by a }".to_owned()),
        }
    }
}

/// A class of characters, which may begin with a bracket that does not end it.
fn class(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let negation = rest.next_if(|next| ['!', '^'].contains(next)).map_or("", |_| "!");
    let mut class = format!("[{negation}");
    let mut is_first = true;
    for next in rest {
        if next == ']' && !is_first {
            class.push(next);
            return Ok(class);
        }
        class.push(next);
        is_first = false;
    }
    Err("a [ is not closed by a ]".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(patterns: &[&str]) -> NameFilter {
        NameFilter::new(&patterns.iter().map(|pattern| parse_pattern(pattern).unwrap()).collect::<Vec<_>>())
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
    fn braces_and_classes_may_contain_each_other() {
        let nested = filter(&["{a**,b{1,[2-4]}}*/w", r"c\*{\{,[]]}", "[^d-f]x", "{,y}z"]);
        for name in ["abc/d/w", "b1/w", "b3/x/w", "c*{", "c*]", "gx", "z", "yz"] {
            assert!(nested.accepts(name), "{name}");
        }
        for name in ["b5/w", "cc{", "c*[", "ex", "yyz"] {
            assert!(!nested.accepts(name), "{name}");
        }
    }

    #[test]
    fn an_invalid_pattern_is_refused() {
        let many = "{a,b}".repeat(10);
        for (pattern, problem) in [
            ("a[", "a [ is not closed by a ]"),
            ("a[]", "a [ is not closed by a ]"),
            ("a{b,c", "a { is not closed by a }"),
            ("a}", "a } closes no {"),
            ("a\\", "nothing follows the backslash at its end"),
            (&many, "it has more than 1000 alternatives"),
        ] {
            assert_eq!(parse_pattern(pattern).unwrap_err(), problem);
        }
    }
}
