//! Keys for stronger walls around containers, and for ways through them.

use backend_docker::{Device, Gpus, Hardening, Tmpfs, Ulimit};
use toml::de::DeValue;

use crate::config::problem::Complaint;
use crate::config::read::{Section, Value, any};
use crate::config::settings::Origin;
use crate::config::shape::Shape;
use crate::config::value::{Readable, Words, as_written, quoted, unknown};

/// The limits of processes that engines know, by their names.
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// What an operator asks for.
pub(super) fn read(section: &Section<'_>) -> Hardening {
    let read_only = section.or("read_only", false, any);
    let tmpfs: Vec<Tmpfs> = parsed(section, "tmpfs", tmpfs);
    if read_only && tmpfs.is_empty() {
        let complaint = Complaint::new("leaves jobs nothing to write to without `tmpfs`");
        section.complain("read_only", complaint.hint("add tmpfs = [\"/tmp\", \"/root\"]"));
    }
    Hardening {
        read_only,
        tmpfs,
        ulimits: ulimits(section),
        devices: parsed(section, "devices", device),
        gpus: section.optional("gpus", any).map(|Wanted(gpus)| gpus),
        user_namespace: section.optional("user_namespace", |mode: &String| as_written(mode)),
    }
}

/// A list of texts, each of which is read further.
fn parsed<T>(section: &Section<'_>, key: &'static str, read: impl Fn(&str) -> Result<T, Complaint>) -> Vec<T> {
    let words: Option<Words> =
        section.optional(key, |Words(words)| words.iter().try_for_each(|word| read(word).map(drop)));
    words.map_or_else(Vec::new, |Words(words)| words.iter().filter_map(|word| read(word).ok()).collect())
}

/// A path in a container that says what it means.
pub(in crate::config) fn is_inside(path: &str) -> bool {
    path.starts_with('/') && path.len() > 1 && !path.split('/').any(|part| part == "..")
}

/// `PATH` or `PATH:OPTIONS`.
fn tmpfs(text: &str) -> Result<Tmpfs, Complaint> {
    let (path, options) = text.split_once(':').map_or((text, None), |(path, options)| (path, Some(options)));
    if !is_inside(path) || options.is_some_and(str::is_empty) {
        return Err(Complaint::new(format!("{} is no folder of a container", quoted(text)))
            .hint("write it like \"/tmp\", or with options of the mount: \"/tmp:exec,size=1g\""));
    }
    Ok(Tmpfs { path: path.to_owned(), options: options.map(str::to_owned) })
}

/// `HOST`, `HOST:CONTAINER` or `HOST:CONTAINER:PERMISSIONS`.
fn device(text: &str) -> Result<Device, Complaint> {
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, permissions) = match *parts.as_slice() {
        [host] => (host, host, "rwm"),
        [host, container] => (host, container, "rwm"),
        [host, container, permissions] => (host, container, permissions),
        _ => ("", "", ""),
    };
    let are_permissions = !permissions.is_empty() && permissions.bytes().all(|byte| b"rwm".contains(&byte));
    // Podman takes the name of a device that the host describes (CDI): `nvidia.com/gpu=all`.
    let is_described = parts.len() == 1 && host.contains('/') && host.contains('=');
    if is_described || is_inside(host) && is_inside(container) && are_permissions {
        let [host, container, permissions] = [host, container, permissions].map(str::to_owned);
        return Ok(Device { host, container, permissions });
    }
    Err(Complaint::new(format!("{} is no device", quoted(text))).hint(
        "write it like \"/dev/kvm\", or with its path in the container and what is allowed: \"/dev/a:/dev/b:rw\"",
    ))
}

/// `{ nofile = 4096, core = "0:0" }`.
fn ulimits(section: &Section<'_>) -> Vec<Ulimit> {
    let Some(value) = section.get("ulimits") else {
        section.notes.set(&section.key("ulimits"), None, Origin::Default);
        return Vec::new();
    };
    let mut read = Vec::new();
    let mut shown = Vec::new();
    for (name, entry) in value.section().map(|table| table.entries()).unwrap_or_default() {
        if !ULIMITS.contains(&name) {
            entry.complain(unknown("limit of processes", name, ULIMITS));
        }
        let Some(limit) = entry.read(|_: &Bounds| Ok(())) else { continue };
        shown.push(format!("{name} = {}", limit.shown()));
        read.push(Ulimit { name: name.to_owned(), soft: limit.soft, hard: limit.hard });
    }
    section.notes.set(&value.key, Some(format!("{{ {} }}", shown.join(", "))), value.origin());
    read
}

/// A number, or `"SOFT:HARD"`; -1 is no limit.
struct Bounds {
    soft: i64,
    hard: i64,
}

impl Bounds {
    fn parse(text: &str) -> Option<Self> {
        let (soft, hard) = text.split_once(':').unwrap_or((text, text));
        let (soft, hard) = (soft.parse().ok()?, hard.parse().ok()?);
        let fits = soft >= -1 && hard >= -1 && (hard == -1 || soft != -1 && soft <= hard);
        fits.then_some(Self { soft, hard })
    }
}

impl Readable for Bounds {
    const SHAPE: Shape = Shape::Either(&[Shape::Whole { least: -1, most: None }, Shape::Text]);

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = match value.raw {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::String(text) => text,
            _ => return Err(value.wrong_type("a limit").hint("write a number, or \"SOFT:HARD\"")),
        };
        Self::parse(text).ok_or_else(|| {
            Complaint::new(format!("{} is no limit", quoted(text)))
                .hint("write a number, or \"SOFT:HARD\" with the smaller first; -1 is no limit")
        })
    }

    fn shown(&self) -> String {
        if self.soft == self.hard { self.soft.to_string() } else { quoted(&format!("{}:{}", self.soft, self.hard)) }
    }
}

/// `"all"`, a number, or a list of numbers and names.
struct Wanted(Gpus);

impl Readable for Wanted {
    const SHAPE: Shape =
        Shape::Either(&[Shape::Text, Shape::Whole { least: 1, most: None }, Shape::List(&Shape::Text)]);

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let hint = "write \"all\", a number of them, or which: [\"0\", \"2\"]";
        match value.raw {
            DeValue::String(text) if text == "all" => Ok(Self(Gpus::All)),
            DeValue::Integer(_) => match u32::read(value)? {
                0 => Err(Complaint::new("is none").hint("leave the key out for none")),
                number => Ok(Self(Gpus::Count(number))),
            },
            DeValue::Array(_) => match Words::read(value)?.0 {
                ids if ids.is_empty() => Err(Complaint::new("is none").hint("leave the key out for none")),
                ids => Ok(Self(Gpus::These(ids))),
            },
            _ => Err(value.wrong_type("graphics processors").hint(hint)),
        }
    }

    fn shown(&self) -> String {
        match &self.0 {
            Gpus::All => quoted("all"),
            Gpus::Count(number) => number.to_string(),
            Gpus::These(ids) => Words(ids.clone()).shown(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_devices_are_written_as_for_the_engine() {
        let read = |text| tmpfs(text).map(|tmpfs| (tmpfs.path, tmpfs.options)).ok();
        assert_eq!(read("/tmp"), Some(("/tmp".to_owned(), None)));
        assert_eq!(read("/a:size=1g,exec"), Some(("/a".to_owned(), Some("size=1g,exec".to_owned()))));
        for wrong in ["", "tmp", "/", "/a/../b", "/a:"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let read = |text| device(text).map(|it| [it.host, it.container, it.permissions].join(" ")).ok();
        assert_eq!(read("/dev/kvm").as_deref(), Some("/dev/kvm /dev/kvm rwm"));
        assert_eq!(read("/dev/a:/dev/b:r").as_deref(), Some("/dev/a /dev/b r"));
        assert_eq!(read("vendor.com/gpu=all").as_deref(), Some("vendor.com/gpu=all vendor.com/gpu=all rwm"));
        for wrong in ["", "kvm", "/dev/a:b", "/dev/a:/dev/b:x", "/dev/a:/dev/b:", "/a:/b:r:w"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_limit_of_processes_is_one_number_or_two() {
        let read = |text| Bounds::parse(text).map(|bounds| (bounds.soft, bounds.hard));
        assert_eq!(read("4096"), Some((4096, 4096)));
        assert_eq!(read("0:-1"), Some((0, -1)));
        for wrong in ["", "-2", "2:1", "-1:5", "a", "1:2:3"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
