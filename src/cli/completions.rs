//! `tf2onnx-rs completions`

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Cli, output};
use crate::error::{Error, Result};

/// Prints a script with which a shell completes commands, options and values.
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
        // clap_complete 4.6 reads the hyphen in the program's name as the start of a subcommand, but not everywhere.
        script = script.replace("tf2onnx__subcmd__rs", "tf2onnx__rs");
    }
    output::print(&script)
}
