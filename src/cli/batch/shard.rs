//! The part of the inputs that one of several processes converts.

use std::str::FromStr;

use crate::error::{Error, Result};

/// One shard of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// The number of the shard, from 1.
    pub number: usize,
    /// The number of shards.
    pub of: usize,
}

impl Shard {
    /// All inputs.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Whether there are other shards.
    pub fn is_part(self) -> bool {
        self.of > 1
    }

    /// The shard in names of files: `2-of-8`.
    pub fn label(self) -> String {
        format!("{}-of-{}", self.number, self.of)
    }

    /// The indices of the inputs of this shard. `sizes` are the sizes of all inputs, which all processes have in the same
    /// order. From the largest input to the smallest, each goes to the shard with the fewest bytes, so that all shards have
    /// about as many.
    pub fn of_inputs(self, sizes: &[u64]) -> Vec<usize> {
        let mut largest_first: Vec<usize> = (0..sizes.len()).collect();
        largest_first.sort_unstable_by_key(|&index| (std::cmp::Reverse(sizes[index]), index));
        let mut loads = vec![(0u64, 0usize); self.of.min(sizes.len()).max(1)];
        let mut own = vec![];
        for index in largest_first {
            let lightest = (0..loads.len()).min_by_key(|&shard| loads[shard]).unwrap_or(0);
            let (bytes, inputs) = loads[lightest];
            // If sizes are not known, the number of inputs decides.
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

/// The shard of this process in a Slurm array or a Kubernetes Indexed Job, and the variable that sets it. `count` is the
/// number of shards, if the user gives it.
///
/// Sources: <https://slurm.schedmd.com/job_array.html> and
/// <https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode>.
///
/// # Errors
/// If the variables do not determine a shard.
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
    const ADVICE: &str = "give the shard with --shard K/N, or convert all inputs with --no-shard";
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
            let problem =
                format!("task {id} is not one of {of} tasks that are numbered without gaps from {first}");
            return Err(Error::new(SLURM, problem)
                .advice("number the array without gaps, or give the shard with --shard K/N"));
        };
        return Ok(Some((Shard { number: index + 1, of }, SLURM)));
    }
    let Some(index) = number(KUBERNETES)? else {
        return match count {
            None | Some(1) => Ok(None),
            Some(count) => {
                let problem =
                    format!("there are {count} shards, and neither {SLURM} nor {KUBERNETES} is set");
                Err(Error::new("--shards", problem).advice("give the shard of this process with --shard K/N"))
            }
        };
    };
    let of = match count {
        Some(count) => count,
        None => number("JOB_COMPLETIONS")?.ok_or_else(|| {
            Error::new(KUBERNETES, "is set, but the number of indexes is not known")
                .advice("give it with --shards N or in the variable JOB_COMPLETIONS, or add --no-shard")
        })?,
    };
    if index >= of {
        let problem = format!("index {index} is not below the number of indexes, {of}");
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
    fn shards_are_numbered_from_one() {
        assert_eq!("2/8".parse(), Ok(Shard { number: 2, of: 8 }));
        for wrong in ["0/8", "9/8", "2", "a/b", "1/0", "-1/2", ""] {
            wrong.parse::<Shard>().unwrap_err();
        }
    }

    #[test]
    fn every_input_is_in_one_shard_and_the_shards_are_balanced() {
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
    fn inputs_without_a_size_are_distributed_too() {
        let shards: Vec<usize> =
            (1..=3).map(|number| Shard { number, of: 3 }.of_inputs(&[0; 9]).len()).collect();
        assert_eq!(shards, [3, 3, 3]);
    }

    #[test]
    fn a_slurm_array_may_start_anywhere_and_have_steps() {
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
