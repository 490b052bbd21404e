//! What a tensor is for, told by its name: weights, batch norm, or what only training needs.
//!
//! Source: the slots that `tensorflow/python/training/slot_creator.py` makes, under the names that each optimizer of
//! `tensorflow/python/training` and `tf.contrib.opt` gives them; `moving_averages.py`; `training_util.py`.

use serde::Serialize;

use crate::tensor::DType;

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Kernels, biases, embeddings: what was trained.
    Weights,
    /// A part of a batch norm.
    BatchNorm,
    /// What an optimizer keeps: slots of each weight, powers of its decays, its learning rate.
    Optimizer,
    /// A smoothed copy of a weight.
    MovingAverage,
    /// How far training has come.
    Counter,
    /// Anything else.
    Other,
}

impl Kind {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 6] =
        [Self::Weights, Self::BatchNorm, Self::MovingAverage, Self::Optimizer, Self::Counter, Self::Other];

    /// What to call it.
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

/// What optimizers call the slots of a weight `w`: `w/Momentum`, `w/Adam` and `w/Adam_1`. A slot has the name of its
/// optimizer, with a number where there are several. BERT's optimizer has names of its own.
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

/// Numbers that belong to an optimizer and to no weight.
const OPTIMIZER_SCALARS: [&str; 6] =
    ["beta1_power", "beta2_power", "learning_rate", "loss_scale", "good_steps", "decay"];

/// The optimizers of Keras, whose variables lie below their names: `training/Adam/conv/kernel/m`.
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

/// What object-based checkpoints add to the path of a variable, and where in it the slots of optimizers are.
const OBJECT_VALUE: &str = "/.ATTRIBUTES/VARIABLE_VALUE";
const OBJECT_SLOT: &str = "/.OPTIMIZER_SLOT/";

/// The mean color of the images that published ResNets and VGGs were trained with, which their checkpoints hold and no op of
/// theirs reads: slim subtracts it before (`vgg_preprocessing.py`).
const MEAN_COLOR: &str = "mean_rgb";

/// The variables of a batch norm.
const STATISTICS: [&str; 4] = ["moving_mean", "moving_variance", "running_mean", "running_var"];

/// What a tensor is for. `is_of_batch_norm` says whether a tensor of this name is known to be a part of a batch norm,
/// and `exists` whether there is one: a layer norm has a gamma too, but no moving mean.
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

/// The name without the number of an output and without what object-based checkpoints add.
fn bare_name(name: &str) -> &str {
    let name = name.strip_suffix(OBJECT_VALUE).unwrap_or(name);
    match name.rsplit_once(':') {
        Some((node, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => node,
        _ => name,
    }
}

/// A name without the number that tells it apart: `Adam_1` is `Adam`.
fn without_number(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            name
        }
        _ => name,
    }
}

/// What `assign_moving_average` keeps below a moving average to correct its start.
fn is_debiasing(scope: &str, last: &str) -> bool {
    let (_, averaged) = scope.rsplit_once('/').unwrap_or(("", scope));
    matches!(last, "biased" | "local_step") && STATISTICS.contains(&averaged)
}

fn is_of_keras_optimizer(path: &str) -> bool {
    let path = path.strip_prefix("training/").unwrap_or(path);
    path.split_once('/').is_some_and(|(scope, _)| KERAS_SCOPES.contains(&without_number(scope)))
}

/// Numbers that are trained, or were quantized after that.
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
    fn what_training_leaves_beside_a_weight_is_told_by_its_last_name() {
        for slot in ["Adam", "Adam_1", "Momentum", "RMSProp_2", "Adagrad", "Ftrl_1", "adam_v", "AdamW"] {
            assert_eq!(kind(&format!("net/Conv/weights/{slot}"), 4), Kind::Optimizer, "{slot}");
        }
        assert_eq!(kind("net/Conv/weights/ExponentialMovingAverage", 4), Kind::MovingAverage);
        assert_eq!(kind("net/BatchNorm/moving_mean/biased", 1), Kind::MovingAverage);
        assert_eq!(kind("net/Conv/weights", 4), Kind::Weights);
        assert_eq!(kind("Adam_net/Conv/biases", 1), Kind::Weights);
    }

    #[test]
    fn numbers_of_a_training_run_are_counters_or_the_optimizers() {
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
    fn a_gamma_is_of_a_batch_norm_where_statistics_lie_beside_it() {
        for part in ["gamma", "beta", "moving_mean", "moving_variance"] {
            assert_eq!(kind(&format!("net/BatchNorm/{part}"), 1), Kind::BatchNorm, "{part}");
        }
        assert_eq!(kind("net/LayerNorm/gamma", 1), Kind::Weights);
        let of_onnx = kind_of("x:0", Some(DType::Float32), 1, &|name| name == "x:0", &|_| false);
        assert_eq!(of_onnx, Kind::BatchNorm);
    }
}
