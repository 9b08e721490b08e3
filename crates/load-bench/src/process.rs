//! Memory of a process, by the kernel's account.

use std::fs;

use anyhow::Context as _;

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: u64,
    /// Resident at its peak.
    pub(crate) peak: u64,
}

impl Memory {
    /// Of a process; `self` for this one.
    pub(crate) fn of(process: &str) -> anyhow::Result<Self> {
        let path = format!("/proc/{process}/status");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Self::read(&text).with_context(|| format!("{path} tells nothing of memory"))
    }

    fn read(status: &str) -> Option<Self> {
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self { resident: kib("VmRSS:")?, peak: kib("VmHWM:")? })
    }
}

/// KiB as MiB, for people.
#[allow(clippy::cast_precision_loss, reason = "for people, with one decimal")]
pub(crate) fn mebibytes(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_the_kernel_is_read() {
        let status = "Name:\ta\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(Memory::read(status), Some(Memory { resident: 10_240, peak: 20_480 }));
        assert!(Memory::of("self").unwrap().peak > 0);
        assert_eq!(mebibytes(1536), "1.5 MiB");
    }
}
