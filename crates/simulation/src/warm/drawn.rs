//! Which pools keep machines without a job, drawn from streams of their own: nothing else of a world depends on it.

use std::collections::BTreeMap;
use std::time::Duration;

use planner::ids::{BackendId, PoolId};
use planner::label::Label;
use planner::policy::{Policy, WarmPolicy};

use crate::backends::ModelBackend;
use crate::dice::Dice;

/// Most machines that a pool keeps without a job: more than the smallest pools may have.
pub(super) const MOST: u64 = 4;

/// Of a thousand pools on backends that can, so many keep machines without a job.
const WARM: u64 = 700;
/// Of these so many name an image for each of their labels, have machines that never become too old, and a schedule.
const IMAGES: u64 = 500;
const AGELESS: u64 = 300;
const SCHEDULED: u64 = 300;

/// Draws what pools keep. Returns what their schedules say at first, for those that have one.
pub(crate) fn draw(
    seed: u64,
    policy: &mut Policy,
    backends: &BTreeMap<BackendId, ModelBackend>,
) -> BTreeMap<PoolId, u32> {
    let mut hours = BTreeMap::new();
    for pool in &mut policy.pools {
        let mut dice = Dice::of(seed, &format!("warm of {}", pool.id));
        if !backends.get(&pool.backend).is_some_and(|model| model.warm) || !dice.chance(WARM) {
            continue;
        }
        let max_age = if dice.chance(AGELESS) { 0 } else { dice.between(40_000, 240_000) };
        pool.warm =
            WarmPolicy { count: count(&mut dice), max_age: Duration::from_millis(max_age), made_of: "made".to_owned() };
        if dice.chance(IMAGES) {
            pool.labels = imaged(&pool.labels, "node");
        }
        if dice.chance(SCHEDULED) {
            hours.insert(pool.id.clone(), count(&mut dice));
        }
    }
    hours
}

fn count(dice: &mut Dice) -> u32 {
    u32::try_from(dice.between(0, MOST)).unwrap_or(0)
}

/// The same labels, each with an image of its own.
pub(crate) fn imaged(labels: &[Label], of: &str) -> Vec<Label> {
    let text = |label: &Label| format!("{}:docker://{of}-{}", label.name(), label.name());
    labels.iter().filter_map(|label| Label::parse(&text(label)).ok()).collect()
}
