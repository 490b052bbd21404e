//! Building the graph of a checkpoint that comes without one: its network is recognized and rebuilt.

use super::probabilities::logits_of;
use super::rename::{Aliases, Names};
use super::{BoundGraph, ConvertOptions, ModelTensors, Note, NoteKind, Unused, channels_first};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::passes::fold::simplify;
use crate::passes::quantize::{BITS, quantize};
use crate::setting::{Command, Setting};
use crate::source::Source;
use crate::suggestion::suggesting_and_listing;

use crate::slim::{
    Assumption, BuiltNetwork, ImageShape, NUM_BANDS, NUM_CLASSES, NUM_FRAMES, NetworkChoice, OptionSource,
    OptionSpec, Overrides, Recognition, Recognized, ScopeDisagreement, Value, Variables, recognize_and_build,
};

/// A network that was rebuilt from the variables of a checkpoint.
#[derive(Debug)]
pub struct NetworkOrigin {
    /// The network it was recognized as.
    pub recognition: Recognition,
    /// The images that it was built for.
    pub image: ImageShape,
    /// Variables that the checkpoint and the arg_scope disagree about. The checkpoint decides.
    pub disagreements: Vec<ScopeDisagreement>,
    /// Trained variables of the checkpoint that the network does not have.
    pub unused: Unused,
}

/// The auxiliary classifier's end point.
const AUX_LOGITS: &str = "AuxLogits";

/// The second output beside the logits: the probabilities of the classes, which residual networks name in lower case, or
/// the embedding of a face. If the embedding comes first, the second output is the bottleneck.
const PREDICTIONS: [&str; 4] = ["Predictions", "predictions", "embeddings", "Bottleneck"];

/// Whether the logits are pooled over the whole image, whatever its size.
const GLOBAL_POOL: &str = "global_pool";

/// Names and shapes of a checkpoint's tensors.
pub fn variables(checkpoint: &Checkpoint) -> Variables {
    checkpoint.tensors().map(|tensor| (tensor.name().to_owned(), tensor.shape().to_vec())).collect()
}

/// Recognizes the network of a checkpoint.
///
/// # Errors
/// If the checkpoint holds none of the library's networks, or the network does not have the options.
pub fn recognize_checkpoint(source: &Source, options: &ConvertOptions) -> Result<Recognition> {
    recognize_variables(source, options, &variables(source.weights()?))
        .map(|recognized| recognized.recognition)
}

/// The same for the variables of a checkpoint or a graph, together with the network that was built from them.
///
/// # Errors
/// As for [`recognize_checkpoint`].
pub fn recognize_variables(
    source: &Source,
    options: &ConvertOptions,
    variables: &Variables,
) -> Result<Recognized> {
    let network = options.network.as_ref().map(NetworkChoice::network).transpose()?;
    let overrides = Overrides {
        network,
        options: &options.network_options,
        config: source.config().cloned(),
        limits: options.limits,
    };
    recognize_and_build(variables, overrides).map_err(|error| {
        let error = error.within(source.path().display());
        if source.graph().is_some() && options.network.is_none() && !options.network_options.is_empty() {
            return error.advice(format!(
                "leave out {}, and the graph that comes with it is converted",
                Setting::NetworkOption
            ));
        }
        match source.weights() {
            Ok(checkpoint) if checkpoint.is_object_based() && options.network.is_none() => error
                .advice("it was saved by Keras or by tf.train.Checkpoint: give the SavedModel of the model"),
            _ => error,
        }
    })
}

/// The name of the network that a model's variables belong to, and the tensors of slim's end points in it; `None` if they
/// belong to none.
pub(super) fn end_points(source: &Source) -> Option<(String, Names)> {
    let variables = variables(source.checkpoint()?);
    let overrides = Overrides { config: source.config().cloned(), ..Overrides::default() };
    let recognized = recognize_and_build(&variables, overrides).ok()?;
    let Recognition { network, channels, .. } = &recognized.recognition;
    let image = network.default_images(*channels);
    let (recognition, built) = recognized.build(&image, &variables).ok()?;
    let named = |(name, tensor): &(String, TensorRef)| (name.clone(), built.graph.tensor_name(*tensor));
    Some((recognition.network.name.clone(), built.end_points.iter().map(named).collect()))
}

/// Recognizes the network of a checkpoint and builds its graph.
pub(super) fn build(source: &Source, options: &ConvertOptions) -> Result<(BoundGraph, NetworkOrigin)> {
    let variables = variables(source.weights()?);
    refuse_graph_options(options)?;
    let mut recognized = recognize_variables(source, options, &variables)?;
    let recognition = &mut recognized.recognition;
    // The auxiliary classifier is for training. It is built if the options ask for it.
    let aux = recognition.options.aux_option();
    let has_aux =
        aux.as_ref().is_some_and(|aux| !recognition.options.is_unset(aux) && recognition.options.flag(aux));
    let wants_aux = has_aux || options.outputs.iter().any(|output| output.contains(AUX_LOGITS));
    if let Some(aux) = aux.filter(|_| !wants_aux) {
        recognition.options.set(&aux, Value::Flag(false));
    }
    if options.image_size.is_some() && recognition.options.count(&NUM_BANDS.name) > 0 {
        let network = &recognition.network.name;
        return Err(Error::new(Setting::ImageSize, format!("{network} takes spectrograms, not images"))
            .advice(format!(
                "set their size with {} and {}=…",
                Setting::NetworkOption.to(format!("{}=…", NUM_FRAMES.name)),
                NUM_BANDS.name
            )));
    }
    if options.image_size.is_some() && !recognition.network.reads_images() {
        let problem = format!("{} takes no images", recognition.network.name);
        return Err(Error::new(Setting::ImageSize, problem).advice(format!(
            "leave it out; `{}` lists the options of each network",
            Command::Networks.run()
        )));
    }
    let (height, width) = options.image_size.unwrap_or(recognition.network.image_size.into());
    let image = ImageShape { batch: options.batch_size, height, width, channels: recognition.channels };
    let (recognition, built) = recognized.build(&image, &variables)?;
    let (built, rounded) =
        quantized(built, &variables).map_err(|error| error.within(source.path().display()))?;
    let image = image_of(&built, image);
    if source.is_config_given() && !recognition.network.reads_config() {
        let problem = format!("{} has no use for it: its variables describe it", recognition.network.name);
        return Err(Error::new(Setting::Config, problem).advice("leave it out"));
    }
    let unused = unused(source.weights()?, &recognition, &built);
    if !options.backbone
        && let Some(error) = unused.refused(source.weights()?, &recognition.network.name)
    {
        return Err(error);
    }
    let mut notes = notes(&recognition, &built);
    notes.extend((rounded > 0).then(|| of_quantization(rounded)));
    let outputs = choose_outputs(&built, &options.outputs, has_aux)?;
    let inputs = built.inputs.clone();
    let find = |name: &str| built.end_point(name).or_else(|| built.graph.find_tensor(name));
    let inputs_as_nchw =
        channels_first(&built.graph, Setting::InputsAsNchw, &options.inputs_as_nchw, &inputs, find)?;
    let outputs_as_nchw =
        channels_first(&built.graph, Setting::OutputsAsNchw, &options.outputs_as_nchw, &outputs, find)?;
    let classes = recognition.options.num_classes();
    let predictions = PREDICTIONS.iter().find_map(|name| built.end_point(name));
    let probabilities = predictions.filter(|&tensor| logits_of(&built.graph, tensor).is_some());
    let keys = keys(&built, &options.outputs);
    let end_points =
        built.end_points.iter().map(|(name, tensor)| (name.clone(), built.graph.tensor_name(*tensor)));
    let bound = BoundGraph {
        logits: (classes > 0).then_some(built.output),
        probabilities,
        classes: Some(classes).filter(|_| recognition.options.value(&NUM_CLASSES.name).is_some()),
        aliases: Aliases { inputs: vec![], outputs: end_points.collect() },
        keys,
        graph: built.graph,
        tensors: ModelTensors { inputs, outputs, inputs_as_nchw, outputs_as_nchw },
        name: recognition.network.name.to_owned(),
        described: format!("{} as {}", source.path().display(), recognition.network.name),
        notes,
    };
    // Shapes that are known now become constants.
    let results = bound.logits.into_iter().chain(bound.probabilities);
    let kept: Vec<TensorRef> = results.chain(bound.tensors.outputs.iter().copied()).collect();
    let bound = bound.after(|graph, _| simplify(graph, &kept))?;
    Ok((bound, NetworkOrigin { recognition, image, disagreements: built.disagreements, unused }))
}

/// The network with simulated quantization, if the checkpoint is of such a one, and the number of tensors that are rounded.
fn quantized(built: BuiltNetwork, variables: &Variables) -> Result<(BuiltNetwork, usize)> {
    let BuiltNetwork { graph, inputs, output, end_points, .. } = built;
    let (graph, moved, rounded) = quantize(graph, variables)?;
    // The pass leaves no tensor out.
    let tensor = |old: TensorRef| moved.tensor(old).unwrap_or(old);
    let end_points = end_points.into_iter().map(|(name, old)| (name, tensor(old))).collect();
    let inputs = inputs.into_iter().map(tensor).collect();
    Ok((BuiltNetwork { graph, inputs, output: tensor(output), end_points, ..built }, rounded))
}

/// The images that a network was built for, if the file beside the checkpoint sets their size.
fn image_of(built: &BuiltNetwork, image: ImageShape) -> ImageShape {
    let shape = built.inputs.first().map(|&input| built.graph.shape(input));
    match shape.map(|shape| [shape.dim(1), shape.dim(2)]) {
        Some([Some(height), Some(width)]) if image.height == 0 => ImageShape { height, width, ..image },
        _ => image,
    }
}

/// The trained variables of a checkpoint that the recognized network does not have.
pub fn unused(checkpoint: &Checkpoint, recognition: &Recognition, built: &BuiltNetwork) -> Unused {
    Unused::of_network(checkpoint, recognition, built.variables().map(|(name, _)| name))
}

/// Refuses options that only apply to graphs.
fn refuse_graph_options(options: &ConvertOptions) -> Result<()> {
    let given = [
        (Setting::Inputs, !options.inputs.is_empty()),
        (Setting::Shape, !options.shapes.is_empty()),
        (Setting::Freeze, !options.freeze.is_empty()),
        (Setting::UseDefault, !options.use_default.is_empty()),
        (Setting::IgnoreDefault, !options.ignore_default.is_empty()),
        (Setting::Signature, options.signature.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((setting, _)) => {
            let error = Error::new(setting, "it is about a graph, and this checkpoint comes without one");
            Err(error.advice(format!(
                "give the graph with {}; {} sets the size of a network's images",
                Setting::Graph,
                Setting::ImageSize
            )))
        }
    }
}

/// The outputs of the model: those that are named, or else the logits and then the predictions.
fn choose_outputs(built: &BuiltNetwork, names: &[String], with_aux: bool) -> Result<Vec<TensorRef>> {
    let mut outputs = vec![];
    if names.is_empty() && !built.model_outputs.is_empty() {
        outputs.extend(built.model_outputs.iter().filter_map(|name| built.end_point(name)));
    } else if names.is_empty() {
        outputs.push(built.output);
        let ends = PREDICTIONS.iter().filter_map(|name| built.end_point(name));
        outputs.extend(ends.filter(|&end| end != built.output).take(1));
        if with_aux {
            outputs.extend(built.end_point(AUX_LOGITS));
        }
    }
    for name in names {
        let tensor = find(built, name)?;
        if !outputs.contains(&tensor) {
            outputs.push(tensor);
        }
    }
    Ok(outputs)
}

/// The names of inputs and outputs in the model, for a network that names its outputs: those of the placeholders, and of the
/// end points. An output that the user chose by the name of its tensor keeps this name.
fn keys(built: &BuiltNetwork, chosen: &[String]) -> Aliases {
    if built.model_outputs.is_empty() {
        return Aliases::default();
    }
    let named = |tensor: TensorRef| built.graph.tensor_name(tensor);
    let inputs = built.inputs.iter().map(|&input| (built.graph.node(input.node).name.clone(), named(input)));
    let is_called = |name: &&String| chosen.is_empty() || chosen.contains(name);
    let outputs = built.model_outputs.iter().filter(is_called);
    let outputs = outputs.filter_map(|name| Some((name.clone(), named(built.end_point(name)?))));
    Aliases { inputs: inputs.collect(), outputs: outputs.collect() }
}

/// The tensor of an end point, or of a tensor's name.
fn find(built: &BuiltNetwork, name: &str) -> Result<TensorRef> {
    built.end_point(name).or_else(|| built.graph.find_tensor(name)).ok_or_else(|| {
        let error = Error::new(format!("\"{name}\""), "the network has no such tensor or end point");
        let end_points = built.end_points.iter().map(|(name, _)| name.as_str());
        suggesting_and_listing(error, name, "its end points", end_points)
    })
}

/// The window of the pooling before the logits, and its input: height and width of both, if the window is smaller.
fn partly_pooled(built: &BuiltNetwork) -> Option<[[usize; 2]; 2]> {
    let pools = built.graph.nodes().map(|(_, node)| node);
    let mut pools = pools.filter(|node| node.op == "AvgPool" && node.name.contains("/Logits/"));
    pools.find_map(|pool| {
        let size = |axis: usize| usize::try_from(*pool.ints("ksize").get(axis)?).ok();
        let shape = built.graph.shape(pool.inputs[0]);
        let (window, pooled) = ([size(1)?, size(2)?], [shape.dim(1)?, shape.dim(2)?]);
        (window != pooled).then_some([window, pooled])
    })
}

/// What was assumed of a network: where its public definitions differ, and where the checkpoint differs from its arg_scope.
fn notes(recognition: &Recognition, built: &BuiltNetwork) -> Vec<Note> {
    let Recognition { network, options, .. } = recognition;
    let of_definition = |spec: &OptionSpec| match spec.source {
        OptionSource::Definition(difference) if options.is_unset(&spec.name) => {
            let text = format!(
                "public definitions of {} differ, and a checkpoint does not tell which one it was trained with: \
                 {difference}; {} {} was used, and {} chooses",
                network.name,
                spec.name,
                spec.default,
                Setting::NetworkOption.to(format!("{}=…", spec.name))
            );
            Some(Note::info(NoteKind::Definition, text).about(&*spec.name))
        }
        _ => None,
    };
    let mut notes: Vec<Note> = network.options.iter().filter_map(of_definition).collect();
    let has_choice = options.is_unset(GLOBAL_POOL) && !options.flag(GLOBAL_POOL);
    if let Some([window, pooled]) = partly_pooled(built).filter(|_| has_choice) {
        let text = format!(
            "definitions of {} differ for images of this size: a {}x{} window pools the {}x{} features before the logits; \
             {} averages all of them",
            network.name,
            window[0],
            window[1],
            pooled[0],
            pooled[1],
            Setting::NetworkOption.to(format!("{GLOBAL_POOL}=true"))
        );
        notes.push(Note::info(NoteKind::Definition, text).about(GLOBAL_POOL));
    }
    let of_assumption = |assumption: &Assumption| {
        let Assumption { option, value, reason } = assumption;
        let text = format!(
            "no variable shows {option}: {value} was used, {reason}; {} chooses",
            Setting::NetworkOption.to(format!("{option}=…"))
        );
        Note::info(NoteKind::Definition, text).about(option)
    };
    notes.extend(built.assumptions.iter().map(of_assumption));
    let arg_scope = &network.arg_scope_name;
    let of_arg_scope = |disagreement: &ScopeDisagreement| {
        let variable = &disagreement.variable;
        let text = match disagreement.stored {
            true => format!("{variable} is stored although {arg_scope} has none; it is used"),
            false => {
                format!("{variable} is not stored although {arg_scope} has one; a neutral value is used")
            }
        };
        Note::info(NoteKind::ArgScope, text).about(variable)
    };
    notes.extend(built.disagreements.iter().map(of_arg_scope));
    notes
}

/// What a checkpoint does not tell of simulated quantization.
fn of_quantization(rounded: usize) -> Note {
    let text = format!(
        "the network was trained with simulated quantization: {rounded} tensors are rounded to the ranges of the checkpoint, to \
         {BITS} bits as create_training_graph of tf.contrib.quantize does by default"
    );
    Note::info(NoteKind::Definition, text)
}

impl NetworkOrigin {
    /// The network in the model's metadata.
    pub(super) fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self { recognition, image, .. } = self;
        let options: Vec<String> =
            recognition.options.values().map(|(name, value)| format!("{name}={value}")).collect();
        vec![
            ("network", recognition.network.name.to_owned()),
            ("network_scope", format!("{}{}", recognition.prefix, recognition.options.scope)),
            ("network_options", options.join(" ")),
            (
                "image_size",
                image.size().map_or("any".to_owned(), |[height, width]| format!("{height}x{width}")),
            ),
        ]
    }
}
