//! Reads TOML files that users write. Errors name the file and the line, and suggest the word that the user probably
//! meant.

pub mod document;
pub mod fields;
