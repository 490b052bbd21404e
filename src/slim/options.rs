//! The arguments of slim's network functions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Counts, ImageShape, NetworkOption, Value, Variables};
use crate::error::{Error, Result};
use crate::graph::{Limits, Shape};
use crate::model_config::ModelConfig;
use crate::setting::Setting;
use crate::suggestion::suggesting_and_listing;

/// The source of an option's value, unless the user sets it.
#[derive(Debug, Clone, Copy)]
pub enum OptionSource {
    /// From the names and shapes of the variables.
    Variables,
    /// From this function of the variables and the network's root scope.
    ReadBy(fn(&Variables, &str) -> Option<Value>),
    /// From this function of the file that describes the model; the default if there is no such file.
    Config(fn(&ModelConfig) -> Option<Value>),
    /// Slim's default: a checkpoint does not show the value.
    User,
    /// Slim's default: a checkpoint does not show the value, and public definitions of the network differ in the way
    /// described here.
    Definition(&'static str),
}

/// An option of a network, under slim's name.
#[derive(Debug, Clone)]
pub struct OptionSpec {
    /// slim's name of the argument.
    pub name: Cow<'static, str>,
    /// slim's default.
    pub default: Value,
    /// The source of the value, unless the user sets it.
    pub source: OptionSource,
    /// The description for the user.
    pub help: &'static str,
}

impl OptionSpec {
    /// Whether the value is read from the variables of a checkpoint.
    pub fn is_in_variables(&self) -> bool {
        matches!(self.source, OptionSource::Variables | OptionSource::ReadBy(_))
    }

    /// Whether the value is read from the file that describes the model.
    pub fn is_in_config(&self) -> bool {
        matches!(self.source, OptionSource::Config(_))
    }
}

/// The number of classes; 0 leaves the classifier out.
pub const NUM_CLASSES: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_classes"),
    default: Value::Count(1001),
    source: OptionSource::Variables,
    help: "number of predicted classes; with 0, the network ends at the features",
};
/// Whether the network has the auxiliary classifier of training.
pub const CREATE_AUX_LOGITS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("create_aux_logits"),
    default: Value::Flag(true),
    source: OptionSource::Variables,
    help: "whether there is an auxiliary classifier; it is pruned unless AuxLogits is an output",
};
/// The same in the NASNet family.
pub const USE_AUX_HEAD: OptionSpec = OptionSpec { name: Cow::Borrowed("use_aux_head"), ..CREATE_AUX_LOGITS };
/// The factor for the number of channels of every convolution.
pub const DEPTH_MULTIPLIER: OptionSpec = OptionSpec {
    name: Cow::Borrowed("depth_multiplier"),
    default: Value::Number(1.0),
    source: OptionSource::Variables,
    help: "factor for the number of channels of every convolution",
};
/// The least number of channels under a depth multiplier below 1.
pub const MIN_DEPTH: OptionSpec = OptionSpec {
    name: Cow::Borrowed("min_depth"),
    default: Value::Count(16),
    source: OptionSource::Variables,
    help: "minimum number of channels of a convolution if depth_multiplier is below 1",
};
/// The number that the channels of a convolution are a multiple of under a depth multiplier.
pub const DIVISIBLE_BY: OptionSpec = OptionSpec {
    name: Cow::Borrowed("divisible_by"),
    default: Value::Count(8),
    source: OptionSource::User,
    help: "the number of channels of every convolution is a multiple of this",
};
/// Whether the last convolution is exempt from the depth multiplier.
pub const FINEGRAIN_CLASSIFICATION_MODE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("finegrain_classification_mode"),
    default: Value::Flag(false),
    source: OptionSource::Variables,
    help: "whether the last convolution keeps its channels under a small depth_multiplier",
};
/// Whether the logits lose their spatial axes.
pub const SPATIAL_SQUEEZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("spatial_squeeze"),
    default: Value::Flag(true),
    source: OptionSource::User,
    help: "whether the logits are [batch, classes] instead of [batch, height, width, classes]",
};
/// Whether features are averaged over the whole image, whatever its size.
pub const GLOBAL_POOL: OptionSpec = OptionSpec {
    name: Cow::Borrowed("global_pool"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether the features are averaged over the whole image of any size",
};

/// The ratio of the image's size to that of the features.
pub const OUTPUT_STRIDE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("output_stride"),
    default: Value::Count(0),
    source: OptionSource::User,
    help: "ratio of the image's size to that of the features, kept small by atrous convolution; \
           0 is the network's own",
};
/// The frames of a video.
pub const FRAMES: OptionSpec = OptionSpec {
    name: Cow::Borrowed("frames"),
    default: Value::Count(64),
    source: OptionSource::User,
    help: "number of frames of a video",
};

/// The frames of a spectrogram.
pub const NUM_FRAMES: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_frames"),
    default: Value::Count(96),
    source: OptionSource::User,
    help: "number of frames of a spectrogram",
};
/// The frequency bands of a spectrogram.
pub const NUM_BANDS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_bands"),
    default: Value::Count(64),
    source: OptionSource::User,
    help: "number of frequency bands of a spectrogram",
};

/// The options of one network, with a value for each.
#[derive(Debug, Clone)]
pub struct Options {
    specs: Arc<[OptionSpec]>,
    values: BTreeMap<Cow<'static, str>, Value>,
    set_by_user: Vec<Cow<'static, str>>,
    config: Option<Arc<ModelConfig>>,
    /// How much is made of the variables and of the file that describes the model.
    pub limits: Limits,
    /// The network's own variable scope: slim's `scope` argument.
    pub scope: String,
}

impl Options {
    /// slim's defaults.
    pub fn defaults(specs: &Arc<[OptionSpec]>, scope: &str) -> Self {
        let values = specs.iter().map(|spec| (spec.name.clone(), spec.default)).collect();
        let specs = Arc::clone(specs);
        let (set_by_user, limits) = (vec![], Limits::default());
        Self { specs, values, set_by_user, config: None, limits, scope: scope.to_owned() }
    }

    /// Sets the options that the user gives.
    ///
    /// # Errors
    /// As for [`Options::set_from_text`].
    pub fn set_given(&mut self, given: &[NetworkOption]) -> Result<()> {
        given.iter().try_for_each(|option| self.set_from_text(&option.name, &option.value))
    }

    /// Sets an option to the value that the user gives as text.
    ///
    /// # Errors
    /// If the network does not have the option, or the text is not a value of its type.
    pub fn set_from_text(&mut self, name: &str, text: &str) -> Result<()> {
        let subject = Setting::NetworkOption.to(format!("{name}={text}"));
        let Some(spec) = self.specs.iter().find(|spec| spec.name == name) else {
            let error = Error::new(subject, "the network has no such option");
            let known = self.specs.iter().map(|spec| &*spec.name);
            return Err(suggesting_and_listing(error, name, "its options", known));
        };
        let value = match spec.default {
            // slim's hyperparameters write true as 1.
            Value::Flag(_) => match text {
                "0" | "1" => Some(Value::Flag(text == "1")),
                _ => text.to_lowercase().parse().ok().map(Value::Flag),
            },
            // In Python, None means slim's default, which is 0 here.
            Value::Count(_) if text == "None" => Some(Value::Count(0)),
            Value::Count(_) => text.parse().ok().map(Value::Count),
            Value::Number(_) => text.parse().ok().filter(|n| *n > 0.0 && *n < 1e6).map(Value::Number),
            Value::Counts(_) => Counts::parse(text).map(Value::Counts),
            Value::Choice(_, choices) => {
                choices.iter().find(|choice| **choice == text).map(|choice| Value::Choice(choice, choices))
            }
        };
        let expected = match spec.default {
            Value::Flag(_) => "true or false".to_owned(),
            Value::Count(_) => "a whole number, 0 or more".to_owned(),
            Value::Number(_) => "a positive number".to_owned(),
            Value::Counts(_) => "a list of at most 8 whole numbers, such as 6,12,18".to_owned(),
            Value::Choice(_, choices) => format!("one of {}", choices.join(", ")),
        };
        let value = value.ok_or_else(|| Error::new(subject, format!("the value is not {expected}")))?;
        let name = spec.name.clone();
        self.set(&name, value);
        self.set_by_user.push(name);
        Ok(())
    }

    /// Sets the options that the file sets which describes the model.
    pub fn set_config(&mut self, config: Arc<ModelConfig>) {
        for spec in &*Arc::clone(&self.specs) {
            if let OptionSource::Config(read) = spec.source
                && self.is_unset(&spec.name)
                && let Some(value) = read(&config)
            {
                self.set(&spec.name, value);
            }
        }
        self.config = Some(config);
    }

    /// The file that describes the model, if there is one.
    pub fn config(&self) -> Option<&ModelConfig> {
        self.config.as_deref()
    }

    /// Sets an option, if the network has it.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(spec) = self.specs.iter().find(|spec| spec.name == name) {
            self.values.insert(spec.name.clone(), value);
        }
    }

    /// These options, with slim's defaults for those that no variable shows.
    #[must_use]
    pub fn for_recognition(&self) -> Self {
        let mut options = self.clone();
        for spec in self.specs.iter().filter(|spec| !spec.is_in_variables() && !spec.is_in_config()) {
            options.values.insert(spec.name.clone(), spec.default);
        }
        options
    }

    /// Whether a network is the same with both options.
    pub fn build_same_network(&self, other: &Self) -> bool {
        self.values == other.values && self.scope == other.scope
    }

    /// Whether the network has the option and the user did not set it.
    pub fn is_unset(&self, name: &str) -> bool {
        self.values.contains_key(name) && !self.set_by_user.iter().any(|set| set == name)
    }

    /// The option for the auxiliary classifier, if the network has one.
    pub fn aux_option(&self) -> Option<Cow<'static, str>> {
        [CREATE_AUX_LOGITS.name, USE_AUX_HEAD.name].into_iter().find(|name| self.values.contains_key(name))
    }

    /// All options with their values.
    pub fn values(&self) -> impl Iterator<Item = (&str, Value)> {
        self.values.iter().map(|(name, &value)| (&**name, value))
    }

    /// The value of an option, if the network has it.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.values.get(name).copied()
    }

    /// The value of a flag; false if the network has no such option.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Flag(true)))
    }

    /// The value of a count; 0 if the network has no such option.
    pub fn count(&self, name: &str) -> usize {
        match self.values.get(name) {
            Some(Value::Count(count)) => *count,
            _ => 0,
        }
    }

    /// The value of a list of counts; empty if the network has no such option.
    pub fn counts(&self, name: &str) -> Vec<usize> {
        match self.values.get(name) {
            Some(Value::Counts(counts)) => counts.as_slice().to_vec(),
            _ => vec![],
        }
    }

    /// The value of a choice; empty if the network has no such option.
    pub fn choice(&self, name: &str) -> &'static str {
        match self.values.get(name) {
            Some(Value::Choice(choice, _)) => choice,
            _ => "",
        }
    }

    /// The shape of the network's input: that of images, videos or spectrograms.
    pub fn input_shape(&self, image: &ImageShape) -> Shape {
        let (frames, bands) = (self.count(&NUM_FRAMES.name), self.count(&NUM_BANDS.name));
        if bands > 0 {
            return Shape::new(vec![image.batch, Some(frames), Some(bands)]);
        }
        let length = |length: usize| Some(length).filter(|&length| length > 0);
        let mut dims = vec![image.batch, length(image.height), length(image.width), Some(image.channels)];
        let frames = self.count(&FRAMES.name);
        if frames > 0 {
            dims.insert(1, Some(frames));
        }
        Shape::new(dims)
    }

    /// The value of a number; 1 if the network has no such option.
    pub fn number(&self, name: &str) -> f64 {
        match self.values.get(name) {
            Some(Value::Number(number)) => *number,
            _ => 1.0,
        }
    }

    /// The number of classes; 0 if the network ends at its features.
    pub fn num_classes(&self) -> usize {
        self.count(&NUM_CLASSES.name)
    }

    /// The number of channels that a convolution of `depth` channels has under the depth multiplier:
    /// `max(int(depth * depth_multiplier), min_depth)`, or `make_divisible` of it in networks with the option
    /// `divisible_by`.
    pub fn depth(&self, depth: usize) -> usize {
        self.depth_under(depth, self.number(&DEPTH_MULTIPLIER.name), self.count(&MIN_DEPTH.name))
    }

    /// See [`Options::depth`].
    pub fn depth_under(&self, depth: usize, multiplier: f64, min_depth: usize) -> usize {
        match self.count(&DIVISIBLE_BY.name) {
            0 => scaled_depth(depth, multiplier, min_depth),
            divisor => make_divisible(depth as f64 * multiplier, divisor, min_depth),
        }
    }
}

/// `max(int(depth * multiplier), min_depth)`
pub fn scaled_depth(depth: usize, multiplier: f64, min_depth: usize) -> usize {
    ((depth as f64 * multiplier) as usize).max(min_depth)
}

/// The multiple of `divisor` that is nearest to `value`, not less than `least` nor than nine tenths of `value`:
/// `_make_divisible` in `research/slim/nets/mobilenet/mobilenet.py`.
pub fn make_divisible(value: f64, divisor: usize, least: usize) -> usize {
    let nearest = (value + divisor as f64 / 2.0) as usize / divisor * divisor;
    let rounded = nearest.max(least);
    if (rounded as f64) < 0.9 * value { rounded + divisor } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[OptionSpec] = &[NUM_CLASSES, SPATIAL_SQUEEZE];

    #[test]
    fn the_error_of_an_unknown_option_lists_the_known_ones() {
        let error = Options::defaults(&SPECS.into(), "Net").set_from_text("classes", "3").unwrap_err();
        assert!(error.to_string().contains("num_classes, spatial_squeeze"), "{error}");
    }

    #[test]
    fn channels_are_rounded_to_multiples_but_not_down_by_more_than_a_tenth() {
        assert_eq!(make_divisible(32.0 * 1.4, 8, 8), 48);
        assert_eq!(make_divisible(16.0 * 0.35, 8, 8), 8);
        assert_eq!(make_divisible(11.0, 8, 8), 16);
        assert_eq!(make_divisible(19.0, 1, 1), 19);
    }

    #[test]
    fn booleans_may_be_spelled_as_in_python() {
        let mut options = Options::defaults(&SPECS.into(), "Net");
        options.set_from_text("spatial_squeeze", "False").unwrap();
        assert!(!options.flag("spatial_squeeze"));
        assert!(!options.is_unset("spatial_squeeze"));
        assert!(options.set_from_text("num_classes", "many").is_err());
    }
}
