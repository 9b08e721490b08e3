//! Tokens are nowhere but in the memory of the processes that need them (invariant 11).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use forge_model::Status;

use super::config::Setup;
use super::leftovers::names;
use super::processes;
use super::world::World;

#[test]
fn tokens_are_in_no_argument_environment_log_or_file() {
    let mut world = World::new(&Setup::new(3));
    let jobs: Vec<_> =
        (0..3).map(|number| world.push(&format!("job {number}"), &format!("env; {}", world.held("all")))).collect();
    world.start_talkative();
    world.until("the jobs run", || jobs.iter().all(|job| world.is(job, Status::Running)));
    for job in &jobs {
        world.until_explained(job, &["why:        runs on fs-"]);
    }
    let mut tokens = vec![world.token.clone()];
    let kept = names(&world.credentials());
    if kept.is_empty() {
        eprintln!("there is no file system in memory here: tokens of runners are not looked for");
    } else {
        assert_eq!(kept.len(), jobs.len(), "{kept:?}");
    }
    for name in &kept {
        let file = world.credentials().join(name);
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        let token = fs::read_to_string(&file).expect("credentials");
        assert_eq!(token.len(), 40);
        tokens.push(token);
    }
    assert_eq!(mode(&world.credentials()), 0o700);
    check_processes(&tokens);
    check_files(world.place.path(), &tokens);

    // A daemon that found them again has them in memory as well.
    world.kill();
    world.start_talkative();
    for job in &jobs {
        world.until_explained(job, &["why:        runs on fs-"]);
    }
    check_processes(&tokens);
    check_files(world.place.path(), &tokens);
    world.let_go("all");
    world.until("the jobs have ended", || jobs.iter().all(|job| world.is(job, Status::Success)));
    world.check_success(&jobs);
    world.check_nothing_left();
    check_processes(&tokens);
    check_files(world.place.path(), &tokens);
    let in_memory = files(world.memory.path());
    assert!(in_memory.is_empty(), "left in memory: {in_memory:?}");
}

/// No process of this machine shows a token in its arguments or its environment.
#[track_caller]
fn check_processes(tokens: &[String]) {
    for (id, folder) in processes::all() {
        for place in ["cmdline", "environ"] {
            let content = fs::read(folder.join(place)).unwrap_or_default();
            assert!(!holds(&content, tokens), "a token is in the {place} of process {id}");
        }
    }
}

/// No file of the daemon or its machines has a token, but for the one that the operator wrote it to.
#[track_caller]
pub(crate) fn check_files(place: &Path, tokens: &[String]) {
    let all = files(place);
    let found = |suffix: &str| all.iter().any(|file| file.to_string_lossy().ends_with(suffix));
    for expected in ["daemon.log", "report.json", "forgescale.sqlite"] {
        assert!(found(expected), "{expected} is not among {all:?}");
    }
    for file in all.iter().filter(|file| **file != place.join("token")) {
        let content = fs::read(file).unwrap_or_default();
        assert!(!holds(&content, tokens), "a token is in {}", file.display());
    }
}

/// Whether a content has one of the tokens in it.
pub(crate) fn holds(content: &[u8], tokens: &[String]) -> bool {
    tokens.iter().any(|token| content.windows(token.len()).any(|window| window == token.as_bytes()))
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().expect("a kind of file");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}
