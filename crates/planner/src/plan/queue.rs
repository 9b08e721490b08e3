//! The order of launches: oldest first within a repository, round-robin over repositories (design section 8, "Fairness").

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::launch::Wanted;
use crate::ids::ForgeId;

/// Whose turn it is: those that yield last, then the repository with the fewest machines, then the oldest job.
type Turn = Reverse<(bool, u32, i64, (ForgeId, i64))>;

/// Waiting jobs in the order in which they get their turn. Each comes out once.
pub(super) struct Queue<'a> {
    repositories: BTreeMap<(ForgeId, i64), VecDeque<Wanted<'a>>>,
    machines: BTreeMap<(ForgeId, i64), u32>,
    turns: BinaryHeap<Turn>,
}

impl<'a> Queue<'a> {
    /// Orders jobs; `machines` says how many each repository has already.
    pub(super) fn new(wanted: Vec<Wanted<'a>>, machines: BTreeMap<(ForgeId, i64), u32>) -> Self {
        let mut repositories: BTreeMap<(ForgeId, i64), Vec<Wanted<'a>>> = BTreeMap::new();
        for job in wanted {
            repositories.entry(job.repository()).or_default().push(job);
        }
        let repositories = repositories
            .into_iter()
            .map(|(repository, mut jobs)| {
                jobs.sort_by(|left, right| {
                    let order = (left.yields, left.row.id).cmp(&(right.yields, right.row.id));
                    order.then_with(|| left.key.handle.cmp(&right.key.handle))
                });
                (repository, VecDeque::from(jobs))
            })
            .collect();
        let mut queue = Self { repositories, machines, turns: BinaryHeap::new() };
        let all: Vec<_> = queue.repositories.keys().cloned().collect();
        for repository in all {
            queue.line_up(repository);
        }
        queue
    }

    /// The next job.
    pub(super) fn next(&mut self) -> Option<Wanted<'a>> {
        let Reverse((.., repository)) = self.turns.pop()?;
        self.repositories.get_mut(&repository)?.pop_front()
    }

    /// Lets the repository of the job that came out last have its next turn; `launched` if that one got a machine.
    pub(super) fn done(&mut self, repository: (ForgeId, i64), launched: bool) {
        if launched {
            *self.machines.entry(repository.clone()).or_insert(0) += 1;
        }
        self.line_up(repository);
    }

    fn line_up(&mut self, repository: (ForgeId, i64)) {
        let Some(first) = self.repositories.get(&repository).and_then(VecDeque::front) else { return };
        let machines = self.machines.get(&repository).copied().unwrap_or(0);
        self.turns.push(Reverse((first.yields, machines, first.row.id, repository)));
    }
}
