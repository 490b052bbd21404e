//! The weights of a graph: where its variables are stored, and which of them are read as moving averages.

use super::BoundGraph;
use super::variables::Lookup;
use crate::error::Result;
use crate::graph::Graph;
use crate::passes::freeze::freeze_variables;
use crate::passes::moving_averages::{Choice, MovingAverages};
use crate::source::Source;

/// The stored weights of a graph's variables.
pub(super) struct Weights<'a> {
    lookup: Lookup<'a>,
    /// The variables whose moving averages are read.
    pub averages: MovingAverages,
}

impl<'a> Weights<'a> {
    /// The weights of a graph. `choice` is whether moving averages are read.
    ///
    /// # Errors
    /// If moving averages are to be read and the source has none that fit.
    pub fn choose(source: &'a Source, bound: &BoundGraph, choice: Choice) -> Result<Self> {
        let lookup = Lookup::new(source);
        let averages = MovingAverages::choose(&bound.graph, choice, &bound.described, |name| {
            lookup.constant(name).map(|constant| constant.shape().to_vec())
        })?;
        Ok(Self { lookup, averages })
    }

    /// The same weights, chosen before.
    pub fn of(source: &'a Source, averages: MovingAverages) -> Self {
        Self { lookup: Lookup::new(source), averages }
    }

    /// The stored names of the variables that a graph reads.
    pub fn read(&self, graph: &Graph) -> Vec<String> {
        let variables = graph.nodes().map(|(_, node)| node).filter(|node| node.is_variable());
        variables
            .map(|variable| self.lookup.key(&self.averages.stored_name(&variable.name)).to_owned())
            .collect()
    }

    /// Turns the variables of a graph into constants. `described` is where they come from, for errors.
    ///
    /// # Errors
    /// If one of them is not stored, or has another shape or type.
    pub fn freeze(&self, graph: &mut Graph, described: &str) -> Result<()> {
        freeze_variables(graph, described, |name| self.lookup.constant(&self.averages.stored_name(name)))
    }
}
