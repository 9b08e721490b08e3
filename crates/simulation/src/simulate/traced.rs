//! The trace of one world: of a seed, with what options leave of it, or of a scenario file.

use std::process::ExitCode;

use simulation::Scenario;

use super::say;

/// Prints the trace of `SEED [--jobs N] [--quiet SPAN] [--without FAULT,…] [--only FAULT,N,…]` or of a file.
pub(crate) fn trace(which: &str, options: &[&str]) -> Result<ExitCode, String> {
    let played = Scenario::parse(&text(which, options)?)?.play();
    played.trace.iter().for_each(|line| say(line));
    Ok(match played.broken {
        Some(broken) => {
            say(&format!("breaks {broken}"));
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    })
}

/// The lines of a scenario.
#[expect(clippy::disallowed_methods, reason = "a person names the file")]
fn text(which: &str, options: &[&str]) -> Result<String, String> {
    if which.parse::<u64>().is_err() {
        return match options {
            [] => {
                std::fs::read_to_string(which).map_err(|error| format!("neither a seed nor a file: {which}: {error}"))
            }
            _ => Err(format!("a file says itself what is left out: {}", options.join(" "))),
        };
    }
    let mut text = format!("seed {which}\n");
    for pair in options.chunks(2) {
        let line = match pair {
            ["--jobs", count] => format!("jobs {count}\n"),
            ["--quiet", at] => format!("quiet at {at}\n"),
            ["--without", faults] => format!("without {}\n", faults.replace(',', " ")),
            ["--only", times] => format!("only {}\n", times.replace(',', " ")),
            _ => return Err(format!("not understood: {}", pair.join(" "))),
        };
        text.push_str(&line);
    }
    Ok(text)
}
