//! What a conversion assumed, each with its reason: what no checkpoint holds, and what the options do not set.

use serde::Serialize;

use crate::convert::{BatchNormSummary, Conversion, ConvertOptions, NetworkOrigin, Note, NoteKind, Origin};
use crate::passes::batch_norm::{self, BatchNorm};
use crate::setting::Setting;
use crate::slim::{OptionSource, OptionSpec};

/// Something that was assumed or chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumption {
    /// What it is about: `epsilon`.
    pub about: String,
    /// What was assumed: `0.001`.
    pub value: String,
    /// Why, or with which setting the user chose it.
    pub reason: String,
    /// The layers, variables or tensors that it is about, if it is not about all of them.
    pub items: Vec<String>,
}

fn assume(about: &str, value: impl ToString, reason: impl ToString) -> Assumption {
    Assumption {
        about: about.to_owned(),
        value: value.to_string(),
        reason: reason.to_string(),
        items: vec![],
    }
}

/// The reason for what the user set.
fn given(setting: Setting) -> String {
    format!("given with {setting}")
}

/// Everything that a conversion assumed.
pub fn collect(conversion: &Conversion, options: &ConvertOptions) -> Vec<Assumption> {
    let mut found = vec![];
    match &conversion.origin {
        Origin::Network(network) => of_network(network, options, &conversion.notes, &mut found),
        Origin::Graph(graph) => {
            if let Some(signature) = &graph.signature {
                let reason = match options.signature.is_some() {
                    true => given(Setting::Signature),
                    false => "the one that a server calls".to_owned(),
                };
                found.push(assume("signature", signature, reason));
            }
            let of_graph = of_kind(&conversion.notes, |kind| !is_of_interface(kind));
            found.extend(of_graph.map(|note| assume("graph", &note.text, "the model is for inference")));
        }
    }
    found.push(outputs(conversion, options));
    let of_interface = of_kind(&conversion.notes, is_of_interface);
    found.extend(of_interface.map(|note| assume("outputs", &note.text, "the result of the options")));
    of_batch_norms(conversion, &mut found);
    of_moving_averages(conversion, options, &mut found);
    let layouts = [
        (Setting::InputsAsNchw, &options.inputs_as_nchw),
        (Setting::OutputsAsNchw, &options.outputs_as_nchw),
    ];
    for (setting, names) in layouts.into_iter().filter(|(_, names)| !names.is_empty()) {
        found.push(assume("layout", format!("channels second: {}", names.join(", ")), given(setting)));
    }
    found
}

/// The notes of some kinds. Warnings are in the report's list of warnings.
fn of_kind(notes: &[Note], is_wanted: impl Fn(NoteKind) -> bool) -> impl Iterator<Item = &Note> {
    notes.iter().filter(move |note| !note.is_warning() && is_wanted(note.kind))
}

/// Whether notes of a kind are about what options make of the model's inputs and outputs.
fn is_of_interface(kind: NoteKind) -> bool {
    matches!(kind, NoteKind::Names | NoteKind::Classes)
}

fn of_network(origin: &NetworkOrigin, options: &ConvertOptions, notes: &[Note], found: &mut Vec<Assumption>) {
    let recognition = &origin.recognition;
    let network = &recognition.network;
    let reason = match &options.network {
        Some(_) => given(Setting::Network),
        None => format!(
            "names and shapes of variables: the checkpoint holds {} of the {} that the network reads",
            recognition.found, recognition.expected
        ),
    };
    found.push(assume("network", &network.name, reason));
    for spec in &*network.options {
        found.extend(recognition.options.value(&spec.name).map(|value| {
            let is_given = !recognition.options.is_unset(&spec.name);
            assume(&spec.name, value, format!("{}: {}", source(spec, is_given), spec.help))
        }));
    }
    let definitions = of_kind(notes, |kind| kind == NoteKind::Definition);
    found.extend(definitions.map(|note| assume("definition", &note.text, "no checkpoint holds it")));
    let image = &origin.image;
    let reason = match options.image_size {
        Some(_) => given(Setting::ImageSize),
        None => format!(
            "the size that the network was published with; no checkpoint holds it ({})",
            Setting::ImageSize
        ),
    };
    let size = image.size().map_or("any".to_owned(), |[height, width]| format!("{height} × {width}"));
    found.push(assume("image size", size, reason));
    found.push(match image.batch {
        Some(batch) => assume("batch", batch, given(Setting::BatchSize)),
        None => assume("batch", "open", format!("any number of images; {} fixes it", Setting::BatchSize)),
    });
    let scope = &network.arg_scope_name;
    for (stored, value, reason) in [
        (true, "used", format!("they are stored although {scope} has none: the checkpoint decides")),
        (false, "left out", format!("they are not stored although {scope} has them: the checkpoint decides")),
    ] {
        let of_kind = origin.disagreements.iter().filter(|disagreement| disagreement.stored == stored);
        let items: Vec<String> = of_kind.map(|disagreement| disagreement.variable.clone()).collect();
        if !items.is_empty() {
            found.push(Assumption { items, ..assume("variables unlike the arg_scope's", value, reason) });
        }
    }
}

fn source(spec: &OptionSpec, is_given: bool) -> String {
    if is_given {
        return given(Setting::NetworkOption);
    }
    let source = match spec.source {
        OptionSource::Variables | OptionSource::ReadBy(_) => "read from the variables",
        OptionSource::Config(_) => "read from the file that describes the model, or its default",
        OptionSource::User => "slim's default, since no checkpoint holds it",
        OptionSource::Definition(_) => {
            "the current official definition; public definitions differ, and no checkpoint holds it"
        }
    };
    source.to_owned()
}

fn outputs(conversion: &Conversion, options: &ConvertOptions) -> Assumption {
    let by_default = match &conversion.origin {
        Origin::Network(_) => "the logits first, then the predictions",
        Origin::Graph(graph) if graph.signature.is_some() => "those of the signature",
        Origin::Graph(_) => "nothing else reads them",
    };
    let reason = match options.outputs.is_empty() {
        false => given(Setting::Outputs),
        true => format!("{by_default}; {} chooses others", Setting::Outputs),
    };
    let items: Vec<String> = conversion.model.outputs.iter().map(|output| output.name.clone()).collect();
    Assumption { items, ..assume("outputs", conversion.model.outputs.len(), reason) }
}

fn of_batch_norms(conversion: &Conversion, found: &mut Vec<Assumption>) {
    let norms = &conversion.batch_norms;
    let summary = BatchNormSummary::new(norms, conversion.origin.epsilon_source());
    if norms.is_empty() {
        return;
    }
    let epsilons: Vec<String> = summary.epsilons.iter().map(f32::to_string).collect();
    let reason =
        format!("from {}; it is added to the variance and is in no checkpoint", summary.epsilon_source);
    found.push(assume("epsilon", epsilons.join(" and "), reason));
    type PartOf = fn(&BatchNorm) -> &batch_norm::Origin;
    let parts: [(&str, &str, &str, PartOf); 2] =
        [("gamma", "1", "scale=False", |norm| &norm.gamma), ("beta", "0", "center=False", |norm| &norm.beta)];
    for (name, neutral, argument, part) in parts {
        let missing = norms.iter().filter(|norm| part(norm).is_synthesized());
        let items: Vec<String> = missing.map(|norm| norm.name.clone()).collect();
        if !items.is_empty() {
            let reason = format!(
                "it is not stored: slim's batch_norm has none with {argument}, which means {neutral}"
            );
            let value = format!("{neutral} for {} of {} batch norms", items.len(), norms.len());
            found.push(Assumption { items, ..assume(name, value, reason) });
        }
        let computed = norms.iter().filter_map(|norm| match part(norm) {
            batch_norm::Origin::Computed { from } => Some(format!("{} from {}", norm.name, from.join(", "))),
            _ => None,
        });
        let items: Vec<String> = computed.collect();
        if !items.is_empty() {
            let value = format!("computed for {} of {} batch norms", items.len(), norms.len());
            let reason = "the graph computes it from variables";
            found.push(Assumption { items, ..assume(name, value, reason) });
        }
    }
    let folded = norms.len().saturating_sub(conversion.model.count_nodes("BatchNormalization"));
    if folded > 0 {
        let value = format!("{folded} of {} folded into convolutions", norms.len());
        found.push(assume("batch norms", value, format!("asked for with {}", Setting::FoldBatchNorm)));
    }
}

fn of_moving_averages(conversion: &Conversion, options: &ConvertOptions, found: &mut Vec<Assumption>) {
    use crate::passes::moving_averages::Choice;
    let averages = &conversion.moving_averages;
    if averages.found == 0 {
        return;
    }
    let reason = match (options.moving_averages, averages.used) {
        (Choice::On | Choice::Off, _) => given(Setting::MovingAverages),
        (Choice::Auto, true) => "every trained variable has one, and they usually predict better".to_owned(),
        (Choice::Auto, false) => "some trained variables have none".to_owned(),
    };
    let value = if averages.used { "used instead of the weights" } else { "not used" };
    let items = averages.missing.clone();
    found.push(Assumption { items, ..assume("moving averages", value, reason) });
}
