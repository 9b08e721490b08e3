//! What a person reads when a world breaks: the seed, the invariant, and the last events about the job concerned.

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

/// The last lines of a trace about what broke: a handle, or a machine and through it its handle.
fn about<'a>(broken: &Broken, trace: &'a [String]) -> Vec<&'a str> {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).map(str::to_owned).collect()
    };
    let is_uuid = |word: &String| word.len() == 36 && word.matches('-').count() == 4;
    let is_subject = |word: &String| is_uuid(word) || word.starts_with("fs-");
    let subjects: Vec<String> = words(&broken.what).into_iter().filter(is_subject).collect();
    let concerns =
        |line: &&String| subjects.is_empty() || subjects.iter().any(|subject| line.contains(subject.as_str()));
    let lines: Vec<&str> = trace.iter().filter(concerns).map(String::as_str).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
}
