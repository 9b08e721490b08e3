//! Invariants 11, 12 and 13, of the planner's books and reports: no token is in them, a plan is no larger than what it is
//! about, and what is over is forgotten.

use std::collections::BTreeSet;

use planner::step::Turn;

use super::Rule;
use crate::world::World;

/// Length of a runner's token (protocol 1.3).
const TOKEN: usize = 40;
/// How many reasons and actions a turn may come to for each job, machine and registration: each has one reason, at most one
/// action, and may be an alert's subject; and a turn plans a few times.
const EACH: usize = 8;
/// And beyond them: scopes and pools have alerts and calls of their own.
const BESIDE: usize = 64;

impl World {
    /// Invariant 12: what a turn comes to is bounded by what there is.
    pub(super) fn judge_size(&mut self, turn: &Turn) {
        let state = &self.daemon.state;
        let jobs: usize = state.seen.scopes.values().map(|seen| seen.jobs.len()).sum();
        let machines: usize = state.seen.backends.values().map(|seen| seen.machines.len()).sum();
        let things = jobs + machines + state.journal.assignments.len() + state.journal.strays.len();
        let report = &turn.report;
        let told = report.jobs.len() + report.machines.len() + report.runners.len() + report.alerts.len();
        let came_to = told + turn.actions.len() + turn.decisions.len() + turn.ended.len();
        if came_to > EACH * things + BESIDE {
            self.judge.breaks(Rule::Size, format!("a turn about {things} things comes to {came_to}"));
        }
    }

    /// Invariant 11: no token that was ever issued is in books or report.
    pub(crate) fn judge_secrets(&mut self, report: Option<&planner::report::Report>) {
        let text = format!("{:?} {report:?} {:?}", self.daemon.state, self.daemon.old_memory);
        if let Some(place) = holds_token(&text, &self.judge.tokens) {
            self.judge.breaks(Rule::TokenInBooks, format!("a token is in the books or in a report, at {place}"));
        }
    }

    /// Invariant 11: nor in what a person reads of the world.
    pub(crate) fn judge_trace(&mut self) {
        let held = self.trace.lines().iter().find(|line| holds_token(line, &self.judge.tokens).is_some());
        if let Some(line) = held.map(|line| line.chars().take(40).collect::<String>()) {
            self.judge.breaks(Rule::TokenInTrace, format!("a token is in the trace: {line}"));
        }
    }

    /// Invariant 13: once all is over, and what is kept for a while is forgotten, the books hold nothing but what is listed.
    pub(crate) fn judge_emptiness(&mut self) {
        let state = &self.daemon.state;
        let journal = &state.journal;
        let listed: BTreeSet<&str> =
            state.seen.scopes.values().flat_map(|seen| seen.jobs.keys()).map(planner::ids::Handle::as_str).collect();
        // Machines without a job become too old for ever, and are made anew: between two lists each of them at the most, and
        // one at a time in each pool.
        let renewed: u32 = self.policy.pools.iter().map(|pool| self.wanted_spares(pool).max(1)).sum();
        let left = [
            ("assignments", journal.assignments.len()),
            ("calls", journal.in_flight.values().filter(|flight| flight.action.key().is_some()).count()),
            ("strays", journal.strays.len()),
            ("removed machines", journal.buried.len().saturating_sub(renewed as usize)),
            ("credentials", journal.credentials.iter().filter(|runner| self.judge.ledger.has_made(runner)).count()),
            ("lost calls", journal.lost_registers.len()),
            ("handles", journal.handles.keys().filter(|key| !listed.contains(key.handle.as_str())).count()),
            (
                "suspicions",
                journal
                    .suspicions
                    .values()
                    .filter(|it| it.probed.keys().any(|one| !listed.contains(one.as_str())))
                    .count(),
            ),
        ];
        if let Some((what, count)) = left.into_iter().find(|(_, count)| *count > 0) {
            self.judge.breaks(Rule::Forgotten, format!("{count} {what} are in the books long after all is over"));
        }
    }
}

/// Where a text holds one of these tokens. Each is a run of hexadecimal digits, so that the text is read once.
fn holds_token(text: &str, tokens: &BTreeSet<String>) -> Option<usize> {
    let runs = text.split(|letter: char| !letter.is_ascii_hexdigit()).filter(|run| run.len() >= TOKEN);
    let mut inside = runs.flat_map(|run| (0..=run.len() - TOKEN).map(move |at| &run[at..at + TOKEN]));
    inside.find(|token| tokens.contains(*token)).and_then(|token| text.find(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        let token = "0123456789abcdef0123456789abcdef01234567";
        let tokens = BTreeSet::from([token.to_owned()]);
        assert_eq!(holds_token(&format!("key={token}, other"), &tokens), Some(4));
        assert_eq!(holds_token(&format!("aa{token}ff"), &tokens), Some(2));
        assert_eq!(holds_token(&token[1..], &tokens), None);
        assert_eq!(holds_token("no token at all", &tokens), None);
    }
}
