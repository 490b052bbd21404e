//! Networks that a file describes, in slim's terms: `--network my_net.toml`.
//!
//! `reader` turns the text into `steps`, `checks` looks at them as a whole, and `drawing` builds them with the
//! same layers that the library's networks are built with. docs/custom-networks.md has the grammar.

mod arguments;
mod builder;
mod checks;
mod options;
mod reader;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use self::steps::{Defaults, Step};
use super::{Network, NetworkBuilder, OptionSpec, Options, Variables};
use crate::error::Result;
use crate::graph::TensorRef;
use crate::toml_text::document::{self, Document};
use crate::toml_text::fields;

/// A description that has been read.
#[derive(Debug)]
struct Description {
    file: String,
    name: String,
    /// Empty where the network has no scope of its own.
    scope: String,
    image_size: [usize; 2],
    options: Vec<OptionSpec>,
    arg_scope: Vec<Defaults>,
    steps: Vec<Step>,
    /// Below the scope, the weights whose last axis is the classes.
    logits: Option<String>,
    /// Below the scope, that of the auxiliary classifier.
    aux_logits: Option<String>,
}

/// The longest description that is read. The largest network of the library takes some tens of thousands.
const MAX_BYTES: usize = 1 << 20;

/// Whether this names a file that describes a network, and not a network of the library.
pub fn is_file(network: &str) -> bool {
    Path::new(network).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// The network that a file describes.
///
/// # Errors
/// Where the file cannot be read, or there is a mistake in it: the error names the line.
pub fn network(path: &Path) -> Result<&'static Network> {
    let text = document::read(path, MAX_BYTES, "the description of a network")?;
    let mut known = DESCRIBED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((.., network)) = known.iter().find(|(file, read, _)| file == path && *read == text) {
        return Ok(network);
    }
    let network = reader::read(&Document::new(path, &text))?.into_network();
    // What cannot be built is said with its line, before any checkpoint is looked at.
    let image = network.default_images(3);
    super::build(network, "", &Options::defaults(network.options, network.scope), &image, &Variables::new())?;
    known.push((path.to_owned(), text, network));
    Ok(network)
}

/// The descriptions that have been read, with their text.
static DESCRIBED: Mutex<Vec<(PathBuf, String, &'static Network)>> = Mutex::new(vec![]);

impl Description {
    /// The network, which lives as long as the process.
    ///
    /// The library's networks are constants, and everything hands them around as such. A described one is made
    /// once for each text that is read, of which a process has a few: to leak it costs no more than to keep it,
    /// and spares every signature between here and the writer a lifetime or a counter.
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

    /// What to call a line of the file.
    fn location(&self, line: usize) -> String {
        document::location(&self.file, line)
    }
}
