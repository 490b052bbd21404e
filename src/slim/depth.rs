//! Reads the depth multiplier of a network from the shapes of its convolutions.

use super::Value;
use super::options::{
    DEPTH_MULTIPLIER, DIVISIBLE_BY, FINEGRAIN_CLASSIFICATION_MODE, MIN_DEPTH, OptionSource, Options,
    scaled_depth,
};
use super::recognize::default_network;
use super::{BuiltNetwork, Network, Variables};
use crate::error::Result;

/// Whether the depth multiplier has to be read from the shapes of all convolutions.
pub(super) fn reads_depth(options: &Options, network: &Network) -> bool {
    let spec = network.options.iter().find(|spec| spec.name == DEPTH_MULTIPLIER.name);
    spec.is_some_and(|spec| matches!(spec.source, OptionSource::Variables))
        && options.is_unset(&DEPTH_MULTIPLIER.name)
}

/// A number of channels that no real convolution has. With it as `min_depth`, the convolutions that follow the
/// multiplier have exactly this depth.
const MARKER_DEPTH: usize = 1 << 20;

/// Sets the depth multiplier and the `min_depth` that give every convolution the channels that it has in the
/// checkpoint.
///
/// `full` is the network built with a multiplier of 1.
pub(super) fn read_depth(
    network: &Network,
    prefix: &str,
    options: &mut Options,
    full: &BuiltNetwork,
    variables: &Variables,
) -> Result<()> {
    let mut marked = options.clone();
    marked.set(&MIN_DEPTH.name, Value::Count(MARKER_DEPTH));
    let marked = default_network(network, prefix, &marked, 3, variables)?;
    let pairs: Vec<(usize, usize)> = full
        .variables()
        .zip(marked.variables())
        .filter(|((name, _), (_, marked))| {
            let is_convolution = name.ends_with("weights") && !name.ends_with("depthwise_weights");
            is_convolution && marked.last() == Some(&MARKER_DEPTH)
        })
        .filter_map(|((name, full), _)| Some((*full.last()?, *variables.get(name)?.last()?)))
        .collect();
    let least = pairs.iter().map(|(_, actual)| *actual).min().unwrap_or(0);
    let default_least = options.count(&MIN_DEPTH.name);
    let least_candidates =
        if options.is_unset(&MIN_DEPTH.name) { vec![default_least, least, 1] } else { vec![default_least] };
    // Fine-grained classification exempts the last convolution from the multiplier.
    let mut attempts = vec![(false, &pairs[..])];
    if let [rest @ .., (full, actual)] = &pairs[..]
        && full == actual
        && options.is_unset(&FINEGRAIN_CLASSIFICATION_MODE.name)
    {
        attempts.push((true, rest));
    }
    for (finegrain, pairs) in attempts {
        let divisor = options.count(&DIVISIBLE_BY.name);
        let depth = |full: usize, multiplier, least| options.depth_under(full, multiplier, least);
        if let Some((multiplier, least)) = fitting_depth_by(depth, pairs, &least_candidates, divisor) {
            options.set(&DEPTH_MULTIPLIER.name, Value::Number(multiplier));
            options.set(&MIN_DEPTH.name, Value::Count(least));
            if options.is_unset(&FINEGRAIN_CLASSIFICATION_MODE.name) {
                options.set(&FINEGRAIN_CLASSIFICATION_MODE.name, Value::Flag(finegrain));
            }
            return Ok(());
        }
    }
    Ok(())
}

/// The multiplier and the `min_depth` that turn the first depth of every pair into the second.
pub(super) fn fitting_depth(pairs: &[(usize, usize)], least_candidates: &[usize]) -> Option<(f64, usize)> {
    fitting_depth_by(scaled_depth, pairs, least_candidates, 0)
}

/// As [`fitting_depth`], where `depth` computes the depth from the full depth, the multiplier and the `min_depth`.
pub(super) fn fitting_depth_by(
    depth: impl Fn(usize, f64, usize) -> usize,
    pairs: &[(usize, usize)],
    least_candidates: &[usize],
    divisor: usize,
) -> Option<(f64, usize)> {
    let fits = |multiplier: f64, least: usize| {
        pairs.iter().all(|&(full, actual)| depth(full, multiplier, least) == actual)
    };
    multipliers(pairs, divisor).into_iter().find_map(|multiplier| {
        least_candidates.iter().find(|&&least| fits(multiplier, least)).map(|&least| (multiplier, least))
    })
}

/// Multipliers to try, the usual ones first: 1, then those with few decimals, then the exact ratio of the widest
/// convolution, whose depth may have been rounded to a multiple of `divisor`.
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
