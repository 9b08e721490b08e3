//! Reads scenario files. Every line that is not understood is named.

use std::time::Duration;

use forge_model::Version;
use planner::ids::{BackendId, PoolId};

use super::{Scenario, a_pool};
use crate::fault::Fault;
use crate::judge::Bound;
use crate::script::{Act, Expectation, Push};
use crate::setting::parsed;
use crate::shape::Shape;

/// After the last line of a script, faults end so much later.
const LAST_MS: u64 = 1_000;

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The number of the first line that is not understood, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scenario = Self::default();
        let mut lines = text.lines().enumerate();
        for (number, line) in lines.by_ref() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            if words == ["reasons"] {
                break;
            }
            scenario.line(&words).map_err(|why| format!("line {}: {why}", number + 1))?;
        }
        scenario.reasons = lines.map(|(_, line)| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        let last = scenario.acts.iter().map(|(at, _)| at + LAST_MS).max().unwrap_or(0);
        scenario.quiet_at = scenario.quiet_at.max(last);
        Ok(scenario)
    }

    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => {}
            ["seed", seed] => {
                self.shape_mut().seed = seed.parse().map_err(|_| format!("{seed} is no seed"))?;
            }
            ["without", faults @ ..] => {
                for word in faults {
                    let fault = named(word)?;
                    self.shape_mut().without.insert(fault);
                }
            }
            ["only", fault, times @ ..] => {
                let fault = named(fault)?;
                let times = times.iter().map(|time| number(time)).collect::<Result<_, _>>()?;
                self.shape_mut().only.insert(fault, times);
            }
            ["jobs", count] => self.shape_mut().jobs = Some(number(count)?),
            ["quiet", "at", at] => {
                let at = span(at)?;
                self.quiet_at = at;
                if let Some(shape) = &mut self.shape {
                    shape.quiet_at = Some(at);
                }
            }
            ["tell", jobs @ ..] => self.told.extend(jobs.iter().map(|job| (*job).to_owned())),
            ["quick"] => self.is_quick = true,
            ["hooks"] => self.has_hooks = true,
            ["poll", "every", every] => self.interval = Some(Duration::from_millis(span(every)?)),
            ["forge", "v15"] => self.version = Version::V15,
            ["forge", "v16"] => self.version = Version::V16,
            ["max", count] => self.max = Some(number(count)?),
            ["pool", settings @ ..] => self.pool(settings)?,
            ["end", "expect", what @ ..] => self.ends.push(Act::Expect(expectation(what)?)),
            ["at", at, what @ ..] => {
                let at = span(at)?;
                self.acts.push((at, act(what)?));
            }
            _ => return Err(format!("not understood: {}", words.join(" "))),
        }
        Ok(())
    }

    fn shape_mut(&mut self) -> &mut Shape {
        self.shape.get_or_insert_with(|| Shape::of(0))
    }

    /// `pool [labels a,b] [max N] [boot SPAN] [claim SPAN] [run SPAN] [grace SPAN] [priority N] [per-repository N] [backend NAME] [warm N] [max-age SPAN]`
    fn pool(&mut self, settings: &[&str]) -> Result<(), String> {
        let mut pool = a_pool();
        pool.id = PoolId::new(format!("pool-{}", self.pools.len()));
        for pair in settings.chunks(2) {
            let [key, value] = pair else { return Err(format!("no value: {}", pair.join(" "))) };
            let time = || span(value).map(Duration::from_millis);
            match *key {
                "labels" => pool.labels = parsed(&value.split(',').collect::<Vec<_>>()),
                "max" => pool.max = number(value)?,
                "priority" => pool.priority = number(value)?,
                "per-repository" => pool.max_per_repository = Some(number(value)?),
                "boot" => pool.clocks.boot = time()?,
                "claim" => pool.clocks.claim = time()?,
                "run" => pool.clocks.run = time()?,
                "grace" => pool.clocks.grace = time()?,
                "warm" => pool.warm.count = number(value)?,
                "max-age" => pool.warm.max_age = time()?,
                "backend" => pool.backend = BackendId::new(*value),
                other => return Err(format!("a pool has no {other}")),
            }
        }
        self.pools.push(pool);
        Ok(())
    }
}

fn act(words: &[&str]) -> Result<Act, String> {
    match words {
        ["push", job, settings @ ..] => Ok(Act::Push(push(job, settings)?)),
        ["cancel", job] => Ok(Act::Cancel { job: (*job).to_owned() }),
        ["rerun", job] => Ok(Act::Rerun { job: (*job).to_owned() }),
        ["strike", fault, rest @ ..] => {
            let (on, times) = match rest {
                [on, "times", times] => (*on, number(times)?),
                [on] => (*on, 1),
                _ => return Err("strike FAULT WHAT [times N]".to_owned()),
            };
            let on = if on == "any" { "" } else { on };
            Ok(Act::Strike { fault: named(fault)?, on: on.to_owned(), times })
        }
        ["befall", fault, rest @ ..] => {
            let fault = named(fault)?;
            let (whom, lasts) = match rest {
                [] => (None, None),
                ["for", time] => (None, Some(span(time)?)),
                [whom, "for", time] => (Some((*whom).to_owned()), Some(span(time)?)),
                [whom] => (Some((*whom).to_owned()), None),
                _ => return Err("befall FAULT [WHOM] [for SPAN]".to_owned()),
            };
            Ok(Act::Befall { fault, whom, span: lasts })
        }
        ["hour", pool, count] => Ok(Act::Hour { pool: PoolId::new(*pool), count: number(count)? }),
        ["expect", what @ ..] => Ok(Act::Expect(expectation(what)?)),
        ["always", what @ ..] => Ok(Act::Always(expectation(what)?)),
        _ => Err(format!("not understood: {}", words.join(" "))),
    }
}

/// `push JOB [in N] [on a,b] [for SPAN] [group G] [cancel-group G] [times N] [alike N]`
fn push(job: &str, settings: &[&str]) -> Result<Push, String> {
    let mut push = Push {
        repository: 0,
        job: job.to_owned(),
        labels: vec!["debian".to_owned()],
        lasts: None,
        group: None,
        times: 1,
        alike: 1,
    };
    for pair in settings.chunks(2) {
        let [key, value] = pair else { return Err(format!("no value: {}", pair.join(" "))) };
        match *key {
            "in" => push.repository = number(value)?,
            "on" if *value == "nothing" => push.labels.clear(),
            "on" => push.labels = value.split(',').map(str::to_owned).collect(),
            "for" => push.lasts = Some(span(value)?),
            "group" => push.group = Some(((*value).to_owned(), false)),
            "cancel-group" => push.group = Some(((*value).to_owned(), true)),
            "times" => push.times = number(value)?,
            "alike" => push.alike = number(value)?,
            other => return Err(format!("a push has no {other}")),
        }
    }
    Ok(push)
}

fn expectation(words: &[&str]) -> Result<Expectation, String> {
    Ok(match words {
        ["machines", least, "to", most] => Expectation::Machines { least: number(least)?, most: number(most)? },
        ["machines", count] => Expectation::Machines { least: number(count)?, most: number(count)? },
        ["spares", least, "to", most] => Expectation::Spares { least: number(least)?, most: number(most)? },
        ["spares", count] => Expectation::Spares { least: number(count)?, most: number(count)? },
        ["runners", count] => Expectation::Runners { count: number(count)? },
        ["made", least, "to", most] => Expectation::Made { least: number(least)?, most: number(most)? },
        ["made", count] => Expectation::Made { least: number(count)?, most: number(count)? },
        ["calls", word @ .., least, "to", most] => {
            Expectation::Calls { word: word.join(" "), least: number(least)?, most: number(most)? }
        }
        ["calls", word @ .., count] => {
            Expectation::Calls { word: word.join(" "), least: number(count)?, most: number(count)? }
        }
        ["took", bound, least, "to", most, "times", "within", longest] => Expectation::Took {
            bound: Bound::named(bound).ok_or_else(|| format!("no bound is called {bound}"))?,
            least: number(least)?,
            most: number(most)?,
            longest_ms: span(longest)?,
        },
        ["handed", job, count] => Expectation::HandedOut { job: (*job).to_owned(), count: number(count)? },
        ["told", word @ ..] => Expectation::Told { word: word.join(" ") },
        ["not", "told", word @ ..] => Expectation::NotTold { word: word.join(" ") },
        [count, start, status] if start.ends_with('*') => Expectation::Jobs {
            count: number(count)?,
            start: start.trim_end_matches('*').to_owned(),
            status: (*status).to_owned(),
        },
        [job, status] => Expectation::Job { job: (*job).to_owned(), status: (*status).to_owned() },
        _ => return Err(format!("not understood: expect {}", words.join(" "))),
    })
}

fn named(word: &str) -> Result<Fault, String> {
    Fault::named(word).ok_or_else(|| format!("no fault is called {word}"))
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

/// Milliseconds of `0`, `300ms`, `20s`, `5m` or `2h`.
fn span(word: &str) -> Result<u64, String> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &word[digits.len()..] {
        "" if digits == "0" => 0,
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("{word} is no time")),
    };
    Ok(number::<u64>(digits)? * factor)
}
