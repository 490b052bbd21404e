//! Which network a checkpoint holds, and the options that its variables tell.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rayon::prelude::*;

use super::depth::{read_depth, reads_depth};
use super::options::{DEPTH_MULTIPLIER, NUM_CLASSES, OptionSource, OptionSpec, Options, Value};
use super::places::{Place, Scopes, places, renamed_places};
use super::{Drawing, DrawnNetwork, ImageShape, Network, Variables, draw, draw_on, networks};
use crate::error::{Error, Result};

/// A network recognized by its variables.
#[derive(Debug, Clone)]
pub struct Recognition {
    /// The network.
    pub network: &'static Network,
    /// What stands before the network's own scope: empty, or ending in `/`.
    pub prefix: String,
    /// Its options, as far as the variables tell them.
    pub options: Options,
    /// How many channels the images have.
    pub channels: usize,
    /// How many of the network's variables the checkpoint holds, the auxiliary classifier left out.
    pub found: usize,
    /// How many variables the network has, the auxiliary classifier left out.
    pub expected: usize,
    /// How many of them have the shape that they have in the checkpoint.
    pub fitting: usize,
}

impl Recognition {
    /// Who says the epsilons of the network's batch norms.
    pub fn epsilon_source(&self) -> String {
        format!("{}'s arg_scope", self.network.name)
    }

    /// The share of the network's variables that the checkpoint holds, from 0 to 1.
    pub fn certainty(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.found as f64 / self.expected as f64 }
    }

    /// Whether all of the network's variables are there, in their shapes.
    fn is_whole(&self) -> bool {
        self.expected > 0 && self.fitting == self.expected
    }

    fn fitting_share(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.fitting as f64 / self.expected as f64 }
    }

    /// The candidate that explains the variables better comes first: whose variables are there at all, whose
    /// have the right shapes, who explains more of them; then whose options are those its name stands for.
    fn compare(&self, other: &Self, enough: f64) -> Ordering {
        let is_there = |candidate: &Self| candidate.certainty() >= enough;
        (is_there(other).cmp(&is_there(self)))
            .then(other.fitting_share().total_cmp(&self.fitting_share()))
            .then(other.certainty().total_cmp(&self.certainty()))
            .then(other.found.cmp(&self.found))
            .then_with(|| unlike_defaults(self.network, self).cmp(&unlike_defaults(other.network, other)))
    }

    /// The name that slim has for the network with these options, where it has one.
    fn under_its_variants_name(self) -> Self {
        let variant = self.network.variants().find(|variant| unlike_defaults(variant, &self) == 0);
        Self { network: variant.unwrap_or(self.network), ..self }
    }
}

/// How many of the options that variables tell are not what the name of a network stands for.
fn unlike_defaults(network: &Network, recognition: &Recognition) -> usize {
    let told = |spec: &&OptionSpec| spec.is_told() && spec.name != NUM_CLASSES.name;
    let values = &recognition.options;
    network.options.iter().filter(told).filter(|spec| values.value(spec.name) != Some(spec.default)).count()
}

/// The share of a network's variables from which on it counts as recognized. A checkpoint that lacks a few is
/// still that network, and what it lacks will be named one by one.
const RECOGNIZED: f64 = 0.9;

/// How a network is looked for. Most checkpoints hold one as it is: whatever else they might be is given up at the first
/// variable that does not fit, since what is there as a whole comes first (see [`Recognition::compare`]). Scopes are seldom
/// renamed, and to look for renamed ones every network has to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// All of its variables are there, in their shapes.
    Whole,
    /// Some may be missing, or have other shapes.
    Partial,
    /// In a scope of another name.
    Renamed,
}

/// What the user says about the network instead of leaving it to be recognized.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes<'a> {
    /// `--network`
    pub network: Option<&'static Network>,
    /// `--network-option`, each as typed: `KEY=VALUE`.
    pub options: &'a [String],
}

/// A network that was recognized, and what was drawn of it on the way.
#[derive(Debug)]
pub struct Recognized {
    /// Which network it is, where, and with which options.
    pub recognition: Recognition,
    /// The options and the images that it was drawn for.
    drawn_for: (Options, ImageShape),
    drawn: DrawnNetwork,
}

impl Recognized {
    /// The network with the options of the recognition, as they are by now, for these images. It is drawn anew only where
    /// they are not those that it was recognized with.
    ///
    /// # Errors
    /// As for [`draw`].
    pub fn draw(self, image: &ImageShape, variables: &Variables) -> Result<(Recognition, DrawnNetwork)> {
        let Self { recognition, drawn_for: (options, drawn_image), drawn } = self;
        if options.draw_like(&recognition.options) && drawn_image == *image {
            return Ok((recognition, drawn));
        }
        let Recognition { network, prefix, options, .. } = &recognition;
        let drawn = draw(network, prefix, options, image, variables)?;
        Ok((recognition, drawn))
    }
}

/// Finds out which network the variables belong to, where it is, and its options.
///
/// # Errors
/// Where no network has these variables; the message names the nearest ones and what they miss. Where several
/// networks have them alike. Also where an option is not one of the network's.
pub fn recognize(variables: &Variables, wishes: Wishes<'_>) -> Result<Recognition> {
    recognize_and_sketch(variables, wishes).map(|recognized| recognized.recognition)
}

/// The same, with what was drawn of the network.
///
/// # Errors
/// As for [`recognize`].
pub fn recognize_and_sketch(variables: &Variables, wishes: Wishes<'_>) -> Result<Recognized> {
    let possible: Vec<&Network> = match wishes.network {
        Some(network) => vec![network],
        // Variants are drawn alike: it is the options that tell them apart.
        None => networks().filter(|network| !network.is_variant()).collect(),
    };
    // A network that the user names is tried however little of it is there: what is missing will be named.
    let enough = if wishes.network.is_some() { f64::MIN_POSITIVE } else { RECOGNIZED };
    let mut candidates: Vec<Recognized> = vec![];
    let mut failures: Vec<Error> = vec![];
    let scopes = Scopes::of(variables);
    for round in [Round::Whole, Round::Partial, Round::Renamed] {
        let measured = possible.par_iter().flat_map_iter(|&network| {
            let places = match round {
                Round::Renamed => renamed_places(network, variables).into_iter(),
                Round::Whole | Round::Partial => places(network, variables, &scopes).into_iter(),
            };
            places.map(move |place| measured(network, place, variables, wishes.options, round))
        });
        for outcome in measured.collect::<Vec<_>>() {
            match outcome {
                Ok(candidate) if round == Round::Whole && !candidate.recognition.is_whole() => {}
                Ok(candidate) => candidates.push(candidate),
                Err(_) if round == Round::Whole => {}
                Err(error) => failures.push(error),
            }
        }
        candidates.sort_by(|a, b| a.recognition.compare(&b.recognition, enough));
        if candidates.first().is_some_and(|best| best.recognition.certainty() >= RECOGNIZED) {
            break;
        }
    }
    match &candidates[..] {
        [best, others @ ..] if best.recognition.certainty() >= enough => {
            let best = &best.recognition;
            let others = others.iter().map(|other| &other.recognition);
            let alike = others.filter(|other| best.compare(other, enough).is_eq());
            let names: BTreeSet<&str> = alike.chain([best]).map(|candidate| candidate.network.name).collect();
            if names.len() > 1 {
                return Err(ambiguous(names));
            }
            give(&mut best.options.clone(), wishes.options)?;
            let mut best = candidates.swap_remove(0);
            // To free what was drawn of the others takes a good part of what drawing it did: another core does that.
            rayon::spawn(move || drop(candidates));
            if wishes.network.is_none() {
                best.recognition = best.recognition.under_its_variants_name();
            }
            Ok(best)
        }
        // Where the only network that it could be cannot be drawn, the reason is what helps.
        [] if !failures.is_empty() => Err(failures.swap_remove(0)),
        _ => Err(not_recognized(variables, wishes, &candidates)),
    }
}

fn ambiguous(names: BTreeSet<&str>) -> Error {
    let names: Vec<&str> = names.into_iter().collect();
    Error::new("network", format!("the variables fit {} alike", names.join(" and ")))
        .advice("name the network with --network")
}

fn not_recognized(variables: &Variables, wishes: Wishes<'_>, candidates: &[Recognized]) -> Error {
    let count = variables.len();
    if let Some(network) = wishes.network {
        let problem = format!("none of the {count} variables is one of {}'s", network.name);
        return Error::new(format!("--network {}", network.name), problem)
            .advice("leave --network out to have the network recognized, or `inspect` the checkpoint");
    }
    let nearest: Vec<String> = candidates
        .iter()
        .map(|candidate| &candidate.recognition)
        .filter(|candidate| candidate.found > 0)
        .take(3)
        .map(|candidate| {
            let missing = candidate.expected - candidate.found;
            let example = first_missing(candidate, variables)
                .map_or(String::new(), |name| format!(", the first being {name}"));
            let (name, expected) = (candidate.network.name, candidate.expected);
            format!("{name} misses {missing} of its {expected} variables{example}")
        })
        .collect();
    let problem = if nearest.is_empty() {
        format!("its {count} variables belong to no network of the library")
    } else {
        format!("its {count} variables make no network of the library; {}", nearest.join("; "))
    };
    Error::new("network", problem)
        .advice(
            "if you have its graph, give it with --graph; `tf2onnx-rs networks` lists the networks that are known, and any \
             other can be described in a file for --network (docs/custom-networks.md)",
        )
}

fn first_missing(candidate: &Recognition, variables: &Variables) -> Option<String> {
    let Recognition { network, prefix, options, channels, .. } = candidate;
    let drawn = default_drawing(network, prefix, options, *channels, variables).ok()?;
    drawn.variables().map(|(name, _)| name).find(|name| !variables.contains_key(*name)).map(str::to_owned)
}

/// Sets the options that the user gives.
fn give(options: &mut Options, wishes: &[String]) -> Result<()> {
    for wish in wishes {
        let (key, value) = wish.split_once('=').ok_or_else(|| {
            Error::new(format!("--network-option {wish}"), "it is not of the form KEY=VALUE")
        })?;
        options.give(key, value)?;
    }
    Ok(())
}

/// The network at this place: options read off the variables, and how many of its variables there are.
///
/// Options that the network does not take are left aside: whether they are wrong depends on which network it is.
fn measured(
    network: &'static Network,
    place: Place,
    variables: &Variables,
    wishes: &[String],
    round: Round,
) -> Result<Recognized> {
    let root = place.root();
    let Place { prefix, scope } = place;
    let mut options = Options::defaults(network.options, &scope);
    for wish in wishes {
        // Complaints are for the network that is chosen.
        let _ = give(&mut options, std::slice::from_ref(wish));
    }
    read_classes(network, &root, variables, &mut options);
    for spec in network.options {
        if let OptionSource::ReadBy(read) = spec.source
            && options.is_open(spec.name)
            && let Some(value) = read(variables, &root)
        {
            options.set(spec.name, value);
        }
    }
    if options.is_open("use_separable_conv") {
        let separable = !variables.contains_key(&format!("{root}Conv2d_1a_7x7/weights"));
        options.set("use_separable_conv", Value::Flag(separable));
    }
    let reads_depth = reads_depth(&options, network);
    if reads_depth {
        options.set(DEPTH_MULTIPLIER.name, Value::Number(1.0));
    }
    // A depth is read off a drawing without one, which fits nothing.
    let begin = if round == Round::Whole && !reads_depth { Drawing::of_whole } else { Drawing::new };
    let drawn_with = |options: &Options, channels: usize| {
        let (options, image) = default_of(network, options, channels);
        draw_on(begin((network.arg_scope)(), variables), network, &prefix, &options, &image)
    };
    let mut drawn = drawn_with(&options, 3)?;
    let channels = read_channels(&drawn, variables).unwrap_or(3);
    let fits = |(name, shape): (&str, Vec<usize>)| variables.get(name).is_none_or(|stored| *stored == shape);
    if !drawn.variables().all(fits) {
        if reads_depth {
            read_depth(network, &prefix, &mut options, &drawn, variables)?;
        }
        if reads_depth || channels != 3 {
            drawn = drawn_with(&options, channels)?;
        }
    }
    let (mut found, mut fitting, mut expected) = (0, 0, 0);
    for (name, shape) in drawn.variables() {
        expected += 1;
        if let Some(stored) = variables.get(name) {
            // A filter of another rank belongs to another kind of network, under whatever name.
            found += usize::from(stored.len() == shape.len());
            fitting += usize::from(*stored == shape);
        }
    }
    let drawn_for = default_of(network, &options, channels);
    let recognition = Recognition { network, prefix, options, channels, found, expected, fitting };
    Ok(Recognized { recognition, drawn_for, drawn })
}

/// What a network is drawn for to be recognized: options that leave no trace in the variables have slim's defaults, and
/// the auxiliary classifier is left out, since it depends on the size of the images of training and is no part of the
/// model.
fn default_of(network: &Network, options: &Options, channels: usize) -> (Options, ImageShape) {
    let mut options = options.told_by_variables();
    if let Some(aux) = options.aux_option() {
        options.set(aux, Value::Flag(false));
    }
    (options, network.default_images(channels))
}

pub(super) fn default_drawing(
    network: &Network,
    prefix: &str,
    options: &Options,
    channels: usize,
    variables: &Variables,
) -> Result<DrawnNetwork> {
    let (options, image) = default_of(network, options, channels);
    draw(network, prefix, &options, &image, variables)
}

/// The number of classes, and whether there is an auxiliary classifier.
fn read_classes(network: &Network, root: &str, variables: &Variables, options: &mut Options) {
    if options.is_open(NUM_CLASSES.name) {
        let logits = variables.get(&format!("{root}{}", network.logits));
        let classes = logits.and_then(|shape| shape.last()).copied().unwrap_or(0);
        options.set(NUM_CLASSES.name, Value::Count(classes));
    }
    if let (Some(aux), Some(option)) = (network.aux_logits, options.aux_option())
        && options.is_open(option)
    {
        let scope = format!("{root}{aux}/");
        let exists =
            variables.range(scope.clone()..).next().is_some_and(|(name, _)| name.starts_with(&scope));
        options.set(option, Value::Flag(exists));
    }
}

/// The channels of the images: what the first filter takes.
fn read_channels(probe: &DrawnNetwork, variables: &Variables) -> Option<usize> {
    let (name, _) = probe.variables().find(|(_, shape)| shape.len() >= 4)?;
    let shape = variables.get(name)?;
    shape.len().checked_sub(2).map(|axis| shape[axis]).filter(|&channels| channels > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slim::find_network;

    fn variables_of(network: &Network, options: &Options) -> Variables {
        let drawn = default_drawing(network, "", options, 3, &Variables::new()).unwrap();
        drawn.variables().map(|(name, shape)| (name.to_owned(), shape)).collect()
    }

    #[test]
    fn any_depth_multiplier_and_least_depth_is_read_off_the_shapes() {
        for name in ["inception_v2", "inception_v3"] {
            let network = find_network(name).unwrap();
            for multiplier in ["0.1", "0.25", "0.33", "0.5", "0.707", "0.75", "1", "1.25", "1.4", "2"] {
                for least in ["1", "4", "16", "24"] {
                    let mut options = Options::defaults(network.options, network.scope);
                    options.give("depth_multiplier", multiplier).unwrap();
                    options.give("min_depth", least).unwrap();
                    options.give("num_classes", "7").unwrap();
                    // Too shallow for a depthwise convolution.
                    if name == "inception_v2" && options.depth(64) < 3 {
                        continue;
                    }
                    let variables = variables_of(network, &options);
                    let read = recognize(&variables, Wishes::default()).unwrap();
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
        let options = Options::defaults(network.options, network.scope);
        let drawn = default_drawing(network, "", &options, 1, &Variables::new()).unwrap();
        let variables = drawn.variables().map(|(name, shape)| (name.to_owned(), shape)).collect();
        assert_eq!(recognize(&variables, Wishes::default()).unwrap().channels, 1);
    }
}
