//! The commands, one file each.

mod asking;
mod check;
mod config_init;
mod config_show;
mod confirm;
mod demo;
mod explain;
mod gc;
mod reload;
mod run;
mod version;

use std::io;

use crate::arguments::{Asked, ConfigCommand};
use crate::failure::Failure;

/// Does what was asked for.
pub(crate) fn run(asked: Asked) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    match asked {
        Asked::Check(arguments) => check::run(&arguments, out),
        Asked::Config(ConfigCommand::Init { output }) => config_init::run(output.as_deref(), out),
        Asked::Config(ConfigCommand::Show { config }) => config_show::run(&config, out),
        Asked::Reload(place) => reload::run(&place, out),
        Asked::Gc(arguments) => gc::run(&arguments, out),
        Asked::Confirm(place) => confirm::run(&place, out),
        Asked::Explain(arguments) => explain::run(&arguments, out),
        Asked::Run(arguments) => run::run(&arguments),
        Asked::Demo(arguments) => demo::run(&arguments, out),
        Asked::Version => version::run(out),
    }
}
