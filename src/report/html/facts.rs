//! The sections about the whole conversion: overview, warnings, assumptions, and times.

use maud::{Markup, html};

use super::breakable;
use super::plots::bar;
use crate::report::numbers::{bytes, seconds, shape, thousands};
use crate::report::{ConversionReport, TensorReport, Timing, Warning};

/// A list with more items than this is collapsed.
const SHOWN: usize = 3;

pub fn overview(report: &ConversionReport) -> Markup {
    let ConversionReport { source, model, totals, .. } = report;
    html! {
        dl.cards {
            @if let Some(network) = &source.network {
                div {
                    dt { "Network" }
                    dd { (network) }
                    dd.detail {
                        @if let Some(scope) = source.scope.as_deref().filter(|scope| !scope.is_empty()) { "in " (scope) ", " }
                        (source.variables_found.unwrap_or(0)) " of " (source.variables_expected.unwrap_or(0)) " variables"
                    }
                }
            }
            @if let Some(graph) = &source.graph {
                div {
                    dt { "Graph" }
                    dd { code { (breakable(graph, '/')) } }
                    @if let Some(signature) = &source.signature { dd.detail { "signature " (signature) } }
                }
            }
            (tensors("Inputs", &model.inputs))
            (tensors("Outputs", &model.outputs))
            (card("Parameters", thousands(totals.parameters), format!("{} of weights", bytes(totals.weight_bytes))))
            (card("Activations", bytes(totals.activation_bytes), match totals.layers_of_open_shape {
                0 => "of all layers, with an open batch as 1".to_owned(),
                open => format!("with an open batch as 1, and without {open} layers of open shape"),
            }))
            (card("Model", format!("{} nodes", thousands(model.nodes as u64)),
                format!("{} initializers, opset {}, {}", thousands(model.initializers as u64), model.opset, bytes(model.bytes))))
            @if let Some(path) = &model.external_data { (card("External data", path.clone(), "keep it beside the model".to_owned())) }
            @if source.batch_norms.count > 0 {
                (card("Batch norms", source.batch_norms.count.to_string(),
                    format!("{} with a synthesized unit scale", source.batch_norms.gamma_synthesized)))
            }
        }
    }
}

fn card(about: &str, value: String, detail: String) -> Markup {
    html! { div { dt { (about) } dd { (value) } dd.detail { (detail) } } }
}

fn tensors(about: &str, tensors: &[TensorReport]) -> Markup {
    html! {
        div {
            dt { (about) }
            @for tensor in tensors {
                dd { code { (breakable(&tensor.name, '/')) } }
                dd.detail { (tensor.dtype) " " (shape(tensor.shape.as_deref())) }
            }
        }
    }
}

pub fn warnings(warnings: &[Warning]) -> Markup {
    html! {
        ul.warnings {
            @for warning in warnings {
                li { @if !warning.about.is_empty() { code { (warning.about) } ": " } (warning.text) }
            }
        }
    }
}

pub fn assumptions(report: &ConversionReport) -> Markup {
    html! {
        p {
            @if report.source.graph.is_some() {
                "What the graph leaves open, and how it was decided."
            } @else {
                "A checkpoint holds only weights. This is what else the model needs, and where it comes from."
            }
        }
        div.scroll role="region" aria-label="Table of assumptions" tabindex="0" {
            table.facts {
                caption.hidden { "What was assumed, and why" }
                thead { tr { th scope="col" { "About" } th scope="col" { "Assumed" } th scope="col" { "Reason" } } }
                tbody {
                    @for assumption in &report.assumptions {
                        tr {
                            th scope="row" { (breakable(&assumption.about, '_')) }
                            td { (breakable(&assumption.value, '_')) }
                            td { (assumption.reason) (items(&assumption.items)) }
                        }
                    }
                }
            }
        }
    }
}

fn items(items: &[String]) -> Markup {
    let list = html! { ul { @for item in items { li { code { (breakable(item, '/')) } } } } };
    html! {
        @if items.len() > SHOWN {
            details { summary { "all " (items.len()) } (list) }
        } @else if !items.is_empty() {
            (list)
        }
    }
}

pub fn timing(timing: &Timing) -> Markup {
    let parts = timing.parts();
    let total: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
    html! {
        div.scroll.narrow role="region" aria-label="Table of times" tabindex="0" {
            table.facts {
                caption.hidden { "How long each part of the conversion took" }
                thead { tr { th scope="col" { "Part" } th.number scope="col" { "Time" } th scope="col" { "Share" } } }
                tbody {
                    @for (part, took) in parts {
                        tr {
                            th scope="row" { (part) }
                            td.number { (seconds(took)) }
                            td { (bar(if total > 0.0 { took / total } else { 0.0 })) }
                        }
                    }
                }
                tfoot { tr { th scope="row" { "all" } td.number { (seconds(total)) } td {} } }
            }
        }
    }
}
