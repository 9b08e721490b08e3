//! What a person reads when a world breaks: the seed, the invariant, and the last events about the job concerned.

use std::collections::BTreeSet;

use crate::ending::{Report, run};
use crate::judge::Broken;
use crate::shape::Shape;

/// How many lines are shown.
const LAST_LINES: usize = 60;

/// Runs a broken world again and tells about it.
pub fn explain(shape: &Shape) -> String {
    let Report { broken, trace, .. } = run(shape, true);
    let Some(broken) = broken else { return format!("seed {} breaks nothing when it is run again", shape.seed) };
    let last = about(&broken, &trace).join("\n");
    format!("seed {} breaks invariant {}: {}\n{last}", shape.seed, broken.invariant, broken.what)
}

/// The last lines of a trace about what broke: a job and its machines.
fn about<'a>(broken: &Broken, trace: &'a [String]) -> Vec<&'a str> {
    let mut subjects = subjects(&broken.what);
    // What makes a machine for a job, or binds one that waited to it, names both.
    let joins = trace.iter().filter(|line| [" Create {", " Bind {"].iter().any(|what| line.contains(what)));
    let related = joins.map(|line| self::subjects(line)).filter(|named| !named.is_disjoint(&subjects));
    let related: Vec<BTreeSet<&str>> = related.collect();
    subjects.extend(related.into_iter().flatten());
    let concerns = |line: &&String| subjects.is_empty() || subjects.iter().any(|subject| line.contains(subject));
    let lines: Vec<&str> = trace.iter().filter(concerns).map(String::as_str).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
}

/// The handles, runners and machines that a text names.
fn subjects(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_uuid = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    words.filter(|word| is_uuid(word) || word.starts_with("fs-")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Rule;

    #[test]
    fn what_is_told_about_a_machine_is_told_about_its_job_too() {
        let (job, other) = ("13a16201-310d-4aba-a834-09b1f2fb545f", "a4d21225-283a-42e8-abaa-b8919ec9278a");
        let trace = [
            format!("pushed job 1: {job}"),
            format!("pushed job 2: {other}"),
            format!("call 1 Create {{ handle: Handle(\"{job}\"), machine: MachineName(\"fs-1\") }}"),
            format!("call 2 Create {{ handle: Handle(\"{other}\"), machine: MachineName(\"fs-2\") }}"),
            "process 1 of fs-1: Exit".to_owned(),
        ];
        let broken = Broken { rule: Rule::MachinesLeft, invariant: 6, what: "machine fs-1 is still there".to_owned() };
        assert_eq!(about(&broken, &trace), [&*trace[0], &*trace[2], &*trace[4]]);
    }

    #[test]
    fn what_is_told_about_a_job_is_told_about_the_machine_that_waited_for_it_too() {
        let job = "13a16201-310d-4aba-a834-09b1f2fb545f";
        let trace = [
            "call 1 CreateWarm { machine: MachineName(\"fs-1\") }".to_owned(),
            "call 2 CreateWarm { machine: MachineName(\"fs-2\") }".to_owned(),
            format!("decided Bind {{ handle: Handle(\"{job}\"), machine: MachineName(\"fs-2\") }}"),
            "process 1 of fs-2: Exit".to_owned(),
        ];
        let broken = Broken { rule: Rule::JobsLeft, invariant: 8, what: format!("{job} is waiting") };
        assert_eq!(about(&broken, &trace), [&*trace[1], &*trace[2], &*trace[3]]);
    }
}
