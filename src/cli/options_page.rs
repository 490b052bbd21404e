//! `docs/options.md`: the options of all commands, from the same definitions as `--help`.

use std::fmt::Write;

use clap::{Arg, Command};

use super::man::{commands, examples};

/// The page.
pub fn markdown(program: &Command) -> String {
    let mut page =
        "# Options\n\nAll options of all commands, as `--help` prints them. `tf2onnx-rs man --markdown` \
                    prints this page.\n"
            .to_owned();
    for command in commands(program) {
        write_command(&mut page, command);
    }
    page += "\n## Options of all commands\n\n";
    let is_of_every = |arg: &&Arg| arg.is_global_set() || is_help(arg);
    table(&mut page, program.get_arguments().filter(is_of_every));
    page += "\n## Exit status\n\n| status | |\n|---|---|\n";
    for line in super::EXIT_STATUS.lines() {
        if let Some((status, meaning)) = line.split_once("  ") {
            line_of(&mut page, status, meaning.trim());
        }
    }
    page
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn write_command(page: &mut String, command: &Command) {
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {}\n\n{}\n\n    {usage}\n", command.get_name(), about.unwrap_or_default());
    let shown = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && !is_help(arg);
    let mut headings: Vec<Option<&str>> = vec![];
    for arg in command.get_arguments().filter(shown) {
        let heading = arg.get_help_heading();
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        page.push_str(&heading.map_or_else(|| "\n".to_owned(), |heading| format!("\n### {heading}\n\n")));
        table(page, command.get_arguments().filter(shown).filter(|arg| arg.get_help_heading() == heading));
    }
    if let Some(examples) = examples(command) {
        page.push_str("\nExamples:\n\n");
        examples.lines().for_each(|line| {
            let _ = writeln!(page, "    {line}");
        });
    }
}

fn table<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    page.push_str("| | |\n|---|---|\n");
    for arg in args {
        let values: Vec<&str> =
            arg.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect();
        let takes_value = arg.get_num_args().is_some_and(|range| range.takes_values());
        let value = if takes_value { values.join(" ") } else { String::new() };
        let names = arg.get_short().map(|short| format!("-{short}"));
        let names = names.into_iter().chain(arg.get_long().map(|long| format!("--{long}")));
        let names = names.collect::<Vec<_>>().join(", ");
        let help =
            arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let mut help = help.split("\n\n").map(str::trim).collect::<Vec<_>>().join(". ");
        let choices: Vec<String> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if takes_value && !choices.is_empty() {
            let _ = write!(help, " [{}]", choices.join(", "));
        }
        let defaults: Vec<String> =
            arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
        if takes_value && !defaults.is_empty() {
            let _ = write!(help, " [default: {}]", defaults.join(", "));
        }
        let aliases: Vec<String> = arg
            .get_visible_aliases()
            .unwrap_or_default()
            .iter()
            .map(|alias| format!("`--{alias}`"))
            .collect();
        if !aliases.is_empty() {
            let _ = write!(help, " [also: {}]", aliases.join(", "));
        }
        let name = format!("{names} {value}");
        line_of(page, &format!("`{}`", name.trim()), &help);
    }
}

fn line_of(page: &mut String, name: &str, text: &str) {
    let escaped = |text: &str| text.replace('|', "\\|");
    let _ = writeln!(page, "| {} | {} |", escaped(name), escaped(text));
}
