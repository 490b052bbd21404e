//! Networks that users describe in a TOML file, in slim's terms.
//!
//! `reader` parses the text into `steps`, with `arguments` and `values`, `checks` validates them together, and `builder`
//! builds them with the layers that the library's networks use too. docs/custom-networks.md has the grammar.

mod arguments;
mod builder;
mod checks;
mod options;
mod reader;
mod steps;
mod values;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use self::steps::{Defaults, Step};
use super::{Network, NetworkBuilder, OptionSpec, Options, Variables};
use crate::error::Result;
use crate::graph::TensorRef;
use crate::toml_text::document::{self, Document};
use crate::toml_text::fields;

/// The description of a network, as read from a file.
#[derive(Debug)]
struct Description {
    file: String,
    name: String,
    /// Empty if the network has no scope.
    scope: String,
    image_size: [usize; 2],
    options: Vec<OptionSpec>,
    arg_scope: Vec<Defaults>,
    steps: Vec<Step>,
    /// The name, below the scope, of the weights whose last axis is the classes.
    logits: Option<String>,
    /// The scope, below the network's own, of the auxiliary classifier.
    aux_logits: Option<String>,
}

/// The maximum length of a description. The largest network of the library would need some tens of thousands of bytes.
const MAX_BYTES: usize = 1 << 20;

/// The network that a file describes.
///
/// # Errors
/// If the file cannot be read, or there is a mistake in it. The error names the line.
pub fn network(path: &Path) -> Result<&'static Network> {
    let text = document::read(path, MAX_BYTES, "the description of a network")?;
    let mut known = READ_NETWORKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((.., network)) = known.iter().find(|(file, read, _)| file == path && *read == text) {
        return Ok(network);
    }
    let network = reader::read(&Document::new(path, &text))?.into_network();
    // Built once here, so that errors name the line before a checkpoint is read.
    let image = network.default_images(3);
    super::build(network, "", &Options::defaults(network.options, network.scope), &image, &Variables::new())?;
    known.push((path.to_owned(), text, network));
    Ok(network)
}

/// The networks that were read before, with the path and text of their files.
static READ_NETWORKS: Mutex<Vec<(PathBuf, String, &'static Network)>> = Mutex::new(vec![]);

impl Description {
    /// Makes a network of it that lives as long as the process.
    ///
    /// The library's networks are constants, so the rest of the program uses `&'static Network`. A process reads only a
    /// few descriptions, and each is leaked only once: this costs nothing, and no function needs a lifetime or a
    /// reference count.
    fn into_network(self) -> &'static Network {
        let description: &'static Self = Box::leak(Box::new(self));
        Box::leak(Box::new(Network {
            name: &description.name,
            scope: &description.scope,
            image_size: description.image_size,
            logits: description.logits.as_deref().unwrap_or_default(),
            aux_logits: description.aux_logits.as_deref(),
            arg_scope_name: format!("{}_arg_scope", description.name).leak(),
            arg_scope: Box::leak(Box::new(|| builder::arg_scope(description))),
            options: &description.options,
            build: Box::leak(Box::new(
                |slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options| {
                    builder::build(description, slim, images, options)
                },
            )),
        }))
    }

    /// The location of a line, for errors.
    fn location(&self, line: usize) -> String {
        document::location(&self.file, line)
    }
}
