//! Where in the names of variables a network could be.

use hashbrown::HashMap;

use super::options::Options;
use super::recognize::default_drawing;
use super::{Network, Variables};

/// Where a network could be: what stands before its scope, and the name of the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) prefix: String,
    pub(super) scope: String,
}

impl Place {
    /// What the names of the network's variables begin with here.
    pub(super) fn root(&self) -> String {
        let separator = if self.scope.is_empty() { "" } else { "/" };
        format!("{}{}{separator}", self.prefix, self.scope)
    }

    fn add_to(places: &mut Vec<Self>, prefix: &str, scope: &str) {
        let place = Self { prefix: prefix.to_owned(), scope: scope.to_owned() };
        if !places.contains(&place) {
            places.push(place);
        }
    }
}

/// The scopes that variables are in: what stands before them, by their own names.
pub(super) struct Scopes<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Scopes<'a> {
    pub(super) fn of(variables: &'a Variables) -> Self {
        let mut scopes = Self(HashMap::new());
        let mut last = "";
        for name in variables.keys() {
            // Names are in order, so that those of one scope are neighbours: what two share has been seen.
            let shared = name.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
            let mut start = name[..name.floor_char_boundary(shared)].rfind('/').map_or(0, |at| at + 1);
            // The last part is the variable's own name.
            while let Some(length) = name[start..].find('/') {
                scopes.0.entry(&name[start..start + length]).or_default().push(&name[..start]);
                start += length + 1;
            }
            last = name;
        }
        scopes
    }

    /// What stands before the scopes of this name.
    fn before(&self, scope: &str) -> &[&'a str] {
        self.0.get(scope).map_or(&[], Vec::as_slice)
    }
}

/// The places where a scope of the network's default name occurs; where it has no scope, those with its classifier.
pub(super) fn places(network: &Network, variables: &Variables, scopes: &Scopes<'_>) -> Vec<Place> {
    let mut places = vec![];
    if network.scope.is_empty() {
        let roots = variables.keys().filter_map(|name| name.strip_suffix(network.logits));
        roots
            .filter(|root| root.is_empty() || root.ends_with('/'))
            .for_each(|root| Place::add_to(&mut places, root, ""));
        return places;
    }
    scopes.before(network.scope).iter().for_each(|prefix| Place::add_to(&mut places, prefix, network.scope));
    places
}

/// The places where the network could be under a name of the user's own, given to slim as `scope='MyNet'`, or
/// where it has no scope: every scope that directly holds the network's first variable.
pub(super) fn renamed_places(network: &Network, variables: &Variables) -> Vec<Place> {
    let mut places = vec![];
    let options = Options::defaults(network.options, network.scope);
    let Ok(drawn) = default_drawing(network, "", &options, 3, &Variables::new()) else { return places };
    let default = Place { prefix: String::new(), scope: network.scope.to_owned() }.root();
    let own = drawn.variables().filter_map(|(name, _)| name.strip_prefix(&default));
    let first_ones: Vec<&str> = own.take(FIRST_VARIABLES).collect();
    let Some(first) = first_ones.first() else { return places };
    let roots = variables.keys().filter_map(|name| name.strip_suffix(first));
    for root in roots.filter(|root| root.is_empty() || root.ends_with('/')) {
        if network.scope.is_empty() {
            Place::add_to(&mut places, root, "");
        } else if let Some(path) = root.strip_suffix('/') {
            let at = path.rfind('/').map_or(0, |at| at + 1);
            if &path[at..] != network.scope {
                Place::add_to(&mut places, &path[..at], &path[at..]);
            }
        }
    }
    // A first variable is often called like those of every block. The network is where the next ones are too.
    let held = |place: &Place| {
        let root = place.root();
        first_ones.iter().filter(|name| variables.contains_key(&format!("{root}{name}"))).count()
    };
    let most = places.iter().map(held).max().unwrap_or(0);
    places.retain(|place| held(place) == most);
    places
}

/// How many of a network's first variables are looked for to find the scope that it is in.
const FIRST_VARIABLES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_of_a_scope_is_found_once() {
        let names = [
            "a/Net/x",
            "a/Net/y/z",
            "aNet/x",
            "b/Net/Net/x",
            "Net",
            "Net/b/x",
            "b/other/Net/x",
            "é/Net/x",
            "è/Net/x",
        ];
        let variables = names.map(|name| (name.to_owned(), vec![])).into();
        let scopes = Scopes::of(&variables);
        assert_eq!(scopes.before("Net"), ["", "a/", "b/", "b/Net/", "b/other/", "è/", "é/"]);
        assert!(scopes.before("x").is_empty());
    }
}
