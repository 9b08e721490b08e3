//! Single values: how each type is read from TOML and shown again.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::problem::Complaint;
use super::read::Value;
use super::shape::Shape;
use super::size::Size;
use super::{duration, suggest};

/// A type that a setting can have.
pub(super) trait Readable: Sized {
    /// How it is written, for the reference.
    const SHAPE: Shape;

    /// Reads it, or says what is wrong.
    fn read(value: &Value<'_>) -> Result<Self, Complaint>;

    /// The value as it would be written in TOML.
    fn shown(&self) -> String;
}

/// A text in the quotes of TOML. (Its basic strings and Rust's debug form differ in `\u{..}` only, which no sane setting
/// contains and which is only shown.)
pub(super) fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// A list of texts, as TOML.
pub(super) fn quoted_list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}

fn string<'a>(value: &Value<'a>, expected: &str) -> Result<&'a str, Complaint<()>> {
    match value.raw {
        DeValue::String(text) => Ok(text),
        _ => Err(value.wrong_type(expected)),
    }
}

impl Readable for String {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        match string(value, "a string").map_err(|complaint| complaint.hint("write it in quotes: \"…\""))? {
            "" => Err(Complaint::new("is empty").hint("say something, or leave the key out if it may be")),
            text => Ok(text.to_owned()),
        }
    }

    fn shown(&self) -> String {
        quoted(self)
    }
}

/// The start of a path to a credential that systemd has passed on (`LoadCredential=`).
const CREDENTIALS: &str = "${CREDENTIALS_DIRECTORY}/";

/// Refuses paths that only a shell would understand. (A folder of that very name can still be meant: `./~`.)
pub(super) fn as_written(path: &str) -> Result<(), Complaint> {
    let is_variable = |part: &str| part.starts_with('$') && part.len() > 1;
    let (word, whole) = if path.starts_with('~') {
        ("~", "\"/home/ci/…\"")
    } else if path.contains("${") || path.split(['/', ':']).any(is_variable) {
        ("a variable", "\"/home/ci/…\"; only a path to a credential may begin with ${CREDENTIALS_DIRECTORY}/")
    } else {
        return Ok(());
    };
    Err(Complaint::new(format!("{}: {word} has no meaning here", quoted(path)))
        .hint(format!("write the whole path, like {whole}")))
}

/// A path; a relative one starts at the folder of the configuration file, or with `${CREDENTIALS_DIRECTORY}` where the
/// service manager put the service's credentials. No other variable is looked at: a configuration says what it means.
impl Readable for PathBuf {
    const SHAPE: Shape = Shape::Path;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        match string(value, "a path").map_err(|complaint| complaint.hint("write it in quotes: \"/…\""))? {
            "" => Err(Complaint::new("is empty").hint("write the whole path, like \"/etc/forgescale/…\"")),
            text => match (text.strip_prefix(CREDENTIALS), &value.notes.credentials) {
                (None, _) => as_written(text).map(|()| value.notes.directory.join(text)),
                (Some(name), Some(credentials)) => Ok(credentials.join(name)),
                (Some(_), None) => Err(Complaint::new("the environment variable CREDENTIALS_DIRECTORY is not set")
                    .hint(
                        "systemd sets it for a service with LoadCredential=; by hand name the folder that the file is \
                         in: CREDENTIALS_DIRECTORY=/etc/forgescale forgescale …",
                    )),
            },
        }
    }

    fn shown(&self) -> String {
        quoted(&self.display().to_string())
    }
}

impl Readable for Duration {
    const SHAPE: Shape = Shape::Duration;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = string(value, "a duration in quotes")
            .map_err(|complaint| complaint.hint("write it with its unit, like \"90s\" or \"3h\""))?;
        duration::read(text)
    }

    fn shown(&self) -> String {
        quoted(&duration::text(*self))
    }
}

impl Readable for Size {
    const SHAPE: Shape = Shape::Size;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = string(value, "a size in quotes")
            .map_err(|complaint| complaint.hint("write it with its unit, like \"2GiB\""))?;
        Self::read(text)
    }

    fn shown(&self) -> String {
        quoted(&self.text())
    }
}

impl Readable for bool {
    const SHAPE: Shape = Shape::Truth;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        match value.raw {
            DeValue::Boolean(truth) => Ok(*truth),
            _ => Err(value.wrong_type("true or false").hint("write true or false, without quotes")),
        }
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

fn integer(value: &Value<'_>) -> Result<i64, Complaint> {
    let DeValue::Integer(number) = value.raw else {
        return Err(value.wrong_type("a whole number").hint("write it without quotes, point and unit, like 4"));
    };
    i64::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| Complaint::new("is too large").hint("write a smaller number"))
}

/// A list of texts.
pub(super) struct Words(pub(super) Vec<String>);

impl Readable for Words {
    const SHAPE: Shape = Shape::List(&Shape::Text);

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let DeValue::Array(_) = value.raw else {
            return Err(value.wrong_type("a list of strings").hint("write it like [\"…\", \"…\"]"));
        };
        value.elements().iter().map(String::read).collect::<Result<_, _>>().map(Self)
    }

    fn shown(&self) -> String {
        quoted_list(&self.0)
    }
}

macro_rules! readable_integer {
    ($($type:ty: $least:expr, $most:expr, $range:literal;)*) => {$(
        impl Readable for $type {
            const SHAPE: Shape = Shape::Whole { least: $least, most: $most };

            fn read(value: &Value<'_>) -> Result<Self, Complaint> {
                let number = integer(value)?;
                Self::try_from(number).map_err(|_| {
                    Complaint::new(format!("{number} is not {}", $range)).hint("write a number in that range")
                })
            }

            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

readable_integer! {
    u32: 0, Some(4_294_967_295), "between 0 and 4294967295";
    i32: -2_147_483_648, Some(2_147_483_647), "between -2147483648 and 2147483647";
    usize: 0, None, "0 or more";
}

/// Accepts 1 and more.
pub(super) fn positive<T: PartialOrd + From<u8>>(number: &T) -> Result<(), Complaint> {
    if *number < T::from(1) {
        Err(Complaint::new("must be 1 or more").hint("write 1, or leave it out"))
    } else {
        Ok(())
    }
}

/// Accepts spans from `least` on.
pub(super) fn at_least(least: Duration) -> impl Fn(&Duration) -> Result<(), Complaint> {
    move |span| {
        if *span < least {
            let least = duration::text(least);
            return Err(Complaint::new(format!("{} is less than {least}", duration::text(*span)))
                .hint(format!("write {} or more", quoted(&least))));
        }
        Ok(())
    }
}

/// Accepts numbers from 1 to `most`.
pub(super) fn up_to(most: usize) -> impl Fn(&usize) -> Result<(), Complaint> {
    move |number| {
        if (1..=most).contains(number) {
            return Ok(());
        }
        Err(Complaint::new(format!("must be between 1 and {most}")).hint("write a number in that range"))
    }
}

/// Accepts names of pools and backends: 1 to 64 letters, digits, `-`, `_` and `.`.
pub(super) fn name(text: &str) -> Result<(), Complaint> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err(Complaint::new(format!("{} is no name", quoted(text)))
            .hint("use 1 to 64 letters, digits, `-`, `_` and `.`"));
    }
    Ok(())
}

/// The complaint that `word` names none of `known` (a `what`).
pub(super) fn unknown<'a>(what: &str, word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Complaint {
    let complaint = Complaint::new(format!("there is no {what} {}", quoted(word)));
    if let Some(near) = suggest::nearest(word, known.clone()) {
        return complaint.hint(format!("did you mean {}?", quoted(near)));
    }
    let known: Vec<&str> = known.into_iter().collect();
    complaint.hint(if known.is_empty() {
        format!("there is no {what} at all yet: add one")
    } else {
        format!("there is: {}", known.join(", "))
    })
}
