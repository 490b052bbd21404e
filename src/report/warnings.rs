//! What looks wrong with a conversion.

use serde::Serialize;

use super::{NormReport, WeightReport};
use crate::convert::Conversion;
use crate::onnx::TENSORFLOW_DOMAIN;

/// Something that looks wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The layer, weight or node that it is about; empty if it is about the whole model.
    pub about: String,
    /// What looks wrong, and what it means.
    pub text: String,
}

/// Everything that looks wrong.
pub fn collect(conversion: &Conversion, weights: &[WeightReport], norms: &[NormReport]) -> Vec<Warning> {
    let mut found = vec![];
    let mut warn = |about: &str, text: String| found.push(Warning { about: about.to_owned(), text });
    conversion.notes.iter().filter(|note| note.is_warning()).for_each(|note| warn("", note.text.clone()));
    for norm in norms {
        if let Some(problem) = &norm.problem {
            warn(&norm.name, format!("{problem}: it was not trained, or damaged"));
        }
    }
    let parts: Vec<Option<usize>> =
        norms.iter().flat_map(|norm| [norm.gamma, norm.beta, norm.mean, norm.variance]).collect();
    for (index, weight) in weights.iter().enumerate() {
        let statistics = &weight.statistics;
        let strange = statistics.nan + statistics.inf;
        // The weights of batch norms are in the warnings about these.
        if strange > 0 && !parts.contains(&Some(index)) {
            let text = format!("{strange} of {} elements are not finite numbers", statistics.count);
            warn(&weight.name, text);
        } else if weight.shape.len() > 1 && statistics.count > 1 && statistics.zeros == statistics.count {
            warn(&weight.name, "all elements are zero".to_owned());
        }
    }
    for node in conversion.model.nodes.iter().filter(|node| node.domain == TENSORFLOW_DOMAIN) {
        let text = format!(
            "{} cannot be converted and was written as a custom op, in the domain {TENSORFLOW_DOMAIN}: a runtime needs a custom \
             operator for it",
            node.op
        );
        warn(&node.name, text);
    }
    found
}
