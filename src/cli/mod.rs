//! The command line: one file per subcommand.
//!
//! The exit status is in [`EXIT_STATUS`]. Results go to standard output, everything else to standard error.

mod batch;
mod color;
mod completions;
mod convert;
mod end_points;
mod extract;
pub mod functions;
mod graph;
mod inspect;
mod internal_error;
mod interrupt;
mod man;
mod networks;
mod ops;
mod options_page;
mod output;
mod progress;
mod table;
mod tips;
mod verify;
mod wording;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::Result;

/// Converts TensorFlow 1 and TF-Slim models to ONNX, without TensorFlow and without Python.
#[derive(Debug, Parser)]
#[command(name = "tf2onnx-rs", version, propagate_version = true, max_term_width = 110,
          after_help = MORE, after_long_help = LONG_HELP)]
struct Cli {
    #[command(flatten)]
    color: color::ColorArgs,
    #[command(subcommand)]
    command: Command,
}

/// The meanings of the exit status.
pub const EXIT_STATUS: &str = "\
0    done
1    the command failed; standard error has the reason, and nothing is written
2    bad usage
129  the terminal was closed (SIGHUP, unless it is ignored); nothing is written, and temporary files are removed
130  interrupted by Ctrl-C; otherwise the same
143  ended by SIGTERM; otherwise the same";

/// Where to find more help.
const MORE: &str = "\
`tf2onnx-rs help COMMAND` explains a command with examples, `tf2onnx-rs man COMMAND | man -l -` shows its manual \
page. README.md and docs/ come with the source.";

const LONG_HELP: &str = "\
Examples:
  tf2onnx-rs convert inception_v3.ckpt inception_v3.onnx
  tf2onnx-rs inspect inception_v3.ckpt
  tf2onnx-rs networks inception_v3
  tf2onnx-rs help convert

`tf2onnx-rs help COMMAND` explains a command with examples.
`tf2onnx-rs man COMMAND | man -l -` shows its manual page.

Pages that come with the source, besides README.md:
  docs/options.md          all options of all commands
  docs/json.md             the output of --json
  docs/ops.md              the TensorFlow ops that can be converted
  docs/custom-networks.md  how to describe a network";

#[derive(Debug, Subcommand)]
enum Command {
    Convert(Box<convert::Args>),
    Batch(Box<batch::Args>),
    Inspect(inspect::Args),
    Extract(extract::Args),
    Graph(Box<graph::Args>),
    Networks(networks::Args),
    Ops(ops::Args),
    Verify(Box<verify::Args>),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    fn run(&self) -> Result<()> {
        match self {
            Self::Convert(args) => convert::run(args),
            Self::Batch(args) => batch::run(args),
            Self::Inspect(args) => inspect::run(args),
            Self::Extract(args) => extract::run(args),
            Self::Graph(args) => graph::run(args),
            Self::Networks(args) => networks::run(args),
            Self::Ops(args) => ops::run(args),
            Self::Verify(args) => verify::run(args),
            Self::Completions(args) => completions::run(args),
            Self::Man(args) => man::run(args),
        }
    }
}

/// Runs the command in `args`, which begin with the name of the program.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // Not a command of the user: this program starts itself so, to run models in processes of their own.
    if args.get(1).is_some_and(|first| first == crate::verify::CHILD) {
        return ExitCode::from(crate::verify::serve(args.get(2..).unwrap_or_default()));
    }
    if let Ok(program) = this_program() {
        crate::verify::run_models_with(vec![program.into()]);
    }
    ExitCode::from(status(args))
}

/// The path of this program: a link that leads to it even where its file was replaced, if the system has one.
fn this_program() -> std::io::Result<std::path::PathBuf> {
    let link = std::path::Path::new("/proc/self/exe");
    if link.exists() { Ok(link.to_owned()) } else { std::env::current_exe() }
}

/// Runs the command in `args`, which begin with the name of the program, and returns its exit status.
pub fn status(args: impl IntoIterator<Item = OsString>) -> u8 {
    crate::setting::set_wording(&wording::CommandLine);
    let args: Vec<OsString> = args.into_iter().collect();
    let command = Cli::command().color(color::typed(&args));
    let cli = match command.try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // clap returns help and version as errors, too. If they cannot be printed, there is nothing left to do.
            let error = tips::with_tip(error);
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    color::choose(cli.color.color);
    internal_error::quiet_panics();
    interrupt::clean_up_on_signals();
    let done = internal_error::guarded("tf2onnx-rs", || cli.command.run());
    interrupt::leave_to_signal();
    match done {
        Ok(()) => 0,
        Err(error) => {
            output::warn(&format!("{} {error}", color::styled(color::ERROR, "error:")));
            1
        }
    }
}

/// The value of a network's option as JSON.
fn json(value: crate::slim::Value) -> serde_json::Value {
    match value {
        crate::slim::Value::Flag(flag) => flag.into(),
        crate::slim::Value::Count(count) => count.into(),
        crate::slim::Value::Number(number) => number.into(),
        crate::slim::Value::Counts(counts) => counts.as_slice().into(),
        crate::slim::Value::Choice(choice, _) => choice.into(),
    }
}

/// The size of a network's images as JSON: a number, or height and width if they differ. Null if it is any size, or the file that
/// describes the model sets it, or there are no images.
fn image_size(network: &crate::slim::Network) -> serde_json::Value {
    match network.image_size {
        [0, _] | [_, 0] => serde_json::Value::Null,
        [height, width] if height == width => height.into(),
        size => size.as_slice().into(),
    }
}

/// The scope of a network, for messages; it may have none.
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
