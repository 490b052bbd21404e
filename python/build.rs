//! Links the Python module as the program is linked.

#[path = "../linking.rs"]
mod linking;

fn main() {
    println!("cargo:rerun-if-changed=../linking.rs");
    linking::fold_identical_functions("cdylib");
}
