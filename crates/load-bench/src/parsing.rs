//! Peak memory of a process that lists very many jobs: a child with the client of the forge and nothing else.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use forgejo::{Client, ClientSettings, Limits, Scope};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::figure::{Figure, milliseconds};
use crate::process::{Memory, mebibytes};

/// A queue that no forge should have.
const JOBS: usize = 100_000;

/// A list that no client should believe, in bytes.
const FLOOD: usize = 80_000_000;

/// The goal, in KiB.
const GOAL: u64 = 64 << 10;

/// Memory and time for both lists.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let long = list(JOBS);
    let bytes = long.len();
    for (what, body) in [
        (format!("listing {JOBS} jobs ({} MB)", bytes / 1_000_000), long),
        (format!("listing {} MB of jobs", FLOOD / 1_000_000), list(FLOOD * JOBS / bytes)),
    ] {
        let (listed, took) = serve_once(body).await?;
        let measured = format!("{} ({}, {})", mebibytes(listed.peak), milliseconds(took), listed.told);
        figures.push(Figure::with_goal(
            format!("{what}: peak resident memory"),
            measured,
            format!("≤ {}", mebibytes(GOAL)),
            listed.peak <= GOAL,
        ));
    }
    Ok(figures)
}

/// What the child says: its peak in KiB, and what came of the list.
struct Listed {
    peak: u64,
    told: String,
}

/// A job list as version 16 writes it (protocol 1.3).
fn list(jobs: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(jobs * 220);
    text.push(b'[');
    for number in 0..jobs {
        if number > 0 {
            text.push(b',');
        }
        let repository = number % 100;
        let identity = format!(r#""id":{number},"run_id":{number},"attempt":1,"repo_id":{repository},"owner_id":3"#);
        let handle = format!("33ba7d51-59c6-44f8-9d2b-{number:012}");
        let rest = r#""needs":null,"runs_on":["debian"],"task_id":0,"status":"waiting""#;
        let row = format!(r#"{{{identity},"handle":"{handle}","name":"build ({number})",{rest}}}"#);
        text.extend_from_slice(row.as_bytes());
    }
    text.extend_from_slice(b"]\n");
    text
}

/// Serves one request of a child with this body.
async fn serve_once(body: Vec<u8>) -> anyhow::Result<(Listed, Duration)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut request = [0; 4096];
        // One read is enough to let the client have its answer: nothing depends on what it asked for.
        let _ = stream.read(&mut request).await?;
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        // A client that has read enough hangs up.
        let _ = stream.write_all(&body).await;
        std::io::Result::Ok(())
    });
    let begun = Instant::now();
    let child = Command::new(std::env::current_exe()?)
        .args(["list-once", &url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .output()
        .await?;
    let took = begun.elapsed();
    serving.abort();
    if !child.status.success() {
        bail!("the child that lists has failed: {}", child.status);
    }
    let text = String::from_utf8(child.stdout)?;
    let (peak, told) = text.trim_end().split_once(' ').context("the child said nothing")?;
    Ok((Listed { peak: peak.parse()?, told: told.to_owned() }, took))
}

/// The child: lists once and says at which peak.
pub(crate) async fn list_once(url: &str) -> anyhow::Result<()> {
    use std::io::Write as _;

    let settings = ClientSettings {
        url: url.to_owned(),
        token: "0123456789abcdef0123456789abcdef01234567".to_owned().into(),
        ca_pem: None,
        user_agent: "forgescale-bench".to_owned(),
        call_deadline: Duration::from_mins(1),
        limits: Limits::default(),
    };
    let listing = Client::new(&settings)?.list_jobs(&Scope::Instance).await?;
    let peak = Memory::of("self")?.peak;
    let told = listing.problem.map_or_else(|| "complete".to_owned(), |problem| format!("incomplete: {problem}"));
    writeln!(std::io::stdout(), "{peak} {} rows, {told}", listing.rows.len())?;
    Ok(())
}
