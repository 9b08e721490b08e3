//! Checker, judge and shrinking can fail: planners with a deliberate defect break worlds, and what is left of such a world
//! is small and breaks again.
//!
//! No build of the workspace may have the defects: `.ci/run` runs these tests once more with the feature `sabotage`.

#[test]
#[expect(clippy::disallowed_methods, reason = "the table is read")]
fn the_table_of_defects_is_complete() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/concepts/safety.md");
    let text = std::fs::read_to_string(page).expect("the page");
    let table = text.split("\n## Deliberate defects\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let named: Vec<&str> = rows.filter_map(|row| row.split(" |").next()).collect();
    let all: Vec<&str> = planner::sabotage::Sabotage::ALL.iter().map(|sabotage| sabotage.word()).collect();
    assert_eq!(named, all);
}

#[cfg(feature = "sabotage")]
mod with_defects {
    use simulation::sabotage::{Sabotage, choose};
    use simulation::{Scenario, Shape, run, shrink};

    /// In so many seeds these defects break a world: `cargo xtask sabotage` says how many each needs.
    const SEEDS: u64 = 40;

    fn first_broken() -> Option<Shape> {
        (0..SEEDS).map(Shape::of).find(|shape| run(shape, false).broken.is_some())
    }

    #[test]
    fn defects_break_worlds_within_a_few_seeds() {
        for sabotage in [
            Sabotage::DeleteBlindly,
            Sabotage::ChargeLate,
            Sabotage::NoBackoff,
            Sabotage::FailedAsSupply,
            Sabotage::PlanTwice,
        ] {
            choose(Some(sabotage));
            let broken = first_broken();
            choose(None);
            assert!(broken.is_some(), "{}", sabotage.word());
        }
    }

    #[test]
    fn without_a_chosen_defect_nothing_breaks() {
        choose(None);
        assert_eq!(first_broken(), None);
    }

    #[test]
    fn a_broken_world_is_made_small_and_breaks_again() {
        // It takes one job and one lost answer.
        choose(Some(Sabotage::SweepAtOnce));
        let shape = first_broken().expect("a broken world");
        let whole = run(&shape, false);
        let shrunk = shrink(&shape, 400).expect("a smaller world");
        let file = shrunk.to_string();
        assert!(shrunk.attempts.1 <= 2 && shrunk.faults.1 <= 2, "{file}");
        assert!(shrunk.runs <= 400);
        assert_eq!(file.lines().filter(|line| line.starts_with("# ")).count(), 2 + shrunk.injected.len(), "{file}");
        let scenario = Scenario::parse(&file).expect("a scenario");
        let broken = scenario.play().broken.expect("it breaks again");
        assert!(broken.starts_with(&format!("invariant {}", whole.broken.unwrap().invariant)), "{broken}");
        choose(None);
        assert_eq!(scenario.play().broken, None, "without the defect");
        assert!(shrink(&shape, 400).is_none(), "without the defect");
    }
}
