//! `tf2onnx-rs networks`

use serde::Serialize;

use super::convert::image_size;
use super::end_points::OneNetwork;
use super::output::{self, Column};
use crate::error::Result;
use crate::slim::{Network, NetworkChoice, NetworkOption, networks};

/// Lists the networks that `convert` can rebuild from a checkpoint alone, or shows the options and end points of one.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs networks
  tf2onnx-rs networks inception_v3
  tf2onnx-rs networks resnet_v2_50 --image-size 224 --network-option output_stride=16
  tf2onnx-rs networks my_net.toml --json")]
pub struct Args {
    /// The network to show, or a file that describes one [default: list all networks]
    network: Option<NetworkChoice>,
    /// Height and width of the images, as N or HxW [default: the network's own]
    #[arg(long, value_name = "N|HxW", value_parser = image_size, requires = "network")]
    image_size: Option<(usize, usize)>,
    /// An argument of slim's network function (repeatable)
    #[arg(long, value_name = "KEY=VALUE", requires = "network")]
    network_option: Vec<String>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// A network, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    pub name: &'a str,
    pub scope: &'a str,
    pub image_size: serde_json::Value,
    /// The same in words.
    #[serde(skip)]
    pub size: String,
    pub arg_scope: &'a str,
    pub options: Vec<OptionEntry<'a>>,
}

/// An option of a network.
#[derive(Debug, Serialize)]
pub struct OptionEntry<'a> {
    pub name: &'a str,
    pub default: serde_json::Value,
    pub read_from_variables: bool,
    /// Whether the file that describes the model sets it.
    pub read_from_config: bool,
    pub help: &'static str,
}

impl<'a> Entry<'a> {
    pub fn new(network: &'a Network) -> Self {
        let options = network.options.iter().map(|spec| OptionEntry {
            name: &spec.name,
            default: super::json(spec.default),
            read_from_variables: spec.is_in_variables(),
            read_from_config: spec.is_in_config(),
            help: spec.help,
        });
        Self {
            name: &network.name,
            scope: &network.scope,
            image_size: super::image_size(network),
            size: network.image_size_text(),
            arg_scope: &network.arg_scope_name,
            options: options.collect(),
        }
    }
}

/// The networks, or the chosen one, for a program: as JSON.
///
/// # Errors
/// If there is no such network, or the options do not fit it.
pub fn call(args: &Args) -> Result<String> {
    match &args.network {
        Some(choice) => with_network(args, choice, |shown| output::json(shown)),
        None => output::json(&networks().map(|network| Entry::new(network)).collect::<Vec<_>>()),
    }
}

fn with_network<T>(
    args: &Args,
    choice: &NetworkChoice,
    show: impl FnOnce(&OneNetwork<'_>) -> Result<T>,
) -> Result<T> {
    let options = args.network_option.iter().map(|text| NetworkOption::parse(text));
    let network = choice.network()?;
    show(&OneNetwork::build(&network, args.image_size, &options.collect::<Result<Vec<_>>>()?)?)
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(choice) = &args.network {
        return with_network(args, choice, |shown| {
            if args.json { output::print_json(shown) } else { output::print(&shown.text()) }
        });
    }
    let entries: Vec<Entry<'_>> = networks().map(|network| Entry::new(network)).collect();
    if args.json {
        return output::print_json(&entries);
    }
    let rows = entries.iter().map(|entry| {
        let options: Vec<&str> = entry.options.iter().map(|option| option.name).collect();
        vec![
            entry.name.to_owned(),
            entry.scope.to_owned(),
            entry.size.clone(),
            entry.arg_scope.to_owned(),
            options.join(", "),
        ]
    });
    let columns = [
        Column::new("network"),
        Column::new("scope"),
        Column::new("image"),
        Column::new("arg_scope"),
        Column::sentences("options"),
    ];
    output::print(&output::table(&columns, rows))
}
