//! What users choose instead of leaving it to recognition: the network, and its options.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Network, find_network, networks, toml_network};
use crate::error::{Error, Result};
use crate::setting::{Command, Setting};
use crate::suggestion::did_you_mean;

/// A network that the user chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkChoice {
    /// The library's network of this name.
    Named(String),
    /// The network that this TOML file describes.
    Described(PathBuf),
}

/// A text that ends in `.toml` is the path of a file, any other is a name.
impl From<&str> for NetworkChoice {
    fn from(text: &str) -> Self {
        match Path::new(text).extension() {
            Some(extension) if extension.eq_ignore_ascii_case("toml") => Self::Described(text.into()),
            _ => Self::Named(text.to_owned()),
        }
    }
}

impl NetworkChoice {
    /// The network.
    ///
    /// # Errors
    /// If the library has no network of this name: the message suggests similar names. If the file cannot be read, or there is
    /// a mistake in it: the message names the line.
    pub fn network(&self) -> Result<Arc<Network>> {
        match self {
            Self::Named(name) => network_named(name).cloned(),
            Self::Described(path) => toml_network::network(path).map(Arc::new),
        }
    }
}

/// The library's network of this name.
///
/// # Errors
/// If there is none: the message suggests similar names.
pub fn network_named(name: &str) -> Result<&'static Arc<Network>> {
    find_network(name).ok_or_else(|| {
        let error = Error::new(format!("network \"{name}\""), "the library has no network of this name");
        let question = did_you_mean(name, networks().map(|network| &*network.name));
        let question = question.map_or_else(String::new, |question| question + " ");
        error.advice(format!(
            "{question}`{}` lists the known ones; the name of a file that describes another network ends in .toml",
            Command::Networks.run()
        ))
    })
}

/// A value that the user gives to an option of the network: to an argument of slim's network function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkOption {
    /// slim's name of the argument.
    pub name: String,
    /// Its value as text; the network's option has its type.
    pub value: String,
}

impl NetworkOption {
    /// Reads `KEY=VALUE`.
    ///
    /// # Errors
    /// If the text is not of that form.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| Error::new(Setting::NetworkOption.to(text), "it is not of the form KEY=VALUE"))?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_toml_describes_a_network_and_any_other_text_names_one() {
        for path in ["my_net.toml", "nets/My.TOML"] {
            assert_eq!(NetworkChoice::from(path), NetworkChoice::Described(path.into()));
        }
        for name in ["lenet", "toml", ".toml"] {
            assert_eq!(NetworkChoice::from(name), NetworkChoice::Named(name.to_owned()));
        }
        let error = NetworkChoice::from("inception_v9").network().unwrap_err().to_string();
        assert!(error.contains("inception_v3") && error.contains("slim::networks"), "{error}");
    }

    #[test]
    fn an_option_has_a_name_and_a_value() {
        let option = NetworkOption::parse("scope=a=b").unwrap();
        assert_eq!((option.name.as_str(), option.value.as_str()), ("scope", "a=b"));
        let error = NetworkOption::parse("spatial_squeeze").unwrap_err();
        assert!(error.to_string().contains("it is not of the form KEY=VALUE"), "{error}");
    }
}
