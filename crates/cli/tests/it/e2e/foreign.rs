//! Things of another deployment, whose name begins with ours, are not touched (invariant 7).

use std::fs;
use std::process::{Child, Command, Stdio};

use forge_model::{Area, RegistrationEnd, Status};
use planner::identity::{RunnerIdentity, machine_name};
use planner::ids::{DeploymentId, ForgeId, Handle, JobKey, Ordinal, PoolId, Try};

use super::config::Setup;
use super::leftovers::{Others, names};
use super::world::{Pushed, World};

#[test]
fn what_another_deployment_has_made_stays() {
    let mut world = World::new(&Setup::new(2));
    let other = DeploymentId::new(format!("{}-b", world.deployment));
    let job = world.push("job", &world.held("job"));
    let runner = register(&world, &other, &job);
    world.start(&[]);
    world.until_is(&job, Status::Running);
    let machine = copy_machine(&world, &other);
    let mut process = Sleeper::start(&other, &machine);

    // Both a daemon that runs and one that starts see them.
    let ended = world.push("ended", "echo ended");
    world.until_is(&ended, Status::Success);
    world.kill();
    world.start(&[]);
    world.let_go("job");
    world.until_is(&job, Status::Success);
    world.check_success(&[job, ended]);
    world.check_left_alone(&Others { runners: vec![runner.clone()], machines: vec![machine.clone()] });

    let end = world
        .emulator
        .with_forge(|forge, _| forge.books().registrations().iter().find(|row| row.name == runner).map(|row| row.end));
    assert_eq!(end, Some(RegistrationEnd::StillThere));
    assert_eq!(names(&world.machines().join(&machine)), ["machine.json"]);
    assert!(process.0.try_wait().expect("a status").is_none(), "the other's process was ended");
}

/// A registration that the other deployment made for the very same job.
pub(super) fn register(world: &World, other: &DeploymentId, job: &Pushed) -> String {
    let handle = Handle::new(job.handle.as_str());
    let key = JobKey { forge: ForgeId::new(world.emulator.url()), handle: handle.clone() };
    let identity = RunnerIdentity { pool: PoolId::new("debian"), handle, attempt: Try(1), ordinal: Ordinal(1) };
    let name = identity.runner_name(&machine_name(other, &key, Try(1)));
    let area = Area::Owner(world.organization);
    let description = identity.description(other);
    world
        .emulator
        .with_forge(|forge, now| forge.register_runner(now, area, &name, &description, true))
        .expect("a registration");
    name
}

/// A machine of the other deployment in our own folder: like ours, but for whose it is.
fn copy_machine(world: &World, other: &DeploymentId) -> String {
    let ours = names(&world.machines()).into_iter().find(|name| name.starts_with("fs-")).expect("a machine");
    let record = fs::read_to_string(world.machines().join(&ours).join("machine.json")).expect("a record");
    let name = "fs-0123456789abcdef".to_owned();
    let changed = record
        .replace(&format!("\"{}\"", world.deployment), &format!("\"{other}\""))
        .replace(&format!("\"{ours}\""), &format!("\"{name}\""));
    assert_ne!(changed, record);
    let folder = world.machines().join(&name);
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("machine.json"), changed).expect("a record");
    name
}

/// A process of the other's machine. Dropping it ends it.
struct Sleeper(Child);

impl Sleeper {
    fn start(other: &DeploymentId, machine: &str) -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").env(backend_host::MARKER, format!("{other}/{machine}")).stdin(Stdio::null());
        Self(command.spawn().expect("a process"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
