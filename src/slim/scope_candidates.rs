//! Finds the variable scopes in a checkpoint that may hold a network.

use hashbrown::HashMap;

use super::options::Options;
use super::recognize::first_variables;
use super::{Network, Variables};

/// A variable scope that may hold a network: the prefix before the scope, and the name of the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScopeCandidate {
    pub(super) prefix: String,
    pub(super) scope: String,
}

impl ScopeCandidate {
    fn new(prefix: &str, scope: &str) -> Self {
        Self { prefix: prefix.to_owned(), scope: scope.to_owned() }
    }

    /// The prefix that the names of the network's variables would have: empty, or ending in `/`.
    pub(super) fn root(&self) -> String {
        let separator = if self.scope.is_empty() { "" } else { "/" };
        format!("{}{}{separator}", self.prefix, self.scope)
    }
}

/// The scopes of a checkpoint's variables: for each scope name, the prefixes that it occurs under.
pub(super) struct Scopes<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Scopes<'a> {
    pub(super) fn of(variables: &'a Variables) -> Self {
        let mut scopes = Self(HashMap::new());
        let mut last = "";
        for name in variables.keys() {
            // Names are sorted, so the variables of one scope follow each other: the scopes that a name shares with
            // the one before it are known already.
            let shared = name.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
            let mut start = name[..name.floor_char_boundary(shared)].rfind('/').map_or(0, |slash| slash + 1);
            // The last part is the name of the variable itself.
            while let Some(length) = name[start..].find('/') {
                scopes.0.entry(&name[start..start + length]).or_default().push(&name[..start]);
                start += length + 1;
            }
            last = name;
        }
        scopes
    }

    /// The prefixes that a scope of this name occurs under.
    fn prefixes(&self, scope: &str) -> &[&'a str] {
        self.0.get(scope).map_or(&[], Vec::as_slice)
    }
}

/// The scopes with the network's default name. For a network without a scope, the scopes that hold its classifier.
pub(super) fn scope_candidates(
    network: &Network,
    variables: &Variables,
    scopes: &Scopes<'_>,
) -> Vec<ScopeCandidate> {
    let mut candidates = vec![];
    if network.scope.is_empty() {
        let roots = variables.keys().filter_map(|name| name.strip_suffix(&network.logits));
        roots
            .filter(|root| root.is_empty() || root.ends_with('/'))
            .for_each(|root| add_once(&mut candidates, ScopeCandidate::new(root, "")));
        return candidates;
    }
    for prefix in scopes.prefixes(&network.scope) {
        add_once(&mut candidates, ScopeCandidate::new(prefix, &network.scope));
    }
    candidates
}

/// The scopes that may hold the network under a name that the user gave to slim as `scope='MyNet'`: every scope
/// that directly holds the network's first variable.
pub(super) fn renamed_scope_candidates(network: &Network, variables: &Variables) -> Vec<ScopeCandidate> {
    let mut candidates = vec![];
    let options = Options::defaults(&network.options, &network.scope);
    let default_root = ScopeCandidate::new("", &network.scope).root();
    let first_variables = first_variables(network, &options);
    let own = first_variables.iter().filter_map(|name| name.strip_prefix(&default_root));
    let first_names: Vec<&str> = own.collect();
    let Some(first) = first_names.first() else { return candidates };
    let roots = variables.keys().filter_map(|name| name.strip_suffix(first));
    for root in roots.filter(|root| root.is_empty() || root.ends_with('/')) {
        if network.scope.is_empty() {
            add_once(&mut candidates, ScopeCandidate::new(root, ""));
        } else if let Some(path) = root.strip_suffix('/') {
            let (prefix, scope) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
            if scope != network.scope {
                add_once(&mut candidates, ScopeCandidate::new(prefix, scope));
            }
        }
    }
    // The first variable often has the same name in every block. The next ones are only in the network's own scope.
    let count_of_first = |candidate: &ScopeCandidate| {
        let root = candidate.root();
        first_names.iter().filter(|name| variables.contains_key(&format!("{root}{name}"))).count()
    };
    let max_count = candidates.iter().map(count_of_first).max().unwrap_or(0);
    candidates.retain(|candidate| count_of_first(candidate) == max_count);
    candidates
}

fn add_once(candidates: &mut Vec<ScopeCandidate>, candidate: ScopeCandidate) {
    if !candidates.contains(&candidate) {
        candidates.push(candidate);
    }
}

/// The number of a network's first variables that are searched for to find its scope.
pub(super) const FIRST_VARIABLES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_occurrence_of_a_scope_is_found_once() {
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
        assert_eq!(scopes.prefixes("Net"), ["", "a/", "b/", "b/Net/", "b/other/", "è/", "é/"]);
        assert!(scopes.prefixes("x").is_empty());
    }
}
