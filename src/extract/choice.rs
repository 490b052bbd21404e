//! Choosing the tensors to write: as they are stored or as a conversion writes them, with or without synthesized ones.

use hashbrown::HashSet;

use super::Output;
use crate::convert::{ConvertOptions, Note, NoteKind, convert};
use crate::error::{Error, Result};
use crate::graph::is_variable;
use crate::inspect::{BatchNormEntry, identify};
use crate::onnx::Initializer;
use crate::setting::{Command, Setting};
use crate::source::Source;
use crate::tensor::Constant;
use crate::tensors_in_file::{NameFilter, NamedTensor, TensorFile};

/// The order of the axes of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Layout {
    /// TensorFlow's order: filters are [height, width, input channels, output channels]
    Tensorflow,
    /// The order that convert writes: filters are [output channels, input channels, height, width]
    Onnx,
}

/// Which tensors to write, and how.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The names of the tensors.
    pub filter: NameFilter,
    /// The order of axes; `None` is that of the file.
    pub layout: Option<Layout>,
    /// Whether to add scales and offsets that are not stored.
    pub with_synthesized: bool,
    /// The options of the conversion.
    pub options: ConvertOptions,
}

/// The tensors to write.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// The tensors.
    pub tensors: Vec<Output>,
    /// The number of these that are not stored in the file.
    pub synthesized: usize,
    /// What was left out, and why.
    pub notes: Vec<Note>,
}

/// Chooses tensors of a file.
///
/// # Errors
/// If no tensor is chosen, two have the same name, one cannot be read, or the file cannot be converted and the order of axes
/// is that of a conversion.
pub fn choose(file: &TensorFile, choice: &Choice) -> Result<Chosen> {
    let stored = file.tensors();
    let mut chosen = Chosen::default();
    let batch_norms = match (file, choice.layout) {
        (TensorFile::Onnx(onnx), layout) => {
            let wrong = |setting: Setting, problem: &str| {
                Err(Error::new(setting, problem)
                    .within(onnx.path().display())
                    .advice(format!("leave out {setting}")))
            };
            if layout == Some(Layout::Tensorflow) {
                return wrong(
                    Setting::Layout,
                    "an ONNX model does not say which order its weights had in TensorFlow",
                );
            }
            if choice.with_synthesized {
                return wrong(Setting::WithSynthesized, "an ONNX model holds all scales and offsets already");
            }
            chosen.add_stored(stored, &choice.filter)?;
            vec![]
        }
        (TensorFile::Model(model), Some(Layout::Onnx)) => chosen.add_converted(model, &stored, choice)?,
        (TensorFile::Model(_), _) => {
            let norms = match choice.with_synthesized {
                true => identify(file, &stored, &choice.options)?.batch_norms,
                false => vec![],
            };
            chosen.add_stored(stored, &choice.filter)?;
            norms
        }
    };
    if choice.with_synthesized {
        chosen.add_synthesized(&batch_norms, &choice.filter);
    }
    if chosen.tensors.is_empty() {
        let problem = if choice.filter.accepts_all() { "it holds no tensors" } else { "no tensor matches" };
        let is_synthesized = |stored: &BatchNormEntry| {
            let mut only_it = Chosen::default();
            only_it.add_synthesized(std::slice::from_ref(stored), &choice.filter);
            only_it.synthesized > 0
        };
        let advice = match unstored(file, choice).iter().any(is_synthesized) {
            true => format!("add {} for parts of batch norms that are not stored", Setting::WithSynthesized),
            false => format!("{} lists its tensors", Command::Inspect.run()),
        };
        return Err(Error::file(file.path(), problem).advice(advice));
    }
    if let Some(name) = repeated_name(&chosen.tensors) {
        return Err(Error::file(file.path(), format!("it has two tensors with the name \"{name}\"")));
    }
    Ok(chosen)
}

/// The batch norms of a model, if parts of them could be synthesized.
fn unstored(file: &TensorFile, choice: &Choice) -> Vec<BatchNormEntry> {
    if choice.with_synthesized {
        return vec![];
    }
    identify(file, &file.tensors(), &choice.options).map(|known| known.batch_norms).unwrap_or_default()
}

fn repeated_name(tensors: &[Output]) -> Option<&str> {
    let mut names = HashSet::new();
    tensors.iter().map(|tensor| tensor.name.as_str()).find(|name| !names.insert(*name))
}

impl Chosen {
    /// Adds tensors as they are stored. Those of unsupported types are left out.
    fn add_stored(&mut self, stored: Vec<NamedTensor>, filter: &NameFilter) -> Result<()> {
        for NamedTensor { name, type_name, dtype, value, .. } in stored {
            if !filter.accepts(&name) {
                continue;
            }
            match value {
                Ok(value) => self.tensors.push(Output { name, value }),
                Err(error) if dtype.is_some() => return Err(error),
                Err(_) => {
                    let text = format!("{name} is left out: its type {type_name} is not supported");
                    self.notes.push(Note::info(NoteKind::Dtype, text).about(name));
                }
            }
        }
        Ok(())
    }

    /// Adds the variables and constants of a model as its conversion writes them, under their own names. Returns the batch
    /// norms.
    fn add_converted(
        &mut self,
        model: &Source,
        stored: &[NamedTensor],
        choice: &Choice,
    ) -> Result<Vec<BatchNormEntry>> {
        if choice.options.fold_batch_norm {
            let error = Error::new(
                Setting::FoldBatchNorm,
                "weights with folded batch norms do not belong to a variable",
            );
            return Err(error.advice("convert with it, and extract from the ONNX model"));
        }
        // Tensors that are left out are counted below.
        let options = ConvertOptions { backbone: true, ..choice.options.clone() };
        let conversion =
            convert(model, &options).map_err(|error| error.within(Setting::Layout.to("onnx")))?;
        let mut names: HashSet<&str> = stored.iter().map(|tensor| tensor.name.as_str()).collect();
        let nodes = model.graph().map(|graph| &graph.definition().node[..]).unwrap_or_default();
        names.extend(nodes.iter().filter(|node| is_variable(&node.op)).map(|node| node.name.as_str()));
        let mut reshaped = vec![];
        for Initializer { name, value } in conversion.model.initializers {
            // The name of the output of a variable or constant, or of a reshaped copy. Other initializers are shapes and the
            // like.
            let Some((variable, rest)) = name.split_once(":0") else { continue };
            if names.contains(variable) && choice.filter.accepts(variable) {
                let list = if rest.is_empty() { &mut self.tensors } else { &mut reshaped };
                list.push(Output { name: variable.to_owned(), value });
            }
        }
        for tensor in reshaped {
            if self.tensors.iter().all(|written| written.name != tensor.name) {
                self.tensors.push(tensor);
            }
        }
        self.tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let written: HashSet<&str> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        let is_left = |name: &str| choice.filter.accepts(name) && !written.contains(name);
        // Keras stores variables under the names of its objects, not of the graph's nodes.
        let left = match model.checkpoint() {
            Some(checkpoint) if checkpoint.is_object_based() => stored.len().saturating_sub(written.len()),
            _ => stored.iter().filter(|tensor| is_left(&tensor.name)).count(),
        };
        if left > 0 {
            let are_left =
                if left == 1 { "tensor is left out: it is" } else { "tensors are left out: they are" };
            let text = format!("{left} {are_left} not a part of the ONNX model");
            self.notes.push(Note::info(NoteKind::Variables, text));
        }
        let averages = conversion.moving_averages.note();
        self.notes.extend(averages.map(|text| Note::info(NoteKind::Variables, text)));
        Ok(conversion.batch_norms.into_iter().map(BatchNormEntry::from).collect())
    }

    /// Adds ones for each gamma and zeros for each beta that is not stored, under the names that they would have.
    fn add_synthesized(&mut self, norms: &[BatchNormEntry], filter: &NameFilter) {
        let mut names: HashSet<String> = self.tensors.iter().map(|tensor| tensor.name.clone()).collect();
        for norm in norms {
            for (origin, part, value) in [(&norm.gamma, "gamma", 1.0), (&norm.beta, "beta", 0.0)] {
                let name = format!("{}/{part}", norm.name);
                // Two batch norms may share their variables.
                let is_wanted =
                    origin.is_synthesized() && filter.accepts(&name) && names.insert(name.clone());
                match norm.channels {
                    Some(channels) if is_wanted => {
                        self.tensors.push(Output { name, value: Constant::filled(vec![channels], value) });
                        self.synthesized += 1;
                    }
                    None if is_wanted => {
                        let text = format!("{name} is left out: its number of channels is not known");
                        self.notes.push(Note::info(NoteKind::Variables, text).about(name));
                    }
                    _ => {}
                }
            }
        }
        self.tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    }
}
