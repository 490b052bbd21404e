//! Which network a checkpoint holds, and the options that its variables tell.

use std::cmp::Ordering;

use super::nets::read_hparams;
use super::options::{
    DEPTH_MULTIPLIER, DIVISIBLE_BY, FINEGRAIN_CLASSIFICATION_MODE, MIN_DEPTH, NUM_CLASSES, OptionSource,
    Options, Value,
};
use super::{DrawnNetwork, ImageShape, Network, OptionSpec, Variables, draw, networks};
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
    /// How many of them have the shape that the network gives them under these options.
    pub fitting: usize,
}

impl Recognition {
    /// The share of the network's variables that the checkpoint holds, from 0 to 1.
    pub fn certainty(&self) -> f64 {
        self.share(self.found)
    }

    fn share(&self, count: usize) -> f64 {
        if self.expected == 0 { 0.0 } else { count as f64 / self.expected as f64 }
    }

    /// Which of two explains the variables better comes first: whose variables have the right shapes, whose
    /// exist, who explains more of them; then whose options are those that its name stands for.
    fn compare(&self, other: &Self) -> Ordering {
        let shares = |fits: fn(&Self) -> usize| other.share(fits(other)).total_cmp(&self.share(fits(self)));
        shares(|candidate| candidate.fitting)
            .then_with(|| shares(|candidate| candidate.found))
            .then_with(|| other.expected.cmp(&self.expected))
            .then_with(|| unlike_defaults(self.network, self).cmp(&unlike_defaults(other.network, other)))
    }

    /// Whether nothing speaks for one of two networks.
    fn is_as_good_as(&self, other: &Self) -> bool {
        self.network.name != other.network.name && self.compare(other).is_eq()
    }

    /// The name that slim has for the network with these options, where it has one.
    fn under_its_variants_name(self) -> Self {
        let variant = self.network.variants().find(|variant| unlike_defaults(variant, &self) == 0);
        Self { network: variant.unwrap_or(self.network), ..self }
    }
}

/// How many of the options that variables tell are not what the name of a network stands for.
fn unlike_defaults(network: &Network, recognition: &Recognition) -> usize {
    let told = |spec: &&OptionSpec| spec.source == OptionSource::Variables && spec.name != NUM_CLASSES.name;
    let values = &recognition.options;
    network.options.iter().filter(told).filter(|spec| values.value(spec.name) != Some(spec.default)).count()
}

/// The share of a network's variables from which on it counts as recognized. A checkpoint that lacks a few is
/// still that network, and what it lacks will be named one by one.
const RECOGNIZED: f64 = 0.9;

/// What the user says about the network instead of leaving it to be recognized.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes<'a> {
    /// `--network`
    pub network: Option<&'static Network>,
    /// `--network-option`, each as typed: `KEY=VALUE`.
    pub options: &'a [String],
}

/// Finds out which network the variables belong to, where it is, and its options.
///
/// # Errors
/// Where no network has these variables; the message names the nearest ones and what they miss. Where several
/// have them alike. Also where an option is not one of the network's.
pub fn recognize(variables: &Variables, wishes: Wishes<'_>) -> Result<Recognition> {
    let possible: Vec<&Network> = match wishes.network {
        Some(network) => vec![network],
        // Variants are drawn alike: it is the options that tell them apart.
        None => networks().filter(|network| !network.is_variant()).collect(),
    };
    let mut candidates: Vec<Recognition> = vec![];
    let mut refusal = None;
    for &network in &possible {
        for place in places_by_scope(network, variables) {
            match measured(network, place, variables, wishes.options) {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
    }
    // A network that the user names is tried however little of it is there: what is missing will be named.
    let enough = if wishes.network.is_some() { f64::MIN_POSITIVE } else { RECOGNIZED };
    if !candidates.iter().any(|candidate| candidate.certainty() >= enough) {
        for &network in &possible {
            for place in places_by_first_variable(network, variables) {
                match measured(network, place, variables, wishes.options) {
                    Ok(candidate) => candidates.push(candidate),
                    Err(error) if wishes.network.is_some() => refusal = refusal.or(Some(error)),
                    Err(_) => {}
                }
            }
        }
    }
    candidates.sort_by(Recognition::compare);
    match &candidates[..] {
        [best, next, ..] if best.certainty() >= enough && best.is_as_good_as(next) => {
            Err(ambiguous(&candidates))
        }
        [best, ..] if best.certainty() >= enough => {
            let best = candidates.swap_remove(0);
            Ok(if wishes.network.is_some() { best } else { best.under_its_variants_name() })
        }
        _ => Err(refusal.unwrap_or_else(|| not_recognized(variables, wishes, &candidates))),
    }
}

fn ambiguous(candidates: &[Recognition]) -> Error {
    let best = &candidates[0];
    let alike = candidates.iter().take_while(|candidate| best.compare(candidate).is_eq());
    let names: Vec<&str> = alike.map(|candidate| candidate.network.name).collect();
    Error::new("network", format!("the variables fit {} alike", names.join(" and ")))
        .advice("name the network with --network")
}

fn not_recognized(variables: &Variables, wishes: Wishes<'_>, candidates: &[Recognition]) -> Error {
    let count = variables.len();
    if let Some(network) = wishes.network {
        let problem = format!("none of the {count} variables is one of {}'s", network.name);
        return Error::new(format!("--network {}", network.name), problem)
            .advice("leave --network out to have the network recognized, or `inspect` the checkpoint");
    }
    let nearest: Vec<String> = candidates
        .iter()
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
        .advice("name the network with --network, or list the known ones with `tf2onnx-rs networks`")
}

fn first_missing(candidate: &Recognition, variables: &Variables) -> Option<String> {
    let Recognition { network, prefix, options, channels, .. } = candidate;
    let drawn = default_drawing(network, prefix, options, *channels, variables).ok()?;
    drawn.variables().map(|(name, _)| name).find(|name| !variables.contains_key(*name)).map(str::to_owned)
}

/// Where a network could be: what stands before its scope, and the name of the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    prefix: String,
    scope: String,
}

impl Place {
    /// What the names of the network's variables begin with here.
    fn root(&self) -> String {
        let separator = if self.scope.is_empty() { "" } else { "/" };
        format!("{}{}{separator}", self.prefix, self.scope)
    }
}

/// The places where a scope of the network's default name occurs.
fn places_by_scope(network: &Network, variables: &Variables) -> Vec<Place> {
    let mut places = vec![];
    if network.scope.is_empty() {
        return places;
    }
    let scope = format!("{}/", network.scope);
    for name in variables.keys() {
        let starts = name.match_indices(&scope).map(|(at, _)| at);
        for start in starts.filter(|&at| at == 0 || name.as_bytes()[at - 1] == b'/') {
            let place = Place { prefix: name[..start].to_owned(), scope: network.scope.to_owned() };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// The places of the variable that the network begins with: for networks without a scope, and for those that
/// were given one (`scope='MyNet'`), whose own names begin one level below.
fn places_by_first_variable(network: &Network, variables: &Variables) -> Vec<Place> {
    let options = Options::defaults(network.options, network.scope);
    let Ok(drawn) = default_drawing(network, "", &options, 3, &Variables::new()) else { return vec![] };
    let default = Place { prefix: String::new(), scope: network.scope.to_owned() };
    let Some(first) = drawn.variables().next().and_then(|(name, _)| name.strip_prefix(&default.root()))
    else {
        return vec![];
    };
    let mut places = vec![];
    for name in variables.keys() {
        let Some(root) = name.strip_suffix(first).filter(|root| root.is_empty() || root.ends_with('/'))
        else {
            continue;
        };
        if network.scope.is_empty() {
            places.push(Place { prefix: root.to_owned(), scope: String::new() });
        } else if let Some(path) = root.strip_suffix('/') {
            let at = path.rfind('/').map_or(0, |at| at + 1);
            places.push(Place { prefix: path[..at].to_owned(), scope: path[at..].to_owned() });
        }
    }
    places
}

/// The network at this place: options read off the variables, and how many of its variables there are.
fn measured(
    network: &'static Network,
    place: Place,
    variables: &Variables,
    wishes: &[String],
) -> Result<Recognition> {
    let root = place.root();
    let Place { prefix, scope } = place;
    let mut options = Options::defaults(network.options, &scope);
    for wish in wishes {
        let (key, value) = wish.split_once('=').ok_or_else(|| {
            Error::new(format!("--network-option {wish}"), "it is not of the form KEY=VALUE")
        })?;
        options.give(key, value)?;
    }
    read_classes(network, &root, variables, &mut options);
    if options.is_open("use_separable_conv") {
        let separable = !variables.contains_key(&format!("{root}Conv2d_1a_7x7/weights"));
        options.set("use_separable_conv", Value::Flag(separable));
    }
    read_hparams(&root, variables, &mut options);
    if options.is_open(DEPTH_MULTIPLIER.name) {
        options.set(DEPTH_MULTIPLIER.name, Value::Number(1.0));
    }
    let mut drawn = default_drawing(network, &prefix, &options, 3, variables)?;
    let channels = read_channels(&drawn, variables).unwrap_or(3);
    let fits = |(name, shape): (&str, Vec<usize>)| variables.get(name).is_none_or(|stored| *stored == shape);
    if !drawn.variables().all(fits) {
        read_depth(network, &prefix, &mut options, &drawn, variables)?;
        drawn = default_drawing(network, &prefix, &options, channels, variables)?;
    }
    // The auxiliary classifier depends on the size of the images of training, and is no part of the model.
    let aux = network.aux_logits.map(|aux| format!("{root}{aux}/"));
    let is_aux = |name: &str| aux.as_ref().is_some_and(|aux| name.starts_with(aux));
    let (mut found, mut expected, mut fitting) = (0, 0, 0);
    for (name, shape) in drawn.variables().filter(|(name, _)| !is_aux(name)) {
        let stored = variables.get(name);
        expected += 1;
        found += usize::from(stored.is_some());
        fitting += usize::from(stored == Some(&shape));
    }
    Ok(Recognition { network, prefix, options, channels, found, expected, fitting })
}

fn default_drawing(
    network: &Network,
    prefix: &str,
    options: &Options,
    channels: usize,
    variables: &Variables,
) -> Result<DrawnNetwork> {
    let size = network.image_size;
    draw(
        network,
        prefix,
        options,
        &ImageShape { batch: None, height: size, width: size, channels },
        variables,
    )
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

/// A number of channels that no convolution has. With it as the least depth, those show whose depth follows the
/// multiplier.
const TELLTALE_DEPTH: usize = 1 << 20;

/// The depth multiplier and the least depth that give every convolution the channels it has.
///
/// `full` is the network drawn with a multiplier of 1.
fn read_depth(
    network: &Network,
    prefix: &str,
    options: &mut Options,
    full: &DrawnNetwork,
    variables: &Variables,
) -> Result<()> {
    if !options.is_open(DEPTH_MULTIPLIER.name) {
        return Ok(());
    }
    let mut marked = options.clone();
    marked.set(MIN_DEPTH.name, Value::Count(TELLTALE_DEPTH));
    let marked = default_drawing(network, prefix, &marked, 3, variables)?;
    let pairs: Vec<(usize, usize)> = full
        .variables()
        .zip(marked.variables())
        .filter(|((name, _), (_, marked))| {
            let is_convolution = name.ends_with("weights") && !name.ends_with("depthwise_weights");
            is_convolution && marked.last() == Some(&TELLTALE_DEPTH)
        })
        .filter_map(|((name, full), _)| Some((*full.last()?, *variables.get(name)?.last()?)))
        .collect();
    let least = pairs.iter().map(|(_, actual)| *actual).min().unwrap_or(0);
    let default_least = options.count(MIN_DEPTH.name);
    let least_candidates =
        if options.is_open(MIN_DEPTH.name) { vec![default_least, least, 1] } else { vec![default_least] };
    // Fine-grained classification exempts the last convolution from the multiplier.
    let mut attempts = vec![(false, &pairs[..])];
    if let [rest @ .., (full, actual)] = &pairs[..]
        && full == actual
        && options.is_open(FINEGRAIN_CLASSIFICATION_MODE.name)
    {
        attempts.push((true, rest));
    }
    for (finegrain, pairs) in attempts {
        for multiplier in multipliers(pairs, options.count(DIVISIBLE_BY.name)) {
            let fits = |least: usize| {
                pairs.iter().all(|&(full, actual)| options.depth_under(full, multiplier, least) == actual)
            };
            if let Some(&least) = least_candidates.iter().find(|&&least| fits(least)) {
                options.set(DEPTH_MULTIPLIER.name, Value::Number(multiplier));
                options.set(MIN_DEPTH.name, Value::Count(least));
                if options.is_open(FINEGRAIN_CLASSIFICATION_MODE.name) {
                    options.set(FINEGRAIN_CLASSIFICATION_MODE.name, Value::Flag(finegrain));
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Multipliers to try, those that people choose first: 1, then few decimals before many, then what the widest
/// convolution says to the last digit. Its depth may have been rounded to a multiple of `divisor`.
fn multipliers(pairs: &[(usize, usize)], divisor: usize) -> Vec<f64> {
    let Some(&(full, actual)) = pairs.iter().max_by_key(|(full, _)| *full).filter(|(full, _)| *full > 0)
    else {
        return vec![];
    };
    let low = actual.saturating_sub(divisor) as f64 / full as f64;
    let high = (actual + divisor.max(1)) as f64 / full as f64;
    let mut multipliers = vec![1.0];
    for steps in [1.0, 2.0, 4.0, 10.0, 20.0, 100.0, 1000.0, 10_000.0] {
        let (first, last) = ((low * steps).floor() as usize, (high * steps).ceil() as usize);
        multipliers.extend((first..=last).map(|step| step as f64 / steps));
    }
    multipliers.push(actual as f64 / full as f64);
    multipliers.retain(|&multiplier| multiplier > 0.0);
    multipliers
}
