//! The machine, in words.

use std::fs;

/// One sentence about the machine that is measured on.
pub(crate) fn sentence() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map_or_else(|| "unknown".to_owned(), |kib| format!("{:.0} GiB", kib_to_gib(kib)));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split(['-', '\n']).next().unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown");
    format!(
        "Measured with a release build on {cores} cores of {processor}, {memory} of memory, Linux {kernel}; the emulated \
         forge, the load and what is measured share these cores. Load average before the first figure: {load} (on a quiet machine it is near 0)."
    )
}

#[allow(clippy::cast_precision_loss, reason = "for people, without decimals")]
fn kib_to_gib(kib: u64) -> f64 {
    kib as f64 / f64::from(1 << 20)
}

/// The value of `name: value` in a file of the kernel.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
