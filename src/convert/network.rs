//! Drawing the graph of a checkpoint that comes without one: recognizing its network and rebuilding it.

use super::probabilities::logits_of;
use super::rename::{Aliases, Names};
use super::{BoundGraph, ConvertOptions, Unused, channels_first};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::model::Model as Source;
use crate::suggestion::suggesting_and_listing;

use crate::slim::{
    DrawnNetwork, ImageShape, NUM_BANDS, NUM_CLASSES, NUM_FRAMES, OptionSource, OptionSpec, Recognition,
    Recognized, ScopeDisagreement, Value, Variables, Wishes, network_named, recognize_and_sketch,
};

/// A network that was rebuilt from the variables of a checkpoint.
#[derive(Debug)]
pub struct NetworkOrigin {
    /// The network it was recognized as.
    pub recognition: Recognition,
    /// The images it was drawn for.
    pub image: ImageShape,
    /// Layers where the checkpoint was believed rather than the arg_scope.
    pub disagreements: Vec<ScopeDisagreement>,
    /// Trained variables of the checkpoint that the network does not have.
    pub unused: Unused,
    /// Where a fixed window pools less than the whole image: height and width of the window and of what it slides over.
    partly_pooled: Option<[[usize; 2]; 2]>,
}

/// The auxiliary classifier's end point.
const AUX_LOGITS: &str = "AuxLogits";

/// The end point that follows from the logits: the classes' probabilities, which the residual networks write
/// small, or a face's embedding. Where that comes first, what it is made from follows.
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
/// Where the checkpoint holds none of the library's networks, or options are not the network's.
pub fn recognize_checkpoint(source: &Source, options: &ConvertOptions) -> Result<Recognition> {
    sketch(source, options, &variables(source.weights()?)).map(|recognized| recognized.recognition)
}

/// The same, of the variables of a checkpoint or a graph, with what was drawn of the network.
///
/// # Errors
/// As for [`recognize_checkpoint`].
pub fn sketch(source: &Source, options: &ConvertOptions, variables: &Variables) -> Result<Recognized> {
    let network = options.network.as_deref().map(network_named).transpose()?;
    recognize_and_sketch(variables, Wishes { network, options: &options.network_options }).map_err(|error| {
        let error = error.within(source.path().display());
        if source.graph().is_some() && network.is_none() && !options.network_options.is_empty() {
            return error.advice("leave out --network-option, and the graph that comes with it is converted");
        }
        match source.weights() {
            Ok(checkpoint) if checkpoint.is_object_based() && network.is_none() => error
                .advice("it was saved by Keras or by tf.train.Checkpoint: give the SavedModel of the model"),
            _ => error,
        }
    })
}

/// The name of the network that the variables of a model are of, and the tensors of slim's end points in it; `None` where
/// they are of none.
pub(super) fn end_points(source: &Source) -> Option<(&'static str, Names)> {
    let variables = variables(source.checkpoint()?);
    let recognized = recognize_and_sketch(&variables, Wishes::default()).ok()?;
    let Recognition { network, channels, .. } = recognized.recognition;
    let (_, drawn) = recognized.draw(&network.default_images(channels), &variables).ok()?;
    let named = |(name, tensor): &(String, TensorRef)| (name.clone(), drawn.graph.tensor_name(*tensor));
    Some((network.name, drawn.end_points.iter().map(named).collect()))
}

/// Recognizes the network of a checkpoint and draws it.
pub(super) fn build(source: &Source, options: &ConvertOptions) -> Result<(BoundGraph, NetworkOrigin)> {
    let variables = variables(source.weights()?);
    refuse_graph_options(options)?;
    let mut recognized = sketch(source, options, &variables)?;
    let recognition = &mut recognized.recognition;
    // The auxiliary classifier serves training. It is drawn when somebody wants its end.
    let aux = recognition.options.aux_option();
    let asked = aux.is_some_and(|aux| !recognition.options.is_open(aux) && recognition.options.flag(aux));
    let wants_aux = asked || options.outputs.iter().any(|output| output.contains(AUX_LOGITS));
    if let Some(aux) = aux.filter(|_| !wants_aux) {
        recognition.options.set(aux, Value::Flag(false));
    }
    if options.image_size.is_some() && recognition.options.count(NUM_BANDS.name) > 0 {
        let network = recognition.network.name;
        return Err(Error::new("--image-size", format!("{network} takes spectrograms, not images")).advice(
            format!("set their size with --network-option {}=… and {}=…", NUM_FRAMES.name, NUM_BANDS.name),
        ));
    }
    let (height, width) = options.image_size.unwrap_or(recognition.network.image_size.into());
    let image = ImageShape { batch: options.batch_size, height, width, channels: recognition.channels };
    let (recognition, drawn) = recognized.draw(&image, &variables)?;
    let unused = unused(source.weights()?, &recognition, &drawn);
    if !options.backbone
        && let Some(error) = unused.refused(source.weights()?, recognition.network.name)
    {
        return Err(error);
    }
    let partly_pooled = partly_pooled(&drawn);
    let outputs = choose_outputs(&drawn, &options.outputs, asked)?;
    let inputs = vec![drawn.input];
    let find = |name: &str| drawn.end_point(name).or_else(|| drawn.graph.find_tensor(name));
    let inputs_as_nchw = channels_first(&drawn.graph, "input", &options.inputs_as_nchw, &inputs, find)?;
    let outputs_as_nchw = channels_first(&drawn.graph, "output", &options.outputs_as_nchw, &outputs, find)?;
    let classes = recognition.options.num_classes();
    let predictions = PREDICTIONS.iter().find_map(|name| drawn.end_point(name));
    let probabilities = predictions.filter(|&tensor| logits_of(&drawn.graph, tensor).is_some());
    let end_points =
        drawn.end_points.iter().map(|(name, tensor)| (name.clone(), drawn.graph.tensor_name(*tensor)));
    let bound = BoundGraph {
        logits: (classes > 0).then_some(drawn.output),
        probabilities,
        classes: Some(classes).filter(|_| recognition.options.value(NUM_CLASSES.name).is_some()),
        aliases: Aliases { inputs: vec![], outputs: end_points.collect() },
        keys: Aliases::default(),
        graph: drawn.graph,
        inputs,
        outputs,
        inputs_as_nchw,
        outputs_as_nchw,
        name: recognition.network.name.to_owned(),
        described: format!("{} as {}", source.path().display(), recognition.network.name),
    };
    Ok((
        bound,
        NetworkOrigin { recognition, image, disagreements: drawn.disagreements, unused, partly_pooled },
    ))
}

/// The trained variables of a checkpoint that a network recognized in it does not have.
pub fn unused(checkpoint: &Checkpoint, recognition: &Recognition, drawn: &DrawnNetwork) -> Unused {
    Unused::of_network(checkpoint, recognition, drawn.variables().map(|(name, _)| name))
}

/// What only a graph can be asked for.
fn refuse_graph_options(options: &ConvertOptions) -> Result<()> {
    let given = [
        ("--inputs", &options.inputs),
        ("--shape", &options.shapes),
        ("--freeze", &options.freeze),
        ("--use-default", &options.use_default),
        ("--ignore-default", &options.ignore_default),
    ];
    let signature = options.signature.iter().map(|_| "--signature");
    match given.iter().filter(|(_, values)| !values.is_empty()).map(|(name, _)| *name).chain(signature).next()
    {
        None => Ok(()),
        Some(option) => Err(Error::new(option, "it is about a graph, and this checkpoint comes without one")
            .advice("give the graph with --graph; the size of a network's images is set with --image-size")),
    }
}

/// The tensors that the model is to compute: the logits, then the predictions, unless others are named.
fn choose_outputs(drawn: &DrawnNetwork, names: &[String], with_aux: bool) -> Result<Vec<TensorRef>> {
    let mut outputs = vec![];
    if names.is_empty() {
        outputs.push(drawn.output);
        let ends = PREDICTIONS.iter().filter_map(|name| drawn.end_point(name));
        outputs.extend(ends.filter(|&end| end != drawn.output).take(1));
        if with_aux {
            outputs.extend(drawn.end_point(AUX_LOGITS));
        }
    }
    for name in names {
        let tensor = find(drawn, name)?;
        if !outputs.contains(&tensor) {
            outputs.push(tensor);
        }
    }
    Ok(outputs)
}

/// The tensor that the user means: an end point or a tensor's name.
fn find(drawn: &DrawnNetwork, name: &str) -> Result<TensorRef> {
    drawn.end_point(name).or_else(|| drawn.graph.find_tensor(name)).ok_or_else(|| {
        let error = Error::new(format!("\"{name}\""), "the network has no such tensor or end point");
        let end_points = drawn.end_points.iter().map(|(name, _)| name.as_str());
        suggesting_and_listing(error, name, "its end points", end_points)
    })
}

/// The window that pools before the logits, and what it pools, where it does not cover that.
fn partly_pooled(drawn: &DrawnNetwork) -> Option<[[usize; 2]; 2]> {
    let pools = drawn.graph.nodes().map(|(_, node)| node);
    let mut pools = pools.filter(|node| node.op == "AvgPool" && node.name.contains("/Logits/"));
    pools.find_map(|pool| {
        let size = |axis: usize| usize::try_from(*pool.ints("ksize").get(axis)?).ok();
        let shape = drawn.graph.shape(pool.inputs[0]);
        let (window, pooled) = ([size(1)?, size(2)?], [shape.dim(1)?, shape.dim(2)?]);
        (window != pooled).then_some([window, pooled])
    })
}

impl NetworkOrigin {
    /// By what public definitions of the network differ where nothing in a checkpoint tells which one is meant, and what was
    /// taken, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let options = &self.recognition.options;
        let name = self.recognition.network.name;
        let of_definition = |spec: &OptionSpec| match spec.source {
            OptionSource::Definition(difference) if options.is_open(spec.name) => Some(format!(
                "note: public definitions of {name} differ, and no checkpoint tells which one is meant: {difference}; \
                 {} {} was taken, and --network-option {}=… chooses",
                spec.name, spec.default, spec.name
            )),
            _ => None,
        };
        let mut notes: Vec<String> =
            self.recognition.network.options.iter().filter_map(of_definition).collect();
        let has_choice = options.is_open(GLOBAL_POOL) && !options.flag(GLOBAL_POOL);
        if let Some([window, pooled]) = self.partly_pooled.filter(|_| has_choice) {
            notes.push(format!(
                "note: for images of this size, definitions of {name} differ: a window of {}x{} pools what is {}x{} before the \
                 logits, and --network-option {GLOBAL_POOL}=true takes the mean of all of it",
                window[0], window[1], pooled[0], pooled[1]
            ));
        }
        notes
    }

    /// What the model says about its network.
    pub(super) fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self { recognition, image, .. } = self;
        let options: Vec<String> =
            recognition.options.values().map(|(name, value)| format!("{name}={value}")).collect();
        vec![
            ("network", recognition.network.name.to_owned()),
            ("network_scope", format!("{}{}", recognition.prefix, recognition.options.scope)),
            ("network_options", options.join(" ")),
            ("image_size", format!("{}x{}", image.height, image.width)),
        ]
    }
}
