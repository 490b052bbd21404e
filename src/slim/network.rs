//! A network: its data, and the definition that builds it.

use std::sync::Arc;

use super::{ArgScope, ImageShape, NetworkBuilder, OptionSource, OptionSpec, Options, Variables};
use crate::error::Result;
use crate::graph::{Shape, TensorRef};
use crate::model_config::ModelConfig;
use crate::tensor::DType;

/// A network of the library, or one that a TOML file describes (see [`super::toml_network`]).
pub struct Network {
    /// Its name in slim's `nets_factory`.
    pub name: String,
    /// The variable scope it has by default; empty if it has none.
    pub scope: String,
    /// The height and width of the images that it was published with; zeros if it takes images of any size, or no images, or the
    /// file that describes the model sets them.
    pub image_size: [usize; 2],
    /// The name of the classifier's weights below the scope. Their last axis is the classes.
    pub logits: String,
    /// The scope of the auxiliary classifier, if the network has one.
    pub aux_logits: Option<String>,
    /// slim's name of the arg_scope that it is trained with.
    pub arg_scope_name: String,
    /// The arguments of its function.
    pub options: Arc<[OptionSpec]>,
    pub(super) definition: Box<dyn Definition>,
}

/// What the definition of a network does: a file of `nets`, or the description in a TOML file.
pub(super) trait Definition: Send + Sync {
    /// The arg_scope that the network is trained with.
    fn arg_scope(&self) -> ArgScope;

    /// The inputs, for images of this shape.
    fn inputs(&self, options: &Options, image: &ImageShape) -> Vec<NetworkInput> {
        vec![NetworkInput::images(options.input_shape(image))]
    }

    /// Checks that all is known that the variables do not show and that has no default.
    ///
    /// # Errors
    /// If the user has to give more. The network can be recognized without it, but not converted.
    fn check(&self, _options: &Options, _variables: &Variables) -> Result<()> {
        Ok(())
    }

    /// Builds the network from its inputs to the logits, or to the features if there are no classes.
    fn build(&self, slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef;
}

/// An input of a network: a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkInput {
    /// The name of the placeholder.
    pub name: &'static str,
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape; the length of the batch may be open.
    pub shape: Shape,
}

impl NetworkInput {
    /// The input of a network that computes from images, videos or spectrograms alone.
    pub fn images(shape: Shape) -> Self {
        Self { name: "input", dtype: DType::Float32, shape }
    }
}

impl Network {
    /// Whether the file that describes a model sets some of its options.
    pub fn reads_config(&self) -> bool {
        self.options.iter().any(OptionSpec::is_in_config)
    }

    /// Whether it reads images, videos or spectrograms, and not tokens.
    pub fn reads_images(&self) -> bool {
        let options = Options::defaults(&self.options, &self.scope);
        let inputs = self.definition.inputs(&options, &self.default_images(3));
        inputs.first().is_some_and(|input| input.shape.rank().is_none_or(|rank| rank > 2))
    }

    /// The size of its images in words; empty if it reads none.
    pub fn image_size_text(&self) -> String {
        match self.image_size {
            [0, 0] if self.reads_config() && self.reads_images() => "config".to_owned(),
            [0, 0] if self.reads_images() => "any".to_owned(),
            [0, 0] => String::new(),
            [height, width] if height == width => height.to_string(),
            [height, width] => format!("{height}x{width}"),
        }
    }

    /// Whether the file that describes a model sets one of its options.
    pub fn is_described_by(&self, config: &ModelConfig) -> bool {
        let is_set =
            |spec: &OptionSpec| matches!(spec.source, OptionSource::Config(read) if read(config).is_some());
        self.options.iter().any(is_set)
    }

    /// Images of the size that it was published with, in a batch of any size.
    pub fn default_images(&self, channels: usize) -> ImageShape {
        let [height, width] = self.image_size;
        ImageShape { batch: None, height, width, channels }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("name", &self.name).finish_non_exhaustive()
    }
}
