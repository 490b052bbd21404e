//! The tables of `docs/networks.md` are those of the library, with slim's defaults.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use tf2onnx_rs::passes::batch_norm::{BatchNorm, batch_norms};
use tf2onnx_rs::passes::fuse_batch_norm::fuse_batch_norms;
use tf2onnx_rs::slim::{self, ImageShape, Network, Options, Variables, networks};

use crate::support::repository::repository;

#[test]
fn the_tables_in_the_documentation_are_current() {
    let page = std::fs::read_to_string(repository("docs/networks.md")).unwrap();
    let current = table_of_networks() + "\n" + &table_of_options();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("networks.md");
    std::fs::write(&kept, &current).unwrap();
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
        let [height, width] = network.image_size;
        let image = if height == width { height.to_string() } else { format!("{height}x{width}") };
        writeln!(
            table,
            "| `{}` | {} | {image} | {} | {} | {gamma} | {epsilons} |",
            network.name,
            code(network.scope),
            code(network.arg_scope_name),
            norms.len(),
        )
        .unwrap();
    }
    table
}

fn batch_norms_of(network: &Network) -> Vec<BatchNorm> {
    let options = Options::defaults(network.options, network.scope);
    let [height, width] = network.image_size;
    let image = ImageShape { batch: None, height, width, channels: 3 };
    let drawn = slim::build(network, "", &options, &image, &Variables::new()).unwrap();
    // The auxiliary classifier serves training.
    let graph = drawn.graph.pruned_to(&[drawn.output, drawn.input]).0;
    batch_norms(&fuse_batch_norms(graph).unwrap())
}

/// A row for each option, and several where networks have it with different defaults.
fn table_of_options() -> String {
    let mut rows: Vec<([String; 4], Vec<&str>)> = vec![];
    for network in networks() {
        for option in network.options {
            let read = if option.is_in_variables() { "yes" } else { "no" };
            let key = [
                format!("`{}`", option.name),
                format!("`{}`", option.default),
                read.to_owned(),
                option.help.to_owned(),
            ];
            match rows.iter_mut().find(|(other, _)| *other == key) {
                Some((_, networks)) => networks.push(network.name),
                None => rows.push((key, vec![network.name])),
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
