//! Days, hours and time zones, as they are written in a configuration.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use toml::de::DeValue;

use crate::config::problem::Complaint;
use crate::config::read::Value;
use crate::config::shape::Shape;
use crate::config::suggest;
use crate::config::value::{Readable, Words, quoted, quoted_list};
use crate::hours::{Days, OfDay};

/// The days as they are written, beginning with Monday.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// How days are written.
const DAYS_HINT: &str = "write days like [\"mon-fri\"] or [\"mon\", \"thu\"]; without the key it is every day";

/// Days of the week: a text or a list of texts, in each of which there are days and spans of days.
pub(super) struct On(pub(super) Days);

impl On {
    fn parse(text: &str) -> Result<Days, Complaint> {
        let index = |word: &str| {
            DAYS.iter().position(|(name, _)| *name == word).ok_or_else(|| {
                let near = suggest::nearest(word, DAYS.map(|(name, _)| name));
                let hint = near.map_or_else(|| DAYS_HINT.to_owned(), |near| format!("did you mean {}?", quoted(near)));
                Complaint::new(format!("{} is no day", quoted(word))).hint(hint)
            })
        };
        let mut days = Days::default();
        for part in text.split(',').map(str::trim) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (index(first.trim())?, index(last.trim())?);
            // Over the end of the week, where it ends before it begins.
            let length = (last + DAYS.len() - first) % DAYS.len();
            days = (first..=first + length).fold(days, |days, at| days.with(DAYS[at % DAYS.len()].1));
        }
        Ok(days)
    }
}

impl Readable for On {
    const SHAPE: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let texts = match value.raw {
            DeValue::Array(_) => Words::read(value)?.0,
            _ => vec![String::read(value)?],
        };
        if texts.is_empty() {
            return Err(Complaint::new("is empty: such a window never holds").hint(DAYS_HINT));
        }
        let add = |days: Days, text: &String| {
            let more = Self::parse(text)?;
            Ok(DAYS.iter().filter(|(_, day)| more.has(*day)).fold(days, |days, (_, day)| days.with(*day)))
        };
        texts.iter().try_fold(Days::default(), add).map(Self)
    }

    fn shown(&self) -> String {
        if self.0 == Days::ALL {
            return "[\"mon-sun\"]".to_owned();
        }
        let named = DAYS.iter().filter(|(_, day)| self.0.has(*day)).map(|(name, _)| *name);
        quoted_list(named)
    }
}

/// A time of day.
pub(super) struct At(pub(super) OfDay);

impl Readable for At {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = String::read(value)?;
        let number = |digits: &str| {
            (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| digits.parse().ok())
                .flatten()
        };
        let parsed = text.split_once(':').and_then(|(hour, minute)| OfDay::new(number(hour)?, number(minute)?));
        parsed.map(Self).ok_or_else(|| {
            Complaint::new(format!("{} is no time of day", quoted(&text)))
                .hint("write hours and minutes, from \"00:00\" to \"24:00\"")
        })
    }

    fn shown(&self) -> String {
        let (hour, minute) = self.0.parts();
        quoted(&format!("{hour:02}:{minute:02}"))
    }
}

/// A time zone by its name.
pub(super) struct Zone(pub(super) TimeZone);

impl Readable for Zone {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = String::read(value)?;
        let found = TimeZone::get(&text).ok().filter(|zone| zone.iana_name().is_some() && !zone.is_unknown());
        found.map(Self).ok_or_else(|| {
            let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            let near = suggest::nearest(&text, known.iter().map(String::as_str));
            let hint = near.map(|near| format!("did you mean {}?", quoted(near)));
            Complaint::new(format!("{} is no time zone", quoted(&text)))
                .hint(hint.unwrap_or_else(|| "write \"UTC\", or a name like \"Europe/Berlin\"".to_owned()))
        })
    }

    fn shown(&self) -> String {
        quoted(self.0.iana_name().unwrap_or("UTC"))
    }
}
