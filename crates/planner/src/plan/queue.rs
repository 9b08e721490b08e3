//! The order of launches: oldest first within a repository, round-robin over repositories (design section 8, "Fairness").

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::launch::Wanted;
use crate::ids::ForgeId;

/// A job that may be launched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready<'w, 'a> {
    pub(super) job: &'w Wanted<'a>,
    /// Its place among all jobs; within a forge the older has the smaller.
    pub(super) place: usize,
    /// Whether others go first for a while.
    pub(super) yields: bool,
}

/// The jobs of one repository, in order.
struct Line<'w, 'a> {
    jobs: VecDeque<Ready<'w, 'a>>,
    machines: u32,
}

/// Whose turn it is: those that yield last, then the repository with the fewest machines, then the oldest job, then the
/// first line.
type Turn = Reverse<(bool, u32, i64, usize)>;

/// Waiting jobs in the order in which they get their turn. Each comes out once.
pub(super) struct Queue<'w, 'a> {
    /// By forge and repository.
    lines: Vec<Line<'w, 'a>>,
    turns: BinaryHeap<Turn>,
}

impl<'w, 'a> Queue<'w, 'a> {
    /// Orders jobs; `machines` says how many each repository has already.
    pub(super) fn new(mut ready: Vec<Ready<'w, 'a>>, machines: &BTreeMap<(&ForgeId, i64), u32>) -> Self {
        ready.sort_unstable_by_key(|ready| (ready.job.repository(), ready.yields, ready.place));
        let lines: Vec<_> = ready
            .chunk_by(|left, right| left.job.repository() == right.job.repository())
            .map(|jobs| Line {
                machines: machines.get(&jobs[0].job.repository()).copied().unwrap_or(0),
                jobs: jobs.iter().copied().collect(),
            })
            .collect();
        let count = lines.len();
        let mut queue = Self { lines, turns: BinaryHeap::with_capacity(count) };
        for line in 0..count {
            queue.line_up(line);
        }
        queue
    }

    /// The next job, and its line.
    pub(super) fn next(&mut self) -> Option<(Ready<'w, 'a>, usize)> {
        let Reverse((.., line)) = self.turns.pop()?;
        Some((self.lines[line].jobs.pop_front()?, line))
    }

    /// Lets the line of the job that came out last have its next turn; `launched` if that one got a machine.
    pub(super) fn done(&mut self, line: usize, launched: bool) {
        self.lines[line].machines += u32::from(launched);
        self.line_up(line);
    }

    fn line_up(&mut self, line: usize) {
        let Line { jobs, machines } = &self.lines[line];
        let Some(first) = jobs.front() else { return };
        self.turns.push(Reverse((first.yields, *machines, first.job.row.id, line)));
    }
}
