//! What the documentation shows: the tables of `docs/networks.md` are those of the library, with slim's defaults, and the commands
//! in examples print what the pages show.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tf2onnx_rs::passes::batch_norm::{BatchNorm, batch_norms};
use tf2onnx_rs::passes::fuse_batch_norm::fuse_batch_norms;
use tf2onnx_rs::slim::{self, ImageShape, Network, Options, Variables, networks};

use crate::support::command::fed_in;
use crate::support::repository::{example, repository};

#[test]
fn the_tables_in_the_documentation_are_current() {
    let page = fs::read_to_string(repository("docs/networks.md")).unwrap();
    let current = table_of_networks() + "\n" + &table_of_options();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("networks.md");
    fs::write(&kept, &current).unwrap();
    for table in current.split("\n\n") {
        assert!(
            page.contains(table.trim()),
            "docs/networks.md is not current: copy the tables from {}",
            kept.display()
        );
    }
}

/// A row for each network, the networks that slim has under several names beside each other.
fn table_of_networks() -> String {
    let mut table = String::from(
        "| network | scope | image | arg_scope | batch norms | gamma | epsilon |\n|---|---|---|---|---|---|---|\n",
    );
    for network in networks() {
        let norms = batch_norms_of(network);
        let gammas = norms.iter().filter(|norm| norm.gamma.is_stored()).count();
        let gamma = match (gammas, norms.len()) {
            (_, 0) => "".to_owned(),
            (0, _) => "none: 1".to_owned(),
            (some, all) if some == all => "stored".to_owned(),
            (some, all) => format!("{some} of {all}"),
        };
        let epsilons: BTreeSet<String> = norms.iter().map(|norm| norm.epsilon.to_string()).collect();
        let epsilons = epsilons.into_iter().collect::<Vec<_>>().join(", ");
        let image = network.image_size_text();
        writeln!(
            table,
            "| `{}` | {} | {image} | {} | {} | {gamma} | {epsilons} |",
            network.name,
            code(&network.scope),
            code(&network.arg_scope_name),
            norms.len(),
        )
        .unwrap();
    }
    table
}

fn batch_norms_of(network: &Network) -> Vec<BatchNorm> {
    let options = Options::defaults(&network.options, &network.scope);
    let [height, width] = network.image_size;
    let image = ImageShape { batch: None, height, width, channels: 3 };
    let built = slim::build(network, "", &options, &image, &Variables::new()).unwrap();
    // The auxiliary classifier serves training.
    let graph = built.graph.pruned_to(&[built.output, built.inputs[0]]).0;
    batch_norms(&fuse_batch_norms(graph).unwrap().0)
}

/// A row for each option, and several where networks have it with different defaults.
fn table_of_options() -> String {
    let mut rows: Vec<([String; 4], Vec<&str>)> = vec![];
    for network in networks() {
        for option in &*network.options {
            let read = if option.is_in_variables() { "yes" } else { "no" };
            let key = [
                format!("`{}`", option.name),
                format!("`{}`", option.default),
                read.to_owned(),
                option.help.to_owned(),
            ];
            match rows.iter_mut().find(|(other, _)| *other == key) {
                Some((_, networks)) => networks.push(&network.name),
                None => rows.push((key, vec![&network.name])),
            }
        }
    }
    rows.sort_by(|(a, _), (b, _)| a[0].cmp(&b[0]));
    let mut table = String::from(
        "| option | default | read from the variables | what it does | networks |\n|---|---|---|---|---|\n",
    );
    for (key, networks) in rows {
        writeln!(table, "| {} | {} |", key.join(" | "), networks.join(", ")).unwrap();
    }
    table
}

/// A name as code; slim's names only.
fn code(name: &str) -> String {
    match name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') || name.is_empty() {
        true => name.to_owned(),
        false => format!("`{name}`"),
    }
}

/// A command in an example of a page, and the lines that it prints there.
struct Example {
    line: usize,
    command: String,
    printed: Vec<String>,
}

/// Examples are indented and begin with `$`. The command of the README has its output in the next indented block.
fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = vec![];
    let (mut indent, mut is_readmes) = (None, false);
    for (number, line) in page.lines().enumerate() {
        let text = line.trim_start();
        let width = line.len() - text.len();
        if let Some(command) = text.strip_prefix("$ ").or(text.strip_prefix("cargo run --release -- ")) {
            let command = command.strip_prefix("tf2onnx-rs ").unwrap_or(command).to_owned();
            indent = (width >= 4).then_some(width);
            is_readmes = text.starts_with("cargo");
            examples.push(Example { line: number + 1, command, printed: vec![] });
        } else if let (Some(start), Some(example)) = (indent, examples.last_mut()) {
            if width >= start {
                example.printed.push(line[start..].to_owned());
            } else if !(text.is_empty() || is_readmes && example.printed.is_empty()) {
                indent = None;
            }
        }
    }
    examples
}

/// The words of a line, without those that differ from run to run: times, and differences of computed numbers.
fn comparable(line: &str) -> Vec<&str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_stable = |(at, word): &(usize, &&str)| !word.contains("e-") && words.get(at + 1) != Some(&"s");
    words.iter().enumerate().filter(is_stable).map(|(_, word)| *word).collect()
}

/// Whether lines are those of an example, in which `…` stands for any lines.
fn matches(lines: &[&str], shown: &[String]) -> bool {
    match shown {
        [] => lines.is_empty(),
        [dots, rest @ ..] if dots == "…" => {
            (0..=lines.len()).any(|skipped| matches(&lines[skipped..], rest))
        }
        [first, rest @ ..] => lines
            .split_first()
            .is_some_and(|(line, lines)| comparable(line) == comparable(first) && matches(lines, rest)),
    }
}

#[test]
fn the_examples_print_what_the_pages_show() {
    let folder = TempDir::new().unwrap();
    let checkpoint = "examples/inception_v3_tiny/inception_v3_tiny.ckpt";
    fs::create_dir_all(folder.path().join("examples/inception_v3_tiny")).unwrap();
    fs::copy(example(), folder.path().join(checkpoint)).unwrap();
    let classes: String = (0..11).map(|class| format!("class {class}\n")).collect();
    fs::write(folder.path().join("labels.txt"), classes).unwrap();
    let pages = fs::read_dir(repository("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let (mut run, mut wrong) = (0, vec![]);
    for path in pages.chain([repository("README.md")]) {
        let page = fs::read_to_string(&path).unwrap();
        for Example { line, command, printed } in examples(&page) {
            let words: Vec<&str> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
            // The inputs of the others are not part of the repository.
            if words[0] != "networks" && words.get(1) != Some(&checkpoint) {
                continue;
            }
            let (done, _) = fed_in(folder.path(), &words, b"");
            let all = done.stdout + &done.stderr;
            let mut lines: Vec<&str> = all.lines().collect();
            lines.retain(|line| !line.is_empty());
            let shown: Vec<String> = printed.into_iter().filter(|line| !line.trim().is_empty()).collect();
            run += 1;
            if !shown.is_empty() && !matches(&lines, &shown) {
                let is_printed =
                    |shown: &&String| lines.iter().any(|line| comparable(line) == comparable(shown));
                let other = shown.iter().find(|shown| *shown != "…" && !is_printed(shown));
                let other = other.map_or("its lines are in another order or not all there", |line| line);
                wrong.push(format!("{}:{line}: {command}: {other}", path.display()));
            }
        }
    }
    assert!(run >= 10, "{run} examples are run");
    assert!(wrong.is_empty(), "{} examples print something else:\n{}", wrong.len(), wrong.join("\n"));
}
