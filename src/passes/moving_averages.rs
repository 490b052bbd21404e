//! Moving averages: the stored tensor that each variable of a graph is frozen to.
//!
//! Training keeps a smoothed copy of each weight beside it, which usually predicts better than the weight.
//! Source: `ExponentialMovingAverage.variables_to_restore` in `tensorflow/python/training/moving_averages.py`.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::graph::{Graph, Shape};
use crate::setting::Setting;
use crate::suggestion::first_of;

/// The suffix of a moving average's name, after the name of its variable.
const SUFFIX: &str = "/ExponentialMovingAverage";

/// How many names a sentence lists.
const LISTED: usize = 3;

/// The statistics of batch norm are averages themselves, and not trained.
const NOT_TRAINED: [&str; 2] = ["moving_mean", "moving_variance"];

/// Whether the variable of this name is trained, by slim's names.
pub fn is_trained(variable: &str) -> bool {
    let (_, role) = variable.rsplit_once('/').unwrap_or(("", variable));
    !NOT_TRAINED.contains(&role)
}

/// Whether to use moving averages instead of the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// If all trained variables have one
    #[default]
    Auto,
    /// Always; it is an error if one is missing
    On,
    /// Never
    Off,
}

/// The moving averages of a graph's variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovingAverages {
    /// Whether they are used instead of the variables.
    pub used: bool,
    /// How many of the trained variables have one.
    pub found: usize,
    /// How many trained variables there are.
    pub expected: usize,
    /// The trained variables that have none, if others have one.
    pub missing: Vec<String>,
    /// Variables that have one, sorted.
    #[serde(skip)]
    averaged: Vec<String>,
}

impl MovingAverages {
    /// Finds the moving averages of a graph's variables, and decides whether to use them.
    ///
    /// `stored` returns the shape of the tensor stored under a name; `origin` describes where the tensors are
    /// stored, for the error.
    ///
    /// # Errors
    /// If they must be used and some are missing.
    pub fn choose(
        graph: &Graph,
        choice: Choice,
        origin: &str,
        stored: impl Fn(&str) -> Option<Vec<usize>>,
    ) -> Result<Self> {
        let mut averages = Self { used: false, found: 0, expected: 0, missing: vec![], averaged: vec![] };
        for (_, node) in graph.nodes().filter(|(_, node)| node.is_variable()) {
            let shape = stored(&format!("{}{SUFFIX}", node.name));
            let fits = |shape: &Vec<usize>| Shape::known(shape).is_compatible_with(&node.outputs[0].shape);
            let has_one = shape.as_ref().is_some_and(fits);
            if has_one {
                averages.averaged.push(node.name.clone());
            }
            if is_trained(&node.name) {
                averages.expected += 1;
                averages.found += usize::from(has_one);
                if !has_one {
                    averages.missing.push(node.name.clone());
                }
            }
        }
        averages.averaged.sort_unstable();
        averages.used = match choice {
            Choice::Off => false,
            Choice::Auto => averages.expected > 0 && averages.missing.is_empty(),
            Choice::On if averages.missing.is_empty() && averages.found > 0 => true,
            Choice::On => {
                let Self { expected, found, missing, .. } = averages;
                let problem = if found == 0 {
                    format!("it holds no moving averages of its {expected} trained variables")
                } else {
                    let missing: Vec<String> = missing.iter().map(|name| format!("{name}{SUFFIX}")).collect();
                    let (count, listed) = (missing.len(), first_of(&missing, LISTED));
                    format!(
                        "{count} of {expected} moving averages are missing or have another shape: {listed}"
                    )
                };
                return Err(Error::new(origin, problem)
                    .advice(format!("leave out {}", Setting::MovingAverages.to("on"))));
            }
        };
        if averages.found == 0 {
            averages.missing.clear();
        }
        Ok(averages)
    }

    /// The name under which the tensor for a variable is stored.
    pub fn stored_name(&self, variable: &str) -> String {
        let has_one = || self.averaged.binary_search_by(|name| name.as_str().cmp(variable)).is_ok();
        if self.used && has_one() { format!("{variable}{SUFFIX}") } else { variable.to_owned() }
    }

    /// A sentence about them for the user; `None` if there are none.
    pub fn note(&self) -> Option<String> {
        let Self { used, found, expected, missing, .. } = self;
        match (used, missing.first()) {
            (true, _) => Some(format!("moving averages used instead of all {expected} trained variables")),
            _ if *found == 0 => None,
            (false, None) => Some(format!("moving averages of all {expected} trained variables not used")),
            (false, Some(first)) => Some(format!(
                "moving averages not used: {} of {expected} trained variables have none, the first being {first}",
                missing.len()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs};
    use crate::tensor::DType;

    fn graph() -> Graph {
        let mut graph = crate::ops::new_graph();
        for name in ["conv/weights", "conv/BatchNorm/gamma", "conv/BatchNorm/moving_mean"] {
            let attrs = Attrs::from([
                ("dtype", Attr::Type(DType::Float32)),
                ("shape", Attr::Shape(Shape::known(&[4]))),
            ]);
            graph.add(name, "VariableV2", vec![], attrs).unwrap();
        }
        graph
    }

    fn choose(choice: Choice, averaged: &[(&str, usize)]) -> Result<MovingAverages> {
        MovingAverages::choose(&graph(), choice, "model.ckpt", |name| {
            let variable = name.strip_suffix(SUFFIX)?;
            averaged.iter().find(|(name, _)| *name == variable).map(|(_, length)| vec![*length])
        })
    }

    #[test]
    fn a_complete_set_is_taken_and_what_is_not_trained_needs_none() {
        let averages = choose(Choice::Auto, &[("conv/weights", 4), ("conv/BatchNorm/gamma", 4)]).unwrap();
        assert!(averages.used);
        assert_eq!(averages.stored_name("conv/weights"), "conv/weights/ExponentialMovingAverage");
        assert_eq!(averages.stored_name("conv/BatchNorm/moving_mean"), "conv/BatchNorm/moving_mean");
    }

    #[test]
    fn an_incomplete_set_is_left_aside_or_refused() {
        let averaged = [("conv/weights", 4), ("conv/BatchNorm/gamma", 5)];
        let averages = choose(Choice::Auto, &averaged).unwrap();
        assert_eq!(averages.stored_name("conv/weights"), "conv/weights");
        assert_eq!(averages.missing, ["conv/BatchNorm/gamma"]);
        let error = choose(Choice::On, &averaged).unwrap_err().to_string();
        assert!(error.contains("1 of 2") && error.contains("gamma/ExponentialMovingAverage"), "{error}");
        let error = choose(Choice::On, &[]).unwrap_err().to_string();
        assert!(error.contains("it holds no moving averages of its 2 trained variables"), "{error}");
    }

    #[test]
    fn without_any_nothing_is_said() {
        let averages = choose(Choice::Auto, &[]).unwrap();
        assert_eq!((averages.used, averages.note()), (false, None));
    }

    #[test]
    fn an_average_of_batch_norms_statistics_is_taken_with_the_others() {
        let averaged = [("conv/weights", 4), ("conv/BatchNorm/gamma", 4), ("conv/BatchNorm/moving_mean", 4)];
        let averages = choose(Choice::On, &averaged).unwrap();
        let stored = averages.stored_name("conv/BatchNorm/moving_mean");
        assert_eq!(stored, "conv/BatchNorm/moving_mean/ExponentialMovingAverage");
    }
}
