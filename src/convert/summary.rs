//! What is said about the batch norms of a model.

use serde::Serialize;

use crate::passes::batch_norm::{BatchNorm, Origin};

/// Who says the epsilons of a model that came with its graph.
pub const THE_GRAPH: &str = "the graph";

/// What the batch norms of a network have in common, and what was assumed of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchNormSummary {
    /// How many there are.
    pub count: usize,
    /// How many have their gamma stored.
    pub gamma_stored: usize,
    /// How many have a gamma that is computed from variables, as `1 + gamma` is.
    pub gamma_computed: usize,
    /// How many were given a unit scale.
    pub gamma_synthesized: usize,
    /// How many have their beta stored.
    pub beta_stored: usize,
    /// How many have a beta that is computed from variables.
    pub beta_computed: usize,
    /// How many were given zeros.
    pub beta_synthesized: usize,
    /// The epsilons that occur.
    pub epsilons: Vec<f32>,
    /// Where the epsilons come from.
    pub epsilon_source: String,
}

impl BatchNormSummary {
    /// Counts over the batch norms of a graph; `epsilon_source` is who says the epsilons.
    pub fn new(batch_norms: &[BatchNorm], epsilon_source: String) -> Self {
        let parts = batch_norms.iter().map(|norm| (&norm.gamma, &norm.beta, Some(norm.epsilon)));
        Self::of_parts(parts, epsilon_source)
    }

    /// Counts over batch norms of which gamma, beta and, where it is known, epsilon are given.
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
        epsilons.sort_by(f32::total_cmp);
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

/// How many gammas or betas come from where.
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
        // Keras calls the argument the same, and who wrote a graph is not known.
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
