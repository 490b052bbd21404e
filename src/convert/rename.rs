//! New names of the model's inputs and outputs.

use hashbrown::{HashMap, HashSet};

use super::keys::Called;
use super::{ConvertOptions, NewNames};
use crate::error::{Error, Result};
use crate::onnx::{Model, TensorInfo};
use crate::setting::Setting;
use crate::suggestion::suggesting_and_listing;

/// Other names of tensors, each with the name of its tensor.
pub(super) type Names = Vec<(String, String)>;

/// Other names of inputs and outputs: the keys of a signature, and slim's end points.
#[derive(Debug, Clone, Default)]
pub(super) struct Aliases {
    pub inputs: Names,
    pub outputs: Names,
}

impl Aliases {
    /// Other names of a model's inputs and outputs after `called` named them: these names and those of the tensors.
    pub fn and_tensors(&self, called: &Called) -> Self {
        let known = |tensors: &Names, aliases: &Names| {
            // Of a tensor that has several names, the first.
            let names: HashMap<&str, &str> =
                tensors.iter().rev().map(|(tensor, name)| (tensor.as_str(), name.as_str())).collect();
            let taken: HashSet<&str> = tensors.iter().map(|(_, name)| name.as_str()).collect();
            let of_tensor = |(alias, tensor): &(String, String)| {
                names.get(tensor.as_str()).map(|&name| (alias.clone(), name.to_owned()))
            };
            let node = |(tensor, name): &(String, String)| {
                tensor.strip_suffix(":0").map(|node| (node.to_owned(), name.clone()))
            };
            let others = tensors.iter().cloned().chain(tensors.iter().filter_map(node));
            let all = aliases.iter().filter_map(of_tensor).chain(others);
            all.filter(|(alias, _)| !taken.contains(alias.as_str())).collect()
        };
        Self {
            inputs: known(&called.inputs, &self.inputs),
            outputs: known(&called.outputs_by_name(), &self.outputs),
        }
    }
}

/// The tensor that has this other name.
pub(super) fn tensor_called<'n>(names: &'n Names, name: &str) -> Option<&'n str> {
    names.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor.as_str())
}

/// Gives the inputs and outputs of a model the new names of the options.
///
/// # Errors
/// If the model has no such input or output, the list has another length, or a name is taken.
pub(super) fn rename(model: &mut Model, options: &ConvertOptions, aliases: &Aliases) -> Result<()> {
    let mut names: HashMap<String, String> = HashMap::new();
    let Aliases { inputs, outputs } = aliases;
    let inputs = wanted(Setting::RenameInputs, "input", &options.rename_inputs, &model.inputs, inputs)?;
    let outputs = wanted(Setting::RenameOutputs, "output", &options.rename_outputs, &model.outputs, outputs)?;
    for (setting, old, new) in inputs.into_iter().chain(outputs) {
        if names.get(&old).is_some_and(|other| *other != new) {
            return Err(Error::new(setting.to(format!("{old}={new}")), format!("{old} has two new names")));
        }
        names.insert(old, new);
    }
    if !names.is_empty() {
        refuse_collisions(model, &names)?;
        model.rename_values(&names);
    }
    Ok(())
}

/// The setting, and the old and the new name of everything that it renames.
fn wanted(
    setting: Setting,
    what: &str,
    new_names: &NewNames,
    infos: &[TensorInfo],
    aliases: &Names,
) -> Result<Vec<(Setting, String, String)>> {
    let known: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
    let find = |name: &str| known.iter().find(|known| **known == name).copied();
    let old_name = |(old, new): &(String, String)| {
        let found = tensor_called(aliases, old).and_then(find).or_else(|| find(old));
        found.or_else(|| find(&format!("{old}:0"))).ok_or_else(|| {
            let error =
                Error::new(setting.to(format!("{old}={new}")), format!("the model has no {what} {old}"));
            suggesting_and_listing(error, old, &format!("its {what}s"), known.iter().copied())
        })
    };
    let pairs: Vec<(&str, &str)> = match new_names {
        NewNames::InOrder(names) if names.is_empty() => vec![],
        NewNames::InOrder(names) if names.len() != known.len() => {
            let plural = if known.len() == 1 { "" } else { "s" };
            let problem = format!("the model has {} {what}{plural}", known.len());
            return Err(Error::new(setting.to(names.join(",")), problem)
                .advice(format!("give a name for each of {}, or write NAME=NEW", known.join(", "))));
        }
        NewNames::InOrder(names) => known.iter().copied().zip(names.iter().map(String::as_str)).collect(),
        NewNames::ByName(pairs) => {
            pairs.iter().map(|pair| Ok((old_name(pair)?, pair.1.as_str()))).collect::<Result<_>>()?
        }
    };
    let renamed = |(old, new): (&str, &str)| {
        if new.is_empty() || new.chars().any(char::is_control) {
            let problem = "the new name is empty or has control characters in it";
            return Err(Error::new(setting.to(format!("{old}={new}")), problem));
        }
        Ok((setting, old.to_owned(), new.to_owned()))
    };
    pairs.into_iter().map(renamed).collect()
}

/// Checks that no two values would have the same name.
fn refuse_collisions(model: &Model, names: &HashMap<String, String>) -> Result<()> {
    let known = model.value_names();
    let mut taken: HashMap<&str, &str> = HashMap::new();
    let mut renamed: Vec<(&String, &String)> = names.iter().collect();
    renamed.sort_unstable();
    for (old, new) in renamed {
        let stays = known.contains(new.as_str()) && !names.contains_key(new);
        let other = stays.then_some(new.as_str()).or_else(|| taken.insert(new, old));
        if let Some(other) = other {
            return Err(Error::new(
                format!("{old}={new}"),
                format!("{new} would be the name of {other} too"),
            )
            .advice("choose another name"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    fn model() -> Model {
        let info = |name: &str| TensorInfo { name: name.to_owned(), dtype: DType::Float32, shape: None };
        Model { inputs: vec![info("a:0"), info("b:0")], outputs: vec![info("c:0")], ..Model::default() }
    }

    fn renamed(inputs: &[&str], outputs: &[&str]) -> Result<Vec<String>> {
        let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let options = ConvertOptions {
            rename_inputs: NewNames::parse(Setting::RenameInputs, &texts(inputs))?,
            rename_outputs: NewNames::parse(Setting::RenameOutputs, &texts(outputs))?,
            ..ConvertOptions::default()
        };
        let mut model = model();
        let names = |alias: &str, tensor: &str| vec![(alias.to_owned(), tensor.to_owned())];
        let aliases = Aliases { inputs: names("image", "b:0"), outputs: names("Logits", "c:0") };
        rename(&mut model, &options, &aliases)?;
        Ok(model.inputs.iter().chain(&model.outputs).map(|info| info.name.clone()).collect())
    }

    #[test]
    fn names_are_given_in_order_or_after_the_old_ones() {
        assert_eq!(renamed(&["x", "y"], &["z"]).unwrap(), ["x", "y", "z"]);
        assert_eq!(renamed(&["b:0=y"], &["Logits=z"]).unwrap(), ["a:0", "y", "z"]);
        assert_eq!(renamed(&["image=y"], &[]).unwrap(), ["a:0", "y", "c:0"]);
        assert_eq!(renamed(&["a=b:0", "b=a:0"], &[]).unwrap(), ["b:0", "a:0", "c:0"]);
        assert_eq!(renamed(&[], &[]).unwrap(), ["a:0", "b:0", "c:0"]);
    }

    #[test]
    fn what_does_not_fit_the_model_is_refused() {
        let said = |inputs: &[&str], outputs: &[&str]| renamed(inputs, outputs).unwrap_err().to_string();
        assert!(said(&["x"], &[]).contains("the model has 2 inputs; give a name for each of a:0, b:0"));
        assert!(said(&["x", "a:0=y"], &[]).contains("write all of them as NAME=NEW"));
        assert!(said(&["aa:0=x"], &[]).contains("did you mean \"a:0\"?"));
        assert!(said(&["a:0=b:0"], &[]).contains("b:0 would be the name of b:0 too"));
        assert!(said(&["a:0=x", "b:0=x"], &[]).contains("x would be the name of a:0 too"));
        assert!(said(&["a:0=x", "a=y"], &[]).contains("a:0 has two new names"));
        assert!(said(&["a:0="], &[]).contains("empty"));
    }
}
