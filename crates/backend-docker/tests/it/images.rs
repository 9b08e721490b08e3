//! Images: what cannot be had, and what they bring along.

use std::collections::BTreeSet;

use backend::{Backend as _, BackendError, chain};
use backend_docker::{Network, Pull};
use planner::error_class::{Acted, Concerns, ErrorClass};
use planner::seen::Exit;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::engine::{IMAGE, engine, root, static_busybox};
use crate::machine::{Ground, request};

/// An image that declares a volume.
const WITH_VOLUME: &str = "forgescale-test-volume:latest";

/// A registry on the loopback, which the engine asks without TLS, that has nothing. Its address.
async fn registry(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 4096];
                if caller.read(&mut asked).await.is_ok_and(|count| count > 0) {
                    let text = String::from_utf8_lossy(&asked);
                    let answer = if text.starts_with("GET /v2/ ") {
                        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
                    } else {
                        answer
                    };
                    let _ = caller.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    address
}

async fn wanted(ground: &Ground, name: &str, image: &str) -> BackendError {
    let mut request = request(ground.name(name));
    request.image = Some(image.to_owned());
    ground.backend.create(request).await.unwrap_err()
}

#[tokio::test]
async fn an_image_that_a_registry_does_not_give_stands_in_no_other_ones_way() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null", |settings| settings.pull = Pull::Missing);
    let answers = [
        "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 67\r\n\r\n\
         {\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}",
        "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 74\r\n\r\n\
         {\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access to it is denied!\"}]}",
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let image = format!("{}/nothing:1", registry(answer).await);
        let refused = wanted(&ground, &format!("fs-{number}"), &image).await;
        let said = chain(&refused);
        assert!(said.contains(&image), "{said}");
        assert_eq!((refused.class, refused.acted), (ErrorClass::Permanent, Acted::No), "{said}");
        assert_eq!(refused.concerns, Concerns::Environment, "{said}");
    }
    ground.run("fs-other").await;
    assert_eq!(ground.ended("fs-other").await, Exit::Code(0));
    ground.finish().await;
}

#[tokio::test]
async fn what_can_be_no_images_name_is_said_to_be_none() {
    let Some(engine) = engine().await else { return };
    for pull in [Pull::Never, Pull::Missing] {
        let ground = Ground::new(engine.again(), "", |settings| settings.pull = pull);
        let refused = wanted(&ground, "fs-1", "Not//an:image:name").await;
        assert_eq!(
            (refused.class, refused.concerns),
            (ErrorClass::Permanent, Concerns::Environment),
            "{}",
            chain(&refused)
        );
        ground.finish().await;
    }
}

#[tokio::test]
async fn volumes_that_an_image_declares_go_with_the_machine() {
    let Some(engine) = engine().await else { return };
    let root = root(&static_busybox().unwrap(), &[]);
    engine.import(WITH_VOLUME, root, &["VOLUME /data"]).await;
    let ground = Ground::new(engine, "cat > /dev/null; echo x > /data/file", |settings| {
        settings.image = Some(WITH_VOLUME.to_owned());
    });
    for (name, is_started) in [("fs-1", true), ("fs-2", false)] {
        ground.create(name).await.unwrap();
        if is_started {
            ground.start(name).await.unwrap();
            assert_eq!(ground.ended(name).await, Exit::Code(0));
        }
        let mounts = ground.engine.inspected(ground.deployment()).await.remove(0).mounts.unwrap();
        let declared = mounts.into_iter().find(|mount| mount.destination.as_deref() == Some("/data"));
        let volume = declared.unwrap().name.unwrap();
        assert!(ground.engine.client.inspect_volume(&volume).await.is_ok(), "{volume} is not there");
        ground.destroy(name).await;
        assert!(ground.engine.client.inspect_volume(&volume).await.is_err(), "{volume} is left");
    }
    ground.finish().await;
}

#[tokio::test]
async fn whoever_looks_first_is_told_what_an_engine_has_and_lacks() {
    let Some(engine) = engine().await else { return };
    let named = Network::Named("forgescale-test-no-such-network".to_owned());
    let ground = Ground::new(engine, "", |settings| settings.network = named);
    let missing = "forgescale-test-nothing:1";
    let facts = ground.backend.look(&BTreeSet::from([IMAGE, missing, "not//one"])).await.unwrap();
    assert_eq!(facts.architecture, std::env::consts::ARCH);
    assert_eq!(facts.missing_images, BTreeSet::from([missing.to_owned()]));
    assert!(facts.runtimes.contains("runc"), "{facts:?}");
    assert!(facts.lacks_network);
    ground.finish().await;
}
