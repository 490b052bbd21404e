//! The road from a checkpoint to an ONNX model, as a library call.

use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::lower::{LowerOptions, lower};
use crate::model::Model as Source;
use crate::onnx::Model;
use crate::passes::atrous::dilate_convolutions;
use crate::passes::batch_norm::{BatchNorm, batch_norms};
use crate::passes::freeze::freeze_variables;
use crate::passes::fuse_batch_norm::fuse_batch_norms;
use crate::passes::pad_convolutions::pad_convolutions;
use crate::slim::recognize::Wishes;
use crate::slim::{
    self, DrawnNetwork, ImageShape, Recognition, ScopeDisagreement, Value, Variables, network_named,
    recognize,
};

/// What is to be said about a conversion; the defaults are those of the command line.
#[derive(Debug, Clone)]
pub struct ConvertOptions {
    /// The network's name or the file that describes it, instead of leaving it to be recognized.
    pub network: Option<String>,
    /// slim's arguments of the network, each as `KEY=VALUE`.
    pub network_options: Vec<String>,
    /// Height and width of the images; the network's own by default.
    pub image_size: Option<(usize, usize)>,
    /// Images in a batch; open by default.
    pub batch_size: Option<usize>,
    /// Tensor names or slim end points; the logits and the predictions by default.
    pub outputs: Vec<String>,
    /// The ONNX operator set.
    pub opset: i64,
    /// Inputs to declare with their channels second.
    pub inputs_as_nchw: Vec<String>,
    /// Outputs to deliver with their channels second.
    pub outputs_as_nchw: Vec<String>,
}

impl Default for ConvertOptions {
    fn default() -> Self {
        Self {
            network: None,
            network_options: vec![],
            image_size: None,
            batch_size: None,
            outputs: vec![],
            opset: 17,
            inputs_as_nchw: vec![],
            outputs_as_nchw: vec![],
        }
    }
}

/// A converted model and what was assumed on the way.
#[derive(Debug)]
pub struct Conversion {
    /// The model, its weights still where they are.
    pub model: Model,
    /// The network it was recognized as.
    pub recognition: Recognition,
    /// The images it was drawn for.
    pub image: ImageShape,
    /// Its batch norms.
    pub batch_norms: Vec<BatchNorm>,
    /// Layers where the checkpoint was believed rather than the arg_scope.
    pub disagreements: Vec<ScopeDisagreement>,
}

/// The auxiliary classifier's end point.
const AUX_LOGITS: &str = "AuxLogits";

/// The end point that follows from the logits: the classes' probabilities, which the residual networks write
/// small, or a face's embedding.
const PREDICTIONS: [&str; 3] = ["Predictions", "predictions", "embeddings"];

/// Names and shapes of a checkpoint's tensors.
pub fn variables(checkpoint: &Checkpoint) -> Variables {
    checkpoint.tensors().map(|tensor| (tensor.name().to_owned(), tensor.shape().to_vec())).collect()
}

/// Recognizes the network of a checkpoint.
///
/// # Errors
/// Where the checkpoint holds none of the library's networks, or options are not the network's.
pub fn recognize_checkpoint(source: &Source, options: &ConvertOptions) -> Result<Recognition> {
    let network = options.network.as_deref().map(network_named).transpose()?;
    recognize(&variables(source.checkpoint()), Wishes { network, options: &options.network_options })
        .map_err(|error| error.within(source.path().display()))
}

/// Converts a checkpoint that comes without a graph: recognizes its network, draws it, and writes it as ONNX.
///
/// # Errors
/// Where the network is not recognized, its variables are not all there, or the options do not fit it.
pub fn convert(source: &Source, options: &ConvertOptions) -> Result<Conversion> {
    let checkpoint = source.checkpoint();
    let mut recognition = recognize_checkpoint(source, options)?;
    // The auxiliary classifier serves training. It is drawn when somebody wants its end.
    let aux = recognition.options.aux_option();
    let asked = aux.is_some_and(|aux| !recognition.options.is_open(aux) && recognition.options.flag(aux));
    let wants_aux = asked || options.outputs.iter().any(|output| output.contains(AUX_LOGITS));
    if let Some(aux) = aux.filter(|_| !wants_aux) {
        recognition.options.set(aux, Value::Flag(false));
    }
    let (height, width) = options.image_size.unwrap_or(recognition.network.image_size.into());
    let image = ImageShape { batch: options.batch_size, height, width, channels: recognition.channels };
    let drawn = slim::draw(
        recognition.network,
        &recognition.prefix,
        &recognition.options,
        &image,
        &variables(checkpoint),
    )?;

    let outputs = choose_outputs(&drawn, &options.outputs, asked)?;
    let as_nchw = |names: &[String]| names.iter().map(|name| find(&drawn, name)).collect::<Result<Vec<_>>>();
    let (inputs_as_nchw, outputs_as_nchw) =
        (as_nchw(&options.inputs_as_nchw)?, as_nchw(&options.outputs_as_nchw)?);
    check_choice(&drawn, "--inputs-as-nchw", &inputs_as_nchw, &[drawn.input])?;
    check_choice(&drawn, "--outputs-as-nchw", &outputs_as_nchw, &outputs)?;

    // Pruning moves what is left; all tensors that are named go through it together.
    let named = [&outputs[..], &[drawn.input]].concat();
    let (graph, _) = drawn.graph.pruned_to(&named);
    let graph = pad_convolutions(&dilate_convolutions(&fuse_batch_norms(&graph)?)?)?;
    let named: Vec<TensorRef> =
        named.iter().filter_map(|&tensor| graph.find_tensor(&drawn.graph.tensor_name(tensor))).collect();
    let (mut graph, kept) = graph.pruned_to(&named);
    let moved = |tensors: &[TensorRef]| -> Vec<TensorRef> {
        tensors.iter().filter_map(|&tensor| graph.find_tensor(&drawn.graph.tensor_name(tensor))).collect()
    };
    let lower_options = LowerOptions {
        opset: options.opset,
        inputs_as_nchw: moved(&inputs_as_nchw),
        outputs_as_nchw: moved(&outputs_as_nchw),
    };
    let batch_norms = batch_norms(&graph);
    let origin = format!("{} as {}", source.path().display(), recognition.network.name);
    freeze_variables(&mut graph, &origin, |name| checkpoint.get(name).map(|tensor| tensor.constant()))?;
    let mut model = lower(&graph, &kept[..outputs.len()], &lower_options)?;
    model.name = recognition.network.name.to_owned();
    model.metadata = metadata(source, &recognition, &image, &batch_norms);
    let disagreements = drawn.disagreements;
    Ok(Conversion { model, recognition, image, batch_norms, disagreements })
}

/// The tensors that the model is to compute: the logits, then the predictions, unless others are named.
fn choose_outputs(drawn: &DrawnNetwork, names: &[String], with_aux: bool) -> Result<Vec<TensorRef>> {
    let mut outputs = vec![];
    if names.is_empty() {
        outputs.push(drawn.output);
        outputs.extend(PREDICTIONS.iter().find_map(|name| drawn.end_point(name)));
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
        let end_points: Vec<&str> = drawn.end_points.iter().map(|(name, _)| name.as_str()).collect();
        Error::new(format!("\"{name}\""), "the network has no such tensor or end point")
            .advice(format!("its end points are {}", end_points.join(", ")))
    })
}

fn check_choice(drawn: &DrawnNetwork, option: &str, chosen: &[TensorRef], among: &[TensorRef]) -> Result<()> {
    let name = |tensor: &TensorRef| drawn.graph.tensor_name(*tensor);
    match chosen.iter().find(|tensor| !among.contains(tensor)) {
        None => {
            match chosen.iter().find(|&&tensor| drawn.graph.shape(tensor).rank().is_none_or(|rank| rank < 3))
            {
                None => Ok(()),
                Some(flat) => {
                    let problem = format!(
                        "{} has the shape {}, without channels to move",
                        name(flat),
                        drawn.graph.shape(*flat)
                    );
                    Err(Error::new(option, problem))
                }
            }
        }
        Some(other) => {
            let among: Vec<String> = among.iter().map(name).collect();
            Err(Error::new(format!("{option} {}", name(other)), "the model will not have that")
                .advice(format!("choose among {}", among.join(", "))))
        }
    }
}

/// What the model says about its origin.
fn metadata(
    source: &Source,
    recognition: &Recognition,
    image: &ImageShape,
    batch_norms: &[BatchNorm],
) -> Vec<(String, String)> {
    let file = source.path().file_name().map(|name| name.to_string_lossy().into_owned());
    let options: Vec<String> =
        recognition.options.values().map(|(name, value)| format!("{name}={value}")).collect();
    [
        ("source", file.unwrap_or_default()),
        ("network", recognition.network.name.to_owned()),
        ("network_scope", format!("{}{}", recognition.prefix, recognition.options.scope)),
        ("network_options", options.join(" ")),
        ("image_size", format!("{}x{}", image.height, image.width)),
        ("batch_norms", BatchNormSummary::new(batch_norms, recognition).to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec()
}

/// What the batch norms of a network have in common, and what was assumed of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchNormSummary {
    /// How many there are.
    pub count: usize,
    /// How many have their gamma stored.
    pub gamma_stored: usize,
    /// How many were given a unit scale.
    pub gamma_synthesized: usize,
    /// How many have their beta stored.
    pub beta_stored: usize,
    /// How many were given zeros.
    pub beta_synthesized: usize,
    /// The epsilons that occur.
    pub epsilons: Vec<f32>,
    /// Where the epsilons come from.
    pub epsilon_source: String,
}

impl BatchNormSummary {
    /// Counts over the batch norms of a recognized network.
    pub fn new(batch_norms: &[BatchNorm], recognition: &Recognition) -> Self {
        let gamma_stored = batch_norms.iter().filter(|norm| norm.gamma.is_stored()).count();
        let beta_stored = batch_norms.iter().filter(|norm| norm.beta.is_stored()).count();
        let mut epsilons: Vec<f32> = batch_norms.iter().map(|norm| norm.epsilon).collect();
        epsilons.sort_by(f32::total_cmp);
        epsilons.dedup();
        Self {
            count: batch_norms.len(),
            gamma_stored,
            gamma_synthesized: batch_norms.len() - gamma_stored,
            beta_stored,
            beta_synthesized: batch_norms.len() - beta_stored,
            epsilons,
            epsilon_source: format!("{}'s arg_scope", recognition.network.name),
        }
    }
}

impl std::fmt::Display for BatchNormSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.count == 0 {
            return f.write_str("no batch norms");
        }
        write!(f, "{} batch norms: gamma stored for {}", self.count, self.gamma_stored)?;
        write!(f, ", unit scale synthesized for {}", self.gamma_synthesized)?;
        if self.gamma_synthesized > 0 {
            f.write_str(" (slim's scale=False)")?;
        }
        if self.beta_synthesized > 0 {
            write!(f, "; beta stored for {}", self.beta_stored)?;
            write!(f, ", zeros synthesized for {} (slim's center=False)", self.beta_synthesized)?;
        }
        let epsilons: Vec<String> = self.epsilons.iter().map(f32::to_string).collect();
        write!(f, "; epsilon {} from {}", epsilons.join(" and "), self.epsilon_source)
    }
}
