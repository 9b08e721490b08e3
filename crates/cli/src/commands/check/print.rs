//! Findings as lines and as JSON.

use std::io::{self, Write};

use anyhow::Context as _;
use daemon::check::{Finding, Verdict};
use serde_json::json;

use crate::commands::explain::plain;
use crate::failure::Failure;

/// One line for each finding, then one with the counts.
pub(super) fn lines(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        let Finding { subject, verdict, message, hint } = finding;
        let hint = hint.as_ref().map(|hint| format!(" (hint: {})", plain(hint))).unwrap_or_default();
        writeln!(out, "{:<7}  {}: {}{hint}", word(*verdict), plain(subject), plain(message))?;
    }
    let count = |verdict| count(findings, verdict);
    let (ok, warnings, errors) = (count(Verdict::Ok), count(Verdict::Warning), count(Verdict::Error));
    writeln!(out, "\n{ok} ok, {} and {}", many(warnings, "warning"), many(errors, "error"))
}

/// One object with the counts and the findings.
pub(super) fn json(findings: &[Finding], out: &mut impl Write) -> Result<(), Failure> {
    let count = |verdict| count(findings, verdict);
    let object = json!({
        "ok": count(Verdict::Ok),
        "warnings": count(Verdict::Warning),
        "errors": count(Verdict::Error),
        "findings": findings,
    });
    let text = serde_json::to_string_pretty(&object).context("cannot write JSON").map_err(Failure::not_done)?;
    Ok(writeln!(out, "{text}")?)
}

fn count(findings: &[Finding], verdict: Verdict) -> usize {
    findings.iter().filter(|finding| finding.verdict == verdict).count()
}

fn many(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Error => "error",
    }
}
