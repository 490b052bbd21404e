//! Suggestions for mistyped names, and lists of names, for error sentences.

use crate::error::Error;

/// The most names that are suggested.
const SUGGESTED: usize = 3;
/// The most names that are listed if none is similar.
const LISTED: usize = 60;

/// The known names that are most similar to a word, the most similar first, even if they are not very similar.
pub fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    ranked(word, known).into_iter().take(SUGGESTED).map(|(_, name)| name).collect()
}

/// Adds advice to an error: the known names that are similar to `word`, or else all of them.
#[must_use]
pub fn suggesting<'k>(error: Error, word: &str, known: impl IntoIterator<Item = &'k str>) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    match did_you_mean(word, known.iter().copied()) {
        Some(question) => error.advice(question),
        None if known.is_empty() => error,
        None => error.advice(format!("choose one of {}", listed(&known))),
    }
}

/// Adds advice to an error: the known names that are similar to `word`, and all of them. `what` describes them.
#[must_use]
pub fn suggesting_and_listing<'k>(
    error: Error,
    word: &str,
    what: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    let (are, what) = match known.len() {
        1 => ("is", what.strip_suffix('s').unwrap_or(what)),
        _ => ("are", what),
    };
    let all = format!("{what} {are} {}", listed(&known));
    match did_you_mean(word, known.iter().copied()) {
        _ if known.is_empty() => error,
        Some(question) => error.advice(format!("{question} {all}")),
        None => error.advice(all),
    }
}

/// `did you mean "a" or "b"?`, if known names are similar to `word`.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let ranked = ranked(word, known);
    let least = ranked.first()?.0;
    let near = ranked.iter().filter(|(rank, name)| *rank == least && rank.0 <= allowed(name));
    let near: Vec<String> = near.take(SUGGESTED).map(|(_, name)| format!("\"{name}\"")).collect();
    match &near[..] {
        [] => None,
        [only] => Some(format!("did you mean {only}?")),
        [others @ .., last] => Some(format!("did you mean {} or {last}?", others.join(", "))),
    }
}

/// The most wrong letters in a name that is still similar: a third of them.
fn allowed(name: &str) -> usize {
    (name.chars().count() / 3).clamp(1, 5)
}

/// The distance of a name from a word: the weighted and the actual number of wrong letters.
type Rank = (usize, usize);

/// The known names with their ranks, the most similar first. If a name contains the word, or has the same last part, as in
/// `scope/name`, at most one letter counts as wrong. A `:0` at the end of a tensor's name is ignored.
fn ranked<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<(Rank, &'k str)> {
    /// The minimum length of a word that a name may contain.
    const MIN_CONTAINED: usize = 3;
    let bare = |name: &str| name.strip_suffix(":0").unwrap_or(name).to_lowercase();
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let word = bare(word);
    let rank = |name: &str| {
        let name = bare(name);
        let wrong = strsim::osa_distance(&word, &name);
        let is_part = word.len() >= MIN_CONTAINED && name.contains(&word);
        (if is_part || last(&name) == last(&word) { wrong.min(1) } else { wrong }, wrong)
    };
    let mut ranked: Vec<(Rank, &str)> = known.into_iter().map(|name| (rank(name), name)).collect();
    ranked.sort_unstable();
    ranked
}

/// The first names, at most `most`, and the number of the others.
pub fn first_of(names: &[String], most: usize) -> String {
    let listed = names[..names.len().min(most)].join(", ");
    match names.len().saturating_sub(most) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

fn listed(known: &[&str]) -> String {
    let more = if known.len() > LISTED { ", …" } else { "" };
    format!("{}{more}", known[..known.len().min(LISTED)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_end_with_the_number_of_omitted_names() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(first_of(&names, 3), "a, b, c");
        assert_eq!(first_of(&names, 2), "a, b and 1 more");
    }

    #[test]
    fn the_correct_word_is_suggested_for_a_mistyped_one() {
        let message = |word| suggesting(Error::new("x", "y"), word, ["stride", "rate"]).to_string();
        assert_eq!(message("strid"), "x: y; did you mean \"stride\"?");
        assert_eq!(message("kernel"), "x: y; choose one of stride, rate");
    }

    #[test]
    fn all_equally_similar_names_are_suggested() {
        let question = did_you_mean("resnet_50", ["resnet_v1_50", "resnet_v2_50", "vgg_16"]);
        assert_eq!(question.unwrap(), "did you mean \"resnet_v1_50\" or \"resnet_v2_50\"?");
        assert_eq!(
            did_you_mean("Logits", ["net/Logits", "net/Relu"]).unwrap(),
            "did you mean \"net/Logits\"?"
        );
        assert_eq!(did_you_mean("x", ["stride"]), None);
    }

    #[test]
    fn all_names_can_follow_the_suggestion() {
        let message = |word, known: &[&'static str]| {
            let known = known.iter().copied();
            suggesting_and_listing(Error::new("x", "y"), word, "its options", known).to_string()
        };
        assert_eq!(
            message("rat", &["stride", "rate"]),
            "x: y; did you mean \"rate\"? its options are stride, rate"
        );
        assert_eq!(message("kernel", &["stride", "rate"]), "x: y; its options are stride, rate");
        assert_eq!(message("kernel", &[]), "x: y");
    }
}
