//! The daemon as a service: what it tells the service manager, and a token that comes as a credential.

use std::cell::RefCell;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use forge_model::Status;
use rustix::process::Signal;

use super::config::Setup;
use super::processes;
use super::world::World;
use crate::{Ran, forgescale, run};

/// A service manager that hears what the daemon says.
struct Listener {
    socket: UnixDatagram,
    heard: RefCell<Vec<String>>,
}

impl Listener {
    fn new(world: &World) -> Self {
        let socket = UnixDatagram::bind(world.place.path().join("notify")).expect("a socket");
        socket.set_nonblocking(true).expect("a socket that does not wait");
        Self { socket, heard: RefCell::default() }
    }

    /// How often it was told something that begins so.
    fn count(&self, start: &str) -> usize {
        let mut bytes = [0; 1024];
        while let Ok(count) = self.socket.recv(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            self.heard.borrow_mut().extend(text.lines().map(str::to_owned));
        }
        self.heard.borrow().iter().filter(|line| line.starts_with(start)).count()
    }
}

/// A child that ends with the test.
struct Service(Child);

impl Service {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a daemon"))
    }

    fn signal(&self, signal: Signal) {
        processes::signal(i32::try_from(self.0.id()).expect("a process id"), signal);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `forgescale run` as a service whose manager wants a sign of life within 0.3 s.
fn service(world: &World) -> Command {
    let mut command = forgescale(["run", "--config"]);
    command.arg(world.config()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("NOTIFY_SOCKET", world.place.path().join("notify")).env("WATCHDOG_USEC", "300000");
    command
}

#[test]
fn a_service_manager_hears_ready_signs_of_life_and_what_goes_on() {
    let world = World::new(&Setup::new(2));
    let listener = Listener::new(&world);
    let job = world.push("a job", &world.held("it"));
    let service = Service::start(&mut service(&world));
    world.until("it is ready", || listener.count("READY=1") == 1);
    world.until("it shows life", || listener.count("WATCHDOG=1") > 2);
    world.until_is(&job, Status::Running);
    world.until("it tells of the job", || listener.count("STATUS=1 job running, 0 waiting, 1 machine") > 0);
    world.let_go("it");
    world.until_is(&job, Status::Success);
    service.signal(Signal::TERM);
    world.until("it says that it stops", || listener.count("STOPPING=1") == 1);
    assert_eq!(listener.count("READY=1"), 1);
}

#[test]
fn a_forge_that_is_away_does_not_hold_up_the_start() {
    let world = World::new(&Setup::new(1));
    let listener = Listener::new(&world);
    let text = fs::read_to_string(world.config()).unwrap();
    let address = world.emulator.url();
    assert!(text.contains(&address), "{text}");
    // Nobody listens on the port for discarding.
    fs::write(world.config(), text.replace(&address, "http://127.0.0.1:9")).unwrap();
    let _service = Service::start(&mut service(&world));
    world.until("it is ready", || listener.count("READY=1") == 1);
    world.until("it shows life", || listener.count("WATCHDOG=1") > 2);
}

#[test]
fn the_token_may_be_a_credential_of_the_unit() {
    let world = World::new(&Setup::new(1));
    let listener = Listener::new(&world);
    let text = fs::read_to_string(world.config()).unwrap();
    let line = text.lines().find(|line| line.starts_with("token_file")).expect("a token file");
    fs::write(world.config(), text.replace(line, "token_file = \"${CREDENTIALS_DIRECTORY}/forge\"")).unwrap();
    let credentials = world.place.path().join("service-credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("forge"), &world.token).unwrap();
    let job = world.push("a job", "echo done");
    let _service = Service::start(service(&world).env("CREDENTIALS_DIRECTORY", &credentials));
    world.until_is(&job, Status::Success);
    assert_eq!(listener.count("READY=1"), 1);
}

/// The units that we hand out, each with where its service manager puts state directories.
const UNITS: [(&str, &str); 2] = [
    (include_str!("../../../../../packaging/systemd/forgescale.service"), "/var/lib"),
    (include_str!("../../../../../docs/guides/podman.md"), "%S"),
];

/// Does what `systemctl reload` does with such a unit: runs its command, with the daemon's real directory in the place of
/// the one that the unit gives it.
#[track_caller]
fn reload(unit: &str, directories: &str, world: &World) -> Ran {
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).expect(key);
    let command = value("ExecReload").strip_prefix("/usr/local/bin/forgescale ").expect("our program");
    let directory = format!("{directories}/{}", value("StateDirectory"));
    assert!(
        command.split(' ').any(|word| word == directory),
        "{command}: not the directory of the daemon, {directory}"
    );
    let state = world.state().display().to_string();
    run(&mut forgescale(command.split(' ').map(|word| if word == directory { state.as_str() } else { word })))
}

#[test]
fn what_the_units_run_for_a_reload_reloads_and_says_what_came_of_it() {
    for (unit, directories) in UNITS {
        let mut world = World::new(&Setup::new(1));
        let nobody = reload(unit, directories, &world);
        assert_eq!((nobody.status, nobody.out.as_str()), (Some(1), ""), "{}", nobody.err);

        let job = world.push("running", &world.held("running"));
        world.start(&[]);
        world.until_is(&job, Status::Running);
        world.rewrite("max = 1", "max = 2");
        let ran = reload(unit, directories, &world);
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        assert!(ran.out.contains("pool debian: max: 1 -> 2"), "{}", ran.out);
        let next = world.push("next", "echo served");
        world.until_is(&next, Status::Success);

        // The service manager calls it failed, and shows why; the daemon goes on.
        world.rewrite("max = 2", "max = -2");
        let refused = reload(unit, directories, &world);
        assert_eq!((refused.status, refused.out.as_str()), (Some(2), ""), "{}", refused.err);
        assert!(refused.err.contains("pool[0].max: "), "{}", refused.err);
        assert!(world.is(&job, Status::Running));
        world.rewrite("max = -2", "max = 2");
        world.let_go("running");
        world.until_is(&job, Status::Success);
        world.check_success(&[job, next]);
        world.check_nothing_left();
    }
}
