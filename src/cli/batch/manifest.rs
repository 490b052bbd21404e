//! `--manifest FILE.toml`: inputs with the names of their outputs and with options.
//!
//! Paths in the file are relative to its folder, so that it works from any folder.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use clap::{Arg, ArgAction};

use crate::cli::convert::choices::{Choices, is_flag, is_path, options};
use crate::error::{Error, Result};
use crate::toml_text::document::{self, Document};
use crate::toml_text::fields::{Field, Fields};

/// An input of a manifest.
#[derive(Debug)]
pub struct Entry {
    /// Where it is in the manifest: `models.toml, line 7`.
    pub location: String,
    pub input: PathBuf,
    /// The path of the output, relative to the folder of the outputs.
    pub output: Option<PathBuf>,
    pub choices: Choices,
}

/// The longest manifest that is read: room for some hundred thousand models.
const MAX_BYTES: usize = 64 << 20;

const A_MODEL: &str = "a table that begins with [[model]]";

/// Reads a manifest. Typed options override those in the manifest.
///
/// # Errors
/// If it cannot be read or there is a mistake in it: the error names the line.
pub fn read(path: &Path, typed: &Choices) -> Result<Vec<Entry>> {
    let text = document::read(path, MAX_BYTES, "a manifest")?;
    let document = Document::new(path, &text);
    let table = document.parse()?;
    let mut fields = Fields::new(&document, ("the manifest", "key"), 0..0, table.get_ref());
    let reader =
        Reader { folder: path.parent().unwrap_or(Path::new("")), options: options(), document: &document };
    let defaults = match fields.take("defaults") {
        Some(field) => {
            let defaults = field.table("a table that begins with [defaults]", ("[defaults]", "option"))?;
            let line = defaults.line();
            let choices = reader.choices(defaults.into_fields(), "[defaults]", &[])?;
            choices.check_values().map_err(|problem| Error::new(document.location(line), problem))?;
            choices
        }
        None => Choices::default(),
    };
    let models = fields.take("model").map(|field| field.list(A_MODEL)).transpose()?.unwrap_or_default();
    fields.finish()?;
    if models.is_empty() {
        return Err(Error::file(path, "no models are listed").advice("each begins with [[model]]"));
    }
    models.iter().map(|model| reader.entry(model, &defaults, typed)).collect()
}

struct Reader<'a> {
    folder: &'a Path,
    options: Vec<Arg>,
    document: &'a Document<'a>,
}

impl Reader<'_> {
    fn entry(&self, model: &Field<'_>, defaults: &Choices, typed: &Choices) -> Result<Entry> {
        let mut fields = model.table(A_MODEL, ("a model", "key"))?;
        let line = fields.line();
        let input = fields.require("input")?;
        let input = match input.text()? {
            "" => return Err(input.wrong_value("the path of a model")),
            path => self.folder.join(path),
        };
        let output = fields.take("output").map(|field| output(&field)).transpose()?;
        let own = self.choices(fields.into_fields(), "a model", &["input", "output"])?;
        let choices = defaults.overridden_by(&own).overridden_by(typed);
        self.check(&choices, line)?;
        Ok(Entry { location: self.document.location(line), input, output, choices })
    }

    /// The options in a table, which also has the keys `others`.
    fn choices(&self, fields: Vec<Field<'_>>, of: &str, others: &[&str]) -> Result<Choices> {
        let mut choices = Choices::default();
        for field in fields {
            let long = |option: &&Arg| option.get_long() == Some(&field.key);
            let Some(option) = self.options.iter().find(long) else {
                let known = self.options.iter().filter_map(Arg::get_long).chain(others.iter().copied());
                return Err(field.unknown_key(of, "key", known));
            };
            let values = self.values(option, &field)?;
            // Each option is checked alone, so that the error names its line. Options that it needs may be elsewhere.
            let mut alone = Choices::default();
            alone.set(&field.key, values.clone());
            alone.check_values().map_err(|problem| field.error(problem))?;
            choices.set(&field.key, values);
        }
        Ok(choices)
    }

    /// Checks all options together: some exclude each other.
    fn check(&self, choices: &Choices, line: usize) -> Result<()> {
        choices.to_args().map(drop).map_err(|problem| Error::new(self.document.location(line), problem))
    }

    fn values(&self, option: &Arg, field: &Field<'_>) -> Result<Vec<OsString>> {
        if is_flag(option) {
            return Ok(vec![field.flag()?.to_string().into()]);
        }
        let takes_many = matches!(option.get_action(), ArgAction::Append);
        // Repeatable options of the form NAME=VALUE may be tables.
        let takes_pairs = takes_many
            && option.get_value_names().is_some_and(|names| names.iter().any(|name| name.contains('=')));
        let expected = match (takes_many, takes_pairs) {
            (_, true) => "text, a list, or a table such as { name = \"value\" }",
            (true, false) => "text or a list",
            _ => "text or a number",
        };
        let typed = |field: &Field<'_>| field.as_typed().ok_or_else(|| field.wrong_value(expected));
        let texts: Vec<String> = if takes_pairs && field.is_table() {
            let pair = |value: &Field<'_>| Ok(format!("{}={}", value.key, joined(value, &typed)?));
            let pairs = field.table(expected, ("the table", "key"))?.into_fields();
            pairs.iter().map(pair).collect::<Result<_>>()?
        } else if let (true, Some(elements)) = (takes_many, field.as_list()) {
            elements.iter().map(typed).collect::<Result<_>>()?
        } else {
            vec![typed(field)?]
        };
        let value = |text: String| {
            if !is_path(option, &text) {
                return Ok(text.into());
            }
            match self.folder.join(text) {
                path if path.exists() => Ok(path.into_os_string()),
                path => {
                    Err(field.error(format!("{} names {}, which does not exist", field.key, path.display())))
                }
            }
        };
        texts.into_iter().map(value).collect()
    }
}

/// A value, or the elements of a list with commas between them: `1,224,224,3`.
fn joined(field: &Field<'_>, typed: &impl Fn(&Field<'_>) -> Result<String>) -> Result<String> {
    match field.as_list() {
        Some(elements) => Ok(elements.iter().map(typed).collect::<Result<Vec<_>>>()?.join(",")),
        None => typed(field),
    }
}

/// The path of an output, which has to be relative to the folder of the outputs.
fn output(field: &Field<'_>) -> Result<PathBuf> {
    let text = field.text()?;
    let mut path = PathBuf::from(text);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    if text.is_empty() || text.ends_with('/') || !stays {
        return Err(
            field.wrong_value("a path relative to the folder of the outputs, such as \"resnet/v1_50.onnx\"")
        );
    }
    if path.extension().is_none_or(|extension| extension != "onnx") {
        path.as_mut_os_string().push(".onnx");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Result<Vec<Entry>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.toml");
        std::fs::write(&path, text).unwrap();
        let mut typed = Choices::default();
        typed.set("batch-size", vec!["4".into()]);
        let here = |path: &Path| path.strip_prefix(folder.path()).unwrap_or(path).to_owned();
        let read = read(&path, &typed).map_err(|error| error.with_path_replaced(&path, Path::new("m.toml")));
        Ok(read?.into_iter().map(|entry| Entry { input: here(&entry.input), ..entry }).collect())
    }

    #[test]
    fn a_model_has_its_own_options_before_the_defaults_and_typed_ones_before_both() {
        let read = entries(
            r#"
[defaults]
opset = 15
external-data = true
batch-size = 1

[[model]]
input = "a.ckpt"

[[model]]
input = "b/b.ckpt"
output = "b/scores"
external-data = false
image-size = "224x160"
outputs = ["Mixed_6e", "PreLogits"]
tolerance = 1e-3
verify = true
network-option = { spatial_squeeze = false }
shape = { images = [1, 224, 160, 3] }
network = "models.toml"
"#,
        )
        .unwrap();
        assert_eq!((read[0].input.as_path(), &read[0].output), (Path::new("a.ckpt"), &None));
        assert_eq!(read[0].choices.values("external-data"), ["true"]);
        assert_eq!(read[0].choices.values("batch-size"), ["4"]);
        let second = &read[1];
        assert_eq!(second.output.as_deref(), Some(Path::new("b/scores.onnx")));
        assert_eq!(second.choices.values("opset"), ["15"]);
        assert_eq!(second.choices.values("external-data"), ["false"]);
        assert_eq!(second.choices.values("outputs"), ["Mixed_6e", "PreLogits"]);
        assert_eq!(second.choices.values("tolerance"), ["1e-3"]);
        assert_eq!(second.choices.values("network-option"), ["spatial_squeeze=false"]);
        assert_eq!(second.choices.values("shape"), ["images=1,224,160,3"]);
        assert!(Path::new(&second.choices.values("network")[0]).is_absolute());
    }

    #[test]
    fn errors_name_the_line() {
        let said = |text: &str| entries(text).unwrap_err().to_string();
        let model = "[[model]]\ninput = \"a\"\n";
        for (text, expected) in [
            (
                format!("{model}image_size = 3\n"),
                "m.toml, line 3: a model has no key \"image_size\"; did you mean \"image-size\"?",
            ),
            (format!("{model}ouput = \"x\"\n"), "did you mean \"output\"?"),
            (format!("{model}\n[[model]]\noutput = \"x\"\n"), "line 4: a model needs the key \"input\""),
            (format!("{model}opset = 99\n"), "line 3: invalid value '99' for '--opset <N>'"),
            (
                format!("{model}keep-going = 1\n"),
                "line 3: keep-going of a model has to be true or false, not 1",
            ),
            (format!("{model}opset = [1, 2]\n"), "line 3: opset of a model has to be text or a number"),
            (format!("{model}output = \"../x\"\n"), "line 3: output of a model has to be a path relative"),
            (format!("{model}output = \"/x\"\n"), "line 3"),
            ("[default]\n".to_owned() + model, "line 1: the manifest has no key \"default\"; did you mean"),
            (format!("[defaults]\nopsett = 1\n{model}"), "line 2: [defaults] has no key"),
            ("[[model]\n".to_owned(), "line 1: it is not valid TOML"),
            (format!("{model}labels = \"no.txt\"\n"), "line 3: labels names"),
            (
                format!("{model}tolerance = 1\n"),
                "line 1: the following required arguments were not provided: --verify",
            ),
            (String::new(), "no models are listed"),
        ] {
            let said = said(&text);
            assert!(said.contains(expected) && said.starts_with("m.toml"), "{text}: {said}");
        }
    }
}
