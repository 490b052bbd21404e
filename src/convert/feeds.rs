//! Where a graph is cut off and fed instead: the shapes of what it takes there, and the batch that it was built for.

use hashbrown::HashMap;

use super::ConvertOptions;
use super::infer_outputs::is_input_pipeline;
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Shape, TensorRef, TensorType};
use crate::passes::batch::{Batch, open_batch, with_batch};
use crate::passes::cut::cut_inputs;
use crate::passes::fold::simplify;
use crate::suggestion::suggesting_and_listing;
use crate::tensor::{Constant, DType};

/// The nodes that become inputs.
#[derive(Default)]
pub(super) struct Feeds {
    cuts: Vec<Cut>,
}

/// A node that becomes an input.
struct Cut {
    name: String,
    /// What its outputs are to be; a batch that the graph was not built for is open.
    shapes: Vec<Shape>,
    dtypes: Vec<DType>,
    /// Whether it hands out what a model is trained with.
    is_of_training: bool,
    /// Whether an option says what its batch is to be.
    is_asked: bool,
    /// The batch that it was built for, where it is to have another one.
    batch: Option<Rebuilt>,
}

/// An input whose batch is not the one that the graph was built for.
struct Rebuilt {
    batch: Batch,
    length: Option<usize>,
    /// The option that asks for that, if one does.
    asked: Option<String>,
}

/// A shape, given as in `--shape NAME=DIMS`.
pub(super) struct GivenShape<'a> {
    pub given: &'a str,
    /// The node, and which of its outputs.
    pub node: &'a str,
    pub port: usize,
    pub shape: Shape,
}

impl<'a> GivenShape<'a> {
    /// All that are given.
    pub fn all(options: &'a ConvertOptions) -> Result<Vec<Self>> {
        options.shapes.iter().map(|given| Self::parse(given)).collect()
    }

    fn parse(given: &'a str) -> Result<Self> {
        let wrong = |problem: &str| {
            Error::new(format!("--shape {given}"), problem).advice("write it as NAME=1,224,224,3; -1 is open")
        };
        let (name, dims) = given.split_once('=').ok_or_else(|| wrong("it is not of the form NAME=DIMS"))?;
        let dims = dims.trim_matches(['[', ']']);
        let dims = dims.split([',', 'x']).map(str::trim).filter(|dim| !dim.is_empty());
        let dims: Option<Vec<Option<usize>>> = dims
            .map(|dim| if matches!(dim, "-1" | "?") { Some(None) } else { dim.parse().ok().map(Some) })
            .collect();
        let shape = Shape::new(dims.ok_or_else(|| wrong("its lengths are not numbers"))?);
        let port = |(node, port): (&'a str, &str)| Some((node, port.parse().ok()?));
        let (node, port) = name.rsplit_once(':').and_then(port).unwrap_or((name, 0));
        Ok(Self { given, node, port, shape })
    }

    /// The error where the shape is not one of an input's.
    pub fn error<'k>(&self, inputs: impl Iterator<Item = &'k str>) -> Error {
        let error = Error::new(format!("--shape {}", self.given), "the model has no such input");
        suggesting_and_listing(error, self.node, "its inputs", inputs)
    }
}

/// Fills in the height and width of images, where they are open.
///
/// # Errors
/// Where they are others.
pub(super) fn set_image_size(
    name: &str,
    dims: &mut [Option<usize>],
    (height, width): (usize, usize),
) -> Result<()> {
    let shape = Shape::new(dims.to_vec());
    let [batch, rows, columns, channels] = dims else { return Ok(()) };
    rows.get_or_insert(height);
    columns.get_or_insert(width);
    if (*rows, *columns) == (Some(height), Some(width)) {
        return Ok(());
    }
    let other = as_given(&[*batch, Some(height), Some(width), *channels]);
    Err(Error::new(format!("--image-size {height}x{width}"), format!("the graph's input {name} is {shape}"))
        .advice(format!("if the network takes images of any size, --shape {name}={other} says so")))
}

/// A shape as `--shape` takes it.
fn as_given(dims: &[Option<usize>]) -> String {
    let dims = dims.iter().map(|dim| dim.map_or("-1".to_owned(), |length| length.to_string()));
    dims.collect::<Vec<_>>().join(",")
}

impl Feeds {
    /// Adds the nodes of these tensors, with the shapes that they are asked to have.
    ///
    /// # Errors
    /// Where the options do not fit them.
    pub fn add(
        &mut self,
        graph: &Graph,
        tensors: &[TensorRef],
        options: &ConvertOptions,
        given: &[GivenShape<'_>],
    ) -> Result<()> {
        let mut nodes: Vec<NodeId> = tensors.iter().map(|tensor| tensor.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        for id in nodes {
            self.cuts.push(Cut::new(graph, id, options, given)?);
        }
        Ok(())
    }

    /// The types of the outputs of each node.
    pub fn types(&self) -> HashMap<String, Vec<TensorType>> {
        self.cuts.iter().map(|cut| (cut.name.clone(), cut.types())).collect()
    }

    /// The graph with inputs in the place of these nodes.
    ///
    /// # Errors
    /// Where it does not fit together any more.
    pub fn cut(&self, graph: Graph) -> Result<Graph> {
        cut_inputs(graph, &self.types())
    }

    /// Gives the inputs of the cut graph the batches that they are to have, as far as it can compute with them.
    ///
    /// # Errors
    /// Where it cannot, and was asked to.
    pub fn settle_batches(
        &self,
        mut graph: Graph,
        outputs: &[String],
        notes: &mut Vec<String>,
    ) -> Result<Graph> {
        let cuts = self.cuts.iter().filter(|cut| graph.find(&cut.name).is_some());
        let rebuilt: Vec<&Rebuilt> = cuts.filter_map(|cut| cut.batch.as_ref()).collect();
        for Rebuilt { batch, length, asked } in rebuilt {
            graph = match (open_batch(&graph, batch), asked) {
                (Ok(open), _) => match length {
                    Some(_) => with_batch(&open, batch, *length)?,
                    None => open,
                },
                (Err(error), Some(option)) => {
                    let problem = format!("{}: {}", error.subject(), error.problem());
                    return Err(Error::new(option, problem).advice("leave the batch as it is"));
                }
                (Err(error), None) => {
                    notes.push(format!(
                        "note: {} takes batches of {}, no others: {} is built for them",
                        batch.input,
                        batch.built,
                        error.subject()
                    ));
                    with_batch(&graph, batch, Some(batch.built))?
                }
            };
            graph = simplify(graph, outputs)?;
        }
        Ok(graph)
    }

    /// What is to be said of the inputs among `fed` that handed out what the model was trained with.
    pub fn notes<'a>(&'a self, graph: &'a Graph, fed: &'a [TensorRef]) -> impl Iterator<Item = String> + 'a {
        let of_training = self.cuts.iter().filter(|cut| cut.is_of_training);
        of_training.flat_map(move |cut| {
            let ports = fed.iter().filter(|tensor| graph.node(tensor.node).name == cut.name);
            let delivered = format!(
                "note: {} delivered the training data; it is cut off, and is an input of the model",
                cut.name
            );
            let is_input = ports.clone().next().is_some();
            let fixed = ports.filter_map(|&tensor| cut.note_of_batch(graph, tensor));
            is_input.then_some(delivered).into_iter().chain(fixed)
        })
    }
}

impl Cut {
    fn new(graph: &Graph, id: NodeId, options: &ConvertOptions, given: &[GivenShape<'_>]) -> Result<Self> {
        let node = graph.node(id);
        let is_of_training = is_input_pipeline(&node.op);
        let many = match is_of_training {
            true => length_dequeued(graph, id),
            // What lies behind a queue was built for its batches.
            false => graph.nodes().find_map(|(id, _)| length_dequeued(graph, id)),
        };
        let mut shapes: Vec<Shape> = node.outputs.iter().map(|output| output.shape.clone()).collect();
        let built = shapes.first().and_then(|shape| shape.dim(0)).or(many);
        let has_batch = |shape: &Shape| {
            shape.rank().is_some_and(|rank| rank > 0) && (shape.dim(0).is_none() || shape.dim(0) == built)
        };
        let mut ports: Vec<usize> = (0..shapes.len()).filter(|&port| has_batch(&shapes[port])).collect();
        let mut length = shapes.first().and_then(|shape| shape.dim(0));
        let mut asked = None;
        if let Some(size) = options.batch_size {
            (length, asked) = (Some(size), Some(format!("--batch-size {size}")));
        }
        for given in given.iter().filter(|given| given.node == node.name) {
            let Some(shape) = shapes.get_mut(given.port) else {
                return Err(given.error([&*node.name].into_iter()));
            };
            // A shape that nothing was known of may have its batch in front too.
            if shape.rank().is_none() && given.shape.rank() != Some(0) {
                ports.push(given.port);
            }
            if ports.contains(&given.port) {
                (length, asked) = (given.shape.dim(0), Some(format!("--shape {}", given.given)));
            }
            shape.clone_from(&given.shape);
        }
        let is_asked = asked.is_some();
        let rebuilt = built.filter(|&built| length != Some(built));
        for (port, shape) in shapes.iter_mut().enumerate() {
            let Some(mut dims) = shape.dims().map(<[_]>::to_vec) else { continue };
            if let (Some(first), true) = (dims.first_mut(), ports.contains(&port)) {
                // Parts of training may be built for the old batch, and are still there where the graph is cut.
                *first = length.filter(|_| rebuilt.is_none());
            }
            if let Some(size) = options.image_size {
                set_image_size(&node.name, &mut dims, size)?;
            }
            *shape = Shape::new(dims);
        }
        let batch = |built| Batch { input: node.name.clone(), ports, built };
        let batch = rebuilt.map(|built| Rebuilt { batch: batch(built), length, asked });
        let dtypes = node.outputs.iter().map(|output| output.dtype).collect();
        Ok(Self { name: node.name.clone(), shapes, dtypes, is_of_training, is_asked, batch })
    }

    /// The types of its outputs.
    fn types(&self) -> Vec<TensorType> {
        let outputs = self.dtypes.iter().zip(&self.shapes);
        outputs.map(|(&dtype, shape)| TensorType::new(dtype, shape.clone())).collect()
    }

    /// How the batch of an input is opened that has the length of training.
    fn note_of_batch(&self, graph: &Graph, tensor: TensorRef) -> Option<String> {
        let shape = graph.shape(tensor);
        let Some([Some(_), rest @ ..]) = shape.dims() else { return None };
        if rest.is_empty() || self.is_asked || self.batch.is_some() {
            return None;
        }
        let name = graph.tensor_name(tensor);
        let name = name.strip_suffix(":0").unwrap_or(&name);
        Some(format!(
            "note: {name} has the shape {shape} of training; --shape {name}=-1,{} opens its batch",
            as_given(rest)
        ))
    }
}

/// How many a queue hands out at once, where that is a part of the graph.
fn length_dequeued(graph: &Graph, id: NodeId) -> Option<usize> {
    let node = graph.node(id);
    if !matches!(node.op.as_str(), "QueueDequeueManyV2" | "QueueDequeueMany") {
        return None;
    }
    let count = graph.constant(*node.inputs.get(1)?).map(Constant::to_i64s)?.ok()??;
    usize::try_from(*count.first()?).ok()
}
