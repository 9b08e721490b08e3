//! The table at the end.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{Table, presets};

use super::verdict::Verdict;

/// How wide a reason may be before it is cut.
const WIDEST_REASON: usize = 90;

/// Prints one line for each attempt.
pub(super) fn print(out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["JOB", "WAITED", "RAN", "RESULT", "WHY"]);
    for line in &verdict.lines {
        let row = [line.job.clone(), seconds(line.waited), seconds(line.ran), line.result.to_owned(), cut(&line.why)];
        table.add_row(row);
    }
    writeln!(out, "{}", table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n"))
}

/// A reason, and a sign where it was cut.
fn cut(why: &str) -> String {
    match why.char_indices().nth(WIDEST_REASON) {
        Some((end, _)) => format!("{}…", &why[..end]),
        None => why.to_owned(),
    }
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or_else(|| "-".to_owned(), |span| format!("{:.1}s", span.as_secs_f64()))
}
