//! Attention OCR, a network that reads texts in images (<https://arxiv.org/abs/1704.03549>). An image is several views of the same
//! text side by side; a decoder writes a character at every step.
//!
//! `predicted_text` is left out: it needs the list of characters, which is a file of the data set.
//!
//! Source: `research/attention_ocr/python/model.py` and `common_flags.py` of github.com/tensorflow/models.

mod coordinates;
mod options;
mod predictions;
mod sequence_layers;

use super::{Build, LibraryNetwork, inception, inception_v3};
use crate::error::{Error, Result};
use crate::graph::{Attr, TensorRef};
use crate::setting::Setting;
use crate::slim::shape_ops::Operand;
use crate::slim::{ImageShape, NetworkBuilder, NetworkInput, Options, Variables};
use crate::tensor::Constant;

pub const ATTENTION_OCR: LibraryNetwork = LibraryNetwork {
    name: "attention_ocr",
    scope: "AttentionOcr_v1",
    // FSNS: four views of 150 pixels.
    image_size: [150, 600],
    logits: "sequence_logit_fn/SQLR/softmax_w",
    aux_logits: None,
    arg_scope_name: "inception_v3_arg_scope",
    arg_scope: inception::arg_scope,
    options: options::OPTIONS,
    build: Build::Inputs { inputs, check, build },
};

/// Images with values from 0 to 1.
fn inputs(options: &Options, images: &ImageShape) -> Vec<NetworkInput> {
    vec![NetworkInput::images(options.input_shape(images))]
}

fn check(_: &Options, _: &Variables) -> Result<()> {
    Ok(())
}

/// `create_base`
fn build(slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
    let images = inputs[0];
    options::assume_fsns(slim, options);
    let views = options.count(&options::NUM_VIEWS.name);
    if !splits(slim, images, views) {
        return images;
    }
    let images = slim.with_number("Sub", images, 0.5);
    let images = slim.with_number("Mul", images, 2.5);
    slim.variable_scope(&options.scope, |slim| {
        let axis = Operand::Constant("split_dim", Constant::from_i32(vec![], &[2]));
        let parts = [("num_split", Attr::Int(views as i64))];
        let split = slim.op_of("split", "Split", &[axis, Operand::Tensor(images)], parts);
        let nets: Vec<TensorRef> = (0..views)
            .map(|view| {
                let view = slim.output(split, view);
                conv_tower(slim, view, options)
            })
            .collect();
        let nets = match options.flag(&options::ENCODE_COORDINATES.name) {
            true => nets.into_iter().map(|net| coordinates::encode_coordinates(slim, net)).collect(),
            false => nets,
        };
        let net = pool_views(slim, &nets);
        let chars_logit = slim.variable_scope("sequence_logit_fn/SQLR", |slim| {
            sequence_layers::create_logits(slim, net, options)
        });
        slim.model_output("chars_logit", chars_logit);
        predictions::char_predictions(slim, chars_logit, options);
        chars_logit
    })
}

/// Whether the images can be divided into views.
fn splits(slim: &mut NetworkBuilder<'_>, images: TensorRef, views: usize) -> bool {
    let problem = match slim.height_and_width(images) {
        None => "the decoder reads the places of the image, and needs a known number of them".to_owned(),
        Some([_, width]) if views == 0 || !width.is_multiple_of(views) => {
            format!("{views} views of the same width are no {width} pixels")
        }
        Some(_) => return true,
    };
    slim.fail(Error::new("image size", problem).advice(format!(
        "give one with {}, and the number of views with {}",
        Setting::ImageSize,
        Setting::NetworkOption.to(format!("{}=…", options::NUM_VIEWS.name))
    )));
    false
}

/// `conv_tower_fn`: the views have the same variables.
fn conv_tower(slim: &mut NetworkBuilder<'_>, view: TensorRef, options: &Options) -> TensorRef {
    let final_endpoint = options.choice(&options::FINAL_ENDPOINT.name);
    slim.reusing_variables(|slim| {
        slim.variable_scope("conv_tower_fn/INCE", |slim| {
            slim.default_scope("InceptionV3", |slim| {
                slim.without_end_points(|slim| inception_v3::base_up_to(slim, view, final_endpoint, options))
            })
        })
    })
}

/// `pool_views_fn`: the places of all views, one after the other: `[batch, places, features]`.
fn pool_views(slim: &mut NetworkBuilder<'_>, nets: &[TensorRef]) -> TensorRef {
    slim.variable_scope("pool_views_fn/STCK", |slim| {
        let net = slim.concat_along(1, nets, "concat");
        let batch = slim.first_length(net);
        let [height, width] = slim.height_and_width(net).unwrap_or_default();
        let features = slim.channels(net);
        let shape = slim.stack(&[batch], &[height * width, features]);
        slim.op("Reshape", "Reshape", &[net, shape], [])
    })
}
