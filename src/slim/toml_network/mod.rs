//! Networks that users describe in a TOML file, in slim's terms.
//!
//! `reader` parses the text into `steps`, with `kinds`, `arguments` and `values`, `checks` validates them together, and `builder`
//! builds them with the layers that the library's networks use too. docs/custom-networks.md has the grammar.

mod arguments;
mod builder;
mod checks;
mod kinds;
mod options;
mod reader;
mod steps;
mod tensors;
mod values;

use std::path::Path;

use self::steps::{Defaults, Step};
use super::network::Definition;
use super::{ArgScope, Network, NetworkBuilder, Options, Variables};
use crate::error::Result;
use crate::graph::TensorRef;
use crate::toml_text::document::{self, Document};
use crate::toml_text::fields;

/// The definition of a network, as read from a file.
#[derive(Debug)]
struct Description {
    file: String,
    arg_scope: Vec<Defaults>,
    variable_names: Vec<(String, String)>,
    steps: Vec<Step>,
}

/// The maximum length of a description. The largest network of the library would need some tens of thousands of bytes.
const MAX_BYTES: usize = 1 << 20;

/// The network that a file describes.
///
/// # Errors
/// If the file cannot be read, or there is a mistake in it. The error names the line.
pub fn network(path: &Path) -> Result<Network> {
    let text = document::read(path, MAX_BYTES, "the description of a network")?;
    let network = reader::read(&Document::new(path, &text))?;
    // Built once here, so that errors name the line before a checkpoint is read.
    let options = Options::defaults(&network.options, &network.scope);
    super::build(&network, "", &options, &network.default_images(3), &Variables::new())?;
    Ok(network)
}

impl Definition for Description {
    fn arg_scope(&self) -> ArgScope {
        builder::arg_scope(self)
    }

    fn build(&self, slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
        builder::build(self, slim, inputs[0], options)
    }
}

impl Description {
    /// The location of a line, for errors.
    fn location(&self, line: usize) -> String {
        document::location(&self.file, line)
    }
}
