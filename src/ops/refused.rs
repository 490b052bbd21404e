//! Ops that are known, and cannot be converted: the reasons, and what to do instead. Training and its state are no part of this table.

use super::{Op, op};
use crate::ops::infer::by_definition;

const GENERATOR: &str = "TensorFlow's generator of random numbers decides";
const DISTRIBUTION: &str = "ONNX has no distribution of its kind";
const STATE: &str = "each run changes the state of its generator, and a model has no state";
const NO_OPERATOR: &str = "ONNX has no operator of its kind";

const GIVE_NUMBERS: &str = "let the model begin after it, and give it the numbers";
/// Ends the model before an op.
pub const OUTSIDE: &str = "end the model before it, and compute it outside of the model";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("ComputeAccidentalHits").shape(by_definition).refused("only training reads it", OUTSIDE),
    op("CTCLoss").also(&["CTCLossV2"]).shape(by_definition).refused("only training reads it", OUTSIDE),
    op("Eig")
        .also(&["MatrixLogarithm", "MatrixSquareRoot"])
        .shape(by_definition)
        .refused(
            "ONNX has no operator for eigenvalues, and they are computed here for matrices that equal their adjoint alone",
            "use tf.linalg.eigh if the matrix is symmetric or Hermitian, and compute functions of its eigenvalues",
        ),
    op("FractionalAvgPool")
        .also(&["FractionalMaxPool"])
        .shape(by_definition)
        .refused(GENERATOR, "pool by windows of one size"),
    op("GenerateBoundingBoxProposals").shape(by_definition).refused(NO_OPERATOR, OUTSIDE),
    op("IsotonicRegression").shape(by_definition).refused(NO_OPERATOR, OUTSIDE),
    op("MatrixExponential")
        .shape(by_definition)
        .refused(NO_OPERATOR, "use tf.linalg.expm, which consists of ops that are converted"),
    op("MutableHashTable")
        .also(&[
            "AnonymousMutableDenseHashTable",
            "AnonymousMutableHashTable",
            "AnonymousMutableHashTableOfTensors",
            "MutableDenseHashTable",
            "MutableDenseHashTableV2",
            "MutableHashTableOfTensors",
            "MutableHashTableOfTensorsV2",
            "MutableHashTableV2",
        ])
        .shape(by_definition)
        .refused(
            "its contents are no part of the graph: other ops insert them, and a model has no state",
            "build the graph with a StaticHashTable of the same contents, or let the model begin after the lookup",
        ),
    op("ParameterizedTruncatedNormal")
        .also(&["StatelessParameterizedTruncatedNormal"])
        .shape(by_definition)
        .refused(DISTRIBUTION, GIVE_NUMBERS),
    op("RandomGamma")
        .also(&[
            "RandomPoisson",
            "RandomPoissonV2",
            "StatelessRandomBinomial",
            "StatelessRandomGammaV2",
            "StatelessRandomGammaV3",
            "StatelessRandomPoisson",
        ])
        .shape(by_definition)
        .refused(DISTRIBUTION, GIVE_NUMBERS),
    op("RandomIndexShuffle")
        .also(&["StatelessShuffle"])
        .shape(by_definition)
        .refused("its order is that of a cipher of TensorFlow's own", GIVE_NUMBERS),
    op("StatefulRandomBinomial")
        .also(&[
            "StatefulStandardNormal",
            "StatefulStandardNormalV2",
            "StatefulTruncatedNormal",
            "StatefulUniform",
            "StatefulUniformFullInt",
            "StatefulUniformInt",
        ])
        .shape(by_definition)
        .refused(STATE, GIVE_NUMBERS),
    op("StatelessMultinomial")
        .shape(by_definition)
        .refused("the numbers that it draws depend on the number of processors", GIVE_NUMBERS),
    op("StatelessSampleDistortedBoundingBox")
        .shape(by_definition)
        .refused(GENERATOR, "let the model begin after it, and give it a box"),
    op("XlaAllReduce")
        .also(&["XlaReduceScatter", "XlaReplicaId", "XlaSpmdFullToShardShape", "XlaSpmdShardToFullShape"])
        .shape(by_definition)
        .refused("it belongs to a computation on several devices", "export the model for one device"),
    op("XlaCallModule").shape(by_definition).refused(
        "it contains a program of StableHLO, and no ops of TensorFlow",
        "export the model with `jax2tf.convert(..., native_serialization=False)`",
    ),
    op("XlaCustomCall")
        .also(&["XlaCustomCallV2"])
        .shape(by_definition)
        .refused("it calls a function of another library, which the graph does not contain", OUTSIDE),
    op("XlaRngBitGenerator")
        .shape(by_definition)
        .refused("the generator of random numbers of XLA decides", GIVE_NUMBERS),
    op("XlaSelectAndScatter").shape(by_definition).refused("only training reads it", OUTSIDE),
];
