//! `--network my_net.toml`: described networks compute what TensorFlow computes, a description of a library network
//! converts to the same bytes, and every mistake is reported with its line.
//!
//! `scripts/make_fixtures/networks.py` built the same networks with slim and wrote `tests/fixtures/networks`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use onnx_protobuf::Message;
use serde::Deserialize;
use tempfile::TempDir;
use tf2onnx_rs::graph::Shape;
use tf2onnx_rs::slim::recognize::Overrides;
use tf2onnx_rs::slim::{
    BuiltNetwork, ImageShape, NetworkChoice, Options, Recognition, Variables, build, recognize, toml_network,
};

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{convert, fails, tf2onnx_rs};
use crate::support::fill;
use crate::support::npy;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::repository::{fixture, repository};
use crate::support::zoo;

/// The largest error allowed, relative to the largest value expected.
const TOLERANCE: f32 = 2e-5;

/// A network as slim built it and TensorFlow ran it.
#[derive(Debug, Deserialize)]
struct Case {
    #[serde(skip)]
    name: String,
    input: Vec<usize>,
    output: String,
    variables: Vec<(String, Vec<usize>)>,
    end_points: BTreeMap<String, zoo::EndPoint>,
}

fn example(name: &str) -> String {
    repository(&format!("examples/networks/{name}.toml")).display().to_string()
}

impl Case {
    fn load(name: &str) -> Self {
        let text = std::fs::read_to_string(Self::folder(name).join("case.json")).unwrap();
        Self { name: name.to_owned(), ..serde_json::from_str(&text).unwrap() }
    }

    fn folder(name: &str) -> PathBuf {
        fixture("networks").join(name)
    }

    fn description(&self) -> String {
        let own = Self::folder(&self.name).join(format!("{}.toml", self.name));
        if own.exists() { own.display().to_string() } else { example(&self.name) }
    }

    fn variables(&self) -> Variables {
        self.variables.iter().cloned().collect()
    }

    /// Its variables below `prefix`, filled with what they have without it.
    fn filled(&self, prefix: &str) -> Vec<Variable> {
        let variables = self.variables.iter();
        let fill = |(name, shape): &(String, Vec<usize>)| {
            Variable::float32(&format!("{prefix}{name}"), shape, fill::variable(name, shape, 1.0))
        };
        variables.map(fill).collect()
    }

    fn recognized(&self) -> Recognition {
        let network = NetworkChoice::from(&*self.description()).network().unwrap();
        recognize(&self.variables(), Overrides { network: Some(network), ..Overrides::default() }).unwrap()
    }

    fn built(&self) -> BuiltNetwork {
        let Recognition { network, prefix, options, channels, .. } = self.recognized();
        let image = ImageShape { batch: None, height: self.input[1], width: self.input[2], channels };
        build(&network, &prefix, &options, &image, &self.variables()).unwrap()
    }

    /// Converts with these outputs and compares each with what TensorFlow computed.
    fn computes(&self, prefix: &str, options: &[&str], expected: &[&str]) {
        let folder = TempDir::new().unwrap();
        let checkpoint = write(folder.path(), &self.filled(prefix), Format::V2);
        let model = folder.path().join("model.onnx");
        let description = self.description();
        convert(&checkpoint, &model, &[&["--network", &description][..], options].concat());
        let outputs = execute(&model, &self.input, fill::image(&self.input));
        assert_eq!(outputs.len(), expected.len());
        for ((_, got), name) in outputs.iter().zip(expected) {
            let error =
                relative_error(got, &npy::read(&Self::folder(&self.name).join(format!("{name}.npy"))));
            assert!(error <= TOLERANCE, "{} {name}: relative error {error}", self.name);
        }
    }
}

const CASES: [&str; 5] = ["plain_cnn", "residual_net", "every_layer", "combined", "blocks"];

#[test]
fn described_networks_have_slims_variables_and_no_others() {
    for case in CASES.map(Case::load) {
        let built = case.built();
        let built: Vec<(String, Vec<usize>)> =
            built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect();
        assert_eq!(built.len(), case.variables.len(), "{}: none is built twice", case.name);
        assert_eq!(Variables::from_iter(built), case.variables(), "{}", case.name);
        assert_eq!(case.recognized().found, case.recognized().expected);
    }
}

#[test]
fn described_end_points_have_slims_names_and_shapes() {
    for case in CASES.map(Case::load) {
        let built = case.built();
        assert_eq!(built.graph.tensor_name(built.output), case.output, "{}", case.name);
        for (name, expected) in &case.end_points {
            let tensor = built.end_point(name).unwrap_or_else(|| panic!("{}: no {name}", case.name));
            assert_eq!(built.graph.tensor_name(tensor), expected.tensor, "{}", case.name);
            let shape = built.graph.shape(tensor);
            assert!(shape.is_compatible_with(&Shape::known(&expected.shape)), "{name} is {shape}");
        }
    }
}

#[test]
fn a_plain_network_computes_what_tensorflow_computes() {
    let case = Case::load("plain_cnn");
    case.computes("", &[], &["Logits", "Predictions"]);
    case.computes("", &["--outputs", "fc3"], &["fc3"]);
}

#[test]
fn a_residual_network_computes_what_tensorflow_computes_under_a_prefix_too() {
    let case = Case::load("residual_net");
    case.computes("", &[], &["Logits", "Predictions"]);
    case.computes("tower_0/", &[], &["Logits", "Predictions"]);
}

#[test]
fn every_kind_of_layer_computes_what_tensorflow_computes() {
    let case = Case::load("every_layer");
    case.computes("", &[], &["output", "Predictions"]);
    case.computes("tower_0/", &["--outputs", "means,AuxLogits"], &["means", "AuxLogits"]);
}

#[test]
fn steps_that_combine_tensors_compute_what_tensorflow_computes() {
    let case = Case::load("combined");
    case.computes("", &[], &["mask", "embedding"]);
    case.computes("tower_0/", &["--outputs", "embedding"], &["embedding"]);
    assert_eq!(case.recognized().options.num_classes(), 3);
}

#[test]
fn options_are_read_from_the_variables_of_a_described_network() {
    let options = Case::load("residual_net").recognized().options;
    assert_eq!((options.num_classes(), options.number("depth_multiplier")), (9, 0.75));
    let options = Case::load("every_layer").recognized().options;
    assert_eq!((options.num_classes(), options.flag("create_aux_logits")), (4, true));
    assert_eq!((options.count("embedding"), options.flag("wide")), (12, false));
}

#[test]
fn without_classes_a_described_network_ends_at_its_features() {
    let mut case = Case::load("residual_net");
    case.variables.retain(|(name, _)| !name.starts_with("ResidualNet/Logits/"));
    assert_eq!(case.recognized().options.num_classes(), 0);
    let built = case.built();
    assert_eq!(Some(built.output), built.end_point("global_pool"));
    assert_eq!(built.end_point("Logits"), None);
}

/// Converts by a network of the library and by its description in examples/networks, and compares the bytes of the graphs.
/// `shown` are options that the variables show.
fn assert_same_graph(name: &str, shown: &[(&str, &str)], [height, width]: [usize; 2], built_ins: &[&str]) {
    let network = NetworkChoice::from(name).network().unwrap();
    let mut options = Options::defaults(&network.options, &network.scope);
    shown.iter().for_each(|(name, value)| options.set_from_text(name, value).unwrap());
    let image = ImageShape { batch: None, height, width, channels: 3 };
    let built = build(&network, "", &options, &image, &Variables::new()).unwrap();
    let variables: Vec<Variable> = built
        .variables()
        .map(|(name, shape)| Variable::float32(name, &shape, fill::variable(name, &shape, 1.0)))
        .collect();
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &variables, Format::V2);
    let size = format!("--image-size={height}x{width}");
    let graph = |network: &str, options: &[&str]| {
        let model = folder.path().join("model.onnx");
        let given = ["--network", network, &size, "--outputs=logits"];
        convert(&checkpoint, &model, &[&given[..], options].concat());
        // The metadata name the options, which the description has fewer of.
        Model::load(&model).proto().graph.write_to_bytes().unwrap()
    };
    let (built_in, described) = (graph(name, built_ins), graph(&example(name), &[]));
    assert!(built_in == described, "{name}: {} and {} bytes", built_in.len(), described.len());
}

#[test]
fn a_described_deeplab_converts_to_the_same_graph_as_the_librarys() {
    let shown = [("num_classes", "3"), ("atrous_rates", "6,12,18"), ("decoder_output_stride", "4")];
    let prepared = ["--network-option=preprocess_images=false"];
    assert_same_graph("deeplab_mobilenet_v2", &shown, [65, 97], &prepared);
}

#[test]
fn a_described_efficientnet_converts_to_the_same_graph_as_the_librarys() {
    assert_same_graph("efficientnet_b0", &[("num_classes", "10")], [64, 96], &[]);
}

/// Converts by the library's inception_v1 and by the described one, and compares the bytes.
fn assert_same_bytes(variables: &[Variable], options: &[&str]) {
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), variables, Format::V2);
    let paths = ["built_in.onnx", "described.onnx"].map(|name| folder.path().join(name));
    convert(&checkpoint, &paths[0], options);
    let description = example("inception_v1");
    convert(&checkpoint, &paths[1], &[&["--network", &description][..], options].concat());
    let [built_in, described] = paths.map(|path| std::fs::read(path).unwrap());
    assert!(built_in == described, "{options:?}: {} and {} bytes", built_in.len(), described.len());
}

#[test]
fn a_described_inception_v1_converts_to_the_same_bytes_as_the_librarys() {
    let mut variables = filled(&zoo::Case::load("inception_v1"));
    assert_same_bytes(&variables, &[]);
    assert_same_bytes(&variables, &["--network-option=global_pool=true", "--image-size=192x160"]);
    assert_same_bytes(&variables, &["--network-option=spatial_squeeze=false", "--outputs=Mixed_4b,Logits"]);
    for variable in &mut variables {
        variable.name = variable.name.replace("InceptionV1/", "tower/MyNet/");
    }
    variables.retain(|variable| !variable.name.contains("/Logits/"));
    variables.push(Variable::int64_scalar("global_step", 7));
    assert_same_bytes(&variables, &[]);
}

#[test]
fn inspect_takes_a_description_too() {
    let case = Case::load("residual_net");
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &case.filled(""), Format::V1);
    let done =
        tf2onnx_rs(["inspect", checkpoint.to_str().unwrap(), "--json", "--network", &case.description()]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let said: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(said["network"]["name"], "residual_net");
    assert_eq!(said["network"]["image_size"], serde_json::json!([48, 64]));
    assert_eq!(said["network"]["certainty"], 1.0);
    assert_eq!(said["batch_norms"][0]["gamma"]["origin"], "stored");
}

/// What is said of a description that is wrong, after the name of its file.
fn mistake(text: &str) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("my_net.toml");
    std::fs::write(&path, text).unwrap();
    let said = toml_network::network(&path).expect_err(text).to_string();
    said.replace(&path.display().to_string(), "my_net.toml")
}

/// What is said of a network whose fourth line begins its layers, the fifth being `step`.
fn mistake_in(step: &str) -> String {
    mistake(&format!(
        "name = \"net\"\nimage_size = 32\noptions = {{ wide = true, size = 3 }}\nlayers = [\n{step}\n]"
    ))
}

#[test]
fn a_mistake_in_a_step_is_reported_with_its_line() {
    let conv = "conv2d = 8, kernel = 3, scope = \"conv1\"";
    let said = [
        (format!("{{ {conv}, strid = 2 }}"), "conv2d has no argument \"strid\"; did you mean \"stride\"?"),
        ("{ conv2 = 8 }".into(), "there is no layer \"conv2\"; did you mean \"conv2d\"?"),
        ("{ scope = \"a\" }".into(), "the step has no layer; choose one of conv2d, "),
        ("{ conv2d = 8, max_pool2d = 2 }".into(), "a step is conv2d or max_pool2d, not both"),
        ("{ conv2d = 8, scope = \"a\" }".into(), "conv2d needs the argument \"kernel\""),
        ("{ conv2d = 8, kernel = 3 }".into(), "conv2d needs the argument \"scope\""),
        (
            "{ conv2d = true, kernel = 3, scope = \"a\" }".into(),
            "conv2d of conv2d has to be a whole number from 1 to 16777216, an option that is a count, or \"depth(N)\", \
             not true",
        ),
        (
            "{ conv2d = 8, kernel = [3], scope = \"a\" }".into(),
            "kernel of conv2d has to be a whole number from 1 to 10000, [height, width] or \"whole image\", \
             not a list",
        ),
        (
            format!("{{ {conv}, padding = \"same\" }}"),
            "padding of conv2d has to be \"SAME\" or \"VALID\", not \"same\"",
        ),
        (
            format!("{{ {conv}, stride = 0 }}"),
            "stride of conv2d has to be a whole number from 1 to 10000, not 0",
        ),
        (
            format!("{{ {conv}, activation_fn = \"gelu\" }}"),
            "activation_fn of conv2d has to be \"relu\", \"relu6\"",
        ),
        (
            format!("{{ {conv}, normalizer_params = {{ eps = 1e-3 }} }}"),
            "batch_norm has no argument \"eps\"; did you mean \"epsilon\"?",
        ),
        (
            "{ conv2d = \"num_classes\", kernel = 1, scope = \"a\" }".into(),
            "there is no option \"num_classes\"; declare it: options = { num_classes = 1001 }",
        ),
        (
            "{ conv2d = \"siz\", kernel = 1, scope = \"a\" }".into(),
            "there is no option \"siz\"; did you mean \"size\"?",
        ),
        (
            "{ conv2d = \"depth(8)\", kernel = 1, scope = \"a\" }".into(),
            "there is no option \"depth_multiplier\"; declare it: options = { depth_multiplier = 1.0 }",
        ),
        (format!("{{ {conv}, when = \"wid\" }}"), "there is no option \"wid\"; did you mean \"wide\"?"),
        (
            format!("{{ {conv}, when = \"wide\", unless = \"wide\" }}"),
            "conv2d has both \"when\" and \"unless\"; put one of them on a group around the step",
        ),
        ("{ branches = [] }".into(), "branches needs at least two branches"),
        ("{ branches = [[], []], scopes = [\"a\"] }".into(), "scopes names 1 of 2 branches"),
        (
            "{ branches = [[], 5] }".into(),
            "an element of branches of branches has to be a list of steps, such as",
        ),
        ("{ layers = [] }".into(), "layers has no steps"),
        ("5".into(), "an element of layers of the network has to be a table such as { conv2d = 64"),
        ("{ flatten = \"a b\" }".into(), "\"a b\" is not a valid name of a scope; use letters, digits"),
        (
            format!("{{ repeat = 2, layers = [{{ {conv} }}] }}"),
            "\"repeat\" needs \"block\", the scope of each repetition",
        ),
        (format!("{{ {conv}, block = \"a\" }}"), "\"block\" needs \"repeat\""),
        (
            format!(
                "{{ {conv}, repeat = 2, end_point = \"a\" }}, {{ activation = \"relu\", end_point = \"a\" }}"
            ),
            "the end point \"a\" is defined on line 5 already",
        ),
        (
            format!("{{ repeat = 2, block = \"b\", layers = [{{ {conv}, end_point = true }}] }}"),
            "the end point \"conv1\" is inside a repeat",
        ),
        (
            format!("{{ {conv}, output = true }}, {{ activation = \"relu\", output = true }}"),
            "the output is defined on line 5 already",
        ),
        (
            "{ activation = \"relu\", end_point = true }".into(),
            "\"end_point = true\" uses the name of the scope, but the step has no scope",
        ),
        (
            format!("{{ arg_scope = {{ of = [\"conv\"], stride = 2 }}, layers = [{{ {conv} }}] }}"),
            "there is no layer \"conv\" with defaults; did you mean \"conv2d\"?",
        ),
        (
            format!(
                "{{ arg_scope = {{ of = [\"conv2d\", \"max_pool2d\"], rate = 2 }}, layers = [{{ {conv} }}] }}"
            ),
            "max_pool2d has no argument \"rate\"; choose one of stride, padding",
        ),
        (
            format!("{{ aux_logits = [{{ {conv} }}], scope = \"aux\" }}"),
            "aux_logits needs the option create_aux_logits; declare it: options = { create_aux_logits = true }",
        ),
        (
            format!("{{ reenter_scope = true, layers = [{{ {conv} }}] }}"),
            "there is no scope around the group that it could enter again",
        ),
        (
            format!("{{ repeat = 9999, block = \"a\", layers = [{{ {conv}, repeat = 9999 }}] }}"),
            "the network has more than 20000 layers",
        ),
        (
            format!("{{ {conv}, end_point = \"low\" }}, {{ add = \"lw\" }}"),
            "no step before this one has the end point \"lw\"; did you mean \"low\"?",
        ),
        (format!("{{ {conv}, from = \"conv1\" }}"), "no step before this one has the end point \"conv1\""),
        ("{ add = true }".into(), "add of add has to be a number or the name of an end point, not true"),
        ("{ concat = [\"images\"] }".into(), "concat needs at least two end points"),
        (
            "{ resize_bilinear = \"image\" }".into(),
            "resize_bilinear of resize_bilinear has to be a whole number, [height, width], \"images\"",
        ),
        (
            "{ resize_bilinear = 9, align_corners = true, half_pixel_centers = true }".into(),
            "align_corners and half_pixel_centers exclude each other",
        ),
        (
            format!("{{ {conv}, variable_names = {{ weight = \"w\" }} }}"),
            "variable_names has no variable \"weight\"; did you mean \"weights\"?",
        ),
        (
            format!("{{ {conv}, output = \"a\" }}, {{ activation = \"relu\", output = \"a\" }}"),
            "the output is defined on line 5 already",
        ),
        (format!("{{ {conv}, output = \"\" }}"), "the name of an output is empty"),
        ("{".repeat(9), "it is not valid TOML: "),
    ];
    for (step, expected) in said {
        let got = mistake_in(&step);
        assert!(got.starts_with(&format!("my_net.toml, line 5: {expected}")), "{step}\n{got}");
    }
}

#[test]
fn a_step_that_cannot_be_built_is_reported_with_its_line() {
    let conv = "{ conv2d = 8, kernel = 3, scope = \"a\" }";
    let said = [
        (
            "{ max_pool2d = 40, scope = \"p\" }".to_owned(),
            "MaxPool \"p/MaxPool\": a window of 40 does not fit an input of shape",
        ),
        (format!("{conv}, {conv}"), "VariableV2 \"a/weights\": another node has the same name"),
        (
            "{ residual = [{ conv2d = 8, kernel = 3, scope = \"a\" }] }".into(),
            "AddV2 \"add\": shapes [?, 32, 32, 3] and [?, 32, 32, 8] do not broadcast",
        ),
        ("{ space_to_depth = 3 }".into(), "SpaceToDepth \"SpaceToDepth\": "),
        (
            "{ flatten = \"f\" }, { resize_bilinear = \"x2\" }".into(),
            "ResizeBilinear: a tensor of shape [?, 3072] is not an image of known size",
        ),
        ("{ l2_normalize = \"n\", axis = 4 }".into(), "axis: a tensor of shape [?, 32, 32, 3] has no axis 4"),
        (
            "{ flatten = \"f\" }, { max_pool2d = \"whole image\" }".into(),
            "\"whole image\": a tensor of shape [?, 3072] is not an image",
        ),
        (
            "{ repeat = 60, block = \"b\", layers = [{ branches = [[], []], scopes = \"none\" }] }".into(),
            "layer: its result has more than",
        ),
    ];
    for (step, expected) in said {
        let got = mistake_in(&step);
        assert!(got.starts_with("net: my_net.toml, line 5: "), "{step}\n{got}");
        assert!(got.contains(expected), "{step}\n{got}");
    }
}

#[test]
fn a_mistake_in_the_keys_of_the_network_is_reported_with_its_line() {
    let layers = "layers = [{ conv2d = 8, kernel = 3, scope = \"a\" }]";
    let said = [
        ("".to_owned(), "line 1: the network needs the key \"name\""),
        (format!("name = \"a\"\n{layers}"), "line 1: the network needs the key \"image_size\""),
        ("name = \"a\"\nimage_size = 9".into(), "line 1: the network needs the key \"layers\""),
        (
            format!("name = \"a\"\nimage_size = \"big\"\n{layers}"),
            "line 2: image_size of the network has to be a whole number from 1 to 100000 or [height, width], \
             not \"big\"",
        ),
        (
            format!("name = \"a\"\nimage_size = 9\nlogit = \"b\"\n{layers}"),
            "line 3: the network has no key \"logit\"; choose one of name, scope, ",
        ),
        (
            format!("name = \"a\"\nimage_size = 9\noptions = {{ num_classes = 10 }}\n{layers}"),
            "line 3: the option num_classes is declared, but no layer has \"num_classes\" outputs",
        ),
        (
            format!("name = \"a\"\nimage_size = 9\noptions = {{ spatial_squeeze = 1 }}\n{layers}"),
            "line 3: spatial_squeeze of options has to be true or false, not 1",
        ),
        (
            format!("name = \"a\"\nimage_size = 9\n\n[[arg_scope]]\nof = [\"conv2d\"]\n{layers}"),
            "line 6: arg_scope has no key \"layers\"; put the keys of the network before the first [[arg_scope]]",
        ),
        (
            format!("name = \"a\"\nimage_size = 9\noptions = {{ depth_multiplier = 1.0 }}\n{layers}"),
            "line 3: depth_multiplier needs min_depth, which has to be at least 1; declare it: ",
        ),
        (
            format!("name = \"a\"\nimage_size = 9\noptions = {{ frames = 8 }}\n{layers}"),
            "line 3: only networks whose input is not images can have the option frames",
        ),
        (format!("name = \"a\"\nname = \"b\"\n{layers}"), "line 2: it is not valid TOML: duplicate key"),
        ("name = \"a\"\nimage_size = ".into(), "line 2: it is not valid TOML: "),
    ];
    for (text, expected) in said {
        let got = mistake(&text);
        assert!(got.starts_with(&format!("my_net.toml, {expected}")), "{text}\n{got}");
    }
}

#[test]
fn the_example_of_the_documentation_is_a_description() {
    let page = std::fs::read_to_string(repository("docs/custom-networks.md")).unwrap();
    let example = page.split("```").find(|block| block.starts_with("toml\nname")).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("my_net.toml");
    std::fs::write(&path, example.strip_prefix("toml").unwrap()).unwrap();
    let network = toml_network::network(&path).unwrap();
    assert_eq!((&*network.name, &*network.logits), ("my_net", "logits/weights"));
}

#[test]
fn a_described_network_lives_as_long_as_it_is_used() {
    let network = NetworkChoice::from(&*Case::load("plain_cnn").description()).network().unwrap();
    let observed = Arc::downgrade(&network);
    drop(network);
    assert!(observed.upgrade().is_none());
}

#[test]
fn other_files_are_refused_in_one_sentence() {
    let folder = TempDir::new().unwrap();
    let case = Case::load("plain_cnn");
    let checkpoint = write(folder.path(), &case.filled(""), Format::V2);
    let output = folder.path().join("model.onnx");
    let refused = |network: &Path| {
        let [input, output, network] = [&checkpoint, &output, network].map(|path| path.to_str().unwrap());
        fails(&["convert", input, output, "--network", network])
    };
    assert!(refused(&folder.path().join("no.toml")).contains("no.toml: the file does not exist"));
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, b"name = \"a\"\n\xff\xfe").unwrap();
    assert!(refused(&binary).contains("binary.toml, line 2: it is not UTF-8 text"));
    // Another network's checkpoint.
    let other = refused(Path::new(&example("inception_v1")));
    assert!(other.contains("none of the checkpoint's 8 variables belongs to this network"), "{other}");
    assert!(!output.exists());
}

#[test]
fn damaged_descriptions_do_not_cause_a_panic() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("damaged.toml");
    let text = std::fs::read_to_string(Case::load("every_layer").description()).unwrap();
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        if let Err(error) = toml_network::network(&path) {
            assert!(error.to_string().contains("damaged.toml, line "), "{error}");
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
    };
    let tokens: Vec<(usize, &str)> = text.match_indices([' ', '"', '{', '}', '[', ']', ',', '=']).collect();
    for &(at, token) in &tokens {
        read(&text[..at]);
        read(&format!("{}{}", &text[..at], &text[at + token.len()..]));
        for other in ["{}", "[]", "\"\"", "-1", "99999999999999999999", "1e999", "nan", "0x10", "\n"] {
            read(&format!("{}{other}{}", &text[..at], &text[at + token.len()..]));
        }
    }
    // Every number of a layer in place of every other.
    for (at, _) in text.match_indices(" = ") {
        let end = text[at + 3..].find([',', ' ', '\n']).map_or(text.len(), |end| at + 3 + end);
        for other in ["1", "7", "true", "10000", "16777216", "\"none\"", "\"whole image\"", "[]", "[[], []]"]
        {
            read(&format!("{} = {other}{}", &text[..at], &text[end..]));
        }
    }
    for nested in ["{ layers = [", "{ branches = [[", "[", "{ a = "] {
        read(&format!("name = \"a\"\nimage_size = 9\nlayers = [{}", nested.repeat(10_000)));
    }
}

#[test]
fn a_described_local_response_normalization_has_its_arguments() {
    let folder = TempDir::new().unwrap();
    let description = folder.path().join("net.toml");
    let text = "name = \"net\"\nimage_size = 8\nlayers = [{ conv2d = 4, kernel = 1, scope = \"conv1\" }, \
                { local_response_normalization = \"norm1\", depth_radius = 2, alpha = 0.1, beta = 0.75 }]";
    std::fs::write(&description, text).unwrap();
    let variables = [("conv1/weights", vec![1, 1, 3, 4]), ("conv1/biases", vec![4])];
    let variables =
        variables.map(|(name, shape)| Variable::float32(name, &shape, fill::variable(name, &shape, 1.0)));
    let checkpoint = write(folder.path(), &variables, Format::V1);
    let output = folder.path().join("model.onnx");
    convert(&checkpoint, &output, &["--network", description.to_str().unwrap()]);
    let model = Model::load(&output);
    let [node] = model.nodes("LRN")[..] else { panic!("there is one") };
    let number = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name).unwrap();
    assert_eq!((number("size").i, number("beta").f, number("bias").f), (5, 0.75, 1.0));
    // TensorFlow weighs the sum, ONNX the mean.
    assert_eq!(number("alpha").f, 0.5);
}

#[test]
fn the_model_contains_the_name_of_a_described_network() {
    let case = Case::load("every_layer");
    let folder = TempDir::new().unwrap();
    let checkpoint = write(folder.path(), &case.filled(""), Format::V2);
    let output = folder.path().join("model.onnx");
    let done = convert(&checkpoint, &output, &["--network", &case.description()]);
    assert!(done.stdout.contains("every_layer in no scope (38 of 38 variables)"), "{}", done.stdout);
    let model = Model::load(&output);
    assert_eq!(model.metadata("network"), Some("every_layer"));
    assert_eq!(model.metadata("image_size"), Some("32x32"));
    assert!(model.metadata("network_options").unwrap().contains("embedding=12"));
}
