//! The options of MobileBERT, and the variables that show them.

use std::borrow::Cow;

use super::super::{
    EMBEDDING_SIZE, HIDDEN_SIZE_HELP, INTERMEDIATE_SIZE, MAX_POSITION_EMBEDDINGS, NUM_ATTENTION_HEADS,
    NUM_HIDDEN_LAYERS, Published, TYPE_VOCAB_SIZE, VOCAB_SIZE, axis, check_config, check_heads, check_known,
    count_of, read,
};
use crate::error::Result;
use crate::slim::{OptionSource, OptionSpec, Options, Value, Variables};

/// The fields of the file that the variables show too.
const IN_VARIABLES: &[OptionSpec] = &[
    VOCAB_SIZE,
    EMBEDDING_SIZE,
    HIDDEN_SIZE_OF_MOBILEBERT,
    NUM_HIDDEN_LAYERS,
    INTRA_BOTTLENECK_SIZE,
    INTERMEDIATE_SIZE,
    NUM_FEEDFORWARD_NETWORKS,
    MAX_POSITION_EMBEDDINGS,
    TYPE_VOCAB_SIZE,
];

pub(super) const HIDDEN_SIZE_OF_MOBILEBERT: OptionSpec = read(
    "hidden_size",
    512,
    |variables, root| axis(variables, root, "embeddings/token_type_embeddings", 1),
    HIDDEN_SIZE_HELP,
);

const fn flag(
    name: &'static str,
    read: fn(&Variables, &str) -> Option<Value>,
    help: &'static str,
) -> OptionSpec {
    let name = Cow::Borrowed(name);
    OptionSpec { name, default: Value::Flag(true), source: OptionSource::ReadBy(read), help }
}

fn has(variables: &Variables, root: &str, variable: &str) -> Option<Value> {
    Some(Value::Flag(variables.contains_key(&format!("{root}{variable}"))))
}

const BOTTLENECK: &str = "encoder/layer_0/bottleneck/input/dense/kernel";
const SHARED: &str = "encoder/layer_0/bottleneck/attention/dense/kernel";
const TRANSFORMATION: &str = "embeddings/embedding_transformation/kernel";

pub(super) const TRIGRAM_INPUT: OptionSpec = flag(
    "trigram_input",
    |variables, root| {
        let embedding = axis(variables, root, "embeddings/word_embeddings", 1)?;
        let transformed = axis(variables, root, TRANSFORMATION, 0);
        Some(Value::Flag(transformed.is_some_and(|transformed| transformed != embedding)))
    },
    "whether the embedding of a token includes those of its neighbors",
);
pub(super) const USE_BOTTLENECK: OptionSpec = flag(
    "use_bottleneck",
    |variables, root| has(variables, root, BOTTLENECK),
    "whether the vectors in a layer are shorter than those between layers",
);
pub(super) const INTRA_BOTTLENECK_SIZE: OptionSpec = read(
    "intra_bottleneck_size",
    128,
    |variables, root| axis(variables, root, "encoder/layer_0/attention/self/query/kernel", 1),
    "length of the vectors in a layer",
);
pub(super) const KEY_QUERY_SHARED_BOTTLENECK: OptionSpec = flag(
    "key_query_shared_bottleneck",
    |variables, root| has(variables, root, SHARED),
    "whether keys and queries have a bottleneck of their own",
);
pub(super) const USE_BOTTLENECK_ATTENTION: OptionSpec = flag(
    "use_bottleneck_attention",
    |variables, root| {
        let width = axis(variables, root, "encoder/layer_0/attention/self/value/kernel", 0)?;
        let bottleneck = axis(variables, root, BOTTLENECK, 1);
        let has_own = variables.contains_key(&format!("{root}{SHARED}"));
        Some(Value::Flag(!has_own && bottleneck == Some(width)))
    },
    "whether attention reads the short vectors",
);
pub(super) const NUM_FEEDFORWARD_NETWORKS: OptionSpec = read(
    "num_feedforward_networks",
    4,
    |variables, root| {
        let scope = "encoder/layer_0/ffn_layer_";
        Some(Value::Count(count_of(variables, root, scope, "intermediate/dense/kernel") + 1))
    },
    "number of pairs of dense layers in a layer",
);
pub(super) const CLASSIFIER_ACTIVATION: OptionSpec = flag(
    "classifier_activation",
    |variables, root| has(variables, root, "pooler/dense/kernel"),
    "whether the vector of the first token passes a dense layer",
);

const NORMALIZATIONS: &[&str] = &["no_norm", "layer_norm", "manual_layer_norm"];

/// The variables tell `no_norm` from the others; these differ in epsilon.
pub(super) const NORMALIZATION_TYPE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("normalization_type"),
    default: Value::Choice("layer_norm", NORMALIZATIONS),
    source: OptionSource::Config(|config| {
        let word = config.field("normalization_type").word()?;
        let known = NORMALIZATIONS.iter().find(|name| **name == word);
        known.map(|known| Value::Choice(known, NORMALIZATIONS))
    }),
    help: "how the layers normalize; without normalization, the variables show it",
};

/// The published models have 4 heads, with bottlenecks of 128, and of 512 in the teacher.
pub(super) fn published_heads(options: &Options) -> Option<Published> {
    let reason = "as in the published MobileBERTs";
    let is_published = [128, 512].contains(&options.count(&INTRA_BOTTLENECK_SIZE.name));
    is_published.then_some(Published { value: 4, reason })
}

pub(super) fn check(options: &Options, _: &Variables) -> Result<()> {
    check_config(options, IN_VARIABLES)?;
    let heads =
        check_known(options, &NUM_ATTENTION_HEADS.name, published_heads(options).as_ref(), "MobileBERT")?;
    check_heads(options, options.count(&INTRA_BOTTLENECK_SIZE.name), heads)
}
