//! Tests of what is kept ready without a job.

use std::time::Duration;

use jiff::Timestamp;
use planner::policy::WarmPolicy;

use super::{Place, parse, surroundings};
use crate::config::{Config, Pool, Problem};

const CONTAINERS: &str = r#"deployment = "ci"
[[forge]]
url = "https://forge.example/"
token_file = "token"
scopes = ["org:acme"]
[[pool]]
name = "node"
labels = ["node:docker://node:22"]
backend = "engine"
max = 4
[backend.engine]
kind = "docker"
"#;

/// `CONTAINERS` with lines at the end of its pool.
fn with(lines: &str) -> String {
    CONTAINERS.replace("max = 4\n", &format!("max = 4\n{lines}\n"))
}

fn pool(text: &str) -> Pool {
    parse(text).unwrap_or_else(|problems| panic!("{problems:#?}")).pools.remove(0)
}

fn problem(text: &str) -> Problem {
    let found = parse(text).expect_err(text);
    let [problem] = found.as_slice() else { panic!("{text}: {found:#?}") };
    problem.clone()
}

fn counts(pool: &Pool, moments: &[&str]) -> Vec<u32> {
    let count = |moment: &&str| pool.schedule.count(pool.policy.warm.count, moment.parse::<Timestamp>().unwrap());
    moments.iter().map(count).collect()
}

#[test]
fn nothing_is_kept_ready_unless_somebody_says_so() {
    let WarmPolicy { count, max_age, made_of } = pool(CONTAINERS).policy.warm;
    assert_eq!((count, max_age, made_of.len()), (0, Duration::from_hours(1), 12));
    let WarmPolicy { count, max_age, .. } = pool(&with("warm = 2\nwarm_max_age = \"90m\"")).policy.warm;
    assert_eq!((count, max_age), (2, Duration::from_mins(90)));
}

#[test]
fn windows_of_the_week_say_otherwise() {
    let text = with(
        "warm = 1\n[[pool.warm_schedule]]\ndays = [\"mon-fri\"]\nfrom = \"08:00\"\nto = \"18:00\"\nwarm = 3\n\
         [[pool.warm_schedule]]\ndays = \"sat,sun\"\nfrom = \"22:00\"\nto = \"06:00\"\ntimezone = \"UTC\"\nwarm = 0\n\
         [[pool.warm_schedule]]\ndays = [\"fri-sun, tue\"]\nfrom = \"12:00\"\nto = \"12:30\"\nwarm = 4",
    );
    let text = text.replace("[[forge]]", "timezone = \"Europe/Berlin\"\n[[forge]]");
    // 2026-07-31 is a Friday; Berlin is two hours ahead.
    let moments = [
        "2026-07-31T06:00:00Z",
        "2026-07-31T10:15:00Z",
        "2026-07-31T16:00:00Z",
        "2026-08-01T10:00:00Z",
        "2026-08-01T22:00:00Z",
        "2026-08-03T05:00:00Z",
        "2026-08-03T10:15:00Z",
        "2026-08-04T10:15:00Z",
    ];
    assert_eq!(counts(&pool(&text), &moments), [3, 4, 1, 4, 0, 0, 3, 4]);
}

#[test]
fn each_window_shows_what_holds_in_it() {
    let text = with("[[pool.warm_schedule]]\nfrom = \"00:00\"\nto = \"24:00\"\ntimezone = \"europe/berlin\"\nwarm = 3");
    let shown: Vec<String> = parse(&text)
        .unwrap()
        .settings
        .into_iter()
        .filter(|setting| setting.key.contains("warm_schedule[0]"))
        .map(|setting| format!("{} = {}", setting.key, setting.value.unwrap_or_default()))
        .collect();
    let expected =
        ["days = [\"mon-sun\"]", "from = \"00:00\"", "to = \"24:00\"", "timezone = \"Europe/Berlin\"", "warm = 3"];
    assert_eq!(shown, expected.map(|line| format!("pool[0].warm_schedule[0].{line}")));
}

#[test]
fn each_mistake_has_its_place_and_a_way_out() {
    let window = "[[pool.warm_schedule]]\nfrom = \"08:00\"\nto = \"18:00\"\ntimezone = \"UTC\"\nwarm = 3";
    assert_eq!(pool(&with(window)).schedule.windows.len(), 1);
    for (from, to, line, key, words) in [
        ("from = \"08:00\"\n", "", 11, "from", "is missing"),
        ("\nwarm = 3", "", 11, "warm", "is missing"),
        ("\ntimezone = \"UTC\"", "", 11, "timezone", "above all tables"),
        ("\"UTC\"", "\"Europe/Berln\"", 14, "timezone", "did you mean \"Europe/Berlin\"?"),
        ("\"UTC\"", "\"+02:00\"", 14, "timezone", "is no time zone"),
        ("\"UTC\"", "\"CET-1CEST\"", 14, "timezone", "is no time zone"),
        ("\"08:00\"", "\"8:00\"", 12, "from", "from \"00:00\" to \"24:00\""),
        ("\"08:00\"", "\"08:60\"", 12, "from", "is no time of day"),
        ("\"08:00\"", "\"24:00\"", 12, "from", "write \"00:00\""),
        ("\"18:00\"", "\"25:00\"", 13, "to", "is no time of day"),
        ("\"18:00\"", "\"08:00\"", 13, "to", "the same as `from`"),
        ("\"18:00\"", "18", 13, "to", "expected a string"),
        ("warm = 3", "warm = 5", 15, "warm", "5 is more than `max` of the pool, which is 4"),
        ("from", "days = [\"mon-frid\"]\nfrom", 12, "days", "did you mean \"fri\"?"),
        ("from", "days = [\"mon\", \"\"]\nfrom", 12, "days", "is empty"),
        ("from", "days = []\nfrom", 12, "days", "is empty"),
        ("from", "days = \"mon,,tue\"\nfrom", 12, "days", "\"\" is no day"),
        ("from", "day = \"mon\"\nfrom", 12, "day", "did you mean `days`?"),
        ("warm = 3", "warm = 3\nboot = \"3m\"", 16, "boot", "it belongs to [[pool]]"),
    ] {
        let text = with(window).replacen(from, to, 1);
        assert_ne!(text, with(window), "{from}");
        let problem = problem(&text);
        let said = format!("{} / {}", problem.reason, problem.hint);
        assert_eq!((problem.line, problem.key), (line, format!("pool[0].warm_schedule[0].{key}")), "{to}: {said}");
        assert!(said.contains(words), "{to}: {said}");
    }
    for (line, key, words) in [
        ("warm = 5", "warm", "write 4 or less, or raise `max`"),
        ("warm = -1", "warm", "not between 0"),
        ("warm_max_age = \"59s\"", "warm_max_age", "less than 1m"),
        ("warm_schedule = { from = \"08:00\" }", "warm_schedule", "[[pool.warm_schedule]] instead of"),
        ("war = 2", "war", "did you mean `warm`?"),
    ] {
        let problem = problem(&with(line));
        let said = format!("{} / {}", problem.reason, problem.hint);
        assert!(problem.key == format!("pool[0].{key}") && said.contains(words), "{line}: {said}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = with(
        "warm = 9\nwarm_max_age = \"1s\"\n[[pool.warm_schedule]]\ndays = \"some\"\nfrom = \"a\"\nto = \"b\"\nwarm = 8\n\
         [[pool.warm_schedule]]\nfrom = \"00:00\"",
    );
    let keys: Vec<String> = parse(&text).unwrap_err().into_iter().map(|problem| problem.key).collect();
    let [first, second] = [0, 1].map(|at| format!("pool[0].warm_schedule[{at}]"));
    let of = |window: &str, keys: &[&str]| keys.iter().map(|key| format!("{window}.{key}")).collect::<Vec<_>>();
    let expected = [
        vec!["pool[0].warm".to_owned(), "pool[0].warm_max_age".to_owned()],
        of(&first, &["timezone", "days", "from", "to", "warm"]),
        of(&second, &["to", "timezone", "warm"]),
    ];
    assert_eq!(keys, expected.concat());
}

#[test]
fn a_backend_that_makes_machines_for_jobs_alone_keeps_none_ready() {
    let host = CONTAINERS.replace("kind = \"docker\"", "kind = \"host\"");
    for lines in ["warm = 1", "[[pool.warm_schedule]]\nfrom = \"08:00\"\nto = \"18:00\"\ntimezone = \"UTC\"\nwarm = 1"]
    {
        let problem = problem(&host.replace("max = 4\n", &format!("max = 4\n{lines}\n")));
        assert!(problem.key.ends_with("warm") && problem.hint.contains("docker or podman"), "{problem:?}");
    }
    assert!(parse(&host.replace("max = 4\n", "max = 4\nwarm = 0\n")).is_ok());
}

#[test]
fn more_than_there_may_be_is_a_warning_at_the_pool_with_which_it_is_too_much() {
    let second =
        "[[pool]]\nname = \"gpu\"\nlabels = [\"gpu:docker://gpu:1\"]\nbackend = \"engine\"\nmax = 4\nwarm = 2\n";
    let third = second.replace("gpu", "arm");
    let all = with("warm = 1\n[[pool.warm_schedule]]\nfrom = \"08:00\"\nto = \"18:00\"\ntimezone = \"UTC\"\nwarm = 3")
        .replace("[backend.engine]", &format!("{second}{third}[backend.engine]"));
    assert_eq!(parse(&all).unwrap().warnings, []);
    let line = all.lines().position(|line| line.contains("\"gpu\"")).unwrap();
    for (from, to, words, line) in [
        (
            "kind = \"docker\"",
            "kind = \"docker\"\nmax = 4",
            "5 machines may be kept ready, and the `max` of backend",
            line,
        ),
        ("[[forge]]", "max = 4\n[[forge]]", "the `max` of all pools together is 4", line + 1),
    ] {
        let warnings = parse(&all.replace(from, to)).unwrap().warnings;
        let [warning] = warnings.as_slice() else { panic!("{to}: {warnings:?}") };
        assert!(warning.line == line && warning.reason.contains(words), "{warning:?}");
    }
}

#[test]
fn what_shapes_a_machine_shapes_the_fingerprint_and_nothing_else_does() {
    let place = Place::new();
    let made_of = |text: &str| {
        let config = Config::parse(text, place.path(), &surroundings(&place)).unwrap();
        config.pools[0].policy.warm.made_of.clone()
    };
    let plain = made_of(CONTAINERS);
    assert_eq!(plain, made_of(CONTAINERS));
    for line in [
        "image = \"debian:bookworm\"",
        "network = \"none\"",
        "memory = \"1GiB\"",
        "cpus = 2",
        "pids = 100",
        "runtime = \"runsc\"",
        "mode = \"socket\"",
        "tmpfs = [\"/tmp\"]",
        "environment = { LANG = \"C\" }",
        "runner = [\"forgejo-runner\", \"--quiet\"]",
    ] {
        assert_ne!(made_of(&CONTAINERS.replace("\"docker\"", &format!("\"docker\"\n{line}"))), plain, "{line}");
    }
    for line in
        ["max = 3", "interval = \"9s\"", "parallel_creates = 2", "pull = \"always\"", "host = \"unix:///run/x.sock\""]
    {
        assert_eq!(made_of(&CONTAINERS.replace("\"docker\"", &format!("\"docker\"\n{line}"))), plain, "{line}");
    }
    for lines in ["max = 5", "max = 4\npriority = 1\nrun = \"1h\"", "max = 4\nwarm = 1\nwarm_max_age = \"2h\""] {
        assert_eq!(made_of(&CONTAINERS.replace("max = 4", lines)), plain, "{lines}");
    }
    place.write("forgejo-runner", "#! another", 0o700);
    assert_ne!(made_of(CONTAINERS), plain, "another runner");
}
