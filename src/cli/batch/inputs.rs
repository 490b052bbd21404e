//! From what the user names to the inputs: paths, patterns, trees of folders, lists.

use std::collections::{BTreeSet, HashSet};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use glob::Pattern;
use walkdir::WalkDir;

use super::list::{LIST, paths_in};
use super::manifest::Entry;
use super::names;
use crate::cli::convert::choices::Choices;
use crate::cli::output;
use crate::error::{Error, Result};
use crate::output::whereabouts;
use crate::source::{Found, FoundInFolder, is_saved_model, model_at, models_in};

/// A model to convert.
#[derive(Debug, Clone)]
pub struct Input {
    /// What is converted.
    pub path: PathBuf,
    /// Its files and their size together, as far as they are known.
    pub files: Vec<PathBuf>,
    pub bytes: u64,
    /// The output, below the folder of the outputs.
    pub output: PathBuf,
    pub choices: Choices,
    /// Where in a manifest it stands.
    pub place: Option<String>,
}

impl Input {
    /// What to call it where it has to be found again.
    pub fn named(&self) -> String {
        match &self.place {
            Some(place) => format!("{} ({place})", self.path.display()),
            None => self.path.display().to_string(),
        }
    }
}

/// How inputs are looked for.
#[derive(Debug, Default)]
pub struct Search {
    /// The folder whose subfolders the outputs keep, where that is said.
    pub relative_to: Option<PathBuf>,
    /// Whether earlier steps of a training are wanted too.
    pub all_checkpoints: bool,
    /// What is left out of folders and of what a pattern matches.
    pub exclude: Vec<Pattern>,
    /// The folder of the outputs, in which nothing is looked for.
    pub out_dir: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Inputs {
    /// In the order of their outputs.
    pub inputs: Vec<Input>,
    /// What could not be looked at, and why.
    pub unreadable: Vec<(PathBuf, Error)>,
    /// What was left out on purpose, for the reader to know.
    pub notes: Vec<String>,
}

/// Finds the inputs that `named` and the entries of a manifest mean.
///
/// # Errors
/// Where there are none, or two would have the same output.
pub fn find(search: &Search, named: &[PathBuf], entries: Vec<Entry>, typed: &Choices) -> Result<Inputs> {
    let mut finder =
        Finder { search, typed, known: HashSet::new(), excluded: 0, notes: vec![], found: Inputs::default() };
    for path in named {
        if path.as_os_str() == LIST {
            let mut list = vec![];
            let read = std::io::stdin().lock().read_to_end(&mut list);
            read.map_err(|error| Error::new("standard input", format!("cannot be read ({error})")))?;
            for path in paths_in(&list) {
                finder.listed(path)?;
            }
        } else if path.exists() || !is_pattern(path) {
            finder.path(path, search.relative_to.as_deref())?;
        } else {
            finder.pattern(path)?;
        }
    }
    finder.entries(entries);
    finder.found.notes = finder.notes();
    let Finder { mut found, excluded, .. } = finder;
    if found.inputs.is_empty() && found.unreadable.is_empty() {
        if excluded > 0 {
            found.notes.push(format!("--exclude leaves out {excluded} that match it"));
        }
        let named: Vec<String> = named.iter().map(|path| path.display().to_string()).collect();
        let problem = match &named[..] {
            [list] if list == LIST => "no paths are listed on it".to_owned(),
            _ => "no checkpoint, SavedModel, frozen graph or archive was found".to_owned(),
        };
        let subject = if named == [LIST] { "standard input".to_owned() } else { named.join(", ") };
        let error = Error::new(subject, problem);
        return Err(if found.notes.is_empty() { error } else { error.advice(found.notes.join("; ")) });
    }
    names::check(&found.inputs)?;
    // Whatever order folders are listed in, all processes that share the work see the same.
    found.inputs.sort_by(|a, b| a.output.cmp(&b.output));
    Ok(found)
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// The folders at the beginning of a pattern that are named without a wildcard.
fn fixed_part(pattern: &Path) -> PathBuf {
    let folder = pattern.parent().unwrap_or(Path::new(""));
    folder.components().take_while(|part| !is_pattern(part.as_ref())).collect()
}

struct Finder<'a> {
    search: &'a Search,
    typed: &'a Choices,
    /// The inputs that are there, by where they really are.
    known: HashSet<PathBuf>,
    /// How many files and folders were left out since they were to be.
    excluded: usize,
    /// What is to be told of what was left out.
    notes: Vec<Note>,
    found: Inputs,
}

/// What was left out on purpose. Files that turn out to be inputs all the same, found another way, are not told of.
enum Note {
    /// Earlier steps, all in one folder.
    Steps(Vec<PathBuf>),
    WithoutWeights(PathBuf),
    /// A sentence.
    Said(String),
}

impl Finder<'_> {
    /// What a line of a list means.
    fn listed(&mut self, path: PathBuf) -> Result<()> {
        if path.as_os_str() == LIST {
            let error = Error::new("standard input", "it cannot be both the list and a model in it")
                .advice("leave out the line -, and name a file");
            self.found.unreadable.push((path, error));
            return Ok(());
        }
        self.path(&path, self.search.relative_to.as_deref())
    }

    /// What there is to say of what was left out, when all inputs are known.
    fn notes(&self) -> Vec<String> {
        let is_left = |path: &Path| !self.known.contains(&whereabouts(path));
        let said = |note: &Note| match note {
            Note::Said(text) => Some(text.clone()),
            Note::WithoutWeights(graph) => {
                is_left(graph).then(|| format!("{}: left out, a graph without its weights", graph.display()))
            }
            Note::Steps(steps) => {
                let left = steps.iter().filter(|step| is_left(step)).count();
                let folder = steps.first()?.parent().unwrap_or(Path::new("")).display();
                let count = output::count(left, "earlier step");
                (left > 0).then(|| format!("{folder}: {count} left out; --all-checkpoints takes all"))
            }
        };
        self.notes.iter().filter_map(said).collect()
    }

    /// What a path means. The output keeps the folders below `base`.
    fn path(&mut self, path: &Path, base: Option<&Path>) -> Result<()> {
        if path.is_dir() && !is_saved_model(path) {
            return self.tree(path, base.unwrap_or(path));
        }
        self.add(model_at(path), base)
    }

    fn pattern(&mut self, pattern: &Path) -> Result<()> {
        // Typed for all that is below; to the library, ** alone stands for folders.
        let is_all_below = pattern.file_name().is_some_and(|name| name == "**");
        let text = if is_all_below { pattern.join("*") } else { pattern.to_owned() };
        let text = text.to_string_lossy();
        let wrong = |problem: &str| Error::new(&text, format!("the pattern cannot be read: {problem}"));
        let paths = glob::glob(&text).map_err(|error| wrong(error.msg))?;
        let fixed = fixed_part(pattern);
        let base = self.search.relative_to.clone().unwrap_or(fixed);
        let mut matched = false;
        let mut folders = BTreeSet::from([base_folder(&fixed_part(pattern))]);
        for path in paths {
            match path {
                Ok(path) => {
                    matched = true;
                    folders.extend(path.parent().map(base_folder));
                    if !self.is_excluded(&path, &base) {
                        self.path(&path, Some(&base))?;
                    }
                }
                Err(error) => {
                    let unreadable = Error::unreadable(error.path(), error.error());
                    self.found.unreadable.push((error.path().to_owned(), unreadable));
                }
            }
        }
        for path in folders.iter().flat_map(|folder| unmatchable(folder, pattern)) {
            matched = true;
            let error = Error::file(&path, "its name is not UTF-8, which no pattern matches")
                .advice("name the file itself or its folder");
            self.found.unreadable.push((path, error));
        }
        if !matched {
            let error = Error::file(pattern, "no file matches the pattern");
            self.found.unreadable.push((pattern.to_owned(), error));
        }
        Ok(())
    }

    /// Everything below a folder.
    fn tree(&mut self, root: &Path, base: &Path) -> Result<()> {
        let out_dir = self.search.out_dir.canonicalize().ok();
        let mut walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // A link to a folder that it lies in leads nowhere new.
                Err(error) if error.loop_ancestor().is_some() => continue,
                Err(error) => {
                    self.unreadable(error.path().unwrap_or(root), error.io_error());
                    continue;
                }
            };
            if !entry.file_type().is_dir() {
                continue;
            }
            let folder = entry.path();
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            let is_output = out_dir.is_some() && folder.canonicalize().ok() == out_dir;
            if entry.depth() > 0 && (is_hidden || is_output || self.is_excluded(folder, root)) {
                walk.skip_current_dir();
                continue;
            }
            match models_in(folder) {
                Err(error) => self.found.unreadable.push((folder.to_owned(), error)),
                Ok(in_folder) => {
                    if in_folder.is_saved_model {
                        walk.skip_current_dir();
                    }
                    self.folder(in_folder, root, base)?;
                }
            }
        }
        Ok(())
    }

    /// What cannot be looked at in a folder. A link to nothing is no model, but may have been to one.
    fn unreadable(&mut self, path: &Path, error: Option<&std::io::Error>) {
        if let (Ok(to), false) = (path.read_link(), path.exists()) {
            let note =
                format!("{}: left out, a link to {}, which is not there", path.display(), to.display());
            return self.notes.push(Note::Said(note));
        }
        // A folder is looked at for models in it and for folders in it, and is one failure.
        if self.found.unreadable.iter().any(|(known, _)| known == path) {
            return;
        }
        let error = match error {
            Some(error) => Error::unreadable(path, error),
            None => Error::file(path, "it cannot be read"),
        };
        self.found.unreadable.push((path.to_owned(), error));
    }

    fn folder(&mut self, in_folder: FoundInFolder, root: &Path, base: &Path) -> Result<()> {
        let FoundInFolder { mut models, superseded, without_weights, .. } = in_folder;
        if self.search.all_checkpoints {
            models.extend(superseded);
        } else {
            self.notes.push(Note::Steps(superseded.into_iter().map(|step| step.path).collect()));
        }
        self.notes.extend(without_weights.into_iter().map(Note::WithoutWeights));
        for model in models {
            if !self.is_excluded(&model.path, root) {
                self.add(model, Some(base))?;
            }
        }
        Ok(())
    }

    fn is_excluded(&mut self, path: &Path, root: &Path) -> bool {
        let below = path.strip_prefix(root).unwrap_or(path);
        let name = path.file_name().map(Path::new);
        let matches = |pattern: &Pattern| {
            pattern.matches_path(below) || name.is_some_and(|name| pattern.matches_path(name))
        };
        let is_excluded = self.search.exclude.iter().any(matches);
        self.excluded += usize::from(is_excluded);
        is_excluded
    }

    /// Adds a model, unless it is there.
    fn add(&mut self, model: Found, base: Option<&Path>) -> Result<()> {
        if !self.known.insert(whereabouts(&model.path)) {
            return Ok(());
        }
        let folder = match base {
            Some(base) => folder_below(&model.path, base)?,
            None => PathBuf::new(),
        };
        let output = folder.join(names::of(&model.path));
        let (bytes, choices) = (model.bytes(), self.typed.clone());
        let Found { path, files } = model;
        self.found.inputs.push(Input { path, files, bytes, output, choices, place: None });
        Ok(())
    }

    fn entries(&mut self, entries: Vec<Entry>) {
        for Entry { place, input, output, choices } in entries {
            let model = model_at(&input);
            let output = output.unwrap_or_else(|| names::of(&model.path));
            let bytes = model.bytes();
            let (path, files, place) = (input, model.files, Some(place));
            self.found.inputs.push(Input { path, files, bytes, output, choices, place });
        }
    }
}

/// A folder by a path that can be listed.
fn base_folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

/// The files of a folder that the last part of a pattern would match if their names were text.
fn unmatchable(folder: &Path, pattern: &Path) -> Vec<PathBuf> {
    let last = pattern.file_name().unwrap_or_default().to_string_lossy();
    let Ok(last) = Pattern::new(&last) else { return vec![] };
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let is_meant =
        |name: &std::ffi::OsString| name.to_str().is_none() && last.matches(&name.to_string_lossy());
    names.filter(is_meant).map(|name| folder.join(name)).collect()
}

/// The folders between `base` and a model.
fn folder_below(path: &Path, base: &Path) -> Result<PathBuf> {
    // A SavedModel's folder may be the base itself.
    if path == base {
        return Ok(PathBuf::new());
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    // As it is written, so that links keep their names; then as it really is.
    let written = |path: &Path| std::path::absolute(base_folder(path)).ok();
    let real = |path: &Path| base_folder(path).canonicalize().ok();
    for (folder, base) in [(written(folder), written(base)), (real(folder), real(base))] {
        if let (Some(folder), Some(base)) = (folder, base)
            && let Ok(below) = folder.strip_prefix(base)
            && below.components().all(|part| matches!(part, Component::Normal(_)))
        {
            return Ok(below.to_owned());
        }
    }
    Err(Error::file(path, format!("does not lie below {}", base.display()))
        .advice("choose a folder above all inputs for --relative-to"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_part_of_a_pattern_has_no_wildcards() {
        for (pattern, fixed) in
            [("runs/*/m.ckpt", "runs"), ("*.ckpt", ""), ("/a/b/[cd].pb", "/a/b"), ("a/**/x/*.pb", "a")]
        {
            assert_eq!(fixed_part(Path::new(pattern)), Path::new(fixed), "{pattern}");
        }
    }
}
