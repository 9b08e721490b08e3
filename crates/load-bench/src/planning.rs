//! The planner's own benchmark, as a child: `cargo bench -p planner`.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::figure::Figure;

/// A figure for each row of its table.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["bench", "--quiet", "--package", "planner"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("`cargo bench -p planner` has failed: {}", output.status);
    }
    let figures: Vec<Figure> = String::from_utf8(output.stdout)?.lines().filter_map(row).collect();
    if figures.is_empty() {
        bail!("`cargo bench -p planner` has printed no table");
    }
    Ok(figures)
}

/// The goal: this many waiting jobs, beside this many machines, within this many milliseconds (on one core).
const GOAL: (&str, &str, f64) = ("10000", "1000", 10.0);

/// A row of the benchmark's table: waiting jobs, machines, milliseconds of a plan, of a step, of reading a job list.
fn row(line: &str) -> Option<Figure> {
    let cells: Vec<&str> = line.split_whitespace().collect();
    let [waiting, machines, plan, step, fold] = cells[..] else { return None };
    let milliseconds: f64 = plan.parse().ok()?;
    let what = format!("one plan, {waiting} waiting jobs × {machines} machines");
    let measured = format!("{plan} ms (with all of a turn {step} ms, a job list taken in {fold} ms)");
    let (jobs, beside, most) = GOAL;
    Some(if (waiting, machines) == (jobs, beside) {
        Figure::with_goal(what, measured, format!("≤ {most} ms"), milliseconds <= most)
    } else {
        Figure::plain(what, measured)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_figures_and_the_head_is_none() {
        assert_eq!(row("waiting  machines  plan_ms  step_ms  fold_ms"), None);
        let figure = row("  10000      1000     8.17    13.30     3.01").unwrap();
        assert!(format!("{figure:?}").contains("met: Some(true)"), "{figure:?}");
        let figure = row("  10000      1000    11.17    13.30     3.01").unwrap();
        assert!(format!("{figure:?}").contains("met: Some(false)"), "{figure:?}");
        assert!(format!("{:?}", row("100 1000 0.1 0.2 0.3")).contains("met: None"));
    }
}
