//! `tf2onnx-rs completions`

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Cli, output};
use crate::error::{Error, Result};

/// Prints a script that lets a shell complete commands, options and their values.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs completions bash > ~/.local/share/bash-completion/completions/tf2onnx-rs
  tf2onnx-rs completions zsh > ~/.zfunc/_tf2onnx-rs
  tf2onnx-rs completions fish > ~/.config/fish/completions/tf2onnx-rs.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: &Args) -> Result<()> {
    let mut script = vec![];
    generate(args.shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    let mut script = String::from_utf8(script).map_err(|error| Error::new("completions", error))?;
    if args.shell == Shell::Bash {
        // clap_complete 4.6 takes the hyphen in the program's name for the step to a subcommand, in half of the places.
        script = script.replace("tf2onnx__subcmd__rs", "tf2onnx__rs");
    }
    output::print(&script)
}
