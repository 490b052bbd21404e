//! Networks are recognized in scopes with other names, and with other numbers of channels and classes.

use tf2onnx_rs::slim::recognize::Overrides;
use tf2onnx_rs::slim::{Recognition, Value, Variables, recognize};

use crate::support::zoo::Case;

fn recognized(variables: &Variables) -> Recognition {
    recognize(variables, Overrides::default()).unwrap()
}

/// The variables of a case under another name of the network's scope.
fn renamed(case: &str, scope: &str, new_scope: &str) -> Variables {
    let variables = Case::load(case).variables();
    variables.into_iter().map(|(name, shape)| (name.replacen(scope, new_scope, 1), shape)).collect()
}

#[test]
fn a_network_in_another_scope_is_not_mistaken_for_a_shorter_one() {
    for (case, network) in [
        ("resnet_v1_50", "resnet_v1_50"),
        ("resnet_v1_101", "resnet_v1_101"),
        ("resnet_v1_152", "resnet_v1_152"),
        ("resnet_v2_200", "resnet_v2_200"),
        ("vgg_16", "vgg_16"),
        ("vgg_19", "vgg_19"),
        ("alexnet_v2", "alexnet_v2"),
        ("overfeat", "overfeat"),
    ] {
        let recognition = recognized(&renamed(case, network, "models/mine"));
        assert_eq!(recognition.network.name, network);
        assert_eq!((&*recognition.prefix, &*recognition.options.scope), ("models/", "mine"));
    }
}

#[test]
fn networks_of_one_scope_are_distinguished_by_the_rank_and_size_of_their_filters() {
    for network in ["inception_v1", "i3d", "s3dg"] {
        assert_eq!(recognized(&Case::load(network).variables()).network.name, network);
    }
}

#[test]
fn gating_and_separated_filters_are_read_from_their_layers() {
    let mut variables = Case::load("s3dg").variables();
    let early = ["Conv2d_2c_3x3", "Mixed_3b", "Mixed_3c"];
    variables
        .retain(|name, _| !name.contains("self_gating") || !early.iter().any(|block| name.contains(block)));
    let first = variables.get_mut("InceptionV1/Conv2d_1a_7x7/weights").unwrap();
    first[0] = 5;

    let recognition = recognized(&variables);

    assert_eq!((&*recognition.network.name, recognition.found), ("s3dg", recognition.expected));
    assert_eq!(recognition.options.choice("gating_startat"), "Mixed_4b");
    assert_eq!(recognition.options.choice("temporal_conv_startat"), "Conv2d_2c_3x3");
    assert_eq!(recognition.options.count("first_temporal_kernel_size"), 5);
}

#[test]
fn the_depth_of_a_narrow_resnet_is_read_from_its_blocks() {
    // Base depths of 0.2 times 64, 128, 256 and 512, cut to whole channels, and four times as many where units end.
    let narrow = [(64, 12), (128, 25), (256, 51), (512, 102)];
    let mut variables = Case::load("resnet_v1_50").variables();
    for (name, shape) in variables.iter_mut().filter(|(name, _)| name.contains("/block")) {
        let block = name.split('/').nth(1).unwrap().trim_start_matches("block").parse::<usize>().unwrap() - 1;
        for (axis, length) in shape.iter_mut().rev().take(2).enumerate() {
            // What a block reads has the depth of the one before, the first one that of the first convolution.
            let reads_before =
                axis == 1 && name.contains("unit_1/") && !name.contains("conv2") && !name.contains("conv3");
            if reads_before && block == 0 {
                continue;
            }
            let (full, base) = narrow[if reads_before { block - 1 } else { block }];
            match *length {
                length_of_base if length_of_base == full => *length = base,
                length_of_end if length_of_end == 4 * full => *length = 4 * base,
                _ => {}
            }
        }
    }
    variables.insert("resnet_v1_50/logits/weights".to_owned(), vec![1, 1, 408, 7]);
    variables.insert("resnet_v1_50/logits/biases".to_owned(), vec![7]);

    let recognition = recognized(&variables);

    assert_eq!((recognition.found, recognition.fitting), (recognition.expected, recognition.expected));
    let options = &recognition.options;
    assert_eq!((options.number("depth_multiplier"), options.num_classes()), (0.2, 7));
}

#[test]
fn features_and_a_missing_first_convolution_show_in_the_variables() {
    let mut variables = Case::load("resnet_v2_50").variables();
    variables.retain(|name, _| !name.contains("/logits/") && !name.starts_with("resnet_v2_50/conv1/"));
    let options = recognized(&variables).options;
    assert_eq!((options.num_classes(), options.flag("include_root_block")), (0, false));
    assert!(options.values().any(|(name, value)| name == "output_stride" && value == Value::Count(0)));
}
