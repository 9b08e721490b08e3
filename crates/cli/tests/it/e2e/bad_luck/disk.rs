//! A state directory that is full, or of no use at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use forge_model::Status;

use super::{check_served, until_polled, with_bystander};
use crate::e2e::config::Setup;
use crate::e2e::world::World;
use crate::skipped::skip;
use crate::{forgescale, run};

/// A small file system in memory; only root can mount one. Dropping it unmounts it.
struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    fn mount(place: &Path) -> Option<Self> {
        fs::create_dir_all(place).expect("a folder");
        let mut mount = Command::new("mount");
        mounted(mount.args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "forgescale-test"]).arg(place))?;
        Some(Self { place: place.to_owned() })
    }

    fn fill(&self) {
        let filling = fs::write(self.filling(), vec![0; 4 << 20]);
        assert!(filling.is_err(), "the disk is larger than that");
    }

    fn make_room(&self) {
        fs::remove_file(self.filling()).expect("what fills it");
    }

    fn filling(&self) -> PathBuf {
        self.place.join("filling")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open there is ended by the world.
        let _ = Command::new("umount").arg("-l").arg(&self.place).output();
    }
}

#[test]
fn a_full_disk_ends_nothing_and_launching_resumes() {
    let mut disk = None;
    let mut setup = Setup::new(3);
    setup.limits.push(("park", "1s"));
    let (world, bystander) = with_bystander(&setup, |world| disk = SmallDisk::mount(&world.state()));
    let Some(disk) = disk else {
        skip("no file system can be mounted here");
        return bystander.finish(world);
    };
    disk.fill();
    let waiting = world.push("waiting", "echo served");
    world.until("the daemon says so", || world.logged("No space left on device"));
    until_polled(&world, 5);
    bystander.check_untouched(&world);
    disk.make_room();
    check_served(&world, &[waiting]);
    world.until_explained(&bystander.job, &["why:        runs on fs-"]);
    world.let_go("bystander");
    check_served(&world, &[bystander.job]);
}

/// A folder that is laid over itself, closed to writing; only root can do that. Dropping it opens it again.
struct Closed {
    place: PathBuf,
}

impl Closed {
    fn over(place: &Path) -> Option<Self> {
        mounted(Command::new("mount").arg("--bind").args([place, place]))?;
        let closed = Self { place: place.to_owned() };
        mounted(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(place)).map(|()| closed)
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).output();
    }
}

fn mounted(command: &mut Command) -> Option<()> {
    command.output().is_ok_and(|output| output.status.success()).then_some(())
}

#[test]
fn a_state_directory_that_becomes_unwritable_ends_nothing_and_launching_resumes() {
    let mut setup = Setup::new(3);
    setup.limits.push(("park", "1s"));
    let (world, bystander) = with_bystander(&setup, |_| {});
    let Some(closed) = Closed::over(&world.state()) else {
        skip("nothing can be mounted over it here");
        return bystander.finish(world);
    };
    let waiting = world.push("waiting", "echo served");
    world.until("the daemon says so", || world.logged("Read-only file system"));
    until_polled(&world, 5);
    bystander.check_untouched(&world);
    assert!(world.is(&waiting, Status::Waiting) && world.registrations(&waiting).is_empty());
    assert!(world.logged("the report could not be written"));
    drop(closed);
    check_served(&world, &[waiting]);
    world.until_explained(&bystander.job, &["why:        runs on fs-"]);
    world.let_go("bystander");
    check_served(&world, &[bystander.job]);
}

#[test]
fn a_state_directory_that_cannot_be_used_is_refused_before_anything_is_called() {
    let world = World::new(&Setup::new(1));
    world.push("waiting", "echo never");
    fs::write(world.state(), "in the way").expect("a file");
    let ran = run(forgescale(["run", "--config"]).arg(world.config()));
    assert_eq!(ran.status, Some(1));
    let words = format!("cannot use the state directory {}", world.state().display());
    assert!(ran.err.contains(&words), "{}", ran.err);
    assert!(ran.err.contains("hint: state_directory must be a directory"), "{}", ran.err);
    assert_eq!(world.emulator.calls().total(), 0);
}
