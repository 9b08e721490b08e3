//! What a job leaves in places that all users share. Needs root, as every test with users of its own.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use backend_host::RunAs;
use planner::seen::Exit;

use crate::host::{Host, WAIT_FOR_GO, until};
use crate::isolation::{host, users};
use crate::root::as_root;

/// The same host, whose jobs know a name that nothing else in shared places begins with.
fn naming_what_is_left(host: Host) -> (Host, String) {
    let left = host.settings.deployment.as_str().to_owned();
    let pair = ("LEFT".to_owned(), left.clone());
    (host.changed(|settings| settings.environment.push(pair)), left)
}

#[tokio::test]
async fn what_a_user_left_in_shared_places_goes_with_its_machine() {
    if !as_root() {
        return;
    }
    let [user, _] = users(90);
    // Two directories, of which a link leads out of one; and each kind of entry at the top of a place.
    let script = "for place in /tmp /var/tmp /dev/shm; do\n\
        mkdir -p \"$place/$LEFT/a/b\" && touch \"$place/$LEFT/a/b/c\" \"$place/$LEFT.file\" && chmod 000 \"$place/$LEFT/a\"\n\
        ln -s \"$PRECIOUS\" \"$place/$LEFT.link\" && ln -s \"$PRECIOUS\" \"$place/$LEFT/link\"\n\
        done; cat < /dev/null > \"$PRECIOUS/writable\"; touch \"$PRECIOUS/theirs\"\nexit 0";
    let host = host(script, RunAs::OnePerMachine(vec![user]));
    let (host, left) = naming_what_is_left(host);
    let precious = host.scratch().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::set_permissions(&precious, fs::Permissions::from_mode(0o777)).unwrap();
    let pair = ("PRECIOUS".to_owned(), precious.to_str().unwrap().to_owned());
    let host = host.changed(|settings| settings.environment.push(pair));
    let others = tempfile::Builder::new().prefix(&format!("{left}.of-another")).tempfile().unwrap();
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    let found = || {
        let names = ["/tmp", "/var/tmp", "/dev/shm"].map(|place| fs::read_dir(place).unwrap().flatten());
        let names = names.into_iter().flatten().map(|entry| entry.path());
        names.filter(|path| path.to_str().is_some_and(|path| path.contains(&left))).collect::<Vec<_>>()
    };
    assert_eq!(found().len(), 10, "{:?}", found());
    until("it is gone", async || host.destroy("fs-1").await == backend::Destroyed::Gone).await;
    assert_eq!(found(), [others.path()]);
    assert!(precious.join("theirs").exists(), "no link is followed");
    host.finish().await;
}

#[tokio::test]
async fn what_others_put_into_a_users_folder_stays_and_the_folder_is_no_longer_its_own() {
    if !as_root() {
        return;
    }
    let [user, other] = users(100);
    let script = format!(
        "umask 0; mkdir -p \"/tmp/$LEFT/open/own\"; touch \"/tmp/$LEFT/open/own/file\" \"/tmp/$LEFT/file\"\n\
         touch \"$UP\"\n{WAIT_FOR_GO}exit 0"
    );
    let (host, left) = naming_what_is_left(host(&script, RunAs::OnePerMachine(vec![user.clone()])));
    let top = Path::new("/tmp").join(&left);
    let open = top.join("open");
    host.run("fs-1").await;
    host.up().await;
    fs::create_dir(open.join("theirs")).unwrap();
    let theirs = ["socket", "theirs", "theirs/file"].map(|name| open.join(name));
    for path in &theirs {
        if !path.exists() {
            fs::write(path, "").unwrap();
        }
        chown(path, Some(other.uid), Some(other.gid)).unwrap();
    }
    host.go();
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    until("it is gone", async || host.destroy("fs-1").await == backend::Destroyed::Gone).await;
    assert!(theirs.iter().all(|path| path.exists()), "others keep what is theirs");
    assert!(!open.join("own").exists() && !top.join("file").exists());
    assert_eq!([&top, &open].map(|path| fs::metadata(path).unwrap().uid()), [0, 0], "the next job does not own it");
    fs::remove_dir_all(&top).unwrap();
    host.finish().await;
}

#[tokio::test]
async fn what_no_machine_took_along_goes_before_the_next_job() {
    if !as_root() {
        return;
    }
    let [user, _] = users(110);
    let host = host("exit 0", RunAs::OnePerMachine(vec![user.clone()]));
    let left = tempfile::Builder::new().prefix("forgescale-left").tempfile_in("/tmp").unwrap();
    chown(left.path(), Some(user.uid), Some(user.gid)).unwrap();
    host.create("fs-1").await.unwrap();
    assert!(!left.path().exists());
    host.finish().await;
}
