//! Where the graph of a conversion comes from.

use super::{ConvertOptions, GraphOrigin, NetworkOrigin, THE_GRAPH, recognize_checkpoint};
use crate::error::Error;
use crate::setting::Setting;
use crate::source::Source;

/// Where a graph comes from.
#[derive(Debug)]
pub enum Origin {
    /// It was rebuilt from the variables of a checkpoint.
    Network(Box<NetworkOrigin>),
    /// It came with the model.
    Graph(GraphOrigin),
}

impl Origin {
    /// Where the epsilons of the batch norms come from.
    pub fn epsilon_source(&self) -> String {
        match self {
            Self::Network(network) => network.recognition.epsilon_source(),
            Self::Graph(_) => THE_GRAPH.to_owned(),
        }
    }

    /// The part that does not use the remaining trained variables, for a warning.
    pub(super) fn user_of_variables(&self) -> &str {
        match self {
            Self::Network(network) => &network.recognition.network.name,
            Self::Graph(_) => "what the outputs are computed from",
        }
    }

    /// The error, with advice for variables that do not fit.
    pub(super) fn advised(&self, error: Error, source: &Source, options: &ConvertOptions) -> Error {
        if let (Self::Network(origin), Some(_)) = (self, &options.network) {
            let as_itself = recognize_checkpoint(source, &ConvertOptions::default());
            let name = as_itself.map(|recognition| recognition.network.name.clone());
            if let Some(name) = name.ok().filter(|name| *name != origin.recognition.network.name) {
                return error
                    .advice(format!("its variables are those of {name}: leave out {}", Setting::Network));
            }
        }
        match self {
            Self::Network(_) => error.advice(format!(
                "give the size of the images that it was trained on with {}, and arguments of its function with {}",
                Setting::ImageSize,
                Setting::NetworkOption
            )),
            Self::Graph(_) => error.advice("give the checkpoint that belongs to the graph"),
        }
    }
}
