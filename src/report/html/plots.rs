//! Small plots in tables.

use std::fmt::Write;

use maud::{Markup, html};

use crate::report::numbers::short;
use crate::report::{Histogram, WeightReport};

/// The width of a bin.
const BIN: usize = 3;
/// The height of the highest bin.
const HEIGHT: f64 = 24.0;

/// A bar for a share from 0 to 1. The number is beside it.
pub fn bar(share: f64) -> Markup {
    let width = (share.clamp(0.0, 1.0) * 100.0 * 10.0).round() / 10.0;
    html! {
        svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            @if width > 0.0 { rect width=(width) height="8" {} }
        }
    }
}

/// The distribution of a weight's elements.
pub fn histogram(weight: &WeightReport) -> Markup {
    let Some(histogram) = &weight.histogram else {
        return html! { span.muted { "no finite elements" } };
    };
    let width = histogram.counts.len() * BIN;
    html! {
        svg.histogram viewBox={ "0 0 " (width) " 24" } preserveAspectRatio="none" role="img" {
            title { (description(weight.statistics.count, histogram)) }
            path d=(outline(histogram)) {}
        }
    }
}

fn description(count: u64, histogram: &Histogram) -> String {
    let [low, high] = [histogram.low, histogram.high].map(short);
    let fullest = histogram.counts.iter().enumerate().max_by_key(|(_, count)| **count);
    let width = (histogram.high - histogram.low) / histogram.counts.len() as f64;
    let [from, to] = fullest
        .map_or([0.0; 2], |(bin, _)| [bin, bin + 1].map(|edge| histogram.low + width * edge as f64))
        .map(short);
    format!("{count} elements from {low} to {high}, most of them between {from} and {to}")
}

/// A bar for each bin. Bins that are not empty are at least a line high.
fn outline(histogram: &Histogram) -> String {
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let mut path = String::new();
    for (bin, &count) in histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (count as f64 / most * HEIGHT).round().max(1.0);
        // Writing to a string cannot fail.
        let _ = write!(path, "M{} 24v-{height}h{BIN}v{height}", bin * BIN);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_with_few_elements_is_visible_and_an_empty_one_is_not() {
        let histogram = Histogram { low: 0.0, high: 1.0, counts: vec![1, 0, 1000] };
        assert_eq!(outline(&histogram), "M0 24v-1h3v1M6 24v-24h3v24");
    }
}
