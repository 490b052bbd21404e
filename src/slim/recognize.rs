//! Recognizes the network of a checkpoint, and its options, by the names and shapes of the variables.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::depth::{read_depth, reads_depth};
use super::option_value::Value;
use super::options::{DEPTH_MULTIPLIER, NUM_CLASSES, OptionSource, Options};
use super::recognition::Recognition;
use super::scope_candidates::{
    FIRST_VARIABLES, ScopeCandidate, Scopes, renamed_scope_candidates, scope_candidates,
};
use super::{
    BuiltNetwork, ImageShape, Network, NetworkBuilder, NetworkOption, Variables, build, build_in, build_with,
    holds_prefix, networks,
};
use crate::error::{Error, Result};
use crate::graph::Limits;
use crate::model_config::ModelConfig;
use crate::setting::{Command, Setting};

/// The share of a network's variables that a checkpoint has to hold to be recognized as this network. Errors name the
/// missing variables later.
const RECOGNIZED: f64 = 0.9;

/// How networks are searched for, the cheapest and most common way first. Most checkpoints hold all variables of
/// their network, and such a candidate wins over any other (see [`Recognition::compare`]): the first round gives up
/// a candidate at the first variable that does not fit. Renamed scopes are rare, and the search for them builds
/// every network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// The checkpoint has all of its variables, in their shapes.
    Complete,
    /// Some may be missing, or have other shapes.
    Partial,
    /// In a scope of another name.
    Renamed,
}

/// What the user sets instead of leaving it to recognition.
#[derive(Debug, Clone, Default)]
pub struct Overrides<'a> {
    /// The network.
    pub network: Option<Arc<Network>>,
    /// Some of its options.
    pub options: &'a [NetworkOption],
    /// The file that describes the model.
    pub config: Option<Arc<ModelConfig>>,
    /// How much is made of the variables and of that file.
    pub limits: Limits,
}

/// A recognized network, with the graph that was built to recognize it.
#[derive(Debug)]
pub struct Recognized {
    /// Which network it is, in which scope, and with which options.
    pub recognition: Recognition,
    /// The options and the images that `built` was built for.
    built_for: (Options, ImageShape),
    built: BuiltNetwork,
}

impl Recognized {
    /// Builds the network with the current options of the recognition, for these images. If the graph of the recognition has
    /// the same options and images, returns that graph.
    ///
    /// # Errors
    /// As for [`build`].
    pub fn build(self, image: &ImageShape, variables: &Variables) -> Result<(Recognition, BuiltNetwork)> {
        let Self { recognition, built_for: (options, built_image), built } = self;
        recognition.network.definition.check(&recognition.options, variables)?;
        let has_same_limits = options.limits == recognition.options.limits;
        if options.build_same_network(&recognition.options) && has_same_limits && built_image == *image {
            return Ok((recognition, built));
        }
        let Recognition { network, prefix, options, .. } = &recognition;
        let built = build(network, prefix, options, image, variables)?;
        Ok((recognition, built))
    }
}

/// Finds the network that the variables belong to, its scope and its options.
///
/// # Errors
/// If no network has these variables: the message names the nearest networks and the variables that are missing.
/// If several networks fit equally well. If the network does not have one of the options that the user sets.
pub fn recognize(variables: &Variables, overrides: Overrides<'_>) -> Result<Recognition> {
    recognize_and_build(variables, overrides).map(|recognized| recognized.recognition)
}

/// As [`recognize`], with the graph that was built on the way.
///
/// # Errors
/// As for [`recognize`].
pub fn recognize_and_build(variables: &Variables, overrides: Overrides<'_>) -> Result<Recognized> {
    // A frozen graph may have none, and building all networks takes longer than reading it.
    if variables.is_empty() && overrides.network.is_none() {
        return Err(not_recognized(variables, &overrides, &[]));
    }
    let possible: Vec<&Arc<Network>> = match &overrides.network {
        Some(network) => vec![network],
        // Variants differ from their network in options alone.
        None => networks().filter(|network| !network.is_variant()).collect(),
    };
    let scopes = Scopes::of(variables);
    let possible = described(possible, overrides.config.as_deref(), variables, &scopes);
    // The user's network is tried however few of its variables the checkpoint has: the conversion names the missing ones.
    let required = if overrides.network.is_some() { f64::MIN_POSITIVE } else { RECOGNIZED };
    let mut candidates: Vec<Recognized> = vec![];
    let mut failures: Vec<Error> = vec![];
    let overrides = &overrides;
    for round in [Round::Complete, Round::Partial, Round::Renamed] {
        let outcomes = possible.par_iter().flat_map_iter(|&network| {
            let scopes = match round {
                Round::Renamed => renamed_scope_candidates(network, variables),
                Round::Complete | Round::Partial => scope_candidates(network, variables, &scopes),
            };
            scopes.into_iter().map(move |scope| try_scope(network, scope, variables, overrides, round))
        });
        for outcome in outcomes.collect::<Vec<_>>() {
            match outcome {
                Ok(candidate) if round == Round::Complete && !candidate.recognition.is_complete() => {}
                Ok(candidate) => candidates.push(candidate),
                Err(_) if round == Round::Complete => {}
                Err(error) => failures.push(error),
            }
        }
        candidates.sort_by(|a, b| a.recognition.compare(&b.recognition, required));
        if candidates.first().is_some_and(|best| best.recognition.certainty() >= RECOGNIZED) {
            break;
        }
    }
    match &candidates[..] {
        [best, others @ ..] if best.recognition.certainty() >= required => {
            let best = &best.recognition;
            let others = others.iter().map(|other| &other.recognition);
            let equal = others.filter(|other| best.compare(other, required).is_eq());
            let names: BTreeSet<&str> =
                equal.chain([best]).map(|candidate| &*candidate.network.name).collect();
            if names.len() > 1 {
                return Err(ambiguous(names));
            }
            best.options.clone().set_given(overrides.options)?;
            let mut best = candidates.swap_remove(0);
            // Freeing the other graphs takes about as long as building them: another thread does it.
            rayon::spawn(move || drop(candidates));
            if overrides.network.is_none() {
                best.recognition = best.recognition.into_variant();
            }
            Ok(best)
        }
        // If the only possible network cannot be built, the reason for that helps the user most.
        [] if !failures.is_empty() => Err(failures.swap_remove(0)),
        _ => Err(not_recognized(variables, overrides, &candidates)),
    }
}

/// The networks that the file beside the checkpoint describes and whose scopes the checkpoint has; all networks, if there are none.
fn described<'a>(
    networks: Vec<&'a Arc<Network>>,
    config: Option<&ModelConfig>,
    variables: &Variables,
    scopes: &Scopes<'_>,
) -> Vec<&'a Arc<Network>> {
    let Some(config) = config else { return networks };
    let is_described = |network: &&&Arc<Network>| {
        network.is_described_by(config) && !scope_candidates(network, variables, scopes).is_empty()
    };
    let described: Vec<&Arc<Network>> = networks.iter().filter(is_described).copied().collect();
    if described.is_empty() { networks } else { described }
}

fn ambiguous(names: BTreeSet<&str>) -> Error {
    let names: Vec<&str> = names.into_iter().collect();
    Error::new("network", format!("the variables fit {} equally well", names.join(" and ")))
        .advice(format!("name the network with {}", Setting::Network))
}

fn not_recognized(variables: &Variables, overrides: &Overrides<'_>, candidates: &[Recognized]) -> Error {
    let count = variables.len();
    if let Some(network) = &overrides.network {
        let problem = format!("none of the checkpoint's {count} variables belongs to this network");
        return Error::new(Setting::Network.to(&network.name), problem).advice(format!(
            "leave {} out to have the network recognized, or `{}` the checkpoint",
            Setting::Network,
            Command::Inspect
        ));
    }
    let nearest: Vec<String> = candidates
        .iter()
        .map(|candidate| &candidate.recognition)
        .filter(|candidate| candidate.found > 0)
        .take(3)
        .map(|candidate| {
            let missing = candidate.expected - candidate.found;
            let example = first_missing(candidate, variables)
                .map_or(String::new(), |name| format!(", the first of them {name}"));
            let (name, expected) = (&candidate.network.name, candidate.expected);
            format!("of {name}, {missing} of {expected} variables are missing{example}")
        })
        .collect();
    let problem = if nearest.is_empty() {
        format!("the checkpoint's {count} variables belong to no network of the library")
    } else {
        format!("the checkpoint's {count} variables match no network of the library; {}", nearest.join("; "))
    };
    Error::new("network", problem).advice(format!(
        "if you have the graph, give it with {}; `{}` lists the known networks, and you can describe any other in a \
         file for {} (docs/custom-networks.md)",
        Setting::Graph,
        Command::Networks.run(),
        Setting::Network
    ))
}

fn first_missing(candidate: &Recognition, variables: &Variables) -> Option<String> {
    let Recognition { network, prefix, options, channels, .. } = candidate;
    let built = default_network(network, prefix, options, *channels, variables).ok()?;
    built.variables().map(|(name, _)| name).find(|name| !variables.contains_key(*name)).map(str::to_owned)
}

/// Assumes that the network is in this scope: reads its options from the variables, builds it, and counts the variables
/// that the checkpoint holds.
///
/// Ignores options that the network does not have: whether they are wrong depends on which network is recognized.
fn try_scope(
    network: &Arc<Network>,
    candidate: ScopeCandidate,
    variables: &Variables,
    given: &Overrides<'_>,
    round: Round,
) -> Result<Recognized> {
    let root = candidate.root();
    let ScopeCandidate { prefix, scope } = candidate;
    let mut options = Options::defaults(&network.options, &scope);
    // A network that exceeds lower limits is recognized, too, so that the limit is named.
    options.limits = given.limits.at_least(Limits::default());
    for option in given.options {
        // Errors are reported for the recognized network alone.
        let _ = options.set_given(std::slice::from_ref(option));
    }
    if let Some(config) = &given.config {
        options.set_config(Arc::clone(config));
    }
    read_classes(network, &root, variables, &mut options);
    for spec in &*network.options {
        if let OptionSource::ReadBy(read) = spec.source
            && options.is_unset(&spec.name)
            && let Some(value) = read(variables, &root)
        {
            options.set(&spec.name, value);
        }
    }
    if options.is_unset("use_separable_conv") {
        let separable = !variables.contains_key(&format!("{root}Conv2d_1a_7x7/weights"));
        options.set("use_separable_conv", Value::Flag(separable));
    }
    let reads_depth = reads_depth(&options, network);
    if reads_depth {
        options.set(&DEPTH_MULTIPLIER.name, Value::Number(1.0));
    }
    // The depth multiplier is read from the network built with a multiplier of 1, whose shapes need not fit.
    let new_builder =
        if round == Round::Complete && !reads_depth { NetworkBuilder::strict } else { NetworkBuilder::new };
    let build_for_recognition = |options: &Options, channels: usize| {
        let (options, image) = recognition_settings(network, options, channels);
        build_with(new_builder(network.definition.arg_scope(), variables), network, &prefix, &options, &image)
    };
    let mut built = build_for_recognition(&options, 3)?;
    let channels = read_channels(&built, variables).unwrap_or(3);
    let fits = |(name, shape): (&str, Vec<usize>)| variables.get(name).is_none_or(|stored| *stored == shape);
    if !built.variables().all(fits) {
        if reads_depth {
            read_depth(network, &prefix, &mut options, &built, variables)?;
        }
        if reads_depth || channels != 3 {
            built = build_for_recognition(&options, channels)?;
        }
    }
    let (mut found, mut fitting, mut expected) = (0, 0, 0);
    for (name, shape) in built.variables() {
        expected += 1;
        if let Some(stored) = variables.get(name) {
            // A filter of another rank belongs to another kind of network, even under the same name.
            found += usize::from(stored.len() == shape.len());
            fitting += usize::from(*stored == shape);
        }
    }
    let built_for = recognition_settings(network, &options, channels);
    options.limits = given.limits;
    let network = Arc::clone(network);
    let recognition = Recognition { network, prefix, options, channels, found, expected, fitting };
    Ok(Recognized { recognition, built_for, built })
}

/// The options and images that a network is built with to recognize it. Options that no variable shows have slim's
/// defaults. The auxiliary classifier is left out: it depends on the size of the training images, and is not part of the
/// model.
fn recognition_settings(network: &Network, options: &Options, channels: usize) -> (Options, ImageShape) {
    let mut options = options.for_recognition();
    if let Some(aux) = options.aux_option() {
        options.set(&aux, Value::Flag(false));
    }
    (options, network.default_images(channels))
}

/// Builds the network with the settings for recognition.
pub(super) fn default_network(
    network: &Network,
    prefix: &str,
    options: &Options,
    channels: usize,
    variables: &Variables,
) -> Result<BuiltNetwork> {
    let (options, image) = recognition_settings(network, options, channels);
    build(network, prefix, &options, &image, variables)
}

/// The names of the network's first variables, without building the rest of it.
pub(super) fn first_variables(network: &Network, options: &Options) -> Vec<String> {
    let (options, image) = recognition_settings(network, options, 3);
    let none = Variables::new();
    let slim = NetworkBuilder::new(network.definition.arg_scope(), &none);
    slim.first_variables(FIRST_VARIABLES, |slim| {
        build_in(slim, network, "", &options, &image);
    })
}

/// Reads the number of classes, and whether there is an auxiliary classifier.
fn read_classes(network: &Network, root: &str, variables: &Variables, options: &mut Options) {
    if options.is_unset(&NUM_CLASSES.name) {
        let logits = variables.get(&format!("{root}{}", network.logits));
        let classes = logits.and_then(|shape| shape.last()).copied().unwrap_or(0);
        options.set(&NUM_CLASSES.name, Value::Count(classes));
    }
    if let (Some(aux), Some(option)) = (&network.aux_logits, options.aux_option())
        && options.is_unset(&option)
    {
        let exists = holds_prefix(variables, &format!("{root}{aux}/"));
        options.set(&option, Value::Flag(exists));
    }
}

/// Reads the number of the images' channels from the first filter. `built` is the network for images of three channels: its
/// filter has more where blocks of pixels become channels before it.
fn read_channels(built: &BuiltNetwork, variables: &Variables) -> Option<usize> {
    let (name, expected) = built.variables().find(|(_, shape)| shape.len() >= 4)?;
    let stored = variables.get(name)?;
    let channels = |shape: &[usize]| shape.len().checked_sub(2).map(|axis| shape[axis]);
    let (expected, stored) = (channels(&expected)?, channels(stored)?);
    let blocks = if expected.is_multiple_of(3) { (expected / 3).max(1) } else { 1 };
    let channels = if stored.is_multiple_of(blocks) { stored / blocks } else { stored };
    Some(channels).filter(|&channels| channels > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slim::find_network;

    fn variables_of(network: &Network, options: &Options) -> Variables {
        let built = default_network(network, "", options, 3, &Variables::new()).unwrap();
        built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect()
    }

    #[test]
    fn any_depth_multiplier_and_least_depth_is_read_from_the_shapes() {
        for name in ["inception_v2", "inception_v3"] {
            let network = find_network(name).unwrap();
            for multiplier in ["0.1", "0.25", "0.33", "0.5", "0.707", "0.75", "1", "1.25", "1.4", "2"] {
                for least in ["1", "4", "16", "24"] {
                    let mut options = Options::defaults(&network.options, &network.scope);
                    options.set_from_text("depth_multiplier", multiplier).unwrap();
                    options.set_from_text("min_depth", least).unwrap();
                    options.set_from_text("num_classes", "7").unwrap();
                    // Too shallow for a depthwise convolution.
                    if name == "inception_v2" && options.depth(64) < 3 {
                        continue;
                    }
                    let variables = variables_of(network, &options);
                    let read = recognize(&variables, Overrides::default()).unwrap();
                    assert_eq!(
                        variables_of(network, &read.options),
                        variables,
                        "{name} {multiplier} {least}"
                    );
                }
            }
        }
    }

    #[test]
    fn images_may_have_any_number_of_channels() {
        let network = find_network("inception_v3").unwrap();
        let options = Options::defaults(&network.options, &network.scope);
        let built = default_network(network, "", &options, 1, &Variables::new()).unwrap();
        let variables = built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect();
        assert_eq!(recognize(&variables, Overrides::default()).unwrap().channels, 1);
    }
}
