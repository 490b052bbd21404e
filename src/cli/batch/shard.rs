//! The shard of one of several processes that work on the same inputs.

use std::str::FromStr;

use crate::error::{Error, Result};

/// One shard of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which of them, counted from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl Shard {
    /// All inputs.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Whether others have a shard too.
    pub fn is_part(self) -> bool {
        self.of > 1
    }

    /// As a part of the name of a file that each shard has for itself: `2-of-8`.
    pub fn label(self) -> String {
        format!("{}-of-{}", self.number, self.of)
    }

    /// Which of the inputs belong to this shard. `sizes` says the size of each; their order has to be the same in all
    /// processes. The largest is given to the shard that has least so far, and so on, so that all shards end up with
    /// about the same number of bytes.
    pub fn of_inputs(self, sizes: &[u64]) -> Vec<usize> {
        let mut largest_first: Vec<usize> = (0..sizes.len()).collect();
        largest_first.sort_by_key(|&index| (std::cmp::Reverse(sizes[index]), index));
        let mut loads = vec![(0u64, 0usize); self.of.min(sizes.len()).max(1)];
        let mut own = vec![];
        for index in largest_first {
            let lightest = (0..loads.len()).min_by_key(|&shard| loads[shard]).unwrap_or(0);
            let (bytes, inputs) = loads[lightest];
            // Where nothing is known of sizes, the number of inputs decides.
            loads[lightest] = (bytes.saturating_add(sizes[index]), inputs + 1);
            if lightest + 1 == self.number {
                own.push(index);
            }
        }
        own.sort_unstable();
        own
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match parsed {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("expected K/N with K from 1 to N, such as 2/8".to_owned()),
        }
    }
}

/// The shard that a Slurm array or a Kubernetes Indexed Job gives to this process, and the variable that says so.
/// `count` is how many shards there are, where the user says it.
///
/// Sources: <https://slurm.schedmd.com/job_array.html> and
/// <https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode>.
///
/// # Errors
/// Where the variables do not tell a shard.
pub fn from_environment(
    variable: impl Fn(&str) -> Option<String>,
    count: Option<usize>,
) -> Result<Option<(Shard, &'static str)>> {
    const SLURM: &str = "SLURM_ARRAY_TASK_ID";
    const KUBERNETES: &str = "JOB_COMPLETION_INDEX";
    let number = |name: &'static str| -> Result<Option<usize>> {
        let Some(text) = variable(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let problem = || Error::new(name, format!("\"{text}\" is not a whole number"));
        text.parse().map(Some).map_err(|_| problem().advice(ADVICE))
    };
    const ADVICE: &str = "say the shard with --shard K/N, or convert everything here with --no-shard";
    if let Some(id) = number(SLURM)? {
        let needed = |name: &'static str| {
            let missing = || Error::new(SLURM, format!("is set, and {name} is not")).advice(ADVICE);
            number(name).and_then(|value| value.ok_or_else(missing))
        };
        let (first, tasks) = (needed("SLURM_ARRAY_TASK_MIN")?, needed("SLURM_ARRAY_TASK_COUNT")?);
        // An array may be numbered in steps: 0-14:2.
        let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
        let of = count.unwrap_or(tasks);
        let index = id.checked_sub(first).map(|above| above / step).filter(|&index| index < of);
        let Some(index) = index else {
            let problem = format!("task {id} is none of {of} that are numbered without gaps from {first}");
            return Err(Error::new(SLURM, problem)
                .advice("number the array without gaps, or say the shard with --shard K/N"));
        };
        return Ok(Some((Shard { number: index + 1, of }, SLURM)));
    }
    let Some(index) = number(KUBERNETES)? else {
        return match count {
            None | Some(1) => Ok(None),
            Some(count) => {
                let problem =
                    format!("there are {count} shards, and neither {SLURM} nor {KUBERNETES} is set");
                Err(Error::new("--shards", problem).advice("say which shard this is with --shard K/N"))
            }
        };
    };
    let of = match count {
        Some(count) => count,
        None => number("JOB_COMPLETIONS")?.ok_or_else(|| {
            Error::new(KUBERNETES, "is set, and how many indexes there are is not known")
                .advice("say it with --shards N or in the variable JOB_COMPLETIONS, or give --no-shard")
        })?,
    };
    if index >= of {
        let problem = format!("index {index} is none of {of} that begin with 0");
        return Err(Error::new(KUBERNETES, problem).advice("give --shards the Job's number of completions"));
    }
    Ok(Some((Shard { number: index + 1, of }, KUBERNETES)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)], count: Option<usize>) -> Result<Option<(usize, usize)>> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let found = from_environment(variable, count)?;
        Ok(found.map(|(shard, _)| (shard.number, shard.of)))
    }

    #[test]
    fn a_share_is_typed_from_one() {
        assert_eq!("2/8".parse(), Ok(Shard { number: 2, of: 8 }));
        for wrong in ["0/8", "9/8", "2", "a/b", "1/0", "-1/2", ""] {
            wrong.parse::<Shard>().unwrap_err();
        }
    }

    #[test]
    fn every_input_is_in_one_share_and_the_shares_are_balanced() {
        let sizes: Vec<u64> = (0..100).map(|i| (i * 7919) % 1000 + 1).collect();
        for of in [1, 3, 7, 150] {
            let shards: Vec<Vec<usize>> =
                (1..=of).map(|number| Shard { number, of }.of_inputs(&sizes)).collect();
            let mut all = shards.concat();
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>());
            let loads: Vec<u64> =
                shards.iter().map(|shard| shard.iter().map(|&index| sizes[index]).sum()).collect();
            let spread = loads.iter().max().unwrap() - loads.iter().min().unwrap();
            assert!(spread <= 1000, "{of}: {loads:?}");
        }
    }

    #[test]
    fn inputs_without_a_size_are_shared_too() {
        let shards: Vec<usize> =
            (1..=3).map(|number| Shard { number, of: 3 }.of_inputs(&[0; 9]).len()).collect();
        assert_eq!(shards, [3, 3, 3]);
    }

    #[test]
    fn a_slurm_array_may_begin_anywhere_and_go_in_steps() {
        let array = |id, min, count, step| {
            let variables = [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_COUNT", count),
                ("SLURM_ARRAY_TASK_STEP", step),
            ];
            said(&variables, None)
        };
        assert_eq!(array("0", "0", "4", "1"), Ok(Some((1, 4))));
        assert_eq!(array("13", "10", "4", "1"), Ok(Some((4, 4))));
        assert_eq!(array("4", "0", "3", "2"), Ok(Some((3, 3))));
        let gap = array("9", "1", "3", "1").unwrap_err().to_string();
        assert!(gap.contains("without gaps") && gap.contains("--shard"), "{gap}");
        assert!(array("x", "1", "3", "1").is_err());
        assert!(said(&[("SLURM_ARRAY_TASK_ID", "1")], None).is_err());
    }

    #[test]
    fn an_indexed_job_needs_its_number_of_completions() {
        let index = ("JOB_COMPLETION_INDEX", "2");
        assert_eq!(said(&[index], Some(4)), Ok(Some((3, 4))));
        assert_eq!(said(&[index, ("JOB_COMPLETIONS", "3")], None), Ok(Some((3, 3))));
        let error = said(&[index], None).unwrap_err().to_string();
        assert!(error.contains("--shards N") && error.contains("JOB_COMPLETIONS"), "{error}");
        assert!(said(&[index], Some(2)).is_err());
        assert_eq!(said(&[], None), Ok(None));
        assert!(said(&[], Some(4)).is_err());
    }
}
