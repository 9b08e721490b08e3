//! The long run: worlds from seed after seed, on all cores, until one breaks or all have ended.

mod failure;
mod traced;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) use traced::trace;

use simulation::{Measured, Shape, Tally, run};

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    seeds: u64,
    start: u64,
    /// Whether a kind of world, fault or reason that never came is no failure: for short runs.
    allow_absent: bool,
}

impl Options {
    /// Reads `--seeds N --start SEED --allow-absent`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self { seeds: 3_000, start: 0, allow_absent: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
                value.parse().map_err(|_| format!("{word}: {value} is no number"))
            };
            match *word {
                "--seeds" => options.seeds = number()?,
                "--start" => options.start = number()?,
                "--allow-absent" => options.allow_absent = true,
                other => return Err(format!("unknown: {other}")),
            }
        }
        Ok(options)
    }
}

/// Writes a line; nobody is told where there is nobody to read it.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// What the threads share.
struct Shared {
    next: AtomicU64,
    end: u64,
    stop: AtomicBool,
    tally: Mutex<Tally>,
    /// The smallest seed that broke, as far as known.
    broken: Mutex<Option<u64>>,
}

/// Runs all seeds.
#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "measures real time, outside of worlds")]
pub(crate) fn run_timed(options: &Options) -> (Tally, Option<u64>, std::time::Duration) {
    let begun = std::time::Instant::now();
    let shared = Shared {
        next: AtomicU64::new(options.start),
        end: options.start.saturating_add(options.seeds),
        stop: AtomicBool::new(false),
        tally: Mutex::new(Tally::default()),
        broken: Mutex::new(None),
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&shared));
        }
    });
    let tally = shared.tally.into_inner().unwrap_or_default();
    let broken = shared.broken.into_inner().unwrap_or_default();
    (tally, broken, begun.elapsed())
}

/// One thread: the next seed, until there is none.
fn work(shared: &Shared) {
    let mut tally = Tally::default();
    while !shared.stop.load(Ordering::Relaxed) {
        let seed = shared.next.fetch_add(1, Ordering::Relaxed);
        if seed >= shared.end {
            break;
        }
        let report = run(&Shape::of(seed), false);
        tally.add(&report.tally);
        if report.broken.is_some() {
            shared.stop.store(true, Ordering::Relaxed);
            if let Ok(mut broken) = shared.broken.lock() {
                *broken = Some(broken.map_or(seed, |smallest| smallest.min(seed)));
            }
        }
    }
    if let Ok(mut sum) = shared.tally.lock() {
        sum.add(&tally);
    }
}

/// Runs all seeds and tells of them. Fails where one breaks, or where a kind of world, a fault or a reason never came.
pub(crate) fn run_all(options: &Options) -> ExitCode {
    let (tally, broken, took) = run_timed(options);
    let seconds = took.as_secs_f64();
    tell(&tally, seconds);
    if let Some(seed) = broken {
        failure::tell(seed);
        return ExitCode::FAILURE;
    }
    let absent: Vec<&str> = tally
        .faults()
        .map(|(fault, count)| (fault.word(), count))
        .chain(tally.kinds().map(|(kind, count)| (kind.word(), count)))
        .chain(tally.reasons())
        .filter(|(_, count)| *count == 0)
        .map(|(word, _)| word)
        .collect();
    if !absent.is_empty() && !options.allow_absent {
        say(&format!("\nnever seen: {}", absent.join(", ")));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn tell(tally: &Tally, seconds: f64) {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = tally.worlds as f64 / seconds.max(0.001);
    say("kinds of worlds, and of what was done in them:");
    for (kind, count) in tally.kinds() {
        say(&format!("  {count:>10}  {}", kind.word()));
    }
    say("faults injected:");
    for (fault, count) in tally.faults() {
        say(&format!("  {count:>10}  {}", fault.word()));
    }
    say("reasons seen, in turns:");
    for (word, count) in tally.reasons() {
        say(&format!("  {count:>10}  {word}"));
    }
    say("bounds, how often measured, the longest, and the highest part of a bound:");
    for (bound, measured) in tally.bounds() {
        let Measured { times, longest_ms, percent } = measured;
        say(&format!("  {times:>10}  {:<58} {longest_ms:>7} ms {percent:>4} %", bound.word()));
    }
    say(&format!(
        "\n{} worlds in {seconds:.0} s: {rate:.0} schedules per second; {} attempts of jobs ({} in the world in \
         the middle, 100 or more in {}, at most {}), {} machines, {} lives, {} turns, {} races of which the design knows, {} times deceived by a backend; \
         all settled within {} s after faults ended",
        tally.worlds,
        tally.attempts,
        tally.median_attempts(),
        tally.worlds_of(100),
        tally.most_attempts,
        tally.created,
        tally.lives,
        tally.turns,
        tally.races,
        tally.deceived,
        tally.settled_ms / 1_000,
    ));
}
