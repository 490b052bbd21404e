//! `tf2onnx-rs networks NAME`: one network, built without a checkpoint, with its options and its end points.

use serde::Serialize;

use super::color::{HEADING, styled};
use super::networks::{Entry, OptionEntry};
use super::output::{self, Column};
use crate::error::Result;
use crate::graph::Shape;
use crate::slim::{self, ImageShape, Network, NetworkOption, Options, Variables};

/// The channels of color images. Only the variables of a trained network show whether its images have other channels.
const CHANNELS: usize = 3;

/// A network with its end points, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct OneNetwork<'a> {
    #[serde(flatten)]
    entry: Entry<'a>,
    /// The first of `inputs`.
    input: TensorEntry,
    inputs: Vec<TensorEntry>,
    end_points: Vec<EndPoint>,
}

#[derive(Debug, Serialize)]
struct EndPoint {
    name: String,
    #[serde(flatten)]
    tensor: TensorEntry,
}

#[derive(Debug, Serialize)]
struct TensorEntry {
    tensor: String,
    /// `null` for an open length; `null` instead of the array if not even the rank is known.
    shape: Option<Vec<Option<usize>>>,
}

impl<'a> OneNetwork<'a> {
    /// Builds a network. Options that are not given have slim's defaults.
    ///
    /// # Errors
    /// If it does not have the options, or the image does not fit it.
    pub fn build(
        network: &'a Network,
        image_size: Option<(usize, usize)>,
        given: &[NetworkOption],
    ) -> Result<Self> {
        let mut options = Options::defaults(&network.options, &network.scope);
        options.set_given(given)?;
        let (height, width) = image_size.unwrap_or(network.image_size.into());
        let image = ImageShape { batch: None, height, width, channels: CHANNELS };
        let built = slim::build(network, "", &options, &image, &Variables::new())?;
        let entry = |tensor| TensorEntry {
            tensor: built.graph.tensor_name(tensor),
            shape: built.graph.shape(tensor).dims().map(<[_]>::to_vec),
        };
        let end_points = built.end_points.iter();
        let end_points =
            end_points.map(|(name, tensor)| EndPoint { name: name.clone(), tensor: entry(*tensor) });
        Ok(Self {
            entry: Entry::new(network),
            input: entry(built.inputs[0]),
            inputs: built.inputs.iter().map(|&input| entry(input)).collect(),
            end_points: end_points.collect(),
        })
    }

    /// The network as text.
    pub fn text(&self) -> String {
        let Entry { name, scope, arg_scope, options, .. } = &self.entry;
        let mut text = format!("{} in {}, with {arg_scope}\n", styled(HEADING, name), super::scope(scope));
        for input in &self.inputs {
            text += &format!("input {} {}\n", input.tensor, input.shape());
        }
        text.push('\n');
        if !options.is_empty() {
            let rows = options.iter().map(|option| {
                let source = match option {
                    OptionEntry { read_from_variables: true, .. } => "the variables",
                    OptionEntry { read_from_config: true, .. } => "--config",
                    _ => "--network-option",
                };
                let default = option.default.to_string().trim_matches('"').to_owned();
                vec![option.name.to_owned(), default, source.to_owned(), option.help.to_owned()]
            });
            let columns = [
                Column::new("option"),
                Column::new("default"),
                Column::new("set by"),
                Column::sentences("meaning"),
            ];
            text += &output::table(&columns, rows);
            text += "\n";
        }
        let rows = self
            .end_points
            .iter()
            .map(|EndPoint { name, tensor }| vec![name.clone(), tensor.shape(), tensor.tensor.clone()]);
        let columns = [Column::names("end point"), Column::new("shape"), Column::names("tensor")];
        text + &output::table(&columns, rows)
    }
}

impl TensorEntry {
    fn shape(&self) -> String {
        self.shape.clone().map_or(Shape::UNKNOWN, Shape::new).to_string()
    }
}
