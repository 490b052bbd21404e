//! `tf2onnx-rs man`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::{Cli, options_page, output};
use crate::error::{Error, Result};
use crate::output::{OutputFile, make_folder};
use crate::suggestion::did_you_mean;

/// Prints the manual page of a command, or writes the pages of all commands to a folder.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs man convert | man -l -
  tf2onnx-rs man --out-dir ~/.local/share/man/man1")]
pub struct Args {
    /// The command [default: tf2onnx-rs itself]
    #[arg(value_parser = known)]
    command: Option<String>,
    /// The folder for the pages of all commands; it is created if it does not exist
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out_dir: Option<PathBuf>,
    /// Print the options of all commands as docs/options.md has them
    #[arg(long, hide = true, conflicts_with_all = ["command", "out_dir"])]
    markdown: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let program = program();
    if args.markdown {
        return output::print(&options_page::markdown(&program));
    }
    if let Some(folder) = &args.out_dir {
        return write_all(&program, folder);
    }
    let named = args.command.as_deref().and_then(|name| program.find_subcommand(name));
    let command = named.unwrap_or(&program);
    let page = page(command).map_err(|error| Error::new("the manual page", error))?;
    output::print(&String::from_utf8_lossy(&page))
}

/// The name of a command.
fn known(name: &str) -> std::result::Result<String, String> {
    let program = program();
    if commands(&program).any(|command| command.get_name() == name) {
        return Ok(name.to_owned());
    }
    Err(match did_you_mean(name, commands(&program).map(Command::get_name)) {
        Some(question) => format!("there is no such command; {question}"),
        None => {
            let names: Vec<&str> = commands(&program).map(Command::get_name).collect();
            format!("there is no such command; choose one of {}", names.join(", "))
        }
    })
}

/// The whole command line, without `help`: the pages replace it.
fn program() -> Command {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    program
}

/// The commands that users see.
pub fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|command| !command.is_hide_set())
}

fn write_all(program: &Command, folder: &Path) -> Result<()> {
    make_folder(folder)?;
    for command in std::iter::once(program).chain(commands(program)) {
        let path = folder.join(Man::new(command.clone()).get_filename());
        let file = OutputFile::create(&path)?;
        page(command).and_then(|page| file.file().write_all(&page)).map_err(|error| file.error(&error))?;
        file.persist(&[])?;
    }
    Ok(())
}

/// A manual page: the text of `--help` in the sections of manual pages.
fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let title = command.get_display_name().unwrap_or_else(|| command.get_name());
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let mut page = vec![];
    // The page has no date. clap_mangen would omit the empty argument, and the next one would become the date.
    writeln!(page, ".TH \"{title}\" \"1\" \"\" \"{name} {version}\" \"Manual of {name}\"")?;
    man.render_name_section(&mut page)?;
    let usage = command.clone().render_usage().to_string();
    write_section(&mut page, "SYNOPSIS", usage.trim_start_matches("Usage: "))?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(examples) = examples(command) {
        write_section(&mut page, "EXAMPLES", &examples)?;
    }
    write_section(&mut page, "EXIT STATUS", super::EXIT_STATUS)?;
    Ok(page)
}

/// A section whose lines stay as they are.
fn write_section(page: &mut Vec<u8>, head: &str, text: &str) -> std::io::Result<()> {
    let mut section = Roff::new();
    section.control("SH", [head]);
    section.control("nf", []);
    for line in text.lines() {
        section.text([roman(line)]);
    }
    section.control("fi", []);
    section.to_writer(page)
}

/// The examples of a command's help, without their heading and indent.
pub fn examples(command: &Command) -> Option<String> {
    let text = command.get_after_long_help()?.to_string();
    let lines = text.split_once("Examples:\n")?.1.lines().map(str::trim).take_while(|line| !line.is_empty());
    Some(lines.collect::<Vec<_>>().join("\n"))
}
