//! The command line: one file per subcommand.
//!
//! Exit status: 0 done; 1 the input cannot be converted; 2 bad usage. Standard output carries results, standard
//! error everything else.

mod batch;
mod convert;
mod extract;
mod inspect;
mod networks;
mod ops;
mod output;
mod progress;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;

/// Converts TensorFlow 1 and TF-Slim models to ONNX, without TensorFlow and without Python.
#[derive(Debug, Parser)]
#[command(name = "tf2onnx-rs", version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Convert(Box<convert::Args>),
    Batch(Box<batch::Args>),
    Inspect(inspect::Args),
    Extract(extract::Args),
    Networks(networks::Args),
    Ops(ops::Args),
    Verify(Box<verify::Args>),
}

/// Runs the command that `args` (with the program's name in front) ask for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; the rest is bad usage. Nobody is left to tell where this fails.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let done: Result<()> = match cli.command {
        Command::Convert(args) => convert::run(&args),
        Command::Batch(args) => batch::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Extract(args) => extract::run(&args),
        Command::Networks(args) => networks::run(&args),
        Command::Ops(args) => ops::run(&args),
        Command::Verify(args) => verify::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::warn(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The value of a network's option as JSON.
fn json(value: crate::slim::Value) -> serde_json::Value {
    match value {
        crate::slim::Value::Flag(flag) => flag.into(),
        crate::slim::Value::Count(count) => count.into(),
        crate::slim::Value::Number(number) => number.into(),
        crate::slim::Value::Choice(choice, _) => choice.into(),
    }
}

/// The size of a network's images as JSON: a number, or height and width where they differ.
fn image_size(network: &crate::slim::Network) -> serde_json::Value {
    match network.image_size {
        [height, width] if height == width => height.into(),
        size => size.as_slice().into(),
    }
}

/// What to call the scope of a network that may have none.
fn scope(scope: &str) -> &str {
    if scope.is_empty() { "no scope" } else { scope }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn no_two_options_of_a_command_have_the_same_name() {
        Cli::command().debug_assert();
    }
}
