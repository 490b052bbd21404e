//! The summary of a model's batch norms.

use serde::Serialize;

use crate::passes::batch_norm::{BatchNorm, Origin};

/// Where the epsilons of a model with a graph come from.
pub const THE_GRAPH: &str = "the graph";

/// What the batch norms of a network have in common, and which of their parts were synthesized.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchNormSummary {
    /// The number of batch norms.
    pub count: usize,
    /// How many have a stored gamma.
    pub gamma_stored: usize,
    /// How many have a gamma that is computed from variables, as `1 + gamma` is.
    pub gamma_computed: usize,
    /// How many got a unit scale.
    pub gamma_synthesized: usize,
    /// How many have a stored beta.
    pub beta_stored: usize,
    /// How many have a beta that is computed from variables.
    pub beta_computed: usize,
    /// How many got an offset of zeros.
    pub beta_synthesized: usize,
    /// The epsilons that occur.
    pub epsilons: Vec<f32>,
    /// Where the epsilons come from.
    pub epsilon_source: String,
}

impl BatchNormSummary {
    /// The summary of the batch norms of a graph; `epsilon_source` is where the epsilons come from.
    pub fn new(batch_norms: &[BatchNorm], epsilon_source: String) -> Self {
        let parts = batch_norms.iter().map(|norm| (&norm.gamma, &norm.beta, Some(norm.epsilon)));
        Self::of_parts(parts, epsilon_source)
    }

    /// The summary of batch norms by their gamma, beta and, if it is known, epsilon.
    pub fn of_parts<'a>(
        batch_norms: impl Iterator<Item = (&'a Origin, &'a Origin, Option<f32>)>,
        epsilon_source: String,
    ) -> Self {
        let (mut gammas, mut betas, mut epsilons) = (Counts::default(), Counts::default(), vec![]);
        for (gamma, beta, epsilon) in batch_norms {
            gammas.add(gamma);
            betas.add(beta);
            epsilons.extend(epsilon);
        }
        epsilons.sort_unstable_by(f32::total_cmp);
        epsilons.dedup();
        Self {
            count: gammas.stored + gammas.computed + gammas.synthesized,
            gamma_stored: gammas.stored,
            gamma_computed: gammas.computed,
            gamma_synthesized: gammas.synthesized,
            beta_stored: betas.stored,
            beta_computed: betas.computed,
            beta_synthesized: betas.synthesized,
            epsilons,
            epsilon_source,
        }
    }
}

/// The numbers of gammas or betas by origin.
#[derive(Default)]
struct Counts {
    stored: usize,
    computed: usize,
    synthesized: usize,
}

impl Counts {
    fn add(&mut self, origin: &Origin) {
        *match origin {
            Origin::Stored { .. } => &mut self.stored,
            Origin::Computed { .. } => &mut self.computed,
            Origin::Synthesized => &mut self.synthesized,
        } += 1;
    }
}

impl std::fmt::Display for BatchNormSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.count == 0 {
            return f.write_str("no batch norms");
        }
        let s = if self.count == 1 { "" } else { "s" };
        // Keras has the argument, too, and a graph may come from either.
        let whose = if self.epsilon_source == THE_GRAPH { "" } else { "slim's " };
        write!(f, "{} batch norm{s}: gamma stored for {}", self.count, self.gamma_stored)?;
        if self.gamma_computed > 0 {
            write!(f, ", computed for {}", self.gamma_computed)?;
        }
        write!(f, ", unit scale synthesized for {}", self.gamma_synthesized)?;
        if self.gamma_synthesized > 0 {
            write!(f, " ({whose}scale=False)")?;
        }
        if self.beta_synthesized + self.beta_computed > 0 {
            write!(f, "; beta stored for {}", self.beta_stored)?;
        }
        if self.beta_computed > 0 {
            write!(f, ", computed for {}", self.beta_computed)?;
        }
        if self.beta_synthesized > 0 {
            write!(f, ", zeros synthesized for {} ({whose}center=False)", self.beta_synthesized)?;
        }
        if self.epsilons.is_empty() {
            return f.write_str("; epsilon is in no checkpoint");
        }
        let epsilons: Vec<String> = self.epsilons.iter().map(f32::to_string).collect();
        write!(f, "; epsilon {} from {}", epsilons.join(" and "), self.epsilon_source)
    }
}
