//! The runner's output, bounded: two files, of which the older one is dropped when the newer one is full.

use std::fs::{self, File};
use std::io::{self, ErrorKind, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::OFlags;

use crate::folder::{self, Folder};

/// How much is taken from the pipe in one turn, so that a runner that never stops printing does not keep the supervisor
/// from its signals.
const TURN_BYTES: usize = 1 << 20;

/// Takes what the runner prints and keeps the end of it. A full disk costs lines, never holds the runner up.
pub(super) struct Output {
    pipe: Option<PipeReader>,
    log: Log,
    buffer: Vec<u8>,
}

impl Output {
    pub(super) fn new(pipe: PipeReader, folder: &Folder, limit: u64) -> io::Result<Self> {
        rustix::fs::fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
        Ok(Self { pipe: Some(pipe), log: Log::new(folder.clone(), limit), buffer: vec![0; 64 << 10] })
    }

    /// What to poll, until every process that could print has closed it.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|pipe| pipe.as_fd())
    }

    /// Moves one turn's worth to the log. False when nothing more is there now.
    pub(super) fn turn(&mut self) -> bool {
        let mut taken = 0;
        while taken < TURN_BYTES {
            let Some(pipe) = &mut self.pipe else { return false };
            match pipe.read(&mut self.buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    taken += length;
                    self.log.write(&self.buffer[..length]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => self.pipe = None,
            }
        }
        true
    }

    /// Moves the rest, when nobody is left who could print more: a pipe's buffer at most.
    pub(super) fn finish(&mut self) {
        while self.turn() {}
    }
}

struct Log {
    folder: Folder,
    /// Two files of this size are the limit.
    file_limit: u64,
    file: Option<File>,
    length: u64,
    complained: bool,
}

impl Log {
    fn new(folder: Folder, limit: u64) -> Self {
        Self { folder, file_limit: (limit / 2).max(1), file: None, length: 0, complained: false }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(self.file_limit - self.length).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            if let Err(error) = self.append(now) {
                self.complain(&error);
                return;
            }
            bytes = later;
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() || self.length >= self.file_limit {
            self.rotate()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        let (current, older) = (self.folder.file(folder::LOG), self.folder.file(folder::OLDER_LOG));
        match fs::rename(&current, older) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.file = Some(folder::create_file(&current)?);
        self.length = 0;
        Ok(())
    }

    fn complain(&mut self, error: &io::Error) {
        if !self.complained {
            self.complained = true;
            let _ = writeln!(io::stderr(), "supervisor: could not write the runner's output: {error}");
        }
    }
}
