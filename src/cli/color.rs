//! Colors in the output.
//!
//! `anstream` removes them if the output is not a terminal, and honors `NO_COLOR` (<https://no-color.org/>), `CLICOLOR` and
//! `CLICOLOR_FORCE` (<https://bixense.com/clicolors/>).

use std::borrow::Cow;
use std::ffi::OsString;

use anstyle::{AnsiColor, Style};
use clap::{ColorChoice, ValueEnum};

/// The word `error`.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Headings.
pub const HEADING: Style = Style::new().bold();
/// Notes.
pub const NOTE: Style = Style::new().dimmed();

/// The options of all commands for their output.
#[derive(Debug, clap::Args)]
pub struct ColorArgs {
    /// Whether to color the output; auto does on a terminal, unless NO_COLOR or CLICOLOR=0 is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub color: ColorChoice,
}

/// The value of `--color` in `args`. It is needed before they are parsed, since errors of usage are colored, too.
pub fn typed(args: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = args.iter().filter_map(|word| word.to_str()).collect();
    let joined = words.iter().find_map(|word| word.strip_prefix("--color="));
    let apart = || words.windows(2).find(|pair| pair[0] == "--color").map(|pair| pair[1]);
    let choice = joined.or_else(apart).and_then(|choice| ColorChoice::from_str(choice, false).ok());
    choice.unwrap_or_default()
}

/// Sets whether all further output is colored.
pub fn choose(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Text in a style.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Text for a terminal: control characters besides ends of lines, tabs and the styles above become U+FFFD. A name in a file of
/// somebody else could tell the terminal what to do otherwise.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_harmful) {
        return text.into();
    }
    let styles = [ERROR, HEADING, NOTE];
    let own: Vec<String> = styles
        .iter()
        .flat_map(|style| [style.render().to_string(), style.render_reset().to_string()])
        .collect();
    let (mut safe, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        let style = own.iter().find(|style| rest.starts_with(style.as_str()));
        let length = style.map_or(next.len_utf8(), String::len);
        let (part, after) = rest.split_at(length);
        safe.push_str(if style.is_none() && is_harmful(next) { "\u{fffd}" } else { part });
        rest = after;
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_programs_own_styles_reach_a_terminal() {
        let own = format!("{} a\tb\n{} ü", styled(ERROR, "error:"), styled(NOTE, "note"));
        assert_eq!(harmless(&own), own);
        assert_eq!(
            harmless("a\u{1b}[2J\u{1b}]0;title\u{7}\r\u{9b}31m"),
            "a\u{fffd}[2J\u{fffd}]0;title\u{fffd}\u{fffd}\u{fffd}31m"
        );
        let mixed = styled(HEADING, "a\u{1b}[5mb");
        assert_eq!(harmless(&mixed), styled(HEADING, "a\u{fffd}[5mb"));
    }

    #[test]
    fn the_choice_is_found_however_it_is_written() {
        let chosen = |words: &[&str]| typed(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(chosen(&["x", "--color=never", "--bad"]), ColorChoice::Never);
        assert_eq!(chosen(&["x", "--color", "always"]), ColorChoice::Always);
        assert_eq!(chosen(&["x", "--color"]), ColorChoice::Auto);
        assert_eq!(chosen(&["x", "--color=red"]), ColorChoice::Auto);
    }
}
