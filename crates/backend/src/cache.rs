//! Caches: folders of machines that outlive them.

use planner::ids::RepositoryKey;

/// A folder that a machine finds as the last one left it that had the same: of the same pool, and of the same owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cache {
    /// Where it is in the machine: an absolute path.
    pub path: String,
    /// Whose alone it is; none for all of the machine's pool.
    pub repository: Option<RepositoryKey>,
}
