//! Runs many worlds on all cores: `cargo xtask simulate` builds it in release form and hands over to it.
//!
//! Worlds know no threads; each is run by one.
#![forbid(unsafe_code)]

#[cfg(feature = "sabotage")]
mod sabotage;
mod simulate;

use std::process::ExitCode;

/// What may be asked for.
const USAGE: &str = "simulate [--seeds N] [--start SEED] [--allow-absent] | \
    trace SEED [--jobs N] [--quiet SPAN] [--without FAULT,…] [--only FAULT,N,…] | trace FILE | sabotage [--rules] [WORDS]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.split_first() {
        Some((&"simulate", options)) => simulate::Options::parse(options).map(|options| simulate::run_all(&options)),
        Some((&"trace", [which, options @ ..])) => simulate::trace(which, options),
        #[cfg(feature = "sabotage")]
        Some((&"sabotage", ["--rules", words @ ..])) => Ok(sabotage::run_rules(&words.join(" "))),
        #[cfg(feature = "sabotage")]
        Some((&"sabotage", words)) => Ok(sabotage::run(&words.join(" "))),
        _ => Err("nothing to do".to_owned()),
    };
    match outcome {
        Ok(code) => code,
        Err(what) => {
            simulate::say(&format!("{what}\nusage: {USAGE}"));
            ExitCode::from(2)
        }
    }
}
