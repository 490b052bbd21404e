//! Names in sentences: what somebody may have meant who typed one that is not there, and lists of them.

use crate::error::Error;

/// How many names are suggested.
const SUGGESTED: usize = 3;
/// How many names are listed where none is near.
const LISTED: usize = 60;

/// The known names that come nearest to a word, the nearest first, however far they are.
pub fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    ranked(word, known).into_iter().take(SUGGESTED).map(|(_, name)| name).collect()
}

/// The error with the known names that come near to `word`, or else with all of them.
#[must_use]
pub fn suggesting<'k>(error: Error, word: &str, known: impl IntoIterator<Item = &'k str>) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    match did_you_mean(word, known.iter().copied()) {
        Some(question) => error.advice(question),
        None if known.is_empty() => error,
        None => error.advice(format!("choose one of {}", listed(&known))),
    }
}

/// The error with the known names that come near to `word`, and with all of them; `what` says what they are.
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

/// `did you mean "a" or "b"?`, where known names come near to `word`.
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

/// How many letters may be wrong in a name that is still meant: a third of them.
fn allowed(name: &str) -> usize {
    (name.chars().count() / 3).clamp(1, 5)
}

/// How far a name is from a word: the wrong letters as they count, and as they are.
type Rank = (usize, usize);

/// The known names with their ranks, the nearest first. In a name that has the word in it, or has the same last part,
/// as in `scope/name`, no more than one letter counts as wrong; a `:0` at a tensor's end does not count.
fn ranked<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<(Rank, &'k str)> {
    const MEANINGFUL: usize = 3;
    let bare = |name: &str| name.strip_suffix(":0").unwrap_or(name).to_lowercase();
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let word = bare(word);
    let rank = |name: &str| {
        let name = bare(name);
        let wrong = strsim::osa_distance(&word, &name);
        let is_part = word.len() >= MEANINGFUL && name.contains(&word);
        (if is_part || last(&name) == last(&word) { wrong.min(1) } else { wrong }, wrong)
    };
    let mut ranked: Vec<(Rank, &str)> = known.into_iter().map(|name| (rank(name), name)).collect();
    ranked.sort_unstable();
    ranked
}

/// The first of these names, as many as a sentence is to have, and how many more there are.
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
    fn long_lists_end_with_the_number_of_what_is_left_out() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(first_of(&names, 3), "a, b, c");
        assert_eq!(first_of(&names, 2), "a, b and 1 more");
    }

    #[test]
    fn a_mistyped_word_is_answered_with_the_one_that_was_meant() {
        let said = |word| suggesting(Error::new("x", "y"), word, ["stride", "rate"]).to_string();
        assert_eq!(said("strid"), "x: y; did you mean \"stride\"?");
        assert_eq!(said("kernel"), "x: y; choose one of stride, rate");
    }

    #[test]
    fn several_that_are_as_near_are_all_named() {
        let question = did_you_mean("resnet_50", ["resnet_v1_50", "resnet_v2_50", "vgg_16"]);
        assert_eq!(question.unwrap(), "did you mean \"resnet_v1_50\" or \"resnet_v2_50\"?");
        assert_eq!(
            did_you_mean("Logits", ["net/Logits", "net/Relu"]).unwrap(),
            "did you mean \"net/Logits\"?"
        );
        assert_eq!(did_you_mean("x", ["stride"]), None);
    }

    #[test]
    fn all_names_follow_where_the_reader_may_want_to_choose_another() {
        let said = |word, known: &[&'static str]| {
            let known = known.iter().copied();
            suggesting_and_listing(Error::new("x", "y"), word, "its options", known).to_string()
        };
        assert_eq!(
            said("rat", &["stride", "rate"]),
            "x: y; did you mean \"rate\"? its options are stride, rate"
        );
        assert_eq!(said("kernel", &["stride", "rate"]), "x: y; its options are stride, rate");
        assert_eq!(said("kernel", &[]), "x: y");
    }
}
