//! BERT and its relatives: networks that read sequences of tokens.
//!
//! The options are the fields of `BertConfig` in `modeling.py`. Most are read from the variables. The rest is in the JSON file
//! beside the checkpoint, `bert_config.json`.

mod albert;
mod bert;
mod electra;
mod electra_tasks;
mod heads;
mod layers;
mod mobilebert;

use std::borrow::Cow;

pub use albert::ALBERT;
pub use bert::BERT;
pub use electra::ELECTRA;
pub use mobilebert::MOBILEBERT;

use crate::error::{Error, Result};
use crate::graph::{Shape, TensorRef};
use crate::model_config::ModelConfig;
use crate::setting::Setting;
use crate::slim::{
    ArgScope, HiddenActivation, ImageShape, Length, NetworkBuilder, NetworkInput, OptionSource, OptionSpec,
    Options, Value, Variables,
};
use crate::tensor::DType;

/// The inputs of `BertModel`: the numbers of the tokens, 1 for each token that is no padding, and the number of the sentence
/// that each token belongs to.
const INPUTS: [&str; 3] = ["input_ids", "input_mask", "segment_ids"];

/// The input of the head for pretraining: the positions of the tokens that it predicts.
const POSITIONS: &str = "masked_lm_positions";

fn inputs(options: &Options, images: &ImageShape) -> Vec<NetworkInput> {
    let length = Some(options.count(&MAX_SEQ_LENGTH.name)).filter(|&length| length > 0);
    let shape = Shape::new(vec![images.batch, length]);
    let of_tokens = INPUTS.into_iter().filter(|name| options.value(name) != Some(Value::Flag(false)));
    let of_tokens = of_tokens.map(|name| NetworkInput { name, dtype: DType::Int32, shape: shape.clone() });
    let mut inputs: Vec<NetworkInput> = of_tokens.collect();
    if options.flag(&MASKED_LM_POSITIONS.name) {
        let shape = Shape::new(vec![images.batch, None]);
        inputs.push(NetworkInput { name: POSITIONS, dtype: DType::Int32, shape });
    }
    inputs
}

/// The tensors of [`INPUTS`], and of what follows them: `BertModel` makes what is no input, the mask in the type that it computes with.
fn all_inputs(
    slim: &mut NetworkBuilder<'_>,
    inputs: &[TensorRef],
    options: &Options,
    mask: DType,
) -> Vec<TensorRef> {
    let mut given = inputs.iter().copied();
    let input_ids = given.next();
    let made = [(INPUT_MASK, "ones", mask, 1), (SEGMENT_IDS, "zeros", DType::Int32, 0)];
    let is_made = |option: &OptionSpec| options.value(&option.name) == Some(Value::Flag(false));
    let lengths: Option<[Length; 2]> = match made.iter().any(|(option, ..)| is_made(option)) {
        true => input_ids.map(|ids| slim.shape_list(ids)),
        false => None,
    };
    let mut all: Vec<TensorRef> = input_ids.into_iter().collect();
    for (option, name, dtype, value) in made {
        match lengths.filter(|_| is_made(&option)) {
            Some(lengths) => all.push(slim.filled(name, &lengths, dtype, value)),
            None => all.extend(given.next()),
        }
    }
    all.extend(given);
    all
}

/// The networks use no defaults of layers.
fn arg_scope() -> ArgScope {
    ArgScope::new()
}

const VOCAB_SIZE_HELP: &str = "number of different tokens";
const HIDDEN_SIZE_HELP: &str = "length of the vector of a token between the layers";
const INTERMEDIATE_SIZE_HELP: &str = "length of the vector between the two dense layers of a layer";

/// The length of an axis of a variable below the network's scope.
fn axis(variables: &Variables, root: &str, variable: &str, axis: usize) -> Option<Value> {
    let shape = variables.get(&format!("{root}{variable}"))?;
    shape.get(axis).map(|&length| Value::Count(length))
}

/// The number of scopes `layer_0`, `layer_1` and so on in the network's scope that have this variable.
fn count_of(variables: &Variables, root: &str, scope: &str, variable: &str) -> usize {
    (0..).take_while(|index| variables.contains_key(&format!("{root}{scope}{index}/{variable}"))).count()
}

const fn read(
    name: &'static str,
    default: usize,
    read: fn(&Variables, &str) -> Option<Value>,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        name: Cow::Borrowed(name),
        default: Value::Count(default),
        source: OptionSource::ReadBy(read),
        help,
    }
}

const QUERY: &str = "attention/self/query/kernel";

fn read_vocab_size(variables: &Variables, root: &str) -> Option<Value> {
    axis(variables, root, "embeddings/word_embeddings", 0)
}

const VOCAB_SIZE: OptionSpec = read("vocab_size", 30522, read_vocab_size, VOCAB_SIZE_HELP);
const EMBEDDING_SIZE: OptionSpec = read(
    "embedding_size",
    128,
    |variables, root| axis(variables, root, "embeddings/word_embeddings", 1),
    "length of the vector that a token is looked up as",
);
const HIDDEN_SIZE: OptionSpec = read(
    "hidden_size",
    768,
    |variables, root| axis(variables, root, "encoder/layer_0/attention/self/query/kernel", 0),
    HIDDEN_SIZE_HELP,
);
const NUM_HIDDEN_LAYERS: OptionSpec = read(
    "num_hidden_layers",
    12,
    |variables, root| match count_of(variables, root, "encoder/layer_", QUERY) {
        0 => None,
        count => Some(Value::Count(count)),
    },
    "number of layers",
);
const INTERMEDIATE_SIZE: OptionSpec = read(
    "intermediate_size",
    3072,
    |variables, root| axis(variables, root, "encoder/layer_0/intermediate/dense/kernel", 1),
    INTERMEDIATE_SIZE_HELP,
);
const MAX_POSITION_EMBEDDINGS: OptionSpec = read(
    "max_position_embeddings",
    512,
    |variables, root| axis(variables, root, "embeddings/position_embeddings", 0),
    "number of tokens that a sequence may have",
);
const TYPE_VOCAB_SIZE: OptionSpec = read(
    "type_vocab_size",
    2,
    |variables, root| axis(variables, root, "embeddings/token_type_embeddings", 0),
    "number of sentences in a sequence",
);

/// 0 stands for a number that is not known.
const NUM_ATTENTION_HEADS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_attention_heads"),
    default: Value::Count(0),
    source: OptionSource::Config(|config| config.field("num_attention_heads").count().map(Value::Count)),
    help: "number of parts that attention divides a vector into; with 0, that of the published models",
};

const ACTIVATIONS: &[&str] = &["gelu", "relu", "tanh", "linear"];

const HIDDEN_ACT: OptionSpec = OptionSpec {
    name: Cow::Borrowed("hidden_act"),
    default: Value::Choice("gelu", ACTIVATIONS),
    source: OptionSource::Config(|config| {
        let word = config.field("hidden_act").word()?.to_lowercase();
        let known = ACTIVATIONS.iter().find(|name| **name == word);
        known.map(|known| Value::Choice(known, ACTIVATIONS))
    }),
    help: "activation of the hidden layers",
};

const INPUT_MASK: OptionSpec = OptionSpec {
    name: Cow::Borrowed("input_mask"),
    default: Value::Flag(true),
    source: OptionSource::User,
    help: "whether it is an input; otherwise no token is padding",
};
const SEGMENT_IDS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("segment_ids"),
    default: Value::Flag(true),
    source: OptionSource::User,
    help: "whether it is an input; otherwise all tokens belong to the first sentence",
};

const MAX_SEQ_LENGTH: OptionSpec = OptionSpec {
    name: Cow::Borrowed("max_seq_length"),
    default: Value::Count(0),
    source: OptionSource::User,
    help: "number of tokens of a sequence; with 0, each batch may have its own",
};

const MASKED_LM_POSITIONS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("masked_lm_positions"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether cls/predictions predicts the tokens at the positions of an input, as in pretraining, instead of all",
};

const CLASSIFY_TOKENS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("classify_tokens"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether output_weights classifies each token instead of the sequence",
};

/// What a published network of these sizes has, and where that is written.
struct Published {
    value: usize,
    reason: &'static str,
}

/// All published networks of this kind have attention heads of this size.
fn heads_of_64(hidden_size: usize) -> Option<Published> {
    let reason = "as in all published models, whose attention heads have 64 elements";
    hidden_size.is_multiple_of(64).then_some(Published { value: hidden_size / 64, reason })
}

/// The value of an option that no variable shows: the user's, that of the file, or that of the published networks.
///
/// 0 if it is not known; [`check`] refuses this.
fn known_or_published(
    slim: &mut NetworkBuilder<'_>,
    options: &Options,
    option: &str,
    published: Option<Published>,
) -> usize {
    match (options.count(option), published) {
        (0, Some(Published { value, reason })) => {
            slim.assume(option, value, reason);
            value
        }
        (count, _) => count,
    }
}

/// Checks an option that no variable shows: it is known, or there is a published network of these sizes.
fn check_known(
    options: &Options,
    option: &str,
    published: Option<&Published>,
    network: &str,
) -> Result<usize> {
    let count = options.count(option);
    match (count, published) {
        (0, None) => {
            let sizes = format!(
                "hidden_size {} and num_hidden_layers {}",
                options.count(&HIDDEN_SIZE.name),
                options.count(&NUM_HIDDEN_LAYERS.name)
            );
            let file = options
                .config()
                .map_or(String::new(), |config| format!(" nor in {}", config.path().display()));
            let problem = format!(
                "it is in no variable{file}, and no published {network} has {sizes}, so that it cannot be inferred"
            );
            Err(Error::new(option, problem).advice(format!(
                "put {network}'s JSON file (such as bert_config.json) beside the checkpoint, or name it with {}, or give \
                 {}",
                Setting::Config,
                Setting::NetworkOption.to(format!("{option}=…"))
            )))
        }
        (0, Some(published)) => Ok(published.value),
        (count, _) => Ok(count),
    }
}

/// Checks the number of attention heads, the length of the sequence, and that the file describes this checkpoint.
fn check_heads(options: &Options, divided: usize, heads: usize) -> Result<()> {
    if heads > divided || !divided.is_multiple_of(heads.max(1)) {
        let problem = format!("{heads} does not divide {divided}, the length of the vectors");
        return Err(Error::new(&*NUM_ATTENTION_HEADS.name, problem));
    }
    let (length, most) = (options.count(&MAX_SEQ_LENGTH.name), options.count(&MAX_POSITION_EMBEDDINGS.name));
    if length > most {
        let problem = format!("the checkpoint has embeddings of {most} positions");
        return Err(Error::new(Setting::NetworkOption.to(format!("max_seq_length={length}")), problem));
    }
    Ok(())
}

/// Checks that the file beside the checkpoint describes its variables.
fn check_config(options: &Options, in_variables: &[OptionSpec]) -> Result<()> {
    let Some(config) = options.config() else { return Ok(()) };
    let counts = in_variables.iter().map(|spec| &*spec.name);
    for name in counts.chain([&*NUM_HIDDEN_LAYERS.name, &*NUM_ATTENTION_HEADS.name]) {
        let field = config.field(name);
        if field.is_present() && field.count().is_none() {
            let problem = format!("it is {}, and a whole number is needed", field.described());
            return Err(config.error(name, problem));
        }
    }
    for spec in in_variables {
        let (stored, described) = (options.count(&spec.name), config.field(&spec.name).count());
        if let Some(described) = described.filter(|&described| described != stored) {
            let problem = format!("it is {described}, but the variables show {stored}");
            return Err(config.error(&spec.name, problem).advice(
                "this file describes another model; give the right one with ".to_owned()
                    + &Setting::Config.to_string(),
            ));
        }
    }
    check_activation(config)
}

fn check_activation(config: &ModelConfig) -> Result<()> {
    let field = config.field(&HIDDEN_ACT.name);
    match field.word() {
        None if field.is_present() => {
            let problem = format!("it is {}, and the name of a function is needed", field.described());
            Err(config.error(&HIDDEN_ACT.name, problem))
        }
        Some(word) if !ACTIVATIONS.contains(&word.to_lowercase().as_str()) => {
            let known = ACTIVATIONS.join(", ");
            Err(config.error(&HIDDEN_ACT.name, format!("\"{word}\" is none of {known}")))
        }
        _ => Ok(()),
    }
}

/// The activation of the hidden layers; `gelu` is the one of the definition.
fn hidden_activation(options: &Options, gelu: HiddenActivation) -> HiddenActivation {
    match options.choice(&HIDDEN_ACT.name) {
        "relu" => HiddenActivation::Relu,
        "tanh" => HiddenActivation::Tanh,
        "linear" => HiddenActivation::Linear,
        _ => gelu,
    }
}

/// What a network of this family computes.
struct Encoded {
    /// The vectors of the tokens: `[batch, length, hidden_size]`.
    sequence_output: TensorRef,
    /// The vector of the first token, after the pooler if there is one.
    pooled_output: TensorRef,
    /// The table of the embeddings.
    embedding_table: TensorRef,
}
