//! Finding the inputs: in paths, patterns, folders and lists.

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
use crate::output::resolved_path;
use crate::source::{Found, FoundInFolder, is_saved_model, model_at, models_in};

/// A model to convert.
#[derive(Debug, Clone)]
pub struct Input {
    /// The path to convert.
    pub path: PathBuf,
    /// Its files and their total size, as far as they are known.
    pub files: Vec<PathBuf>,
    pub bytes: u64,
    /// The path of the output, relative to the folder of the outputs.
    pub output: PathBuf,
    pub choices: Choices,
    /// Where it is in a manifest.
    pub location: Option<String>,
}

impl Input {
    /// Its path, and where it is in a manifest.
    pub fn named(&self) -> String {
        match &self.location {
            Some(location) => format!("{} ({location})", self.path.display()),
            None => self.path.display().to_string(),
        }
    }
}

/// How inputs are searched for.
#[derive(Debug, Default)]
pub struct Search {
    /// The folder that the paths of the outputs are relative to, if it is given.
    pub relative_to: Option<PathBuf>,
    /// Whether to include the checkpoints of earlier steps.
    pub all_checkpoints: bool,
    /// Patterns of the paths to leave out in folders and patterns.
    pub exclude: Vec<Pattern>,
    /// The folder of the outputs, which is not searched.
    pub out_dir: PathBuf,
}

/// The inputs that were found.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The inputs, sorted by output.
    pub inputs: Vec<Input>,
    /// The paths that could not be read, and why.
    pub unreadable: Vec<(PathBuf, Error)>,
    /// What was left out on purpose, for the user.
    pub notes: Vec<String>,
}

/// Finds the inputs in the paths `named` and the entries of a manifest.
///
/// # Errors
/// If there are none, or two have the same output.
pub fn find(search: &Search, named: &[PathBuf], entries: Vec<Entry>, typed: &Choices) -> Result<Inputs> {
    let mut finder = Finder {
        search,
        typed,
        known: HashSet::new(),
        excluded: 0,
        left_out: vec![],
        found: Inputs::default(),
    };
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
            [list] if list == LIST => "it lists no paths".to_owned(),
            _ => "no checkpoint, SavedModel, frozen graph or archive was found".to_owned(),
        };
        let subject = if named == [LIST] { "standard input".to_owned() } else { named.join(", ") };
        let error = Error::new(subject, problem);
        return Err(if found.notes.is_empty() { error } else { error.advice(found.notes.join("; ")) });
    }
    names::check(&found.inputs)?;
    // All shards need the same order, but folders may be listed in any order.
    found.inputs.sort_by(|a, b| a.output.cmp(&b.output));
    Ok(found)
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// The folders at the start of a pattern, before the first wildcard.
fn fixed_part(pattern: &Path) -> PathBuf {
    let folder = pattern.parent().unwrap_or(Path::new(""));
    folder.components().take_while(|part| !is_pattern(part.as_ref())).collect()
}

struct Finder<'a> {
    search: &'a Search,
    typed: &'a Choices,
    /// The inputs so far, by their real paths.
    known: HashSet<PathBuf>,
    /// The number of files and folders that `--exclude` left out.
    excluded: usize,
    /// What else was left out.
    left_out: Vec<LeftOut>,
    found: Inputs,
}

/// Something that was left out on purpose. A file that is found in another way is an input, and has no note.
enum LeftOut {
    /// Earlier steps, all in one folder.
    Steps(Vec<PathBuf>),
    /// A graph without its weights.
    WithoutWeights(PathBuf),
    /// A link to a file that does not exist.
    BrokenLink { link: PathBuf, target: PathBuf },
}

impl Finder<'_> {
    /// Adds the inputs of a line in a list.
    fn listed(&mut self, path: PathBuf) -> Result<()> {
        if path.as_os_str() == LIST {
            let error = Error::new("standard input", "the list cannot contain itself as a model")
                .advice("remove the line -, or name a file");
            self.found.unreadable.push((path, error));
            return Ok(());
        }
        self.path(&path, self.search.relative_to.as_deref())
    }

    /// The notes about what was left out, when all inputs are known.
    fn notes(&self) -> Vec<String> {
        let is_left = |path: &Path| !self.known.contains(&resolved_path(path));
        let note = |left_out: &LeftOut| match left_out {
            LeftOut::BrokenLink { link, target } => {
                let (link, target) = (link.display(), target.display());
                Some(format!("{link}: left out: it is a link to {target}, which does not exist"))
            }
            LeftOut::WithoutWeights(graph) => is_left(graph)
                .then(|| format!("{}: left out: it is a graph without its weights", graph.display())),
            LeftOut::Steps(steps) => {
                let left = steps.iter().filter(|step| is_left(step)).count();
                let folder = steps.first()?.parent().unwrap_or(Path::new("")).display();
                let count = output::count(left, "earlier step");
                (left > 0).then(|| format!("{folder}: {count} left out; --all-checkpoints converts them too"))
            }
        };
        self.left_out.iter().filter_map(note).collect()
    }

    /// Adds the inputs of a path. Their outputs keep the folders below `base`.
    fn path(&mut self, path: &Path, base: Option<&Path>) -> Result<()> {
        if path.is_dir() && !is_saved_model(path) {
            return self.tree(path, base.unwrap_or(path));
        }
        self.add(model_at(path), base)
    }

    fn pattern(&mut self, pattern: &Path) -> Result<()> {
        // At the end of a pattern, ** means all files below. To the glob library, it means folders.
        let is_recursive = pattern.file_name().is_some_and(|name| name == "**");
        let text = if is_recursive { pattern.join("*") } else { pattern.to_owned() };
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
            let error = Error::file(&path, "its name is not UTF-8, and no pattern matches it")
                .advice("name the file itself or its folder");
            self.found.unreadable.push((path, error));
        }
        if !matched {
            let error = Error::file(pattern, "no file matches the pattern");
            self.found.unreadable.push((pattern.to_owned(), error));
        }
        Ok(())
    }

    /// Adds all models below a folder.
    fn tree(&mut self, root: &Path, base: &Path) -> Result<()> {
        let out_dir = self.search.out_dir.canonicalize().ok();
        let mut walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // A link to a folder around it leads to nothing new.
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

    /// Records a path that cannot be read. A broken link may have been a model: it gets a note.
    fn unreadable(&mut self, path: &Path, error: Option<&std::io::Error>) {
        if let (Ok(to), false) = (path.read_link(), path.exists()) {
            let link = path.to_owned();
            return self.left_out.push(LeftOut::BrokenLink { link, target: to });
        }
        // A folder is read twice, for its models and for its folders. It is one failure.
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
            self.left_out.push(LeftOut::Steps(superseded.into_iter().map(|step| step.path).collect()));
        }
        self.left_out.extend(without_weights.into_iter().map(LeftOut::WithoutWeights));
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

    /// Adds a model, unless it was added before.
    fn add(&mut self, model: Found, base: Option<&Path>) -> Result<()> {
        if !self.known.insert(resolved_path(&model.path)) {
            return Ok(());
        }
        let folder = match base {
            Some(base) => folder_below(&model.path, base)?,
            None => PathBuf::new(),
        };
        let output = folder.join(names::of(&model.path));
        let (bytes, choices) = (model.bytes(), self.typed.clone());
        let Found { path, files } = model;
        self.found.inputs.push(Input { path, files, bytes, output, choices, location: None });
        Ok(())
    }

    fn entries(&mut self, entries: Vec<Entry>) {
        for Entry { location, input, output, choices } in entries {
            let model = model_at(&input);
            let output = output.unwrap_or_else(|| names::of(&model.path));
            let bytes = model.bytes();
            let (path, files, location) = (input, model.files, Some(location));
            self.found.inputs.push(Input { path, files, bytes, output, choices, location });
        }
    }
}

/// The path of a folder, with `.` for the empty path.
fn base_folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

/// The files of a folder whose names are not UTF-8 and would match the last part of a pattern otherwise.
fn unmatchable(folder: &Path, pattern: &Path) -> Vec<PathBuf> {
    let last = pattern.file_name().unwrap_or_default().to_string_lossy();
    let Ok(last) = Pattern::new(&last) else { return vec![] };
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let would_match =
        |name: &std::ffi::OsString| name.to_str().is_none() && last.matches(&name.to_string_lossy());
    names.filter(would_match).map(|name| folder.join(name)).collect()
}

/// The folders between `base` and a model.
fn folder_below(path: &Path, base: &Path) -> Result<PathBuf> {
    // A SavedModel's folder may be the base itself.
    if path == base {
        return Ok(PathBuf::new());
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    // First the path as it is written, which keeps the names of links, then the real path.
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
    Err(Error::file(path, format!("is not below {}", base.display()))
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
