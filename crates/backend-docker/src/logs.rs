//! The last lines of a runner's output.

use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt as _;
use planner::ids::MachineName;

use crate::backend::Docker;
use crate::error::DockerError;
use crate::machines;

/// How many lines are given: what fits a screen.
const LINES: usize = 50;

/// How much of a line is given.
const LINE_CHARACTERS: usize = 1000;

/// How many pieces are read: the engine parts lines of more than 16 KiB.
const PIECES: usize = 4 * LINES;

/// How long the engine may take for them.
const DEADLINE: Duration = Duration::from_secs(10);

/// The last lines, oldest first.
pub(crate) async fn last_lines(docker: &Docker, name: &MachineName) -> Result<Vec<String>, DockerError> {
    let found = machines::of(&docker.engine, &docker.whose, name).await?;
    let machine = found.into_iter().next().ok_or(DockerError::NoMachine)?;
    of_container(docker, &machine.id).await
}

/// The last lines of a container, oldest first.
pub(crate) async fn of_container(docker: &Docker, id: &str) -> Result<Vec<String>, DockerError> {
    let client = docker.engine.client().await?;
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&LINES.to_string()).build();
    let pieces = client.logs(id, Some(options)).take(PIECES).collect::<Vec<_>>();
    let late = |_| DockerError::Late { call: "give the log", seconds: DEADLINE.as_secs() };
    let pieces = tokio::time::timeout(DEADLINE, pieces).await.map_err(late)?;
    let mut text = Vec::new();
    for piece in pieces {
        let piece = piece.map_err(|source| DockerError::Engine { call: "give the log", source: Box::new(source) })?;
        text.extend_from_slice(&piece.into_bytes());
    }
    Ok(lines(&text))
}

fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(LINES);
    lines[last..].iter().map(|line| line.chars().take(LINE_CHARACTERS).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_few_and_short() {
        let text = "x".repeat(5000) + "\n" + &"line\n".repeat(LINES - 1);
        let given = lines(text.as_bytes());
        assert_eq!((given.len(), given[0].len(), given[1].as_str()), (LINES, LINE_CHARACTERS, "line"));
        assert_eq!(lines(("first\n".to_owned() + &text).as_bytes()).len(), LINES);
        assert_eq!(lines(b"no\xfftext"), ["no\u{fffd}text"]);
    }
}
