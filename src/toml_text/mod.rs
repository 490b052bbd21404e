//! Files in TOML that people write: every mistake in one is said with its file and line, and with the word that was
//! probably meant.

pub mod fields;
pub mod source;
