//! Determines the purpose of a tensor from its name: weights, batch norm, or training only.
//!
//! Source: the slots that `tensorflow/python/training/slot_creator.py` creates, with the names of the optimizers in
//! `tensorflow/python/training` and `tf.contrib.opt`; `moving_averages.py`; `training_util.py`.

use serde::Serialize;

use crate::tensor::DType;

/// The purpose of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Trained weights: kernels, biases, embeddings.
    Weights,
    /// A variable of a batch norm.
    BatchNorm,
    /// The state of an optimizer: slots of each weight, powers of its decays, its learning rate.
    Optimizer,
    /// The moving average of a weight.
    MovingAverage,
    /// A counter of training steps.
    Counter,
    /// Anything else.
    Other,
}

impl Kind {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 6] =
        [Self::Weights, Self::BatchNorm, Self::MovingAverage, Self::Optimizer, Self::Counter, Self::Other];

    /// Its name, for users.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::BatchNorm => "batch norm",
            Self::Optimizer => "optimizer",
            Self::MovingAverage => "moving average",
            Self::Counter => "counter",
            Self::Other => "other",
        }
    }
}

/// The names of optimizers' slots. The slots of a weight `w` are `w/Momentum`, or `w/Adam` and `w/Adam_1`: the name of the
/// optimizer, with a number if there are several. BERT's optimizer has other names.
const SLOTS: [&str; 22] = [
    "AdaMax",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "AdagradDA",
    "Adam",
    "AdamAsync",
    "AdamW",
    "AddSign",
    "Ftrl",
    "GradientDescent",
    "LARSOptimizer",
    "LazyAdam",
    "Momentum",
    "MomentumW",
    "Nadam",
    "PowerSign",
    "ProximalAdagrad",
    "RMSProp",
    "adam_m",
    "adam_v",
    "gradient_accumulator",
];

/// Scalars of an optimizer that do not belong to a weight.
const OPTIMIZER_SCALARS: [&str; 6] =
    ["beta1_power", "beta2_power", "learning_rate", "loss_scale", "good_steps", "decay"];

/// The scopes of Keras optimizers: `training/Adam/conv/kernel/m`.
const KERAS_SCOPES: [&str; 9] =
    ["Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "RMSprop", "SGD", "optimizer"];

/// Counters of steps.
const COUNTERS: [&str; 8] = [
    "eval_step",
    "global_step",
    "iter",
    "iterations",
    "local_step",
    "num_batches_tracked",
    "save_counter",
    "step",
];

/// The suffix that object-based checkpoints add to the path of a variable, and the part of the path that marks slots of
/// optimizers.
pub const OBJECT_VALUE: &str = "/.ATTRIBUTES/VARIABLE_VALUE";
const OBJECT_SLOT: &str = "/.OPTIMIZER_SLOT/";

/// The mean color of the training images. Checkpoints of published ResNets and VGGs contain it, but no op of the networks
/// reads it: slim subtracts it before (`vgg_preprocessing.py`).
const MEAN_COLOR: &str = "mean_rgb";

/// The statistics of a batch norm.
const STATISTICS: [&str; 4] = ["moving_mean", "moving_variance", "running_mean", "running_var"];

/// Determines the purpose of a tensor. `is_of_batch_norm` returns whether a tensor of this name is known to belong to a
/// batch norm. `exists` returns whether there is a tensor of this name, because a layer norm has a gamma too, but no moving
/// mean.
pub fn kind_of(
    name: &str,
    dtype: Option<DType>,
    rank: usize,
    is_of_batch_norm: &dyn Fn(&str) -> bool,
    exists: &dyn Fn(&str) -> bool,
) -> Kind {
    let path = bare_name(name);
    let (scope, last) = path.rsplit_once('/').unwrap_or(("", path));
    let role = without_number(last);
    let has_statistics =
        || STATISTICS.iter().any(|statistic| exists(&name.replace(path, &format!("{scope}/{statistic}"))));
    let is_scalar = rank == 0;
    if name.contains(OBJECT_SLOT) || SLOTS.contains(&last) || SLOTS.contains(&role) {
        Kind::Optimizer
    } else if role == "ExponentialMovingAverage" || is_debiasing(scope, last) {
        Kind::MovingAverage
    } else if is_scalar && COUNTERS.contains(&role) {
        Kind::Counter
    } else if is_scalar && OPTIMIZER_SCALARS.contains(&role) || is_of_keras_optimizer(path) {
        Kind::Optimizer
    } else if is_of_batch_norm(name)
        || STATISTICS.contains(&last)
        || matches!(last, "gamma" | "beta") && has_statistics()
    {
        Kind::BatchNorm
    } else if !is_scalar && last != MEAN_COLOR && dtype.is_some_and(holds_weights) {
        Kind::Weights
    } else {
        Kind::Other
    }
}

/// The name without the number of an output and without the suffix of object-based checkpoints.
fn bare_name(name: &str) -> &str {
    let name = name.strip_suffix(OBJECT_VALUE).unwrap_or(name);
    match name.rsplit_once(':') {
        Some((node, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => node,
        _ => name,
    }
}

/// A name without the number that makes it unique: `Adam` for `Adam_1`.
fn without_number(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            name
        }
        _ => name,
    }
}

/// Whether it is a variable of `assign_moving_average` that corrects the initial bias of a moving average.
fn is_debiasing(scope: &str, last: &str) -> bool {
    let (_, averaged) = scope.rsplit_once('/').unwrap_or(("", scope));
    matches!(last, "biased" | "local_step") && STATISTICS.contains(&averaged)
}

fn is_of_keras_optimizer(path: &str) -> bool {
    let path = path.strip_prefix("training/").unwrap_or(path);
    path.split_once('/').is_some_and(|(scope, _)| KERAS_SCOPES.contains(&without_number(scope)))
}

/// Whether trained weights can have this type, also after quantization.
fn holds_weights(dtype: DType) -> bool {
    let is_quantized =
        matches!(dtype, DType::QInt8 | DType::QUInt8 | DType::QInt16 | DType::QUInt16 | DType::QInt32);
    dtype.is_float() || is_quantized || matches!(dtype, DType::Complex64 | DType::Complex128)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, rank: usize) -> Kind {
        let others = ["net/BatchNorm/moving_mean", "net/BatchNorm/moving_variance"];
        kind_of(name, Some(DType::Float32), rank, &|_| false, &|name| others.contains(&name))
    }

    #[test]
    fn training_state_of_a_weight_is_recognized_by_the_last_part_of_its_name() {
        for slot in ["Adam", "Adam_1", "Momentum", "RMSProp_2", "Adagrad", "Ftrl_1", "adam_v", "AdamW"] {
            assert_eq!(kind(&format!("net/Conv/weights/{slot}"), 4), Kind::Optimizer, "{slot}");
        }
        assert_eq!(kind("net/Conv/weights/ExponentialMovingAverage", 4), Kind::MovingAverage);
        assert_eq!(kind("net/BatchNorm/moving_mean/biased", 1), Kind::MovingAverage);
        assert_eq!(kind("net/Conv/weights", 4), Kind::Weights);
        assert_eq!(kind("Adam_net/Conv/biases", 1), Kind::Weights);
    }

    #[test]
    fn scalars_of_training_are_counters_or_belong_to_the_optimizer() {
        assert_eq!(kind("global_step", 0), Kind::Counter);
        assert_eq!(kind("beta2_power_1", 0), Kind::Optimizer);
        assert_eq!(kind("OptimizeLoss/learning_rate", 0), Kind::Optimizer);
        assert_eq!(kind("training/Adam/conv/kernel/m", 4), Kind::Optimizer);
        assert_eq!(kind("temperature", 0), Kind::Other);
        assert_eq!(kind("vgg_16/mean_rgb", 1), Kind::Other);
        let slot = "net/kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE";
        assert_eq!(kind(slot, 4), Kind::Optimizer);
        assert_eq!(kind("save_counter/.ATTRIBUTES/VARIABLE_VALUE", 0), Kind::Counter);
    }

    #[test]
    fn a_gamma_belongs_to_a_batch_norm_if_there_are_statistics_beside_it() {
        for part in ["gamma", "beta", "moving_mean", "moving_variance"] {
            assert_eq!(kind(&format!("net/BatchNorm/{part}"), 1), Kind::BatchNorm, "{part}");
        }
        assert_eq!(kind("net/LayerNorm/gamma", 1), Kind::Weights);
        let of_onnx = kind_of("x:0", Some(DType::Float32), 1, &|name| name == "x:0", &|_| false);
        assert_eq!(of_onnx, Kind::BatchNorm);
    }
}
