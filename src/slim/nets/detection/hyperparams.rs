//! The arguments of layers that a configuration sets.
//!
//! Source: `build` in `research/object_detection/builders/hyperparams_builder.py`.

use super::fields::Message;
use crate::error::Result;
use crate::slim::{Activation, Arg, ArgScope, Layer, NetworkBuilder, Normalizer};

/// The fields of `Hyperparams`, as far as they matter after training.
#[derive(Debug, Clone)]
pub struct Hyperparams {
    /// Whether they are those of fully connected layers instead of convolutions.
    of_fully_connected: bool,
    activation: Option<Activation>,
    batch_norm: Option<Vec<Arg>>,
}

impl Hyperparams {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        message.has_only(&[
            "op",
            "activation",
            "batch_norm",
            // They are for training.
            "regularizer",
            "initializer",
            "regularize_depthwise",
        ])?;
        let activation = match message.word("activation", "RELU")? {
            "NONE" => None,
            "RELU" => Some(Activation::Relu),
            "RELU_6" => Some(Activation::Relu6),
            _ => return Err(message.refused("activation", "only NONE, RELU and RELU_6 are converted")),
        };
        let batch_norm = message.message("batch_norm");
        batch_norm.has_only(&["decay", "center", "scale", "epsilon", "train"])?;
        let batch_norm_args = vec![
            Arg::Decay(batch_norm.number("decay", 0.999)? as f32),
            Arg::Center(batch_norm.flag("center", true)?),
            Arg::Scale(batch_norm.flag("scale", false)?),
            Arg::Epsilon(batch_norm.number("epsilon", 0.001)? as f32),
        ];
        Ok(Self {
            of_fully_connected: message.word("op", "CONV")? == "FC",
            activation,
            batch_norm: message.has("batch_norm").then_some(batch_norm_args),
        })
    }

    /// Whether layers have a batch norm.
    pub fn has_batch_norm(&self) -> bool {
        self.batch_norm.is_some()
    }

    /// `slim.arg_scope(hyperparams_fn())`
    pub fn scope<T>(
        &self,
        slim: &mut NetworkBuilder<'_>,
        build: impl FnOnce(&mut NetworkBuilder<'_>) -> T,
    ) -> T {
        let convolutions = [Layer::Conv2d, Layer::SeparableConv2d];
        let layers: &[Layer] = if self.of_fully_connected { &[Layer::FullyConnected] } else { &convolutions };
        let normalizer = self.batch_norm.as_ref().map(|_| Normalizer::BatchNorm);
        let scope = ArgScope::new()
            .nested(&[Layer::BatchNorm], self.batch_norm.as_deref().unwrap_or_default())
            .nested(layers, &[Arg::ActivationFn(self.activation), Arg::NormalizerFn(normalizer)]);
        slim.arg_scopes(&scope, build)
    }
}
