//! Which tensors are written: as they are stored, or as a conversion writes them, and with those that nobody stored.

use hashbrown::HashSet;

use super::Output;
use crate::convert::{ConvertOptions, convert};
use crate::error::{Error, Result};
use crate::inspect::{BatchNormEntry, identify};
use crate::onnx::Initializer;
use crate::source::Source;
use crate::tensor::Constant;
use crate::tensors_in_file::{NameFilter, NamedTensor, TensorFile};

/// The order of the axes of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As they are stored: filters are `[height, width, input channels, output channels]`
    Tensorflow,
    /// As a conversion writes them: filters are `[output channels, input channels, height, width]`
    Onnx,
}

/// What is said about the tensors to write.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Which names are wanted.
    pub filter: NameFilter,
    /// The order of axes; that of the file where nothing is said.
    pub layout: Option<Layout>,
    /// Whether scales and offsets that nobody stored are wanted too.
    pub with_synthesized: bool,
    /// How the file would be converted.
    pub options: ConvertOptions,
}

/// The tensors to write.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// They themselves.
    pub tensors: Vec<Output>,
    /// How many of them nobody stored.
    pub synthesized: usize,
    /// What was left out and why, a sentence each.
    pub notes: Vec<String>,
}

/// Chooses tensors of a file.
///
/// # Errors
/// Where none is wanted, two have the same name, one of them cannot be had, or the file cannot be converted where a
/// conversion's order of axes is wanted.
pub fn choose(file: &TensorFile, choice: &Choice) -> Result<Chosen> {
    let stored = file.tensors();
    let mut chosen = Chosen::default();
    let batch_norms = match (file, choice.layout) {
        (TensorFile::Onnx(onnx), layout) => {
            let wrong = |option: &str, problem: &str| {
                Err(Error::new(option, problem)
                    .within(onnx.path().display())
                    .advice(format!("leave out {option}")))
            };
            if layout == Some(Layout::Tensorflow) {
                return wrong("--layout", "an ONNX model does not say what its weights were in TensorFlow");
            }
            if choice.with_synthesized {
                return wrong("--with-synthesized", "an ONNX model holds all scales and offsets already");
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
            true => "--with-synthesized writes what batch norms lack",
            false => "see what it holds with inspect",
        };
        return Err(Error::file(file.path(), problem).advice(advice));
    }
    if let Some(name) = repeated_name(&chosen.tensors) {
        return Err(Error::file(file.path(), format!("it has two tensors with the name \"{name}\"")));
    }
    Ok(chosen)
}

/// The batch norms of a model, of which some may lack a part that could be written all the same.
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
    /// Tensors as they are stored. One of a type that nothing here reads is left out.
    fn add_stored(&mut self, stored: Vec<NamedTensor>, filter: &NameFilter) -> Result<()> {
        for NamedTensor { name, type_name, dtype, value, .. } in stored {
            if !filter.accepts(&name) {
                continue;
            }
            match value {
                Ok(value) => self.tensors.push(Output { name, value }),
                Err(error) if dtype.is_some() => return Err(error),
                Err(_) => self.notes.push(format!("{name} is left out: nothing here reads {type_name}")),
            }
        }
        Ok(())
    }

    /// The variables and constants of a model as its conversion writes them, under their own names. Hands out the batch
    /// norms.
    fn add_converted(
        &mut self,
        model: &Source,
        stored: &[NamedTensor],
        choice: &Choice,
    ) -> Result<Vec<BatchNormEntry>> {
        if choice.options.fold_batch_norm {
            let error =
                Error::new("--fold-batch-norm", "weights that batch norms are folded into are no variable's");
            return Err(error.advice("convert with it, and extract from the ONNX model"));
        }
        // What is left out is counted below.
        let options = ConvertOptions { backbone: true, ..choice.options.clone() };
        let conversion = convert(model, &options).map_err(|error| error.within("--layout onnx"))?;
        let mut names: HashSet<&str> = stored.iter().map(|tensor| tensor.name.as_str()).collect();
        let nodes = model.graph().map(|graph| &graph.definition().node[..]).unwrap_or_default();
        let is_variable = |op: &str| matches!(op, "Variable" | "VariableV2" | "VarHandleOp");
        names.extend(nodes.iter().filter(|node| is_variable(&node.op)).map(|node| node.name.as_str()));
        let mut reshaped = vec![];
        for Initializer { name, value } in conversion.model.initializers {
            // The output of a variable or constant, or another shape of it; what else a conversion makes are shapes and
            // the like.
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
        self.tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let written: HashSet<&str> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        let is_left = |name: &str| choice.filter.accepts(name) && !written.contains(name);
        // Keras stores variables under the names of its objects, which are not those of the graph.
        let left = match model.checkpoint() {
            Some(checkpoint) if checkpoint.is_object_based() => stored.len().saturating_sub(written.len()),
            _ => stored.iter().filter(|tensor| is_left(&tensor.name)).count(),
        };
        if left > 0 {
            let are_left =
                if left == 1 { "tensor is left out: it is" } else { "tensors are left out: they are" };
            self.notes.push(format!("{left} {are_left} no part of the ONNX model"));
        }
        self.notes.extend(conversion.moving_averages.note());
        Ok(conversion.batch_norms.into_iter().map(BatchNormEntry::from).collect())
    }

    /// Ones for each gamma that nobody stored and zeros for each beta, under the names that they would have.
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
                        self.notes.push(format!("{name} is left out: how many channels it has is not known"));
                    }
                    _ => {}
                }
            }
        }
        self.tensors.sort_by(|a, b| a.name.cmp(&b.name));
    }
}
