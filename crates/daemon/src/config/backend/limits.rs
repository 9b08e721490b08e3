//! `memory`, `cpus` and `pids`: what one machine may use at most.

use backend_host::Limits;
use toml::de::DeValue;

use crate::config::problem::Complaint;
use crate::config::read::{Section, Value};
use crate::config::shape::Shape;
use crate::config::size::Size;
use crate::config::value::Readable;

/// Less than this does not even hold the runner, of which 41 MB are resident while it waits (protocol 3.6).
const LEAST_MEMORY: Size = Size(64 << 20);

/// The runner alone has about a dozen threads, and a step needs a shell.
const LEAST_PIDS: u32 = 32;

pub(super) fn read(section: &Section<'_>) -> Limits {
    let memory = section.optional("memory", |size: &Size| {
        if *size < LEAST_MEMORY {
            let least = LEAST_MEMORY.shown();
            return Err(Complaint::new(format!("is less than {least}"))
                .hint(format!("write {least} or more: the runner alone needs nearly as much")));
        }
        Ok(())
    });
    let cpus = section.optional("cpus", |_: &Cpus| Ok(()));
    let pids = section.optional("pids", |number: &u32| {
        if *number >= LEAST_PIDS {
            return Ok(());
        }
        Err(Complaint::new(format!("is less than {LEAST_PIDS}"))
            .hint(format!("write {LEAST_PIDS} or more: the runner alone needs nearly as many")))
    });
    Limits {
        memory_bytes: memory.map(|size| size.0),
        cpu_quota_us: cpus.map(|cpus| cpus.quota_us),
        pids: pids.map(u64::from),
    }
}

/// A number of processors, read as decimal digits: the kernel wants microseconds of each 100 ms.
struct Cpus {
    quota_us: u64,
}

/// Microseconds of one whole processor in the kernel's period.
const WHOLE_US: u64 = Limits::CPU_PERIOD_US;

/// Digits after the point that make a difference, as [`WHOLE_US`] has zeros.
const DIGITS: usize = 5;

/// The kernel takes no quota below a millisecond.
const LEAST_US: u64 = 1_000;

impl Cpus {
    fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if part.len() > DIGITS || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part: u64 = format!("{part:0<DIGITS$}").parse().ok()?;
        let quota_us = whole.parse::<u64>().ok()?.checked_mul(WHOLE_US)?.checked_add(part)?;
        (quota_us >= LEAST_US).then_some(Self { quota_us })
    }
}

impl Readable for Cpus {
    const SHAPE: Shape = Shape::Number;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = match value.raw {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return Err(value.wrong_type("a number").hint("write it like 2 or 0.5, without quotes")),
        };
        Self::parse(text).ok_or_else(|| {
            Complaint::new(format!("{text} is no number of processors")).hint("write it like 2 or 0.5; at least 0.01")
        })
    }

    fn shown(&self) -> String {
        let text = format!("{}.{:0DIGITS$}", self.quota_us / WHOLE_US, self.quota_us % WHOLE_US);
        let text = text.trim_end_matches('0');
        if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::Cpus;
    use crate::config::value::Readable as _;

    #[test]
    fn processors_are_counted_in_microseconds() {
        for (text, quota_us, shown) in
            [("2", 200_000, "2.0"), ("0.5", 50_000, "0.5"), ("1.25", 125_000, "1.25"), ("0.01", 1_000, "0.01")]
        {
            let cpus = Cpus::parse(text).unwrap();
            assert_eq!((cpus.quota_us, cpus.shown().as_str()), (quota_us, shown), "{text}");
        }
        for wrong in ["", "0", "0.001", "-1", "1e3", "inf", "nan", "1.2.3", "1.123456", "99999999999999999999"] {
            assert!(Cpus::parse(wrong).is_none(), "{wrong}");
        }
    }
}
