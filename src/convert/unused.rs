//! Trained variables of a checkpoint that a model does not use: the model may be a part of a larger one.

use std::collections::BTreeMap;

use hashbrown::HashSet;
use serde::Serialize;

use super::{Note, NoteKind};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::kind::{Kind, kind_of};
use crate::error::Error;
use crate::setting::Setting;
use crate::slim::Recognition;
use crate::suggestion::first_of;
use crate::tensor::element_count;

/// If more than this share of the trained elements is not used, the checkpoint is of another model.
const MOST_SHARE: f64 = 0.1;

/// If more trained variables than this are outside of the network's scope, the checkpoint is of another model.
const MOST_OUTSIDE: usize = 8;

/// How many scopes a sentence lists.
const LISTED: usize = 4;

/// The trained variables that a model does not use: without optimizer slots, moving averages, counters, and variables
/// that only training needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unused {
    /// The variables by scope, sorted by name.
    pub scopes: Vec<UnusedScope>,
    /// How many of the variables are outside of the network's scope.
    outside: usize,
    /// The elements of all trained variables.
    trained_elements: u64,
}

/// The unused variables of a scope, or of scopes whose names differ in their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusedScope {
    /// The scope; `*` stands for numbers.
    pub scope: String,
    /// The variables.
    pub variables: Vec<String>,
    /// The number of their elements.
    pub elements: u64,
    /// The model that the scope belongs to, if it is known.
    pub known_as: Option<&'static str>,
}

/// The models that known scopes belong to, by the start of a name component. From the definitions in
/// tensorflow/models (`research/object_detection`, `research/deeplab`), davidsandberg/facenet, argman/EAST and
/// DeepLabCut/DeepLabCut.
const KNOWN: [(&str, &str); 22] = [
    ("BoxPredictor", "the box predictors of an SSD detector"),
    ("WeightSharedConvolutionalBoxPredictor", "the box predictors of an SSD detector"),
    ("BoxEncodingPredictor", "the box predictors of a detector"),
    ("ClassPredictor", "the box predictors of a detector"),
    ("FirstStageFeatureExtractor", "the first stage of a Faster R-CNN detector"),
    ("FirstStageBoxPredictor", "the region proposals of a Faster R-CNN detector"),
    ("SecondStageFeatureExtractor", "the second stage of a Faster R-CNN detector"),
    ("SecondStageBoxPredictor", "the second stage of a Faster R-CNN detector"),
    ("FeatureExtractor", "the feature extractor of a detector"),
    ("aspp", "the head of DeepLab"),
    ("image_pooling", "the head of DeepLab"),
    ("concat_projection", "the head of DeepLab"),
    ("decoder", "a decoder, such as DeepLab's"),
    ("semantic", "the classes of a segmentation, such as DeepLab's"),
    ("Bottleneck", "the embedding of a face by FaceNet"),
    ("feature_fusion", "the text detection of EAST"),
    ("part_pred", "the poses of DeepLabCut"),
    ("locref_pred", "the poses of DeepLabCut"),
    ("pairwise_pred", "the poses of DeepLabCut"),
    ("intermediate_supervision", "the poses of DeepLabCut"),
    ("discriminator", "the discriminator of a GAN"),
    ("generator", "the generator of a GAN"),
];

/// Variables that only training needs, by scope or name, beside the network's scope: FaceNet's classifier, and the centers of
/// its loss (`train_softmax.py` and `facenet.py` in github.com/davidsandberg/facenet).
const FACENETS_TRAINING: [&str; 2] = ["Logits", "centers"];

fn only_trains(network: &str) -> &'static [&'static str] {
    match network {
        "inception_resnet_v1" | "facenet_inception_resnet_v2" | "squeezenet" => &FACENETS_TRAINING,
        _ => &[],
    }
}

/// The scope of a network, and the variables that it leaves out on purpose.
struct Boundary {
    /// The prefix of the names of the network's variables.
    root: String,
    /// Prefixes of the names of variables that are left out on purpose.
    left_out: Vec<String>,
}

impl Unused {
    /// The trained variables of a checkpoint other than `used`, which are those of the recognized network.
    pub fn of_network<'a>(
        checkpoint: &Checkpoint,
        recognition: &Recognition,
        used: impl Iterator<Item = &'a str>,
    ) -> Self {
        let Recognition { network, prefix, options, .. } = recognition;
        let separator = if options.scope.is_empty() { "" } else { "/" };
        let root = format!("{prefix}{}{separator}", options.scope);
        let aux = network.aux_logits.as_ref().map(|aux| format!("{root}{aux}/"));
        // If an option leaves the logits out, the user knows.
        let logits = network.logits.rsplit_once('/').map(|(scope, _)| format!("{root}{scope}/"));
        let logits = logits.filter(|_| network.options.iter().any(|spec| !options.is_unset(&spec.name)));
        let training = only_trains(&network.name)
            .iter()
            .flat_map(|name| [format!("{prefix}{name}/"), format!("{prefix}{name}")]);
        let left_out = aux.into_iter().chain(logits).chain(training).collect();
        Self::new(checkpoint, &Boundary { root, left_out }, used)
    }

    /// The trained variables of a checkpoint other than `used`, the names that a graph reads.
    pub fn of_graph<'a>(checkpoint: &Checkpoint, used: impl Iterator<Item = &'a str>) -> Self {
        Self::new(checkpoint, &Boundary { root: String::new(), left_out: vec![] }, used)
    }

    fn new<'a>(checkpoint: &Checkpoint, boundary: &Boundary, used: impl Iterator<Item = &'a str>) -> Self {
        let used: HashSet<&str> = used.collect();
        let exists = |name: &str| checkpoint.get(name).is_some();
        let (mut scopes, mut outside, mut trained_elements) = (BTreeMap::new(), 0, 0);
        for tensor in checkpoint.tensors() {
            let (name, shape) = (tensor.name(), tensor.shape());
            let elements = element_count(shape).unwrap_or(0) as u64;
            if used.contains(name) {
                trained_elements += elements;
                continue;
            }
            let kind = kind_of(name, Some(tensor.dtype()), shape.len(), &|_| false, &exists);
            if !matches!(kind, Kind::Weights | Kind::BatchNorm) || is_slot(checkpoint, name, shape) {
                continue;
            }
            let is_averaged = used.contains(format!("{name}/ExponentialMovingAverage").as_str());
            let is_left_out = boundary.left_out.iter().any(|scope| {
                if scope.ends_with('/') { name.starts_with(scope.as_str()) } else { name == scope }
            });
            let is_auxiliary = boundary.root.is_empty() && name.split('/').any(is_auxiliary);
            if is_averaged || is_left_out || is_auxiliary {
                continue;
            }
            trained_elements += elements;
            outside += usize::from(!name.starts_with(&boundary.root));
            let scope = scope_of(name, &boundary.root);
            let pattern = without_numbers(scope);
            let found = scopes.entry(pattern.clone()).or_insert_with(|| UnusedScope {
                known_as: known_as(name, &boundary.root),
                scope: scope.to_owned(),
                variables: vec![],
                elements: 0,
            });
            if found.scope != scope {
                found.scope = pattern;
            }
            found.variables.push(name.to_owned());
            found.elements += elements;
        }
        Self { scopes: scopes.into_values().collect(), outside, trained_elements }
    }

    /// The number of the variables.
    pub fn count(&self) -> usize {
        self.scopes.iter().map(|scope| scope.variables.len()).sum()
    }

    /// Their share of the elements of all trained variables, from 0 to 1.
    pub fn share(&self) -> f64 {
        let elements: u64 = self.scopes.iter().map(|scope| scope.elements).sum();
        if elements == 0 { 0.0 } else { elements as f64 / self.trained_elements as f64 }
    }

    /// Whether the checkpoint is of another model: the unused variables are of a known model, a large share, or many outside of
    /// the network.
    fn is_another_model(&self) -> bool {
        self.share() > MOST_SHARE
            || self.outside > MOST_OUTSIDE
            || self.scopes.iter().any(|scope| scope.known_as.is_some())
    }

    /// The error for a checkpoint that holds more than the recognized network.
    pub fn refused(&self, checkpoint: &Checkpoint, network: &str) -> Option<Error> {
        if !self.is_another_model() {
            return None;
        }
        let problem = format!("it holds more than {network}: {}", self.described());
        Some(Error::file(checkpoint.path(), problem).advice(format!(
            "give the graph of the whole model with {}, or take {network} alone with {}",
            Setting::Graph,
            Setting::Backbone
        )))
    }

    /// The warning about them; `None` if there are none. `user` is the part that does not use them, such as the network.
    pub fn warning(&self, user: &str) -> Option<Note> {
        (!self.scopes.is_empty()).then(|| {
            let text = format!("the checkpoint holds more than {user}: {}", self.described());
            Note::warning(NoteKind::Variables, text)
        })
    }

    fn described(&self) -> String {
        let count = self.count();
        let (variables, are) = if count == 1 { ("variable", "is") } else { ("variables", "are") };
        let percent = match 100.0 * self.share() {
            share if share < 1.0 => "less than 1".to_owned(),
            share => format!("{share:.0}"),
        };
        let scope = |scope: &UnusedScope| {
            let count = scope.variables.len();
            let count = if count == 1 { "1 variable".to_owned() } else { format!("{count} variables") };
            let known = scope.known_as.map(|what| format!(", {what}")).unwrap_or_default();
            format!("{} ({count}{known})", scope.scope)
        };
        let scopes: Vec<String> = self.scopes.iter().map(scope).collect();
        format!(
            "{count} trained {variables}, {percent} % of the elements, {are} not used: {}",
            first_of(&scopes, LISTED)
        )
    }
}

/// Whether a prefix of the tensor's name is a tensor of the same shape: then it is an optimizer slot of that tensor.
fn is_slot(checkpoint: &Checkpoint, name: &str, shape: &[usize]) -> bool {
    let mut above = name.match_indices('/').filter_map(|(end, _)| checkpoint.get(&name[..end]));
    above.any(|variable| variable.shape() == shape)
}

/// Whether a component of a name is the slim library's name for a classifier that only training needs.
fn is_auxiliary(component: &str) -> bool {
    component == "AuxLogits" || component.strip_prefix("aux_").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The scope that a variable is listed under: the first one that the network does not have, or the first one inside of the
/// network.
fn scope_of<'n>(name: &'n str, root: &str) -> &'n str {
    let shared = shared_scopes(name, root);
    let first = name[shared..].find('/').map_or(name.len(), |length| shared + length);
    &name[..first]
}

/// A name with `*` instead of its numbers.
fn without_numbers(name: &str) -> String {
    let words: Vec<&str> = name.split('_').map(|word| if is_number(word) { "*" } else { word }).collect();
    words.join("_")
}

/// The length of the scopes at the start of a name that the network is in, too.
fn shared_scopes(name: &str, root: &str) -> usize {
    let ends = name.match_indices('/').map(|(index, _)| index + 1);
    ends.take_while(|&end| root.starts_with(&name[..end])).last().unwrap_or(0)
}

fn known_as(name: &str, root: &str) -> Option<&'static str> {
    // The scopes around the network can also show the model that the variable belongs to.
    let inside = name[shared_scopes(name, root)..].split('/');
    let inside: Vec<&str> = inside.collect();
    let known =
        |component: &str| KNOWN.iter().find(|(word, _)| component.starts_with(word)).map(|(_, what)| *what);
    let found = inside.iter().find_map(|component| known(component));
    found.or_else(|| root.split('/').filter(|_| !name.starts_with(root)).find_map(known))
}
