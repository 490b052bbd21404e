//! A recognized network, and the order of candidates: the better one comes first.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Network;
use super::options::{NUM_CLASSES, OptionSpec, Options};

/// A network recognized by its variables.
#[derive(Debug, Clone)]
pub struct Recognition {
    /// The network.
    pub network: Arc<Network>,
    /// The scopes around the network's own scope: empty, or ending in `/`.
    pub prefix: String,
    /// Its options, as far as the variables show them.
    pub options: Options,
    /// The number of channels of the images.
    pub channels: usize,
    /// The number of the network's variables in the checkpoint, without the auxiliary classifier.
    pub found: usize,
    /// The number of the network's variables, without the auxiliary classifier.
    pub expected: usize,
    /// The number of them that have the same shape in the checkpoint.
    pub fitting: usize,
}

impl Recognition {
    /// The source of the epsilons of the network's batch norms.
    pub fn epsilon_source(&self) -> String {
        format!("{}'s arg_scope", self.network.name)
    }

    /// The share of the network's variables that the checkpoint holds, from 0 to 1.
    pub fn certainty(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.found as f64 / self.expected as f64 }
    }

    /// Whether the checkpoint holds all of the network's variables, in their shapes.
    pub(super) fn is_complete(&self) -> bool {
        self.expected > 0 && self.fitting == self.expected
    }

    fn fitting_share(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.fitting as f64 / self.expected as f64 }
    }

    /// Sorts the candidate that explains the variables better first. The criteria, in this order: enough of the
    /// network's variables are there at all, a larger share of them has the right shape, a larger share is there, more
    /// of them are there, and fewer options differ from the network's defaults.
    pub(super) fn compare(&self, other: &Self, required: f64) -> Ordering {
        let has_enough = |candidate: &Self| candidate.certainty() >= required;
        (has_enough(other).cmp(&has_enough(self)))
            .then(other.fitting_share().total_cmp(&self.fitting_share()))
            .then(other.certainty().total_cmp(&self.certainty()))
            .then(other.found.cmp(&self.found))
            .then_with(|| {
                differing_options(&self.network, self).cmp(&differing_options(&other.network, other))
            })
    }

    /// The same network under slim's name for it with these options, if slim has one.
    pub(super) fn into_variant(self) -> Self {
        let variant = self.network.variants().find(|variant| differing_options(variant, &self) == 0);
        match variant {
            Some(variant) => Self { network: Arc::clone(variant), ..self },
            None => self,
        }
    }
}

/// The number of options in the variables that differ from the network's defaults.
fn differing_options(network: &Network, recognition: &Recognition) -> usize {
    let is_compared = |spec: &&OptionSpec| spec.is_in_variables() && spec.name != NUM_CLASSES.name;
    let values = &recognition.options;
    let compared = network.options.iter().filter(is_compared);
    compared.filter(|spec| values.value(&spec.name) != Some(spec.default)).count()
}
