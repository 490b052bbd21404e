//! Activation functions. Each builds the same nodes under the same names as the function of TensorFlow or of the network that defines it.

use super::{Activation, NetworkBuilder};
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

impl NetworkBuilder<'_> {
    /// The result of an activation function, or `net` if there is none.
    pub(super) fn activated(&mut self, net: TensorRef, activation: Option<Activation>) -> TensorRef {
        match activation {
            None => net,
            Some(Activation::Relu) => self.op("Relu", "Relu", &[net], []),
            Some(Activation::Relu6) => self.op("Relu6", "Relu6", &[net], []),
            Some(Activation::LeakyRelu(alpha)) => {
                self.op("LeakyRelu", "LeakyRelu", &[net], [("alpha", Attr::Float(alpha))])
            }
            Some(Activation::PRelu(alphas)) => self.prelu(net, alphas),
            Some(Activation::Elu) => self.op("Elu", "Elu", &[net], []),
            Some(Activation::Tanh) => self.op("Tanh", "Tanh", &[net], []),
            Some(Activation::Sigmoid) => self.sigmoid(net),
            Some(Activation::Identity) => self.identity(net, "Identity"),
            Some(Activation::Clip) => self.clip_by_value(net, -6.0, 6.0),
            Some(Activation::Swish) => self.swish(net),
            Some(Activation::HardSwish) => self.hard_swish(net, "hard_swish"),
            Some(Activation::Swish6) => self.hard_swish(net, "swish6"),
            Some(Activation::HardSigmoid) => self.hard_sigmoid(net),
        }
    }

    /// `tf.nn.relu`
    pub fn relu(&mut self, net: TensorRef) -> TensorRef {
        self.activated(net, Some(Activation::Relu))
    }

    /// `tf.nn.sigmoid`
    pub fn sigmoid(&mut self, net: TensorRef) -> TensorRef {
        self.op("Sigmoid", "Sigmoid", &[net], [])
    }

    /// `tf.nn.swish`: `net * sigmoid(1.0 * net)`, in a function with a gradient of its own.
    fn swish(&mut self, net: TensorRef) -> TensorRef {
        let beta = self.constant("beta", Constant::from_f32(vec![], &[1.0]));
        let scaled = self.op("mul", "Mul", &[beta, net], []);
        let gate = self.sigmoid(scaled);
        let swish = self.product(net, gate);
        self.identity(swish, "Identity");
        self.op("IdentityN", "IdentityN", &[swish, net, beta], [])
    }

    /// A ReLU with a variable slope for negative numbers: `relu(net) + alphas * (net - |net|) * 0.5`.
    fn prelu(&mut self, net: TensorRef, alphas: &str) -> TensorRef {
        let channels = self.channels(net);
        let alphas = self.variable(alphas, &[channels]);
        let positive = self.relu(net);
        let absolute = self.op("Abs", "Abs", &[net], []);
        let negative = self.op("sub", "Sub", &[net, absolute], []);
        let scaled = self.product(alphas, negative);
        let scaled = self.times(scaled, 0.5);
        self.sum(positive, scaled)
    }

    /// `net * relu6(net + 3) / 6`
    pub(super) fn hard_swish(&mut self, net: TensorRef, scope: &str) -> TensorRef {
        self.name_scope(scope, |slim| {
            let shifted = slim.plus(net, 3.0);
            let gate = slim.op("Relu6", "Relu6", &[shifted], []);
            let gated = slim.product(net, gate);
            slim.times(gated, 1.0 / 6.0)
        })
    }

    /// `relu6(net + 3) * 0.16667`: slim rounds 1/6 to this.
    pub(super) fn hard_sigmoid(&mut self, net: TensorRef) -> TensorRef {
        let shifted = self.plus(net, 3.0);
        let gate = self.op("Relu6", "Relu6", &[shifted], []);
        self.times(gate, 0.16667)
    }
}
