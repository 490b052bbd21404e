//! The parameters of the model, under the names of `ModelParams` and of the flags in `common_flags.py`.

use std::borrow::Cow;

use super::super::inception_v3::MODULES;
use crate::slim::{NetworkBuilder, OptionSource, OptionSpec, Options, Value, Variables, holds_prefix};

pub const OPTIONS: &[OptionSpec] = &[
    NUM_CHAR_CLASSES,
    SEQ_LENGTH,
    NUM_VIEWS,
    NULL_CODE,
    FINAL_ENDPOINT,
    USE_ATTENTION,
    USE_AUTOREGRESSION,
    NUM_LSTM_UNITS,
    LSTM_STATE_CLIP_VALUE,
    ENCODE_COORDINATES,
];

pub const NUM_CHAR_CLASSES: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_char_classes"),
    default: Value::Count(134),
    source: OptionSource::ReadBy(|variables, root| {
        shape(variables, root, "softmax_w").map(|[_, classes]| Value::Count(classes))
    }),
    help: "number of different characters",
};
pub const SEQ_LENGTH: OptionSpec = OptionSpec {
    name: Cow::Borrowed("seq_length"),
    default: Value::Count(37),
    source: OptionSource::User,
    help: "number of characters of a text",
};
pub const NUM_VIEWS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_views"),
    default: Value::Count(4),
    source: OptionSource::User,
    help: "number of views side by side in an image",
};
/// The last class, as in FSNS.
pub const NULL_CODE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("null_code"),
    default: Value::Count(133),
    source: OptionSource::ReadBy(|variables, root| {
        shape(variables, root, "softmax_w").map(|[_, classes]| Value::Count(classes.saturating_sub(1)))
    }),
    help: "class of the character that ends a text, for predicted_length; by default the last one",
};
pub const FINAL_ENDPOINT: OptionSpec = OptionSpec {
    name: Cow::Borrowed("final_endpoint"),
    default: Value::Choice("Mixed_5d", &MODULES),
    source: OptionSource::ReadBy(|variables, root| {
        let holds =
            |name: &&&str| holds_prefix(variables, &format!("{root}conv_tower_fn/INCE/InceptionV3/{name}/"));
        MODULES.iter().rfind(holds).map(|last| Value::Choice(last, &MODULES))
    }),
    help: "last module of Inception v3",
};
pub const USE_ATTENTION: OptionSpec = OptionSpec {
    name: Cow::Borrowed("use_attention"),
    default: Value::Flag(true),
    source: OptionSource::ReadBy(|variables, root| {
        let decodes = |decoder: &str| holds_prefix(variables, &format!("{root}{LAYER}/LSTM/{decoder}/"));
        (decodes("attention_decoder") || decodes("rnn_decoder"))
            .then(|| Value::Flag(decodes("attention_decoder")))
    }),
    help: "whether the decoder attends to all places of the image, or reads a part for each character",
};
pub const USE_AUTOREGRESSION: OptionSpec = OptionSpec {
    name: Cow::Borrowed("use_autoregression"),
    default: Value::Flag(true),
    source: OptionSource::ReadBy(reads_characters),
    help: "whether the decoder reads the last character; the variables do not show it if there is attention",
};
pub const NUM_LSTM_UNITS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("num_lstm_units"),
    default: Value::Count(256),
    source: OptionSource::ReadBy(|variables, root| {
        shape(variables, root, "softmax_w").map(|[units, _]| Value::Count(units))
    }),
    help: "number of units of the LSTM",
};
pub const LSTM_STATE_CLIP_VALUE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("lstm_state_clip_value"),
    default: Value::Number(10.0),
    source: OptionSource::User,
    help: "bound of what the LSTM remembers",
};
pub const ENCODE_COORDINATES: OptionSpec = OptionSpec {
    name: Cow::Borrowed("encode_coordinates"),
    default: Value::Flag(false),
    source: OptionSource::ReadBy(|variables, root| {
        let [_, _, features, _] = shape(variables, root, "LSTM/attention_decoder/AttnW_0")?;
        Some(Value::Flag(features > conv_features(variables, root)?))
    }),
    help: "whether the features of a place include its row and its column",
};

/// The scope of the decoder.
const LAYER: &str = "sequence_logit_fn/SQLR";

fn shape<const RANK: usize>(variables: &Variables, root: &str, name: &str) -> Option<[usize; RANK]> {
    variables.get(&format!("{root}{LAYER}/{name}"))?[..].try_into().ok()
}

/// The channels at the end of the convolutions: those of the branches of the last module. A module that halves the image passes on the
/// channels of the one before, too.
fn conv_features(variables: &Variables, root: &str) -> Option<usize> {
    let modules = MODULES.iter().map(|name| format!("{root}conv_tower_fn/INCE/InceptionV3/{name}/"));
    let last = modules.filter(|scope| holds_prefix(variables, scope)).count().checked_sub(1)?;
    [256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048].get(last).copied()
}

/// Without attention, the decoder's input is a part of the features, and with autoregression a character after them.
fn reads_characters(variables: &Variables, root: &str) -> Option<Value> {
    let kernel = ["kernel", "weights"]
        .iter()
        .find_map(|name| shape::<2>(variables, root, &format!("LSTM/rnn_decoder/lstm_cell/{name}")));
    let [rows, _] = kernel?;
    let [units, classes] = shape(variables, root, "softmax_w")?;
    let features = conv_features(variables, root)?;
    let inputs = rows.checked_sub(units)?;
    match (inputs.is_multiple_of(features), inputs.checked_sub(classes)?.is_multiple_of(features)) {
        (true, false) => Some(Value::Flag(false)),
        (false, true) => Some(Value::Flag(true)),
        _ => None,
    }
}

/// Records what no variable shows.
pub fn assume_fsns(slim: &mut NetworkBuilder<'_>, options: &Options) {
    let reason = "as in FSNS, the data set of the published model";
    for option in [NUM_VIEWS, SEQ_LENGTH] {
        if options.is_unset(&option.name) {
            slim.assume(&option.name, options.count(&option.name), reason);
        }
    }
    if options.flag(&USE_ATTENTION.name) && options.is_unset(&USE_AUTOREGRESSION.name) {
        let value = options.flag(&USE_AUTOREGRESSION.name);
        slim.assume(&USE_AUTOREGRESSION.name, value, "the default of common_flags.py");
    }
}
