//! Programs that are asked for something: what they say is read within limits.

use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::promises;
use crate::user::User;

/// The program with an empty environment and its output piped; as that user, if it is another one. It is killed when what
/// is spawned of it is dropped.
pub(crate) fn command(program: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    if let Some(user) = user.filter(|user| !user.is_ours()) {
        promises::becomes(&mut command, user);
    }
    command
}

/// What it says on standard output and standard error, up to as many bytes of each.
pub(crate) async fn said(child: &mut Child, limit: u64) -> io::Result<(String, String)> {
    // Both at once, so that neither pipe can fill up.
    tokio::try_join!(bounded(child.stdout.take(), limit), bounded(child.stderr.take(), limit))
}

async fn bounded(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
