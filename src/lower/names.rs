//! Names that are used once.

use hashbrown::{HashMap, HashSet};

/// The names of the values or the nodes of a model.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<Box<str>>,
    /// For names that were taken, the last number that was put behind them. Many values may ask for one name, and trying each
    /// number again would take the square of their count.
    numbers: HashMap<String, usize>,
}

impl Names {
    /// A name like this one that is not taken, and is from now on.
    pub(super) fn unique(&mut self, name: impl Into<String>) -> String {
        let name = name.into();
        if self.taken.insert(name.as_str().into()) {
            return name;
        }
        let mut number = self.numbers.get(&name).copied().unwrap_or(0);
        loop {
            number += 1;
            let unique = format!("{name}/{number}");
            if self.taken.insert(unique.as_str().into()) {
                self.numbers.insert(name, number);
                return unique;
            }
        }
    }

    /// Whether a name is taken.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    /// Takes a name that may be taken already.
    pub(super) fn insert(&mut self, name: String) {
        self.taken.insert(name.into());
    }

    /// Gives a name back.
    pub(super) fn remove(&mut self, name: &str) {
        self.taken.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken_are_numbered() {
        let mut names = Names::default();
        let mut unique = |name: &str| names.unique(name);
        assert_eq!([unique("a"), unique("a/1"), unique("a"), unique("a")], ["a", "a/1", "a/2", "a/3"]);
        names.remove("a");
        assert!(!names.contains("a"));
        assert_eq!([names.unique("a"), names.unique("a")], ["a", "a/4"]);
    }
}
