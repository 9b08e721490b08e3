//! For each rule of the judge: by which defect it was seen broken first, and in how many seeds.
//!
//! Worlds go on to their ends here, whatever breaks, and each defect is tried with and without the plan checker: what that
//! one stops, or what breaks first, would hide all that comes after it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use simulation::sabotage::{Sabotage, blind_checker, choose};
use simulation::{Rule, Shape, run_whole};

use crate::simulate::say;

/// So many seeds each defect gets.
const SEEDS: u64 = 300;

/// A rule that was broken: in how many seeds, by what, and whether the checker was blind.
type Red = (u64, bool, Sabotage);

/// Tries every defect whose words contain these on worlds that go on, and prints the table of rules.
pub(crate) fn run(words: &str) -> ExitCode {
    let defects = Sabotage::ALL.iter().copied().filter(|sabotage| sabotage.word().contains(words));
    let tries: Vec<(Sabotage, bool)> = defects.flat_map(|sabotage| [(sabotage, false), (sabotage, true)]).collect();
    let next = AtomicUsize::new(0);
    let all: Mutex<BTreeMap<Rule, Red>> = Mutex::new(BTreeMap::new());
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(|| {
                while let Some(&(sabotage, blind)) = tries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = broken_by(sabotage, blind);
                    let Ok(mut all) = all.lock() else { return };
                    for (rule, seeds) in found {
                        let red = (seeds, blind, sabotage);
                        let first = all.entry(rule).or_insert(red);
                        if (red.0, red.1, red.2 as usize) < (first.0, first.1, first.2 as usize) {
                            *first = red;
                        }
                    }
                }
            });
        }
    });
    std::panic::set_hook(told);
    let all = all.into_inner().unwrap_or_default();
    for rule in Rule::ALL {
        let red = match all.get(rule) {
            Some((seeds, blind, sabotage)) => {
                let checker = if *blind { ", the checker blind" } else { "" };
                format!("{}{checker} | {seeds}", sabotage.word())
            }
            None => "by no defect | ".to_owned(),
        };
        say(&format!("| {} | {} | {red} |", rule.word(), rule.invariant()));
    }
    say(&format!("{} of {} rules were broken", all.len(), Rule::ALL.len()));
    ExitCode::SUCCESS
}

/// In how many seeds a defect has broken each rule first.
fn broken_by(sabotage: Sabotage, blind: bool) -> BTreeMap<Rule, u64> {
    let mut found = BTreeMap::new();
    for seed in 0..SEEDS {
        choose(Some(sabotage));
        blind_checker(blind);
        for rule in run_whole(&Shape::of(seed)).into_keys() {
            found.entry(rule).or_insert(seed + 1);
        }
        choose(None);
        blind_checker(false);
    }
    found
}
