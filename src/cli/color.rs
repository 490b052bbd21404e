//! Colors, where a terminal shows them and its user wants them.
//!
//! `anstream` takes them out of what goes elsewhere, and honors `NO_COLOR` (<https://no-color.org/>), `CLICOLOR` and
//! `CLICOLOR_FORCE` (<https://bixense.com/clicolors/>).

use std::ffi::OsString;

use anstyle::{AnsiColor, Style};
use clap::{ColorChoice, ValueEnum};

/// The word `error`.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What names the things below it or beside it.
pub const HEADING: Style = Style::new().bold();
/// What is worth knowing and asks for nothing.
pub const NOTE: Style = Style::new().dimmed();

/// The options that concern how a command speaks, whichever it is.
#[derive(Debug, clap::Args)]
pub struct ColorArgs {
    /// Whether to color what is printed; auto does on a terminal, unless NO_COLOR or CLICOLOR=0 is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub color: ColorChoice,
}

/// The choice that `args` make, as far as they can be understood: bad usage is complained about in color too.
pub fn typed(args: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = args.iter().filter_map(|word| word.to_str()).collect();
    let joined = words.iter().find_map(|word| word.strip_prefix("--color="));
    let apart = || words.windows(2).find(|pair| pair[0] == "--color").map(|pair| pair[1]);
    let choice = joined.or_else(apart).and_then(|choice| ColorChoice::from_str(choice, false).ok());
    choice.unwrap_or_default()
}

/// Lets everything that is printed from here on be colored as the user wants it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_found_however_it_is_written() {
        let chosen = |words: &[&str]| typed(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(chosen(&["x", "--color=never", "--bad"]), ColorChoice::Never);
        assert_eq!(chosen(&["x", "--color", "always"]), ColorChoice::Always);
        assert_eq!(chosen(&["x", "--color"]), ColorChoice::Auto);
        assert_eq!(chosen(&["x", "--color=red"]), ColorChoice::Auto);
    }
}
