//! `tf2onnx-rs networks`

use serde::Serialize;

use super::output;
use crate::error::Result;
use crate::slim::{Network, OptionSource, networks};

/// Lists the networks that `convert` can rebuild from a checkpoint alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tf2onnx-rs networks
  tf2onnx-rs networks --json")]
pub struct Args {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    scope: &'static str,
    image_size: serde_json::Value,
    arg_scope: &'static str,
    options: Vec<OptionEntry>,
}

#[derive(Debug, Serialize)]
struct OptionEntry {
    name: &'static str,
    default: serde_json::Value,
    read_from_variables: bool,
    help: &'static str,
}

impl Entry {
    fn new(network: &Network) -> Self {
        let options = network.options.iter().map(|spec| OptionEntry {
            name: spec.name,
            default: super::json(spec.default),
            read_from_variables: !matches!(spec.source, OptionSource::User),
            help: spec.help,
        });
        Self {
            name: network.name,
            scope: network.scope,
            image_size: super::image_size(network),
            arg_scope: network.arg_scope_name,
            options: options.collect(),
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    let entries: Vec<Entry> = networks().map(Entry::new).collect();
    if args.json {
        return output::print_json(&entries);
    }
    let rows = entries.iter().map(|entry| {
        let options: Vec<&str> = entry.options.iter().map(|option| option.name).collect();
        vec![
            entry.name.to_owned(),
            entry.scope.to_owned(),
            entry.image_size.to_string(),
            entry.arg_scope.to_owned(),
            options.join(", "),
        ]
    });
    output::print(&output::table(&["network", "scope", "image", "arg_scope", "options"], rows))
}
