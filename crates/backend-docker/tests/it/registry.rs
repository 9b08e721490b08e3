//! A registry on the loopback, which engines ask without TLS, with one image of one layer. Behind a password if wanted, and
//! with a gate before the layer.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// What manifests are, in the words of registries.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// How much of a layer goes through the gate at once.
const PIECE: usize = 100_000;

pub(crate) struct Registry {
    address: String,
    content: Arc<Content>,
}

struct Content {
    image: Mutex<Arc<Image>>,
    /// The header that callers must send.
    authorization: Option<String>,
    /// Pieces of the layer that may go.
    gate: Semaphore,
    asked: Mutex<Vec<String>>,
}

struct Image {
    config: Vec<u8>,
    layer: Vec<u8>,
    manifest: Vec<u8>,
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

impl Registry {
    /// One with this root of an image, whose gate is open.
    pub(crate) async fn open(root: Vec<u8>, user: Option<(&str, &str)>) -> Self {
        let registry = Self::closed(root, user).await;
        registry.let_through(1_000_000);
        registry
    }

    /// The same with the gate closed.
    pub(crate) async fn closed(root: Vec<u8>, user: Option<(&str, &str)>) -> Self {
        let content = Content {
            image: Mutex::new(Arc::new(Image::of(root))),
            authorization: user
                .map(|(user, password)| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))),
            gate: Semaphore::new(0),
            asked: Mutex::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let content = Arc::new(content);
        let served = Arc::clone(&content);
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let served = Arc::clone(&served);
                // A caller that hangs up is its own affair.
                tokio::spawn(async move { drop(served.answer(caller).await) });
            }
        });
        Self { address, content }
    }

    /// Where engines find it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The name of its image.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}/{name}:1", self.address)
    }

    /// Has another image under the same name from now on.
    pub(crate) fn replace(&self, root: Vec<u8>) {
        *self.content.image.lock().unwrap() = Arc::new(Image::of(root));
    }

    /// Lets so many pieces of the layer go.
    pub(crate) fn let_through(&self, pieces: usize) {
        self.content.gate.add_permits(pieces);
    }

    /// In how many pieces the layer goes.
    pub(crate) fn pieces(&self) -> usize {
        self.content.image.lock().unwrap().layer.len().div_ceil(PIECE)
    }

    /// How often the layer was asked for.
    pub(crate) fn pulls(&self) -> usize {
        let layer = digest(&self.content.image.lock().unwrap().layer);
        self.content.asked.lock().unwrap().iter().filter(|path| path.ends_with(&layer)).count()
    }
}

impl Image {
    fn of(root: Vec<u8>) -> Self {
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {}, "history": [],
            "rootfs": { "type": "layers", "diff_ids": [digest(&root)] },
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": config.len(), "digest": digest(&config),
            },
            // Engines look for themselves whether it is packed.
            "layers": [{
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": root.len(), "digest": digest(&root),
            }],
        });
        Self { config, layer: root, manifest: manifest.to_string().into_bytes() }
    }
}

impl Content {
    async fn answer(&self, mut caller: TcpStream) -> std::io::Result<()> {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(caller.read_u8().await?);
        }
        let asked = String::from_utf8_lossy(&asked).into_owned();
        let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
        let is_let_in = self.authorization.as_ref().is_none_or(|wanted| {
            asked.lines().any(|line| {
                line.split_once(": ")
                    .is_some_and(|(name, value)| name.eq_ignore_ascii_case("authorization") && value == wanted)
            })
        });
        let image = Arc::clone(&self.image.lock().unwrap());
        let (status, kind, body): (_, _, &[u8]) = if !is_let_in {
            ("401 Unauthorized", "application/json", b"{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"no\"}]}")
        } else if path == "/v2/" {
            ("200 OK", "application/json", b"{}")
        } else if path.contains("/manifests/") {
            ("200 OK", MANIFEST, &image.manifest)
        } else if path.ends_with(&digest(&image.config)) {
            ("200 OK", "application/octet-stream", &image.config)
        } else if path.ends_with(&digest(&image.layer)) {
            ("200 OK", "application/octet-stream", &image.layer)
        } else {
            ("404 Not Found", "application/json", b"{}")
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ndocker-distribution-api-version: registry/2.0\r\n\
             www-authenticate: Basic realm=\"test\"\r\ndocker-content-digest: {}\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n",
            digest(body),
            body.len()
        );
        self.asked.lock().unwrap().push(path);
        caller.write_all(head.as_bytes()).await?;
        if asked.starts_with("HEAD ") {
            return Ok(());
        }
        if body != image.layer {
            return caller.write_all(body).await;
        }
        for piece in body.chunks(PIECE) {
            self.gate.acquire().await.map_err(std::io::Error::other)?.forget();
            caller.write_all(piece).await?;
        }
        Ok(())
    }
}
