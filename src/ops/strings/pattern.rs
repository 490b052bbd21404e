//! Regular expressions that match one text, or characters of one set.
//!
//! Source: <https://github.com/google/re2/wiki/Syntax>.

use std::iter::Peekable;
use std::str::Chars;

/// What a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This text of several characters.
    Text(String),
    /// One of these characters.
    OneOf(Vec<char>),
    /// As many of these characters as follow each other.
    ManyOf(Vec<char>),
}

/// The most characters of a set: the model has nodes for each of them.
const MOST_CHARACTERS: usize = 128;

impl Pattern {
    /// What a regular expression matches; `None` if it is of another kind.
    pub fn of(expression: &str) -> Option<Self> {
        let mut rest = expression.chars().peekable();
        let mut sets = vec![];
        let mut is_repeated = false;
        while let Some(next) = rest.next() {
            match next {
                '[' => sets.push(set(&mut rest)?),
                '\\' => sets.push(escaped(rest.next()?)?),
                '+' if rest.peek().is_none() => is_repeated = true,
                '.' | '^' | '$' | '*' | '+' | '?' | '(' | ')' | ']' | '{' | '}' | '|' => return None,
                character => sets.push(vec![character]),
            }
        }
        if let [set] = &mut sets[..] {
            let set = std::mem::take(set);
            return Some(if is_repeated { Self::ManyOf(set) } else { Self::OneOf(set) });
        }
        let text: Option<String> = sets
            .iter()
            .map(|set| <[char; 1]>::try_from(&set[..]).ok())
            .map(|one| one.map(|[one]| one))
            .collect();
        text.filter(|text| !text.is_empty() && !is_repeated).map(Self::Text)
    }
}

/// The characters of a set, up to its closing bracket.
fn set(rest: &mut Peekable<Chars<'_>>) -> Option<Vec<char>> {
    let mut found = vec![];
    loop {
        let first = match rest.next()? {
            ']' | '^' if found.is_empty() => return None,
            ']' => return Some(found),
            '[' if rest.peek() == Some(&':') => return None,
            '\\' => escaped(rest.next()?)?,
            character => vec![character],
        };
        let mut ahead = rest.clone();
        let is_range = ahead.next() == Some('-') && ahead.peek() != Some(&']');
        let added: Vec<char> = if is_range {
            rest.next();
            let last = match rest.next()? {
                '\\' => escaped(rest.next()?)?,
                character => vec![character],
            };
            let (&[first], &[last]) = (&first[..], &last[..]) else { return None };
            (first..=last).take(MOST_CHARACTERS + 1).collect()
        } else {
            first
        };
        for character in added {
            if !found.contains(&character) {
                found.push(character);
            }
        }
        if found.is_empty() || found.len() > MOST_CHARACTERS {
            return None;
        }
    }
}

/// The characters that a backslash and another character stand for.
fn escaped(character: char) -> Option<Vec<char>> {
    Some(match character {
        'd' => ('0'..='9').collect(),
        's' => vec!['\t', '\n', '\x0c', '\r', ' '],
        'w' => ('0'..='9').chain('A'..='Z').chain(['_']).chain('a'..='z').collect(),
        'f' => vec!['\x0c'],
        'n' => vec!['\n'],
        'r' => vec!['\r'],
        't' => vec!['\t'],
        'v' => vec!['\x0b'],
        _ if character.is_ascii_punctuation() => vec![character],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of(characters: &str) -> Option<Pattern> {
        Some(Pattern::OneOf(characters.chars().collect()))
    }

    #[test]
    fn texts_and_sets_are_found() {
        let keras = r##"[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']"##;
        assert_eq!(Pattern::of(keras), one_of(r##"!"#$%&()*+,-./:;<=>?@[\]^_`{|}~'"##));
        assert_eq!(Pattern::of("a"), one_of("a"));
        assert_eq!(Pattern::of(r"\."), one_of("."));
        assert_eq!(Pattern::of(r"\d"), one_of("0123456789"));
        assert_eq!(Pattern::of("[a-cb-d-]"), one_of("abcd-"));
        assert_eq!(Pattern::of(r"[\s]"), one_of("\t\n\x0c\r "));
        assert_eq!(Pattern::of("é"), one_of("é"));
        assert_eq!(Pattern::of("<br />"), Some(Pattern::Text("<br />".into())));
        assert_eq!(Pattern::of(r"\(\)"), Some(Pattern::Text("()".into())));
        assert_eq!(Pattern::of("[a][b]"), Some(Pattern::Text("ab".into())));
        assert_eq!(Pattern::of(" +"), Some(Pattern::ManyOf(vec![' '])));
        assert_eq!(Pattern::of("[ab]+"), Some(Pattern::ManyOf(vec!['a', 'b'])));
    }

    #[test]
    fn other_expressions_are_not_taken_for_one_of_them() {
        let others = [
            "",
            "+",
            "[",
            "[]",
            "[]a]",
            "[^a]",
            "[a",
            "[[:alpha:]]",
            "[z-a]",
            r"[\w-z]",
            r"\b",
            r"\pL",
            r"\",
            "[a]*",
            "a+b",
            "ab+",
            "a|b",
            "(a)",
            "^a",
            "a$",
            ".",
            "a?",
            "a{2}",
            "[ab][cd]",
            "a[bc]",
            "\\",
            "[\u{0}-\u{80}]",
            "a++",
        ];
        for other in others {
            assert_eq!(Pattern::of(other), None, "{other}");
        }
    }
}
