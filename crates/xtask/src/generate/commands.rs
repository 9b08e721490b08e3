//! The command line as a page: the help of every command.

use std::fmt::Write as _;

use clap::Command;

/// What the page begins with.
const HEAD: &str = "\
# Commands

<!-- Made by `cargo xtask generate` from the program; do not edit it by hand. -->

Standard output carries what was asked for, standard error the rest. Exit status: 0 done, 1 not done, 2 asked for wrongly or
a configuration that cannot be used. `forgescale check`: 0 nothing that does not work, 1 something doubtful (with `--strict`
only), 2 something that does not work.
";

/// The page about this command line.
pub(super) fn page(command: Command) -> String {
    let mut command = command;
    command.build();
    let mut page = HEAD.to_owned();
    section(&mut command, &mut page);
    page
}

/// A command, then those below it; `help` tells what is here anyway.
fn section(command: &mut Command, page: &mut String) {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    // Writing to a String cannot fail.
    let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    let visible = |below: &&mut Command| !below.is_hide_set() && below.get_name() != "help";
    for below in command.get_subcommands_mut().filter(visible) {
        section(below, page);
    }
}
