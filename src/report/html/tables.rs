//! The tables of layers, batch norms and weights. The page's script sorts and filters them. Without it, they are in the order
//! of the graph.

use maud::{Markup, html};

use super::breakable;
use super::plots::{bar, histogram};
use crate::onnx::Dim;
use crate::passes::batch_norm::Origin;
use crate::report::numbers::{bytes, percent, shape, short, thousands};
use crate::report::{ConversionReport, LayerReport, NormReport, WeightReport};
use crate::tensor::Statistics;

/// The heading of a column, and whether it has numbers.
type Column = (&'static str, bool);

/// A table with a filter. `name` is what is in it.
fn table(id: &str, name: &str, columns: &[Column], rows: Markup) -> Markup {
    html! {
        p.filter hidden {
            label for={ (id) "-filter" } { "Filter " (name) }
            " " input #{ (id) "-filter" } type="search" autocomplete="off" spellcheck="false";
            " " output for={ (id) "-filter" } {}
        }
        div.scroll.tall role="region" aria-label={ "Table of " (name) } tabindex="0" {
            table.sortable {
                caption.hidden { "Table of " (name) }
                thead {
                    tr {
                        @for (heading, is_number) in columns {
                            th.number[*is_number] scope="col" { (heading) }
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

pub fn layers(report: &ConversionReport) -> Markup {
    let columns = [
        ("Layer", false),
        ("Op", false),
        ("Output", false),
        ("Parameters", true),
        ("Weights", true),
        ("Share", true),
        ("Activations", true),
    ];
    let rows =
        html! { @for (index, layer) in report.layers.iter().enumerate() { (layer_row(index, layer)) } };
    html! {
        p {
            "The ops that compute something from the inputs. An open batch counts as 1 in activations; the share is of the bytes of all \
             weights."
        }
        (table("layers", "layers", &columns, rows))
    }
}

fn layer_row(index: usize, layer: &LayerReport) -> Markup {
    let output = layer.outputs.first();
    html! {
        tr #{ "layer-" (index) } {
            th scope="row" { a href="#network" { (breakable(&layer.name, '/')) } }
            td { (layer.op) }
            td { @if let Some(output) = output { (shape(output.shape.as_deref())) } }
            td.number data-v=(layer.parameters) { @if layer.parameters > 0 { (thousands(layer.parameters)) } }
            td.number data-v=(layer.weight_bytes) { @if layer.weight_bytes > 0 { (bytes(layer.weight_bytes)) } }
            td.number.share data-v=(layer.share) { @if layer.share > 0.0 { (percent(layer.share)) (bar(layer.share)) } }
            td.number data-v=(layer.activation_bytes.map_or(-1.0, |bytes| bytes as f64)) {
                (layer.activation_bytes.map_or_else(|| "open".to_owned(), bytes))
            }
        }
    }
}

pub fn batch_norms(report: &ConversionReport) -> Markup {
    let columns = [
        ("Batch norm", false),
        ("Channels", true),
        ("Epsilon", true),
        ("Gamma", true),
        ("Beta", true),
        ("Mean", true),
        ("Variance", true),
        ("Remark", false),
    ];
    let rows = html! { @for norm in &report.batch_norms { (norm_row(norm, &report.weights)) } };
    html! {
        p { "Each part with its distribution, its smallest and its largest element. A gamma that is not stored is 1, a beta 0." }
        (table("batch-norms", "batch norms", &columns, rows))
    }
}

fn norm_row(norm: &NormReport, weights: &[WeightReport]) -> Markup {
    let part = |index: Option<usize>, otherwise: &str| {
        let weight = index.and_then(|index| weights.get(index));
        html! {
            td.number.part data-v=[weight.and_then(|weight| weight.statistics.min)] {
                @match weight {
                    Some(weight) => { (histogram(weight)) (range(&weight.statistics)) }
                    None => span.muted { (otherwise) },
                }
            }
        }
    };
    html! {
        tr.bad[norm.problem.is_some()] {
            th scope="row" { (breakable(&norm.name, '/')) }
            td.number data-v=[norm.channels] { @if let Some(channels) = norm.channels { (channels) } }
            td.number data-v=(norm.epsilon) { (norm.epsilon) }
            (part(norm.gamma, otherwise(&norm.gamma_origin, "1, not stored")))
            (part(norm.beta, otherwise(&norm.beta_origin, "0, not stored")))
            (part(norm.mean, "computed"))
            (part(norm.variance, "computed"))
            td { @if let Some(problem) = &norm.problem { strong { (problem) } } }
        }
    }
}

/// The text for a part that is not a weight.
fn otherwise(origin: &Origin, synthesized: &'static str) -> &'static str {
    match origin {
        Origin::Synthesized => synthesized,
        Origin::Stored { .. } => "stored in another form",
        Origin::Computed { .. } => "computed from weights",
    }
}

fn range(statistics: &Statistics) -> Markup {
    html! {
        @if let (Some(min), Some(max)) = (statistics.min, statistics.max) {
            span.range { (short(min)) @if min < max { " … " (short(max)) } }
        }
    }
}

pub fn weights(report: &ConversionReport) -> Markup {
    let columns = [
        ("Weight", false),
        ("Shape", false),
        ("Parameters", true),
        ("Least", true),
        ("Mean", true),
        ("Deviation", true),
        ("Greatest", true),
        ("Zeros", true),
        ("Distribution", false),
    ];
    let mut is_part = vec![false; report.weights.len()];
    for norm in &report.batch_norms {
        for index in [norm.gamma, norm.beta, norm.mean, norm.variance].into_iter().flatten() {
            is_part.iter_mut().skip(index).take(1).for_each(|part| *part = true);
        }
    }
    let shown: Vec<&WeightReport> = report
        .weights
        .iter()
        .zip(is_part)
        .filter(|(_, is_part)| !is_part)
        .map(|(weight, _)| weight)
        .collect();
    let rows = html! { @for weight in &shown { (weight_row(weight)) } };
    html! {
        p {
            "The trained tensors" @if shown.len() < report.weights.len() { ", apart from those of the batch norms above" }
            ". Shapes are TensorFlow's: height, width, input and output channels for a convolution."
        }
        (table("weights", "weights", &columns, rows))
    }
}

fn weight_row(weight: &WeightReport) -> Markup {
    let statistics = &weight.statistics;
    let number = |value: Option<f64>| {
        html! { td.number data-v=[value] { @if let Some(value) = value { (short(value)) } } }
    };
    let zeros = statistics.zero_share();
    let dims: Vec<Dim> = weight.shape.iter().copied().map(Dim::Known).collect();
    html! {
        tr.bad[statistics.nan + statistics.inf > 0] {
            th scope="row" { (breakable(&weight.name, '/')) }
            td { (shape(Some(&dims))) @if weight.dtype != "float32" { " " (weight.dtype) } }
            td.number data-v=(weight.parameters) { (thousands(weight.parameters)) }
            (number(statistics.min))
            (number(statistics.mean))
            (number(statistics.std))
            (number(statistics.max))
            td.number data-v=(zeros) { @if zeros > 0.0 { (percent(zeros)) } }
            td.part {
                (histogram(weight))
                @if statistics.nan > 0 { " " strong { (statistics.nan) " not a number" } }
                @if statistics.inf > 0 { " " strong { (statistics.inf) " infinite" } }
            }
        }
    }
}
