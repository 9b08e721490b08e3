//! Figures, and the table of them: markdown that reads well as plain text.

use std::time::Duration;

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figure {
    what: String,
    measured: String,
    goal: String,
    met: Option<bool>,
}

impl Figure {
    /// A figure with a goal, and whether it was met.
    pub(crate) fn with_goal(
        what: impl Into<String>,
        measured: impl Into<String>,
        goal: impl Into<String>,
        met: bool,
    ) -> Self {
        Self { what: what.into(), measured: measured.into(), goal: goal.into(), met: Some(met) }
    }

    /// A figure that nobody has set a goal for.
    pub(crate) fn plain(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { what: what.into(), measured: measured.into(), goal: String::new(), met: None }
    }

    fn cells(&self) -> [&str; 4] {
        let verdict = match self.met {
            None => "",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        [&self.what, &self.measured, &self.goal, verdict]
    }
}

/// The table, with columns of even width.
pub(crate) fn table(figures: &[Figure]) -> String {
    let head = ["Figure", "Measured", "Goal", "Met"];
    let rows: Vec<[&str; 4]> = figures.iter().map(Figure::cells).collect();
    let mut widths = head.map(|cell| cell.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rule = widths.map(|width| "-".repeat(width));
    let mut text = line(&head, widths);
    text.push_str(&line(&[&rule[0], &rule[1], &rule[2], &rule[3]], widths));
    for row in &rows {
        text.push_str(&line(row, widths));
    }
    text
}

fn line(cells: &[&str; 4], widths: [usize; 4]) -> String {
    let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    format!("| {} |\n", padded.join(" | "))
}

/// The value below which this share of the sorted values lies (nearest rank); `per_cent` from 1 to 100.
pub(crate) fn percentile(sorted: &[Duration], per_cent: usize) -> Duration {
    let rank = (sorted.len() * per_cent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// A span in words.
pub(crate) fn milliseconds(span: Duration) -> String {
    format!("{:.0} ms", span.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&values[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn a_table_has_columns_of_even_width_and_says_what_was_missed() {
        let figures = [Figure::with_goal("time", "5 ms", "≤ 4 ms", false), Figure::plain("a longer name", "1.5 times")];
        let expected = "| Figure        | Measured  | Goal   | Met |\n\
                        | ------------- | --------- | ------ | --- |\n\
                        | time          | 5 ms      | ≤ 4 ms | NO  |\n\
                        | a longer name | 1.5 times |        |     |\n";
        assert_eq!(table(&figures), expected);
    }
}
