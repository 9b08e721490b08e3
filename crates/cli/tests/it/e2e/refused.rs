//! What is refused leaves nothing behind: no folder and no file that was made only for the attempt.

use std::fs;
use std::path::{Path, PathBuf};

use forge_model::Status;

use super::config::Setup;
use super::control::ask;
use super::leftovers::names;
use super::world::{World, write};
use crate::{Ran, check_quiet, forgescale, run};

/// The longest name of a deployment: too long for one of containers.
const LONG: &str = "a234567890123456789012345678901234567890123456789012345678901234";

/// The configuration of a world with all directories elsewhere, where nothing is yet.
struct Elsewhere {
    config: PathBuf,
    state: PathBuf,
    runtime: PathBuf,
}

impl Elsewhere {
    /// With further changes of the text.
    fn of(world: &World, changes: &[(&str, &str)]) -> Self {
        let (state, runtime) = (world.place.path().join("not-yet/state"), world.memory.path().join("not-yet/runtime"));
        let text = fs::read_to_string(world.config()).expect("a configuration");
        let text = text.replace(&world.state().display().to_string(), &state.display().to_string());
        let memory = format!("runtime_directory = \"{}\"", world.memory.path().display());
        let mut text = text.replace(&memory, &format!("runtime_directory = \"{}\"", runtime.display()));
        for (from, to) in changes {
            assert!(text.contains(from), "no {from} in {text}");
            text = text.replace(from, to);
        }
        let config = world.place.path().join("elsewhere.toml");
        write(&config, &text, 0o600);
        Self { config, state, runtime }
    }

    fn gc(&self, arguments: &[&str]) -> Ran {
        let mut command = forgescale(["gc", "--config"]);
        run(command.arg(&self.config).args(arguments).env("PATH", "/usr/local/bin:/usr/bin:/bin"))
    }

    #[track_caller]
    fn check_nothing_is_there(&self) {
        for made in [&self.state, &self.runtime] {
            let above = made.parent().expect("a folder above");
            assert!(!above.exists(), "{} was left: {:?}", above.display(), names(made));
        }
    }
}

/// Checks that it was refused for a reason.
#[track_caller]
fn check_refused(ran: &Ran, why: &str) {
    assert!(ran.status.is_some_and(|status| status != 0) && ran.out.is_empty(), "{:?}: {}", ran.status, ran.out);
    assert!(ran.err.contains(why), "{}", ran.err);
}

#[test]
fn cleaning_up_what_a_daemon_elsewhere_serves_leaves_nothing_behind() {
    let mut world = World::new(&Setup::new(1));
    world.start(&[]);
    world.until("it lists", || world.emulator.calls().rest() > 0);
    let (served, why) = (world.deployment.clone(), "is served by another forgescale on this host");
    let elsewhere = Elsewhere::of(&world, &[]);
    check_refused(&elsewhere.gc(&[]), why);
    check_refused(&elsewhere.gc(&["--dry-run"]), why);
    elsewhere.check_nothing_is_there();

    let other = format!("deployment = \"{served}-new\"");
    let elsewhere = Elsewhere::of(&world, &[(&format!("deployment = \"{served}\""), &other)]);
    check_refused(&elsewhere.gc(&["--deployment", &served]), why);
    elsewhere.check_nothing_is_there();

    // Where the daemon's own directories are, nothing of it goes.
    let before = names(&world.state());
    world.rewrite(&format!("deployment = \"{served}\""), &other);
    let ran = run(forgescale(["gc", "--deployment", &served, "--config"]).arg(world.config()));
    check_refused(&ran, why);
    let new =
        |name: &String| !before.contains(name) && !name.starts_with('.') && !name.starts_with("forgescale.sqlite");
    let left: Vec<String> =
        names(&world.state()).into_iter().filter(new).filter(|name| name != "report.json").collect();
    assert_eq!(left, Vec::<String>::new());
    world.check_nothing_left();
}

#[test]
fn cleaning_up_where_nothing_is_leaves_nothing_behind() {
    let world = World::new(&Setup::new(1));
    let elsewhere = Elsewhere::of(&world, &[]);
    for arguments in [&[][..], &["--dry-run"], &["--deployment", "another"], &["--deployment", "another", "--force"]] {
        let ran = elsewhere.gc(arguments);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        assert!(ran.out.ends_with("there is nothing to clean up\n"), "{}", ran.out);
        elsewhere.check_nothing_is_there();
    }
}

#[test]
fn a_backend_that_cannot_be_used_takes_the_folders_of_the_others_along() {
    let world = World::new(&Setup::new(1));
    let deployment = format!("deployment = \"{}\"", world.deployment);
    let docker = "[limits]\n[backend.later]\nkind = \"docker\"\nimage = \"debian\"\nrunner = \"/bin/true\"\n[limits]\n";
    let docker = docker.strip_prefix("[limits]\n").expect("that line");
    let changes = [(deployment.as_str(), &format!("deployment = \"{LONG}\"")[..]), ("[limits]\n", docker)];
    let elsewhere = Elsewhere::of(&world, &changes);
    check_refused(&elsewhere.gc(&[]), "cannot use the backend later");
    let mut daemon = forgescale(["run", "--config"]);
    check_refused(&run(daemon.arg(&elsewhere.config)), "cannot use the backend later");
    elsewhere.check_nothing_is_there();
}

#[test]
fn a_state_directory_that_was_there_stays_what_it_was() {
    let world = World::new(&Setup::new(1));
    let elsewhere = Elsewhere::of(&world, &[]);
    fs::create_dir_all(&elsewhere.state).expect("a folder");
    fs::write(elsewhere.state.join("note"), "of the operator").expect("a file");
    let ran = elsewhere.gc(&["--deployment", "another"]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert_eq!(names(&elsewhere.state), ["note"]);
    let ran = elsewhere.gc(&[]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(elsewhere.state.join("note").exists());
}

#[test]
fn a_reload_that_is_refused_makes_no_folder_for_a_backend() {
    let mut world = World::new(&Setup::new(2));
    let job = world.push("running", &world.held("running"));
    world.start(&[]);
    world.until_is(&job, Status::Running);
    world.until_explained(&job, &["why:        runs on fs-"]);
    let text = fs::read_to_string(world.config()).expect("a configuration");
    let host = text.split("[backend.here]").nth(1).and_then(|rest| rest.split("[limits]").next()).expect("a backend");
    let with_new = text.replace("[limits]", &format!("[backend.new]{host}[limits]"));
    let folder = world.state().join("machines/new");

    for (refused, why) in [
        (with_new.replace("[\"org:acme\"]", "[\"user\"]"), "cannot be removed yet"),
        (with_new.replace("[\"org:acme\"]", "[\"org:acme\", \"org:other\"]"), "its token cannot be used there"),
        (with_new.replace("max = 2", "max = -2"), "pool[0].max"),
    ] {
        write(&world.config(), &refused, 0o600);
        check_refused(&ask(&world, "reload"), why);
        assert!(!folder.exists(), "{why}: {:?}", names(&world.state().join("machines")));
    }
    write(&world.config(), &with_new, 0o600);
    let ran = ask(&world, "reload");
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(is_folder(&folder), "one that is used has its folder");
    write(&world.config(), &text, 0o600);
    check_quiet(&ask(&world, "reload"));
    world.let_go("running");
    world.until_is(&job, Status::Success);
    world.check_success(&[job]);
    world.check_nothing_left();
}

fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_dir())
}

#[test]
fn asking_where_no_daemon_is_makes_nothing() {
    let world = World::new(&Setup::new(1));
    let elsewhere = Elsewhere::of(&world, &[]);
    for command in ["reload", "confirm"] {
        let ran = run(forgescale([command, "--config"]).arg(&elsewhere.config));
        check_refused(&ran, "error: ");
        elsewhere.check_nothing_is_there();
    }
}
