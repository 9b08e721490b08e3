//! `mode` and what belongs to it: where jobs run, and which engine they see.

use backend_docker::{Mode, NESTED_IMAGE};

use crate::config::problem::Complaint;
use crate::config::read::{Section, Value, any};
use crate::config::shape::Shape;
use crate::config::value::{Readable, as_written, quoted};

/// The way in which jobs run.
pub(super) fn read(section: &Section<'_>) -> Mode {
    let word = section.or("mode", Word::Direct, any);
    let image = section.or("nested_image", NESTED_IMAGE.to_owned(), |image: &String| as_written(image));
    let privileged = section.or("nested_privileged", true, any);
    match word {
        Word::Direct => Mode::Direct,
        Word::Socket => Mode::Socket,
        Word::Nested => Mode::Nested { image, privileged },
    }
}

/// The value of `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Direct,
    Nested,
    Socket,
}

impl Readable for Word {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        match String::read(value)?.as_str() {
            "direct" => Ok(Self::Direct),
            "nested" => Ok(Self::Nested),
            "socket" => Ok(Self::Socket),
            other => Err(Complaint::new(format!("{} is no way to run a job", quoted(other)))
                .hint("write \"direct\", \"nested\" or \"socket\"")),
        }
    }

    fn shown(&self) -> String {
        quoted(match self {
            Self::Direct => "direct",
            Self::Nested => "nested",
            Self::Socket => "socket",
        })
    }
}
