//! Reads the width and the depth of an EfficientNet from the variables.

use super::{Family, MODEL, round_filters};
use crate::slim::{Value, Variables};

/// A coefficient of a published network, and the function that reads it from the variables.
pub type Coefficient = (f64, fn(&Variables, &str) -> Option<Value>);

/// The published coefficient, and then all numbers with two decimals.
fn coefficients(published: f64) -> impl Iterator<Item = f64> {
    std::iter::once(published).chain((1..1000).map(|hundredths| f64::from(hundredths) / 100.0))
}

/// The scope of the variables. Keras's `Model` opens the scope `model` for the names of ops only, or for variables too.
pub fn variable_root(variables: &Variables, root: &str) -> String {
    let nested = format!("{root}{MODEL}/");
    if variables.contains_key(&format!("{nested}stem/conv2d/kernel")) { nested } else { root.to_owned() }
}

/// Finds the factor that gives the stages the channels that their blocks have, and the first and the last convolution theirs.
pub fn read_width(variables: &Variables, root: &str, family: &Family, published: f64) -> Option<Value> {
    let root = variable_root(variables, root);
    let widths: Vec<usize> = (0..).map_while(|block| width_of(variables, &root, block)).collect();
    let fits = |coefficient: f64| {
        let expected: Vec<usize> =
            family.stages.iter().map(|stage| round_filters(stage.filters[1], coefficient)).collect();
        let ends = [("stem", 32), ("head", 1280)];
        let fits_end = |(scope, filters)| {
            let kernel = variables.get(&format!("{root}{scope}/conv2d/kernel"));
            let width = kernel.and_then(|shape| shape.last());
            width.is_none_or(|&width| width == round_filters(filters, coefficient))
        };
        // Each stage has at least one block, so the widths of all stages occur, and no others.
        expected.first() == widths.first()
            && expected.last() == widths.last()
            && expected.iter().all(|width| widths.contains(width))
            && widths.iter().all(|width| expected.contains(width))
            && (family.fixes_ends || ends.into_iter().all(fits_end))
    };
    coefficients(published).find(|&coefficient| fits(coefficient)).map(Value::Number)
}

/// The channels of a block's output: those of its last convolution.
fn width_of(variables: &Variables, root: &str, block: usize) -> Option<usize> {
    let kernel = ["conv2d_1", "conv2d"]
        .iter()
        .find_map(|name| variables.get(&format!("{root}blocks_{block}/{name}/kernel")))?;
    kernel.last().copied()
}

/// Finds the factor that gives the network its number of blocks.
pub fn read_depth(variables: &Variables, root: &str, family: &Family, published: f64) -> Option<Value> {
    let root = variable_root(variables, root);
    let blocks = (0..).take_while(|&block| width_of(variables, &root, block).is_some()).count();
    let count = |coefficient: f64| -> usize { family.repeats(coefficient).iter().sum() };
    coefficients(published).find(|&coefficient| count(coefficient) == blocks).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::super::{DEPTH, WIDTH};
    use super::*;
    use crate::slim::{Options, Overrides, Recognition, build, find_network, recognize};

    fn variables(name: &str, given: &[(&str, &str)]) -> Variables {
        let network = find_network(name).unwrap();
        let mut options = Options::defaults(&network.options, &network.scope);
        given.iter().for_each(|(name, value)| options.set_from_text(name, value).unwrap());
        let built = build(network, "", &options, &network.default_images(3), &Variables::new()).unwrap();
        built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect()
    }

    fn recognized(variables: &Variables) -> Recognition {
        let recognition = recognize(variables, Overrides::default()).unwrap();
        assert_eq!(recognition.found, recognition.expected);
        recognition
    }

    fn renamed(variables: Variables, from: &str, to: &str) -> Variables {
        variables.into_iter().map(|(name, shape)| (name.replace(from, to), shape)).collect()
    }

    #[test]
    fn a_network_in_another_scope_is_recognized_by_its_width_and_depth() {
        for name in ["efficientnet_b2", "efficientnet_l2", "efficientnet_lite3", "efficientnet_edgetpu_m"] {
            let scope = &find_network(name).unwrap().scope;
            let variables = renamed(variables(name, &[]), scope, "backbone");
            assert_eq!(recognized(&variables).network.name, name);
        }
    }

    #[test]
    fn other_widths_and_depths_are_read_from_the_variables() {
        let given = [(WIDTH, "0.5"), (DEPTH, "0.7"), ("num_classes", "3")];
        let options = recognized(&variables("efficientnet_b0", &given)).options;
        let again = [(WIDTH, options.number(WIDTH).to_string()), (DEPTH, options.number(DEPTH).to_string())];
        let again: Vec<(&str, &str)> = again.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let again = [&again[..], &[("num_classes", "3")]].concat();
        assert!(variables("efficientnet_b0", &given) == variables("efficientnet_b0", &again), "{again:?}");
    }

    #[test]
    fn variables_may_be_in_the_scope_of_the_model() {
        let nested = renamed(variables("efficientnet_b1", &[]), "efficientnet-b1/", "efficientnet-b1/model/");
        let recognition = recognized(&nested);
        assert_eq!(recognition.network.name, "efficientnet_b1");
        assert_eq!(recognition.options.num_classes(), 1000);
    }
}
