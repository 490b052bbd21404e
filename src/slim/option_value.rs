//! The values of options.

/// The value of an option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Count(usize),
    /// A number.
    Number(f64),
    /// Several whole numbers.
    Counts(Counts),
    /// One of several words.
    Choice(&'static str, &'static [&'static str]),
}

/// A short list of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    counts: [usize; Self::MAX_LENGTH],
    length: usize,
}

impl Counts {
    /// The most numbers of a list.
    const MAX_LENGTH: usize = 8;

    /// A list of at most eight numbers; further ones are left out.
    pub const fn new(counts: &[usize]) -> Self {
        let mut list = Self { counts: [0; Self::MAX_LENGTH], length: 0 };
        while list.length < counts.len() && list.length < Self::MAX_LENGTH {
            list.counts[list.length] = counts[list.length];
            list.length += 1;
        }
        list
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[usize] {
        &self.counts[..self.length]
    }

    /// Reads numbers between commas, in brackets or without: `6,12,18`, `[6, 12, 18]`. `None` is no numbers, as in Python.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text =
            text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']).trim_end_matches(',');
        if text.is_empty() || text == "None" {
            return Some(Self::new(&[]));
        }
        let counts: Option<Vec<usize>> = text.split(',').map(|count| count.trim().parse().ok()).collect();
        counts.filter(|counts| counts.len() <= Self::MAX_LENGTH).map(|counts| Self::new(&counts))
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.length == 0 {
            return f.write_str("None");
        }
        let counts: Vec<String> = self.as_slice().iter().map(usize::to_string).collect();
        f.write_str(&counts.join(","))
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Counts(counts) => counts.fmt(f),
            Self::Choice(choice, _) => choice.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_be_spelled_as_in_python_and_as_in_flags() {
        for (text, counts) in [
            ("6,12,18", &[6, 12, 18][..]),
            ("[6, 12, 18]", &[6, 12, 18]),
            ("(4,)", &[4]),
            ("8", &[8]),
            ("None", &[]),
            ("", &[]),
        ] {
            assert_eq!(Counts::parse(text), Some(Counts::new(counts)), "{text}");
        }
        for text in ["6;12", "6,,12", "a", "1,2,3,4,5,6,7,8,9", "-1"] {
            assert_eq!(Counts::parse(text), None, "{text}");
        }
        assert_eq!(Counts::new(&[6, 12]).to_string(), "6,12");
    }
}
