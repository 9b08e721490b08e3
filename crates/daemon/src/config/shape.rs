//! What is known of a key apart from its value: how it is written, its default, whether it can be left out.

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text in quotes that is not empty.
    Text,
    /// A path in quotes; a relative one starts at the folder of the configuration file.
    Path,
    /// A span of time in quotes with its units, like `"1m30s"`.
    Duration,
    /// A number of bytes in quotes with its unit, like `"2GiB"`.
    Size,
    /// A whole number.
    Whole {
        /// The least that can be read.
        least: i64,
        /// The most that can be read, where there is a limit.
        most: Option<i64>,
    },
    /// A number above zero, with or without a point.
    Number,
    /// `true` or `false`.
    Truth,
    /// A list.
    List(&'static Shape),
    /// One of several.
    Either(&'static [Shape]),
}

/// What the calls that read a key say about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Every way in which it is read; none for a table or a list of several kinds of things, whose parts have keys of
    /// their own.
    pub(super) shapes: Vec<Shape>,
    /// What holds without it, as TOML.
    pub(super) default: Option<String>,
    /// Whether a configuration without it is wrong.
    pub(super) required: bool,
}

impl Facts {
    pub(super) fn shape(&mut self, shape: Shape) {
        if !self.shapes.contains(&shape) {
            self.shapes.push(shape);
        }
    }
}
