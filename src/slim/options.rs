//! The arguments of slim's network functions.

use std::collections::BTreeMap;

use super::Variables;
use crate::error::{Error, Result};

/// The value of an option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Count(usize),
    /// A number.
    Number(f64),
    /// One of several words.
    Choice(&'static str, &'static [&'static str]),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Choice(choice, _) => choice.fmt(f),
        }
    }
}

/// Where the value of an option comes from when the user does not give it.
#[derive(Debug, Clone, Copy)]
pub enum OptionSource {
    /// The names and shapes of the variables tell.
    Variables,
    /// This function tells it from the variables, among which the network's begin with the given scope.
    ReadBy(fn(&Variables, &str) -> Option<Value>),
    /// Nothing in a checkpoint tells: slim's default, or the user.
    User,
}

/// An option that a network takes, under slim's name for it.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// slim's name of the argument.
    pub name: &'static str,
    /// slim's default.
    pub default: Value,
    /// Where the value comes from when the user does not give it.
    pub source: OptionSource,
    /// What it does, for the user.
    pub help: &'static str,
}

/// The number of classes; 0 leaves the classifier out.
pub const NUM_CLASSES: OptionSpec = OptionSpec {
    name: "num_classes",
    default: Value::Count(1001),
    source: OptionSource::Variables,
    help: "number of predicted classes; 0 ends at the features",
};
/// Whether to draw the auxiliary classifier of training.
pub const CREATE_AUX_LOGITS: OptionSpec = OptionSpec {
    name: "create_aux_logits",
    default: Value::Flag(true),
    source: OptionSource::Variables,
    help: "whether there is an auxiliary classifier; it is pruned unless AuxLogits is an output",
};
/// The factor on the number of channels of every convolution.
pub const DEPTH_MULTIPLIER: OptionSpec = OptionSpec {
    name: "depth_multiplier",
    default: Value::Number(1.0),
    source: OptionSource::Variables,
    help: "factor on the number of channels of every convolution",
};
/// The least number of channels under a depth multiplier below 1.
pub const MIN_DEPTH: OptionSpec = OptionSpec {
    name: "min_depth",
    default: Value::Count(16),
    source: OptionSource::Variables,
    help: "least number of channels of a convolution under a depth_multiplier below 1",
};
/// Whether the logits lose their spatial axes.
pub const SPATIAL_SQUEEZE: OptionSpec = OptionSpec {
    name: "spatial_squeeze",
    default: Value::Flag(true),
    source: OptionSource::User,
    help: "whether the logits are [batch, classes] instead of [batch, height, width, classes]",
};
/// Whether features are averaged over the whole image, whatever its size.
pub const GLOBAL_POOL: OptionSpec = OptionSpec {
    name: "global_pool",
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether the features are averaged over the whole image, whatever its size",
};

/// The ratio of the image's size to that of the features.
pub const OUTPUT_STRIDE: OptionSpec = OptionSpec {
    name: "output_stride",
    default: Value::Count(0),
    source: OptionSource::User,
    help: "ratio of the image's size to that of the features, kept small by atrous convolution; \
           0 is the network's own",
};
/// The frames of a video.
pub const FRAMES: OptionSpec = OptionSpec {
    name: "frames",
    default: Value::Count(64),
    source: OptionSource::User,
    help: "number of frames of a video",
};

/// The options of one network, with a value for each.
#[derive(Debug, Clone)]
pub struct Options {
    specs: &'static [OptionSpec],
    values: BTreeMap<&'static str, Value>,
    given: Vec<&'static str>,
    /// The network's own variable scope: slim's `scope` argument.
    pub scope: String,
}

impl Options {
    /// slim's defaults.
    pub fn defaults(specs: &'static [OptionSpec], scope: &str) -> Self {
        let values = specs.iter().map(|spec| (spec.name, spec.default)).collect();
        Self { specs, values, given: vec![], scope: scope.to_owned() }
    }

    /// Sets an option that the user gives as text.
    ///
    /// # Errors
    /// Where the network does not take it, or the text is no such value.
    pub fn give(&mut self, name: &str, text: &str) -> Result<()> {
        let subject = format!("--network-option {name}={text}");
        let Some(spec) = self.specs.iter().find(|spec| spec.name == name) else {
            let known: Vec<&str> = self.specs.iter().map(|spec| spec.name).collect();
            return Err(Error::new(subject, "the network takes no such option")
                .advice(format!("choose one of {}", known.join(", "))));
        };
        let value = match spec.default {
            Value::Flag(_) => text.to_lowercase().parse().ok().map(Value::Flag),
            // Python's None stands for slim's default of a count, which is 0 here.
            Value::Count(_) if text == "None" => Some(Value::Count(0)),
            Value::Count(_) => text.parse().ok().map(Value::Count),
            Value::Number(_) => text.parse().ok().filter(|n| *n > 0.0 && *n < 1e6).map(Value::Number),
            Value::Choice(_, choices) => {
                choices.iter().find(|choice| **choice == text).map(|choice| Value::Choice(choice, choices))
            }
        };
        let expected = match spec.default {
            Value::Flag(_) => "true or false".to_owned(),
            Value::Count(_) => "a whole number".to_owned(),
            Value::Number(_) => "a positive number".to_owned(),
            Value::Choice(_, choices) => format!("one of {}", choices.join(", ")),
        };
        let value = value.ok_or_else(|| Error::new(subject, format!("the value is not {expected}")))?;
        self.set(spec.name, value);
        self.given.push(spec.name);
        Ok(())
    }

    /// Sets an option that the network has; one that it has not is left alone.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(spec) = self.specs.iter().find(|spec| spec.name == name) {
            self.values.insert(spec.name, value);
        }
    }

    /// These options with slim's defaults for all that leaves no trace in the variables.
    #[must_use]
    pub fn told_by_variables(&self) -> Self {
        let mut told = self.clone();
        for spec in self.specs.iter().filter(|spec| matches!(spec.source, OptionSource::User)) {
            told.values.insert(spec.name, spec.default);
        }
        told
    }

    /// Whether the network has the option and the user did not give it.
    pub fn is_open(&self, name: &str) -> bool {
        self.values.contains_key(name) && !self.given.contains(&name)
    }

    /// All options with their values.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        self.values.iter().map(|(&name, &value)| (name, value))
    }

    /// The value of a flag; false where the network has no such option.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Flag(true)))
    }

    /// The value of a count; 0 where the network has no such option.
    pub fn count(&self, name: &str) -> usize {
        match self.values.get(name) {
            Some(Value::Count(count)) => *count,
            _ => 0,
        }
    }

    /// The value of a choice; empty where the network has no such option.
    pub fn choice(&self, name: &str) -> &'static str {
        match self.values.get(name) {
            Some(Value::Choice(choice, _)) => choice,
            _ => "",
        }
    }

    /// The frames of a video; `None` where the network takes images.
    pub fn frames(&self) -> Option<usize> {
        Some(self.count(FRAMES.name)).filter(|&frames| frames > 0)
    }

    /// The value of a number; 1 where the network has no such option.
    pub fn number(&self, name: &str) -> f64 {
        match self.values.get(name) {
            Some(Value::Number(number)) => *number,
            _ => 1.0,
        }
    }

    /// The number of classes; 0 where the network ends at its features.
    pub fn num_classes(&self) -> usize {
        self.count(NUM_CLASSES.name)
    }

    /// The number of channels that a convolution of `depth` channels has under the depth multiplier:
    /// `max(int(depth * depth_multiplier), min_depth)` in slim's inception networks.
    pub fn depth(&self, depth: usize) -> usize {
        scaled_depth(depth, self.number(DEPTH_MULTIPLIER.name), self.count(MIN_DEPTH.name))
    }
}

/// See [`Options::depth`].
pub fn scaled_depth(depth: usize, multiplier: f64, min_depth: usize) -> usize {
    ((depth as f64 * multiplier) as usize).max(min_depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[OptionSpec] = &[NUM_CLASSES, SPATIAL_SQUEEZE];

    #[test]
    fn an_unknown_option_is_answered_with_the_known_ones() {
        let error = Options::defaults(SPECS, "Net").give("classes", "3").unwrap_err();
        assert!(error.to_string().contains("num_classes, spatial_squeeze"), "{error}");
    }

    #[test]
    fn python_spellings_of_truth_are_understood() {
        let mut options = Options::defaults(SPECS, "Net");
        options.give("spatial_squeeze", "False").unwrap();
        assert!(!options.flag("spatial_squeeze"));
        assert!(!options.is_open("spatial_squeeze"));
        assert!(options.give("num_classes", "many").is_err());
    }
}
